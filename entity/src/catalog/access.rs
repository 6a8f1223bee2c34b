//! Who reaches which rows of a record.
//!
//! Invariant: this is the one place that knows. What one does not reach behaves as if it did not exist.

use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query};
use sea_orm::{Condition, ConnectionTrait};
use uuid::Uuid;

use super::{Record, Target};
use crate::access::{AccessError, Permission, Scope, Viewer, share};
use crate::error::Error;

/// To whom the rows of a record belong.
#[derive(Clone)]
pub enum Belongs {
    /// To nobody: only who reaches all reaches any.
    ToNobody,
    /// To the user that a column names; they can be shared.
    To(&'static str),
    /// To whom that belongs which a column refers to.
    With(&'static str, Target),
    /// To the user that a column names, and to whom that belongs which another one refers to.
    ToOrWith(&'static str, &'static str, Target),
    /// To the user that a column names, and nobody else sees them whatever they may, unless a second column
    /// says that all do.
    OnlyTo(&'static str, Option<&'static str>),
    /// To whom one of those belongs which columns refer to: whoever sees one of these sees the row.
    SeenWith(Vec<(&'static str, Target)>),
}

/// The table of those who take part in the rows of a record.
#[derive(Clone, Copy, Debug)]
pub struct Attended {
    /// Its name.
    pub table: &'static str,
    /// The column that says in which row.
    pub row: &'static str,
    /// The column that says which user.
    pub user: &'static str,
}

impl Record {
    /// Which rows the viewer sees.
    #[must_use]
    pub fn visible(&self, viewer: &Viewer) -> Condition {
        let seen = self.seen(viewer);
        let Some((column, limits)) = self.limits.zip(viewer.limits()) else { return seen };
        let within = Condition::all().add(self.column(column).eq(limits));
        if seen.is_empty() { within } else { within.add(seen) }
    }

    /// Which rows the viewer sees, were it not for the limits of an API key.
    fn seen(&self, viewer: &Viewer) -> Condition {
        match (&self.belongs, self.read) {
            (Belongs::SeenWith(others), _) => {
                self.with_any(others, |other| other.visible(viewer)).into()
            }
            (Belongs::OnlyTo(column, shared), _) => Condition::any()
                .add(self.column(column).eq(viewer.user))
                .add_option(shared.map(|shared| self.column(shared).eq(true))),
            (_, Some(needed)) => {
                let reached = self.reached(viewer, needed, false);
                let own = self.own.map(|own| self.column(own).eq(viewer.user));
                let attended = || self.attended_by(viewer).map(|list| self.attends(list, viewer));
                match own.or_else(attended) {
                    Some(own) if !reached.is_empty() => Condition::any().add(reached).add(own),
                    _ => reached,
                }
            }
            (_, None) => Condition::all(),
        }
    }

    /// The table of those who take part, where the viewer sees what they take part in: an API key reads what it is for
    /// and nothing else.
    pub(super) fn attended_by(&self, viewer: &Viewer) -> Option<Attended> {
        self.attended.filter(|_| viewer.limits().is_none())
    }

    /// Whether the viewer takes part in a row.
    fn attends(&self, list: Attended, viewer: &Viewer) -> Expr {
        let mut rows = Query::select();
        rows.column(list.row).from(list.table).and_where(Expr::col(list.user).eq(viewer.user));
        self.column("id").in_subquery(rows)
    }

    /// With which rows the viewer may do what needs `permission`, which is a change where `writing`.
    #[must_use]
    pub fn reached(&self, viewer: &Viewer, permission: Permission, writing: bool) -> Condition {
        match viewer.scope(permission) {
            Scope::None => Condition::all().add(Expr::val(false)),
            Scope::All => Condition::all(),
            scope => Condition::all().add(self.belonging(viewer, scope, writing)),
        }
    }

    /// Which rows the viewer may change by what needs `permission`: those reached that are not deleted.
    #[must_use]
    pub fn changeable(&self, viewer: &Viewer, permission: Permission) -> Condition {
        let reached = self.reached(viewer, permission, true);
        reached.add_option(self.deleted.map(|column| self.column(column).is_null()))
    }

    /// Whether a row belongs to the viewer within `scope`, or is shared with them.
    fn belonging(&self, viewer: &Viewer, scope: Scope, writing: bool) -> Expr {
        match &self.belongs {
            Belongs::ToNobody => Expr::val(false),
            Belongs::SeenWith(others) => {
                self.with_any(others, |other| other.belonging(viewer, scope, writing).into())
            }
            Belongs::OnlyTo(column, _) => self.column(column).eq(viewer.user),
            Belongs::To(column) => {
                let shared = share::with(viewer, writing);
                viewer
                    .is_theirs(self.column(column), scope)
                    .or(self.column("id").in_subquery(shared))
            }
            Belongs::ToOrWith(user, column, target) => {
                let with =
                    self.with(column, target(), target().belonging(viewer, scope, writing).into());
                viewer.is_theirs(self.column(user), scope).or(with)
            }
            Belongs::With(column, target) => {
                self.with(column, target(), target().belonging(viewer, scope, writing).into())
            }
        }
    }

    /// Whether one of `others` passes, each of which a column refers to.
    fn with_any(
        &self,
        others: &[(&'static str, Target)],
        passes: impl Fn(&Self) -> Condition,
    ) -> Expr {
        let with =
            |(column, other): &(&'static str, Target)| self.with(column, other(), passes(other()));
        others.iter().map(with).reduce(ExprTrait::or).unwrap_or_else(|| Expr::val(false))
    }

    /// Whether that passes which a column refers to.
    fn with(&self, column: &'static str, other: &Self, passes: Condition) -> Expr {
        if passes.is_empty() {
            return self.column(column).is_not_null();
        }
        let mut passing = Query::select();
        passing.expr(other.column("id")).from(other.table).cond_where(passes);
        self.column(column).in_subquery(passing)
    }

    /// Makes sure that the viewer may do with a row what needs `permission` and changes it.
    ///
    /// # Errors
    /// [`Error::NoSuch`] for what they do not see, [`AccessError::Forbidden`] for what they see only.
    pub async fn ensure(
        &self,
        db: &impl ConnectionTrait,
        viewer: &Viewer,
        permission: Permission,
        id: Uuid,
    ) -> Result<(), Error> {
        let exists = async |condition: Condition| {
            let mut query = Query::select();
            query
                .expr(Expr::val(1))
                .from(self.table)
                .and_where(self.column("id").eq(id))
                .cond_where(condition)
                // Until the change is done, the row does not go to somebody else.
                .lock(LockType::Update);
            Ok::<_, Error>(db.query_one(&query).await?.is_some())
        };
        let is_reached = match viewer.scope(permission) {
            // What does not exist is refused by whoever changes it.
            Scope::All if !matches!(self.belongs, Belongs::OnlyTo(..)) => true,
            _ => exists(self.reached(viewer, permission, true)).await?,
        };
        match is_reached {
            true => Ok(()),
            false if exists(self.visible(viewer)).await? => Err(AccessError::Forbidden.into()),
            false => Err(Error::NoSuch { kind: self.name, at: &[] }),
        }
    }
}
