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

/// What Rapport alone says about a record, so that no input has it. A change says by `expectedVersion` on what
/// it was made.
const NOT_FOR_CLIENTS: &[&str] = &[
    "paid",
    "open",
    "state",
    "credited",
    "allocated",
    "unapplied",
    "balance",
    "version",
    "createdAt",
    "createdBy",
    "updatedAt",
    "updatedBy",
    "deletedAt",
    "disabledAt",
    "mergedInto",
    "mergedIntoId",
    "importJobId",
    "createdById",
    "updatedById",
    "searchText",
];

#[test]
fn no_input_says_what_rapport_alone_says() {
    let document = parse_schema(api::schema::sdl()).expect("a schema");
    let mut looked_at = 0;
    for definition in document.definitions {
        let TypeSystemDefinition::Type(definition) = definition else { continue };
        let (name, kind) = (definition.node.name.node, definition.node.kind);
        let TypeKind::InputObject(input) = kind else { continue };
        // A filter compares and an order sorts; neither is written.
        if ["Filter", "Operators", "Order"].iter().any(|end| name.ends_with(end)) {
            continue;
        }
        for field in input.fields {
            let field = field.node.name.node;
            assert!(!NOT_FOR_CLIENTS.contains(&field.as_str()), "{name}.{field}");
            looked_at += 1;
        }
    }
    assert!(looked_at > 50, "{looked_at}");
}
