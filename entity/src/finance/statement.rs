//! Statements of account: what a customer owes in one currency at the end of a day, and how it came to that.
//!
//! Invariant: a statement never changes; what was wrong with one is right in another revision. One that carries the
//! balance forward opens with what the one before it closed with, and what was posted since then for the days of that one
//! is its adjustment: opening, adjustment and movements are the ledger's balance at the end of its last day.

mod archive;
mod bulk;
mod content;
pub mod delivery;
mod draw;
mod issue;
mod perform;
mod period;
mod slice;

use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use crate::access::Permission;
use crate::automation::message;
use crate::catalog::catalog;
use crate::customers::customer;
use crate::id::{CustomerId, StatementId, UserId, WorkflowRunId};
use crate::money::Currency;

pub(crate) use archive::files;
pub use archive::{archive, archive_next, file, file_of, opened};
pub use bulk::{Bulk, request, step};
pub use content::{Content, Item, Movement, What};
pub(crate) use issue::carry_out;
pub use issue::{NewStatement, issue, open_items};
pub use perform::{Rules, SendStatement, Sending};
pub use period::Period;

/// What a statement lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// What is still to be paid.
    OpenItem,
    /// What has moved the balance since the statement before.
    BalanceForward,
}

/// A statement of account.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel, Serialize, Deserialize)]
#[sea_orm(table_name = "statement")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StatementId,
    /// What makes it unique: for whom, in what, of which kind, until when, which revision.
    pub effect_key: String,
    /// For whom.
    pub customer_id: CustomerId,
    /// In what.
    pub currency: Currency,
    /// What it lists.
    pub kind: Kind,
    /// Its first day; none for what is still to be paid, however old.
    pub from_on: Option<Date>,
    /// Its last day, at whose end it was cut off.
    pub until_on: Date,
    /// Which one for that day, counted from one.
    pub revision: i32,
    /// The one before it, whose closing balance it carries forward.
    pub previous_id: Option<StatementId>,
    /// Minor units that were owed before its first day.
    pub opening: Option<i64>,
    /// Minor units that were posted since then for days before the first; of open items, what is left out since it was
    /// voided after the last day.
    pub adjustment: i64,
    /// Minor units that were owed at the end of its last day.
    pub closing: i64,
    /// What of that was overdue then.
    pub overdue: i64,
    /// What it lists.
    pub content: Json,
    /// Whether the customer is to get it.
    pub wanted: bool,
    /// The run of a workflow that made it.
    pub run_id: Option<WorkflowRunId>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A statement of account: what a customer owes in one currency at the end of a day, and how it came to that. Never
    /// changed and never deleted. `downloadLink` takes its id and leads to the PDF.
    Statement (statement, statements) of Entity, read by Permission::ReadFinance,
        part of Column::CustomerId => customer::Entity;
    /// The id of whom it is for.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// Whom it is for; null when you may not see them.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// Its currency.
    currency: currency(Column::Currency).filtered().grouped(),
    /// What it lists.
    kind: choice::<Kind>("StatementKind", Column::Kind).filtered().grouped(),
    /// Its first day, by the organisation's calendar; null for one of open items.
    from_on: day(Column::FromOn).filtered(),
    /// Its last day, by the organisation's calendar: it is cut off at the end of it.
    until_on: day(Column::UntilOn).filtered().ordered().grouped(),
    /// Which one for the day, counted from one: a later one corrects those before it.
    revision: whole(Column::Revision).filtered(),
    /// The one before it, whose closing balance is its opening one; null for the first one, one that begins on a day that
    /// somebody chose, and one of open items.
    previous: one::<Entity>(Column::PreviousId),
    /// What was owed before its first day; null for one of open items.
    opening: money(Column::Opening),
    /// What was posted for days before the first since the one before it was made. Of open items: what is left out since it
    /// was voided after the last day, as a negative amount.
    adjustment: money(Column::Adjustment),
    /// What was owed at the end of its last day; negative when it was owed to the customer.
    closing: money(Column::Closing).filtered().summed(),
    /// What of that was overdue on its last day.
    overdue: money(Column::Overdue).filtered().summed(),
    /// The SHA-256 of its PDF; null until that is written, moments after the statement is made.
    sha256: batch_json("String", archive::sha256_field),
    /// The messages it was sent with: whether the customer got it, when, and if not why.
    messages: list::<message::Entity, _>(message::Column::SubjectId, message::Column::Id, 2),
    /// When it was made.
    created_at: instant(Column::CreatedAt).filtered(),
}

impl Model {
    /// What it lists.
    #[must_use]
    pub fn content(&self) -> Content {
        Content::deserialize(&self.content).unwrap_or_default()
    }
}
