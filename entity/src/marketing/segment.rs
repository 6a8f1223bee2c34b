//! Segments: customers who have something in common, by a filter, and who enter and leave as they change.
//!
//! Invariant: who belongs to a segment is what its filter says, once it is known; whoever comes to pass the filter enters
//! it, and whoever passes it no more leaves it, each of which is an event. Whoever passes it when it is made, or when its
//! filter changes, enters or leaves it silently.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, IntoActiveModel, QuerySelect};
use serde_json::Value;

use crate::access::{Actor, Permission, Viewer, user};
use crate::automation::AutomationError;
use crate::automation::workflow::start;
use crate::catalog::{Cataloged, Datum, Scope, catalog, condition, elements};
use crate::customers::custom::CustomFields;
use crate::customers::{customer, parse_required};
use crate::edit::{edited, lock, save, unchanged};
use crate::error::Error;
use crate::id::{Id, SegmentId, UserId};

pub mod member;
mod refresh;

pub use refresh::{follow, is_due, look, postpone};

/// How many characters a filter has at most, as JSON.
const LARGEST: usize = 20_000;

/// How many segments there are at most: each customer that changes is compared with all of them.
const MOST: u64 = 200;

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentId,
    /// What it is called.
    pub name: String,
    /// Which customers belong to it.
    pub filter: Json,
    /// Since when it is known who belongs to it; not yet when absent.
    pub filled_at: Option<DateTimeUtc>,
    /// When all customers are compared with it next.
    pub look_at: DateTimeUtc,
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

edited!();

catalog! {
    /// A segment: customers who have something in common. They enter and leave it as they change, which starts workflows.
    Segment (segment, segments) of Entity, read by Permission::ReadWorkflows,
        versioned by Column::Version, with history;
    /// What it is called; unique.
    name: text(Column::Name).filtered().ordered().unique(),
    /// Which customers belong to it: a filter in the form of their list.
    filter: json(Column::Filter),
    /// How many of the customers whom you see belong to it.
    size: batch_json("Int!", sizes),
    /// Who belongs to it, as far as you see them.
    members: many::<member::Entity>(member::Column::SegmentId),
    /// Since when it is known who belongs to it; null for the moment after it was made, or its filter was changed.
    filled_at: instant(Column::FilledAt),
    /// Why nobody enters or leaves it any more, since what its filter names has changed; null while they do.
    problem: batch_json("String", problems),
    /// When it was made.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// Who made it; null when Rapport did.
    created_by: one::<user::Entity>(Column::CreatedBy),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

/// A segment as it is to be; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it is called.
    pub name: Option<String>,
    /// Which customers belong to it.
    pub filter: Option<Value>,
}

/// Makes a segment. Who belongs to it is known a moment later.
///
/// # Errors
/// `Invalid` for a filter that the customers' list does not take, [`Error::NotUnique`].
pub async fn create(
    txn: &impl ConnectionTrait,
    change: Change,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    use sea_orm::PaginatorTrait;
    if Entity::find().count(txn).await? >= MOST {
        return Err(Error::invalid("name", format!("there are at most {MOST} segments")));
    }
    let actor = Actor::from(viewer);
    let row = Model {
        id: SegmentId::new(now),
        name: String::new(),
        filter: Value::Null,
        filled_at: None,
        look_at: now,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.changed(txn, change, viewer, now).await?;
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Changes a segment, if it still has `expected_version` (where one is given). Who belongs to it by another filter is known
/// a moment later.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `Invalid`, [`Error::NotUnique`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: SegmentId,
    change: Change,
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = lock::<Entity>(txn, id, None).await?;
    unchanged(&row, expected_version)?;
    let row = row.changed(txn, change, viewer, now).await?;
    save::<Entity>(txn, row, Actor::from(viewer), now).await
}

/// Deletes a segment for good; who belongs to it stays as they are.
///
/// # Errors
/// [`Error::NoSuch`], `SegmentInUse` while a workflow is started by it.
pub async fn delete(txn: &impl ConnectionTrait, id: SegmentId) -> Result<(), Error> {
    let row = lock::<Entity>(txn, id, None).await?;
    if let Some(workflow) = start::started_by(txn, id).await? {
        return Err(AutomationError::SegmentInUse(workflow).into());
    }
    member::Entity::delete_many().filter(member::Column::SegmentId.eq(id)).exec(txn).await?;
    Entity::delete_by_id(row.id).exec(txn).await?;
    Ok(())
}

impl Model {
    async fn changed(
        mut self,
        txn: &impl ConnectionTrait,
        change: Change,
        viewer: &Viewer,
        now: DateTimeUtc,
    ) -> Result<Self, Error> {
        if let Some(name) = change.name {
            self.name = name;
        }
        self.name = parse_required("name", &self.name, 100)?;
        if let Some(filter) = change.filter.filter(|filter| *filter != self.filter) {
            if filter.to_string().len() > LARGEST {
                return Err(Error::invalid("filter", "the filter is too long to be kept"));
            }
            let custom = CustomFields::loaded(txn).await?;
            let hidden = custom
                .get()
                .unwrap_or_default()
                .iter()
                .find(|field| !field.is_visible_to_all() && names(&filter, &field.key));
            if let Some(field) = hidden {
                let message = format!(
                    "not everybody sees the custom field {}, and a segment would tell who has it",
                    field.key
                );
                return Err(Error::invalid("filter", message));
            }
            condition(
                customer::Entity::record(),
                &filter,
                Scope::of(txn, viewer, &custom),
                "filter",
            )?;
            (self.filter, self.filled_at, self.look_at) = (filter, None, now);
        }
        Ok(self)
    }
}

/// Whether a filter compares the custom field with the key, wherever in it.
fn names(filter: &Value, key: &str) -> bool {
    match filter {
        Value::Object(entries) => entries.iter().any(|(name, value)| {
            let fields = if name == "customFields" { elements(value) } else { &[] };
            fields.iter().any(|field| field["field"] == key) || names(value, key)
        }),
        Value::Array(filters) => filters.iter().any(|filter| names(filter, key)),
        _ => false,
    }
}

/// How many of the customers whom the viewer sees belong to each.
fn sizes<'a>(
    db: &'a DatabaseConnection,
    viewer: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let sizes: Vec<(Uuid, i64)> = member::Entity::find()
            .select_only()
            .column(member::Column::SegmentId)
            .column_as(member::Column::Id.count(), "size")
            .filter(member::Column::SegmentId.is_in(ids.iter().copied()))
            .filter(member::Entity::record().visible(viewer))
            .group_by(member::Column::SegmentId)
            .into_tuple()
            .all(db)
            .await?;
        let sizes: HashMap<_, _> = sizes.into_iter().collect();
        let size = |id| Datum::Json(sizes.get(id).copied().unwrap_or_default().into());
        Ok(ids.iter().map(size).collect())
    }
    .boxed()
}

/// Why segments are not kept up. What a viewer may not see is no problem of the segment.
fn problems<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let rows = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
        let custom = CustomFields::loaded(db).await?;
        let anybody = Viewer::of_all(db.get_database_backend());
        let scope = Scope::of(db, &anybody, &custom);
        let why = |row: Model| {
            let compiled = condition(customer::Entity::record(), &row.filter, scope, "filter");
            Some((row.id.0, compiled.err()?.to_string()))
        };
        let found: HashMap<Uuid, String> = rows.into_iter().filter_map(why).collect();
        let problem =
            |id| found.get(id).map_or(Datum::Null, |text| Datum::Json(text.as_str().into()));
        Ok(ids.iter().map(problem).collect())
    }
    .boxed()
}
