//! Documents: files in versions, kept with a customer, an invoice or a payment.
//!
//! Invariant: a document is kept with exactly one record and is seen by who sees that. It has a version as
//! soon as it exists; versions never change.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, PaginatorTrait, QueryOrder, QuerySelect};

use super::file::Stored;
use super::{CollaborationError, Subject, document_tag, file};
use crate::access::{Actor, Viewer, user};
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::customer;
use crate::edit::{self, edited};
use crate::error::Error;
use crate::finance::{invoice, payment};
use crate::id::{CustomerId, DocumentId, FileId, Id, InvoiceId, PaymentId, UserId};
use crate::text;

/// How many documents are kept with a record at most.
pub const MOST: u64 = 1_000;

/// How many versions a document has at most.
pub const MOST_VERSIONS: i32 = 100;

/// For how many days a deleted document can be restored.
pub const KEPT_DAYS: i64 = 30;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "document")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DocumentId,
    /// What it is called.
    pub title: String,
    /// Where it is filed, such as `Contracts/2026`; empty for nowhere in particular.
    pub folder: String,
    /// The customer that it is kept with.
    pub customer_id: Option<CustomerId>,
    /// The invoice that it is kept with.
    pub invoice_id: Option<InvoiceId>,
    /// The payment that it is kept with.
    pub payment_id: Option<PaymentId>,
    /// The last day on which it holds.
    pub valid_until: Option<Date>,
    /// Its newest version.
    pub latest_id: Option<FileId>,
    /// Since when it is deleted; it can be restored for a while.
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
    /// A document: a file in versions, kept with a customer, an invoice or a payment. Who sees that sees
    /// the document.
    Document (document, documents) of Entity,
        seen with [
            Column::CustomerId => customer::Entity,
            Column::InvoiceId => invoice::Entity,
            Column::PaymentId => payment::Entity,
        ],
        deleted by Column::DeletedAt, versioned by Column::Version, with history;
    /// What it is called.
    title: text(Column::Title).filtered().ordered(),
    /// Where it is filed, such as `Contracts/2026`; empty for nowhere in particular.
    folder: text(Column::Folder).filtered().ordered(),
    /// The last day on which it holds, as that of a contract or a certificate; null when it has none.
    valid_until: day(Column::ValidUntil).filtered().ordered(),
    /// Words that it is found by.
    tags: list::<document_tag::Entity, _>(
        document_tag::Column::DocumentId, document_tag::Column::Name, 3,
    ).filtered(),
    /// The customer that it is kept with; null when it is kept with something else.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// The invoice that it is kept with; null when it is kept with something else.
    invoice: one::<invoice::Entity>(Column::InvoiceId),
    /// The payment that it is kept with; null when it is kept with something else.
    payment: one::<payment::Entity>(Column::PaymentId),
    /// Its newest version.
    latest: one::<file::Entity>(Column::LatestId),
    /// All its versions, oldest first.
    versions: list::<file::Entity, _>(file::Column::DocumentId, file::Column::Number, 3),
    /// Since when it is deleted; null while it is not. It can be restored for 30 days. Lists leave deleted
    /// ones out.
    deleted_at: instant(Column::DeletedAt),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// Who added it; null for Rapport itself.
    created_by: one::<user::Entity>(Column::CreatedBy),
    /// When it was last changed, or got a version.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

edited!();

/// What people say about a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// What it is called.
    pub title: String,
    /// Where it is filed.
    pub folder: String,
    /// Words that it is found by.
    pub tags: Vec<String>,
}

/// A change of what people say about a document; `None` keeps it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it is called.
    pub title: Option<String>,
    /// Where it is filed.
    pub folder: Option<String>,
    /// The last day on which it holds; an inner `None` takes it away.
    pub valid_until: Option<Option<Date>>,
    /// Words that it is found by, all of them.
    pub tags: Option<Vec<String>>,
}

