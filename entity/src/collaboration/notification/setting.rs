//! What users want to be told, and how. Invariant: who has not said anything is told in Rapport alone.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DeriveActiveEnum, EnumIter, Iterable};

use super::Kind;
use crate::error::Error;
use crate::id::UserId;

/// How a user is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Delivery {
    /// Not at all.
    Off,
    /// In Rapport.
    #[default]
    InApp,
    /// In Rapport and by e-mail.
    Email,
    /// In Rapport, and each morning by e-mail, together with all else.
    Digest,
}

/// What a user wants of one kind.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification_setting")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// Of what.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: Kind,
    /// How they are told.
    pub delivery: Delivery,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a user wants, for every kind.
///
/// # Errors
/// The database.
pub async fn of(db: &impl ConnectionTrait, user: UserId) -> Result<Vec<(Kind, Delivery)>, DbErr> {
    let said = Entity::find().filter(Column::UserId.eq(user)).all(db).await?;
    let said: HashMap<_, _> = said.into_iter().map(|row| (row.kind, row.delivery)).collect();
    let wanted = |kind| (kind, said.get(&kind).copied().unwrap_or_default());
    Ok(<Kind as Iterable>::iter().map(wanted).collect())
}

/// Notes how a user wants to be told.
///
/// # Errors
/// The database.
pub async fn set(
    txn: &impl ConnectionTrait,
    user: UserId,
    kind: Kind,
    delivery: Delivery,
) -> Result<(), Error> {
    let row = ActiveModel { user_id: Set(user), kind: Set(kind), delivery: Set(delivery) };
    let again = OnConflict::columns([Column::UserId, Column::Kind])
        .update_column(Column::Delivery)
        .to_owned();
    Entity::insert(row).on_conflict(again).exec_without_returning(txn).await?;
    Ok(())
}
