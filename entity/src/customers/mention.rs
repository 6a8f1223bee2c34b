//! Filters that people keep and that name customers by their ids, so that none goes on naming one that became part of
//! another.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Func, Query};
use sea_orm::{Condition, DbBackend};

use crate::access::Actor;
use crate::error::Error;
use crate::id::{CustomerId, Id};

/// The tables that have a `filter` which people keep. Each says who changed its rows, and counts that.
const KEPT: [&str; 2] = ["saved_view", "segment"];

/// Lets the filters that name one of `from` name another customer in its place, whosever they are.
///
/// # Errors
/// The database.
pub(crate) async fn carry_over(
    txn: &impl ConnectionTrait,
    from: &[CustomerId],
    to: CustomerId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let text = || Expr::col(Alias::new("filter")).cast_as("text");
    let (mut filter, mut names) = (text(), Condition::any());
    for id in from.iter().map(|id| id.global()) {
        names = names.add(text().like(format!("%{id}%")));
        filter = Func::cust("replace").args([filter, id.into(), to.global().into()]).into();
    }
    if txn.get_database_backend() == DbBackend::Postgres {
        filter = filter.cast_as("jsonb");
    }
    for table in KEPT {
        let mut update = Query::update();
        update
            .table(Alias::new(table))
            .value(Alias::new("filter"), filter.clone())
            .value(Alias::new("updated_at"), now)
            .value(Alias::new("updated_by"), actor.user().map(|user| user.0))
            .value(Alias::new("version"), Expr::col(Alias::new("version")).add(1))
            .cond_where(names.clone());
        if table == "segment" {
            // Who belongs to it by another filter enters and leaves silently.
            update
                .value(Alias::new("filled_at"), None::<DateTimeUtc>)
                .value(Alias::new("look_at"), now);
        }
        txn.execute(&update).await?;
    }
    Ok(())
}
