//! The audit log: one entry for each change of each record, with who made it and what was before.
//!
//! ```text
//! origin   who writes, told to the database      (a trigger on each table writes the entries)
//! seal     closes the chain of hashes            verify   walks it and names what does not fit
//! erase    what was changed of a record that is gone          changes  what was changed, as it is shown
//! ```
//!
//! The entries are written by the database itself, in the transaction of the change and one statement
//! for however many rows, so that no code can change a record past the log; `migration` says how.
//!
//! Invariant: an entry is written once and sealed once. Its hash covers the entry and the hash before it, but
//! of what was changed only a salted digest, so that this can be erased when the law asks for that, once and
//! with an entry that says who did so.

mod changes;
mod erase;
mod origin;
mod seal;
mod verify;

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::{Permission, user};
use crate::automation::job;
use crate::catalog::catalog;
use crate::id::{AuditEntryId, JobId, UserId};

pub(crate) use erase::erase;
pub use origin::Origin;
pub(crate) use origin::{declare, forget};
pub use seal::seal;
pub use verify::{Finding, Head, Verified, verify};

/// What was done to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Action {
    /// It was added.
    Created,
    /// It was changed.
    Updated,
    /// It was removed for good.
    Deleted,
    /// What its entries say was changed is erased; they stay.
    Erased,
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_entry")]
pub struct Model {
    /// Which; they sort as they were written.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AuditEntryId,
    /// When.
    pub at: DateTimeUtc,
    /// Who did it; nobody for Rapport itself.
    pub user_id: Option<UserId>,
    /// In which job.
    pub job_id: Option<JobId>,
    /// In which request.
    pub request_id: Option<String>,
    /// The record's table.
    pub record_table: String,
    /// The record.
    pub record_id: Uuid,
    /// What was done to it.
    pub action: Action,
    /// What the columns held that were changed.
    pub before: Option<Json>,
    /// What they hold since.
    pub after: Option<Json>,
    /// Where it stands in the chain, once it is sealed.
    pub position: Option<i64>,
    /// The hash of it and all before it, in hexadecimal.
    pub hash: Option<String>,
    /// When it was sealed.
    pub sealed_at: Option<DateTimeUtc>,
    /// What the digest was made with, in hexadecimal; gone with what was changed.
    pub salt: Option<String>,
    /// The hash of salt, `before` and `after`, in hexadecimal; none when they were erased before it was sealed.
    pub digest: Option<String>,
    /// When `before` and `after` were erased.
    pub erased_at: Option<DateTimeUtc>,
}

catalog! {
    /// A change of a record: who did what to it, and what was there before. It is never changed, and a
    /// chain of hashes shows if somebody did. When a record is purged, what its changes were is erased; that
    /// they were, when and by whom stays.
    AuditEntry (auditEntry, auditEntries) of Entity, read by Permission::ReadAudit;
    /// Its id; ids sort as the entries were written.
    id: id::<AuditEntryId>().filtered(),
    /// When.
    at: instant(Column::At).filtered().ordered(),
    /// What was done to the record.
    action: choice::<Action>("AuditAction", Column::Action).filtered(),
    /// The id of who did it.
    user_id: uuid::<UserId>(Column::UserId).hidden(),
    /// Who did it; null when Rapport did it by itself.
    user: one::<user::Entity>(Column::UserId),
    /// The job in which it was done; null outside of jobs.
    job: one::<job::Entity>(Column::JobId),
    /// The request in which it was done, as its answer's `X-Request-Id` named it; null outside of requests.
    request_id: text(Column::RequestId).filtered(),
    /// The kind of record, such as `customer` or `credit_note`.
    record_kind: text(Column::RecordTable).filtered(),
    /// The record's id; null for a kind that cannot be read by id.
    record_id: batch_json("ID", changes::record_id),
    /// What was changed: a list of `{ "field", "before", "after" }`; empty once it is erased. Amounts are in
    /// minor units. A custom field is `customFields.` with its key. Passwords and other secrets, and values of
    /// custom fields that you may not see, are shown as `(hidden)`.
    changes: batch_json("JSON!", changes::changes),
    /// Where it stands in the chain of all changes; null for some seconds, before it is sealed.
    position: long(Column::Position).ordered(),
    /// SHA-256 of it and all before it, in hexadecimal; null before it is sealed.
    hash: text(Column::Hash),
    /// When what was changed was erased, by whom its record's last entry says; null while it is kept.
    erased_at: instant(Column::ErasedAt),
}
