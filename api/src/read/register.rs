//! From the catalogue to the schema: object types, filters, orders, connections.
//!
//! Invariant: what is registered is what plans and filters understand, since both come from one
//! declaration.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Field as Asked, VariableDefinition};
use async_graphql::registry::{
    Deprecation, MetaEnumValue, MetaField, MetaInputValue, MetaType, Registry,
};
use async_graphql::{CacheControl, ID, OutputType, Positioned, ServerResult, VisitorContext};
use chrono::{DateTime, Utc};
use entity::catalog::{CUSTOM_FIELD, Field, Record, Scalar, Shape, operators, screaming};

use super::{custom, timeline};
use crate::access::{AuditAction, Permission, RoleKey, Scope, SessionEnding};
use crate::automation::{
    JobKind, JobState, MessageKind, MessageReason, MessageState, WebhookDeliveryState,
};
use crate::customers::{
    AddressKind, Channel, CustomFieldType, CustomerKind, LifecycleStage, Sensitivity,
};
use crate::finance::{InvoiceState, PaymentMethod, PaymentState, ReceiptKind};
use crate::scalar::{CurrencyCode, Date, Decimal, Long, Money};
use crate::schema::list_cost;

/// How a field's cost is counted.
pub(super) type Complexity = fn(
    &VisitorContext<'_>,
    &[Positioned<VariableDefinition>],
    &Asked,
    usize,
) -> ServerResult<usize>;

