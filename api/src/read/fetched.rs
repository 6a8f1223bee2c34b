//! A record in an answer that is no list: what a mutation made, or who is asking.

use std::borrow::Cow;
use std::collections::HashMap;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry;
use async_graphql::{ContextSelectionSet, OutputType, Pos, Positioned, ServerResult, Value};
use entity::access::Viewer;
use entity::catalog::Cataloged;
use tokio::sync::OnceCell;
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
            Some(id) => roots::by_id(ctx, field.pos, self.viewer.clone(), E::record(), id).await,
            None => Ok(Value::Null),
        }
    }
}

/// What was read for one place in a query.
type Found = Arc<OnceCell<HashMap<Uuid, Value>>>;

/// Records of `E` that stand in the objects of a list and are read together, by one statement for each
/// relation and level of every place in the query that asks for them.
pub struct Together<E> {
    ids: Vec<Uuid>,
    found: Mutex<HashMap<Pos, Found>>,
    entity: PhantomData<fn() -> E>,
}

impl<E> Together<E> {
    /// The records with the ids.
    #[must_use]
    pub fn of(ids: Vec<Uuid>) -> Self {
        Self { ids, found: Mutex::default(), entity: PhantomData }
    }

    fn place(&self, pos: Pos) -> Found {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(found.entry(pos).or_default())
    }
}

/// One of the records that are read together; null when there is none that the viewer sees.
pub struct Among<E> {
    id: Option<Uuid>,
    all: Arc<Together<E>>,
}

impl<E> Among<E> {
    /// The record with the id, which is one of `all`.
    #[must_use]
    pub fn of(all: &Arc<Together<E>>, id: Option<Uuid>) -> Self {
        Self { id, all: Arc::clone(all) }
    }
}

impl<E: Cataloged + 'static> OutputType for Among<E> {
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
        let Some(id) = self.id else { return Ok(Value::Null) };
        let place = self.all.place(field.pos);
        let read = || roots::by_ids(ctx, field.pos, E::record(), &self.all.ids);
        let found = place.get_or_try_init(read).await?;
        Ok(found.get(&id).cloned().unwrap_or_default())
    }
}
