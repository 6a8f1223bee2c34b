//! The root fields that read records: each kind by its id, each list, and any record by its id alone.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::atomic::Ordering;

use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaField, Registry};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Pos, Positioned,
    ServerError, ServerResult, Value, resolver_utils,
};
use entity::access::{Viewer, user};
use entity::catalog::{Cataloged as _, Record, by_prefix, records};
use entity::collaboration::{mark, saved_view};
use entity::id::{Id as _, SavedViewId};
use sea_orm::{EntityTrait as _, QueryFilter as _};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::Uuid;

use super::groups;
use super::load::{Level, Reader};
use super::plan::{Planner, Rows, argument, asked};
use super::register;
use super::search;
use super::write::{Failed, Writer};
use crate::context::{Ask, Session};
use crate::error::Fault;

/// How many records `nodes` reads at once.
const MOST_NODES: usize = 100;

/// All that can be read by kind: `customer(id)`, `customers(…)`, `node(id)`, `nodes(ids)`.
#[derive(Default)]
pub struct Roots;

impl OutputType for Roots {
    fn type_name() -> Cow<'static, str> {
        "Records".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        let records = records();
        register::node(registry, &records);
        let mut fields = vec![by_any_id(), by_any_ids(), search::register(registry)];
        fields.extend(marks());
        for record in records {
            register::record(registry, record);
            if !record.one.is_empty() {
                let about = format!(
                    "{} Null when there is none with the id that you may see.",
                    record.about
                );
                let ids = register::meta_input("id", "Its id.", "ID!", None);
                fields.push(MetaField {
                    args: [(ids.name.clone(), ids)].into_iter().collect(),
                    ..register::meta_field(record.one, &about, record.name)
                });
            }
            if !record.many.is_empty() {
                let deleted = match record.deleted {
                    Some(_) => {
                        " Deleted ones are left out, unless the filter compares since when they are."
                    }
                    None => "",
                };
                let about = format!(
                    "A page of all `{}` that you may see, oldest first unless an order is given.{deleted}",
                    record.name
                );
                let mut list = register::listing(record, &about);
                let about = "A saved view of this list: its filter holds beside `filter`, and its order where `orderBy` is absent.";
                let view = register::meta_input("view", about, "ID", None);
                list.args.insert(view.name.clone(), view);
                fields.push(list);
            }
            if is_grouped(record) {
                fields.push(groups::register(registry, record));
            }
        }
        let name = Self::type_name().into_owned();
        let object = register::object(&name, "Reading records.", fields);
        registry.types.insert(name, object);
        Self::qualified_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolver_utils::resolve_container(ctx, self).await
    }
}

impl ObjectType for Roots {}

impl ContainerType for Roots {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let name = ctx.item.node.name.node.as_str();
        let set = ctx.with_selection_set(&ctx.item.node.selection_set);
        let field = ctx.item;
        let found = match name {
            "node" => node(&set, field).await,
            "nodes" => nodes(&set, field).await,
            "search" => search::resolve(&set, field).await,
            "favourites" => marked(&set, field, Marked::By(mark::Kind::Favourite)).await,
            "following" => marked(&set, field, Marked::By(mark::Kind::Follow)).await,
            "followers" => marked(&set, field, Marked::Followers).await,
            _ => match root(name) {
                Some((record, Root::One)) => one(&set, field, record).await,
                Some((record, Root::Many)) => list(&set, field, record).await,
                Some((record, Root::Groups)) => groups::resolve(&set, field, record).await,
                None => return Ok(None),
            },
        };
        found.map(Some).map_err(|error| match error.path.is_empty() {
            true => ctx.set_error_path(error),
            false => error,
        })
    }
}

/// Which marks are asked for.
enum Marked {
    /// The viewer's own of a kind.
    By(mark::Kind),
    /// Who follows a record.
    Followers,
}

/// What a root field gives of a kind of record.
enum Root {
    /// The one with an id.
    One,
    /// A page of all.
    Many,
    /// All in groups.
    Groups,
}

/// What the root field with a name gives.
fn root(name: &str) -> Option<(&'static Record, Root)> {
    let kind = |record: &Record| {
        if record.one == name {
            return Some(Root::One);
        }
        if record.many == name {
            return Some(Root::Many);
        }
        let grouped = name.strip_suffix("Groups") == Some(record.one) && is_grouped(record);
        grouped.then_some(Root::Groups)
    };
    records().into_iter().find_map(|record| Some((record, kind(record)?)))
}