/// The stored form of a title.
///
/// # Errors
/// `Invalid` when it is empty or has more than 200 characters.
pub fn parse_title(given: &str) -> Result<String, Error> {
    let title = text::clean(given);
    match title.chars().count() {
        1..=200 => Ok(title),
        _ => Err(Error::invalid("title", "a title has 1 to 200 characters")),
    }
}

/// The stored form of a folder: names with slashes between them, and none around.
///
/// # Errors
/// `Invalid` when it has more than 255 characters, or a name that means another folder.
pub fn parse_folder(given: &str) -> Result<String, Error> {
    let names: Vec<String> = given.split('/').map(text::clean).collect();
    let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
    if names.iter().any(|name| matches!(name.as_str(), "." | "..")) {
        return Err(Error::invalid("folder", "a folder is written as `Contracts/2026`"));
    }
    let folder = names.join("/");
    match folder.chars().count() {
        0..=255 => Ok(folder),
        _ => Err(Error::invalid("folder", "a folder has at most 255 characters")),
    }
}

/// The document, unless it is deleted.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn get(db: &impl ConnectionTrait, id: DocumentId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).filter(Column::DeletedAt.is_null()).one(db).await?;
    row.ok_or_else(Error::no_such::<Entity>)
}

/// Adds a document with its first version.
///
/// # Errors
/// [`CollaborationError::TooManyDocuments`].
pub(super) async fn create(
    txn: &impl ConnectionTrait,
    subject: Subject,
    label: Label,
    (stored, name): (Stored, &str),
    actor: Actor,
    now: DateTimeUtc,
) -> Result<file::Model, Error> {
    ensure_room(txn, subject).await?;
    let Label { title, folder, tags } = label;
    let mut row = Model {
        id: DocumentId::new(now),
        title,
        folder,
        valid_until: None,
        customer_id: None,
        invoice_id: None,
        payment_id: None,
        latest_id: Some(stored.id),
        deleted_at: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    match subject {
        Subject::Customer(id) => row.customer_id = Some(id),
        Subject::Invoice(id) => row.invoice_id = Some(id),
        Subject::Payment(id) => row.payment_id = Some(id),
    }
    let row = row.into_active_model().reset_all().insert(txn).await?;
    document_tag::replace(txn, row.id, tags, now).await?;
    file::create(txn, stored, name, Some((row.id, 1)), actor, now).await
}

/// Adds the next version.
///
/// # Errors
/// [`Error::NoSuch`], [`CollaborationError::TooManyVersions`].
pub(super) async fn add_version(
    txn: &impl ConnectionTrait,
    id: DocumentId,
    (stored, name): (Stored, &str),
    actor: Actor,
    now: DateTimeUtc,
) -> Result<file::Model, Error> {
    let mut row = edit::lock::<Entity>(txn, id, None).await?;
    if row.deleted_at.is_some() {
        return Err(Error::no_such::<Entity>());
    }
    let number = file::newest(txn, id).await? + 1;
    if number > MOST_VERSIONS {
        return Err(CollaborationError::TooManyVersions(MOST_VERSIONS).into());
    }
    row.latest_id = Some(stored.id);
    let file = file::create(txn, stored, name, Some((id, number)), actor, now).await?;
    edit::save::<Entity>(txn, row, actor, now).await?;
    Ok(file)
}

/// Changes what people say about a document, if it still has `expected_version` (where one is given).
///
/// # Errors
/// As [`Subject::ensure`], [`Error::StaleVersion`], `Invalid`, [`Error::NoSuch`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: DocumentId,
    change: Change,
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = edit::lock::<Entity>(txn, id, None).await?;
    row.ensure(txn, viewer).await?;
    if row.deleted_at.is_some() {
        return Err(Error::no_such::<Entity>());
    }
    edit::unchanged(&row, expected_version)?;
    let Change { title, folder, valid_until, tags } = change;
    let mut check = Check::default();
    if let Some(title) = title {
        check.put(parse_title(&title), &mut row.title);
    }
    if let Some(folder) = folder {
        check.put(parse_folder(&folder), &mut row.folder);
    }
    row.valid_until = valid_until.unwrap_or(row.valid_until);
    let mut words = Vec::new();
    check.put(document_tag::parse(tags.as_deref().unwrap_or_default()), &mut words);
    check.end()?;
    if tags.is_some() {
        document_tag::replace(txn, id, words, now).await?;
    }
    edit::save::<Entity>(txn, row, Actor::User(viewer.user), now).await
}

