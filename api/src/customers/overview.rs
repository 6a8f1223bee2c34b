//! One query for a customer's page: what it owes, and the latest of what happened.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, NaiveDate, Utc};
use entity::access::{Permission, organisation};
use entity::automation::message;
use entity::catalog::{self, Cataloged};
use entity::collaboration::note;
use entity::customers::{customer, overview};
use entity::finance::payment;
use entity::id::{CustomerId, Id};
use entity::money::Money as Amount;
use sea_orm::ConnectionTrait;

use crate::context::{Ask, Can};
use crate::error::{Fault, refused};
use crate::read::Fetched;
use crate::scalar::Money;

/// What a customer still has to pay in one currency.
#[derive(SimpleObject)]
pub struct OpenInvoices {
    /// How many invoices are open.
    count: i32,
    /// What is still to be paid of them.
    amount: Money,
    /// How many of them are overdue today, by the organisation's calendar.
    overdue_count: i32,
    /// What is still to be paid of those.
    overdue: Money,
    /// When the first of the open ones has or had to be paid.
    first_due_on: NaiveDate,
}

/// All around one customer.
#[derive(SimpleObject)]
pub struct Customer360 {
    /// The customer; its balances, contacts and timeline are fields of it.
    customer: Fetched<customer::Entity>,
    /// What it still has to pay, by currency; null when your role does not read that of this customer.
    open_invoices: Option<Vec<OpenInvoices>>,
    /// The payment that was recorded last and holds; null when there is none that you may see.
    last_payment: Fetched<payment::Entity>,
    /// The message that was accepted last; null when there is none that you may see.
    last_message: Fetched<message::Entity>,
    /// When a message to it was last accepted; null when none was yet.
    last_contact_at: Option<DateTime<Utc>>,
    /// The message that will be sent next; null when none is planned that you may see.
    next_message: Fetched<message::Entity>,
    /// The note that was written last; null when there is none.
    last_note: Fetched<note::Entity>,
}

/// Customers as a whole.
#[derive(Default)]
pub struct OverviewQuery;

/// Customers as a whole.
#[Object]
impl OverviewQuery {
    /// All around one customer; null when there is none with the id that you may see.
    #[graphql(guard = "Can(Permission::ReadCustomers)", complexity = "10 + child_complexity")]
    async fn customer360(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The customer's id.")] id: ID,
    ) -> Result<Option<Customer360>, Fault> {
        let (viewer, db) = (ctx.viewer()?, ctx.reader());
        let Some(id) = CustomerId::parse(&id) else { return Ok(None) };
        let record = customer::Entity::record();
        let backend = db.get_database_backend();
        let mut seen = catalog::by_keys(backend, record, &viewer, &["id"], ("id", &[id.0]), None);
        if db.query_one(&seen).await?.is_none() {
            return Ok(None);
        }
        seen.cond_where(record.reached(&viewer, Permission::ReadFinance, false));
        let reads_finance = db.query_one(&seen).await?.is_some();
        let latest = overview::latest(db, id);
        let open = async {
            if !reads_finance {
                return Ok(None);
            }
            let today = match organisation::get(db).await {
                Ok(organisation) => organisation.today(ctx.now()),
                Err(error) => {
                    return Err(match refused(error) {
                        Ok(_) => Fault::bad_request("the organisation is not set up yet"),
                        Err(fault) => fault,
                    });
                }
            };
            Ok(Some(overview::open(db, id, today).await?))
        };
        let (latest, open) = futures::try_join!(async { Ok(latest.await?) }, open)?;
        Ok(Some(Customer360 {
            customer: Fetched::of(id),
            open_invoices: open.map(|open| open.into_iter().map(OpenInvoices::from).collect()),
            last_payment: fetched(latest.payment),
            last_message: fetched(latest.message),
            last_contact_at: latest.contact_at,
            next_message: fetched(latest.planned),
            last_note: fetched(latest.note),
        }))
    }
}

fn fetched<E, I: Id>(id: Option<I>) -> Fetched<E> {
    id.map_or_else(Fetched::nothing, Fetched::of)
}

impl From<overview::Open> for OpenInvoices {
    fn from(open: overview::Open) -> Self {
        let count = |count: i64| i32::try_from(count).unwrap_or(i32::MAX);
        Self {
            count: count(open.invoices),
            amount: Amount::new(open.amount, open.currency).into(),
            overdue_count: count(open.overdue_invoices),
            overdue: Amount::new(open.overdue, open.currency).into(),
            first_due_on: open.first_due_on,
        }
    }
}
