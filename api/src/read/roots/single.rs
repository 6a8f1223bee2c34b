//! One record: of a kind, or of any, by its id.

use std::collections::HashMap;

use async_graphql::parser::types::Field;
use async_graphql::registry::MetaField;
use async_graphql::{ContextSelectionSet, Pos, Positioned, ServerResult, Value};
use entity::access::Viewer;
use entity::catalog::{Record, named};
use uuid::Uuid;

use crate::error::Fault;
use crate::read::plan::{Planner, argument, asked};
use crate::read::register;
use crate::read::request::{admit, failed, nullable, planned, reader, viewer};
use crate::read::write::Writer;

/// The field that gives a record of a kind by its id.
pub(super) fn field(record: &Record) -> MetaField {
    let about = format!("{} Null when there is none with the id that you may see.", record.about);
    let id = register::meta_input("id", "Its id.", "ID!", None);
    MetaField {
        args: [(id.name.clone(), id)].into_iter().collect(),
        ..register::meta_field(record.one, &about, record.name)
    }
}

/// The field that gives any record by its id.
pub(super) fn by_any_id() -> MetaField {
    let about = "Any record by its id; null for one that does not exist or may not be seen.";
    let id = register::meta_input("id", "The record's id.", "ID!", None);
    MetaField {
        args: [(id.name.clone(), id)].into_iter().collect(),
        ..register::meta_field("node", about, "Node")
    }
}

/// The record of a kind that is asked for by its id.
pub(super) async fn one(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    record: &'static Record,
) -> ServerResult<Value> {
    let viewer = viewer(ctx, field.pos)?;
    admit(&viewer, record, field.pos)?;
    let id = argument(ctx.query_env, field, "id");
    match id.as_str().and_then(named) {
        Some((found, id)) if found.prefix == record.prefix => {
            by_id(ctx, field.pos, Some(viewer), record, id).await
        }
        _ => Ok(Value::Null),
    }
}

/// The record that is asked for by its id alone.
pub(super) async fn node(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
) -> ServerResult<Value> {
    let viewer = viewer(ctx, field.pos)?;
    let id = argument(ctx.query_env, field, "id");
    match id.as_str().and_then(named) {
        Some((record, id)) => by_id(ctx, field.pos, Some(viewer), record, id).await,
        None => Ok(Value::Null),
    }
}

/// The record with an id as `viewer` sees it, or the request's viewer.
pub(in crate::read) async fn by_id(
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
pub(in crate::read) async fn by_ids(
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
        let mut writer = Writer::new();
        let written = writer.row(&plan, 0, &level, row).map(|()| true);
        (id, nullable(ctx, writer, &written))
    };
    at.into_iter().map(value).collect()
}
