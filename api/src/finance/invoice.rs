//! Invoices: what is owed on them, and changing them. What is read of each is in the catalogue.

mod loss;
mod mutation;

use async_graphql::{Context, Object};
use entity::access::Permission;
use entity::finance::ledger;

use crate::choice::choice;
use crate::context::{Ask, Can};
use crate::error::Fault;
use crate::scalar::{Date, Money};

pub use loss::LossMutation;
pub use mutation::InvoiceMutation;

choice! {
    /// What an invoice is for.
    InvoiceKind mirrors "entity::finance::invoice::Kind" {
        /// What was sold.
        Invoice,
        /// A fee for another one that was not paid in time.
        LateFee,
        /// Interest for another one that was not paid in time.
        Interest,
    }
}

choice! {
    /// How far an invoice is settled.
    InvoiceState mirrors "entity::finance::invoice::State" {
        /// Something of it is still to be paid.
        Open,
        /// Paid, or credited, or both.
        Paid,
        /// Taken back as a whole.
        Void,
        /// Given up: what was still to be paid was written off.
        WrittenOff,
    }
}

choice! {
    /// What a credit note is for.
    CreditNoteKind mirrors "entity::finance::credit_note::Kind" {
        /// It takes back what was sold, and the tax on it.
        Credit,
        /// What is owed is given up; that it was earned stays, as does the tax.
        WriteOff,
        /// What was given up is owed again.
        Reinstatement,
    }
}

/// Reading what invoices come to.
#[derive(Default)]
pub struct InvoiceQuery;

/// Reading what invoices come to.
#[Object]
impl InvoiceQuery {
    /// What all customers whose invoices you may see owe together on them at the end of `asOf` (now when
    /// absent), one amount per currency.
    #[graphql(guard = "Can(Permission::ReadFinance)", complexity = "10")]
    async fn open_receivables(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The day at whose end the amount is taken; now when absent.")]
        as_of: Option<Date>,
    ) -> Result<Vec<Money>, Fault> {
        let (viewer, as_of) = (ctx.viewer()?, as_of.map(|day| day.0));
        let open = ledger::open_receivables(ctx.reader(), &viewer, as_of).await?;
        Ok(open.into_iter().map(Into::into).collect())
    }
}
