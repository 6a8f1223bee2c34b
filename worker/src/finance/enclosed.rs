//! What goes with notices: copies of the invoices that they ask for, and statements of what is open.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use entity::customers::customer::Channel;
use entity::finance::dunning::Asked;
use entity::finance::dunning::ladder::Enclosure;
use entity::finance::statement::Item;
use entity::finance::{invoice, invoice_line, statement};
use entity::id::{CustomerId, InvoiceId, MessageId};
use entity::money::{Currency, Money};
use rust_decimal::Decimal;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};

use super::statement::facts;
use crate::automation::written::Letter;
use crate::document::{Enclosed, InvoiceFacts, Sold, StatementFacts};

/// How many invoices go with a notice at most: those that were due first.
const MOST_INVOICES: usize = 20;

/// Encloses with each of the letters what its level says.
///
/// # Errors
/// The database.
pub(super) async fn enclose(
    db: &impl ConnectionTrait,
    levels: &HashMap<MessageId, (CustomerId, Vec<Enclosure>)>,
    letters: &mut HashMap<MessageId, Letter>,
    now: DateTime<Utc>,
) -> Result<(), entity::Error> {
    let wants = |message: &MessageId, which: Enclosure, letter: &Letter| {
        letter.channel != Channel::Sms
            && levels.get(message).is_some_and(|(_, enclose)| enclose.contains(&which))
    };
    let (mut bills, mut stated) = (HashSet::new(), HashSet::new());
    for (message, letter) in letters.iter() {
        let Some(asked) = &letter.facts.asked else { continue };
        if wants(message, Enclosure::Invoices, letter) {
            bills.extend(sold(asked));
        }
        if wants(message, Enclosure::Statement, letter) {
            stated.extend(levels.get(message).map(|(customer, _)| *customer));
        }
    }
    let invoices = Invoices::load(db, bills).await?;
    let statements = open_items(db, stated, now).await?;
    for (message, letter) in letters.iter_mut() {
        let (Some(asked), Some((customer, _))) = (&letter.facts.asked, levels.get(message)) else {
            continue;
        };
        let mut enclosed = Vec::new();
        if wants(message, Enclosure::Invoices, letter) {
            let copies = sold(asked).filter_map(|id| invoices.copy(id, letter));
            enclosed.extend(copies.map(Enclosed::Invoice));
        }
        if wants(message, Enclosure::Statement, letter)
            && let Some(statement) = statements.get(&(*customer, asked.total.currency))
        {
            enclosed.push(Enclosed::Statement(with_charges(statement.clone(), asked)));
        }
        letter.facts.enclosed = enclosed;
    }
    Ok(())
}

/// The invoices of which copies go with a notice.
fn sold(asked: &Asked) -> impl Iterator<Item = InvoiceId> {
    let sold = asked.items.iter().filter(|item| item.charge.is_none());
    sold.take(MOST_INVOICES).map(|item| item.invoice)
}

/// What is known of invoices that are copied.
struct Invoices {
    rows: HashMap<InvoiceId, invoice::Model>,
    lines: HashMap<InvoiceId, Vec<invoice_line::Model>>,
}

impl Invoices {
    async fn load(
        db: &impl ConnectionTrait,
        ids: HashSet<InvoiceId>,
    ) -> Result<Self, entity::Error> {
        let (mut rows, mut lines) = (HashMap::new(), HashMap::<_, Vec<_>>::new());
        if ids.is_empty() {
            return Ok(Self { rows, lines });
        }
        let of_these = invoice::Column::Id.is_in(ids.iter().copied());
        for row in invoice::Entity::find().filter(of_these).all(db).await? {
            rows.insert(row.id, row);
        }
        let found = invoice_line::Entity::find()
            .filter(invoice_line::Column::InvoiceId.is_in(ids))
            .order_by_asc(invoice_line::Column::Position);
        for line in found.all(db).await? {
            lines.entry(line.invoice_id).or_default().push(line);
        }
        Ok(Self { rows, lines })
    }

    /// A copy for who gets the letter.
    fn copy(&self, id: InvoiceId, letter: &Letter) -> Option<InvoiceFacts> {
        let row = self.rows.get(&id)?;
        let money = |minor| Money::new(minor, row.currency);
        let line = |line: &invoice_line::Model| Sold {
            description: line.description.clone(),
            quantity: Decimal::new(line.quantity_milli, 3),
            unit_price: money(line.unit_price),
            tax_percent: Decimal::new(line.tax_rate_bp.into(), 2),
            net: money(line.net()),
        };
        Some(InvoiceFacts {
            language: letter.facts.language.clone(),
            organisation: letter.facts.organisation.clone(),
            customer: letter.facts.customer.clone(),
            number: row.number.clone(),
            reference: row.reference.clone(),
            issued_on: row.issued_on,
            due_on: row.due_on,
            lines: self.lines.get(&id).into_iter().flatten().map(line).collect(),
            net: money(row.net),
            tax: money(row.tax),
            total: money(row.total),
            settled: money(row.paid + row.credited),
            open: row.open(),
        })
    }
}

/// What is open of customers, by currency.
async fn open_items(
    db: &impl ConnectionTrait,
    customers: HashSet<CustomerId>,
    now: DateTime<Utc>,
) -> Result<HashMap<(CustomerId, Currency), StatementFacts>, entity::Error> {
    if customers.is_empty() {
        return Ok(HashMap::new());
    }
    let customers = customers.into_iter().collect::<Vec<_>>();
    let rows = statement::open_items(db, &customers, now).await?;
    let facts = facts(db, &rows).await?;
    let of = |(row, facts): (&statement::Model, Option<StatementFacts>)| {
        Some(((row.customer_id, row.currency), facts?))
    };
    Ok(rows.iter().zip(facts).filter_map(of).collect())
}

/// The same with what is charged when the notice leaves, so that both come to the same.
fn with_charges(mut statement: StatementFacts, asked: &Asked) -> StatementFacts {
    for charge in &asked.charges {
        statement.content.items.push(Item {
            number: Some(charge.number.clone()),
            issued_on: charge.on,
            due_on: charge.on,
            total: charge.amount.minor,
            open: charge.amount.minor,
            disputed: false,
            promised: None,
        });
        // It is due today.
        if let Some(current) = statement.content.ageing.first_mut() {
            *current += charge.amount.minor;
        }
        statement.closing.minor += charge.amount.minor;
    }
    statement
}
