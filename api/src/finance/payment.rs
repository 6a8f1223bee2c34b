//! Payments: lists, recording, allocating, reversing.

use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::finance::payment::{self, NewAllocation, NewPayment};
use entity::finance::{allocation, receipt};
use entity::id::{CustomerId, Id, InvoiceId, PaymentId};
use entity::money::{Currency, Money as Amount};
use futures::FutureExt;
use rust_decimal::Decimal;
use sea_orm::EntityTrait;

use super::{Invoice, Receipt};
use crate::choice::choice;
use crate::context::{Ask, Can, Once, write};
use crate::customers::{Customer, CustomerFilter};
use crate::error::{Fault, UserError, refused};
use crate::http::errors::Code;
use crate::id::{global, parse};
use crate::list::{
    DateFilter, DateTimeFilter, EnumFilter, IdFilter, MoneyFilter, PageArgs, StringFilter, list,
    page,
};
use crate::loader::{AllocationsOf, ReceiptsOf, load};
use crate::payload::payload;
use crate::scalar::{Date, Money, MoneyInput};

choice! {
    /// How money came in.
    PaymentMethod mirrors payment::Method as "entity::finance::payment::Method" {
        /// To the bank account.
        BankTransfer,
        /// In cash.
        Cash,
        /// By card.
        Card,
        /// Otherwise.
        Other,
    }
}

choice! {
    /// Whether a payment holds.
    PaymentState mirrors payment::State as "entity::finance::payment::State" {
        /// It holds.
        Recorded,
        /// It was taken back: a bounced cheque, a mistake.
        Reversed,
    }
}

list! {
    payment as Payment in PaymentConnection of PaymentEdge;
    /// Which payments a list has. All that is given has to hold.
    filter PaymentFilter {
        /// By id.
        id: IdFilter => Id,
        /// By the customer's id.
        customer_id: IdFilter => CustomerId,
        /// By what holds for the customer.
        customer: CustomerFilter => CustomerId,
        /// By whether it holds.
        state: EnumFilter<PaymentState> => State,
        /// By how the money came in.
        method: EnumFilter<PaymentMethod> => Method,
        /// By amount, within one currency.
        amount: MoneyFilter => Amount,
        /// By the day the money came in.
        received_on: DateFilter => ReceivedOn,
        /// By the bank's or the customer's reference.
        reference: StringFilter => Reference,
        /// By when it was recorded.
        created_at: DateTimeFilter => CreatedAt,
    }
    /// By what payments are ordered.
    order PaymentOrder by PaymentOrderField {
        /// By the day the money came in.
        ReceivedOn,
        /// By amount in minor units; sensible within one currency.
        Amount,
        /// By when it was recorded.
        CreatedAt,
    }
}

/// Money received from a customer.
#[derive(Clone, Debug)]
pub struct Payment(pub payment::Model);

impl From<payment::Model> for Payment {
    fn from(row: payment::Model) -> Self {
        Self(row)
    }
}

impl Payment {
    pub(crate) async fn load(ctx: &Context<'_>, id: PaymentId) -> Result<Option<Self>, Fault> {
        Ok(payment::Entity::find_by_id(id).one(ctx.reader()).await?.map(Self))
    }

    pub(crate) async fn of(ctx: &Context<'_>, id: PaymentId) -> Result<Self, Fault> {
        let row = load(ctx, id).await?;
        row.map(Self).ok_or_else(|| Fault::coded(Code::NotFound, "the payment is gone"))
    }

    async fn receipt_of(
        &self,
        ctx: &Context<'_>,
        kind: receipt::Kind,
    ) -> Result<Option<Receipt>, Fault> {
        let mut rows = load(ctx, ReceiptsOf(self.0.id)).await?.into_iter().flatten();
        Ok(rows.find(|row| row.kind == kind).map(Receipt))
    }
}

/// Money received from a customer.
#[Object]
impl Payment {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Counts up with every change.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Who paid.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Customer, Fault> {
        Customer::of(ctx, self.0.customer_id).await
    }

    /// Whether it holds.
    async fn state(&self) -> PaymentState {
        self.0.state.into()
    }

    /// How the money came in.
    async fn method(&self) -> PaymentMethod {
        self.0.method.into()
    }

    /// How much came in.
    async fn amount(&self) -> Money {
        Amount::new(self.0.amount, self.0.currency).into()
    }

    /// What of it settles invoices.
    async fn allocated(&self) -> Money {
        Amount::new(self.0.allocated, self.0.currency).into()
    }

