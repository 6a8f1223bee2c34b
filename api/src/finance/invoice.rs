//! Invoices: lists, and what is open.

mod mutation;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::finance::{invoice, invoice_line, ledger};
use entity::id::{Id, InvoiceId};
use entity::money::{Currency, Money as Amount};
use rust_decimal::Decimal as Exact;
use sea_orm::EntityTrait;

use super::{Allocation, CreditNote};
use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::customers::{Customer, CustomerFilter};
use crate::error::Fault;
use crate::http::errors::Code;
use crate::id::global;
use crate::list::{
    BooleanFilter, DateFilter, DateTimeFilter, EnumFilter, IdFilter, MoneyFilter, PageArgs,
    StringFilter, list, page,
};
use crate::loader::{AllocationsTo, CreditNotesOf, LinesOf, load};
use crate::scalar::{CurrencyCode, Date, Decimal, Money};

pub use mutation::InvoiceMutation;

choice! {
    /// How far an invoice is settled.
    InvoiceState mirrors invoice::State as "entity::finance::invoice::State" {
        /// Something of it is still to be paid.
        Open,
        /// Paid, or credited, or both.
        Paid,
        /// Taken back as a whole.
        Void,
    }
}

list! {
    invoice as Invoice in InvoiceConnection of InvoiceEdge;
    /// Which invoices a list has. All that is given has to hold.
    filter InvoiceFilter {
        /// By id.
        id: IdFilter => Id,
        /// By number.
        number: StringFilter => Number,
        /// By the customer's id.
        customer_id: IdFilter => CustomerId,
        /// By what holds for the customer.
        customer: CustomerFilter => CustomerId,
        /// By how far it is settled.
        state: EnumFilter<InvoiceState> => State,
        /// By total, within one currency.
        total: MoneyFilter => Total,
        /// By its date.
        issued_on: DateFilter => IssuedOn,
        /// By when it has to be paid.
        due_on: DateFilter => DueOn,
        /// By whether the customer disputes it.
        disputed: BooleanFilter => Disputed,
        /// By when it was added.
        created_at: DateTimeFilter => CreatedAt,
    }
    /// By what invoices are ordered.
    order InvoiceOrder by InvoiceOrderField {
        /// By number.
        Number,
        /// By its date.
        IssuedOn,
        /// By when it has to be paid.
        DueOn,
        /// By total in minor units; sensible within one currency.
        Total,
        /// By when it was added.
        CreatedAt,
    }
}

/// An invoice. Once issued, what it says never changes; credit notes take it back.
#[derive(Clone, Debug)]
pub struct Invoice(pub invoice::Model);

impl From<invoice::Model> for Invoice {
    fn from(row: invoice::Model) -> Self {
        Self(row)
    }
}

impl Invoice {
    pub(crate) async fn load(ctx: &Context<'_>, id: InvoiceId) -> Result<Option<Self>, Fault> {
        Ok(invoice::Entity::find_by_id(id).one(ctx.reader()).await?.map(Self))
    }

    pub(crate) async fn of(ctx: &Context<'_>, id: InvoiceId) -> Result<Self, Fault> {
        let row = load(ctx, id).await?;
        row.map(Self).ok_or_else(|| Fault::coded(Code::NotFound, "the invoice is gone"))
    }

    fn amount(&self, minor: i64) -> Money {
        Amount::new(minor, self.0.currency).into()
    }
}

/// An invoice. Once issued, what it says never changes; credit notes take it back.
#[Object]
impl Invoice {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Counts up with every change of what is paid or credited.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// Its number: gapless in its year, or another system's for an imported one.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// Who owes it.
    async fn customer(&self, ctx: &Context<'_>) -> Result<Customer, Fault> {
        Customer::of(ctx, self.0.customer_id).await
    }

    /// How far it is settled.
    async fn state(&self) -> InvoiceState {
        self.0.state.into()
    }

    /// Its currency.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// What it comes to without tax.
    async fn net(&self) -> Money {
        self.amount(self.0.net)
    }

    /// The tax in it.
    async fn tax(&self) -> Money {
        self.amount(self.0.tax)
    }

    /// What it comes to with tax.
    async fn total(&self) -> Money {
        self.amount(self.0.total)
    }

    /// What was paid of it.
    async fn paid(&self) -> Money {
        self.amount(self.0.paid)
    }

    /// What credit notes took back of it.
    async fn credited(&self) -> Money {
        self.amount(self.0.credited)
    }

    /// What is still to be paid: total less paid less credited.
    async fn open(&self) -> Money {
        self.0.open().into()
    }

