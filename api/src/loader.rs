//! Records that belong to records: one statement per relation and level, whatever the number of rows.
//!
//! Invariant: a loader lives as long as a request, so nobody gets what was loaded for somebody else.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use async_graphql::Context;
use async_graphql::dataloader::{DataLoader, Loader};
use chrono::NaiveDate;
use entity::access::user;
use entity::automation::message;
use entity::customers::{address, contact, customer};
use entity::finance::ledger::{self, Balance};
use entity::finance::{allocation, credit_note, invoice, invoice_line, payment, receipt};
use entity::id::{CustomerId, InvoiceId, MessageId, PaymentId, ReceiptId, UserId};
use sea_orm::{ColumnTrait, DatabaseConnection, DbErr, EntityTrait, QueryFilter, QueryOrder};

use crate::context::Session;
use crate::error::Fault;

/// The loader of one request.
pub type Records = DataLoader<Batch>;

/// Loads batches from the database.
pub struct Batch(DatabaseConnection);

/// A loader for one request.
#[must_use]
pub fn records(reader: &DatabaseConnection) -> Records {
    DataLoader::new(Batch(reader.clone()), tokio::spawn)
}

/// The record or records behind `key`, loaded together with all others of the level.
///
/// # Errors
/// The database.
pub async fn load<K>(
    ctx: &Context<'_>,
    key: K,
) -> Result<Option<<Batch as Loader<K>>::Value>, Fault>
where
    K: Send + Sync + Hash + Eq + Clone + 'static,
    Batch: Loader<K, Error = Arc<DbErr>>,
{
    let loaded = ctx.data_unchecked::<Session>().records.load_one(key).await;
    loaded.map_err(|error| Fault::from(DbErr::Custom(error.to_string())))
}

/// Loads the records with some ids.
macro_rules! by_id {
    ($($module:ident: $id:ty;)+) => {
        $(impl Loader<$id> for Batch {
            type Value = $module::Model;
            type Error = Arc<DbErr>;

            async fn load(&self, ids: &[$id]) -> Result<HashMap<$id, Self::Value>, Self::Error> {
                let rows = $module::Entity::find()
                    .filter($module::Column::Id.is_in(ids.iter().copied()))
                    .all(&self.0)
                    .await?;
                Ok(rows.into_iter().map(|row| (row.id, row)).collect())
            }
        })+
    };
}

/// Loads all records that belong to some others, in the order of a column.
macro_rules! belonging {
    ($($(#[$doc:meta])* $key:ident($id:ty) => $module:ident by $column:ident $field:ident in $order:ident;)+) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub struct $key(pub $id);

        impl Loader<$key> for Batch {
            type Value = Vec<$module::Model>;
            type Error = Arc<DbErr>;

            async fn load(&self, keys: &[$key]) -> Result<HashMap<$key, Self::Value>, Self::Error> {
                let rows = $module::Entity::find()
                    .filter($module::Column::$column.is_in(keys.iter().map(|key| key.0)))
                    .order_by_asc($module::Column::$order)
                    .all(&self.0)
                    .await?;
                let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(keys.len());
                for row in rows {
                    found.entry($key(row.$field)).or_default().push(row);
                }
                Ok(found)
            }
        })+
    };
}

by_id! {
    user: UserId;
    customer: CustomerId;
    invoice: InvoiceId;
    payment: PaymentId;
    receipt: ReceiptId;
    message: MessageId;
}

belonging! {
    /// The contacts of a customer.
    ContactsOf(CustomerId) => contact by CustomerId customer_id in Id;
    /// The addresses of a customer.
    AddressesOf(CustomerId) => address by CustomerId customer_id in Id;
    /// The lines of an invoice.
    LinesOf(InvoiceId) => invoice_line by InvoiceId invoice_id in Position;
    /// The credit notes about an invoice.
    CreditNotesOf(InvoiceId) => credit_note by InvoiceId invoice_id in Id;
    /// The allocations to an invoice.
    AllocationsTo(InvoiceId) => allocation by InvoiceId invoice_id in Id;
    /// The allocations of a payment.
    AllocationsOf(PaymentId) => allocation by PaymentId payment_id in Id;
    /// The receipts for a payment.
    ReceiptsOf(PaymentId) => receipt by PaymentId payment_id in Id;
    /// The messages about a receipt.
    MessagesAbout(uuid::Uuid) => message by SubjectId subject_id in Id;
}

/// The balances of a customer at the end of a day; `None` is of all that is booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BalancesOf(pub CustomerId, pub Option<NaiveDate>);

impl Loader<BalancesOf> for Batch {
    type Value = Vec<Balance>;
    type Error = Arc<DbErr>;

    async fn load(
        &self,
        keys: &[BalancesOf],
    ) -> Result<HashMap<BalancesOf, Self::Value>, Self::Error> {
        let mut by_day: HashMap<_, Vec<_>> = HashMap::new();
        for BalancesOf(customer, day) in keys {
            by_day.entry(*day).or_default().push(*customer);
        }
        let mut found: HashMap<_, Vec<_>> = HashMap::with_capacity(keys.len());
        for (day, customers) in by_day {
            for balance in ledger::balances(&self.0, &customers, day).await? {
                found.entry(BalancesOf(balance.customer_id, day)).or_default().push(balance);
            }
        }
        Ok(found)
    }
}
