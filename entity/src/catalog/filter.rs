//! Filters: the one query language of lists, views, exports and workflows, as JSON in the form that
//! the API's filter types have, compiled to SQL.
//!
//! Invariant: what the viewer may not see cannot be compared either, neither a field nor a related
//! record: a filter would otherwise tell what a list hides. `not` is the complement: a record that has
//! no value is in it.

use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use sea_orm::{Condition, ConnectionTrait, DbBackend};
use serde_json::Value as Json;

use super::compare::{amount_condition, elements, entries, invalid, scalar_condition};
use super::{CatalogError, Field, Record, Shape, Target, breadth, custom};
use crate::access::Viewer;
use crate::customers::custom::CustomFields;
use crate::search::{matches, refusal};

/// How deep filters may lie within one another.
const DEEPEST: usize = 12;

/// For whom and for which database a filter is compiled.
#[derive(Clone, Copy)]
pub struct Scope<'a> {
    /// Who asks.
    pub viewer: &'a Viewer,
    /// The database that runs it.
    pub backend: DbBackend,
    /// The custom fields, loaded or not.
    pub custom: &'a CustomFields,
}

impl<'a> Scope<'a> {
    /// For `viewer`, and the database that `db` is, with its custom fields.
    #[must_use]
    pub fn of(db: &impl ConnectionTrait, viewer: &'a Viewer, custom: &'a CustomFields) -> Self {
        Self { viewer, backend: db.get_database_backend(), custom }
    }

    /// Whether who asks may compare and group by the field at all, and see what it refers to.
    #[must_use]
    pub fn sees(self, field: &Field) -> bool {
        let target = match &field.shape {
            Shape::One { target, .. } => target().read,
            _ => None,
        };
        [field.guard, target].into_iter().flatten().all(|needed| self.viewer.may(needed))
    }
}

/// What `filter`, a JSON object in the form of the record's filter type, means in `scope`.
///
/// # Errors
/// [`CatalogError`] with the place in the filter.
pub fn condition(
    record: &Record,
    filter: &Json,
    scope: Scope<'_>,
    at: &str,
) -> Result<Condition, CatalogError> {
    breadth::check(filter, at)?;
    Compiler { scope, depth: 0 }.object(record, filter, at)
}

#[derive(Clone, Copy)]
struct Compiler<'a> {
    scope: Scope<'a>,
    depth: usize,
}

/// The complement of `condition`, with rows for which it is unknown.
fn complement(condition: Condition) -> Condition {
    if condition.is_empty() {
        return Condition::all().add(Expr::val(false));
    }
    let known = Func::coalesce([Expr::from(condition), Expr::val(false)]);
    Condition::all().add(Expr::from(known).not())
}

impl Compiler<'_> {
    fn object(self, record: &Record, given: &Json, at: &str) -> Result<Condition, CatalogError> {
        let deeper = Self { depth: self.depth + 1, ..self };
        if self.depth > DEEPEST {
            return invalid(at, format!("filters lie at most {DEEPEST} deep"));
        }
        let mut all = Condition::all();
        for (name, value) in entries(given, at)?.into_iter().flatten() {
            let at = format!("{at}.{name}");
            if value.is_null() {
                continue;
            }
            match name.as_str() {
                "and" => {
                    for one in elements(value) {
                        all = all.add(deeper.object(record, one, &at)?);
                    }
                }
                "or" => {
                    let mut any = Condition::any();
                    for one in elements(value) {
                        let one = deeper.object(record, one, &at)?;
                        any = any.add(match one.is_empty() {
                            true => Condition::all().add(Expr::val(true)),
                            false => one,
                        });
                    }
                    all = all.add(match any.is_empty() {
                        true => Condition::all().add(Expr::val(false)),
                        false => any,
                    });
                }
                "not" => all = all.add(complement(deeper.object(record, value, &at)?)),
                _ => match record.field(name).filter(|field| field.filtered) {
                    Some(field) => all = all.add(deeper.field(record, field, value, &at)?),
                    None => return invalid(&at, format!("{} has no such filter", record.name)),
                },
            }
        }
        Ok(all)
    }

    fn field(
        self,
        record: &Record,
        field: &Field,
        given: &Json,
        at: &str,
    ) -> Result<Condition, CatalogError> {
        if !self.scope.sees(field) {
            return Err(CatalogError::Forbidden(at.to_owned()));
        }
        let condition = match &field.shape {
            Shape::Scalar { column, scalar } => {
                let calendar = self.scope.viewer.calendar();
                scalar_condition(&record.column(column), scalar, calendar, given, at)
            }
            Shape::Money { amount, currency } => {
                amount_condition(&record.column(amount), &record.column(currency), given, at)
            }
            Shape::Search => {
                let Some(words) = given.as_str() else { return invalid(at, "this is text") };
                if let Some(message) = refusal(words) {
                    return invalid(at, message);
                }
                Ok(matches(self.scope.backend, record.table, words))
            }
            Shape::Custom { .. } => custom::condition(record, self.scope, given, at),
            Shape::One { column, target } => {
                let filter = self.related(*target, given, at)?;
                Ok(Condition::all().add(record.column(column).in_subquery(filter.ids("id"))))
            }
            Shape::Many { column, target } | Shape::List { column, target, .. } => {
                self.several(record, *target, column, given, at)
            }
            Shape::Single { .. } | Shape::Timeline(_) | Shape::Batch(_) | Shape::Reach(_) => {
                invalid(at, "this cannot be compared")
            }
        }?;
        // What is guarded is compared in the rows alone in which it is seen.
        let guarded = field.guard.map(|needed| record.reached(self.scope.viewer, needed, false));
        Ok(condition.add_option(guarded.filter(|guarded| !guarded.is_empty())))
    }

    /// `some`, `none` and `every` of the records that refer to this one.
    fn several(
        self,
        record: &Record,
        target: Target,
        column: &'static str,
        given: &Json,
        at: &str,
    ) -> Result<Condition, CatalogError> {
        let mut all = Condition::all();
        for (quantifier, filter) in entries(given, at)?.into_iter().flatten() {
            if filter.is_null() {
                continue;
            }
            let related = self.related(target, filter, &format!("{at}.{quantifier}"))?;
            let id = record.column("id");
            all = all.add(match quantifier.as_str() {
                "some" => id.in_subquery(related.ids(column)),
                "none" => id.not_in_subquery(related.ids(column)),
                "every" => {
                    let others = Related { filter: complement(related.filter), ..related };
                    id.not_in_subquery(others.ids(column))
                }
                _ => return invalid(at, "compare with `some`, `none` or `every`"),
            });
        }
        Ok(all)
    }

    fn related(self, target: Target, given: &Json, at: &str) -> Result<Related, CatalogError> {
        let target = target();
        if target.read.is_some_and(|needed| !self.scope.viewer.may(needed)) {
            return Err(CatalogError::Forbidden(at.to_owned()));
        }
        let visible = target.visible(self.scope.viewer);
        Ok(Related { target, visible, filter: self.object(target, given, at)? })
    }
}

/// Records that are compared on the way to others.
struct Related {
    target: &'static Record,
    visible: Condition,
    filter: Condition,
}

impl Related {
    /// The values of a column of those that are visible and pass.
    fn ids(self, column: &'static str) -> sea_orm::sea_query::SelectStatement {
        let mut query = Query::select();
        query
            .from(self.target.table)
            .expr(self.target.column(column))
            // `NOT IN` a list with a missing value holds of nothing.
            .and_where(self.target.column(column).is_not_null())
            .cond_where(self.visible)
            .cond_where(self.filter);
        query
    }
}
