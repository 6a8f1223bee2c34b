//! Writes a plan: one statement per table, however many rows the chunk has.
//!
//! Invariant: what is written is what recording the same invoices and payments one by one would
//! write, with the name of the import's job on every row.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveModelTrait, ConnectionTrait, EntityTrait, IntoActiveModel, Iterable};

use super::plan::{Paying, Plan, Terms};
use crate::automation::event;
use crate::customers::customer;
use crate::db::BINDS;
use crate::error::Error;
use crate::finance::counter::{self, Series};
use crate::finance::invoice::{self, Settlement};
use crate::finance::ledger::{self, Account, Source};
use crate::finance::{allocation, dispute, invoice_line, payment, promise, receipt};
use crate::id::{AllocationId, DisputeId, Id, InvoiceLineId, ReceiptId};
use crate::text::fold;

/// Writes `plan`.
///
/// # Errors
/// [`Error::NotUnique`] when somebody else has added one of the customers or invoices meanwhile.
pub async fn write(
    txn: &impl ConnectionTrait,
    terms: &Terms,
    plan: Plan,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let actor = terms.actor();
    insert(txn, plan.customers).await?;
    update_customers(txn, terms, plan.changed, now).await?;
    insert(txn, plan.addresses).await?;

    let lines: Vec<_> = plan
        .invoices
        .iter()
        .map(|invoice| invoice_line::Model {
            id: InvoiceLineId::new(now),
            invoice_id: invoice.id,
            position: 1,
            description: "Imported invoice".to_owned(),
            quantity_milli: 1_000,
            unit_price: invoice.total,
            tax_rate_bp: 0,
        })
        .collect();
    let mut entries = Vec::new();
    for invoice in &plan.invoices {
        let source = Source {
            customer: invoice.customer_id,
            currency: invoice.currency,
            payment: None,
            credit_note: None,
            booked_on: invoice.issued_on,
        };
        entries.extend(ledger::entries(source, &invoice.sides(), actor, now));
    }
    let contested = plan.invoices.iter().filter(|invoice| invoice.disputed_amount > 0);
    let disputes = contested.map(|invoice| dispute(invoice, terms, now)).collect::<Vec<_>>();
    insert(txn, plan.invoices).await?;
    insert(txn, lines).await?;
    insert(txn, disputes).await?;

    let settlements = plan
        .settled
        .into_iter()
        .map(|(invoice, paid)| Settlement { paid, ..Settlement::of(invoice) });
    let settled = invoice::settle(txn, settlements.collect(), actor, now).await?;
    let settled = settled.iter().map(|invoice| invoice.id).collect::<Vec<_>>();
    promise::paid(txn, &settled, terms.organisation.today(now), actor, now).await?;
    invoice::follow::look_again(txn, &settled, now).await?;
    insert(txn, plan.payments.iter().map(|paying| paying.payment(terms, now))).await?;
    insert(txn, plan.payments.iter().map(|paying| paying.allocation(terms, now))).await?;
    for paying in &plan.payments {
        let source = Source {
            customer: paying.customer,
            currency: paying.amount.currency,
            payment: Some(paying.id),
            credit_note: None,
            booked_on: paying.received_on,
        };
        let sides = [
            (Account::Cash, None, paying.amount.minor),
            (Account::Receivable, Some(paying.invoice), -paying.amount.minor),
        ];
        entries.extend(ledger::entries(source, &sides, actor, now));
    }
    insert_active::<ledger::Entity, _>(txn, entries).await?;
    if terms.receipts && !plan.payments.is_empty() {
        issue_receipts(txn, terms, &plan.payments, now).await?;
    }
    Ok(())
}

/// That the customer disputes all of an invoice.
fn dispute(invoice: &invoice::Model, terms: &Terms, now: DateTime<Utc>) -> dispute::Model {
    dispute::Model {
        id: DisputeId::new(now),
        invoice_id: invoice.id,
        customer_id: invoice.customer_id,
        state: dispute::State::Open,
        cause: dispute::Cause::Other,
        currency: invoice.currency,
        amount: invoice.disputed_amount,
        detail: None,
        opened_on: terms.organisation.today(now),
        resolved_on: None,
        resolution: None,
        credit_note_id: None,
        created_at: now,
        created_by: terms.actor().user(),
        updated_at: now,
        updated_by: terms.actor().user(),
        version: 1,
    }
}

