//! One record of an event, as its follower sees it.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, Error, OutputType, Positioned, ServerResult, Value};
use entity::access::Viewer;
use entity::catalog::Cataloged;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use super::nothing;
use crate::read::Fetched;

/// The record of `E` that an event is about. It keeps its turn until it is read.
pub struct Shown<E> {
    record: Fetched<E>,
    _turn: Option<OwnedSemaphorePermit>,
}

impl<E> Shown<E> {
    /// The record as `viewer` sees it.
    pub fn to(viewer: Viewer, id: Uuid, turn: Option<OwnedSemaphorePermit>) -> Self {
        Self { record: Fetched::seen_by(viewer, id), _turn: turn }
    }
}

impl<E: Cataloged + 'static> OutputType for Shown<E> {
    fn type_name() -> Cow<'static, str> {
        Fetched::<E>::type_name()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        Fetched::<E>::create_type_info(registry);
        Self::qualified_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match self.record.resolve(ctx, field).await? {
            // It was there a moment ago.
            Value::Null => Err(Error::from(nothing()).into_server_error(field.pos)),
            seen => Ok(seen),
        }
    }
}
