//! Lists in groups: how many records share what, and what their amounts come to.
//!
//! Invariant: one statement, and one for each kind of record that keys refer to.

mod plan;
mod types;
mod write;

use async_graphql::parser::types::Field;
use async_graphql::{ContextSelectionSet, Positioned, ServerResult, Value};
use entity::access::organisation;
use entity::catalog::{self, Group, GroupKey, Key, MOST_GROUPS, Record};
use std::collections::HashMap;
use uuid::Uuid;

use super::keyed::places;
use super::load::{Level, Reader};
use super::plan::{Planner, asked};
use super::request::{admit, failed, planned, reader, required, viewer};
use super::write::Writer;
use crate::context::Ask;
use crate::error::Fault;
use plan::GroupPlan;

pub(super) use types::register;

/// A kind of record that keys refer to: its rows, and which one has which id.
struct Related {
    level: Level,
    at: HashMap<Uuid, usize>,
}

/// The groups that a field asks for.
pub(super) async fn resolve(
    ctx: &ContextSelectionSet<'_>,
    field: &Positioned<Field>,
    record: &'static Record,
) -> ServerResult<Value> {
    let pos = field.pos;
    let viewer = viewer(ctx, pos)?;
    admit(&viewer, record, pos)?;
    let found = async {
        let ask = |planner| Planner::groups(planner, record, field, &asked(ctx));
        let mut plan = planned(ctx, &viewer, ask).await?;
        if plan.keys.iter().any(GroupKey::lacks_zone) {
            let organisation = organisation::get(ctx.reader()).await;
            let zone = organisation.map_err(|error| match error {
                entity::Error::Db(error) => Fault::from(error),
                other => Fault::bad_request(other.to_string()),
            })?;
            let zone = zone.zone();
            plan.keys = plan.keys.into_iter().map(|key| key.in_zone(zone)).collect();
        }
        let mut reader = reader(ctx, &viewer);
        let scope = Planner::new(ctx, &viewer).scope;
        let statement = catalog::groups(record, scope, &plan.keys, &plan.sums, &plan.filter);
        let rows = reader.query(&statement).await?;
        if rows.len() > MOST_GROUPS {
            return Err(Fault::bad_request(format!(
                "there are more than {MOST_GROUPS} groups; filter more, take a longer `unit`, or group by less",
            )));
        }
        let groups = catalog::read_groups(&rows, &plan.keys, plan.sums.len())?;
        let related = related(&mut reader, &plan, &groups).await?;
        Ok::<_, Fault>((plan, groups, related))
    };
    let (plan, groups, related) = found.await.map_err(|fault| failed(fault, pos))?;
    let mut writer = Writer::new();
    let written = writer.groups(&plan, &groups, &related);
    required(ctx, writer, &written)
}

/// The records that keys refer to.
async fn related(
    reader: &mut Reader<'_>,
    plan: &GroupPlan<'_>,
    groups: &[Group],
) -> Result<Vec<Related>, Fault> {
    let mut found = Vec::with_capacity(plan.related.len());
    for (key, rows) in &plan.related {
        let ids = groups.iter().filter_map(|group| match group.keys[*key] {
            Some(Key::Id(id)) => Some(id),
            _ => None,
        });
        let mut ids: Vec<_> = ids.collect();
        ids.sort_unstable();
        ids.dedup();
        let level = reader.by_ids(rows, &ids).await?;
        let at = places(&level.rows, 0)?;
        found.push(Related { level, at });
    }
    Ok(found)
}
