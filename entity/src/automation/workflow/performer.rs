//! What steps do. Each slice adds its own; the engine knows them by their names.
//!
//! Invariant: planning reads, and gives what is to be written; writing it is the engine's business alone. So a
//! simulation plans with the same code, and writes nothing.

use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::prelude::*;
use serde_json::Value as Json;

use super::interpreter::Done;
use super::run;
use crate::automation::message::{self, Outgoing, PlannedReceipt};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::notification::{self, Told};
use crate::error::Error;
use crate::finance::receipt;

/// What is written for a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A user is told something.
    Tell(Told),
    /// A customer is sent something.
    Send(Outgoing),
    /// A customer is sent a receipt.
    Receipt(PlannedReceipt),
}

/// What came of a step for a run, and what is written for it.
#[derive(Clone, Debug)]
pub struct Planned {
    /// What came of it.
    pub done: Done,
    /// What is written.
    pub effects: Vec<Effect>,
}

impl Planned {
    /// That it cannot be done; why.
    #[must_use]
    pub fn failed(why: &str) -> Self {
        Self { done: Done::Failed(why.to_owned()), effects: Vec::new() }
    }

    /// That there was nothing to do; why.
    #[must_use]
    pub fn skipped(why: &'static str) -> Self {
        Self { done: Done::Skipped(why), effects: Vec::new() }
    }
}

/// For whom a step is done.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    /// The run.
    pub run: &'a run::Model,
    /// The step's key.
    pub step: &'a str,
    /// When.
    pub now: DateTimeUtc,
}

impl Turn<'_> {
    /// What makes its effects unique: the same step may be done again later in the same run.
    #[must_use]
    pub fn key(&self) -> Uuid {
        let name = format!("{} {}", self.step, self.now.timestamp_micros());
        Uuid::new_v5(&self.run.id.0, name.as_bytes())
    }
}

/// Something that steps do.
pub trait Performer: Sync {
    /// Its name in definitions.
    fn name(&self) -> &'static str;

    /// Notes what is wrong with it for a kind of record.
    fn check(&self, record: &Record, with: &Json, check: &mut Check);

    /// What is to be written for each of the runs, which are all of one version and in one step, in their order.
    ///
    /// # Errors
    /// The database. What cannot be done for one run is no error: it is [`Done::Failed`].
    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Json,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>>;
}

/// All that steps do.
#[must_use]
pub fn performers() -> [&'static dyn Performer; 3] {
    [&notification::Notify, &message::SendMail, &receipt::SendReceipt]
}

/// Writes what was planned: one statement for each kind of effect.
///
/// # Errors
/// The database.
pub async fn carry_out(
    txn: &impl ConnectionTrait,
    effects: Vec<Effect>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let (mut told, mut outgoing, mut receipts) = (Vec::new(), Vec::new(), Vec::new());
    for effect in effects {
        match effect {
            Effect::Tell(one) => told.push(one),
            Effect::Send(one) => outgoing.push(one),
            Effect::Receipt(one) => receipts.push(one),
        }
    }
    message::plan_receipts(txn, &receipts, now).await?;
    message::plan_outgoing(txn, outgoing, now).await?;
    notification::told(txn, told, now).await
}