impl Paying {
    fn payment(&self, terms: &Terms, now: DateTime<Utc>) -> payment::Model {
        payment::Model {
            id: self.id,
            customer_id: self.customer,
            state: payment::State::Recorded,
            method: payment::Method::Other,
            currency: self.amount.currency,
            amount: self.amount.minor,
            allocated: self.amount.minor,
            received_on: self.received_on,
            reference: Some(self.number.clone()),
            search_text: fold(&self.number),
            reversed_on: None,
            reversal_reason: None,
            import_job_id: terms.job(),
            created_at: now,
            created_by: terms.actor().user(),
            updated_at: now,
            updated_by: terms.actor().user(),
            version: 1,
        }
    }

    fn allocation(&self, terms: &Terms, now: DateTime<Utc>) -> allocation::Model {
        allocation::Model {
            id: AllocationId::new(now),
            payment_id: self.id,
            invoice_id: self.invoice,
            amount: self.amount.minor,
            open_after: 0,
            allocated_on: self.received_on,
            created_at: now,
            created_by: terms.actor().user(),
        }
    }
}

/// Numbers receipts in the order of the file and lets their customers hear of them.
async fn issue_receipts(
    txn: &impl ConnectionTrait,
    terms: &Terms,
    payments: &[Paying],
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let actor = terms.actor();
    let recorded = payments.iter().map(|paying| {
        let kind = event::Kind::PaymentRecorded;
        event::new(kind, paying.id.0, Some(paying.customer), actor, now)
    });
    insert_active::<event::Entity, _>(txn, recorded.collect()).await?;
    let issued_on = terms.organisation.today(now);
    let count = i64::try_from(payments.len()).unwrap_or_default();
    let first = counter::draw_many(txn, Series::Receipt, issued_on, count).await?;
    let receipts = (first..).zip(payments).map(|(ordinal, paying)| receipt::Model {
        id: ReceiptId::new(now),
        number: Series::Receipt.number(issued_on, ordinal),
        kind: receipt::Kind::Receipt,
        payment_id: paying.id,
        cancels_id: None,
        issued_on,
        created_at: now,
        created_by: actor.user(),
    });
    insert(txn, receipts).await
}

/// Writes what an import fills in, as one statement: these rows exist, so none of them is inserted.
async fn update_customers(
    txn: &impl ConnectionTrait,
    terms: &Terms,
    changed: Vec<customer::Model>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    use customer::Column::{
        DisplayName, Email, EmailKey, Id, NameKey, Phone, PhoneKey, PreferredChannel, SearchText,
        Stage, TaxKey, TaxNumber, UpdatedAt, UpdatedBy, Version,
    };
    if changed.is_empty() {
        return Ok(());
    }
    let rows = changed.into_iter().map(|model| {
        let model = customer::Model {
            updated_at: now,
            updated_by: terms.actor().user(),
            version: model.version + 1,
            ..model
        };
        model.into_active_model().reset_all()
    });
    let update = OnConflict::column(Id)
        .update_columns([
            DisplayName,
            Email,
            EmailKey,
            NameKey,
            Phone,
            PhoneKey,
            PreferredChannel,
            SearchText,
            Stage,
            TaxKey,
            TaxNumber,
            UpdatedAt,
            UpdatedBy,
            Version,
        ])
        .to_owned();
    customer::Entity::insert_many(rows).on_conflict(update).exec_without_returning(txn).await?;
    Ok(())
}

async fn insert<M>(
    txn: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = M>,
) -> Result<(), Error>
where
    M: IntoActiveModel<<M::Entity as EntityTrait>::ActiveModel> + sea_orm::ModelTrait,
    <M::Entity as EntityTrait>::ActiveModel: Send,
{
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    insert_active::<M::Entity, _>(txn, rows.collect()).await
}

/// Inserts `rows`, as many at once as the database binds.
async fn insert_active<E, A>(txn: &impl ConnectionTrait, mut rows: Vec<A>) -> Result<(), Error>
where
    E: EntityTrait<ActiveModel = A>,
    A: ActiveModelTrait<Entity = E> + Send,
{
    let at_once = BINDS / E::Column::iter().count();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(at_once));
        E::insert_many(rows).exec_without_returning(txn).await?;
        rows = rest;
    }
    Ok(())
}
