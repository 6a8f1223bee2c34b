//! Saved views: a list's filter, order and columns under a name, for oneself or for all.
//!
//! Invariant: what is saved could be carried out when it was saved. If it cannot any more, since a
//! definition has changed, the view says so instead of failing.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, IntoActiveModel, QuerySelect};
use serde_json::Value;

use super::CollaborationError;
use crate::access::{Actor, Viewer, user};
use crate::catalog::{self, Datum, Order, Record, Scope, catalog, condition};
use crate::customers::custom::CustomFields;
use crate::customers::parse_required;
use crate::edit::{edited, save, unchanged};
use crate::error::Error;
use crate::id::{Id, SavedViewId, UserId};

/// How many characters filter and order have at most, as JSON.
const LARGEST: usize = 20_000;

/// How many columns a view has at most.
const MOST_COLUMNS: usize = 60;

/// A saved view.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "saved_view")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SavedViewId,
    /// Whose.
    pub owner_id: UserId,
    /// What it is called.
    pub name: String,
    /// The list that it is of, by its name in the API.
    pub list: String,
    /// The list's filter.
    pub filter: Json,
    /// The list's order.
    pub order_by: Json,
    /// Which fields it shows, in their order.
    pub columns: Json,
    /// Whether others see it.
    pub shared: bool,
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
    /// A list's filter, order and columns under a name: one's own, or one that somebody shares with all. Give its id
    /// to its list as `view`.
    SavedView (savedView, savedViews) of Entity, private to Column::OwnerId,
        shared by Column::Shared, versioned by Column::Version;
    /// What it is called.
    name: text(Column::Name).filtered().ordered(),
    /// The list that it is of, by its name as a query, such as `customers`.
    list: text(Column::List).filtered(),
    /// The list's filter, in the form in which the list takes it.
    filter: json(Column::Filter),
    /// The list's order, in the form in which the list takes it.
    order_by: json(Column::OrderBy),
    /// The names of the fields that it shows, in their order; custom fields as `customFields.key`.
    columns: json(Column::Columns),
    /// Whether others see it too. Only its owner changes it.
    shared: truth(Column::Shared).filtered(),
    /// Whose it is.
    owner: one::<user::Entity>(Column::OwnerId),
    /// Why it cannot be carried out any more, since what it names has changed; null while it can.
    problem: batch_json("String", problems),
    /// When it was saved.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

/// A saved view as it is to be. What is `None` stays, or is empty in a new one.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it is called.
    pub name: Option<String>,
    /// The list's filter.
    pub filter: Option<Value>,
    /// The list's order.
    pub order_by: Option<Value>,
    /// Which fields it shows.
    pub columns: Option<Vec<String>>,
    /// Whether others see it.
    pub shared: Option<bool>,
}

