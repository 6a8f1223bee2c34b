//! The PDFs of statements in the file store.
//!
//! Invariant: a statement has one PDF, whose row has the statement's own id; it is written after the bytes are, and in the
//! transaction in which the customer's message is planned. So who is sent a statement gets the very bytes that are kept.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, QuerySelect, QueryTrait};
use serde_json::json;

use super::{Column, Entity, Model};
use crate::access::{Actor, Viewer};
use crate::automation::job::target;
use crate::automation::message;
use crate::catalog::{Cataloged, Datum};
use crate::collaboration::file::{self, Stored};
use crate::customers::customer::{self, Channel};
use crate::error::Error;
use crate::id::{FileId, JobId, StatementId};

/// The file of a statement.
#[must_use]
pub fn file_of(id: StatementId) -> FileId {
    FileId(id.0)
}

/// The next statements of a job that are to be archived.
///
/// # Errors
/// The database.
pub async fn archive_next(
    db: &impl ConnectionTrait,
    job: JobId,
    limit: u64,
) -> Result<Vec<StatementId>, Error> {
    let ids = target::next(db, job, limit).await?;
    Ok(ids.into_iter().map(StatementId).collect())
}

/// Notes that the PDF of a statement is stored, and plans the message by which the customer gets it on `channel`. Doing so
/// again changes nothing.
///
/// # Errors
/// The database.
pub async fn archive(
    txn: &impl ConnectionTrait,
    statement: &Model,
    stored: Stored,
    name: &str,
    channel: Channel,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let known = file::Entity::find_by_id(file_of(statement.id)).one(txn).await?;
    if known.is_none() {
        file::create(txn, stored, name, None, Actor::System, now).await?;
    }
    if statement.wanted {
        message::plan_statement(txn, statement, channel, now).await?;
    }
    Ok(())
}

/// The PDF of a statement that `viewer` may read; `None` when there is none, or when it says who somebody was that is
/// anonymised.
///
/// # Errors
/// The database.
pub async fn file(
    db: &impl ConnectionTrait,
    id: StatementId,
    viewer: &Viewer,
) -> Result<Option<file::Model>, DbErr> {
    let seen = Entity::find_by_id(id).filter(Entity::record().visible(viewer)).one(db).await?;
    let Some(statement) = seen else { return Ok(None) };
    let known = customer::Entity::find_by_id(statement.customer_id)
        .filter(customer::Column::AnonymisedAt.is_null());
    match known.one(db).await? {
        Some(_) => file::Entity::find_by_id(file_of(id)).one(db).await,
        None => Ok(None),
    }
}

/// The PDF of a statement for the customer that it is for, in the customer's language; `None` when there is none, or when it
/// says who somebody was that is anonymised.
///
/// # Errors
/// The database.
pub async fn opened(
    db: &impl ConnectionTrait,
    id: StatementId,
) -> Result<Option<(file::Model, String)>, DbErr> {
    let whose = Entity::find_by_id(id).select_only().column(Column::CustomerId);
    let known = customer::Entity::find()
        .filter(customer::Column::Id.in_subquery(whose.into_query()))
        .filter(customer::Column::AnonymisedAt.is_null());
    let Some(customer) = known.one(db).await? else { return Ok(None) };
    let file = file::Entity::find_by_id(file_of(id)).one(db).await?;
    Ok(file.map(|file| (file, customer.language)))
}

/// The field `sha256` of statements.
pub(super) fn sha256_field<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Json,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let hashes = file::Entity::find()
            .select_only()
            .columns([file::Column::Id, file::Column::Sha256])
            .filter(file::Column::Id.is_in(ids.iter().copied()))
            .into_tuple::<(Uuid, String)>();
        let hashes: HashMap<_, _> = hashes.all(db).await?.into_iter().collect();
        let hash = |id: &Uuid| hashes.get(id).map_or(Datum::Null, |hash| Datum::Json(json!(hash)));
        Ok(ids.iter().map(hash).collect())
    }
    .boxed()
}

/// The files that are those of statements.
pub(crate) fn files() -> sea_orm::sea_query::SelectStatement {
    Entity::find().select_only().column(Column::Id).into_query()
}
