//! The root fields that read records: each kind by its id, each list, and any record by its id alone.

mod list;
mod several;
mod single;

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult,
    Value, resolver_utils,
};
use entity::catalog::{Record, records};
use entity::collaboration::mark;

use super::{groups, register, search};
use several::Marked;

pub(super) use single::{by_id, by_ids};

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
        let mut fields =
            vec![single::by_any_id(), several::by_any_ids(), search::register(registry)];
        fields.extend(several::marks());
        for record in records {
            register::record(registry, record);
            if !record.one.is_empty() {
                fields.push(single::field(record));
            }
            if !record.many.is_empty() {
                fields.push(list::field(record));
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
            "node" => single::node(&set, field).await,
            "nodes" => several::nodes(&set, field).await,
            "search" => search::resolve(&set, field).await,
            "favourites" => several::marked(&set, field, Marked::By(mark::Kind::Favourite)).await,
            "following" => several::marked(&set, field, Marked::By(mark::Kind::Follow)).await,
            "followers" => several::marked(&set, field, Marked::Followers).await,
            _ => match root(name) {
                Some((record, Root::One)) => single::one(&set, field, record).await,
                Some((record, Root::Many)) => list::page(&set, field, record).await,
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
