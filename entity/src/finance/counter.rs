//! Numbers of documents: gapless per series and year.
//!
//! Invariant: a number is drawn in the transaction that issues its document. A roll-back gives it back.

use chrono::Datelike;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ActiveValue::Set, DeriveActiveEnum, EnumIter};

use crate::error::Error;

/// A series of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Series {
    /// Invoices.
    Invoice,
    /// Credit notes.
    CreditNote,
    /// Receipts.
    Receipt,
    /// Cancellations of receipts.
    Cancellation,
    /// Charges for paying late.
    LateCharge,
    /// What is given up of invoices, and owed again.
    WriteOff,
    /// Orders.
    Order,
}

impl Series {
    fn prefix(self) -> &'static str {
        match self {
            Self::Invoice => "INV",
            Self::CreditNote => "CRN",
            Self::Receipt => "REC",
            Self::Cancellation => "RCN",
            Self::LateCharge => "LPC",
            Self::WriteOff => "WOF",
            Self::Order => "ORD",
        }
    }

    /// The document's number: `REC-2026-000001`.
    #[must_use]
    pub fn number(self, issued_on: Date, ordinal: i64) -> String {
        format!("{}-{}-{ordinal:06}", self.prefix(), issued_on.year())
    }
}

/// The last number drawn of a series in a year.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "counter")]
pub struct Model {
    /// Which documents.
    #[sea_orm(primary_key, auto_increment = false)]
    pub series: Series,
    /// In which year, by the organisation's calendar.
    #[sea_orm(primary_key, auto_increment = false)]
    pub year: i32,
    /// The last one.
    pub last: i64,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Draws the next number of `series`. Others wait until this transaction ends, so draw it last.
///
/// # Errors
/// The database.
pub async fn draw(txn: &impl ConnectionTrait, series: Series, on: Date) -> Result<String, Error> {
    let numbers = draw_many(txn, series, on, 1).await?;
    Ok(series.number(on, numbers))
}

/// Draws `count` numbers at once and gives the first ordinal.
///
/// # Errors
/// The database.
pub async fn draw_many(
    txn: &impl ConnectionTrait,
    series: Series,
    on: Date,
    count: i64,
) -> Result<i64, Error> {
    let row = ActiveModel { series: Set(series), year: Set(on.year()), last: Set(count) };
    let advance = OnConflict::columns([Column::Series, Column::Year])
        .value(Column::Last, Expr::col((Entity, Column::Last)).add(count))
        .to_owned();
    let counter = Entity::insert(row).on_conflict(advance).exec_with_returning(txn).await?;
    Ok(counter.last - count + 1)
}
