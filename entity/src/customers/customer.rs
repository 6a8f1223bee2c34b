//! A customer: an organisation or a person, from the first contact on.
//!
//! Invariant: `search_text` is the folded form of everything a person would look it up by, and the keys
//! are what duplicates are found by; both follow from the other columns. A customer that was merged into
//! another one is deleted and points to one that is not merged itself.

use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{DeriveActiveEnum, EnumIter, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::{address, contact, timeline};
use crate::access::{Permission, share, user};
use crate::automation::{message, workflow};
use crate::catalog::{BatchArgument, Scalar, catalog};
use crate::collaboration::{appointment, call, document, note, task};
use crate::edit::{edited, unchanged};
use crate::error::Error;
use crate::finance::dunning::notice;
use crate::finance::statement::delivery;
use crate::finance::{dispute, invoice, ledger, payment, promise, statement};
use crate::id::{CustomerId, JobId, UserId, WorkflowId};
use crate::marketing::segment::member;
use crate::money::Currency;
use crate::search::searched;

mod anonymise;
mod assign;
pub mod bulk;
mod change;
mod create;
pub mod duplicate;
mod key;
pub mod merge;
mod owner;
mod perform;
mod removal;
mod upsert;

pub use anonymise::anonymise;
pub(crate) use assign::assign;
pub use assign::{Among, Assign, ToAssign};
pub use change::{Change, update};
pub use create::{NewCustomer, create};
pub use key::{index_missing, phone_key, tax_key};
pub use owner::{owners, zones};
pub(crate) use perform::carry_out;
pub use perform::{ToUpdate, UpdateCustomer};
pub use removal::{delete, purge, restore};
pub use upsert::{Duplicates, Fate, MatchOn, Terms, Upserted, upsert};

/// What kind of party a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// A company, an authority, an association.
    Organisation,
    /// A natural person.
    Person,
}

/// How far the relation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum LifecycleStage {
    /// Has bought nothing yet.
    Prospect,
    /// Has bought.
    Customer,
    /// Buys again and again.
    Regular,
    /// Has not bought for long.
    Lapsed,
}

/// A way to reach a customer.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
    /// Telephone call.
    Phone,
    /// Letter by post.
    Letter,
    /// Fax.
    Fax,
    /// The web site.
    Web,
    /// A shop or branch.
    Store,
    /// A visit at the customer's.
    FieldVisit,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "customer")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomerId,
    /// The number that people and other systems know it by.
    pub number: Option<String>,
    /// What kind of party it is.
    pub kind: Kind,
    /// How far the relation has come.
    pub stage: LifecycleStage,
    /// What it is called.
    pub display_name: String,
    /// Folded name, number and address, for searching.
    pub search_text: String,
    /// The folded name, for finding duplicates; `None` until the row was indexed.
    pub name_key: Option<String>,
    /// The e-mail address in lower case.
    pub email_key: Option<String>,
    /// The last digits of the telephone number.
    pub phone_key: Option<String>,
    /// The tax number without punctuation.
    pub tax_key: Option<String>,
    /// Who looks after it.
    pub owner_id: Option<UserId>,
    /// How it likes to be reached.
    pub preferred_channel: Option<Channel>,
    /// Where mail reaches it.
    pub email: Option<String>,
    /// Where calls reach it.
    pub phone: Option<String>,
    /// Its tax number, as documents show it.
    pub tax_number: Option<String>,
    /// The language it is written to in.
    pub language: String,
    /// The IANA zone it lives in.
    pub time_zone: String,
    /// The currency it is usually invoiced in.
    pub currency: Currency,
    /// Values of custom fields, by their keys.
    pub custom: Json,
    /// Whether it is asked for nothing that it owes.
    pub dunning_excluded: bool,
    /// The last day on which it is asked for nothing that it owes.
    pub dunning_paused_until: Option<Date>,
    /// The workflow whose ladder alone asks it.
    pub dunning_ladder_id: Option<WorkflowId>,
    /// The way in which it gets its statements.
    pub statement_channel: delivery::Way,
    /// Who else gets a copy of the mail; absent when nobody does.
    pub statement_cc: Option<Json>,
    /// The import it came by.
    pub import_job_id: Option<JobId>,
    /// Since when it is deleted; it can be restored.
    pub deleted_at: Option<DateTimeUtc>,
    /// The customer that it became part of.
    pub merged_into_id: Option<CustomerId>,
    /// When all that said who it is was removed.
    pub anonymised_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

