//! Customers: lists and balances.

mod mutation;

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::customers::customer;
use entity::id::{CustomerId, Id};
use entity::money::Money as Amount;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};

use super::{Address, Contact};
use crate::access::User;
use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::error::Fault;
use crate::http::errors::Code;
use crate::id::global;
use crate::list::{DateTimeFilter, EnumFilter, IdFilter, PageArgs, StringFilter, list, page};
use crate::loader::{AddressesOf, BalancesOf, ContactsOf, load};
use crate::scalar::{CurrencyCode, Date, Money};

pub use mutation::CustomerMutation;

choice! {
    /// What kind of party a customer is.
    CustomerKind mirrors customer::Kind as "entity::customers::customer::Kind" {
        /// A company, an authority, an association.
        Organisation,
        /// A natural person.
        Person,
    }
}

choice! {
    /// How far the relation with a customer has come.
    LifecycleStage mirrors customer::LifecycleStage as "entity::customers::customer::LifecycleStage" {
        /// Has bought nothing yet.
        Prospect,
        /// Has bought.
        Customer,
        /// Buys again and again.
        Regular,
        /// Has not bought for long.
        Lapsed,
    }
}

choice! {
    /// A way to reach a customer.
    Channel mirrors customer::Channel as "entity::customers::customer::Channel" {
        /// E-mail.
        Email,
        /// Text message.
        Sms,
        /// Telephone call.
        Phone,
        /// Letter by post.
        Letter,
        /// Fax.
        Fax,
        /// The web site.
        Web,
        /// A shop or branch.
        Store,
        /// A visit at the customer's.
        FieldVisit,
    }
}

list! {
    customer as Customer in CustomerConnection of CustomerEdge;
    /// Which customers a list has. All that is given has to hold.
    filter CustomerFilter {
        /// Words that occur in name, number, e-mail address or telephone number, without regard to
        /// case and diacritics: `nguyen` finds `Nguyễn`.
        search: String => SearchText,
        /// By id.
        id: IdFilter => Id,
        /// By the number that people know it by.
        number: StringFilter => Number,
        /// By name, exactly as written.
        display_name: StringFilter => DisplayName,
        /// By e-mail address.
        email: StringFilter => Email,
        /// By kind of party.
        kind: EnumFilter<CustomerKind> => Kind,
        /// By lifecycle stage.
        stage: EnumFilter<LifecycleStage> => Stage,
        /// By preferred channel.
        preferred_channel: EnumFilter<Channel> => PreferredChannel,
        /// By who looks after it.
        owner_id: IdFilter => OwnerId,
        /// By when it was added.
        created_at: DateTimeFilter => CreatedAt,
        /// By when it was last changed.
        updated_at: DateTimeFilter => UpdatedAt,
    }
    /// By what customers are ordered.
    order CustomerOrder by CustomerOrderField {
        /// By name.
        DisplayName,
        /// By number.
        Number,
        /// By when they were added.
        CreatedAt,
        /// By when they were last changed.
        UpdatedAt,
    }
}

/// A customer: an organisation or a person, from the first contact on.
#[derive(Clone, Debug)]
pub struct Customer(pub customer::Model);

impl From<customer::Model> for Customer {
    fn from(row: customer::Model) -> Self {
        Self(row)
    }
}

impl Customer {
    /// The customer, unless it is deleted.
    pub(crate) async fn load(ctx: &Context<'_>, id: CustomerId) -> Result<Option<Self>, Fault> {
        let row = customer::Entity::find_by_id(id).filter(customer::Column::DeletedAt.is_null());
        Ok(row.one(ctx.reader()).await?.map(Self))
    }

    /// The customer of a record that has one for certain.
    pub(crate) async fn of(ctx: &Context<'_>, id: CustomerId) -> Result<Self, Fault> {
        let row = load(ctx, id).await?;
        row.map(Self).ok_or_else(|| Fault::coded(Code::NotFound, "the customer is gone"))
    }
}

/// A customer: an organisation or a person, from the first contact on.
#[Object]
impl Customer {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Counts up with every change; give it back as `expectedVersion`.
    async fn version(&self) -> i32 {
        self.0.version
    }

    /// The number that people and other systems know it by; null when it has none.
    async fn number(&self) -> Option<&str> {
        self.0.number.as_deref()
    }

    /// What kind of party it is.
    async fn kind(&self) -> CustomerKind {
        self.0.kind.into()
    }

    /// How far the relation has come.
    async fn stage(&self) -> LifecycleStage {
        self.0.stage.into()
    }

    /// What it is called.
    async fn display_name(&self) -> &str {
        &self.0.display_name
    }

    /// Who looks after it; null when nobody does.
    async fn owner(&self, ctx: &Context<'_>) -> Result<Option<User>, Fault> {
        match self.0.owner_id {
            Some(owner) => Ok(load(ctx, owner).await?.map(User)),
            None => Ok(None),
        }
    }

