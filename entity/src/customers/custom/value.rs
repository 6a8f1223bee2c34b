//! Values of custom fields, as they are given, stored and shown.
//!
//! Invariant: what is stored compares as it should, so decimals are whole numbers of their last digit,
//! amounts are minor units, and instants are written in one way.

use std::str::FromStr;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::ConnectionTrait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json, json};
use url::Url;

use super::definition::{Kind, Model, in_use};
use crate::access::{Actor, Viewer, user};
use crate::check::Check;
use crate::error::Error;
use crate::money::{Currency, Money};
use crate::text::{self, fold};

/// How many decimals a decimal number has at most.
pub const SCALE: u32 = 6;

/// A value that a custom field is to get; null takes it away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomValue {
    /// The field's key.
    pub key: String,
    /// The value as it is shown.
    pub value: Json,
}

/// Sets values of custom fields for somebody.
pub(crate) struct Setter {
    fields: Vec<Model>,
    viewer: Option<Viewer>,
    is_system: bool,
}

impl Setter {
    /// For `actor`, with the fields that are in use.
    ///
    /// # Errors
    /// The database.
    pub async fn load(
        txn: &impl ConnectionTrait,
        actor: Actor,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let fields = in_use(txn).await?;
        let viewer = match actor.user() {
            Some(id) if !fields.is_empty() => user::viewer(txn, id, now).await?,
            _ => None,
        };
        Ok(Self { fields, viewer, is_system: actor.user().is_none() })
    }

    /// Sets `values` among those that are `stored` with a customer, and notes what is wrong: a field that there
    /// is none of, or that the actor does not see, a value that it does not take, a required one that is
    /// missing. A new customer needs all that are required.
    pub fn set(
        &self,
        stored: &mut Json,
        values: Vec<CustomValue>,
        is_new: bool,
        check: &mut Check,
    ) {
        let mut all = stored.as_object().cloned().unwrap_or_else(Map::new);
        let mut refuse = |message: String| check.note(Error::invalid("customFields", message));
        for CustomValue { key, value } in values {
            let Some(field) = self.fields.iter().find(|field| field.key == key) else {
                refuse(format!("there is no custom field {key}"));
                continue;
            };
            let sees = |viewer: &Viewer| field.is_visible_to(viewer);
            if !self.is_system && !self.viewer.as_ref().is_some_and(sees) {
                refuse(format!("{key}: your role does not allow this"));
                continue;
            }
            match parse(field, &value) {
                Ok(Some(value)) => drop(all.insert(key, value)),
                Ok(None) if field.required => refuse(format!("{key} cannot be empty")),
                Ok(None) => drop(all.remove(&key)),
                Err(expected) => refuse(format!("{key}: this is no {expected}")),
            }
        }
        let missing = |field: &&Model| field.required && !all.contains_key(&field.key);
        for missing in self.fields.iter().filter(missing).filter(|_| is_new) {
            refuse(format!("{} needs a value", missing.key));
        }
        *stored = Json::Object(all);
    }

    /// What setting `values` changes of whatever is stored: an object with null for what is taken away.
    pub fn patch(&self, values: Vec<CustomValue>, check: &mut Check) -> Json {
        let keys: Vec<_> = values.iter().map(|value| value.key.clone()).collect();
        let mut set = json!({});
        self.set(&mut set, values, false, check);
        keys.into_iter().map(|key| (key.clone(), set[&key].take())).collect()
    }
}

