//! Lists of a kind of record, page by page.

use async_graphql::parser::types::Field;
use async_graphql::registry::MetaField;
use async_graphql::{ContextSelectionSet, Positioned, ServerResult, Value};
use entity::access::Viewer;
use entity::catalog::{Cataloged as _, Record};
use entity::collaboration::saved_view;
use entity::id::{Id as _, SavedViewId};
use sea_orm::{EntityTrait as _, QueryFilter as _};

use crate::context::Ask;
use crate::error::Fault;
use crate::read::plan::{Planner, argument, asked};
use crate::read::register;
use crate::read::request::{admit, failed, planned, reader, required, viewer};
use crate::read::write::Writer;

/// The field that gives a page of a record's list.
pub(super) fn field(record: &Record) -> MetaField {
    let deleted = match record.deleted {
        Some(_) => " Deleted ones are left out, unless the filter compares since when they are.",
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
    list
}

/// The page of a list that is asked for.
pub(super) async fn page(
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
    let mut writer = Writer::new();
    let written = writer.connection(&plan, &level, &found, pos);
    required(ctx, writer, &written)
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
