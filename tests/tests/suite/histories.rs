//! Random books: what happens to receivables over a while, and what that comes to by the documents alone.
//!
//! Invariant: a replay never looks at the ledger, so that it is evidence for what does.

use chrono::{NaiveDate, TimeDelta};
use entity::access::Actor;
use entity::customers::customer;
use entity::finance::invoice::{NewInvoice, NewLine};
use entity::finance::payment::NewPayment;
use entity::finance::{allocation, credit_note, invoice, payment};
use entity::id::CustomerId;
use entity::money::{Currency, Money};
use futures::FutureExt;
use proptest::prelude::*;
use rust_decimal::Decimal;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter};
use tests::app::App;

use crate::given::customer_row;

/// Something that happens to the books of one of some customers.
#[derive(Clone, Debug)]
pub enum Deed {
    /// They are invoiced.
    Invoice { whose: usize, amount: i64, days_ago: i64, days_to_pay: i64 },
    /// They pay.
    Pay { whose: usize, amount: i64, days_ago: i64 },
    /// One of the open invoices without payments is taken back.
    Void { which: usize },
    /// A part of one of the open invoices is taken back.
    Credit { which: usize },
    /// One of the open invoices is written off.
    WriteOff { which: usize },
    /// One that was written off is owed again.
    Reinstate { which: usize },
    /// One of the payments is taken back.
    Reverse { which: usize },
    /// So many days pass.
    Wait { days: i64 },
}

/// What may happen, and how often.
pub fn deeds(most: usize) -> impl Strategy<Value = Vec<Deed>> {
    let invoice = (0..3_usize, 1..9_000_i64, 0..60_i64, 0..100_i64).prop_map(
        |(whose, amount, days_ago, days_to_pay)| Deed::Invoice {
            whose,
            amount,
            days_ago,
            days_to_pay,
        },
    );
    let pay = (0..3_usize, 1..9_000_i64, 0..60_i64)
        .prop_map(|(whose, amount, days_ago)| Deed::Pay { whose, amount, days_ago });
    let deed = prop_oneof![
        6 => invoice,
        4 => pay,
        1 => any::<usize>().prop_map(|which| Deed::Void { which }),
        1 => any::<usize>().prop_map(|which| Deed::Credit { which }),
        1 => any::<usize>().prop_map(|which| Deed::WriteOff { which }),
        1 => any::<usize>().prop_map(|which| Deed::Reinstate { which }),
        1 => any::<usize>().prop_map(|which| Deed::Reverse { which }),
        3 => (1..45_i64).prop_map(|days| Deed::Wait { days }),
    ];
    proptest::collection::vec(deed, 1..most)
}

/// Three customers to whom it may.
pub async fn customers(app: &App) -> Vec<CustomerId> {
    let rows = ["Lan", "Minh", "Hoa"].map(|name| customer_row(name, app.clock.now()));
    let ids = rows.iter().map(|row| row.id).collect();
    let added = app.db.write(move |txn| {
        let rows = rows.clone().map(|row| row.into_active_model().reset_all());
        async move {
            customer::Entity::insert_many(rows).exec(txn).await?;
            Ok(())
        }
        .boxed()
    });
    added.await.expect("customers");
    ids
}

/// Does one of them.
pub async fn happen(app: &App, customers: &[CustomerId], deed: &Deed) {
    attempt(app, customers, deed).await.expect("it happens");
}

