//! Exports: a list as a file, for who asked for it and for a while.
//!
//! Invariant: what is in the file is what its reader sees in lists when it is written, with the rights
//! that they have then, and it is given to nobody who may not see the list and its columns by then. The file
//! has the job's own id, so a job that is run twice leaves one file.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::{Condition, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::file;
use crate::access::Viewer;
use crate::automation::job;
use crate::automation::lease::Leased;
use crate::catalog::{
    CatalogError, Cell, Cursor, Order, Record, Scope, Table, condition, count, records,
};
use crate::customers::custom::CustomFields;
use crate::error::Error;
use crate::id::{FileId, JobId};

/// For how many days a file can be fetched.
pub const DAYS: i64 = 7;

/// How many rows are read at once.
const PAGE: u64 = 500;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Comma-separated values, for any program.
    Csv,
    /// A workbook, for Excel and its like.
    Xlsx,
}

impl Format {
    /// The media type of its files.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8",
            Self::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        }
    }

    /// The end of the file's name.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Xlsx => "xlsx",
        }
    }
}

/// What to export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// The list's name, such as `customers`.
    pub list: String,
    /// In the form of the API's filter.
    pub filter: Json,
    /// In the form of the API's order.
    pub order: Json,
    /// The columns' names; all when these and the custom fields are absent.
    pub fields: Option<Vec<String>>,
    /// The keys of the custom fields that have columns.
    pub custom_fields: Option<Vec<String>>,
    /// What the file is for.
    pub format: Format,
}

/// An export that can be read.
pub struct Export {
    record: &'static Record,
    viewer: Viewer,
    filter: Condition,
    order: Order,
    table: Table,
    after: Option<Cursor>,
    over: bool,
}

impl Request {
    /// Of what it is a list.
    fn record(&self) -> Option<&'static Record> {
        let mut records = records().into_iter();
        records.find(|record| record.many == self.list && !self.list.is_empty())
    }

    /// Whether the viewer may see the list and all the columns that were chosen.
    fn is_seen(&self, scope: Scope<'_>) -> bool {
        let readable = self.record().filter(|record| record.is_readable(scope.viewer));
        let chosen = self.fields.as_deref().zip(self.custom_fields.as_deref());
        let Some((record, (fields, keys))) = readable.zip(chosen) else { return false };
        let table = Table::of(record, (Some(fields), Some(keys)), scope);
        table.is_ok_and(|table| {
            (table.names().len(), table.keys().len()) == (fields.len(), keys.len())
        })
    }

    /// What it means for a viewer.
    fn open(
        &self,
        db: &impl ConnectionTrait,
        viewer: Viewer,
        fields: &CustomFields,
    ) -> Result<Export, CatalogError> {
        let scope = Scope::of(db, &viewer, fields);
        let refused = |at: &str, message: &str| {
            let (at, message) = (at.to_owned(), message.to_owned());
            CatalogError::Invalid { at, message }
        };
        let record = self.record().ok_or_else(|| refused("list", "there is no such list"))?;
        if !record.is_readable(&viewer) {
            return Err(CatalogError::Forbidden("list".to_owned()));
        }
        let passes = condition(record, &self.filter, scope, "filter")?;
        let order = Order::parse(record, &self.order, scope, "orderBy")?;
        let chosen = (self.fields.as_deref(), self.custom_fields.as_deref());
        let table = Table::of(record, chosen, scope)?;
        if table.headings().is_empty() {
            return Err(refused("fields", "choose columns that your role may see"));
        }
        let filter = record.listed(&self.filter).add(passes);
        Ok(Export { record, viewer, filter, order, table, after: None, over: false })
    }
}

/// Adds the job that exports what `request` says.
///
/// # Errors
/// [`CatalogError`] for what cannot be.
pub async fn request(
    txn: &impl ConnectionTrait,
    request: &Request,
    viewer: Viewer,
    now: DateTimeUtc,
) -> Result<job::Model, Error> {
    let export = request.open(txn, viewer.clone(), &CustomFields::loaded(txn).await?)?;
    // The file has these columns, whatever comes to the list or to the rights of who asks meanwhile.
    let (fields, custom_fields) = (Some(export.table.names()), Some(export.table.keys()));
    let seen = Request { fields, custom_fields, ..request.clone() };
    let input = serde_json::to_value(seen).unwrap_or_default();
    job::create(txn, job::Kind::Export, input, &viewer, now).await
}

/// What a job exports, or the reason for which it cannot.
///
/// # Errors
/// The database.
pub async fn open(
    db: &impl ConnectionTrait,
    job: &job::Model,
    now: DateTimeUtc,
) -> Result<Result<(Request, Export), String>, Error> {
    let Ok(request) = serde_json::from_value::<Request>(job.input.clone()) else {
        let reason = "the job was made by another version of Rapport; make it again";
        return Ok(Err(reason.to_owned()));
    };
    let Some(viewer) = job::viewer(db, job, now).await? else {
        return Ok(Err("who asked for it may not read anything any more".to_owned()));
    };
    let fields = CustomFields::loaded(db).await?;
    let export = request.open(db, viewer, &fields).map_err(|error| error.to_string());
    Ok(export.map(|export| (request, export)))
}

