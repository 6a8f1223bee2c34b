//! Notices: what customers are asked to pay.
//!
//! Invariant: what a notice lists and comes to is written down when it leaves, and never changes then.

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::item;
use super::ladder::Scope;
use crate::access::{Permission, user};
use crate::automation::message;
use crate::automation::workflow;
use crate::catalog::catalog;
use crate::customers::customer::{self, Channel};
use crate::id::{CustomerId, DunningNoticeId, UserId, WorkflowId};
use crate::money::Currency;

/// Whether a notice that has to be approved was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Approval {
    /// Nobody has decided yet.
    Waiting,
    /// It may go.
    Approved,
    /// It may not.
    Rejected,
}

/// A notice.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dunning_notice")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DunningNoticeId,
    /// Whom it asks.
    pub customer_id: CustomerId,
    /// The workflow that it is from.
    pub workflow_id: WorkflowId,
    /// In what it asks.
    pub currency: Currency,
    /// The way it goes.
    pub channel: Channel,
    /// What it asks for together.
    pub scope: Scope,
    /// The highest level of what it asks for.
    pub level: i32,
    /// Whether it was approved; nobody has to when absent.
    pub approval: Option<Approval>,
    /// When that was decided.
    pub approved_at: Option<DateTimeUtc>,
    /// By whom.
    pub approved_by: Option<UserId>,
    /// What it asks for, in minor units, once it has left.
    pub total: Option<i64>,
    /// What of that are charges.
    pub charged: Option<i64>,
    /// How many invoices it lists.
    pub invoices: Option<i32>,
    /// When the first of them was due.
    pub first_due_on: Option<Date>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A notice that asks a customer to pay invoices, each of which reaches a level of a ladder with it.
    DunningNotice (dunningNotice, dunningNotices) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity;
    /// Whom it asks; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// The workflow that it is from.
    workflow: one::<workflow::Entity>(Column::WorkflowId).grouped(),
    /// The currency that it asks in.
    currency: currency(Column::Currency).filtered().grouped(),
    /// The way it goes.
    channel: choice::<Channel>("Channel", Column::Channel).filtered().grouped(),
    /// The highest level of what it asks for, counted from 1.
    level: whole(Column::Level).filtered().grouped(),
    /// Whether it was approved; null when nobody has to.
    approval: choice::<Approval>("DunningApproval", Column::Approval).filtered().grouped(),
    /// When that was decided; null before.
    approved_at: instant(Column::ApprovedAt),
    /// Who has decided; null before.
    approved_by: one::<user::Entity>(Column::ApprovedBy),
    /// What it asks for; null until it leaves.
    total: money(Column::Total).filtered().summed(),
    /// What of that are charges for being late; null until it leaves.
    charged: money(Column::Charged).summed(),
    /// How many invoices it lists; null until it leaves.
    invoices: whole(Column::Invoices),
    /// When the first of them was due; null until it leaves.
    first_due_on: day(Column::FirstDueOn),
    /// The invoices that reach a level with it.
    items: list::<item::Entity, _>(item::Column::NoticeId, item::Column::Id, 3),
    /// The message that it goes with: whether the customer got it, when, and if not why.
    messages: list::<message::Entity, _>(message::Column::SubjectId, message::Column::Id, 1),
    /// When it was planned.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}