/// Saves a view of a list.
///
/// # Errors
/// `Invalid` for what the list does not take.
pub async fn create(
    txn: &impl ConnectionTrait,
    list: &str,
    change: Change,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let viewer = viewer(txn, actor, now).await?;
    let row = Model {
        id: SavedViewId::new(now),
        owner_id: viewer.user,
        name: String::new(),
        list: list.to_owned(),
        filter: Value::Null,
        order_by: Value::Null,
        columns: Value::Array(Vec::new()),
        shared: false,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.changed(txn, change, &viewer).await?;
    Ok(row.into_active_model().reset_all().insert(txn).await?)
}

/// Changes a view of one's own, if it still has `expected_version` (where one is given).
///
/// # Errors
/// [`CollaborationError::NoSuchView`], [`Error::StaleVersion`], `Invalid`.
pub async fn update(
    txn: &impl ConnectionTrait,
    id: SavedViewId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = lock(txn, id, actor).await?;
    unchanged(&row, expected_version)?;
    let viewer = viewer(txn, actor, now).await?;
    let row = row.changed(txn, change, &viewer).await?;
    save::<Entity>(txn, row, actor, now).await
}

/// Deletes a view of one's own for good.
///
/// # Errors
/// [`CollaborationError::NoSuchView`].
pub async fn delete(
    txn: &impl ConnectionTrait,
    id: SavedViewId,
    actor: Actor,
) -> Result<(), Error> {
    let row = lock(txn, id, actor).await?;
    Entity::delete_by_id(row.id).exec(txn).await?;
    Ok(())
}

async fn lock(txn: &impl ConnectionTrait, id: SavedViewId, actor: Actor) -> Result<Model, Error> {
    let own = Entity::find_by_id(id).filter(Column::OwnerId.eq(actor.user().map(|user| user.0)));
    Ok(own.lock_exclusive().one(txn).await?.ok_or(CollaborationError::NoSuchView)?)
}

async fn viewer(
    txn: &impl ConnectionTrait,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Viewer, Error> {
    let viewer = match actor.user() {
        Some(id) => user::viewer(txn, id, now).await?,
        None => None,
    };
    viewer.ok_or_else(|| CollaborationError::NobodysView.into())
}

impl Model {
    async fn changed(
        mut self,
        txn: &impl ConnectionTrait,
        change: Change,
        viewer: &Viewer,
    ) -> Result<Self, Error> {
        if let Some(name) = change.name {
            self.name = name;
        }
        self.name = parse_required("name", &self.name, 100)?;
        self.filter = change.filter.unwrap_or(self.filter);
        self.order_by = change.order_by.unwrap_or(self.order_by);
        self.columns = change.columns.map_or(self.columns, Value::from);
        self.shared = change.shared.unwrap_or(self.shared);
        if self.filter.to_string().len() + self.order_by.to_string().len() > LARGEST {
            return Err(Error::invalid("filter", "filter and order are too long to be saved"));
        }
        let custom = CustomFields::loaded(txn).await?;
        match self.check(Scope::of(txn, viewer, &custom)) {
            Ok(()) => Ok(self),
            Err((field, message)) => Err(Error::invalid(field, message)),
        }
    }

    /// The list's records.
    #[must_use]
    pub fn record(&self) -> Option<&'static Record> {
        let mut records = catalog::records().into_iter();
        records.find(|record| !record.many.is_empty() && record.many == self.list)
    }

    /// Which part cannot be carried out, and why.
    fn check(&self, scope: Scope<'_>) -> Result<(), (&'static str, String)> {
        let Some(record) = self.record() else {
            return Err(("list", format!("there is no list {}", self.list)));
        };
        condition(record, &self.filter, scope, "filter")
            .map_err(|error| ("filter", error.to_string()))?;
        Order::parse(record, &self.order_by, scope, "orderBy")
            .map_err(|error| ("orderBy", error.to_string()))?;
        let columns = self.columns.as_array().map_or(&[][..], Vec::as_slice);
        if columns.len() > MOST_COLUMNS {
            return Err(("columns", format!("a view shows at most {MOST_COLUMNS} columns")));
        }
        let names = columns.iter().map(|column| column.as_str().unwrap_or_default());
        for name in names {
            if !shows(record, scope, name) {
                return Err(("columns", format!("{} has no field {name}", record.name)));
            }
        }
        Ok(())
    }
}

/// Whether the record has the field, or the custom field.
fn shows(record: &Record, scope: Scope<'_>, name: &str) -> bool {
    if let Some(key) = name.strip_prefix("customFields.") {
        let fields = scope.custom.get().unwrap_or_default();
        return record.has_custom_fields() && fields.iter().any(|field| field.key == key);
    }
    record.field(name).is_some_and(|field| !field.hidden)
}

/// Why views cannot be carried out. What a viewer may not see is no problem of the view.
fn problems<'a>(
    db: &'a DatabaseConnection,
    _: &'a Viewer,
    ids: &'a [Uuid],
    _: &'a Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>> {
    async move {
        let views = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
        let custom = CustomFields::loaded(db).await?;
        let anybody = Viewer::of_all(db.get_database_backend());
        let scope = Scope::of(db, &anybody, &custom);
        let found: HashMap<Uuid, String> = views
            .into_iter()
            .filter_map(|view| Some((view.id.0, view.check(scope).err()?.1)))
            .collect();
        let problem =
            |id| found.get(id).map_or(Datum::Null, |text| Datum::Json(text.as_str().into()));
        Ok(ids.iter().map(problem).collect())
    }
    .boxed()
}
