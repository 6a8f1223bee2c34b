//! What async-graphql leaves undone when it has executed: fields come in the order in which they are asked
//! for, and a field that has failed is null, or takes the nearest nullable field around it with it.
//!
//! Source: GraphQL specification, 6.3.4 “Executing Selection Sets” and 6.4.4 “Handling Execution Errors”.
//! async-graphql leaves failed fields out, and has them in the order in which they got ready.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{
    Directive, Field, FragmentDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::registry::{MetaType, MetaTypeName, Registry};
use async_graphql::{Name, Positioned, Value, Variables};

use super::guard::Document;

/// What a request asks for.
pub(super) struct Asked {
    document: Arc<Document>,
    truths: HashMap<Name, bool>,
}

impl Asked {
    /// What `document` asks for with `variables`.
    pub fn new(document: &Arc<Document>, variables: &Variables) -> Self {
        let mut truths = HashMap::new();
        for (_, operation) in document.parsed.operations.iter() {
            for definition in &operation.node.variable_definitions {
                let name = &definition.node.name.node;
                let given = variables.get(name).or_else(|| definition.node.default_value());
                if let Some(Value::Boolean(truth)) = given {
                    truths.insert(name.clone(), *truth);
                }
            }
        }
        Self { document: Arc::clone(document), truths }
    }

    /// Completes what the operation with the name (the only one without) has given.
    pub fn complete(&self, registry: &Registry, operation: Option<&str>, data: Value) -> Value {
        let mut operations = self.document.parsed.operations.iter();
        let chosen =
            operations.find(|(name, _)| operation.is_none() || name.map(Name::as_str) == operation);
        let Some((_, chosen)) = chosen else { return data };
        let root = match chosen.node.ty {
            OperationType::Query => Some(registry.query_type.as_str()),
            OperationType::Mutation => registry.mutation_type.as_deref(),
            OperationType::Subscription => registry.subscription_type.as_deref(),
        };
        let fields = match data {
            Value::Object(fields) => fields,
            _ => IndexMap::new(),
        };
        let completion = Completion {
            registry,
            fragments: &self.document.parsed.fragments,
            truths: &self.truths,
        };
        let sets = [&chosen.node.selection_set.node];
        root.and_then(|root| completion.object(root, &sets, fields)).unwrap_or(Value::Null)
    }
}

struct Completion<'a> {
    registry: &'a Registry,
    fragments: &'a HashMap<Name, Positioned<FragmentDefinition>>,
    truths: &'a HashMap<Name, bool>,
}

impl<'a> Completion<'a> {
    /// Whether directives let a selection stand.
    fn stands(&self, directives: &[Positioned<Directive>]) -> bool {
        directives.iter().all(|directive| {
            let given = directive.node.get_argument("if").map(|given| given.node.clone());
            let variable = |name| Ok::<_, Infallible>(self.truths.get(&name).copied().into());
            let truth = given.and_then(|given| given.into_const_with(variable).ok());
            match directive.node.name.node.as_str() {
                "skip" => truth != Some(Value::Boolean(true)),
                "include" => truth != Some(Value::Boolean(false)),
                _ => true,
            }
        })
    }

