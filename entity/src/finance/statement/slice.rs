//! The slices of the ledger that statements are drawn from.
//!
//! Invariant: what is open and what has moved come from one statement of the database, so that they are of one moment.

use std::collections::HashMap;

use sea_orm::Condition;
use sea_orm::QueryResult;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, CaseStatement, Expr, ExprTrait, JoinType, Order, Query, SelectStatement, UnionType,
};

use super::content::{Item, Movement, What};
use crate::finance::ledger::{Account, Column, Entity};
use crate::finance::receivables::entry;
use crate::finance::{credit_note, invoice, receipt};
use crate::id::CustomerId;
use crate::money::Currency;

/// What the slices are called in the statement.
const SLICE: &str = "slice";

/// The invoice that a credit note takes back.
const CREDITED: &str = "credited";

/// The invoice that a charge is for.
const CHARGED: &str = "charged";

/// The document that cancels a receipt.
const CANCELLATION: &str = "cancellation";

/// For whom, and in what.
pub(super) type Key = (CustomerId, Currency);

/// What the ledger says of one customer in one currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slice {
    /// Of what something is owed at the end of the last day, and whether it is void by now.
    pub items: Vec<(Item, bool)>,
    /// What was received and settles no invoice: zero or negative.
    pub unapplied: i64,
    /// What has moved the balance, at least since the first day.
    pub movements: Vec<Movement>,
}

/// The slices of `customers` until the end of `until`, with movements since `from`, or since another day for those in
/// `earlier`.
pub(super) async fn slices(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    (from, until): (Date, Date),
    earlier: &[(Key, Date)],
) -> Result<HashMap<Key, Slice>, DbErr> {
    let mut moved = Condition::any().add(entry(Column::BookedOn).gte(from));
    for ((customer, currency), from) in earlier {
        let since = Condition::all()
            .add(entry(Column::CustomerId).eq(*customer))
            .add(entry(Column::Currency).eq(*currency))
            .add(entry(Column::BookedOn).gte(*from));
        moved = moved.add(since);
    }
    let rows = db.query_all(&statement(customers, until, moved)).await?;
    let mut found = HashMap::<Key, Slice>::new();
    for row in rows {
        let key = (row.try_get("", "customer_id")?, row.try_get("", "currency")?);
        found.entry(key).or_default().add(&row)?;
    }
    Ok(found)
}

impl Slice {
    /// What is owed at the end of the last day.
    pub fn balance(&self) -> i64 {
        self.items.iter().map(|(item, _)| item.open).sum::<i64>() + self.unapplied
    }

    fn add(&mut self, row: &QueryResult) -> Result<(), DbErr> {
        let amount: i64 = row.try_get("", "amount")?;
        let text = |name: &str| row.try_get::<Option<String>>("", name);
        let number = text("invoice_number")?;
        let disputed: Option<bool> = row.try_get("", "disputed")?;
        if row.try_get::<i32>("", "part")? == 0 {
            let Some(due_on) = row.try_get("", "due_on")? else {
                self.unapplied += amount;
                return Ok(());
            };
            let item = Item {
                number,
                issued_on: row.try_get("", "issued_on")?,
                due_on,
                total: row.try_get("", "total")?,
                open: amount,
                disputed: disputed.unwrap_or_default(),
                promised: row.try_get("", "promised_until")?,
            };
            let state: invoice::State = row.try_get("", "state")?;
            self.items.push((item, state == invoice::State::Void));
            return Ok(());
        }
        let is_payment = row.try_get::<Option<Uuid>>("", "payment_id")?.is_some();
        let note_kind: Option<credit_note::Kind> = row.try_get("", "note_kind")?;
        let kind: Option<invoice::Kind> = row.try_get("", "kind")?;
        let (what, number) = match note_kind {
            Some(credit_note::Kind::Credit) => (What::CreditNote, text("note_number")?),
            Some(credit_note::Kind::WriteOff) => (What::WriteOff, text("note_number")?),
            Some(credit_note::Kind::Reinstatement) => (What::Reinstatement, text("note_number")?),
            None if is_payment && amount < 0 => (What::Payment, text("receipt_number")?),
            None if is_payment => (What::Reversal, text("cancellation_number")?),
            None => match kind {
                Some(invoice::Kind::LateFee) => (What::LateFee, number),
                Some(invoice::Kind::Interest) => (What::Interest, number),
                _ => (What::Invoice, number),
            },
        };
        let on = row.try_get("", "booked_on")?;
        let about = text("credited_number")?.or(text("charged_number")?);
        let disputed = disputed.unwrap_or_default();
        self.movements.push(Movement { on, what, number, about, disputed, amount });
        Ok(())
    }
}

