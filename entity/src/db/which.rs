//! Whether there is anything to do, of several kinds at once.

use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, DbErr};

/// Which of the conditions hold, asked with one statement.
///
/// # Errors
/// The database.
pub async fn which<const N: usize>(
    db: &impl ConnectionTrait,
    conditions: [Expr; N],
) -> Result<[bool; N], DbErr> {
    let mut query = Query::select();
    for condition in conditions {
        query.expr(condition);
    }
    let mut holds = [false; N];
    if let Some(row) = db.query_one(&query).await? {
        for (index, holds) in holds.iter_mut().enumerate() {
            *holds = row.try_get_by_index(index)?;
        }
    }
    Ok(holds)
}