impl Export {
    /// The headings of the table.
    #[must_use]
    pub fn headings(&self) -> Vec<String> {
        self.table.headings()
    }

    /// How many rows there are now.
    ///
    /// # Errors
    /// The database.
    pub async fn total(&self, db: &DatabaseConnection) -> Result<i64, DbErr> {
        let row = db.query_one(&count(self.record, &self.viewer, &self.filter)).await?;
        row.map_or(Ok(0), |row| row.try_get_by_index(0))
    }

    /// The next rows; `None` after the last ones.
    ///
    /// # Errors
    /// The database.
    pub async fn next(&mut self, db: &DatabaseConnection) -> Result<Option<Vec<Vec<Cell>>>, DbErr> {
        if self.over {
            return Ok(None);
        }
        let list = (&self.filter, &self.order);
        let (rows, place) =
            self.table.rows(db, &self.viewer, list, self.after.take(), PAGE).await?;
        self.over = place.is_none();
        self.after = place;
        Ok(Some(rows))
    }
}

/// The id of the file that a job leaves.
#[must_use]
pub fn file_of(job: JobId) -> FileId {
    FileId(job.0)
}

/// A file that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// What it is, as a media type.
    pub media_type: &'static str,
    /// What it is called.
    pub name: String,
    /// In bytes.
    pub size: i64,
    /// Of the bytes.
    pub sha256: String,
    /// How many rows it has.
    pub rows: i64,
}

/// Ends a leased job whose file is in the store. False: somebody else has it now.
///
/// # Errors
/// The database.
pub async fn finish(
    txn: &impl ConnectionTrait,
    leased: Leased<JobId>,
    written: &Written,
    now: DateTimeUtc,
) -> Result<bool, Error> {
    let until = now + TimeDelta::minutes(1);
    let rows = written.rows;
    let Leased { id, fence } = leased;
    if !job::progress(txn, id, fence, rows, rows, until).await? {
        return Ok(false);
    }
    let job = job::Entity::find_by_id(id).one(txn).await?;
    let actor = job.and_then(|job| job.created_by);
    let actor = actor.map_or(crate::access::Actor::System, crate::access::Actor::User);
    let Written { name, size, sha256, media_type, .. } = written;
    let stored = file::Stored {
        id: file_of(id),
        size: *size,
        sha256: sha256.clone(),
        media_type: (*media_type).to_owned(),
    };
    file::create(txn, stored, name, None, actor, now).await?;
    job::leave(txn, leased, file_of(id), now + TimeDelta::days(DAYS)).await?;
    let report = serde_json::json!({ "rows": rows, "name": name, "size": size });
    job::finish(txn, id, fence, job::State::Succeeded, report, now).await?;
    Ok(true)
}

/// The file that an export has left, while it can be fetched and `viewer` may see the list and its columns.
///
/// # Errors
/// The database.
pub(super) async fn result(
    db: &impl ConnectionTrait,
    job: &job::Model,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Option<file::Model>, DbErr> {
    let (Some(file), Some(until)) = (job.result_file_id, job.result_expires_at) else {
        return Ok(None);
    };
    let Ok(request) = serde_json::from_value::<Request>(job.input.clone()) else {
        return Ok(None);
    };
    let fields = CustomFields::loaded(db).await?;
    if until <= now || !request.is_seen(Scope::of(db, viewer, &fields)) {
        return Ok(None);
    }
    file::Entity::find_by_id(file).one(db).await
}

/// Files that nobody can fetch any more: the jobs that left them, and where the store has them.
///
/// # Errors
/// The database.
pub async fn expired(
    db: &impl ConnectionTrait,
    now: DateTimeUtc,
) -> Result<Vec<(JobId, String)>, DbErr> {
    use sea_orm::QuerySelect;
    let jobs = job::Entity::find()
        .filter(job::Column::ResultFileId.is_not_null())
        .filter(job::Column::ResultExpiresAt.lte(now))
        .limit(100)
        .all(db)
        .await?;
    Ok(jobs.iter().map(|job| (job.id, file::storage_key(file_of(job.id)))).collect())
}

/// Lets all files expire that were written until `now`, since nobody knows of whom they are.
///
/// # Errors
/// The database.
pub(crate) async fn expire(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<(), Error> {
    job::Entity::update_many()
        .col_expr(job::Column::ResultExpiresAt, Expr::val(now))
        .filter(job::Column::Kind.is_in([job::Kind::Export, job::Kind::PrintLetters]))
        .filter(job::Column::ResultExpiresAt.gt(now))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets the file of a job, whose bytes are gone.
///
/// # Errors
/// The database.
pub async fn forget(txn: &impl ConnectionTrait, id: JobId) -> Result<(), Error> {
    job::Entity::update_many()
        .col_expr(job::Column::ResultFileId, Expr::val(None::<Uuid>))
        .filter(job::Column::Id.eq(id))
        .exec(txn)
        .await?;
    file::Entity::delete_by_id(file_of(id)).exec(txn).await?;
    Ok(())
}