const IN_CURRENCY: BatchArgument = BatchArgument {
    name: "currency",
    about: "An ISO 4217 code; the customer's own currency when absent.",
    scalar: Scalar::Currency,
};

const AS_OF: BatchArgument = BatchArgument {
    name: "asOf",
    about: "The day at whose end the balance is taken; now when absent.",
    scalar: Scalar::Day,
};

catalog! {
    /// A customer: an organisation or a person, from the first contact on.
    Customer (customer, customers) of Entity, read by Permission::ReadCustomers,
        owned by Column::OwnerId, deleted by Column::DeletedAt, merged by Column::MergedIntoId,
        versioned by Column::Version, with history;
    /// Words that occur in name, number, e-mail address or telephone number, without regard to case
    /// and diacritics: `nguyen` finds `Nguyễn`. Every word has to occur.
    search: search(),
    /// The number that people and other systems know it by; null when it has none.
    number: text(Column::Number).filtered().ordered().unique(),
    /// What kind of party it is.
    kind: choice::<Kind>("CustomerKind", Column::Kind).filtered().grouped(),
    /// How far the relation has come.
    stage: choice::<LifecycleStage>("LifecycleStage", Column::Stage).filtered().grouped(),
    /// What it is called.
    display_name: text(Column::DisplayName).filtered().ordered(),
    /// The id of who looks after it.
    owner_id: uuid::<UserId>(Column::OwnerId).hidden(),
    /// Who looks after it; null when nobody does.
    owner: one::<user::Entity>(Column::OwnerId).grouped(),
    /// How it likes to be reached; null when it has not said.
    preferred_channel: choice::<Channel>("Channel", Column::PreferredChannel).filtered().grouped(),
    /// Where mail reaches it; null when it is not known. Receipts go to its billing contacts first.
    email: text(Column::Email).filtered(),
    /// Where calls reach it; null when it is not known.
    phone: text(Column::Phone).filtered(),
    /// Its tax number, as documents show it; null when it is not known.
    tax_number: text(Column::TaxNumber).filtered(),
    /// The language it is written to in, as a tag such as `vi` or `en-GB`.
    language: text(Column::Language).filtered().grouped(),
    /// The IANA time zone it lives in, such as `Asia/Ho_Chi_Minh`.
    time_zone: text(Column::TimeZone).filtered(),
    /// The currency it is usually invoiced in.
    currency: currency(Column::Currency).filtered().grouped(),
    /// The values of all custom fields that you may see, in the fields' order.
    custom_fields: custom_values(Column::Custom),
    /// What it owes in `currency` (its own when absent) at the end of `asOf` (now when absent):
    /// open invoices less money received that settles none yet. Negative: we owe it.
    balance: batch(false, vec![IN_CURRENCY, AS_OF], ledger::balance_field)
        .guarded(Permission::ReadFinance),
    /// What it owes at the end of `asOf` (now when absent), one amount per currency it was ever
    /// invoiced in or paid in.
    balances: batch(true, vec![AS_OF], ledger::balances_field).guarded(Permission::ReadFinance),
    /// Whether it is asked for nothing that it owes, by no ladder.
    dunning_excluded: truth(Column::DunningExcluded).filtered().grouped()
        .guarded(Permission::ReadFinance),
    /// The last day on which it is asked for nothing that it owes; null when nobody said so.
    dunning_paused_until: day(Column::DunningPausedUntil).filtered()
        .guarded(Permission::ReadFinance),
    /// The workflow whose ladder alone asks it for what it owes; null when it has none of its own.
    dunning_ladder: one::<workflow::Entity>(Column::DunningLadderId).grouped()
        .guarded(Permission::ReadFinance),
    /// The way in which it gets its statements of account.
    statement_channel: choice::<delivery::Way>("StatementChannel", Column::StatementChannel).filtered().grouped()
        .guarded(Permission::ReadFinance),
    /// The addresses that get a copy of the mail of its statements.
    statement_cc: batch_json("[String!]!", delivery::cc_field).guarded(Permission::ReadFinance),
    /// What it has promised to pay.
    promises: many::<promise::Entity>(promise::Column::CustomerId),
    /// What it has disputed.
    disputes: many::<dispute::Entity>(dispute::Column::CustomerId),
    /// The notices that asked it to pay.
    dunning_notices: many::<notice::Entity>(notice::Column::CustomerId),
    /// The people to talk to there.
    contacts: list::<contact::Entity, _>(contact::Column::CustomerId, contact::Column::Id, 5)
        .filtered(),
    /// Where it is.
    addresses: list::<address::Entity, _>(address::Column::CustomerId, address::Column::Id, 5)
        .filtered(),
    /// What it was invoiced.
    invoices: many::<invoice::Entity>(invoice::Column::CustomerId),
    /// What it paid.
    payments: many::<payment::Entity>(payment::Column::CustomerId),
    /// The statements of account that were made of it.
    statements: many::<statement::Entity>(statement::Column::CustomerId),
    /// What is kept with it: contracts, letters, pictures.
    documents: many::<document::Entity>(document::Column::CustomerId),
    /// Everything ever meant for it.
    messages: many::<message::Entity>(message::Column::CustomerId),
    /// What there was with it, newest first: invoices, payments, credit notes, messages, notes, tasks,
    /// calls, appointments, and changes of its stage or owner. What your role does not let you see is left out.
    timeline: timeline("Timeline", timeline::branches()),
    /// What people wrote down about it.
    notes: many::<note::Entity>(note::Column::CustomerId),
    /// What there is to do for it.
    tasks: many::<task::Entity>(task::Column::CustomerId),
    /// The calls to it, and from it.
    calls: many::<call::Entity>(call::Column::CustomerId),
    /// When people meet because of it.
    appointments: many::<appointment::Entity>(appointment::Column::CustomerId),
    /// The segments that it belongs to.
    segments: list::<member::Entity, _>(member::Column::CustomerId, member::Column::SinceAt, 3)
        .filtered(),
    /// With whom it is shared.
    shares: list::<share::Entity, _>(share::Column::RecordId, share::Column::Id, 3),
    /// Whether you may change it, and who belongs to it.
    viewer_can_update: reach(Permission::WriteCustomers),
    /// Whether you may delete it.
    viewer_can_delete: reach(Permission::WriteCustomers),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out unless their filter
    /// compares this.
    deleted_at: instant(Column::DeletedAt).filtered().ordered(),
    /// The customer that it became part of; null for all that are found in lists of what is not deleted.
    merged_into: one::<Entity>(Column::MergedIntoId),
    /// When all that said who it is was removed for good; null while it was not. Such a customer is deleted, and
    /// nothing takes that back.
    anonymised_at: instant(Column::AnonymisedAt).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

edited!();

/// The customer, unless it is deleted.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn get(db: &impl ConnectionTrait, id: CustomerId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).filter(Column::DeletedAt.is_null()).one(db).await?;
    row.ok_or_else(Error::no_such::<Entity>)
}