fn is_grouped(record: &Record) -> bool {
    !record.one.is_empty() && record.fields.iter().any(|field| field.grouped)
}

fn by_any_id() -> MetaField {
    let about = "Any record by its id; null for one that does not exist or may not be seen.";
    let id = register::meta_input("id", "The record's id.", "ID!", None);
    MetaField {
        args: [(id.name.clone(), id)].into_iter().collect(),
        ..register::meta_field("node", about, "Node")
    }
}

/// Fields that give marked records.
fn marks() -> [MetaField; 3] {
    let id = register::meta_input("id", "The record's id.", "ID!", None);
    let seen = "null where one does not exist any more or may not be seen";
    let favourites = format!("Your favourites, the newest first; {seen}.");
    let following = format!("What you follow, the newest 100 first; {seen}.");
    let about = "The users who follow a record, the first ones first, at most 100; nobody where it may not be seen.";
    let cost = Some(register::many_cost as register::Complexity);
    [
        MetaField {
            compute_complexity: cost,
            ..register::meta_field("favourites", &favourites, "[Node]!")
        },
        MetaField {
            compute_complexity: cost,
            ..register::meta_field("following", &following, "[Node]!")
        },
        MetaField {
            args: [(id.name.clone(), id)].into_iter().collect(),
            compute_complexity: cost,
            ..register::meta_field("followers", about, "[Node]!")
        },
    ]
}

fn by_any_ids() -> MetaField {
    let about = "Records by their ids, in the order of the ids; null where one does not exist or may not be seen.";
    let ids = register::meta_input("ids", "The records' ids: at most 100.", "[ID!]!", None);
    MetaField {
        args: [(ids.name.clone(), ids)].into_iter().collect(),
        compute_complexity: Some(register::ids_cost),
        ..register::meta_field("nodes", about, "[Node]!")
    }
}

/// A fault as an error at the place of the field.
pub(super) fn failed(fault: impl Into<Fault>, pos: Pos) -> ServerError {
    async_graphql::Error::from(fault.into()).into_server_error(pos)
}

/// Who asks.
pub(super) fn viewer(ctx: &ContextSelectionSet<'_>, pos: Pos) -> ServerResult<Viewer> {
    ctx.viewer().map_err(|fault| failed(fault, pos))
}

/// Reads for the viewer.
pub(super) fn reader<'a>(ctx: &'a ContextSelectionSet<'_>, viewer: &'a Viewer) -> Reader<'a> {
    let session: &Session = ctx.data_unchecked();
    Reader { db: ctx.reader(), viewer, statements: &session.statements }
}

/// Writes the field's value.
pub(super) fn writer(ctx: &ContextSelectionSet<'_>) -> Writer {
    Writer::at(ctx.set_error_path(ServerError::new("", None)).path)
}

/// The written value, or null; what failed on the way is noted.
pub(super) fn nullable(
    ctx: &ContextSelectionSet<'_>,
    writer: Writer,
    written: &Result<bool, Failed>,
) -> Value {
    for error in writer.errors {
        ctx.add_error(error);
    }
    match written {
        Ok(true) => Value::Binary(writer.out.into()),
        Ok(false) | Err(Failed) => Value::Null,
    }
}

/// The plan that `ask` makes; once more with the custom fields if it misses them.
pub(super) async fn planned<'a, T>(
    ctx: &ContextSelectionSet<'a>,
    viewer: &'a Viewer,
    ask: impl Fn(Planner<'a>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let plan = ask(Planner::new(ctx, viewer));
    let session: &Session = ctx.data_unchecked();
    if !session.custom.are_missed() {
        return plan;
    }
    session.statements.fetch_add(1, Ordering::Relaxed);
    session.custom.load(ctx.reader()).await?;
    ask(Planner::new(ctx, viewer))
}

/// Refuses who may read nothing of a kind.
pub(super) fn admit(viewer: &Viewer, record: &Record, pos: Pos) -> ServerResult<()> {
    if record.is_readable(viewer) {
        return Ok(());
    }
    Err(failed(Fault::forbidden(), pos))
}

