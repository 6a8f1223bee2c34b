//! From the catalogue to the schema: object types, filters, orders, connections.
//!
//! Invariant: what is registered is what plans and filters understand, since both come from one
//! declaration.

mod cost;
mod inputs;
mod meta;
mod shared;

use async_graphql::indexmap::IndexMap;
use async_graphql::registry::{MetaField, MetaType, Registry};
use entity::catalog::{Field, Record, Scalar, Shape};

use super::{custom, timeline};
use cost::{times, twice};

pub(super) use cost::{Complexity, ids_cost, many_cost, page_cost};
pub(super) use inputs::stretch;
pub(super) use meta::{enumeration, input, meta_field, meta_input, object};

/// Registers a kind of record with all that it leads to.
pub(super) fn record(registry: &mut Registry, record: &'static Record) {
    if registry.types.contains_key(record.name) {
        return;
    }
    shared::register(registry);
    // A place is held while the types it leads to are registered, for they lead back.
    registry.types.insert(record.name.to_owned(), object(record.name, &record.about, []));
    let fields: Vec<_> = record.fields.iter().filter(|field| !field.hidden).collect();
    let fields: Vec<_> = fields.into_iter().map(|field| shown(registry, field)).collect();
    registry.types.insert(record.name.to_owned(), object(record.name, &record.about, fields));
    registry.add_implements(record.name, "Node");
    inputs::filter(registry, record);
    if record.fields.iter().any(|field| field.ordered) {
        inputs::order(registry, record);
    }
    connection(registry, record);
}

/// The interface of all records.
pub(super) fn node(registry: &mut Registry, records: &[&'static Record]) {
    let id = meta_field("id", "Its id, unique among all records.", "ID!");
    let interface = MetaType::Interface {
        name: "Node".to_owned(),
        description: Some("Anything that has an id.".to_owned()),
        fields: IndexMap::from([(id.name.clone(), id)]),
        possible_types: records.iter().map(|record| record.name.to_owned()).collect(),
        extends: false,
        inaccessible: false,
        tags: Vec::new(),
        keys: None,
        visible: None,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    };
    registry.types.insert("Node".to_owned(), interface);
}

/// The API's type of a scalar.
pub(super) fn scalar_type(scalar: &Scalar) -> &'static str {
    match scalar {
        Scalar::Id(_) => "ID",
        Scalar::Text => "String",
        Scalar::Whole => "Int",
        Scalar::Long => "Long",
        Scalar::Scaled(_) => "Decimal",
        Scalar::Truth => "Boolean",
        Scalar::Instant => "DateTime",
        Scalar::Day => "Date",
        Scalar::Currency => "CurrencyCode",
        Scalar::Choice(name, _) => name,
        Scalar::Json => "JSON",
    }
}

/// A field as it is shown.
fn shown(registry: &mut Registry, field: &Field) -> MetaField {
    let required = if field.nullable { "" } else { "!" };
    let meta = |ty: &str| meta_field(&field.name, &field.about, ty);
    match &field.shape {
        Shape::Scalar { scalar, .. } => meta(&format!("{}{required}", scalar_type(scalar))),
        Shape::Search => meta("String"),
        Shape::Reach(_) => MetaField { compute_complexity: Some(twice), ..meta("Boolean!") },
        Shape::Money { .. } => meta(&format!("Money{required}")),
        Shape::One { target, .. } | Shape::Single { target, .. } => {
            record(registry, target());
            meta(target().name)
        }
        Shape::List { target, usually, .. } => {
            record(registry, target());
            let compute: Complexity = match usually {
                0..=3 => times::<3>,
                4..=5 => times::<5>,
                _ => times::<10>,
            };
            MetaField {
                compute_complexity: Some(compute),
                ..meta(&format!("[{}!]!", target().name))
            }
        }
        Shape::Many { target, .. } => {
            record(registry, target());
            MetaField { name: field.name.clone(), ..listing(target(), &field.about) }
        }
        Shape::Custom { .. } => {
            let value = custom::value_type(registry);
            MetaField { compute_complexity: Some(times::<10>), ..meta(&format!("[{value}!]!")) }
        }
        Shape::Timeline(own) => timeline::listing(registry, own, &field.name, &field.about),
        Shape::Batch(batch) => {
            let arguments = batch.arguments.iter();
            let arguments = arguments
                .map(|one| meta_input(one.name, one.about, scalar_type(&one.scalar), None))
                .map(|one| (one.name.clone(), one));
            MetaField {
                args: arguments.collect(),
                compute_complexity: Some(twice),
                ..meta(&format!("{}{required}", batch.ty))
            }
        }
    }
}

/// A field that gives a page of a list.
pub(super) fn listing(record: &Record, about: &str) -> MetaField {
    let filter = format!("{}Filter", record.name);
    let mut arguments = vec![
        meta_input("first", "The first so many: 0 to 100, 25 when absent.", "Int", None),
        meta_input("after", "Only what comes after this cursor.", "String", None),
        meta_input("last", "The last so many: 0 to 100.", "Int", None),
        meta_input("before", "Only what comes before this cursor.", "String", None),
        meta_input("filter", "Which records.", &filter, None),
    ];
    if record.fields.iter().any(|field| field.ordered) {
        let about = "In which order; later entries decide among equals.";
        let ty = format!("[{}Order!]", record.name);
        arguments.push(meta_input("orderBy", about, &ty, None));
    }
    MetaField {
        args: arguments.into_iter().map(|one| (one.name.clone(), one)).collect(),
        compute_complexity: Some(page_cost),
        ..meta_field(record.many, about, &format!("{}Connection!", record.name))
    }
}

fn connection(registry: &mut Registry, record: &Record) {
    let name = record.name;
    let edge = [
        meta_field("cursor", "Its place in the list, for `after` and `before`.", "String!"),
        meta_field("node", "The record.", &format!("{name}!")),
    ];
    let about = format!("A `{name}` in a list.");
    let edge_name = format!("{name}Edge");
    registry.types.insert(edge_name.clone(), object(&edge_name, &about, edge));
    let fields = [
        meta_field("edges", "The page's records with their cursors.", &format!("[{name}Edge!]!")),
        meta_field("nodes", "The page's records.", &format!("[{name}!]!")),
        meta_field("pageInfo", "Where the page lies in the list.", "PageInfo!"),
        meta_field(
            "totalCount",
            "How many records the whole list has. Costs a statement of its own, and only when it is asked for.",
            "Int!",
        ),
    ];
    let about = format!("A page of a list of `{name}`.");
    let connection = format!("{name}Connection");
    registry.types.insert(connection.clone(), object(&connection, &about, fields));
}
