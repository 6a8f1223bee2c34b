//! Filters and orders as inputs of mutations: in the very form that lists take them.
//!
//! Invariant: they are checked against the catalogue's types by the schema, and compiled by the catalogue.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_graphql::registry::Registry;
use async_graphql::{InputType, InputValueError, InputValueResult, Value};
use entity::catalog::Cataloged;
use serde_json::Value as Json;

use super::register;

/// A filter of the lists of `E`, as JSON.
#[derive(Clone, Debug)]
pub struct FilterOf<E> {
    /// What was given.
    pub json: Json,
    entity: PhantomData<fn() -> E>,
}

impl<E: Cataloged> InputType for FilterOf<E> {
    type RawValueType = Self;

    fn type_name() -> Cow<'static, str> {
        format!("{}Filter", E::record().name).into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        register::record(registry, E::record());
        Self::qualified_type_name()
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            Some(value @ Value::Object(_)) => {
                let json = value.into_json().map_err(InputValueError::custom)?;
                Ok(Self { json, entity: PhantomData })
            }
            value => Err(InputValueError::expected_type(value.unwrap_or_default())),
        }
    }

    fn to_value(&self) -> Value {
        Value::from_json(self.json.clone()).unwrap_or_default()
    }

    fn as_raw_value(&self) -> Option<&Self::RawValueType> {
        Some(self)
    }
}
