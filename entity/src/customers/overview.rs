//! All around one customer in two statements: what it owes, and the latest of what happened.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait};
use sea_orm::{
    DbErr, EntityTrait, FromQueryResult, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
};

use crate::automation::message;
use crate::collaboration::note;
use crate::finance::{invoice, payment};
use crate::id::{CustomerId, MessageId, NoteId, PaymentId};
use crate::money::Currency;

/// What is open in one currency.
#[derive(Clone, Debug, PartialEq, Eq, FromQueryResult)]
pub struct Open {
    /// The currency.
    pub currency: Currency,
    /// How many invoices.
    pub invoices: i64,
    /// Minor units that are still to be paid of them.
    pub amount: i64,
    /// How many of them are overdue.
    pub overdue_invoices: i64,
    /// Minor units of those.
    pub overdue: i64,
    /// When the first of the open ones has or had to be paid.
    pub first_due_on: NaiveDate,
}

/// The latest records around a customer.
#[derive(Clone, Debug, Default, PartialEq, Eq, FromQueryResult)]
pub struct Latest {
    /// The payment that was recorded last, and holds.
    pub payment: Option<PaymentId>,
    /// The message that was accepted last.
    pub message: Option<MessageId>,
    /// When it was.
    pub contact_at: Option<DateTimeUtc>,
    /// The message that will be sent next.
    pub planned: Option<MessageId>,
    /// The note that was written last.
    pub note: Option<NoteId>,
}

/// What is open, by currency. An invoice is overdue when it was due before `today`.
///
/// # Errors
/// The database.
pub async fn open(
    db: &impl ConnectionTrait,
    customer: CustomerId,
    today: NaiveDate,
) -> Result<Vec<Open>, DbErr> {
    use invoice::{Column, Entity, State};
    let amount = || {
        let settled = Expr::col(Column::Paid).add(Expr::col(Column::Credited));
        Expr::col(Column::Total).sub(settled)
    };
    let overdue = |value: Expr| -> Expr {
        CaseStatement::new().case(Column::DueOn.lt(today), value).finally(0_i64).into()
    };
    let sum = |value: Expr| value.sum().cast_as("bigint");
    Entity::find()
        .select_only()
        .column(Column::Currency)
        .column_as(Column::Id.count(), "invoices")
        .column_as(sum(amount()), "amount")
        .column_as(sum(overdue(Expr::val(1_i64))), "overdue_invoices")
        .column_as(sum(overdue(amount())), "overdue")
        .column_as(Column::DueOn.min(), "first_due_on")
        .filter(Column::CustomerId.eq(customer))
        .filter(Column::State.eq(State::Open))
        .group_by(Column::Currency)
        .order_by_asc(Column::Currency)
        .into_model()
        .all(db)
        .await
}

/// The latest records.
///
/// # Errors
/// The database.
pub async fn latest(db: &impl ConnectionTrait, customer: CustomerId) -> Result<Latest, DbErr> {
    let paid = payment::Entity::find()
        .select_only()
        .column(payment::Column::Id)
        .filter(payment::Column::CustomerId.eq(customer))
        .filter(payment::Column::State.ne(payment::State::Reversed))
        .order_by_desc(payment::Column::CreatedAt)
        .order_by_desc(payment::Column::Id)
        .limit(1);
    let accepted = |column: message::Column| {
        message::Entity::find()
            .select_only()
            .column(column)
            .filter(message::Column::CustomerId.eq(customer))
            .filter(message::Column::State.eq(message::State::Accepted))
            .order_by_desc(message::Column::Id)
            .limit(1)
    };
    let planned = message::Entity::find()
        .select_only()
        .column(message::Column::Id)
        .filter(message::Column::CustomerId.eq(customer))
        .filter(message::Column::SettledAt.is_null())
        .order_by_asc(message::Column::DueAt)
        .order_by_asc(message::Column::Id)
        .limit(1);
    let written = note::Entity::find()
        .select_only()
        .column(note::Column::Id)
        .filter(note::Column::CustomerId.eq(customer))
        .filter(note::Column::DeletedAt.is_null())
        .order_by_desc(note::Column::CreatedAt)
        .order_by_desc(note::Column::Id)
        .limit(1);
    let mut query = sea_orm::sea_query::Query::select();
    query
        .expr_as(Expr::from(paid.into_query()), "payment")
        .expr_as(Expr::from(accepted(message::Column::Id).into_query()), "message")
        .expr_as(Expr::from(accepted(message::Column::SettledAt).into_query()), "contact_at")
        .expr_as(Expr::from(planned.into_query()), "planned")
        .expr_as(Expr::from(written.into_query()), "note");
    match db.query_one(&query).await? {
        Some(row) => Latest::from_query_result(&row, ""),
        None => Ok(Latest::default()),
    }
}
