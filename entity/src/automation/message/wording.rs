//! What people write for customers: text with placeholders such as `{{ customer.name }}`.
//!
//! Invariant: a wording reaches no file, environment or network, ends after a bounded number of steps, and is an error
//! where it names what is not there, never a gap or a "null" in a mail.

use std::collections::{BTreeMap, BTreeSet};

use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::catalog::{Record, sayable};

/// Steps of one rendering: many times what a long letter takes.
const FUEL: u64 = 50_000;

/// What a wording may name beside the fields of its record, which are `record.…`.
const NAMES: [&str; 9] = [
    "addressee",
    "customer.name",
    "customer.number",
    "customer.email",
    "customer.phone",
    "organisation.name",
    "organisation.address",
    "organisation.email",
    "organisation.phone",
];

/// The wording with `values` in its places.
///
/// # Errors
/// What is wrong, for whoever wrote it.
pub fn written(wording: &str, values: &impl Serialize) -> Result<String, String> {
    let environment = environment();
    let written = environment.render_str(wording, Serde(values));
    written.map_err(|error| reason(&error))
}

/// Which fields of its record a wording names.
#[must_use]
pub fn fields(wording: &str) -> BTreeSet<String> {
    let names = named(wording).unwrap_or_default();
    names.iter().filter_map(|name| name.strip_prefix("record.")).map(str::to_owned).collect()
}

/// Whether a wording can be written about records of a kind.
///
/// # Errors
/// What is wrong, for whoever wrote it.
pub fn check(wording: &str, record: &Record) -> Result<(), String> {
    let fields = sayable(record).map(|field| format!("record.{field}")).collect::<BTreeSet<_>>();
    let known = |name: &str| NAMES.contains(&name) || fields.contains(name);
    if let Some(unknown) = named(wording)?.iter().find(|name| !known(name)) {
        let all = NAMES.iter().copied().chain(fields.iter().map(String::as_str));
        let all = all.collect::<Vec<_>>().join(", ");
        return Err(format!("there is no {unknown}; there are {all}"));
    }
    let mut sample = BTreeMap::<&str, BTreeMap<&str, &str>>::new();
    for (group, name) in NAMES.iter().filter_map(|name| name.split_once('.')) {
        sample.entry(group).or_default().insert(name, "…");
    }
    sample.insert("record", sayable(record).map(|field| (field, "…")).collect());
    let sample = Sample { addressee: "…", groups: sample };
    written(wording, &sample).map(drop)
}

/// What every name stands for while a wording is checked.
#[derive(Serialize)]
struct Sample<'a> {
    addressee: &'a str,
    #[serde(flatten)]
    groups: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
}

/// What a wording names.
fn named(wording: &str) -> Result<BTreeSet<String>, String> {
    let environment = environment();
    let template = environment.template_from_str(wording).map_err(|error| reason(&error))?;
    let mut names: BTreeSet<_> = template.undeclared_variables(true).into_iter().collect();
    // A loop's own names are not its.
    names.remove("loop");
    Ok(names)
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// What the template engine says, on one line.
fn reason(error: &minijinja::Error) -> String {
    let line = error.line().map(|line| format!("line {line}: ")).unwrap_or_default();
    let detail = error.detail().map(|detail| format!(": {detail}")).unwrap_or_default();
    format!("{line}{}{detail}", error.kind())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::catalog::Cataloged;
    use crate::finance::invoice;

    #[test]
    fn a_wording_that_names_what_is_not_there_is_refused_with_what_there_is() {
        let record = invoice::Entity::record();
        let refused = check("{{ record.totl }}", record).unwrap_err();
        assert!(refused.starts_with("there is no record.totl; there are addressee, customer.name"));
        assert!(refused.contains("record.dueOn"), "{refused}");
        for wrong in [
            "{{ customer.name",
            "{% for x in %}",
            "{{ env('HOME') }}",
            "{{ customer.name | nope }}",
        ] {
            assert!(check(wrong, record).is_err(), "{wrong}");
        }
        let right =
            "{{ addressee }}, {% if record.number is defined %}{{ record.number }}{% endif %}";
        assert_eq!(check(right, record), Ok(()));
        assert_eq!(fields(right), BTreeSet::from(["number".to_owned()]));
    }

    #[test]
    fn what_is_missing_is_an_error_and_never_a_gap() {
        let values = json!({ "customer": { "name": "Ánh Dương" } });
        assert_eq!(written("Chào {{ customer.name }}", &values), Ok("Chào Ánh Dương".to_owned()));
        assert!(written("Chào {{ customer.number }}", &values).is_err());
        let other = "Chào {{ customer.number | default('bạn') }}";
        assert_eq!(written(other, &values), Ok("Chào bạn".to_owned()));
    }

    #[test]
    fn a_wording_that_never_ends_is_ended() {
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(written(endless, &json!({})).is_err());
    }

    /// What a customer is called is never a template.
    #[test]
    fn braces_in_a_value_stay_as_they_are() {
        let values = json!({ "customer": { "name": "{{ organisation.name }}" } });
        assert_eq!(
            written("{{ customer.name }}", &values),
            Ok("{{ organisation.name }}".to_owned())
        );
    }
}
