//! The values of custom fields in answers: what is asked of them, and their JSON.
//!
//! Invariant: a field that the viewer may not see is not there.

use std::collections::HashMap;

use async_graphql::Name;
use async_graphql::parser::types::SelectionSet;
use async_graphql::registry::Registry;
use entity::catalog::{Cataloged, read_json};
use entity::customers::custom::{Model, definition, shown};
use sea_orm::QueryResult;
use uuid::Uuid;

use super::load::Level;
use super::plan::{Ask, Planner, Rows};
use super::register::{meta_field, meta_input, object, record};
use super::write::{Failed, Writer};
use crate::error::Fault;

/// What is asked of values.
pub(super) struct CustomPlan<'a> {
    /// The fields whose values are shown.
    pub fields: Vec<&'a Model>,
    /// What is read of their definitions; nothing when they are not asked for.
    pub definitions: Rows<'a>,
    parts: Vec<(&'a Name, CustomPart)>,
}

enum CustomPart {
    Typename,
    Key,
    Definition(usize),
    Value,
}

impl<'a> Planner<'a> {
    /// The values that `sets` ask for.
    pub(super) fn custom(self, sets: &[&'a SelectionSet]) -> Result<CustomPlan<'a>, Fault> {
        let fields = self.scope.custom.get().unwrap_or_default();
        let fields = fields.iter().filter(|field| field.is_visible_to(self.scope.viewer));
        let mut definitions = self.rows(definition::Entity::record(), &[])?;
        let parts = self.parts(sets, "CustomFieldValue", |ask: Ask<'a>, sets| {
            Ok(Some(match ask.node.name.node.as_str() {
                "key" => CustomPart::Key,
                "definition" => CustomPart::Definition(self.select(&mut definitions, &sets)?),
                "value" => CustomPart::Value,
                _ => CustomPart::Typename,
            }))
        })?;
        Ok(CustomPlan { fields: fields.collect(), definitions, parts })
    }
}

impl CustomPlan<'_> {
    /// Whose definitions are read.
    pub fn ids(&self) -> Vec<Uuid> {
        let asked = self.parts.iter().any(|(_, part)| matches!(part, CustomPart::Definition(_)));
        if asked { self.fields.iter().map(|field| field.id.into()).collect() } else { Vec::new() }
    }
}

impl Writer {
    /// The values in a cell of `row`.
    pub(super) fn custom(
        &mut self,
        plan: &CustomPlan<'_>,
        (row, cell): (&QueryResult, usize),
        (level, at): (&Level, &HashMap<Uuid, usize>),
    ) -> Result<(), Failed> {
        let stored = read_json(row, cell).unwrap_or_default();
        self.list(&plan.fields, |writer, field| {
            writer.object(&plan.parts, |writer, part| {
                match part {
                    CustomPart::Typename => writer.text("CustomFieldValue"),
                    CustomPart::Key => writer.text(&field.key),
                    CustomPart::Value => writer.put(&shown(field, &stored).to_string()),
                    CustomPart::Definition(selection) => {
                        let found = at.get(&field.id.into()).ok_or(Failed)?;
                        writer.row(&plan.definitions, *selection, level, *found)?;
                    }
                }
                Ok(())
            })
        })
    }
}

/// Registers the type of values; gives its name.
pub(super) fn value_type(registry: &mut Registry) -> &'static str {
    record(registry, definition::Entity::record());
    let value = "The value, of the field's type; null when there is none. Numbers are numbers, decimals text such as \"12.5\", days and instants text, several choices a list, an amount is an object of `amount` and `currency`.";
    let fields = [
        meta_field("key", "What programs call the field.", "String!"),
        meta_field("definition", "What the field is.", "CustomField!"),
        meta_field("value", value, "JSON"),
    ];
    let about = "A custom field of a record, with its value.";
    let name = "CustomFieldValue";
    registry.types.insert(name.to_owned(), object(name, about, fields));
    name
}

/// Registers how custom fields are compared; gives the type's name.
pub(super) fn filter_type(registry: &mut Registry) -> &'static str {
    let stretch = super::register::stretch(registry);
    let currency = "For an amount: only those in this currency match.";
    let fields = [
        meta_input("field", "Its key.", "String!", None),
        meta_input("eq", "Is this.", "JSON", None),
        meta_input("ne", "Is anything else; what has no value is not.", "JSON", None),
        meta_input("in", "Is one of these, or has one of them.", "[JSON!]", None),
        meta_input(
            "notIn",
            "Is none of these, or has none of them; what has no value is not.",
            "[JSON!]",
            None,
        ),
        meta_input("contains", "Contains this; for text.", "String", None),
        meta_input("startsWith", "Starts with this; for text.", "String", None),
        meta_input("gte", "Is this or more, or later.", "JSON", None),
        meta_input("gt", "Is more, or later.", "JSON", None),
        meta_input("lte", "Is this or less, or earlier.", "JSON", None),
        meta_input("lt", "Is less, or earlier.", "JSON", None),
        meta_input(
            "within",
            "Lies within this, seen from today; for days and instants.",
            stretch,
            None,
        ),
        meta_input("currency", currency, "CurrencyCode", None),
        meta_input("isNull", "Has no value (true) or has one (false).", "Boolean", None),
    ];
    let about = "How a custom field is compared, by the operators of its type. All that are given have to hold.";
    super::register::input(registry, "CustomFieldComparison", about, fields);
    "CustomFieldComparison"
}
