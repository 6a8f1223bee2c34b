//! Documents that have been read before, so that one which comes again is neither parsed nor measured nor
//! validated again.
//!
//! Invariant: only what somebody known has sent is remembered, without texts, which belong into variables,
//! and no more than a number of tokens; and what validation has found counts only for variables that it
//! cannot tell apart.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_graphql::parser::types::{BaseType, ExecutableDocument, Type};
use async_graphql::{ValidationResult, Value, Variables};
use lru::LruCache;

/// How many tokens all documents have that are remembered.
const TOKENS: usize = 100_000;

/// For how many variables a document remembers what validation has found.
const SHAPES: usize = 16;

/// How long variables may be to be remembered, in values and bytes of text.
const LENGTH: usize = 512;

/// A document that is within the limits.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub parsed: ExecutableDocument,
    /// Its length.
    pub tokens: usize,
    valid: Mutex<VecDeque<(Shape, ValidationResult)>>,
}

/// The variables' values, as far as validation looks at them: of an id or a text only that it is one.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape(Vec<Option<Value>>);

/// The documents that are remembered.
#[derive(Debug)]
pub struct Library(Mutex<Remembered>);

#[derive(Debug)]
struct Remembered {
    documents: LruCache<Box<str>, Arc<Document>>,
    tokens: usize,
}

impl Document {
    /// A document of so many tokens.
    #[must_use]
    pub fn new(parsed: ExecutableDocument, tokens: usize) -> Self {
        Self { parsed, tokens, valid: Mutex::default() }
    }

    /// What validation can tell apart of `variables`; `None` when that is too long to be remembered.
    #[must_use]
    pub fn shape(&self, variables: &Variables) -> Option<Shape> {
        let mut left = LENGTH;
        let mut shape = Vec::new();
        for (_, operation) in self.parsed.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let definition = &definition.node;
                shape.push(match variables.get(&definition.name.node) {
                    Some(value) => Some(seen(value, &definition.var_type.node, &mut left)?),
                    None => None,
                });
            }
        }
        Some(Shape(shape))
    }

    /// What validation has found with variables of the shape.
    #[must_use]
    pub fn valid(&self, shape: &Shape) -> Option<ValidationResult> {
        let valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        valid.iter().find(|(known, _)| known == shape).map(|(_, found)| *found)
    }

    /// Remembers what validation has found.
    pub fn remember(&self, shape: Shape, found: ValidationResult) {
        let mut valid = self.valid.lock().unwrap_or_else(PoisonError::into_inner);
        if valid.len() == SHAPES {
            valid.pop_back();
        }
        valid.push_front((shape, found));
    }
}

/// A variable's value as validation sees it; `None` once nothing is `left`.
fn seen(value: &Value, ty: &Type, left: &mut usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    match (value, &ty.base) {
        (Value::String(_), BaseType::Named(name)) if matches!(name.as_str(), "ID" | "String") => {
            Some(Value::String(String::new()))
        }
        (Value::List(items), BaseType::List(inner)) => {
            let items = items.iter().map(|item| seen(item, inner, left));
            items.collect::<Option<_>>().map(Value::List)
        }
        (value, _) => {
            *left = left.checked_sub(length(value))?;
            Some(value.clone())
        }
    }
}

/// How many values there are, and bytes of text in them.
fn length(value: &Value) -> usize {
    match value {
        Value::String(text) => 1 + text.len(),
        Value::Binary(bytes) => 1 + bytes.len(),
        Value::List(items) => 1 + items.iter().map(length).sum::<usize>(),
        Value::Object(fields) => {
            1 + fields.iter().map(|(name, value)| name.len() + length(value)).sum::<usize>()
        }
        _ => 1,
    }
}

impl Default for Library {
    fn default() -> Self {
        Self(Mutex::new(Remembered { documents: LruCache::unbounded(), tokens: 0 }))
    }
}

impl Library {
    fn remembered(&self) -> MutexGuard<'_, Remembered> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, text: &str) -> Option<Arc<Document>> {
        self.remembered().documents.get(text).cloned()
    }

    /// Remembers a document, unless it has a text in it.
    pub fn keep(&self, text: &str, document: &Arc<Document>) {
        if text.contains('"') {
            return;
        }
        let mut remembered = self.remembered();
        if remembered.documents.contains(text) {
            return;
        }
        remembered.documents.put(text.into(), Arc::clone(document));
        remembered.tokens += document.tokens;
        while remembered.tokens > TOKENS
            && let Some((_, oldest)) = remembered.documents.pop_lru()
        {
            remembered.tokens -= oldest.tokens;
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use serde_json::json;

    use super::*;

    fn document(text: &str, tokens: usize) -> Arc<Document> {
        Arc::new(Document::new(parse_query(text).unwrap(), tokens))
    }

    #[test]
    fn variables_differ_where_validation_may_find_something_else() {
        let text = "query ($id: ID!, $ids: [ID!], $stage: Stage, $first: Int) { __typename }";
        let document = document(text, 1);
        let shape = |variables| document.shape(&Variables::from_json(variables)).unwrap();
        let one = shape(json!({ "id": "a", "ids": ["a", "b"], "stage": "LEAD", "first": 5 }));
        assert_eq!(one, shape(json!({ "id": "b", "ids": ["", "x"], "stage": "LEAD", "first": 5 })));
        for other in [
            json!({ "id": 7, "ids": ["a", "b"], "stage": "LEAD", "first": 5 }),
            json!({ "id": "a", "ids": ["a"], "stage": "LEAD", "first": 5 }),
            json!({ "id": "a", "ids": ["a", null], "stage": "LEAD", "first": 5 }),
            json!({ "id": "a", "ids": ["a", "b"], "stage": "OTHER", "first": 5 }),
            json!({ "id": "a", "ids": ["a", "b"], "stage": "LEAD", "first": 50 }),
            json!({ "id": "a", "ids": ["a", "b"], "stage": "LEAD" }),
        ] {
            assert_ne!(one, shape(other.clone()), "{other}");
        }
        let long = Variables::from_json(json!({ "stage": "X".repeat(LENGTH) }));
        assert_eq!(document.shape(&long), None);
    }

    #[test]
    fn the_library_forgets_what_was_not_asked_for_the_longest_and_never_takes_texts() {
        let library = Library::default();
        let half = document("{ a }", TOKENS / 2);
        library.keep("{ a }", &half);
        library.keep("{ b }", &half);
        assert!(library.get("{ a }").is_some());
        library.keep("{ a }", &half);
        library.keep("{ c }", &half);
        assert!(library.get("{ a }").is_some() && library.get("{ c }").is_some());
        assert!(library.get("{ b }").is_none());
        library.keep("{ d(x: \"secret\") }", &half);
        assert!(library.get("{ d(x: \"secret\") }").is_none());
    }
}
