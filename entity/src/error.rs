//! Every way in which a rule can refuse. Each text says what to do; causes stay out of it.

use sea_orm::{DbErr, SqlErr};

use crate::access::AccessError;
use crate::automation::AutomationError;
use crate::catalog::CatalogError;
use crate::check::{Refusal, Refusals};
use crate::collaboration::CollaborationError;
use crate::customers::CustomersError;
use crate::finance::FinanceError;
use crate::sales::SalesError;

/// What a rule or the database refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Users, roles and the organisation.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// Customers and who belongs to them.
    #[error(transparent)]
    Customers(#[from] CustomersError),
    /// Invoices, payments and documents.
    #[error(transparent)]
    Finance(#[from] FinanceError),
    /// Products.
    #[error(transparent)]
    Sales(#[from] SalesError),
    /// Messages, jobs and repeated requests.
    #[error(transparent)]
    Automation(#[from] AutomationError),
    /// Documents, notes, views, favourites and what is followed.
    #[error(transparent)]
    Collaboration(#[from] CollaborationError),
    /// A filter or an order that cannot be carried out.
    #[error(transparent)]
    Catalog(#[from] CatalogError),
    /// Values that are not what their fields take.
    #[error("{0}")]
    Invalid(Refusals),
    /// The record was changed by somebody else meanwhile.
    #[error(
        "the record was changed meanwhile: it has version {current}; load it again and repeat the change"
    )]
    StaleVersion {
        /// Its version now.
        current: i32,
    },
    /// The process is stopping.
    #[error("the server is stopping; try again")]
    Closed,
    /// The database went away while it wrote down that all is done.
    #[error(
        "the database was lost in the middle of this; look whether it was done, or repeat it with the same idempotencyKey"
    )]
    Unsure(#[source] DbErr),
    /// The database failed. A fault, not a refusal.
    #[error("the database failed")]
    Db(#[source] DbErr),
}

impl Error {
    /// `message` about the value of `field`.
    pub fn invalid(field: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(Refusals(vec![Refusal { field: field.into(), message: message.into() }]))
    }
}

impl From<DbErr> for Error {
    /// Named constraints are rules too; the rest is a fault.
    fn from(error: DbErr) -> Self {
        let Some(SqlErr::UniqueConstraintViolation(text)) = error.sql_err() else {
            return Self::Db(error);
        };
        // SQLite names the columns (`customer.number`), PostgreSQL the constraint.
        let named = |table: &str, column: &str| {
            text.contains(&format!("{table}_{column}_key"))
                || text.contains(&format!("{table}.{column}"))
        };
        if named("customer", "number") {
            CustomersError::NumberTaken.into()
        } else if named("custom_field", "key") {
            CustomersError::FieldKeyTaken.into()
        } else if named("user_account", "email") {
            AccessError::EmailTaken.into()
        } else if named("role", "name") || named("team", "name") {
            AccessError::NameTaken.into()
        } else if named("product", "code") {
            SalesError::CodeTaken.into()
        } else if named("invoice", "number") {
            FinanceError::NumberTaken.into()
        } else {
            Self::Db(error)
        }
    }
}
