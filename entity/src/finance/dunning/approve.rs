//! Approving notices that do not leave before somebody has.

use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, QuerySelect};

use super::notice::{Approval, Column, Entity, Model};
use crate::access::Actor;
use crate::automation::message;
use crate::error::Error;
use crate::finance::FinanceError;
use crate::id::DunningNoticeId;

/// Decides about a notice that waits for it: it leaves as soon as it may, or not at all.
///
/// # Errors
/// [`Error::NoSuch`], `NoApprovalWanted`.
pub async fn decide(
    txn: &impl ConnectionTrait,
    id: DunningNoticeId,
    approval: Approval,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let mut row = row.ok_or_else(Error::no_such::<Entity>)?;
    if row.approval != Some(Approval::Waiting) {
        return Err(FinanceError::NoApprovalWanted.into());
    }
    (row.approval, row.approved_at) = (Some(approval), Some(now));
    row.approved_by = actor.user();
    Entity::update_many()
        .col_expr(Column::Approval, Expr::val(approval.to_value()))
        .col_expr(Column::ApprovedAt, Expr::val(row.approved_at))
        .col_expr(Column::ApprovedBy, Expr::val(row.approved_by))
        .filter(Column::Id.eq(id))
        .exec(txn)
        .await?;
    message::look_again(txn, message::Kind::Dunning, id.0, now).await?;
    Ok(row)
}
