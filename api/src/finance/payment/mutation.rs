//! Recording, allocating and reversing payments.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::finance::payment::{self, NewAllocation, NewPayment};
use entity::id::{CustomerId, InvoiceId, PaymentId};
use futures::FutureExt;

use super::PaymentMethod;
use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError};
use crate::finance::parse_amount;
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::{Date, Decimal, MoneyInput};

/// How much of a payment goes to an invoice.
#[derive(Clone, Debug, InputObject)]
pub struct AllocationInput {
    /// Which invoice; an open one of the same customer in the same currency.
    pub invoice_id: ID,
    /// How much, in the payment's currency.
    pub amount: Decimal,
}

fn allocations(
    given: Option<Vec<AllocationInput>>,
) -> Result<Option<Vec<NewAllocation>>, Vec<UserError>> {
    let Some(given) = given else { return Ok(None) };
    let mut allocations = Vec::with_capacity(given.len());
    for (index, allocation) in given.into_iter().enumerate() {
        let index = index.to_string();
        let path = ["input", "allocations", &index, "invoiceId"];
        let invoice: InvoiceId = parse(&allocation.invoice_id, &path)?;
        allocations.push(NewAllocation { invoice, amount: allocation.amount.0 });
    }
    Ok(Some(allocations))
}

/// Money that came in.
#[derive(Clone, Debug, InputObject)]
pub struct RecordPaymentInput {
    /// Who paid.
    pub customer_id: ID,
    /// How much.
    pub amount: MoneyInput,
    /// The day the money came in, not later than today; today when absent.
    pub received_on: Option<Date>,
    /// How.
    #[graphql(default_with = "PaymentMethod::BankTransfer")]
    pub method: PaymentMethod,
    /// The bank's or the customer's reference, up to 200 characters.
    pub reference: Option<String>,
    /// What it settles. Absent: the customer's open invoices in that currency, those due first first.
    /// Empty: nothing yet. What is left over is kept for the customer as unapplied cash.
    #[graphql(validator(max_items = 500))]
    pub allocations: Option<Vec<AllocationInput>>,
}

impl RecordPaymentInput {
    fn parse(self) -> Result<NewPayment, Vec<UserError>> {
        let amount = parse_amount(self.amount)?;
        Ok(NewPayment {
            customer: parse::<CustomerId>(&self.customer_id, &["input", "customerId"])?,
            amount,
            received_on: self.received_on.map(|day| day.0),
            method: self.method.into(),
            reference: self.reference,
            allocations: allocations(self.allocations)?,
        })
    }
}

/// What unapplied cash settles.
#[derive(Clone, Debug, InputObject)]
pub struct AllocatePaymentInput {
    /// Absent: the customer's open invoices in that currency, those due first first.
    #[graphql(validator(max_items = 500))]
    pub allocations: Option<Vec<AllocationInput>>,
}

/// Why a payment is taken back.
#[derive(Clone, Debug, InputObject)]
pub struct ReversePaymentInput {
    /// Why; it stands on the cancellation of the receipt.
    pub reason: String,
}

payload! {
    /// What came of recording a payment.
    RecordPaymentPayload {
        /// The payment with its receipt; null when it was refused.
        payment: payment::Entity
    }
}

payload! {
    /// What came of allocating a payment.
    AllocatePaymentPayload {
        /// The payment as it is now; null when it was refused.
        payment: payment::Entity
    }
}

payload! {
    /// What came of reversing a payment.
    ReversePaymentPayload {
        /// The payment as it is now; null when it was refused.
        payment: payment::Entity
    }
}

/// Changing payments.
#[derive(Default)]
pub struct PaymentMutation;

/// Changing payments.
#[Object]
impl PaymentMutation {
    /// Records money received. It settles invoices, gets a numbered receipt, and the customer gets
    /// the receipt by e-mail, once.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn record_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment.")] input: RecordPaymentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's payment."
        )]
        idempotency_key: String,
    ) -> Result<RecordPaymentPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "recordPayment", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::WritePayments, &input.customer_id, path);
        let outcome = match input.parse() {
            Ok(new) => {
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move { Ok(payment::record(txn, new, actor, now).await?.id.into()) }
                        .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(RecordPaymentPayload::from(outcome))
    }

    /// Lets unapplied cash of a payment settle invoices.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn allocate_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment's id.")] id: ID,
        #[graphql(desc = "What it settles.")] input: AllocatePaymentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input changes nothing more."
        )]
        idempotency_key: Option<String>,
    ) -> Result<AllocatePaymentPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "allocatePayment", &input).about(&id);
        let once = once.within(Permission::WritePayments, &id, &["id"]);
        let parsed = parse::<PaymentId>(&id, &["id"])
            .and_then(|id| Ok((id, allocations(input.allocations)?)));
        let outcome = match parsed {
            Ok((id, wanted)) => {
                write(ctx, once, move |txn, actor, now| {
                    let wanted = wanted.clone();
                    async move {
                        let row = payment::allocate(txn, id, wanted, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(AllocatePaymentPayload::from(outcome))
    }

    /// Takes a payment back: its invoices are open again, its receipt is cancelled by a new document,
    /// and the customer gets that by e-mail.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn reverse_payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment's id.")] id: ID,
        #[graphql(desc = "Why.")] input: ReversePaymentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input changes nothing more."
        )]
        idempotency_key: Option<String>,
    ) -> Result<ReversePaymentPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "reversePayment", &input).about(&id);
        let once = once.within(Permission::WritePayments, &id, &["id"]);
        let outcome = match parse::<PaymentId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    let reason = input.reason.clone();
                    async move {
                    Ok(payment::reverse(txn, id, &reason, actor, now).await?.id.into())
                }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(ReversePaymentPayload::from(outcome))
    }
}