/// The prefix and the UUID of an id from outside.
fn known(id: &str) -> Option<(&'static Record, Uuid)> {
    let id: TypeSafeId<DynamicType> = id.parse().ok()?;
    Some((by_prefix(id.type_prefix())?, id.uuid()))
}

async fn one(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    record: &'static Record,
) -> ServerResult<Value> {
    let viewer = viewer(ctx, field.pos)?;
    admit(&viewer, record, field.pos)?;
    let id = argument(ctx.query_env, field, "id");
    match id.as_str().and_then(known) {
        Some((found, id)) if found.prefix == record.prefix => {
            by_id(ctx, field.pos, Some(viewer), record, id).await
        }
        _ => Ok(Value::Null),
    }
}

async fn node(ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
    let viewer = viewer(ctx, field.pos)?;
    let id = argument(ctx.query_env, field, "id");
    match id.as_str().and_then(known) {
        Some((record, id)) => by_id(ctx, field.pos, Some(viewer), record, id).await,
        None => Ok(Value::Null),
    }
}

/// The record with an id as `viewer` sees it, or the request's viewer.
pub(super) async fn by_id(
    ctx: &ContextSelectionSet<'_>,
    pos: Pos,
    seen_by: Option<Viewer>,
    record: &'static Record,
    id: Uuid,
) -> ServerResult<Value> {
    let viewer = match seen_by {
        Some(viewer) => viewer,
        None => viewer(ctx, pos)?,
    };
    Ok(seen(ctx, pos, &viewer, record, &[id]).await.remove(&id).unwrap_or_default())
}

/// The records with some ids as the request's viewer sees them.
pub(super) async fn by_ids(
    ctx: &ContextSelectionSet<'_>,
    pos: Pos,
    record: &'static Record,
    ids: &[Uuid],
) -> ServerResult<HashMap<Uuid, Value>> {
    let viewer = viewer(ctx, pos)?;
    Ok(seen(ctx, pos, &viewer, record, ids).await)
}

/// The written records; a fault is noted, and none is there then.
async fn seen(
    ctx: &ContextSelectionSet<'_>,
    pos: Pos,
    viewer: &Viewer,
    record: &'static Record,
    ids: &[Uuid],
) -> HashMap<Uuid, Value> {
    let found = async {
        let ask = |planner| Planner::rows(planner, record, &asked(ctx));
        let mut plan = planned(ctx, viewer, ask).await?;
        let merged = record.merged.map(|column| plan.cell(column));
        let (level, at) = reader(ctx, viewer).current(&plan, merged, ids).await?;
        Ok::<_, Fault>((plan, level, at))
    };
    let (plan, level, at) = match found.await {
        Ok(found) => found,
        Err(fault) => {
            ctx.add_error(ctx.set_error_path(failed(fault, pos)));
            return HashMap::new();
        }
    };
    let value = |(id, row): (Uuid, usize)| {
        let mut writer = writer(ctx);
        let written = writer.row(&plan, 0, &level, row).map(|()| true);
        (id, nullable(ctx, writer, &written))
    };
    at.into_iter().map(value).collect()
}

async fn list(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    record: &'static Record,
) -> ServerResult<Value> {
    let pos = field.pos;
    let viewer = viewer(ctx, pos)?;
    admit(&viewer, record, pos)?;
    let view = view(ctx, field, &viewer, record).await.map_err(|fault| failed(fault, pos))?;
    let ask = |planner| Planner::connection(planner, record, field, &asked(ctx), view.as_ref());
    let plan = planned(ctx, &viewer, ask).await.map_err(|fault| failed(fault, pos))?;
    let (level, found) =
        reader(ctx, &viewer).page(&plan).await.map_err(|error| failed(error, pos))?;
    let mut writer = writer(ctx);
    let written = writer.connection(&plan, &level, &found, pos);
    let mut errors = writer.errors.into_iter();
    // A list is never null: what cannot be written takes the whole answer with it.
    let first = if written.is_err() { errors.next() } else { None };
    for error in errors {
        ctx.add_error(error);
    }
    match first {
        Some(error) => Err(error),
        None => Ok(Value::Binary(writer.out.into())),
    }
}