/// Does one of them unless it is refused, such as when somebody else has settled an invoice meanwhile.
///
/// # Errors
/// Why it was refused.
pub async fn attempt(
    app: &App,
    customers: &[CustomerId],
    deed: &Deed,
) -> Result<(), entity::Error> {
    if let Deed::Wait { days } = deed {
        app.advance(TimeDelta::days(*days));
        return Ok(());
    }
    let now = app.clock.now();
    let today = app.clock.today(chrono_tz::Asia::Ho_Chi_Minh);
    let (deed, customers) = (deed.clone(), customers.to_vec());
    let done = app.db.write(move |txn| {
        let (deed, customers) = (deed.clone(), customers.clone());
        async move {
            let open = |state: invoice::State| {
                let all = invoice::Entity::find().filter(invoice::Column::State.eq(state));
                all.filter(invoice::Column::CustomerId.is_in(customers.iter().copied())).all(txn)
            };
            match deed {
                Deed::Invoice { whose, amount, days_ago, days_to_pay } => {
                    let issued_on = today - TimeDelta::days(days_ago);
                    let line = NewLine {
                        description: "Tư vấn".to_owned(),
                        quantity: Decimal::ONE,
                        unit_price: Decimal::from(amount),
                        tax_rate: Decimal::new(1, 1),
                    };
                    let new = NewInvoice {
                        order: None,
                        customer: customers[whose],
                        currency: Some(Currency::VND),
                        issued_on: Some(issued_on),
                        due_on: issued_on + TimeDelta::days(days_to_pay),
                        reference: None,
                        lines: vec![line],
                    };
                    invoice::issue(txn, new, Actor::System, now).await?;
                }
                Deed::Pay { whose, amount, days_ago } => {
                    let new = NewPayment {
                        customer: customers[whose],
                        amount: Money::new(amount, Currency::VND),
                        received_on: Some(today - TimeDelta::days(days_ago)),
                        method: payment::Method::Cash,
                        reference: None,
                        allocations: None,
                    };
                    payment::record(txn, new, Actor::System, now).await?;
                }
                Deed::WriteOff { which } => {
                    let all = open(invoice::State::Open).await?;
                    let Some(one) = all.get(which % all.len().max(1)) else { return Ok(()) };
                    credit_note::write_off(txn, one.id, "Phá sản", Actor::System, now).await?;
                }
                Deed::Reinstate { which } => {
                    let all = open(invoice::State::WrittenOff).await?;
                    let Some(one) = all.get(which % all.len().max(1)) else { return Ok(()) };
                    credit_note::reinstate(txn, one.id, "Trả lại", Actor::System, now).await?;
                }
                Deed::Void { which } | Deed::Credit { which } => {
                    let is_void = matches!(deed, Deed::Void { .. });
                    let mut all = open(invoice::State::Open).await?;
                    all.retain(|invoice| !is_void || invoice.paid == 0);
                    let Some(one) = all.get(which % all.len().max(1)) else { return Ok(()) };
                    if is_void {
                        invoice::void(txn, one.id, "Sai", Actor::System, now).await?;
                    } else {
                        let part = Money::new((one.open().minor / 2).max(1), Currency::VND);
                        credit_note::issue(txn, one.id, Some(part), "Giảm", Actor::System, now)
                            .await?;
                    }
                }
                Deed::Reverse { which } => {
                    let all = payment::Entity::find()
                        .filter(payment::Column::State.eq(payment::State::Recorded))
                        .filter(payment::Column::CustomerId.is_in(customers.iter().copied()))
                        .all(txn)
                        .await?;
                    let Some(one) = all.get(which % all.len().max(1)) else { return Ok(()) };
                    payment::reverse(txn, one.id, "Nhầm", Actor::System, now).await?;
                }
                Deed::Wait { .. } => {}
            }
            Ok(())
        }
        .boxed()
    });
    done.await
}

/// The documents of some customers.
pub struct Documents {
    invoices: Vec<invoice::Model>,
    payments: Vec<payment::Model>,
    allocations: Vec<allocation::Model>,
    notes: Vec<credit_note::Model>,
}

/// What one of them owes at the end of a day.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Owed {
    /// Of each invoice of which anything is: when it has to be paid, and how much.
    pub open: Vec<(NaiveDate, i64)>,
    /// What is kept for them: zero or negative.
    pub unapplied: i64,
}

impl Documents {
    /// All that there are.
    pub async fn load(app: &App) -> Self {
        let db = app.db.reader();
        Self {
            invoices: invoice::Entity::find().all(db).await.expect("invoices"),
            payments: payment::Entity::find().all(db).await.expect("payments"),
            allocations: allocation::Entity::find().all(db).await.expect("allocations"),
            notes: credit_note::Entity::find().all(db).await.expect("credit notes"),
        }
    }

    /// What a customer owes at the end of `day`, added up anew.
    pub fn owed(&self, customer: CustomerId, day: NaiveDate) -> Owed {
        let mine = self.invoices.iter().filter(|invoice| invoice.customer_id == customer);
        let open = mine.map(|invoice| {
            let issued = if invoice.issued_on <= day { invoice.total } else { 0 };
            let notes = self.notes.iter().filter(|note| note.invoice_id == invoice.id);
            let credited = notes.filter(|note| note.issued_on <= day).map(|note| match note.kind {
                credit_note::Kind::Reinstatement => -note.total,
                credit_note::Kind::Credit | credit_note::Kind::WriteOff => note.total,
            });
            let paid = self.allocated(day, |allocation| allocation.invoice_id == invoice.id);
            (invoice.due_on, issued - paid - credited.sum::<i64>())
        });
        let payments = self.payments.iter().filter(|payment| payment.customer_id == customer);
        let kept = payments.map(|payment| {
            let received = if payment.received_on <= day { payment.amount } else { 0 };
            let reversed = payment.reversed_on.is_some_and(|reversed_on| reversed_on <= day);
            let reversed = if reversed { payment.amount } else { 0 };
            received
                - reversed
                - self.allocated(day, |allocation| allocation.payment_id == payment.id)
        });
        Owed {
            unapplied: -kept.sum::<i64>(),
            open: open.filter(|(_, amount)| *amount != 0).collect(),
        }
    }

    fn allocated(&self, day: NaiveDate, of: impl Fn(&allocation::Model) -> bool) -> i64 {
        let counted = self.allocations.iter().filter(|allocation| allocation.allocated_on <= day);
        counted.filter(|allocation| of(allocation)).map(|allocation| allocation.amount).sum()
    }
}
