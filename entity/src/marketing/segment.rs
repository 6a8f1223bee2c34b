//! Segments: customers who are kept together, by what they have in common, by name, or by the segments that they are in.
//!
//! Invariant: who belongs to a segment is what it says, once it is known: of a dynamic one its filter, of a set its parts,
//! of a list the last word of whoever added and removed customers. Whoever comes to belong to it enters it, and whoever
//! does no more leaves it, each of which is an event. Who belongs to it when it is made, or when what it says changes,
//! enters or leaves it silently. A customer that is deleted leaves all of them, and whether somebody belongs to one says
//! nothing about whether they may be written to.

use std::collections::HashMap;

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::entity::prelude::*;
use sea_orm::{DatabaseConnection, DeriveActiveEnum, EnumIter, IntoActiveModel, QuerySelect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::access::{Actor, Permission, Viewer, user};
use crate::automation::AutomationError;
use crate::automation::workflow::start;
use crate::catalog::{Cataloged, Datum, Scope, catalog, condition, elements};
use crate::customers::custom::CustomFields;
use crate::customers::{customer, parse_required};
use crate::edit::{edited, lock, save, unchanged};
use crate::error::Error;
use crate::id::{Id, SegmentId, UserId};

pub mod file;
pub mod list;
pub mod member;
pub mod part;
pub mod reach;
mod refresh;
pub mod sample;
pub mod stats;

pub use refresh::{follow, is_due, look, postpone};

/// How many characters a filter has at most, as JSON.
const LARGEST: usize = 20_000;

/// How many segments there are at most: each customer that changes is compared with all of them.
const MOST: u64 = 200;

/// By what customers belong to a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// They pass a filter.
    Dynamic,
    /// Somebody has put them on it.
    Static,
    /// They belong to others.
    Set,
}

/// How others make up a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Operation {
    /// Who belongs to any of them.
    Union,
    /// Who belongs to all of them.
    Intersection,
    /// Who belongs to the first and to none of the others.
    Difference,
}

/// A segment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentId,
    /// What it is called.
    pub name: String,
    /// By what customers belong to it.
    pub kind: Kind,
    /// Which customers belong to it; of a list and a set it names the segment itself.
    pub filter: Json,
    /// How its parts make it up, if it is a set.
    pub operation: Option<Operation>,
    /// Which customers a list was made of.
    pub source: Option<Json>,
    /// Which sample of them.
    pub sample: Option<Json>,
    /// How a list was last changed by somebody.
    pub last_change: Option<Json>,
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
    /// A segment: customers who are kept together. They enter and leave it, which starts workflows.
    Segment (segment, segments) of Entity, read by Permission::ReadWorkflows,
        versioned by Column::Version, with history;
    /// What it is called; unique.
    name: text(Column::Name).filtered().ordered().unique(),
    /// By what customers belong to it.
    kind: choice::<Kind>("SegmentKind", Column::Kind).filtered(),
    /// Which customers belong to it: a filter in the form of their list. Of a list and a set it names the segment itself.
    filter: json(Column::Filter),
    /// How its parts make it up; null unless it is a set.
    operation: choice::<Operation>("SegmentOperation", Column::Operation),
    /// The segments that make it up, in their order. A list that is just made of one has it as its part until that is done.
    parts: list::<part::Entity, _>(part::Column::SegmentId, part::Column::Place, 3),
    /// The filter whose customers a list was made of; null when it was made otherwise.
    source: json(Column::Source),
    /// Which sample of customers a list was made of; null when it was made of all.
    sample: json(Column::Sample),
    /// How a list was last changed by somebody: when (`at`), how many customers were `added` and `removed`, and by what
    /// (`by`: `IDS`, `FILTER`, `SEGMENT` or `FILE`); null before that. `history` has the earlier ones.
    last_change: json(Column::LastChange),
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

/// What a segment is to be made of.
#[derive(Clone, Debug)]
pub enum Content {
    /// The customers that pass a filter, as they change.
    Filter(Value),
    /// Other segments.
    Set(Operation, Vec<SegmentId>),
    /// Customers of now, who stay.
    List(list::Source),
}

/// A segment as it is to be; what is `None` stays.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What it is called.
    pub name: Option<String>,
    /// What it is made of.
    pub content: Option<Content>,
}

