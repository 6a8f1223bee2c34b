//! Whether customers are asked for what they owe.

use chrono::Days;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use super::look::ladders;
use super::own;
use crate::access::{Actor, organisation};
use crate::automation::workflow::version::versions;
use crate::automation::{event, workflow};
use crate::customers::customer;
use crate::edit::save;
use crate::error::Error;
use crate::finance::invoice::{self, follow};
use crate::id::{CustomerId, InvoiceId, WorkflowId};

/// For how many days nothing is asked for at most.
const LONGEST_DAYS: u64 = 366;

/// What changes; `None` keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// Whether the customer is asked for nothing.
    pub excluded: Option<bool>,
    /// The last day on which it is asked for nothing.
    pub paused_until: Option<Option<Date>>,
    /// The workflow whose ladder alone asks the customer.
    pub ladder: Option<Option<WorkflowId>>,
}

/// Says whether a customer is asked for what it owes.
///
/// # Errors
/// `Invalid`, [`Error::NoSuch`], [`Error::StaleVersion`].
pub async fn set(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<customer::Model, Error> {
    let mut row = customer::lock_present(txn, id, expected_version).await?;
    if let Some(Some(until)) = change.paused_until {
        let today = organisation::get(txn).await?.today(now);
        let farthest = today.checked_add_days(Days::new(LONGEST_DAYS)).unwrap_or(today);
        if !(today..=farthest).contains(&until) {
            let message = format!("from today to {LONGEST_DAYS} days ahead; exclude it for longer");
            return Err(Error::invalid("pausedUntil", message));
        }
    }
    if let Some(Some(ladder)) = change.ladder {
        check_ladder(txn, ladder).await?;
    }
    let before = (row.dunning_excluded, row.dunning_paused_until, row.dunning_ladder_id);
    row.dunning_excluded = change.excluded.unwrap_or(row.dunning_excluded);
    row.dunning_paused_until = change.paused_until.unwrap_or(row.dunning_paused_until);
    row.dunning_ladder_id = change.ladder.unwrap_or(row.dunning_ladder_id);
    if before == (row.dunning_excluded, row.dunning_paused_until, row.dunning_ladder_id) {
        return Ok(row);
    }
    let row = save::<customer::Entity>(txn, row, actor, now).await?;
    let kind = event::Kind::CustomerUpdated;
    event::emit(txn, kind, id.0, Some(id), actor, now).await?;
    let open: Vec<InvoiceId> = invoice::Entity::find()
        .select_only()
        .column(invoice::Column::Id)
        .filter(invoice::Column::CustomerId.eq(id))
        .filter(invoice::Column::State.eq(invoice::State::Open))
        .into_tuple()
        .all(txn)
        .await?;
    follow::look_again(txn, &open, now).await?;
    Ok(row)
}

/// Whether a workflow is at work and has a ladder.
async fn check_ladder(txn: &impl ConnectionTrait, id: WorkflowId) -> Result<(), Error> {
    let wrong = |message: &str| Err(Error::invalid("ladderId", message));
    if own::at_work(txn, [id]).await?.is_empty() {
        return wrong("no such workflow is at work; publish it first");
    }
    let row = workflow::Entity::find_by_id(id).one(txn).await?;
    let known = versions(txn, row.and_then(|row| row.active_id)).await?;
    let ladders = ladders(known.iter().map(|(id, version)| (*id, &version.definition)));
    if ladders.is_empty() {
        return wrong("the workflow has no ladder; choose one with a step `dun`");
    }
    Ok(())
}
