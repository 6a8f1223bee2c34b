//! What fields cost, before anything is read.

use async_graphql::parser::types::{Field as Asked, VariableDefinition};
use async_graphql::{ID, Positioned, ServerResult, VisitorContext};

use crate::schema::list_cost;

/// How a field's cost is counted.
pub(in crate::read) type Complexity = fn(
    &VisitorContext<'_>,
    &[Positioned<VariableDefinition>],
    &Asked,
    usize,
) -> ServerResult<usize>;

/// What a list of about `N` costs.
#[expect(clippy::unnecessary_wraps, reason = "async-graphql's signature")]
pub(super) fn times<const N: usize>(
    _: &VisitorContext<'_>,
    _: &[Positioned<VariableDefinition>],
    _: &Asked,
    child: usize,
) -> ServerResult<usize> {
    Ok(child.saturating_mul(N).saturating_add(1))
}

/// What costs as much as two fields.
#[expect(clippy::unnecessary_wraps, reason = "async-graphql's signature")]
pub(super) fn twice(
    _: &VisitorContext<'_>,
    _: &[Positioned<VariableDefinition>],
    _: &Asked,
    _: usize,
) -> ServerResult<usize> {
    Ok(2)
}

/// What a list costs that is always given as a whole.
#[expect(clippy::unnecessary_wraps, reason = "async-graphql's signature")]
pub(in crate::read) fn many_cost(
    _: &VisitorContext<'_>,
    _: &[Positioned<VariableDefinition>],
    _: &Asked,
    child: usize,
) -> ServerResult<usize> {
    Ok(list_cost(None, None, child))
}

/// What a page of a list costs.
pub(in crate::read) fn page_cost(
    ctx: &VisitorContext<'_>,
    variables: &[Positioned<VariableDefinition>],
    field: &Asked,
    child: usize,
) -> ServerResult<usize> {
    let rows = |name| ctx.param_value::<Option<i32>>(variables, field, name, None);
    Ok(list_cost(rows("first")?, rows("last")?, child))
}

/// What reading several records by their ids costs.
pub(in crate::read) fn ids_cost(
    ctx: &VisitorContext<'_>,
    variables: &[Positioned<VariableDefinition>],
    field: &Asked,
    child: usize,
) -> ServerResult<usize> {
    let ids = ctx.param_value::<Vec<ID>>(variables, field, "ids", None)?;
    Ok(ids.len().saturating_mul(child.saturating_add(1)))
}
