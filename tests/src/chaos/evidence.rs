//! Gathers the facts: SQL on the database, the mail server's disk, and the clients' journal.
//!
//! Invariant: it reads and never writes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

use entity::id::{Id, PaymentId};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr, Statement};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::facts::{Asked, Delivered, Facts};
use crate::stack::sink::Sink;

/// What is left to do: messages that are not settled, events that are not relayed, and receipts
/// that no message is about yet.
const LEFT: &str = "
    SELECT (SELECT count(*) FROM message
             WHERE state IN ('PLANNED', 'CLAIMED', 'TRANSMITTING', 'DEFERRED')) AS messages,
           (SELECT count(*) FROM event WHERE relayed_at IS NULL) AS events,
           (SELECT count(*) FROM receipt r
             WHERE NOT EXISTS (SELECT 1 FROM message m WHERE m.subject_id = r.id)) AS receipts";

/// Why facts cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// The database does not answer.
    #[error("the database could not be read")]
    Database(#[from] DbErr),
    /// A row is not as the schema says.
    #[error("a row could not be understood")]
    Row(#[from] serde_json::Error),
    /// The mail server's file cannot be read.
    #[error("the delivered mails could not be read")]
    Mails(#[from] io::Error),
}

/// Looks into the database of a run, also while it is struck.
#[derive(Clone, Debug)]
pub struct Observer(DatabaseConnection);

/// What is left to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
pub struct Left {
    /// Messages that are not settled.
    pub messages: u64,
    /// Events that are not relayed.
    pub events: u64,
    /// Receipts that no message is about.
    pub receipts: u64,
}

impl Observer {
    /// Connects to the database at `url`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(url: &str) -> Result<Self, EvidenceError> {
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(4)
            .min_connections(0)
            .acquire_timeout(Duration::from_secs(2))
            .sqlx_logging(false);
        Ok(Self(Database::connect(options).await?))
    }

    /// The Message-IDs of all messages that are being handed over right now.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn in_flight(&self) -> Result<BTreeSet<String>, EvidenceError> {
        let sql = "SELECT message_id FROM message WHERE state = 'TRANSMITTING'";
        let ids: Vec<BTreeMap<String, String>> = self.rows(sql).await?;
        Ok(ids.iter().flat_map(BTreeMap::values).map(|id| local(id)).collect())
    }

    /// What is left to do.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn left(&self) -> Result<Left, EvidenceError> {
        Ok(self.rows(LEFT).await?.pop().unwrap_or_default())
    }

    /// Everything that the judge weighs, except for what only the run knows: doubts and time.
    ///
    /// # Errors
    /// When the database or the mail server's file cannot be read.
    pub async fn facts(&self, requests: Vec<Asked>, sink: &Sink) -> Result<Facts, EvidenceError> {
        let mut facts = Facts {
            requests,
            payments: self.rows("SELECT * FROM payment ORDER BY id").await?,
            receipts: self.rows("SELECT * FROM receipt ORDER BY id").await?,
            invoices: self.rows("SELECT * FROM invoice ORDER BY id").await?,
            allocations: self.rows("SELECT * FROM allocation ORDER BY id").await?,
            entries: self.rows("SELECT * FROM ledger_entry ORDER BY id").await?,
            messages: self
                .rows(
                    "SELECT id, subject_id, copy_of_id, state, recipient, message_id \
                     FROM message ORDER BY id",
                )
                .await?,
            unrelayed_events: self.left().await?.events,
            ..Facts::default()
        };
        for payment in &mut facts.payments {
            payment.id = outward(&payment.id);
        }
        for receipt in &mut facts.receipts {
            receipt.payment_id = outward(&receipt.payment_id);
        }
        for allocation in &mut facts.allocations {
            allocation.payment_id = outward(&allocation.payment_id);
        }
        for message in &mut facts.messages {
            message.message_id = local(&message.message_id);
        }
        for incident in sink.incidents() {
            if incident.mishap.refusal() {
                *facts.refusals.entry(incident.recipient.unwrap_or_default()).or_default() += 1;
            }
        }
        for mail in sink.mails()? {
            let message_id = mail.message_id().as_deref().map(local);
            facts.mails.push(Delivered { message_id, to: mail.envelope.to });
        }
        Ok(facts)
    }

    /// The rows of a query, as whatever their names and values fit.
    async fn rows<T: DeserializeOwned>(&self, sql: &str) -> Result<Vec<T>, EvidenceError> {
        let sql = format!("SELECT coalesce(json_agg(t), '[]') AS rows FROM ({sql}) t");
        let statement = Statement::from_string(self.0.get_database_backend(), sql);
        let rows: serde_json::Value = match self.0.query_one_raw(statement).await? {
            Some(row) => row.try_get("", "rows")?,
            None => serde_json::Value::Array(Vec::new()),
        };
        Ok(serde_json::from_value(rows)?)
    }
}

/// A payment's id as clients know it.
fn outward(id: &str) -> String {
    id.parse::<Uuid>().map_or_else(|_| id.to_owned(), |id| PaymentId(id).global())
}

/// What is unique in a Message-ID: the part before the domain, which rows leave out and mails have.
#[must_use]
pub fn local(message_id: &str) -> String {
    let bare = message_id.trim_start_matches('<').trim_end_matches('>');
    bare.split_once('@').map_or(bare, |(local, _)| local).to_owned()
}

#[cfg(test)]
mod tests;