    /// Its date.
    async fn issued_on(&self) -> Date {
        Date(self.0.issued_on)
    }

    /// When it has to be paid.
    async fn due_on(&self) -> Date {
        Date(self.0.due_on)
    }

    /// Whether the customer disputes it.
    async fn disputed(&self) -> bool {
        self.0.disputed
    }

    /// The customer's order number or the like; null when there is none.
    async fn reference(&self) -> Option<&str> {
        self.0.reference.as_deref()
    }

    /// What it is for, in the order of the document.
    #[graphql(complexity = "child_complexity.saturating_mul(10).saturating_add(1)")]
    async fn lines(&self, ctx: &Context<'_>) -> Result<Vec<InvoiceLine>, Fault> {
        let currency = self.0.currency;
        let rows = load(ctx, LinesOf(self.0.id)).await?.into_iter().flatten();
        Ok(rows.map(|row| InvoiceLine { row, currency }).collect())
    }

    /// What settled it, in the order in which it happened; negative amounts take earlier ones back.
    #[graphql(complexity = "child_complexity.saturating_mul(3).saturating_add(1)")]
    async fn allocations(&self, ctx: &Context<'_>) -> Result<Vec<Allocation>, Fault> {
        let currency = self.0.currency;
        let rows = load(ctx, AllocationsTo(self.0.id)).await?.into_iter().flatten();
        Ok(rows.map(|row| Allocation { row, currency }).collect())
    }

    /// What took it back, in the order in which it happened.
    #[graphql(complexity = "child_complexity.saturating_mul(2).saturating_add(1)")]
    async fn credit_notes(&self, ctx: &Context<'_>) -> Result<Vec<CreditNote>, Fault> {
        let rows = load(ctx, CreditNotesOf(self.0.id)).await?;
        Ok(rows.into_iter().flatten().map(CreditNote).collect())
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }
}

/// A line of an invoice.
#[derive(Clone, Debug)]
pub struct InvoiceLine {
    row: invoice_line::Model,
    currency: Currency,
}

/// A line of an invoice.
#[Object]
impl InvoiceLine {
    /// Its id.
    async fn id(&self) -> ID {
        global(self.row.id)
    }

    /// Its place, from 1.
    async fn position(&self) -> i32 {
        self.row.position
    }

    /// What was sold.
    async fn description(&self) -> &str {
        &self.row.description
    }

    /// How much of it, with up to three decimals.
    async fn quantity(&self) -> Decimal {
        Decimal(Exact::new(self.row.quantity_milli, 3).normalize())
    }

    /// The price of one, without tax.
    async fn unit_price(&self) -> Money {
        Amount::new(self.row.unit_price, self.currency).into()
    }

    /// The tax rate as a fraction: `0.1` is 10 %.
    async fn tax_rate(&self) -> Decimal {
        Decimal(Exact::new(self.row.tax_rate_bp.into(), 4).normalize())
    }
}

/// Reading invoices.
#[derive(Default)]
pub struct InvoiceQuery;

/// Reading invoices.
#[Object]
impl InvoiceQuery {
    /// One invoice; null when there is none with the id.
    #[graphql(guard = "Can(Permission::ReadFinance)")]
    async fn invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: ID,
    ) -> Result<Option<Invoice>, Fault> {
        match InvoiceId::parse(&id) {
            Some(id) => Invoice::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Invoices, first added first unless an order is given.
    #[graphql(
        guard = "Can(Permission::ReadFinance)",
        complexity = "crate::schema::list_cost(first, last, child_complexity)"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn invoices(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 0 to 100, 25 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which invoices.")] filter: Option<InvoiceFilter>,
        #[graphql(desc = "In which order; later entries decide among equals.")] order_by: Option<
            Vec<InvoiceOrder>,
        >,
    ) -> Result<InvoiceConnection, Fault> {
        let args = PageArgs { first, after, last, before };
        page(ctx, invoice::Entity::find(), args, filter, order_by).await
    }

    /// What all customers together owe on invoices at the end of `asOf` (now when absent), one amount
    /// per currency.
    #[graphql(guard = "Can(Permission::ReadFinance)", complexity = "10")]
    async fn open_receivables(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day at whose end the amount is taken; now when absent.")]
        as_of: Option<Date>,
    ) -> Result<Vec<Money>, Fault> {
        let open = ledger::open_receivables(ctx.reader(), as_of.map(|day| day.0)).await?;
        Ok(open.into_iter().map(Into::into).collect())
    }
}
