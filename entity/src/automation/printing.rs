//! Printing letters by post: a batch for whoever puts them into envelopes.
//!
//! Invariant: a letter is in one batch, which a job makes; only when that ends without one is the letter free for another.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockBehavior, LockType};
use sea_orm::{Condition, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::lease::Leased;
use super::message::{Column, Entity, Model, State};
use super::{AutomationError, job};
use crate::access::{Permission, Scope, Viewer};
use crate::collaboration::{export, file};
use crate::customers::customer::Channel;
use crate::error::Error;
use crate::id::{JobId, MessageId};

/// How many letters are in a batch at most.
pub const MOST: u64 = 500;

/// How letters are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Request {
    /// Whether on both sides, so that each letter begins on a front.
    pub duplex: bool,
}

/// Where the file store has the letters of a day.
pub const FOLDER: &str = "letters";

/// Where the file store has a letter.
#[must_use]
pub fn storage_key(day: NaiveDate, id: MessageId) -> String {
    format!("{FOLDER}/{day}/{}.pdf", id.0)
}

/// Which letter a place in the file store is of.
#[must_use]
pub fn of_key(key: &str) -> Option<MessageId> {
    let name = key.strip_prefix(FOLDER)?.rsplit('/').next()?;
    name.strip_suffix(".pdf")?.parse().ok().map(MessageId)
}

/// Which of the letters there are.
///
/// # Errors
/// The database.
pub async fn known(
    db: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = MessageId>,
) -> Result<Vec<MessageId>, DbErr> {
    let rows = Entity::find().select_only().column(Column::Id).filter(Column::Id.is_in(ids));
    // Of whom is forgotten nothing is kept, whether or not it was stored.
    let rows = rows.filter(Column::Body.is_not_null());
    rows.into_tuple().all(db).await
}

/// Letters that were accepted and that no batch has. Of whom nobody knows any more where they are is none among them.
fn waiting() -> Condition {
    Condition::all()
        .add(Column::Channel.eq(Channel::Letter))
        .add(Column::State.eq(State::Accepted))
        .add(Column::PrintedAt.is_null())
        .add(Column::Recipient.is_not_null())
}

/// Adds the job that prints the oldest letters that wait, and puts them into its batch.
///
/// # Errors
/// [`AutomationError::NothingToPrint`].
pub async fn request(
    txn: &impl ConnectionTrait,
    request: Request,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<job::Model, Error> {
    // Who asks at the same time finds the others.
    let ids: Vec<MessageId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(waiting())
        .order_by_asc(Column::Id)
        .limit(MOST)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .into_tuple()
        .all(txn)
        .await?;
    if ids.is_empty() {
        return Err(AutomationError::NothingToPrint.into());
    }
    let input = serde_json::to_value(request).unwrap_or_default();
    let job = job::create(txn, job::Kind::PrintLetters, input, viewer, now).await?;
    let total = i64::try_from(ids.len()).unwrap_or_default();
    Entity::update_many()
        .col_expr(Column::PrintJobId, Expr::val(job.id))
        .col_expr(Column::PrintedAt, Expr::val(now))
        .filter(Column::Id.is_in(ids))
        .exec(txn)
        .await?;
    job::count(txn, job.id, total).await
}

/// The letters of a job's batch, the oldest first. Those are left out of whom nobody knows any more where they are.
///
/// # Errors
/// The database.
pub async fn batch(db: &impl ConnectionTrait, job: JobId) -> Result<Vec<Model>, DbErr> {
    let letters = Entity::find()
        .filter(Column::PrintJobId.eq(job))
        .filter(Column::Recipient.is_not_null())
        .order_by_asc(Column::Id);
    letters.all(db).await
}

/// Whether a job's batch still has as many letters, none of which is forgotten until the transaction ends.
///
/// # Errors
/// The database.
pub async fn is_whole(
    txn: &impl ConnectionTrait,
    job: JobId,
    letters: usize,
) -> Result<bool, DbErr> {
    let held: Vec<MessageId> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::PrintJobId.eq(job))
        .filter(Column::Recipient.is_not_null())
        .order_by_asc(Column::Id)
        .lock_exclusive()
        .into_tuple()
        .all(txn)
        .await?;
    Ok(held.len() == letters)
}

/// Ends a leased job that makes no batch, and lets its letters wait again.
///
/// # Errors
/// The database.
pub async fn fail(
    txn: &impl ConnectionTrait,
    leased: Leased<JobId>,
    report: Json,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let Leased { id, fence } = leased;
    job::finish(txn, id, fence, job::State::Failed, report, now).await?;
    let failed = job::Entity::find_by_id(id).filter(job::Column::State.eq(job::State::Failed));
    if failed.one(txn).await?.is_some() { release(txn, id).await } else { Ok(()) }
}

/// Lets the letters of a job that made no batch wait again.
///
/// # Errors
/// The database.
pub(crate) async fn release(txn: &impl ConnectionTrait, job: JobId) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::PrintJobId, Expr::val(None::<Uuid>))
        .col_expr(Column::PrintedAt, Expr::val(None::<DateTimeUtc>))
        .filter(Column::PrintJobId.eq(job))
        .exec(txn)
        .await?;
    Ok(())
}

/// The batch that a job has left, while it can be fetched and `viewer` may see all messages.
///
/// # Errors
/// The database.
pub(crate) async fn result(
    db: &impl ConnectionTrait,
    job: &job::Model,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Option<file::Model>, DbErr> {
    let until = job.result_expires_at.filter(|until| *until > now);
    match (job.result_file_id, until) {
        (Some(_), Some(_)) if viewer.scope(Permission::ReadFinance) == Scope::All => {
            file::Entity::find_by_id(export::file_of(job.id)).one(db).await
        }
        _ => Ok(None),
    }
}