    /// The fields that are asked of `kind`, by their keys, in the order in which they are asked for.
    fn collect(
        &self,
        kind: &str,
        sets: &[&'a SelectionSet],
        fields: &mut IndexMap<&'a Name, Vec<&'a Field>>,
    ) {
        for item in sets.iter().flat_map(|set| &set.items) {
            if !self.stands(item.node.directives()) {
                continue;
            }
            let (condition, inner) = match &item.node {
                Selection::Field(field) => {
                    let key = &field.node.response_key().node;
                    fields.entry(key).or_default().push(&field.node);
                    continue;
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    let Some(fragment) = self.fragments.get(name) else { continue };
                    (Some(&fragment.node.type_condition), &fragment.node.selection_set)
                }
                Selection::InlineFragment(fragment) => {
                    (fragment.node.type_condition.as_ref(), &fragment.node.selection_set)
                }
            };
            let applies = condition.is_none_or(|condition| {
                let condition = condition.node.on.node.as_str();
                let implements = self.registry.implements.get(kind);
                condition == kind || implements.is_some_and(|all| all.contains(condition))
            });
            if applies {
                self.collect(kind, &[&inner.node], fields);
            }
        }
    }

    /// An object of `kind`; `None` where a field that cannot be null is.
    fn object(
        &self,
        kind: &str,
        sets: &[&'a SelectionSet],
        mut given: IndexMap<Name, Value>,
    ) -> Option<Value> {
        let mut asked = IndexMap::new();
        self.collect(kind, sets, &mut asked);
        let declared = self.registry.types.get(kind);
        let mut fields = IndexMap::with_capacity(asked.len());
        for (key, same) in asked {
            let value = given.swap_remove(key).unwrap_or_default();
            let field = declared.and_then(|kind| kind.field_by_name(&same[0].name.node));
            let value = match field {
                Some(field) => {
                    let sets = same.iter().map(|field| &field.selection_set.node);
                    self.value(&field.ty, &sets.collect::<Vec<_>>(), value)?
                }
                // `__typename` and introspection, which cannot fail.
                None => value,
            };
            fields.insert(key.clone(), value);
        }
        Some(Value::Object(fields))
    }

    /// A value of the type `ty`; `None` where it is null and cannot be.
    fn value(&self, ty: &str, sets: &[&'a SelectionSet], value: Value) -> Option<Value> {
        match (MetaTypeName::create(ty), value) {
            (MetaTypeName::NonNull(inner), value) => {
                self.value(inner, sets, value).filter(|value| *value != Value::Null)
            }
            (MetaTypeName::List(inner), Value::List(items)) => {
                let items = items.into_iter().map(|item| self.value(inner, sets, item));
                Some(items.collect::<Option<_>>().map_or(Value::Null, Value::List))
            }
            (MetaTypeName::Named(kind), Value::Object(fields))
                if matches!(self.registry.types.get(kind), Some(MetaType::Object { .. })) =>
            {
                Some(self.object(kind, sets, fields).unwrap_or_default())
            }
            (_, value) => Some(value),
        }
    }
}

#[cfg(test)]
mod tests {
    use async_graphql::parser::parse_query;
    use async_graphql::{Object, OutputType, SimpleObject, value};
    use serde_json::json;

    use super::*;

    struct Query;

    #[derive(SimpleObject)]
    struct Leaf {
        need: i32,
        wish: Option<i32>,
    }

    #[derive(SimpleObject)]
    struct Branch {
        leaf: Option<Leaf>,
        must: Leaf,
        leaves: Option<Vec<Leaf>>,
    }

    #[Object]
    impl Query {
        async fn branch(&self) -> Option<Branch> {
            None
        }
    }

    fn completed(query: &str, variables: serde_json::Value, data: Value) -> String {
        let mut registry = Registry::default();
        Query::create_type_info(&mut registry);
        registry.query_type = Query::type_name().into_owned();
        let document = Arc::new(Document::new(parse_query(query).unwrap(), 0));
        let asked = Asked::new(&document, &Variables::from_json(variables));
        asked.complete(&registry, None, data).to_string()
    }

    #[test]
    fn fields_come_in_the_order_in_which_they_are_asked_for() {
        let data = value!({ "b": { "must": { "wish": 1, "need": 2 }, "leaf": null } });
        let query =
            "{ b: branch { leaf { need } ...F } } fragment F on Branch { must { need wish } }";
        let expected = "{b: {leaf: null, must: {need: 2, wish: 1}}}";
        assert_eq!(completed(query, json!({}), data), expected);
    }

    #[test]
    fn what_failed_is_null_or_takes_the_nearest_nullable_field_with_it() {
        let query = "{ branch { leaf { need } must { need wish } leaves { need } } }";
        let leaf = value!({ "branch": { "must": { "need": 1 }, "leaf": {}, "leaves": [{ "need": 1 }, {}] } });
        let expected = "{branch: {leaf: null, must: {need: 1, wish: null}, leaves: null}}";
        assert_eq!(completed(query, json!({}), leaf), expected);
        let must = value!({ "branch": { "must": { "wish": 1 }, "leaf": null } });
        assert_eq!(completed(query, json!({}), must), "{branch: null}");
    }

    #[test]
    fn what_is_skipped_is_absent_and_nothing_at_all_is_an_empty_object() {
        let query = "query ($no: Boolean! = false) { branch @include(if: $no) { leaf { need } } }";
        assert_eq!(completed(query, json!({}), Value::Null), "{}");
        let data = value!({ "branch": null });
        assert_eq!(completed(query, json!({ "no": true }), data), "{branch: null}");
    }
}
