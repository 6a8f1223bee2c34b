//! Searching records of several kinds at once.
//!
//! Invariant: one statement for each kind, whatever is found, and one for each relation that is asked of it.

use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaField, Registry};
use async_graphql::{ContextSelectionSet, Positioned, ServerResult, Value};
use entity::catalog::{self, Record, records, screaming};
use entity::search::refusal;
use entity::text::fold;
use sea_orm::DbErr;

use super::load::Level;
use super::plan::{Planner, Rows, argument, asked};
use super::register::{enumeration, meta_field, meta_input, page_cost};
use super::request::{failed, nullable, planned, reader, viewer};
use super::write::Writer;
use crate::error::Fault;

/// How many records are found unless it is said, and at most.
const USUAL: usize = 10;
/// See [`USUAL`].
const MOST: usize = 50;

/// The kinds of records that are searched.
fn searched() -> impl Iterator<Item = &'static Record> {
    records().into_iter().filter(|record| record.is_searched())
}

/// Registers what is searched; gives the field that searches.
pub(super) fn register(registry: &mut Registry) -> MetaField {
    let kinds: Vec<_> =
        searched().map(|record| (screaming(record.name), record.about.as_str())).collect();
    let kinds = kinds.iter().map(|(name, about)| (name.trim_start_matches('_'), *about));
    enumeration(registry, "SearchType", "A kind of record that is searched.", kinds);
    let text = "Words, all of which occur in a record, without regard to case and diacritics: `nguyen` finds `Nguyễn`. Up to 200 characters and 20 words.";
    let arguments = [
        meta_input("text", text, "String!", None),
        meta_input("types", "Which kinds of records; all when absent.", "[SearchType!]", None),
        meta_input("first", "The best so many: 0 to 50, 10 when absent.", "Int", None),
    ];
    let about = "Records of several kinds that have the words, the best first: those that are the text, that begin with it, that have a word beginning with it, then all others; the newest of each. Only what you may see; null where one cannot be shown.";
    MetaField {
        args: arguments.into_iter().map(|one| (one.name.clone(), one)).collect(),
        compute_complexity: Some(page_cost),
        ..meta_field("search", about, "[Node]!")
    }
}

/// Searches.
pub(super) async fn resolve(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
) -> ServerResult<Value> {
    let pos = field.pos;
    let viewer = viewer(ctx, pos)?;
    let argument = |name| argument(ctx.query_env, field, name);
    let text = argument("text").as_str().unwrap_or_default().to_owned();
    let first = match argument("first").as_i64() {
        Some(first) => usize::try_from(first).ok().filter(|first| *first <= MOST),
        None => Some(USUAL),
    };
    let bad = |message: &str| failed(Fault::bad_request(message), pos);
    let first = first.ok_or_else(|| bad("a search finds 0 to 50 records"))?;
    if let Some(message) = refusal(&text) {
        return Err(bad(&message));
    }
    let types = argument("types");
    let wanted = |record: &&'static Record| {
        let name = screaming(record.name);
        let name = name.trim_start_matches('_');
        let mut given = types.as_array().into_iter().flatten();
        record.is_readable(&viewer) && (types.is_null() || given.any(|given| given == name))
    };
    let load = async |record: &'static Record| {
        let ask = |planner| Planner::rows(planner, record, &asked(ctx));
        let plan: Rows<'_> = planned(ctx, &viewer, ask).await?;
        let scope = Planner::new(ctx, &viewer).scope;
        let statement = catalog::found(record, scope, &plan.cells, &text, first as u64);
        let mut reader = reader(ctx, &viewer);
        let rows = reader.query(&statement).await?;
        let rank = plan.cells.len();
        let ranks = rows.iter().map(|row| row.try_get_by_index::<i32>(rank));
        let ranks: Vec<_> = ranks.collect::<Result<_, DbErr>>()?;
        let level = reader.level(&plan, rows).await?;
        Ok::<(Rows<'_>, Level, Vec<i32>), Fault>((plan, level, ranks))
    };
    let kinds: Vec<_> = match fold(&text).is_empty() {
        true => Vec::new(),
        false => searched().filter(wanted).collect(),
    };
    let found = futures::future::try_join_all(kinds.into_iter().map(load)).await;
    let found = found.map_err(|fault| failed(fault, pos))?;
    let mut hits: Vec<_> = found
        .iter()
        .flat_map(|(plan, level, ranks)| {
            ranks.iter().enumerate().map(move |(row, rank)| (*rank, (plan, level, row)))
        })
        .collect();
    hits.sort_by_key(|(rank, _)| *rank);
    hits.truncate(first);
    let mut writer = Writer::new();
    let written = writer.nodes(hits.into_iter().map(|(_, hit)| Some(hit)));
    Ok(nullable(ctx, writer, &written.map(|()| true)))
}