    /// How it likes to be reached; null when it has not said.
    async fn preferred_channel(&self) -> Option<Channel> {
        self.0.preferred_channel.map(Into::into)
    }

    /// Where mail reaches it; null when it is not known. Receipts go to its billing contacts first.
    async fn email(&self) -> Option<&str> {
        self.0.email.as_deref()
    }

    /// Where calls reach it; null when it is not known.
    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    /// Its tax number, as documents show it; null when it is not known.
    async fn tax_number(&self) -> Option<&str> {
        self.0.tax_number.as_deref()
    }

    /// The language it is written to in, as a tag such as `vi` or `en-GB`.
    async fn language(&self) -> &str {
        &self.0.language
    }

    /// The IANA time zone it lives in, such as `Asia/Ho_Chi_Minh`.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// The currency it is usually invoiced in.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// What it owes in `currency` (its own when absent) at the end of `asOf` (now when absent):
    /// open invoices less money received that settles none yet. Negative: we owe it.
    #[graphql(guard = "Can(Permission::ReadFinance)", complexity = "2")]
    async fn balance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "An ISO 4217 code; the customer's own currency when absent.")]
        currency: Option<CurrencyCode>,
        #[graphql(desc = "The day at whose end the balance is taken; now when absent.")]
        as_of: Option<Date>,
    ) -> Result<Money, Fault> {
        let currency = currency.map_or(self.0.currency, |code| code.0);
        let balances = load(ctx, BalancesOf(self.0.id, as_of.map(|day| day.0))).await?;
        let mut balances = balances.into_iter().flatten();
        let minor =
            balances.find(|balance| balance.currency == currency).map_or(0, |row| row.amount);
        Ok(Amount::new(minor, currency).into())
    }

    /// What it owes at the end of `asOf` (now when absent), one amount per currency it was ever
    /// invoiced in or paid in.
    #[graphql(guard = "Can(Permission::ReadFinance)", complexity = "2")]
    async fn balances(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day at whose end the balance is taken; now when absent.")]
        as_of: Option<Date>,
    ) -> Result<Vec<Money>, Fault> {
        let balances = load(ctx, BalancesOf(self.0.id, as_of.map(|day| day.0))).await?;
        let amounts = balances.into_iter().flatten();
        Ok(amounts.map(|row| Amount::new(row.amount, row.currency).into()).collect())
    }

    /// The people to talk to there.
    #[graphql(complexity = "child_complexity.saturating_mul(5).saturating_add(1)")]
    async fn contacts(&self, ctx: &Context<'_>) -> Result<Vec<Contact>, Fault> {
        let rows = load(ctx, ContactsOf(self.0.id)).await?;
        Ok(rows.into_iter().flatten().map(Contact).collect())
    }

    /// Where it is.
    #[graphql(complexity = "child_complexity.saturating_mul(5).saturating_add(1)")]
    async fn addresses(&self, ctx: &Context<'_>) -> Result<Vec<Address>, Fault> {
        let rows = load(ctx, AddressesOf(self.0.id)).await?;
        Ok(rows.into_iter().flatten().map(Address).collect())
    }

    /// When it was added.
    async fn created_at(&self) -> DateTime<Utc> {
        self.0.created_at
    }

    /// When it was last changed.
    async fn updated_at(&self) -> DateTime<Utc> {
        self.0.updated_at
    }
}

/// Reading customers.
#[derive(Default)]
pub struct CustomerQuery;

/// Reading customers.
#[Object]
impl CustomerQuery {
    /// One customer; null when there is none with the id.
    #[graphql(guard = "Can(Permission::ReadCustomers)")]
    async fn customer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
    ) -> Result<Option<Customer>, Fault> {
        match CustomerId::parse(&id) {
            Some(id) => Customer::load(ctx, id).await,
            None => Ok(None),
        }
    }

    /// Customers, oldest first unless an order is given. Deleted ones are left out.
    #[graphql(
        guard = "Can(Permission::ReadCustomers)",
        complexity = "crate::schema::list_cost(first, last, child_complexity)"
    )]
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first so many: 0 to 100, 25 when absent.")] first: Option<i32>,
        #[graphql(desc = "Only what comes after this cursor.")] after: Option<String>,
        #[graphql(desc = "The last so many: 0 to 100.")] last: Option<i32>,
        #[graphql(desc = "Only what comes before this cursor.")] before: Option<String>,
        #[graphql(desc = "Which customers.")] filter: Option<CustomerFilter>,
        #[graphql(desc = "In which order; later entries decide among equals.")] order_by: Option<
            Vec<CustomerOrder>,
        >,
    ) -> Result<CustomerConnection, Fault> {
        let base = customer::Entity::find().filter(customer::Column::DeletedAt.is_null());
        page(ctx, base, PageArgs { first, after, last, before }, filter, order_by).await
    }
}