/// The customer, unless it is deleted, and held until the transaction ends: it is neither deleted nor
/// merged away while something that refers to it is being written.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn hold(txn: &impl ConnectionTrait, id: CustomerId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).filter(Column::DeletedAt.is_null()).lock(LockType::KeyShare);
    row.one(txn).await?.ok_or_else(Error::no_such::<Entity>)
}

/// The customers with the `ids`, deleted or not, locked in the order of their ids.
async fn lock_all(
    txn: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = CustomerId>,
) -> Result<Vec<Model>, Error> {
    let rows = Entity::find().filter(Column::Id.is_in(ids)).order_by_asc(Column::Id);
    Ok(rows.lock_exclusive().all(txn).await?)
}

/// The customer, deleted or not, locked, if it still has `expected_version` (where one is given).
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`].
pub(crate) async fn lock(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    expected_version: Option<i32>,
) -> Result<Model, Error> {
    let row = lock_all(txn, [id]).await?.pop().ok_or_else(Error::no_such::<Entity>)?;
    unchanged(&row, expected_version)?;
    Ok(row)
}

/// The same unless it is deleted, which is as if it were not there.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`].
pub(crate) async fn lock_present(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    expected_version: Option<i32>,
) -> Result<Model, Error> {
    let row = lock(txn, id, expected_version).await?;
    match row.deleted_at {
        None => Ok(row),
        Some(_) => Err(Error::no_such::<Entity>()),
    }
}

impl Model {
    /// The zone it lives in.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// What the customer is found by.
    #[must_use]
    pub fn searched(&self) -> String {
        let (number, email) = (self.number.as_ref(), self.email.as_ref());
        searched([Some(&self.display_name), number, email, self.phone.as_ref()])
    }
}
