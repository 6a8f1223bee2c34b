//! Rows whose invoice is there already: whether both say the same.

use std::collections::HashMap;

use chrono::NaiveDate;
use sea_orm::{
    ColumnTrait, ConnectionTrait, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect,
};

use super::mapping::Field;
use super::rows::Row;
use crate::error::Error;
use crate::finance::{allocation, invoice, payment};
use crate::id::{CustomerId, InvoiceId, JobId};
use crate::money::Money;

/// A payment of an earlier import.
#[derive(FromQueryResult)]
pub struct Earlier {
    pub invoice_id: InvoiceId,
    pub state: payment::State,
    pub received_on: NaiveDate,
    pub amount: i64,
    pub import_job_id: Option<JobId>,
}

/// The invoices of `rows` that are there, locked, and what earlier imports paid of them.
pub async fn invoices(
    db: &impl ConnectionTrait,
    rows: &[(u64, Row)],
) -> Result<(HashMap<String, invoice::Model>, HashMap<InvoiceId, Vec<Earlier>>), Error> {
    let found = invoice::Entity::find()
        .filter(invoice::Column::Number.is_in(rows.iter().map(|(_, row)| row.number.as_str())))
        .order_by_asc(invoice::Column::Id)
        .lock_exclusive()
        .all(db)
        .await?;
    let mut earlier: HashMap<InvoiceId, Vec<Earlier>> = HashMap::new();
    if !found.is_empty() {
        let to_payment = allocation::Entity::belongs_to(payment::Entity)
            .from(allocation::Column::PaymentId)
            .to(payment::Column::Id);
        let payments = allocation::Entity::find()
            .select_only()
            .column(allocation::Column::InvoiceId)
            .columns([
                payment::Column::State,
                payment::Column::ReceivedOn,
                payment::Column::Amount,
                payment::Column::ImportJobId,
            ])
            .join(JoinType::InnerJoin, to_payment.into())
            .filter(allocation::Column::InvoiceId.is_in(found.iter().map(|invoice| invoice.id)))
            .filter(payment::Column::ImportJobId.is_not_null())
            .into_model::<Earlier>()
            .all(db)
            .await?;
        for payment in payments {
            earlier.entry(payment.invoice_id).or_default().push(payment);
        }
    }
    let found = found.into_iter().map(|invoice| (invoice.number.clone(), invoice));
    Ok((found.collect(), earlier))
}

/// Whether `row` says the same as the invoice that is there; `Some` of the day on which it was paid
/// when that is new.
pub fn compare(
    row: &Row,
    there: &invoice::Model,
    customer: Option<CustomerId>,
    earlier: &[Earlier],
) -> Result<Option<NaiveDate>, (Field, String, String)> {
    let differs = |field, value: String, here: String| {
        Err((field, value, format!("differs: invoice {} has {here} here", row.number)))
    };
    if customer != Some(there.customer_id) {
        return differs(
            Field::CustomerNumber,
            row.customer.number.clone(),
            "another customer".into(),
        );
    }
    let (total, total_here) =
        (Money::new(row.total, row.currency), Money::new(there.total, there.currency));
    if total != total_here {
        return differs(Field::Amount, total.to_string(), total_here.to_string());
    }
    if row.issued_on != there.issued_on {
        return differs(Field::IssuedOn, row.issued_on.to_string(), there.issued_on.to_string());
    }
    if row.due_on != there.due_on {
        return differs(Field::DueOn, row.due_on.to_string(), there.due_on.to_string());
    }
    if let Some(disputed) = row.disputed.filter(|disputed| *disputed != there.disputed) {
        let (value, here) = if disputed { ("Yes", "No") } else { ("No", "Yes") };
        return differs(Field::Disputed, value.into(), here.into());
    }
    let Some(day) = row.settled_on else {
        return Ok(None);
    };
    let refuse = |reason: String| Err((Field::SettledOn, day.to_string(), reason));
    let on_that_day =
        |state| earlier.iter().any(|payment| payment.state == state && payment.received_on == day);
    match there.state {
        invoice::State::Void => refuse(format!("invoice {} is void here", row.number)),
        invoice::State::WrittenOff => refuse(format!("invoice {} is written off here", row.number)),
        invoice::State::Open if on_that_day(payment::State::Reversed) => {
            refuse("its payment of this day was reversed here since".into())
        }
        invoice::State::Open => Ok(Some(day)),
        invoice::State::Paid => {
            let mut holding =
                earlier.iter().filter(|payment| payment.state == payment::State::Recorded);
            match holding.next() {
                Some(payment) if !on_that_day(payment::State::Recorded) => differs(
                    Field::SettledOn,
                    day.to_string(),
                    format!("a payment of {}", payment.received_on),
                ),
                _ => Ok(None),
            }
        }
    }
}
