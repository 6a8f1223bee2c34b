//! What a notification says, without the words.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Column, Entity, Model};
use crate::access::{Viewer, organisation, user};
use crate::catalog::{Datum, by_prefix, global};
use crate::id::UserId;

/// What a sentence about a notification is made of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// The language it is read in.
    pub language: String,
    /// What it tells, as the API calls it.
    pub kind: String,
    /// What it was in particular.
    pub detail: Option<String>,
    /// The prefix of the id of the record that it is about.
    pub record: Option<String>,
    /// What the user is called who did it; nobody for Rapport itself.
    pub actor: Option<String>,
    /// How often, or with how many records.
    pub times: i32,
}

/// What notifications say, in their order.
///
/// # Errors
/// The database.
pub async fn notices(db: &impl ConnectionTrait, rows: &[Model]) -> Result<Vec<Notice>, DbErr> {
    let users = rows.iter().flat_map(|row| [Some(row.user_id), row.actor_id]).flatten();
    let users: Vec<(UserId, String, Option<String>)> = user::Entity::find()
        .select_only()
        .columns([user::Column::Id, user::Column::Name, user::Column::Language])
        .filter(user::Column::Id.is_in(users))
        .into_tuple()
        .all(db)
        .await?;
    let users: HashMap<_, _> =
        users.into_iter().map(|(id, name, language)| (id, (name, language))).collect();
    let ours = organisation::Entity::find().one(db).await?;
    let ours = ours.map(|organisation| organisation.locale).unwrap_or_default();
    let notice = |row: &Model| Notice {
        language: users
            .get(&row.user_id)
            .and_then(|(_, language)| language.clone())
            .unwrap_or_else(|| ours.clone()),
        kind: row.kind.to_value(),
        detail: row.detail.clone(),
        record: row.subject_kind.clone(),
        actor: row.actor_id.and_then(|actor| Some(users.get(&actor)?.0.clone())),
        times: row.times,
    };
    Ok(rows.iter().map(notice).collect())
}

/// For each notification, what it says.
pub(super) fn texts<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let rows = found(db, ids).await?;
        let notices = notices(db, &rows).await?.into_iter().map(Datum::Notice);
        let mut said: HashMap<_, _> = rows.iter().map(|row| row.id.0).zip(notices).collect();
        Ok(ids.iter().map(|id| said.remove(id).unwrap_or(Datum::Null)).collect())
    }
    .boxed()
}

/// For each notification, the id of the record that it is about.
pub(super) fn subjects<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let subject = |row: &Model| {
            let record = by_prefix(row.subject_kind.as_deref()?)?;
            Some(Datum::Json(global(record.prefix, row.subject_id?).into()))
        };
        let rows = found(db, ids).await?;
        let mut known: HashMap<_, _> =
            rows.iter().filter_map(|row| Some((row.id.0, subject(row)?))).collect();
        Ok(ids.iter().map(|id| known.remove(id).unwrap_or(Datum::Null)).collect())
    }
    .boxed()
}

async fn found(db: &DatabaseConnection, ids: &[Uuid]) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await
}
