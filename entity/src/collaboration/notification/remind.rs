//! Telling users what they have to do.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Query};
use sea_orm::{Condition, IntoSimpleExpr};

use super::Kind;
use super::tell::{Again, Told, tell};
use crate::collaboration::reminder::{Column, Entity};
use crate::error::Error;
use crate::id::{AppointmentId, CallId, Id, TaskId};

/// Tells users of those of their reminders that meet a condition.
///
/// # Errors
/// The database.
pub(crate) async fn reminded(
    txn: &impl ConnectionTrait,
    these: Condition,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let subjects = [
        (TaskId::PREFIX, Column::TaskId),
        (CallId::PREFIX, Column::CallId),
        (AppointmentId::PREFIX, Column::AppointmentId),
    ];
    for (prefix, subject) in subjects {
        let column = |column: Column| column.into_simple_expr();
        let mut source = Query::select();
        source.from(Entity).cond_where(these.clone()).and_where(column(subject).is_not_null());
        let late = CaseStatement::new()
            .case(column(Column::Late).eq(true), Expr::val("LATE"))
            .finally(Expr::val("DUE"));
        let told = Told {
            user: column(Column::UserId),
            cause: column(Column::CauseId),
            subject: Some((prefix, column(subject))),
            actor: Expr::val(None::<Uuid>),
            detail: late.into(),
            times: Expr::val(1),
        };
        told.select(&mut source);
        tell(txn, Kind::Reminder, source, Again::Once, now).await?;
    }
    Ok(())
}