/// The stored form of a value, `None` for an empty one; otherwise what it should be.
fn parse(field: &Model, given: &Json) -> Result<Option<Json>, String> {
    if given.is_null() {
        return Ok(None);
    }
    let given_text = given.as_str().map(text::clean);
    let text = given_text.as_deref();
    let expected = |what: &str| Err(what.to_owned());
    Ok(Some(match field.kind {
        Kind::Text => match text {
            Some("") => return Ok(None),
            Some(text) if text.chars().count() <= 1_000 => text.into(),
            _ => return expected("text of at most 1000 characters"),
        },
        Kind::Link => match text.map(|text| (text, Url::parse(text))) {
            Some(("", _)) => return Ok(None),
            Some((text, Ok(url))) if is_web(&url) && text.len() <= 2_000 => text.into(),
            _ => return expected("web address; write one such as https://example.vn/lan"),
        },
        Kind::Number => match given.as_i64().or_else(|| text?.parse().ok()) {
            Some(number) => number.into(),
            None => return expected("whole number"),
        },
        Kind::Decimal => match exact(given).and_then(scaled) {
            Some(units) => units.into(),
            None => return expected("decimal number with at most six decimals"),
        },
        Kind::Date => match text.and_then(|text| text.parse::<NaiveDate>().ok()) {
            Some(day) => day.to_string().into(),
            None => return expected("day; write one such as 2026-11-22"),
        },
        Kind::Instant => match text.and_then(|text| DateTime::parse_from_rfc3339(text).ok()) {
            Some(instant) => instant.with_timezone(&Utc).to_rfc3339().into(),
            None => return expected("instant; write one such as 2026-11-22T09:00:00Z"),
        },
        Kind::Boolean => match given {
            Json::Bool(_) => given.clone(),
            _ => return expected("true or false"),
        },
        Kind::Choice => match text.filter(|text| field.allowed().iter().any(|one| one == text)) {
            Some(text) => text.into(),
            None => return expected(&format!("one of {}", field.allowed().join(", "))),
        },
        Kind::MultiChoice => {
            let one = std::slice::from_ref(given);
            let given = given.as_array().map_or(one, Vec::as_slice);
            let allowed = field.allowed();
            let known =
                |one: &Json| one.as_str().is_some_and(|one| allowed.iter().any(|a| a == one));
            if !given.iter().all(known) {
                return expected(&format!("list of some of {}", allowed.join(", ")));
            }
            let chosen: Vec<_> = allowed
                .into_iter()
                .filter(|allowed| given.iter().any(|one| one == allowed))
                .collect();
            if chosen.is_empty() {
                return Ok(None);
            }
            chosen.into()
        }
        Kind::Money => match money(given) {
            Some(amount) => json!({ "minor": amount.minor, "currency": amount.currency.code() }),
            None => {
                return expected(
                    "amount; write one such as { amount: \"12.50\", currency: \"EUR\" }",
                );
            }
        },
    }))
}

/// A value as it is given, from how people write it in a table: choices are divided by semicolons, and an amount
/// is followed by its currency. What cannot be read is left as it is, for the field to refuse.
#[must_use]
pub fn written(field: &Model, text: &str) -> Json {
    match field.kind {
        Kind::Boolean => match fold(text).as_str() {
            "true" | "yes" | "1" | "x" | "co" | "dung" => true.into(),
            "false" | "no" | "0" | "khong" | "sai" => false.into(),
            _ => text.into(),
        },
        Kind::MultiChoice => text.split(';').map(str::trim).filter(|one| !one.is_empty()).collect(),
        Kind::Money => match text.rsplit_once(char::is_whitespace) {
            Some((amount, currency)) => {
                json!({ "amount": amount.trim(), "currency": currency.to_uppercase() })
            }
            None => text.into(),
        },
        _ => text.into(),
    }
}

fn is_web(url: &Url) -> bool {
    matches!(url.scheme(), "http" | "https") && url.has_host()
}

fn exact(given: &Json) -> Option<Decimal> {
    match given {
        Json::String(text) => Decimal::from_str_exact(text.trim()).ok(),
        Json::Number(number) => Decimal::from_str_exact(&number.to_string()).ok(),
        _ => None,
    }
}

fn scaled(exact: Decimal) -> Option<i64> {
    let units = exact.checked_mul(Decimal::from(10_i64.pow(SCALE)))?;
    if units.is_integer() { units.to_i64() } else { None }
}

fn money(given: &Json) -> Option<Money> {
    let currency = Currency::from_str(given["currency"].as_str()?).ok()?;
    Money::from_decimal(exact(&given["amount"])?, currency).ok()
}

/// A stored value as it is shown, which is also how it is given; null when there is none.
#[must_use]
pub fn shown(field: &Model, stored: &Json) -> Json {
    let value = &stored[&field.key];
    match field.kind {
        Kind::Decimal => match value.as_i64() {
            Some(units) => Decimal::new(units, SCALE).normalize().to_string().into(),
            None => Json::Null,
        },
        Kind::Money => {
            let parts = value["minor"].as_i64().zip(value["currency"].as_str());
            let amount =
                parts.and_then(|(minor, code)| Some(Money::new(minor, code.parse().ok()?)));
            amount.map_or(Json::Null, |amount| {
                let code = amount.currency.code();
                json!({ "amount": amount.to_decimal().to_string(), "currency": code })
            })
        }
        _ => value.clone(),
    }
}
