//! Leases: who works on a row, until when. Invariant: a fence only grows, and whoever writes an
//! outcome names the fence they were given, so that a worker that was thought dead cannot.

use sea_orm::entity::prelude::DateTimeUtc;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, IntoIden};

/// A number that is higher with every lease of a row.
pub type Fence = i64;

/// A row that is leased to the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased<I> {
    /// Which row.
    pub id: I,
    /// What the caller's outcome has to name.
    pub fence: Fence,
}

/// The condition that a row was not handed to the conveyor since `since`.
pub(super) fn not_enqueued(column: impl IntoIden, since: DateTimeUtc) -> Expr {
    let column = column.into_iden();
    Expr::col(column.clone()).is_null().or(Expr::col(column).lt(since))
}

/// The condition that nobody has a row at `now`, by the column that says until when somebody has it.
pub(super) fn is_free(until: impl IntoIden, now: DateTimeUtc) -> Expr {
    let until = until.into_iden();
    Expr::col(until.clone()).is_null().or(Expr::col(until).lt(now))
}

/// `fence + 1`.
pub(super) fn next_fence() -> Expr {
    Expr::col(Alias::new("fence")).add(1)
}
