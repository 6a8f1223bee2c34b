//! The scalars and small types that all of the API shares: days, currencies, money, ids.

use async_graphql::{
    InputObject, InputValueError, InputValueResult, Scalar, ScalarType, SimpleObject, Value,
};
use chrono::{NaiveDate, NaiveTime, TimeDelta};
use entity::finance::FinanceError;
use entity::money::{Currency, Money as Amount};
use rust_decimal::Decimal as Exact;

/// A calendar day without a zone, as `2026-11-22`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(pub NaiveDate);

/// A calendar day without a zone, as `2026-11-22`.
#[Scalar]
impl ScalarType for Date {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => NaiveDate::parse_from_str(text, "%Y-%m-%d")
                .map(Self)
                .map_err(|_| InputValueError::custom("a day is written as 2026-11-22")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An ISO 4217 code of a currency with a minor unit, such as `VND` or `EUR`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CurrencyCode(pub Currency);

/// An ISO 4217 code of a currency with a minor unit, such as `VND` or `EUR`.
#[Scalar]
impl ScalarType for CurrencyCode {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(code) => code.parse().map(Self).map_err(InputValueError::custom),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.code().to_owned())
    }
}

/// A whole number of 64 bits, as a JSON number: for counts and sizes that may pass `Int`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Long(pub i64);

/// A whole number of 64 bits, as a JSON number: for counts and sizes that may pass `Int`.
#[Scalar]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_i64().map(Self).ok_or_else(|| InputValueError::expected_type(value))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// An exact decimal number, sent as a string such as `"12.50"`; a JSON number is understood too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal(pub Exact);

/// An exact decimal number, sent as a string such as `"12.50"`; a JSON number is understood too.
#[Scalar]
impl ScalarType for Decimal {
    fn parse(value: Value) -> InputValueResult<Self> {
        let text = match &value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return Err(InputValueError::expected_type(value)),
        };
        Exact::from_str_exact(&text)
            .map(Self)
            .map_err(|_| InputValueError::custom("a decimal number is written as \"12.50\""))
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// A time on somebody's clock, as `09:00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime(pub NaiveTime);

/// A time on somebody's clock, as `09:00`.
#[Scalar]
impl ScalarType for LocalTime {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => NaiveTime::parse_from_str(text, "%H:%M")
                .map(Self)
                .map_err(|_| InputValueError::custom("a time is written as 09:00")),
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.format("%H:%M").to_string())
    }
}

/// How long something takes, in the form of ISO 8601 without months and years: `P3D`, `PT15M`, `P1DT12H`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duration(pub TimeDelta);

/// How long something takes, in the form of ISO 8601 without months and years: `P3D`, `PT15M`, `P1DT12H`.
#[Scalar]
impl ScalarType for Duration {
    fn parse(value: Value) -> InputValueResult<Self> {
        let Value::String(text) = &value else {
            return Err(InputValueError::expected_type(value));
        };
        let wrong =
            || InputValueError::custom("how long it takes is written as P3D, PT15M or P1DT12H");
        // A month is not always as long; what is behind the T are minutes.
        let days = text.split('T').next().unwrap_or_default();
        if !text.starts_with('P') || days.contains(['M', 'Y']) {
            return Err(wrong());
        }
        let parsed = speedate::Duration::parse_str(text).map_err(|_| wrong())?;
        TimeDelta::try_seconds(parsed.signed_total_seconds()).map(Self).ok_or_else(wrong)
    }

    fn to_value(&self) -> Value {
        Value::String(self.0.to_string())
    }
}

/// An exact amount of one currency.
#[derive(Clone, Copy, Debug, SimpleObject)]
pub struct Money {
    /// The amount as a decimal string with exactly the currency's decimals: `1200000` VND, `12.50` EUR.
    pub amount: Decimal,
    /// Its currency.
    pub currency: CurrencyCode,
}

impl From<Amount> for Money {
    fn from(money: Amount) -> Self {
        Self { amount: Decimal(money.to_decimal()), currency: CurrencyCode(money.currency) }
    }
}

/// An exact amount of one currency.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct MoneyInput {
    /// The amount as a decimal string, with no more decimals than the currency has.
    pub amount: Decimal,
    /// Its currency.
    pub currency: CurrencyCode,
}

impl MoneyInput {
    /// # Errors
    /// When the currency does not have such an amount.
    pub fn parse(self) -> Result<Amount, FinanceError> {
        Ok(Amount::from_decimal(self.amount.0, self.currency.0)?)
    }
}
