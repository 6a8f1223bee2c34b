//! How much was sent, and whether sending is on hold.
//!
//! Invariant: the count goes up in the transaction after which a batch leaves, and whoever sends notes it outside of the
//! database before the first byte does. A database that knows of less than what is noted outside was restored from a
//! backup: what it holds as not yet sent may have been sent long ago, so nothing leaves until somebody has looked.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query, SelectStatement};
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::AutomationError;
use super::message;
use crate::access::{Actor, organisation};
use crate::collaboration::notification;
use crate::error::Error;

/// How many batches have left.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sending_count")]
pub struct Model {
    /// What tells this database, and what was restored from it, from others.
    #[sea_orm(primary_key, auto_increment = false)]
    pub token: Uuid,
    /// How many.
    pub count: i64,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Why nothing is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum HeldWhy {
    /// The database was restored from a backup, and does not know of all that was sent.
    Restored,
}

/// What is noted outside of the database: how many batches have left, by the tokens of databases. Nothing when it was
/// lost.
pub type Noted = HashMap<Uuid, i64>;

/// The organisation, if sending is on hold.
pub(super) fn held() -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from(organisation::Entity)
        .and_where(
            Expr::col((organisation::Entity, organisation::Column::SendingHeldAt)).is_not_null(),
        )
        .take()
}

/// Counts a batch that leaves when the transaction is committed, which is to be noted outside before; gives the
/// organisation in whose name it does, too. Ask it last: other batches wait for the end of the transaction. What is
/// `noted` was read before the transaction began, since others count meanwhile.
///
/// # Errors
/// `SendingHeld` when sending is on hold, or has to be since the database is behind what is noted: then nothing may leave.
pub async fn count(
    txn: &impl ConnectionTrait,
    noted: &Noted,
) -> Result<(Model, organisation::Model), Error> {
    let counted = Entity::update_many()
        .col_expr(Column::Count, Expr::col(Column::Count).add(1))
        .exec_with_returning(txn)
        .await?;
    let counted = counted.into_iter().next().ok_or(AutomationError::SendingHeld)?;
    // By a statement of its own, which sees what somebody has done who was waited for.
    let ours = organisation::get(txn).await?;
    let is_behind = noted.get(&counted.token).is_some_and(|noted| *noted >= counted.count);
    if is_behind || ours.sending_held_at.is_some() {
        return Err(AutomationError::SendingHeld.into());
    }
    Ok((counted, ours))
}

/// Puts sending on hold if the database is behind what is `noted`, and tells those who may let it go on. Gives whether
/// it was.
///
/// # Errors
/// The database.
pub async fn hold_if_behind(
    txn: &impl ConnectionTrait,
    noted: &Noted,
    now: DateTimeUtc,
) -> Result<bool, Error> {
    let Some(known) = Entity::find().one(txn).await? else { return Ok(false) };
    let Some(noted) = noted.get(&known.token).filter(|noted| **noted > known.count) else {
        return Ok(false);
    };
    let caught_up = Entity::update_many()
        .col_expr(Column::Count, Expr::val(*noted))
        .filter(Column::Count.lt(*noted))
        .exec(txn)
        .await?;
    if caught_up.rows_affected == 0 {
        return Ok(false);
    }
    organisation::hold_sending(txn, HeldWhy::Restored, now).await?;
    notification::sending_held(txn, now).await?;
    Ok(true)
}

/// Lets sending go on, without what was planned before `before` and has not left. Gives how many messages that were.
///
/// # Errors
/// `SendingNotHeld`.
pub async fn release(
    txn: &impl ConnectionTrait,
    before: DateTimeUtc,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    if !organisation::release_sending(txn, actor, now).await? {
        return Err(AutomationError::SendingNotHeld.into());
    }
    message::call_off_planned(txn, before, now).await
}
