//! Gathering what receipts say, for a batch of messages at once.

use std::collections::HashMap;

use entity::access::organisation;
use entity::automation::message;
use entity::customers::customer::Channel;
use entity::customers::reach::{Reach, reach};
use entity::customers::{address, customer};
use entity::finance::{allocation, invoice, payment, receipt};
use entity::id::{CustomerId, InvoiceId, PaymentId, ReceiptId};
use entity::money::Money;
use sea_orm::ConnectionTrait;
use sea_orm::{ActiveEnum, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};

use crate::document::{Cancelled, Kind, Line, Party, Payment, ReceiptFacts};

/// What a message says, and where it goes: the billing contact's address, or else the customer's.
pub struct Letter {
    /// What it is written from.
    pub facts: ReceiptFacts,
    /// Whom it is addressed to.
    pub addressee: String,
    /// Their address; `None` when there is none.
    pub email: Option<String>,
}

/// The records behind a batch of messages, each kind loaded by one statement.
struct Records {
    organisation: Party,
    receipts: HashMap<ReceiptId, receipt::Model>,
    payments: HashMap<PaymentId, payment::Model>,
    customers: HashMap<CustomerId, Reach>,
    addresses: HashMap<CustomerId, address::Model>,
    allocations: HashMap<PaymentId, Vec<allocation::Model>>,
    invoices: HashMap<InvoiceId, invoice::Model>,
}

/// The letters of `messages`, in their order. `None` where the record is gone, which is a fault.
///
/// # Errors
/// The database.
pub async fn letters(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
) -> Result<Vec<Option<Letter>>, entity::Error> {
    let records = Records::load(db, messages).await?;
    Ok(messages.iter().map(|message| records.letter(message)).collect())
}

impl Records {
    async fn load(
        db: &impl ConnectionTrait,
        messages: &[message::Model],
    ) -> Result<Self, entity::Error> {
        let organisation = organisation::get(db).await?;
        let receipts = messages.iter().map(|message| ReceiptId::from(message.subject_id));
        let mut receipts =
            receipt::Entity::find().filter(receipt::Column::Id.is_in(receipts)).all(db).await?;
        let cancelled: Vec<_> = receipts.iter().filter_map(|receipt| receipt.cancels_id).collect();
        if !cancelled.is_empty() {
            let ids = receipt::Column::Id.is_in(cancelled);
            receipts.extend(receipt::Entity::find().filter(ids).all(db).await?);
        }
        let payments: Vec<_> = receipts.iter().map(|receipt| receipt.payment_id).collect();
        let customers =
            messages.iter().filter_map(|message| message.customer_id).collect::<Vec<_>>();
        let allocations = allocation::Entity::find()
            .filter(allocation::Column::PaymentId.is_in(payments.iter().copied()))
            .filter(allocation::Column::Amount.gt(0))
            .order_by_asc(allocation::Column::Id)
            .all(db)
            .await?;
        let invoices = allocations.iter().map(|allocation| allocation.invoice_id);
        let invoices = invoice::Entity::find().filter(invoice::Column::Id.is_in(invoices));
        let addresses = address::Entity::find()
            .filter(address::Column::CustomerId.is_in(customers.iter().copied()))
            .filter(address::Column::Kind.eq(address::Kind::Billing))
            .order_by_desc(address::Column::Id);
        let payments = payment::Entity::find().filter(payment::Column::Id.is_in(payments));
        let mut by_payment: HashMap<_, Vec<_>> = HashMap::new();
        for allocation in allocations {
            by_payment.entry(allocation.payment_id).or_default().push(allocation);
        }
        Ok(Self {
            organisation: organisation.into(),
            receipts: receipts.into_iter().map(|row| (row.id, row)).collect(),
            payments: payments.all(db).await?.into_iter().map(|row| (row.id, row)).collect(),
            customers: reach(db, customers.iter().map(|id| (*id, Channel::Email))).await?,
            // Newest first, so that the oldest one stays in the map.
            addresses: addresses
                .all(db)
                .await?
                .into_iter()
                .map(|row| (row.customer_id, row))
                .collect(),
            allocations: by_payment,
            invoices: invoices.all(db).await?.into_iter().map(|row| (row.id, row)).collect(),
        })
    }

    fn letter(&self, message: &message::Model) -> Option<Letter> {
        let receipt = self.receipts.get(&ReceiptId::from(message.subject_id))?;
        let payment = self.payments.get(&receipt.payment_id)?;
        let reach = self.customers.get(&message.customer_id?)?;
        let customer = &reach.customer;
        let addressee = reach.addressee(Channel::Email, true);
        // A copy says what the original said, whatever happened since.
        let frozen = message.facts.clone().and_then(|facts| serde_json::from_value(facts).ok());
        let facts: ReceiptFacts = frozen.or_else(|| self.facts(receipt, payment, customer))?;
        let copy = message.copy_of_id.is_some();
        let facts = ReceiptFacts { copy, ..facts };
        Some(Letter { facts, addressee: addressee.name.to_owned(), email: addressee.address.ok() })
    }

    fn facts(
        &self,
        receipt: &receipt::Model,
        payment: &payment::Model,
        customer: &customer::Model,
    ) -> Option<ReceiptFacts> {
        let kind = match receipt.cancels_id {
            None => Kind::Receipt,
            Some(id) => {
                let cancelled = self.receipts.get(&id)?;
                let cancels =
                    Cancelled { number: cancelled.number.clone(), issued_on: cancelled.issued_on };
                Kind::Cancellation { cancels, reason: payment.reversal_reason.clone() }
            }
        };
        let money = |minor| Money::new(minor, payment.currency);
        let mut lines = Vec::new();
        let mut unapplied = payment.amount;
        for allocation in self.allocations.get(&payment.id).into_iter().flatten() {
            // What was allocated later is not in the receipt of the payment.
            if allocation.created_at > receipt.created_at {
                continue;
            }
            let invoice = self.invoices.get(&allocation.invoice_id)?;
            unapplied -= allocation.amount;
            lines.push(Line {
                invoice_number: invoice.number.clone(),
                issued_on: invoice.issued_on,
                due_on: invoice.due_on,
                total: money(invoice.total),
                applied: money(allocation.amount),
                remaining: money(allocation.open_after),
            });
        }
        let address = self.addresses.get(&customer.id);
        Some(ReceiptFacts {
            kind,
            copy: false,
            language: customer.language.clone(),
            number: receipt.number.clone(),
            issued_on: receipt.issued_on,
            organisation: self.organisation.clone(),
            customer: Party {
                name: customer.display_name.clone(),
                address_lines: address.map(address::Model::letter_lines).unwrap_or_default(),
                tax_number: customer.tax_number.clone(),
                email: customer.email.clone(),
                phone: customer.phone.clone(),
            },
            payment: Payment {
                received_on: payment.received_on,
                method: payment.method.to_value(),
                reference: payment.reference.clone(),
                amount: money(payment.amount),
            },
            lines,
            unapplied: money(unapplied),
        })
    }
}
