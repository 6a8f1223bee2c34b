//! Which invoices reached which level, and with which notice. Append-only.

use sea_orm::entity::prelude::*;

use super::notice;
use crate::access::Permission;
use crate::catalog::catalog;
use crate::customers::customer::Channel;
use crate::finance::invoice;
use crate::id::{DunningItemId, DunningNoticeId, InvoiceId, UserId};

/// That an invoice reached a level.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dunning_item")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DunningItemId,
    /// With which notice.
    pub notice_id: DunningNoticeId,
    /// Which invoice.
    pub invoice_id: InvoiceId,
    /// The way the notice goes.
    pub channel: Channel,
    /// Which level, counted from 1.
    pub level: i32,
    /// How many days after it was due; negative before.
    pub days_late: i32,
    /// What could be asked for of it then, in minor units of its currency.
    pub open: i64,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// An item is in its invoice's currency.
const CURRENCY: &str = "(SELECT currency FROM invoice WHERE invoice.id = dunning_item.invoice_id)";

catalog! {
    /// That an invoice reached a level of a ladder.
    DunningItem of Entity, read by Permission::ReadFinance,
        part of Column::NoticeId => notice::Entity;
    /// Its id.
    id: id::<DunningItemId>(),
    /// The notice.
    notice: one::<notice::Entity>(Column::NoticeId),
    /// The invoice.
    invoice: one::<invoice::Entity>(Column::InvoiceId),
    /// The level, counted from 1.
    level: whole(Column::Level),
    /// How many days after the invoice was due that was; negative before.
    days_late: whole(Column::DaysLate),
    /// What could be asked for of it then: open and not disputed.
    open: money(Column::Open).in_currency(CURRENCY),
    /// When.
    created_at: instant(Column::CreatedAt),
}
