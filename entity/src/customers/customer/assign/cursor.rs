//! Whose turn it is. Invariant: a place in the order is given out once, since its row is advanced and read in one
//! statement, and stays locked until who has got it commits.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{IntoActiveModel, QuerySelect};

use crate::error::Error;

/// How many turns there were in a step of a workflow.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "assignment_cursor")]
pub struct Model {
    /// Made of the workflow and the step's key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// How many.
    pub position: i64,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// How many turns there were, as far as one can see without waiting.
pub(super) async fn seen(db: &impl ConnectionTrait, id: Uuid) -> Result<i64, DbErr> {
    let position = Entity::find_by_id(id).select_only().column(Column::Position).into_tuple();
    Ok(position.one(db).await?.unwrap_or_default())
}

/// Takes the next `turns`; gives how many there were before.
pub(super) async fn take(txn: &impl ConnectionTrait, id: Uuid, turns: i64) -> Result<i64, Error> {
    let further = Expr::col((Entity, Column::Position)).add(turns);
    let there = OnConflict::column(Column::Id).value(Column::Position, further).to_owned();
    let row = Model { id, position: turns }.into_active_model().reset_all();
    let row = Entity::insert(row).on_conflict(there).exec_with_returning(txn).await?;
    Ok(row.position - turns)
}
