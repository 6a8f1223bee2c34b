//! Uploads: files that somebody may send until a promised time, and what becomes of them.
//!
//! Invariant: an upload makes one version at most, and who finishes it may still do what they could when
//! they asked.

use sea_orm::entity::prelude::*;
use sea_orm::{IntoActiveModel, PaginatorTrait, QueryOrder, QuerySelect};

use super::file::Stored;
use super::{CollaborationError, Subject, Target, document, document_tag, file, file_name};
use crate::access::{Actor, Viewer};
use crate::check::Check;
use crate::error::Error;
use crate::id::{CustomerId, DocumentId, FileId, Id, UploadId, UserId};

/// How large a file is at most, in bytes: 2 GiB.
pub const LARGEST: i64 = 2 << 30;

/// For how many minutes an upload can be used.
pub const MINUTES: i64 = 60;

/// How many uploads a user can be about to make.
const MOST_WAITING: u64 = 200;

/// A file that is to come.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "upload")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UploadId,
    /// Where it goes: the id of a record, or of the document that it is a version of.
    pub target: String,
    /// What a new document is called.
    pub title: String,
    /// Where a new document is filed.
    pub folder: String,
    /// Words that a new document is found by.
    pub tags: Json,
    /// What the file is called.
    pub file_name: String,
    /// How large it is, in bytes.
    pub size: i64,
    /// Its SHA-256, where that was announced.
    pub sha256: Option<String>,
    /// What it became, once it came.
    pub file_id: Option<FileId>,
    /// Until when it can be used.
    pub expires_at: DateTimeUtc,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A file that somebody wants to send.
#[derive(Clone, Debug)]
pub struct NewUpload {
    /// Where it goes.
    pub target: Target,
    /// What a new document is called; as the file when absent.
    pub title: Option<String>,
    /// Where a new document is filed.
    pub folder: Option<String>,
    /// Words that a new document is found by.
    pub tags: Vec<String>,
    /// What the file is called.
    pub file_name: String,
    /// How large it is, in bytes.
    pub size: i64,
    /// Its SHA-256, as hexadecimal digits.
    pub sha256: Option<String>,
}

impl NewUpload {
    /// What is written down of it, if nothing is wrong.
    fn checked(self, viewer: &Viewer, now: DateTimeUtc) -> Result<Model, Error> {
        let file_name = file_name::clean(&self.file_name);
        let mut row = Model {
            id: UploadId::new(now),
            target: self.target.global(),
            title: self.title.unwrap_or_else(|| file_name.chars().take(200).collect()),
            folder: self.folder.unwrap_or_default(),
            tags: Json::Null,
            file_name,
            size: self.size,
            sha256: self.sha256.map(|hash| hash.to_ascii_lowercase()),
            file_id: None,
            expires_at: now + chrono::TimeDelta::minutes(MINUTES),
            created_at: now,
            created_by: Some(viewer.user),
        };
        let is_hash =
            |hash: &String| hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_hexdigit());
        let mut check = Check::default();
        check.that(
            (1..=LARGEST).contains(&row.size),
            "size",
            format!("a file has 1 to {LARGEST} bytes"),
        );
        check.that(row.sha256.iter().all(is_hash), "sha256", "a SHA-256 has 64 hexadecimal digits");
        check.put(document::parse_title(&row.title), &mut row.title);
        check.put(document::parse_folder(&row.folder), &mut row.folder);
        check.put(document_tag::parse(&self.tags).map(Json::from), &mut row.tags);
        check.end()?;
        Ok(row)
    }
}

