//! Whether customers are asked for what they owe.

use chrono::Days;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use crate::access::{Actor, organisation};
use crate::automation::event;
use crate::customers::customer;
use crate::edit::{lock, save};
use crate::error::Error;
use crate::finance::invoice::{self, follow};
use crate::id::{CustomerId, InvoiceId};

/// For how many days nothing is asked for at most.
const LONGEST_DAYS: u64 = 366;

/// What changes; `None` keeps it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change {
    /// Whether the customer is asked for nothing.
    pub excluded: Option<bool>,
    /// The last day on which it is asked for nothing.
    pub paused_until: Option<Option<Date>>,
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
    let mut row = lock::<customer::Entity>(txn, id, expected_version).await?;
    if row.deleted_at.is_some() {
        return Err(Error::no_such::<customer::Entity>());
    }
    if let Some(Some(until)) = change.paused_until {
        let today = organisation::get(txn).await?.today(now);
        let farthest = today.checked_add_days(Days::new(LONGEST_DAYS)).unwrap_or(today);
        if !(today..=farthest).contains(&until) {
            let message = format!("from today to {LONGEST_DAYS} days ahead; exclude it for longer");
            return Err(Error::invalid("pausedUntil", message));
        }
    }
    let before = (row.dunning_excluded, row.dunning_paused_until);
    row.dunning_excluded = change.excluded.unwrap_or(row.dunning_excluded);
    row.dunning_paused_until = change.paused_until.unwrap_or(row.dunning_paused_until);
    if before == (row.dunning_excluded, row.dunning_paused_until) {
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