/// The saved view by which a list is asked for.
async fn view(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    viewer: &Viewer,
    record: &Record,
) -> Result<Option<saved_view::Model>, Fault> {
    let id = argument(ctx.query_env, field, "view");
    let Some(id) = id.as_str() else { return Ok(None) };
    let found = match SavedViewId::parse(id) {
        Some(id) => {
            let seen = saved_view::Entity::record().visible(viewer);
            saved_view::Entity::find_by_id(id).filter(seen).one(ctx.reader()).await?
        }
        None => None,
    };
    let found = found.filter(|view| view.list == record.many);
    let missing = || Fault::bad_request(format!("view: there is no such view of {}", record.many));
    found.map(Some).ok_or_else(missing)
}

async fn nodes(ctx: &ContextSelectionSet<'_>, field: &Positioned<Field>) -> ServerResult<Value> {
    let pos = field.pos;
    let viewer = viewer(ctx, pos)?;
    let ids = argument(ctx.query_env, field, "ids");
    let ids: Vec<_> = ids.as_array().into_iter().flatten().collect();
    if ids.len() > MOST_NODES {
        let message = format!("ask for at most {MOST_NODES} ids at once");
        return Err(failed(Fault::bad_request(message), pos));
    }
    let ids: Vec<_> = ids.into_iter().map(|id| id.as_str().and_then(known)).collect();
    several(ctx, pos, &viewer, &ids).await
}

/// What the viewer has marked, or who has marked a record.
async fn marked(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    asked_for: Marked,
) -> ServerResult<Value> {
    let pos = field.pos;
    let viewer = viewer(ctx, pos)?;
    let db = ctx.reader();
    let most = MOST_NODES as u64;
    let found = async {
        Ok::<_, Fault>(match asked_for {
            Marked::By(kind) => mark::of_user(db, kind, viewer.user, most).await?,
            Marked::Followers => {
                let id = argument(ctx.query_env, field, "id");
                let Some((record, id)) = id.as_str().and_then(known) else { return Ok(vec![]) };
                let plan = Planner::new(ctx, &viewer).rows(record, &[])?;
                if reader(ctx, &viewer).by_ids(&plan, &[id]).await?.rows.is_empty() {
                    return Ok(vec![]);
                }
                let users = mark::of_record(db, mark::Kind::Follow, id, most).await?;
                users.into_iter().map(|user| (user::Entity::record(), user.0)).collect()
            }
        })
    };
    let found = found.await.map_err(|fault| failed(fault, pos))?;
    let ids: Vec<_> = found.into_iter().map(Some).collect();
    several(ctx, pos, &viewer, &ids).await
}

/// Records of any kinds, in the order of their ids.
async fn several(
    ctx: &ContextSelectionSet<'_>,
    pos: Pos,
    viewer: &Viewer,
    ids: &[Option<(&'static Record, Uuid)>],
) -> ServerResult<Value> {
    let mut kinds: HashMap<&str, (&'static Record, Vec<Uuid>)> = HashMap::new();
    for (record, id) in ids.iter().flatten() {
        kinds.entry(record.prefix).or_insert_with(|| (record, Vec::new())).1.push(*id);
    }
    let reader = reader(ctx, viewer);
    let load = async |record: &'static Record, ids: Vec<Uuid>| {
        let ask = |planner| Planner::rows(planner, record, &asked(ctx));
        let mut plan = planned(ctx, viewer, ask).await?;
        let merged = record.merged.map(|column| plan.cell(column));
        let (level, at) = reader.current(&plan, merged, &ids).await?;
        Ok::<_, Fault>((record.prefix, (plan, level, at)))
    };
    let kinds = kinds.into_values().map(|(record, ids)| load(record, ids));
    let found = futures::future::try_join_all(kinds).await;
    let found: HashMap<&str, (Rows<'_>, Level, HashMap<Uuid, usize>)> =
        found.map_err(|fault| failed(fault, pos))?.into_iter().collect();
    let mut writer = writer(ctx);
    writer.nodes(ids.iter().map(|id| {
        let (record, id) = (*id)?;
        let (plan, level, at) = found.get(record.prefix)?;
        Some((plan, level, *at.get(&id)?))
    }));
    Ok(nullable(ctx, writer, &Ok(true)))
}