/// Lets `viewer` send a file for a while.
///
/// # Errors
/// As [`Target::ensure`]; `Invalid`; [`CollaborationError::TooManyUploads`] and its like.
pub async fn create(
    txn: &impl ConnectionTrait,
    new: NewUpload,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let target = new.target;
    target.ensure(txn, viewer).await?;
    let row = new.checked(viewer, now)?;
    if let Target::New(subject) = target {
        document::ensure_room(txn, subject).await?;
    }
    let waiting = Entity::find()
        .filter(Column::CreatedBy.eq(viewer.user))
        .filter(Column::ExpiresAt.gt(now))
        .filter(Column::FileId.is_null());
    if waiting.count(txn).await? >= MOST_WAITING {
        return Err(CollaborationError::TooManyUploads(MOST_WAITING).into());
    }
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// The upload, if `viewer` asked for it and no file came yet.
///
/// # Errors
/// [`CollaborationError::UploadNotFound`], [`CollaborationError::UploadUsed`].
pub async fn waiting(
    db: &impl ConnectionTrait,
    id: UploadId,
    viewer: &Viewer,
) -> Result<Model, Error> {
    usable(Entity::find_by_id(id).one(db).await?, viewer)
}

/// What was found as an upload, if `viewer` may use it.
fn usable(found: Option<Model>, viewer: &Viewer) -> Result<Model, Error> {
    match found.filter(|upload| upload.created_by == Some(viewer.user)) {
        None => Err(CollaborationError::UploadNotFound.into()),
        Some(upload) if upload.file_id.is_some() => Err(CollaborationError::UploadUsed.into()),
        Some(upload) => Ok(upload),
    }
}

/// Makes the file that came a document, or the next version of one.
///
/// # Errors
/// As [`waiting`] and [`Target::ensure`]; the bytes are of no use then.
pub async fn finish(
    txn: &impl ConnectionTrait,
    id: UploadId,
    stored: Stored,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<file::Model, Error> {
    let found = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let mut upload = usable(found, viewer)?;
    let target = Target::parse(&upload.target).ok_or(CollaborationError::UploadNotFound)?;
    target.ensure(txn, viewer).await?;
    let actor = Actor::User(viewer.user);
    let came = (stored, upload.file_name.as_str());
    let file = match target {
        Target::New(subject) => {
            let label = document::Label {
                title: upload.title.clone(),
                folder: upload.folder.clone(),
                tags: serde_json::from_value(upload.tags.clone()).unwrap_or_default(),
            };
            document::create(txn, subject, label, came, actor, now).await?
        }
        Target::VersionOf(id) => document::add_version(txn, id, came, actor, now).await?,
    };
    upload.file_id = Some(file.id);
    upload.into_active_model().reset_all().update(txn).await?;
    Ok(file)
}

/// Lets the uploads that were to go to one of `from` go to another customer.
///
/// # Errors
/// The database.
pub(crate) async fn carry_over(
    txn: &impl ConnectionTrait,
    from: &[CustomerId],
    to: CustomerId,
) -> Result<(), Error> {
    let target = |id| Target::New(Subject::Customer(id)).global();
    Entity::update_many()
        .col_expr(Column::Target, Expr::val(target(to)))
        .filter(Column::Target.is_in(from.iter().copied().map(target)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets the uploads that were to go to one of `customers` or to their documents.
///
/// # Errors
/// The database.
pub(crate) async fn forget_of(
    txn: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<(), Error> {
    let documents = document::Entity::find().select_only().column(document::Column::Id);
    let theirs = document::Column::CustomerId.is_in(customers.iter().copied());
    let documents: Vec<DocumentId> = documents.filter(theirs).into_tuple().all(txn).await?;
    let versions = documents.into_iter().map(Target::VersionOf);
    let customers = customers.iter().map(|id| Target::New(Subject::Customer(*id)));
    let targets = customers.chain(versions).map(Target::global);
    Entity::delete_many().filter(Column::Target.is_in(targets)).exec(txn).await?;
    Ok(())
}

/// Forgets up to `limit` uploads that expired before `before`; gives how many.
///
/// # Errors
/// The database.
pub async fn forget(
    txn: &impl ConnectionTrait,
    before: DateTimeUtc,
    limit: u64,
) -> Result<u64, Error> {
    let gone = Entity::find().select_only().column(Column::Id);
    let gone = gone.filter(Column::ExpiresAt.lt(before)).order_by_asc(Column::Id).limit(limit);
    let gone: Vec<UploadId> = gone.into_tuple().all(txn).await?;
    let removed = Entity::delete_many().filter(Column::Id.is_in(gone)).exec(txn).await?;
    Ok(removed.rows_affected)
}
