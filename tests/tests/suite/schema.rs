//! The schema as documentation.

use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{TypeKind, TypeSystemDefinition};

#[test]
fn the_checked_in_schema_is_the_schema() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../api/schema.graphql");
    let checked_in = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        checked_in == api::schema::sdl(),
        "api/schema.graphql is out of date; `cargo run -- schema > api/schema.graphql` renews it"
    );
}

#[test]
fn everything_in_the_schema_is_described() {
    let document = parse_schema(api::schema::sdl()).expect("a schema");
    let mut bare = Vec::new();
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let definition = definition.node;
        let name = definition.name.node.as_str();
        let mut check = |path: String, described: bool| {
            if !described {
                bare.push(path);
            }
        };
        check(name.to_owned(), definition.description.is_some());
        match &definition.kind {
            TypeKind::Object(async_graphql::parser::types::ObjectType { fields, .. })
            | TypeKind::Interface(async_graphql::parser::types::InterfaceType { fields, .. }) => {
                for field in fields {
                    let path = format!("{name}.{}", field.node.name.node);
                    check(path.clone(), field.node.description.is_some());
                    for argument in &field.node.arguments {
                        let path = format!("{path}({})", argument.node.name.node);
                        check(path, argument.node.description.is_some());
                    }
                }
            }
            TypeKind::InputObject(input) => {
                for field in &input.fields {
                    check(
                        format!("{name}.{}", field.node.name.node),
                        field.node.description.is_some(),
                    );
                }
            }
            TypeKind::Enum(choices) => {
                for choice in &choices.values {
                    check(
                        format!("{name}.{}", choice.node.value.node),
                        choice.node.description.is_some(),
                    );
                }
            }
            _ => {}
        }
    }
    assert_eq!(bare, Vec::<String>::new(), "these have no description");
}
