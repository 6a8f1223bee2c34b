//! Every way in which a rule can refuse. Each text says what to do; causes stay out of it.

use sea_orm::{DbErr, SqlErr};

use crate::access::AccessError;
use crate::automation::AutomationError;
use crate::catalog::{CatalogError, Cataloged, records, words};
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
    /// What the rules about selling refuse.
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
    /// No record of a kind has an id, or none that may be seen.
    #[error("there is no such {}", words(kind))]
    NoSuch {
        /// The kind, by its name in the catalogue.
        kind: &'static str,
        /// The path of the argument with the id, such as `["input", "teamId"]`; empty where it is not known.
        at: &'static [&'static str],
    },
    /// Another record of a kind has the value of a field, or had it and is deleted.
    #[error("another {} has this {}, or had it; choose another one", words(kind), words(field))]
    NotUnique {
        /// The kind, by its name in the catalogue.
        kind: &'static str,
        /// The field, by its name in the catalogue.
        field: &'static str,
    },
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

    /// No record of `E` has an id, or none that may be seen.
    #[must_use]
    pub fn no_such<E: Cataloged>() -> Self {
        Self::NoSuch { kind: E::record().name, at: &[] }
    }

    /// The same where the id is the argument at a path.
    #[must_use]
    pub fn at(self, at: &'static [&'static str]) -> Self {
        match self {
            Self::NoSuch { kind, .. } => Self::NoSuch { kind, at },
            other => other,
        }
    }

    /// Another record of `E` has the value of `field`.
    #[must_use]
    pub fn not_unique<E: Cataloged>(field: &'static str) -> Self {
        Self::NotUnique { kind: E::record().name, field }
    }
}

impl From<DbErr> for Error {
    /// What the catalogue calls unique is a rule too; the rest is a fault.
    fn from(error: DbErr) -> Self {
        let Some(SqlErr::UniqueConstraintViolation(text)) = error.sql_err() else {
            return Self::Db(error);
        };
        // SQLite names the columns (`customer.number`), PostgreSQL the constraint.
        let is_named = |table: &str, column: &str| {
            text.contains(&format!("{table}_{column}_key"))
                || text.contains(&format!("{table}.{column}"))
        };
        let fields = records().into_iter().flat_map(|record| {
            record.fields.iter().filter(|field| field.unique).map(move |field| (record, field))
        });
        let violated = fields.into_iter().find(|(record, field)| {
            field.column().is_some_and(|(column, _)| is_named(record.table, column))
        });
        match violated {
            Some((record, field)) => Self::NotUnique { kind: record.name, field: &field.name },
            None => Self::Db(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnectionTrait, Statement};

    use super::*;
    use crate::customers::custom::definition;
    use crate::db::Db;

    #[test]
    fn failures_name_kinds_and_fields_in_words() {
        let (missing, taken) = (
            Error::no_such::<definition::Entity>(),
            Error::not_unique::<definition::Entity>("key"),
        );
        assert_eq!(missing.to_string(), "there is no such custom field");
        let text = "another custom field has this key, or had it; choose another one";
        assert_eq!(taken.to_string(), text);
    }

    #[tokio::test]
    async fn what_the_catalogue_calls_unique_is_unique_in_the_database() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let db = Db::connect(&url, 1).await.unwrap();
        migration::migrate(db.reader()).await.unwrap();
        for record in records() {
            for field in record.fields.iter().filter(|field| field.unique) {
                let (column, _) = field.column().unwrap();
                let name = format!("{}_{column}_key", record.table);
                let sql = "SELECT sql FROM sqlite_master WHERE type = 'index' AND name = ?";
                let backend = db.reader().get_database_backend();
                let found = Statement::from_sql_and_values(backend, sql, [name.as_str().into()]);
                let made = db.reader().query_one_raw(found).await.unwrap().expect(&name);
                assert!(made.try_get::<String>("", "sql").unwrap().contains("UNIQUE"), "{name}");
            }
        }
    }
}
