//! Records of any kinds together: by their ids, or by who has marked them.

use std::collections::HashMap;

use async_graphql::parser::types::Field;
use async_graphql::registry::MetaField;
use async_graphql::{ContextSelectionSet, Pos, Positioned, ServerResult, Value};
use entity::access::{Viewer, user};
use entity::catalog::{Cataloged as _, Record, named};
use entity::collaboration::mark;
use uuid::Uuid;

use crate::context::Ask;
use crate::error::Fault;
use crate::read::load::Level;
use crate::read::plan::{Planner, Rows, argument, asked};
use crate::read::register;
use crate::read::request::{failed, nullable, planned, reader, viewer};
use crate::read::write::Writer;

/// How many records are read at once.
const MOST_NODES: usize = 100;

/// Which marks are asked for.
pub(super) enum Marked {
    /// The viewer's own of a kind.
    By(mark::Kind),
    /// Who follows a record.
    Followers,
}

/// The field that gives any records by their ids.
pub(super) fn by_any_ids() -> MetaField {
    let about = "Records by their ids, in the order of the ids; null where one does not exist or may not be seen.";
    let ids = register::meta_input("ids", "The records' ids: at most 100.", "[ID!]!", None);
    MetaField {
        args: [(ids.name.clone(), ids)].into_iter().collect(),
        compute_complexity: Some(register::ids_cost),
        ..register::meta_field("nodes", about, "[Node]!")
    }
}

/// Fields that give marked records.
pub(super) fn marks() -> [MetaField; 3] {
    let id = register::meta_input("id", "The record's id.", "ID!", None);
    let seen = "null where one does not exist any more or may not be seen";
    let favourites = format!(
        "Your favourites in your order; those that you have not moved come first, the newest before the others; {seen}."
    );
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

/// The records that are asked for by their ids.
pub(super) async fn nodes(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
) -> ServerResult<Value> {
    let pos = field.pos;
    let viewer = viewer(ctx, pos)?;
    let ids = argument(ctx.query_env, field, "ids");
    let ids: Vec<_> = ids.as_array().into_iter().flatten().collect();
    if ids.len() > MOST_NODES {
        let message = format!("ask for at most {MOST_NODES} ids at once");
        return Err(failed(Fault::bad_request(message), pos));
    }
    let ids: Vec<_> = ids.into_iter().map(|id| id.as_str().and_then(named)).collect();
    several(ctx, pos, &viewer, &ids).await
}

/// What the viewer has marked, or who has marked a record.
pub(super) async fn marked(
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
                let Some((record, id)) = id.as_str().and_then(named) else { return Ok(vec![]) };
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
    let load = async |record: &'static Record, ids: Vec<Uuid>| {
        let ask = |planner| Planner::rows(planner, record, &asked(ctx));
        let mut plan = planned(ctx, viewer, ask).await?;
        let merged = record.merged.map(|column| plan.cell(column));
        let (level, at) = reader(ctx, viewer).current(&plan, merged, &ids).await?;
        Ok::<_, Fault>((record.prefix, (plan, level, at)))
    };
    let kinds = kinds.into_values().map(|(record, ids)| load(record, ids));
    let found = futures::future::try_join_all(kinds).await;
    let found: HashMap<&str, (Rows<'_>, Level, HashMap<Uuid, usize>)> =
        found.map_err(|fault| failed(fault, pos))?.into_iter().collect();
    let mut writer = Writer::new();
    let written = writer.nodes(ids.iter().map(|id| {
        let (record, id) = (*id)?;
        let (plan, level, at) = found.get(record.prefix)?;
        Some((plan, level, *at.get(&id)?))
    }));
    Ok(nullable(ctx, writer, &written.map(|()| true)))
}
