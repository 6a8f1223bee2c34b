//! Plans: what a selection set asks of a kind of record, as the cells of its rows and what is made of
//! them.
//!
//! Invariant: who may see a field is decided here, before anything is loaded.

mod collect;
mod connection;
mod rows;

use async_graphql::parser::types::{Field as Asked, SelectionSet};
use async_graphql::{ContextSelectionSet, Name, Positioned, QueryEnv, Value};
use entity::access::Viewer;
use entity::catalog::{CatalogError, Scope};
use serde_json::Value as Json;

use crate::context::{Ask as _, Session};
use crate::error::Fault;
use crate::http::errors::Code;

pub(super) use collect::asked;
pub(super) use connection::{Connection, ConnectionPart, DEFAULT, EdgePart, InfoPart, MOST};
pub(super) use rows::{Part, Rows, Selected, What};

/// A field as it is asked for.
pub(super) type Ask<'a> = &'a Positioned<Asked>;
/// Selection sets that stand for one object.
type Sets<'a> = Vec<&'a SelectionSet>;

/// Makes plans for one request.
#[derive(Clone, Copy)]
pub(super) struct Planner<'a> {
    /// The request.
    pub query: &'a QueryEnv,
    /// Who asks, of which database.
    pub scope: Scope<'a>,
}

impl<'a> Planner<'a> {
    /// The planner of a request.
    pub fn new(ctx: &ContextSelectionSet<'a>, viewer: &'a Viewer) -> Self {
        let backend = ctx.reader().get_database_backend();
        let session: &Session = ctx.data_unchecked();
        let custom = &session.custom;
        Self { query: ctx.query_env, scope: Scope { viewer, backend, custom } }
    }
}

/// What a field is asked with; null when it is absent.
pub(super) fn argument(query: &QueryEnv, ask: Ask<'_>, name: &str) -> Json {
    let Some(given) = ask.node.get_argument(name) else { return Json::Null };
    let variable = |name: Name| {
        let mut known = query.operation.node.variable_definitions.iter();
        let known = known.find(|definition| definition.node.name.node == name);
        let value = query.variables.get(&name).cloned();
        let default = || known?.node.default_value().cloned();
        Ok::<_, std::convert::Infallible>(value.or_else(default).unwrap_or(Value::Null))
    };
    let value = given.node.clone().into_const_with(variable);
    value.ok().and_then(|value| value.into_json().ok()).unwrap_or_default()
}

/// What the catalogue does not take, as a fault.
pub(super) fn invalid(error: &CatalogError) -> Fault {
    match error {
        CatalogError::Invalid { .. } => Fault::coded(Code::BadRequest, error.to_string()),
        CatalogError::Forbidden(_) => Fault::coded(Code::Forbidden, error.to_string()),
    }
}
