//! The records that a job is still to touch: those that its preview counted.
//!
//! Invariant: a target goes in the transaction in which its record is touched, so that a job that is run
//! again goes on where it stopped.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query, SelectStatement};
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use crate::error::Error;
use crate::id::JobId;

/// How many are noted by one statement: two columns each, of the 32,766 values that SQLite binds at once.
const TOGETHER: usize = 10_000;

/// A target.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job_target")]
pub struct Model {
    /// Of which job.
    #[sea_orm(primary_key, auto_increment = false)]
    pub job_id: JobId,
    /// Which record.
    #[sea_orm(primary_key, auto_increment = false)]
    pub record_id: Uuid,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Notes the records that `chosen` gives as targets: it selects the job's id and theirs. Gives how many
/// there are.
///
/// # Errors
/// The database.
pub async fn add(txn: &impl ConnectionTrait, chosen: SelectStatement) -> Result<u64, Error> {
    let mut insert = Query::insert();
    insert.into_table(Entity).columns([Column::JobId, Column::RecordId]);
    let chosen = insert.select_from(chosen).map_err(|error| DbErr::Custom(error.to_string()))?;
    Ok(txn.execute(chosen).await?.rows_affected())
}

/// Notes records as targets of a job.
///
/// # Errors
/// The database.
pub async fn put(
    txn: &impl ConnectionTrait,
    job: JobId,
    records: impl IntoIterator<Item = Uuid>,
) -> Result<(), Error> {
    let row = |record_id| Model { job_id: job, record_id }.into_active_model().reset_all();
    let mut rows: Vec<_> = records.into_iter().map(row).collect();
    while !rows.is_empty() {
        let rest = rows.split_off(rows.len().min(TOGETHER));
        Entity::insert_many(rows).exec_without_returning(txn).await?;
        rows = rest;
    }
    Ok(())
}

/// The next `limit` targets of a job.
///
/// # Errors
/// The database.
pub async fn next(txn: &impl ConnectionTrait, job: JobId, limit: u64) -> Result<Vec<Uuid>, Error> {
    let ids = Entity::find()
        .select_only()
        .column(Column::RecordId)
        .filter(Column::JobId.eq(job))
        .order_by_asc(Column::RecordId)
        .limit(limit)
        .into_tuple()
        .all(txn)
        .await?;
    Ok(ids)
}

/// Lets go of the targets up to and with `last`.
///
/// # Errors
/// The database.
pub async fn done(txn: &impl ConnectionTrait, job: JobId, last: Uuid) -> Result<(), Error> {
    let passed = Column::JobId.eq(job).and(Column::RecordId.lte(last));
    Entity::delete_many().filter(passed).exec(txn).await?;
    Ok(())
}

/// Lets go of all targets of a job.
///
/// # Errors
/// The database.
pub async fn clear(txn: &impl ConnectionTrait, job: JobId) -> Result<(), Error> {
    Entity::delete_many().filter(Column::JobId.eq(job)).exec(txn).await?;
    Ok(())
}
