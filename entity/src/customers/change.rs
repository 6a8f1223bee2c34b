//! How the relation with a customer went on: another stage, another owner.
//!
//! Invariant: nothing is written here. It is a view of the audit log, so that whoever sees a customer
//! sees these two of its changes, and no others.

use sea_orm::entity::prelude::*;

use super::customer::{self, LifecycleStage};
use crate::access::{Permission, user};
use crate::catalog::catalog;
use crate::id::{CustomerChangeId, CustomerId, UserId};

/// A change of stage or owner.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "customer_change")]
pub struct Model {
    /// Which entry of the audit log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomerChangeId,
    /// Of whom.
    pub customer_id: CustomerId,
    /// When.
    pub occurred_at: DateTimeUtc,
    /// Who did it; nobody for Rapport itself.
    pub user_id: Option<UserId>,
    /// The stage before, if it changed.
    pub stage_before: Option<LifecycleStage>,
    /// The stage since, if it changed.
    pub stage_after: Option<LifecycleStage>,
    /// Who looked after it before.
    pub owner_before_id: Option<UserId>,
    /// Who has looked after it since.
    pub owner_after_id: Option<UserId>,
}

catalog! {
    /// A change of a customer's stage or owner.
    CustomerChange of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity;
    /// Its id.
    id: id::<CustomerChangeId>(),
    /// The customer.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// When.
    occurred_at: instant(Column::OccurredAt),
    /// Who did it; null when Rapport did it by itself.
    user: one::<user::Entity>(Column::UserId),
    /// The stage before; null when it stayed.
    stage_before: choice::<LifecycleStage>("LifecycleStage", Column::StageBefore),
    /// The stage since; null when it stayed.
    stage_after: choice::<LifecycleStage>("LifecycleStage", Column::StageAfter),
    /// Who looked after the customer before; null when nobody did, or when that stayed.
    owner_before: one::<user::Entity>(Column::OwnerBeforeId),
    /// Who has looked after it since; null when nobody does, or when that stayed.
    owner_after: one::<user::Entity>(Column::OwnerAfterId),
}
