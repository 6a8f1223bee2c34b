//! The invoices that promises to pay are about. Append-only.

use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use crate::access::Permission;
use crate::catalog::catalog;
use crate::finance::invoice;
use crate::id::{InvoiceId, PromiseId, PromiseItemId, UserId};

/// An invoice that a promise is about.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "promise_item")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PromiseItemId,
    /// Of which promise.
    pub promise_id: PromiseId,
    /// The invoice.
    pub invoice_id: InvoiceId,
    /// What was open of it and not disputed, in minor units of the currency that both have.
    pub open: i64,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// An item is in its invoice's currency.
const CURRENCY: &str = "(SELECT currency FROM invoice WHERE invoice.id = promise_item.invoice_id)";

catalog! {
    /// An invoice that a promise to pay is about.
    PromiseItem of Entity, read by Permission::ReadFinance,
        part of Column::PromiseId => super::Entity;
    /// Its id.
    id: id::<PromiseItemId>(),
    /// The promise.
    promise: one::<super::Entity>(Column::PromiseId),
    /// The invoice.
    invoice: one::<invoice::Entity>(Column::InvoiceId),
    /// What was open of it, and not disputed, when it was promised.
    open: money(Column::Open).in_currency(CURRENCY),
}

/// The invoices that promises are about.
///
/// # Errors
/// The database.
pub(super) async fn invoices(
    db: &impl ConnectionTrait,
    promises: Vec<PromiseId>,
) -> Result<Vec<InvoiceId>, DbErr> {
    let invoices = Entity::find()
        .select_only()
        .distinct()
        .column(Column::InvoiceId)
        .filter(Column::PromiseId.is_in(promises));
    invoices.into_tuple().all(db).await
}