/// Makes a segment. Who belongs to it is known a moment later.
///
/// # Errors
/// `Invalid` for a filter that the customers' list does not take and for a set that cannot be, [`Error::NoSuch`] for a part
/// of it, [`Error::NotUnique`].
pub async fn create(
    txn: &impl ConnectionTrait,
    (name, content): (String, Content),
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    use sea_orm::PaginatorTrait;
    if Entity::find().count(txn).await? >= MOST {
        return Err(Error::invalid("name", format!("there are at most {MOST} segments")));
    }
    let actor = Actor::from(viewer);
    let id = SegmentId::new(now);
    let mut row = Model {
        id,
        name: parse_required("name", &name, 100)?,
        kind: match content {
            Content::Filter(_) => Kind::Dynamic,
            Content::Set(..) => Kind::Set,
            Content::List(_) => Kind::Static,
        },
        filter: json!({ "segments": { "some": { "segmentId": { "eq": id.global() } } } }),
        operation: None,
        source: None,
        sample: None,
        last_change: None,
        filled_at: None,
        look_at: now,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    match content {
        Content::Filter(filter) => {
            checked(txn, &filter, "filter", viewer).await?;
            row.filter = filter;
            Ok(row.into_active_model().reset_all().insert(txn).await?)
        }
        Content::Set(operation, parts) => {
            row.operation = Some(operation);
            let row = row.into_active_model().reset_all().insert(txn).await?;
            part::replace(txn, row.id, operation, &parts, actor, now).await?;
            Ok(row)
        }
        Content::List(source) => list::create(txn, row, source, viewer, now).await,
    }
}

/// Changes a segment, if it still has `expected_version` (where one is given). It stays of its kind. Who belongs to it by
/// another filter, or by other parts, is known a moment later.
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
    let mut row = lock::<Entity>(txn, id, None).await?;
    unchanged(&row, expected_version)?;
    let actor = Actor::from(viewer);
    if let Some(name) = change.name {
        row.name = parse_required("name", &name, 100)?;
    }
    let stays = |field| Err(Error::invalid(field, "a segment stays of its kind; make another one"));
    let is_new = match (row.kind, change.content) {
        (_, None) => false,
        (Kind::Dynamic, Some(Content::Filter(filter))) => {
            let is_new = row.filter != filter;
            if is_new {
                checked(txn, &filter, "filter", viewer).await?;
                row.filter = filter;
            }
            is_new
        }
        (Kind::Set, Some(Content::Set(operation, parts))) => {
            part::replace(txn, id, operation, &parts, actor, now).await?;
            row.operation = Some(operation);
            true
        }
        (_, Some(Content::Filter(_))) => return stays("filter"),
        (_, Some(Content::Set(..))) => return stays("set"),
        (_, Some(Content::List(_))) => return stays("list"),
    };
    if is_new {
        (row.filled_at, row.look_at) = (None, now);
        part::unfill_above(txn, id, now).await?;
    }
    save::<Entity>(txn, row, actor, now).await
}

/// Deletes a segment for good; who belongs to it stays as they are.
///
/// # Errors
/// [`Error::NoSuch`], `SegmentInUse` while a workflow is started by it, `SegmentIsPart` while a segment is made of it.
pub async fn delete(txn: &impl ConnectionTrait, id: SegmentId) -> Result<(), Error> {
    let row = lock::<Entity>(txn, id, None).await?;
    if let Some(workflow) = start::started_by(txn, id).await? {
        return Err(AutomationError::SegmentInUse(workflow).into());
    }
    if let Some(whole) = part::made_of(txn, id).await? {
        return Err(AutomationError::SegmentIsPart(whole).into());
    }
    part::Entity::delete_many().filter(part::Column::SegmentId.eq(id)).exec(txn).await?;
    member::Entity::delete_many().filter(member::Column::SegmentId.eq(id)).exec(txn).await?;
    Entity::delete_by_id(row.id).exec(txn).await?;
    Ok(())
}

/// Makes sure that a filter can be kept, and that nobody learns by it what they may not see.
async fn checked(
    txn: &impl ConnectionTrait,
    filter: &Value,
    field: &'static str,
    viewer: &Viewer,
) -> Result<(), Error> {
    if filter.to_string().len() > LARGEST {
        return Err(Error::invalid(field, "the filter is too long to be kept"));
    }
    let custom = CustomFields::loaded(txn).await?;
    let hidden = custom
        .get()
        .unwrap_or_default()
        .iter()
        .find(|field| !field.is_visible_to_all() && names(filter, &field.key));
    if let Some(custom) = hidden {
        let message = format!(
            "not everybody sees the custom field {}, and a segment would tell who has it",
            custom.key
        );
        return Err(Error::invalid(field, message));
    }
    condition(customer::Entity::record(), filter, Scope::of(txn, viewer, &custom), field)?;
    Ok(())
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
            let filter = match row.kind {
                Kind::Dynamic => row.filter,
                // Nothing is looked up any more once it is made.
                _ => row.source.filter(|_| row.filled_at.is_none())?,
            };
            let compiled = condition(customer::Entity::record(), &filter, scope, "filter");
            Some((row.id.0, compiled.err()?.to_string()))
        };
        let found: HashMap<Uuid, String> = rows.into_iter().filter_map(why).collect();
        let problem =
            |id| found.get(id).map_or(Datum::Null, |text| Datum::Json(text.as_str().into()));
        Ok(ids.iter().map(problem).collect())
    }
    .boxed()
}
