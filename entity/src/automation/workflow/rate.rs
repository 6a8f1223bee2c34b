//! How much a workflow may do in an hour. What is more waits for the next one; it never fails.
//!
//! Invariant: who advances runs of a workflow with a limit holds its row, so that workers do not exceed it together.

use std::collections::HashMap;

use chrono::{DurationRound, TimeDelta};
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, CaseStatement, ExprTrait, OnConflict};

use super::version::Version;
use crate::error::Error;
use crate::id::WorkflowId;

/// How much a workflow has done.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "workflow_rate")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: WorkflowId,
    /// In the hour that begins then.
    pub hour_at: DateTimeUtc,
    /// How many steps it has begun that do something.
    pub used: i64,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many steps that do something workflows may still begin; those that are not in it, as many as there are.
pub type Left = HashMap<WorkflowId, i64>;

/// The hour of an instant.
#[must_use]
pub fn hour(now: DateTimeUtc) -> DateTimeUtc {
    now.duration_trunc(TimeDelta::hours(1)).unwrap_or(now)
}

/// What is left of the limits of workflows, whose rows are held from now on.
pub(super) async fn hold<'a>(
    txn: &impl ConnectionTrait,
    versions: impl Iterator<Item = (WorkflowId, &'a Version)>,
    now: DateTimeUtc,
) -> Result<Left, Error> {
    let mut most = Left::new();
    for (workflow, version) in versions {
        if let Some(limit) = version.definition.most_per_hour {
            // Where versions differ, the narrower one counts.
            let limit = i64::from(limit);
            most.entry(workflow)
                .and_modify(|most| *most = std::cmp::min(limit, *most))
                .or_insert(limit);
        }
    }
    if most.is_empty() {
        return Ok(most);
    }
    let mut ids = most.keys().copied().collect::<Vec<_>>();
    ids.sort();
    let rows = ids.into_iter().map(|id| Model { id, hour_at: hour(now), used: 0 });
    let own = |column: Column| Expr::col((Entity, column));
    let given = Expr::col((Alias::new("excluded"), Column::HourAt));
    let used = CaseStatement::new()
        .case(own(Column::HourAt).eq(given.clone()), own(Column::Used))
        .finally(Expr::val(0_i64));
    let there = OnConflict::column(Column::Id)
        .value(Column::Used, used)
        .value(Column::HourAt, given)
        .to_owned();
    let held = Entity::insert_many(rows.map(|row| row.into_active_model().reset_all()))
        .on_conflict(there)
        .exec_with_returning(txn)
        .await?;
    for row in held {
        most.entry(row.id).and_modify(|left| *left = (*left - row.used).clamp(0, i64::MAX));
    }
    Ok(most)
}

/// Writes down what workflows have done.
pub(super) async fn note(
    txn: &impl ConnectionTrait,
    taken: &HashMap<WorkflowId, i64>,
) -> Result<(), Error> {
    if taken.is_empty() {
        return Ok(());
    }
    let mut more = CaseStatement::new();
    for (id, taken) in taken {
        more = more.case(Column::Id.eq(*id), Expr::val(*taken));
    }
    let more: Expr = more.finally(Expr::val(0_i64)).into();
    Entity::update_many()
        .col_expr(Column::Used, Expr::col(Column::Used).add(more))
        .filter(Column::Id.is_in(taken.keys().copied()))
        .exec(txn)
        .await?;
    Ok(())
}
