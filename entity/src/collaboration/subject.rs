//! What documents are kept with: a customer, an invoice or a payment.
//!
//! Invariant: who may see a document is who may see what it is kept with; who may change that may change
//! its documents too.

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::Value as Json;
use uuid::Uuid;

use super::{CollaborationError, document};
use crate::access::{Permission, Viewer};
use crate::catalog::{Cataloged, Record};
use crate::customers::customer;
use crate::error::Error;
use crate::finance::{invoice, payment};
use crate::id::{AnyId, CustomerId, DocumentId, Id, InvoiceId, PaymentId};

/// A record that documents are kept with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A customer.
    Customer(CustomerId),
    /// An invoice.
    Invoice(InvoiceId),
    /// A payment.
    Payment(PaymentId),
}

impl Subject {
    fn parts(self) -> (&'static Record, Uuid, Permission) {
        match self {
            Self::Customer(id) => (customer::Entity::record(), id.0, Permission::WriteCustomers),
            Self::Invoice(id) => (invoice::Entity::record(), id.0, Permission::WriteInvoices),
            Self::Payment(id) => (payment::Entity::record(), id.0, Permission::WritePayments),
        }
    }

    /// Makes sure that it exists and that `viewer` may change its documents.
    ///
    /// # Errors
    /// [`CollaborationError::SubjectNotFound`] for what they do not see or what is deleted,
    /// [`AccessError::Forbidden`](crate::access::AccessError::Forbidden) for what they see only.
    pub async fn ensure(self, db: &impl ConnectionTrait, viewer: &Viewer) -> Result<(), Error> {
        let (record, id, permission) = self.parts();
        let mut query = Query::select();
        query
            .expr(Expr::val(1))
            .from(record.table)
            .and_where(record.column("id").eq(id))
            .cond_where(record.visible(viewer))
            .cond_where(record.listed(&Json::Null));
        if db.query_one(&query).await?.is_none() {
            return Err(CollaborationError::SubjectNotFound.into());
        }
        record.ensure(db, viewer, permission, id).await
    }
}

/// Where a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// It becomes a new document.
    New(Subject),
    /// It becomes the next version of a document.
    VersionOf(DocumentId),
}

impl Target {
    /// What an id from outside means as a target.
    #[must_use]
    pub fn parse(id: &str) -> Option<Self> {
        match AnyId::parse(id)? {
            AnyId::CustomerId(id) => Some(Self::New(Subject::Customer(id))),
            AnyId::InvoiceId(id) => Some(Self::New(Subject::Invoice(id))),
            AnyId::PaymentId(id) => Some(Self::New(Subject::Payment(id))),
            AnyId::DocumentId(id) => Some(Self::VersionOf(id)),
            _ => None,
        }
    }

    /// The id that [`Target::parse`] reads.
    #[must_use]
    pub fn global(self) -> String {
        match self {
            Self::New(Subject::Customer(id)) => id.global(),
            Self::New(Subject::Invoice(id)) => id.global(),
            Self::New(Subject::Payment(id)) => id.global(),
            Self::VersionOf(id) => id.global(),
        }
    }

    /// Makes sure that it exists and that `viewer` may put a file there.
    ///
    /// # Errors
    /// As [`Subject::ensure`], and [`Error::NoSuch`].
    pub async fn ensure(self, db: &impl ConnectionTrait, viewer: &Viewer) -> Result<(), Error> {
        match self {
            Self::New(subject) => subject.ensure(db, viewer).await,
            Self::VersionOf(id) => document::get(db, id).await?.ensure(db, viewer).await,
        }
    }
}
