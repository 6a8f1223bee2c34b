//! Everything that refers to a customer, so that nothing is forgotten when one is merged, purged or anonymised.
//!
//! Invariant: a column that refers to a customer stands here; a test looks for them in the database.

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Query};

use crate::error::Error;
use crate::id::CustomerId;

/// What becomes of a row when the customer that it refers to is purged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// It goes with the customer.
    Belongs,
    /// It stays, and forgets the customer.
    Noted,
    /// It has to be kept, and the customer with it.
    Kept,
}

/// What becomes of a row when the customer that it refers to is anonymised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// It goes.
    Goes,
    /// It stays, and what says who the customer is goes.
    Fades,
    /// It stays as it is: it says nothing of a person, or has to be kept by law.
    Stays,
}

/// What becomes of a row when the customer that it refers to becomes part of another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Move {
    /// It refers to the other one from then on.
    Refer,
    /// It never changes; a posting carries its amount over.
    Post,
    /// It goes: the other one has its own.
    Leave,
}

/// A column that refers to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Its table.
    pub table: &'static str,
    /// Its name.
    pub column: &'static str,
    /// What becomes of its rows in a purge.
    pub tie: Tie,
    /// What becomes of its rows when the customer is anonymised.
    pub trace: Trace,
    /// What becomes of its rows in a merge.
    pub merge: Move,
}

const fn refer(table: &'static str, column: &'static str, tie: Tie, trace: Trace) -> Reference {
    Reference { table, column, tie, trace, merge: Move::Refer }
}

/// Every column that refers to a customer; what refers to another one of these comes before it. Events come
/// first: who is just planning what has to be sent of one holds it, and what was planned is seen afterwards.
pub const REFERENCES: &[Reference] = &[
    refer("event", "customer_id", Tie::Noted, Trace::Stays),
    refer("workflow_run", "customer_id", Tie::Belongs, Trace::Stays),
    refer("message", "customer_id", Tie::Belongs, Trace::Fades),
    refer("call", "customer_id", Tie::Belongs, Trace::Goes),
    refer("appointment", "customer_id", Tie::Belongs, Trace::Goes),
    refer("contact", "customer_id", Tie::Belongs, Trace::Goes),
    refer("address", "customer_id", Tie::Belongs, Trace::Goes),
    refer("note", "customer_id", Tie::Belongs, Trace::Goes),
    refer("task", "customer_id", Tie::Belongs, Trace::Goes),
    refer("consent", "customer_id", Tie::Belongs, Trace::Goes),
    refer("document", "customer_id", Tie::Belongs, Trace::Goes),
    refer("webhook_delivery", "customer_id", Tie::Belongs, Trace::Goes),
    Reference {
        merge: Move::Leave,
        ..refer("segment_member", "customer_id", Tie::Belongs, Trace::Goes)
    },
    Reference {
        merge: Move::Leave,
        ..refer("credit_limit", "customer_id", Tie::Belongs, Trace::Goes)
    },
    refer("sales_order", "customer_id", Tie::Kept, Trace::Stays),
    refer("dispute", "customer_id", Tie::Kept, Trace::Stays),
    refer("promise", "customer_id", Tie::Kept, Trace::Stays),
    refer("dunning_notice", "customer_id", Tie::Kept, Trace::Stays),
    refer("statement", "customer_id", Tie::Kept, Trace::Stays),
    refer("credit_note", "customer_id", Tie::Kept, Trace::Stays),
    refer("payment", "customer_id", Tie::Kept, Trace::Stays),
    refer("invoice", "customer_id", Tie::Kept, Trace::Stays),
    Reference {
        merge: Move::Post,
        ..refer("ledger_entry", "customer_id", Tie::Kept, Trace::Stays)
    },
    refer("customer", "merged_into_id", Tie::Belongs, Trace::Fades),
];

impl Reference {
    /// The rows that refer to one of `customers`.
    pub(super) fn is_in(&self, customers: impl IntoIterator<Item = CustomerId>) -> Expr {
        Expr::col(Alias::new(self.column)).is_in(customers.into_iter().map(|id| id.0))
    }

    /// Lets the rows that refer to one of `from` refer to `to`.
    pub(super) async fn set(
        &self,
        txn: &impl ConnectionTrait,
        from: impl IntoIterator<Item = CustomerId>,
        to: Option<CustomerId>,
    ) -> Result<(), Error> {
        let mut update = Query::update();
        update
            .table(Alias::new(self.table))
            .value(Alias::new(self.column), to.map(|id| id.0))
            .and_where(self.is_in(from));
        txn.execute(&update).await?;
        Ok(())
    }

    /// Removes the rows that refer to one of `customers`.
    pub(super) async fn remove(
        &self,
        txn: &impl ConnectionTrait,
        customers: impl IntoIterator<Item = CustomerId>,
    ) -> Result<(), Error> {
        let mut delete = Query::delete();
        delete.from_table(Alias::new(self.table)).and_where(self.is_in(customers));
        txn.execute(&delete).await?;
        Ok(())
    }
}
