//! Payments: lists, and what they settle.

mod mutation;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::finance::{allocation, payment, receipt};
use entity::id::{Id, PaymentId};
use entity::money::{Currency, Money as Amount};
use sea_orm::EntityTrait;

use super::{Invoice, Receipt};
use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::customers::{Customer, CustomerFilter};
use crate::error::Fault;
use crate::http::errors::Code;
use crate::id::global;
use crate::list::{
    DateFilter, DateTimeFilter, EnumFilter, IdFilter, MoneyFilter, PageArgs, StringFilter, list,
    page,
};
use crate::loader::{AllocationsOf, ReceiptsOf, load};
use crate::scalar::{Date, Money};

pub use mutation::PaymentMutation;

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