/// Deletes a document, or restores it. Doing so again changes nothing.
///
/// # Errors
/// As [`Subject::ensure`], [`Error::NoSuch`],
/// [`CollaborationError::TooManyDocuments`] when there is no room for a restored one.
pub async fn set_deleted(
    txn: &impl ConnectionTrait,
    id: DocumentId,
    deleted: bool,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = edit::lock::<Entity>(txn, id, None).await?;
    row.ensure(txn, viewer).await?;
    if row.deleted_at.is_some() == deleted {
        return Ok(row);
    }
    if !deleted {
        ensure_room(txn, row.subject()?).await?;
    }
    row.deleted_at = deleted.then_some(now);
    edit::save::<Entity>(txn, row, Actor::User(viewer.user), now).await
}

/// Removes up to `limit` documents for good that were deleted before `before`, with their versions' rows and
/// what the audit log says of them; gives how many.
///
/// # Errors
/// The database.
pub async fn purge(
    txn: &impl ConnectionTrait,
    before: DateTimeUtc,
    limit: u64,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let gone = Entity::find().select_only().column(Column::Id);
    let gone = gone.filter(Column::DeletedAt.lt(before)).order_by_asc(Column::Id).limit(limit);
    edit::purge::<Entity>(txn, gone.into_tuple().all(txn).await?, Actor::System, now).await
}

/// Makes sure that one more document can be kept with the record.
///
/// # Errors
/// [`CollaborationError::TooManyDocuments`].
pub(super) async fn ensure_room(db: &impl ConnectionTrait, subject: Subject) -> Result<(), Error> {
    let kept = Entity::find().filter(Column::DeletedAt.is_null()).filter(match subject {
        Subject::Customer(id) => Column::CustomerId.eq(id),
        Subject::Invoice(id) => Column::InvoiceId.eq(id),
        Subject::Payment(id) => Column::PaymentId.eq(id),
    });
    match kept.count(db).await? {
        count if count < MOST => Ok(()),
        _ => Err(CollaborationError::TooManyDocuments(MOST).into()),
    }
}

impl Model {
    /// What it is kept with.
    fn subject(&self) -> Result<Subject, Error> {
        let customer = self.customer_id.map(Subject::Customer);
        let invoice = || self.invoice_id.map(Subject::Invoice);
        let payment = || self.payment_id.map(Subject::Payment);
        Ok(customer.or_else(invoice).or_else(payment).ok_or(CollaborationError::SubjectNotFound)?)
    }

    /// Makes sure that `viewer` may change it.
    ///
    /// # Errors
    /// As [`Subject::ensure`]; what they do not see does not exist for them.
    pub async fn ensure(&self, db: &impl ConnectionTrait, viewer: &Viewer) -> Result<(), Error> {
        let ensured = self.subject()?.ensure(db, viewer).await;
        ensured.map_err(|error| match error {
            Error::Collaboration(CollaborationError::SubjectNotFound) => Error::no_such::<Entity>(),
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_names_with_slashes_between_them() {
        for (given, expected) in
            [("/Hợp đồng//2026/ ", "Hợp đồng/2026"), ("", ""), (" / ", ""), ("a\u{0}b", "a b")]
        {
            assert_eq!(parse_folder(given).unwrap(), expected);
        }
        for given in ["../x", "a/./b", &"x/".repeat(200)] {
            assert!(parse_folder(given).is_err(), "{given}");
        }
    }

    #[test]
    fn a_title_is_something_and_not_too_long() {
        assert_eq!(parse_title(" Hợp  đồng ").unwrap(), "Hợp đồng");
        assert!(parse_title(" ").is_err() && parse_title(&"x".repeat(201)).is_err());
    }
}
