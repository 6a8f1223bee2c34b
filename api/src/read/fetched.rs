//! A record in an answer that is no list: what a mutation made, or who is asking.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Positioned, ServerResult, Value};
use entity::access::Viewer;
use entity::catalog::Cataloged;
use uuid::Uuid;

use super::{register, roots};

/// The record of `E` with an id, read when its fields are asked for; null when there is none that the
/// viewer sees.
pub struct Fetched<E> {
    id: Option<Uuid>,
    viewer: Option<Viewer>,
    entity: PhantomData<fn() -> E>,
}

impl<E> Fetched<E> {
    /// The record with the id, as the request's viewer sees it.
    pub fn of(id: impl Into<Uuid>) -> Self {
        Self { id: Some(id.into()), viewer: None, entity: PhantomData }
    }

    /// The record with the id, as somebody else sees it: who has just logged in.
    pub fn seen_by(viewer: Viewer, id: impl Into<Uuid>) -> Self {
        Self { viewer: Some(viewer), ..Self::of(id) }
    }

    /// No record.
    #[must_use]
    pub fn nothing() -> Self {
        Self { id: None, viewer: None, entity: PhantomData }
    }
}

impl<E: Cataloged + 'static> OutputType for Fetched<E> {
    fn type_name() -> Cow<'static, str> {
        E::record().name.into()
    }

    fn qualified_type_name() -> String {
        E::record().name.to_owned()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        register::record(registry, E::record());
        Self::qualified_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match self.id {
            Some(id) => roots::by_id(ctx, field.pos, self.viewer, E::record(), id).await,
            None => Ok(Value::Null),
        }
    }
}