/// What is open, and what has moved, with the documents behind both.
fn statement(customers: &[CustomerId], until: Date, moved: Condition) -> SelectStatement {
    let base = |part: &'static str| {
        let mut query = Query::select();
        query
            .expr_as(Expr::cust(part), "part")
            .expr_as(entry(Column::CustomerId), "customer_id")
            .expr_as(entry(Column::Currency), "currency")
            .from(Entity)
            .and_where(
                entry(Column::Account).is_in(
                    [Account::Receivable, Account::Unapplied]
                        .map(|account| Expr::val(account.to_value())),
                ),
            )
            .and_where(entry(Column::CustomerId).is_in(customers.iter().copied()))
            .and_where(entry(Column::BookedOn).lte(until))
            .add_group_by([entry(Column::CustomerId), entry(Column::Currency)])
            .and_having(amount().ne(0_i64));
        query
    };
    let nothing = || Expr::cust("CAST(NULL AS uuid)");
    let mut slices = base("0");
    slices
        .expr_as(entry(Column::InvoiceId), "invoice_id")
        .expr_as(nothing(), "payment_id")
        .expr_as(nothing(), "credit_note_id")
        .expr_as(entry(Column::BookedOn).min(), "booked_on")
        .expr_as(entry(Column::CreatedAt).min(), "at")
        .expr_as(amount(), "amount")
        .add_group_by([entry(Column::InvoiceId)]);
    // Payments and credit notes are about invoices, too, and move the balance once, whatever they settle.
    let by_itself = entry(Column::PaymentId).is_null().and(entry(Column::CreditNoteId).is_null());
    let invoiced = CaseStatement::new().case(by_itself, entry(Column::InvoiceId));
    let invoiced = || Expr::Case(Box::new(invoiced.clone()));
    let mut movements = base("1");
    movements
        .expr_as(invoiced(), "invoice_id")
        .expr_as(entry(Column::PaymentId), "payment_id")
        .expr_as(entry(Column::CreditNoteId), "credit_note_id")
        .expr_as(entry(Column::BookedOn), "booked_on")
        .expr_as(entry(Column::CreatedAt).min(), "at")
        .expr_as(amount(), "amount")
        .cond_where(moved)
        .add_group_by([
            entry(Column::TransactionId),
            entry(Column::BookedOn),
            entry(Column::PaymentId),
            entry(Column::CreditNoteId),
            invoiced(),
        ]);
    slices.union(UnionType::All, movements);
    documented(slices)
}

/// The rows of `slices` with the documents that they are about, in the order of a statement.
fn documented(slices: SelectStatement) -> SelectStatement {
    let of = |name: &'static str| Expr::col((SLICE, name));
    let receives = Expr::col((receipt::Entity, receipt::Column::Kind))
        .eq("RECEIPT")
        .and(of("payment_id").equals((receipt::Entity, receipt::Column::PaymentId)));
    let cancels = Expr::col((CANCELLATION, receipt::Column::Kind))
        .eq("CANCELLATION")
        .and(of("payment_id").equals((CANCELLATION, receipt::Column::PaymentId)));
    let note = (credit_note::Entity, credit_note::Column::InvoiceId);
    let mut query = Query::select();
    for name in ["part", "customer_id", "currency", "payment_id", "booked_on", "amount"] {
        query.column((SLICE, name));
    }
    for column in [
        invoice::Column::IssuedOn,
        invoice::Column::DueOn,
        invoice::Column::Total,
        invoice::Column::Disputed,
        invoice::Column::State,
        invoice::Column::Kind,
        invoice::Column::PromisedUntil,
    ] {
        query.column((invoice::Entity, column));
    }
    query
        .expr_as(Expr::col((invoice::Entity, invoice::Column::Number)), "invoice_number")
        .expr_as(Expr::col((credit_note::Entity, credit_note::Column::Number)), "note_number")
        .expr_as(Expr::col((credit_note::Entity, credit_note::Column::Kind)), "note_kind")
        .expr_as(Expr::col((CREDITED, invoice::Column::Number)), "credited_number")
        .expr_as(Expr::col((CHARGED, invoice::Column::Number)), "charged_number")
        .expr_as(Expr::col((receipt::Entity, receipt::Column::Number)), "receipt_number")
        .expr_as(Expr::col((CANCELLATION, receipt::Column::Number)), "cancellation_number")
        .from_subquery(slices, SLICE)
        .join(
            JoinType::LeftJoin,
            invoice::Entity,
            of("invoice_id").equals((invoice::Entity, invoice::Column::Id)),
        )
        .join(
            JoinType::LeftJoin,
            credit_note::Entity,
            of("credit_note_id").equals((credit_note::Entity, credit_note::Column::Id)),
        )
        .join_as(
            JoinType::LeftJoin,
            invoice::Entity,
            Alias::new(CREDITED),
            Expr::col(note).equals((CREDITED, invoice::Column::Id)),
        )
        .join_as(
            JoinType::LeftJoin,
            invoice::Entity,
            Alias::new(CHARGED),
            Expr::col((invoice::Entity, invoice::Column::AboutId))
                .equals((CHARGED, invoice::Column::Id)),
        )
        .join(JoinType::LeftJoin, receipt::Entity, receives)
        .join_as(JoinType::LeftJoin, receipt::Entity, Alias::new(CANCELLATION), cancels);
    let due_on = Expr::col((invoice::Entity, invoice::Column::DueOn));
    let opened = CaseStatement::new().case(of("part").eq(0), due_on).finally(of("booked_on"));
    for term in [
        of("part"),
        Expr::Case(Box::new(opened)),
        of("booked_on"),
        of("at"),
        Expr::col((invoice::Entity, invoice::Column::Number)),
        of("amount"),
    ] {
        query.order_by_expr(term, Order::Asc);
    }
    query
}

fn amount() -> Expr {
    entry(Column::Amount).sum().cast_as("bigint")
}
