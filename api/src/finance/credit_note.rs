//! Credit notes.

use async_graphql::{ID, Object};
use entity::finance::credit_note;
use entity::money::Money as Amount;

use crate::id::global;
use crate::scalar::{Date, Money};

/// A document that takes back an invoice, wholly or in part.
#[derive(Clone, Debug)]
pub struct CreditNote(pub credit_note::Model);

impl CreditNote {
    fn amount(&self, minor: i64) -> Money {
        Amount::new(minor, self.0.currency).into()
    }
}

/// A document that takes back an invoice, wholly or in part.
#[Object]
impl CreditNote {
    /// Its id.
    async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Its number, gapless in its year.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// What it takes back, without tax.
    async fn net(&self) -> Money {
        self.amount(self.0.net)
    }

    /// The tax in it.
    async fn tax(&self) -> Money {
        self.amount(self.0.tax)
    }

    /// What it takes back, with tax.
    async fn total(&self) -> Money {
        self.amount(self.0.total)
    }

    /// Its date.
    async fn issued_on(&self) -> Date {
        Date(self.0.issued_on)
    }

    /// Why it was issued.
    async fn reason(&self) -> &str {
        &self.0.reason
    }
}