/// Registers a kind of record with all that it leads to.
pub(super) fn record(registry: &mut Registry, record: &'static Record) {
    if registry.types.contains_key(record.name) {
        return;
    }
    foundations(registry);
    // A place is held while the types it leads to are registered, for they lead back.
    registry.types.insert(record.name.to_owned(), object(record.name, &record.about, []));
    let fields: Vec<_> = record.fields.iter().filter(|field| !field.hidden).collect();
    let fields: Vec<_> = fields.into_iter().map(|field| shown(registry, field)).collect();
    registry.types.insert(record.name.to_owned(), object(record.name, &record.about, fields));
    registry.add_implements(record.name, "Node");
    filter(registry, record);
    if record.fields.iter().any(|field| field.ordered) {
        order(registry, record);
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

/// Scalars, enums, and what all lists share.
fn foundations(registry: &mut Registry) {
    if registry.types.contains_key("OrderDirection") {
        return;
    }
    for register in [
        <String as OutputType>::create_type_info,
        <i32 as OutputType>::create_type_info,
        <bool as OutputType>::create_type_info,
        <ID as OutputType>::create_type_info,
        <Long as OutputType>::create_type_info,
        <Decimal as OutputType>::create_type_info,
        <Date as OutputType>::create_type_info,
        <DateTime<Utc> as OutputType>::create_type_info,
        <CurrencyCode as OutputType>::create_type_info,
        <Money as OutputType>::create_type_info,
        <async_graphql::Json<serde_json::Value> as OutputType>::create_type_info,
        <RoleKey as OutputType>::create_type_info,
        <Permission as OutputType>::create_type_info,
        <Scope as OutputType>::create_type_info,
        <AuditAction as OutputType>::create_type_info,
        <CustomerKind as OutputType>::create_type_info,
        <LifecycleStage as OutputType>::create_type_info,
        <Channel as OutputType>::create_type_info,
        <AddressKind as OutputType>::create_type_info,
        <CustomFieldType as OutputType>::create_type_info,
        <Sensitivity as OutputType>::create_type_info,
        <InvoiceState as OutputType>::create_type_info,
        <PaymentState as OutputType>::create_type_info,
        <PaymentMethod as OutputType>::create_type_info,
        <ReceiptKind as OutputType>::create_type_info,
        <MessageKind as OutputType>::create_type_info,
        <MessageState as OutputType>::create_type_info,
        <WebhookDeliveryState as OutputType>::create_type_info,
        <MessageReason as OutputType>::create_type_info,
        <JobKind as OutputType>::create_type_info,
        <JobState as OutputType>::create_type_info,
        <SessionEnding as OutputType>::create_type_info,
    ] {
        register(registry);
    }
    let ways =
        [("ASC", "Smallest, first or oldest first."), ("DESC", "Largest, last or newest first.")];
    enumeration(registry, "OrderDirection", "In which direction a list is ordered.", ways);
    let nulls = [("FIRST", "Before all others."), ("LAST", "After all others.")];
    enumeration(registry, "NullsOrder", "Where records without a value stand.", nulls);
    let about = "Where a page lies in its list.";
    let fields = [
        (
            "hasNextPage",
            "Whether records follow; known when paging forwards, otherwise whether `before` was given.",
            "Boolean!",
        ),
        (
            "hasPreviousPage",
            "Whether records precede; known when paging backwards, otherwise whether `after` was given.",
            "Boolean!",
        ),
        ("startCursor", "The cursor of the page's first record; null on an empty page.", "String"),
        ("endCursor", "The cursor of the page's last record; null on an empty page.", "String"),
    ];
    let fields = fields.map(|(name, about, ty)| meta_field(name, about, ty));
    registry.types.insert("PageInfo".to_owned(), object("PageInfo", about, fields));
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

fn order(registry: &mut Registry, record: &Record) {
    let fields = record.fields.iter().filter(|field| field.ordered);
    let values: Vec<_> =
        fields.map(|field| (screaming(&field.name), field.about.as_str())).collect();
    let values = values.iter().map(|(name, about)| (name.as_str(), *about));
    let by_custom = record.has_custom_fields();
    let about = "The custom field that `customField` names.";
    let values = values.chain(by_custom.then_some((CUSTOM_FIELD, about)));
    let name = format!("{}OrderField", record.name);
    let about = format!("What a list of `{}` can be ordered by.", record.name);
    enumeration(registry, &name, &about, values);
    let mut fields = vec![
        meta_input("field", "By what.", &format!("{name}!"), None),
        meta_input("direction", "In which direction.", "OrderDirection!", Some("ASC")),
        meta_input("nulls", "Where records without a value stand.", "NullsOrder!", Some("LAST")),
    ];
    if by_custom {
        let about = "For CUSTOM_FIELD: the key of the custom field.";
        fields.push(meta_input("customField", about, "String", None));
    }
    let about = format!("By what a list of `{}` is ordered.", record.name);
    input(registry, &format!("{}Order", record.name), &about, fields);
}

fn filter(registry: &mut Registry, record: &Record) {
    let name = format!("{}Filter", record.name);
    let mut fields = Vec::new();
    for field in record.fields.iter().filter(|field| field.filtered) {
        let ty = match &field.shape {
            Shape::Scalar { scalar, .. } => comparison(registry, scalar),
            Shape::Money { .. } => money_filter(registry),
            Shape::Search => "String".to_owned(),
            Shape::One { target, .. } => format!("{}Filter", target().name),
            Shape::Many { target, .. } | Shape::List { target, .. } => {
                quantifiers(registry, target())
            }
            Shape::Custom { .. } => format!("[{}!]", custom::filter_type(registry)),
            Shape::Single { .. } | Shape::Timeline(_) | Shape::Batch(_) => continue,
        };
        fields.push(meta_input(&field.name, &field.about, &ty, None));
    }
    let several = format!("[{name}!]");
    fields.push(meta_input("and", "All of these have to hold.", &several, None));
    fields.push(meta_input("or", "At least one of these has to hold.", &several, None));
    let about = "This must not hold; what has no value does not hold.";
    fields.push(meta_input("not", about, &name, None));
    let about = format!("Which `{}` a list has. All that is given has to hold.", record.name);
    input(registry, &name, &about, fields);
}

fn quantifiers(registry: &mut Registry, target: &Record) -> String {
    let (name, filter) = (format!("{}ListFilter", target.name), format!("{}Filter", target.name));
    let fields = [
        meta_input("some", "At least one is like this.", &filter, None),
        meta_input("none", "None is like this.", &filter, None),
        meta_input("every", "All are like this; so it is when there are none.", &filter, None),
    ];
    let about = format!("What holds for the `{}` that belong to a record.", target.name);
    input(registry, &name, &about, fields);
    name
}

fn comparison(registry: &mut Registry, scalar: &Scalar) -> String {
    let ty = scalar_type(scalar);
    let name = format!("{}Filter", if ty == "ID" { "Id" } else { ty });
    let fields: Vec<_> = operators(scalar)
        .iter()
        .map(|operator| {
            let (about, ty) = match *operator {
                "eq" => ("Is this.", ty.to_owned()),
                "ne" => ("Is anything else.", ty.to_owned()),
                "in" => ("Is one of these.", format!("[{ty}!]")),
                "notIn" => ("Is none of these.", format!("[{ty}!]")),
                "contains" => ("Contains this; `%` and `_` mean themselves.", ty.to_owned()),
                "startsWith" => ("Starts with this; `%` and `_` mean themselves.", ty.to_owned()),
                "gte" => ("Is this or more, or later.", ty.to_owned()),
                "gt" => ("Is more, or later.", ty.to_owned()),
                "lte" => ("Is this or less, or earlier.", ty.to_owned()),
                "lt" => ("Is less, or earlier.", ty.to_owned()),
                _ => ("Has no value (true) or has one (false).", "Boolean".to_owned()),
            };
            meta_input(operator, about, &ty, None)
        })
        .collect();
    let about = match scalar {
        Scalar::Text => {
            "How a text is compared. All that are given have to hold; upper and lower case are different."
        }
        Scalar::Id(_) => "How an id is compared. An id that names nothing matches nothing.",
        _ => "How a value is compared. All that are given have to hold.",
    };
    input(registry, &name, about, fields);
    name
}

fn money_filter(registry: &mut Registry) -> String {
    let fields = [
        meta_input("currency", "Only amounts in this currency match.", "CurrencyCode!", None),
        meta_input("gte", "Is this or more.", "Decimal", None),
        meta_input("lte", "Is this or less.", "Decimal", None),
    ];
    let about = "How an amount is compared, within one currency. All that are given have to hold.";
    input(registry, "MoneyFilter", about, fields);
    "MoneyFilter".to_owned()
}

/// An object type.
pub(super) fn object(
    name: &str,
    about: &str,
    fields: impl IntoIterator<Item = MetaField>,
) -> MetaType {
    MetaType::Object {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        fields: fields.into_iter().map(|field| (field.name.clone(), field)).collect(),
        cache_control: CacheControl::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        keys: None,
        visible: None,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        is_subscription: false,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// An input type.
pub(super) fn input(
    registry: &mut Registry,
    name: &str,
    about: &str,
    fields: impl IntoIterator<Item = MetaInputValue>,
) {
    let input = MetaType::InputObject {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        input_fields: fields.into_iter().map(|field| (field.name.clone(), field)).collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        oneof: false,
        directive_invocations: Vec::new(),
    };
    registry.types.insert(name.to_owned(), input);
}

/// An enum.
pub(super) fn enumeration<'a>(
    registry: &mut Registry,
    name: &str,
    about: &str,
    values: impl IntoIterator<Item = (&'a str, &'a str)>,
) {
    let value = |(name, about): (&str, &str)| {
        let value = MetaEnumValue {
            name: name.to_owned(),
            description: Some(about.to_owned()),
            deprecation: Deprecation::NoDeprecated,
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            directive_invocations: Vec::new(),
        };
        (name.to_owned(), value)
    };
    let enumeration = MetaType::Enum {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        enum_values: values.into_iter().map(value).collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    };
    registry.types.insert(name.to_owned(), enumeration);
}

/// A field without arguments.
pub(super) fn meta_field(name: &str, about: &str, ty: &str) -> MetaField {
    MetaField {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        args: IndexMap::new(),
        ty: ty.to_owned(),
        deprecation: Deprecation::NoDeprecated,
        cache_control: CacheControl::default(),
        external: false,
        requires: None,
        provides: None,
        visible: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// An argument, or a field of an input.
pub(super) fn meta_input(
    name: &str,
    about: &str,
    ty: &str,
    default: Option<&str>,
) -> MetaInputValue {
    MetaInputValue {
        name: name.to_owned(),
        description: Some(about.to_owned()),
        ty: ty.to_owned(),
        deprecation: Deprecation::NoDeprecated,
        default_value: default.map(str::to_owned),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "async-graphql's signature")]
fn times<const N: usize>(
    _: &VisitorContext<'_>,
    _: &[Positioned<VariableDefinition>],
    _: &Asked,
    child: usize,
) -> ServerResult<usize> {
    Ok(child.saturating_mul(N).saturating_add(1))
}

#[expect(clippy::unnecessary_wraps, reason = "async-graphql's signature")]
fn twice(
    _: &VisitorContext<'_>,
    _: &[Positioned<VariableDefinition>],
    _: &Asked,
    _: usize,
) -> ServerResult<usize> {
    Ok(2)
}

/// What a list costs that is always given as a whole.
#[expect(clippy::unnecessary_wraps, reason = "async-graphql's signature")]
pub(super) fn many_cost(
    _: &VisitorContext<'_>,
    _: &[Positioned<VariableDefinition>],
    _: &Asked,
    child: usize,
) -> ServerResult<usize> {
    Ok(list_cost(None, None, child))
}

/// What a page of a list costs.
pub(super) fn page_cost(
    ctx: &VisitorContext<'_>,
    variables: &[Positioned<VariableDefinition>],
    field: &Asked,
    child: usize,
) -> ServerResult<usize> {
    let rows = |name| ctx.param_value::<Option<i32>>(variables, field, name, None);
    Ok(list_cost(rows("first")?, rows("last")?, child))
}

/// What reading several records by their ids costs.
pub(super) fn ids_cost(
    ctx: &VisitorContext<'_>,
    variables: &[Positioned<VariableDefinition>],
    field: &Asked,
    child: usize,
) -> ServerResult<usize> {
    let ids = ctx.param_value::<Vec<ID>>(variables, field, "ids", None)?;
    Ok(ids.len().saturating_mul(child.saturating_add(1)))
}
