//! The types of groups, from the catalogue.

use async_graphql::registry::{MetaField, MetaInputValue, Registry};
use entity::catalog::{MOST_GROUPS, Record, Scalar, Shape};

use crate::read::register::{
    enumeration, input, many_cost, meta_field, meta_input, object, scalar_type,
};

/// The name of a type of the record's groups.
pub(in crate::read) fn name(record: &Record, suffix: &str) -> String {
    format!("{}{suffix}", record.name)
}

/// Registers the types of the record's groups; gives the field that asks for them.
pub(in crate::read) fn register(registry: &mut Registry, record: &Record) -> MetaField {
    shared(registry);
    let grouped: Vec<_> = record.fields.iter().filter(|field| field.grouped).collect();
    let values: Vec<_> =
        grouped.iter().map(|field| (field.constant.clone(), field.about.as_str())).collect();
    let values = values.iter().map(|(name, about)| (name.as_str(), *about));
    let about = format!("What a list of `{}` can be grouped by.", record.name);
    enumeration(registry, &name(record, "GroupField"), &about, values);

    let unit = "For a day or an instant: by which stretch of the calendar; DAY when absent.";
    let zone = "For an instant: the IANA time zone whose calendar counts, such as `Asia/Ho_Chi_Minh`; the organisation's when absent.";
    let field = format!("{}!", name(record, "GroupField"));
    let by = [
        meta_input("field", "By what.", &field, None),
        meta_input("unit", unit, "TimeUnit", None),
        meta_input("timeZone", zone, "String", None),
    ];
    let about = format!("By what a list of `{}` is grouped.", record.name);
    input(registry, &name(record, "GroupBy"), &about, by);

    let keys = grouped.iter().filter_map(|field| {
        let (ty, about) = match &field.shape {
            Shape::Scalar { scalar: Scalar::Day | Scalar::Instant, .. } => {
                ("Date", format!("{} As a key: the first day of the unit.", field.about))
            }
            Shape::Scalar { scalar, .. } => (scalar_type(scalar), field.about.clone()),
            Shape::One { target, .. } => (target().name, field.about.clone()),
            _ => return None,
        };
        let about = format!("{about} Null too when it was not grouped by.");
        Some(meta_field(&field.name, &about, ty))
    });
    let about = format!("What the `{}` of a group share.", record.name);
    let keys_name = name(record, "GroupKeys");
    let keys = object(&keys_name, &about, keys.collect::<Vec<_>>());
    registry.types.insert(keys_name.clone(), keys);

    let mut fields = vec![
        meta_field("keys", "What they share.", &format!("{keys_name}!")),
        meta_field("count", "How many there are.", "Int!"),
    ];
    fields.extend(record.fields.iter().filter(|field| field.summed).map(|field| {
        let about = format!("{} One entry for each currency, by its code.", field.about);
        meta_field(&field.name, &about, "[AmountSummary!]!")
    }));
    let about = format!("`{}` that share something.", record.name);
    let group = name(record, "Group");
    registry.types.insert(group.clone(), object(&group, &about, fields));
    field_of(record)
}

fn field_of(record: &Record) -> MetaField {
    let by = "What the records of a group share: up to 4 fields; without any there is one group.";
    let arguments: [MetaInputValue; 2] = [
        meta_input("filter", "Which records.", &name(record, "Filter"), None),
        meta_input("by", by, &format!("[{}!]!", name(record, "GroupBy")), Some("[]")),
    ];
    let about = format!(
        "All `{}` that you may see, in groups: how many share what, and what their amounts come to. In the order of their keys, records without a value last. More than {MOST_GROUPS} groups, counted by currency where amounts are asked for, are an error.",
        record.name
    );
    MetaField {
        args: arguments.into_iter().map(|one| (one.name.clone(), one)).collect(),
        compute_complexity: Some(many_cost),
        ..meta_field(&format!("{}Groups", record.one), &about, &format!("[{}Group!]!", record.name))
    }
}

/// What all groups share.
fn shared(registry: &mut Registry) {
    if registry.types.contains_key("AmountSummary") {
        return;
    }
    let units = [
        ("DAY", "A day."),
        ("WEEK", "A week, from Monday."),
        ("MONTH", "A month."),
        ("QUARTER", "A quarter of a year."),
        ("YEAR", "A year."),
    ];
    enumeration(registry, "TimeUnit", "A stretch of the calendar.", units);
    let fields = [
        meta_field("currency", "Their currency.", "CurrencyCode!"),
        meta_field("count", "How many there are.", "Int!"),
        meta_field("sum", "All together.", "Money!"),
        meta_field("min", "The smallest.", "Money!"),
        meta_field("max", "The largest.", "Money!"),
        meta_field(
            "average",
            "Their mean, rounded half-even to the currency's decimals.",
            "Money!",
        ),
    ];
    let about = "What amounts in one currency come to.";
    registry.types.insert("AmountSummary".to_owned(), object("AmountSummary", about, fields));
}
