//! Descriptions of types as async-graphql keeps them, with all that is never said here left out.

use async_graphql::CacheControl;
use async_graphql::indexmap::IndexMap;
use async_graphql::registry::{
    Deprecation, MetaEnumValue, MetaField, MetaInputValue, MetaType, Registry,
};

/// An object type.
pub(in crate::read) fn object(
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
pub(in crate::read) fn input(
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
pub(in crate::read) fn enumeration<'a>(
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
pub(in crate::read) fn meta_field(name: &str, about: &str, ty: &str) -> MetaField {
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
pub(in crate::read) fn meta_input(
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
