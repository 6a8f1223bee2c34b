//! Numbered receipts. Invariant: a payment has at most one receipt and one cancellation of it, and
//! neither is ever changed or deleted.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::counter::{self, Series};
use super::payment;
use crate::access::{Actor, Permission};
use crate::automation::message;
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{Id, PaymentId, ReceiptId, UserId};

mod perform;

pub use perform::SendReceipt;

/// What a receipt says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// We received the money.
    Receipt,
    /// An earlier receipt does not hold any more.
    Cancellation,
}

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "receipt")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ReceiptId,
    /// Its number, gapless in its series and year.
    pub number: String,
    /// What it says.
    pub kind: Kind,
    /// About which payment.
    pub payment_id: PaymentId,
    /// The receipt that it cancels.
    pub cancels_id: Option<ReceiptId>,
    /// Its date, by the organisation's calendar.
    pub issued_on: Date,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A numbered receipt for a payment, or its cancellation. Never changed and never deleted.
    Receipt (receipt, receipts) of Entity, read by Permission::ReadFinance,
        part of Column::PaymentId => payment::Entity;
    /// Its number, gapless in its series and year.
    number: text(Column::Number).filtered().ordered(),
    /// What it says.
    kind: choice::<Kind>("ReceiptKind", Column::Kind).filtered().grouped(),
    /// Its date.
    issued_on: day(Column::IssuedOn).filtered().ordered().grouped(),
    /// The payment it is for.
    payment: one::<payment::Entity>(Column::PaymentId),
    /// The receipt that this cancellation cancels; null for a receipt.
    cancels: one::<Entity>(Column::CancelsId),
    /// The messages it was sent with, the original first: whether the customer got it, when, and if
    /// not why.
    messages: list::<message::Entity, _>(message::Column::SubjectId, message::Column::Id, 3),
    /// When it was issued.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

/// Issues the next receipt for a payment. Draws a number, so call it last in a transaction.
///
/// # Errors
/// The database.
pub(super) async fn issue(
    txn: &impl ConnectionTrait,
    payment: PaymentId,
    cancels: Option<ReceiptId>,
    on: Date,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let (kind, series) = match cancels {
        None => (Kind::Receipt, Series::Receipt),
        Some(_) => (Kind::Cancellation, Series::Cancellation),
    };
    let row = ActiveModel {
        id: Set(ReceiptId::new(now)),
        number: Set(counter::draw(txn, series, on).await?),
        kind: Set(kind),
        payment_id: Set(payment),
        cancels_id: Set(cancels),
        issued_on: Set(on),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    Ok(row.insert(txn).await?)
}

/// The receipt of a payment, if one was issued.
///
/// # Errors
/// The database.
pub async fn of_payment(
    db: &impl ConnectionTrait,
    payment: PaymentId,
) -> Result<Option<Model>, DbErr> {
    let receipts = Entity::find().filter(Column::PaymentId.eq(payment));
    receipts.filter(Column::Kind.eq(Kind::Receipt)).one(db).await
}
