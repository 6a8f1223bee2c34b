//! Products: what there is to sell, at what price.

use sea_orm::entity::prelude::*;

use crate::access::Permission;
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::{parse_required, parse_text};
use crate::edit::edited;
use crate::id::{ProductId, UserId};
use crate::money::Currency;
use crate::search::searched;

/// A product.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "product")]
#[expect(missing_docs, reason = "the catalogue says below what each column is")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ProductId,
    pub code: String,
    pub name: String,
    pub description: Option<String>,
    pub unit: Option<String>,
    pub price: i64,
    pub currency: Currency,
    pub tax_rate_bp: i32,
    pub active: bool,
    pub search_text: String,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub created_by: Option<UserId>,
    pub updated_at: DateTimeUtc,
    pub updated_by: Option<UserId>,
    pub version: i32,
}

catalog! {
    /// A product: goods or a service, as it is offered now. What was sold keeps its own price.
    Product (product, products) of Entity, read by Permission::ReadProducts,
        deleted by Column::DeletedAt, versioned by Column::Version, with history;
    /// Words that occur in code or name, without regard to case and diacritics. Every word has to occur.
    search: search(),
    /// What people and documents know it by; unique.
    code: text(Column::Code).filtered().ordered().unique(),
    /// What it is called.
    name: text(Column::Name).filtered().ordered(),
    /// What there is to say about it; null when nothing is.
    description: text(Column::Description),
    /// What it is counted in, such as `kg` or `giờ`; null for pieces.
    unit: text(Column::Unit).filtered(),
    /// The price of one, without tax. As an order it is sensible within one currency.
    price: money(Column::Price).filtered().ordered(),
    /// The price's currency.
    currency: currency(Column::Currency).filtered().grouped(),
    /// The tax rate as a fraction: `0.1` is 10 %.
    tax_rate: decimal(Column::TaxRateBp, 4),
    /// Whether it is on offer.
    active: truth(Column::Active).filtered().grouped(),
    /// Whether you may change and delete it.
    viewer_can_update: reach(Permission::WriteProducts),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out unless their filter
    /// compares this.
    deleted_at: instant(Column::DeletedAt).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
}

edited!(
    ProductId, ProductCreated / ProductUpdated / ProductDeleted,
    { search_text: String::new(), deleted_at: None }, deleted by deleted_at / ProductRestored
);

impl Model {
    fn check(&mut self, check: &mut Check) {
        check.put(parse_required("code", &self.code, 64), &mut self.code);
        check.put(parse_required("name", &self.name, 200), &mut self.name);
        check.put(parse_text("description", self.description.take(), 2_000), &mut self.description);
        check.put(parse_text("unit", self.unit.take(), 16), &mut self.unit);
        check.that(self.price >= 0, "price", "a price is not negative");
        self.search_text = searched([Some(&self.code), Some(&self.name)]);
    }
}