    /// What settles no invoice yet and is kept for the customer.
    async fn unapplied(&self) -> Money {
        self.0.unapplied().into()
    }

    /// The day the money came in.
    async fn received_on(&self) -> Date {
        Date(self.0.received_on)
    }

    /// The bank's or the customer's reference; null when there is none.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// The day it was taken back; null while it holds.
    async fn reversed_on(&self) -> Option<Date> {
        self.0.reversed_on.map(Date)
    }

    /// Why it was taken back; null while it holds.
    async fn reversal_reason(&self) -> Option<&str> {
        self.0.reversal_reason.as_deref()
    }

    /// What it settled, in the order in which it happened; negative amounts take earlier ones back.
    #[graphql(complexity = "child_complexity.saturating_mul(3).saturating_add(1)")]
    async fn allocations(&self, ctx: &Context<'_>) -> Result<Vec<Allocation>, Fault> {
        let currency = self.0.currency;
        let rows = load(ctx, AllocationsOf(self.0.id)).await?.into_iter().flatten();
        Ok(rows.map(|row| Allocation { row, currency }).collect())
    }

    /// Its receipt; null for a payment that was imported without one.
    async fn receipt(&self, ctx: &Context<'_>) -> Result<Option<Receipt>, Fault> {
        self.receipt_of(ctx, receipt::Kind::Receipt).await
    }

    /// The document that cancels its receipt; null while it holds.
    async fn cancellation(&self, ctx: &Context<'_>) -> Result<Option<Receipt>, Fault> {
        self.receipt_of(ctx, receipt::Kind::Cancellation).await
    }

    /// When it was recorded.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// The part of a payment that settles an invoice.
#[derive(Clone, Debug)]
pub struct Allocation {
    /// The row.
    pub row: allocation::Model,
    /// The currency of both payment and invoice.
    pub currency: Currency,
}

/// The part of a payment that settles an invoice.
#[Object]
impl Allocation {
    /// Its id.
    async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Of which payment.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment, Fault> {
        Payment::of(ctx, self.row.payment_id).await
    }

    /// On which invoice.
    async fn invoice(&self, ctx: &Context<'_>) -> Result<Invoice, Fault> {
        Invoice::of(ctx, self.row.invoice_id).await
    }

    /// How much; negative when it takes an earlier allocation back.
    async fn amount(&self) -> Money {
        Amount::new(self.row.amount, self.currency).into()
    }

    /// What was still open of the invoice right after it.
    async fn open_after(&self) -> Money {
        Amount::new(self.row.open_after, self.currency).into()
    }

    /// The day it counts for.
    async fn allocated_on(&self) -> Date {
        Date(self.row.allocated_on)
    }
}

/// Reading payments.
#[derive(Default)]
pub struct PaymentQuery;

/// Reading payments.
#[Object]
impl PaymentQuery {
    /// One payment; null when there is none with the id.
    #[graphql(guard = "Can(Permission::ReadFinance)")]
    async fn payment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The payment's id.")] id: ID,
    ) -> Result<Option<Payment>, Fault> {
        match PaymentId::parse(&id) {
            Some(id) => Payment::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Payments, first recorded first unless an order is given.
    #[graphql(
        guard = "Can(Permission::ReadFinance)",
        complexity = "crate::schema::list_cost(first, last, child_complexity)"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn payments(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 0 to 100, 25 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which payments.")] filter: Option<PaymentFilter>,
        #[graphql(desc = "In which order; later entries decide among equals.")] order_by: Option<
            Vec<PaymentOrder>,
        >,
    ) -> Result<PaymentConnection, Fault> {
        let args = PageArgs { first, after, last, before };
        page(ctx, payment::Entity::find(), args, filter, order_by).await
    }
}

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
        allocations.push(NewAllocation { invoice, amount: allocation.amount });
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
        let amount =
            self.amount.parse().map_err(|error| refused(error.into()).unwrap_or_default())?;
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
        payment: Payment
    }
}

payload! {
    /// What came of allocating a payment.
    AllocatePaymentPayload {
        /// The payment as it is now; null when it was refused.
        payment: Payment
    }
}

payload! {
    /// What came of reversing a payment.
    ReversePaymentPayload {
        /// The payment as it is now; null when it was refused.
        payment: Payment
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
        RecordPaymentPayload::after(ctx, outcome).await
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
        AllocatePaymentPayload::after(ctx, outcome).await
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
        ReversePaymentPayload::after(ctx, outcome).await
    }
}
