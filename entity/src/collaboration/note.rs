//! What people write down about a customer.

use sea_orm::entity::prelude::*;

use crate::access::{Permission, user};
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::customer;
use crate::edit::edited;
use crate::error::Error;
use crate::id::{CustomerId, NoteId, UserId};
use crate::text;

/// How many characters a note has at most.
const LONGEST: usize = 10_000;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "note")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NoteId,
    /// About whom.
    pub customer_id: CustomerId,
    /// What it says.
    pub body: String,
    /// Since when it is deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

catalog! {
    /// What somebody wrote down about a customer.
    Note (note, notes) of Entity, read by Permission::ReadCustomers,
        part of Column::CustomerId => customer::Entity, deleted by Column::DeletedAt,
        versioned by Column::Version, with history;
    /// The customer it is about.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// What it says: plain text with line breaks.
    body: text(Column::Body).filtered(),
    /// Who wrote it; null when Rapport did.
    author: one::<user::Entity>(Column::CreatedBy),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out.
    deleted_at: instant(Column::DeletedAt),
    /// When it was written.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered(),
}

edited!(
    NoteId, NoteCreated / NoteUpdated / NoteDeleted,
    { deleted_at: None }, part of customer_id, deleted by deleted_at / NoteRestored
);

impl Model {
    fn check(&mut self, check: &mut Check) {
        check.put(parse(&self.body), &mut self.body);
    }
}

fn parse(body: &str) -> Result<String, Error> {
    let body = text::clean_lines(body);
    match body.chars().count() {
        0 => Err(Error::invalid("body", "a note needs a text")),
        1..=LONGEST => Ok(body),
        _ => Err(Error::invalid("body", format!("a note has at most {LONGEST} characters"))),
    }
}
