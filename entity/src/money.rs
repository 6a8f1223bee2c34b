//! Money: whole minor units of one currency. Never a float.
//!
//! Invariant: `minor` counts the smallest unit of the currency's ISO 4217 exponent: VND 0, EUR 2, KWD 3.

use std::fmt;

use iso_currency::Currency as Iso;
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::DeriveValueType;
use serde::{Deserialize, Serialize};

/// An ISO 4217 currency that has a minor unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, DeriveValueType)]
#[serde(try_from = "String", into = "String")]
#[sea_orm(value_type = "String", column_type = "String(sea_orm::sea_query::StringLen::N(3))")]
pub struct Currency(Iso);

impl Currency {
    /// The Vietnamese đồng, which has no minor unit.
    pub const VND: Self = Self(Iso::VND);
    /// The euro.
    pub const EUR: Self = Self(Iso::EUR);
    /// The United States dollar.
    pub const USD: Self = Self(Iso::USD);

    /// Number of decimals: 0 for VND, 2 for EUR, 3 for KWD.
    #[must_use]
    pub fn exponent(self) -> u32 {
        u32::from(self.0.exponent().unwrap_or_default())
    }

    /// The ISO 4217 code, three capital letters.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// The currency's sign, such as `₫` or `€`.
    #[must_use]
    pub fn symbol(self) -> String {
        self.0.symbol().symbol
    }
}

impl std::str::FromStr for Currency {
    type Err = UnknownCurrency;

    fn from_str(code: &str) -> Result<Self, UnknownCurrency> {
        // Nearly all amounts are in one of these, and the list of all is long.
        if let Some(known) =
            [Self::VND, Self::EUR, Self::USD].into_iter().find(|one| one.code() == code)
        {
            return Ok(known);
        }
        Iso::from_code(code)
            .filter(|iso| iso.exponent().is_some())
            .map(Self)
            .ok_or_else(|| UnknownCurrency(code.chars().take(16).collect()))
    }
}

impl TryFrom<String> for Currency {
    type Error = UnknownCurrency;

    fn try_from(code: String) -> Result<Self, UnknownCurrency> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.code().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// The text is no ISO 4217 code of a currency with a minor unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("“{0}” is not an ISO 4217 currency code; write three capital letters such as VND or EUR")]
pub struct UnknownCurrency(pub String);

/// Why a decimal is no amount of a currency.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// More decimals than the currency has.
    #[error("{currency} has {} decimals; {amount} has more", currency.exponent())]
    TooPrecise {
        /// What was given.
        amount: Decimal,
        /// The currency it was given in.
        currency: Currency,
    },
    /// Past what 64 bits of minor units hold.
    #[error("{0} is too large an amount")]
    TooLarge(Decimal),
}

/// An amount in whole minor units of one currency.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Money {
    /// Minor units: cents of EUR, whole đồng of VND.
    pub minor: i64,
    /// What they are units of.
    pub currency: Currency,
}

impl Money {
    /// `minor` units of `currency`.
    #[must_use]
    pub const fn new(minor: i64, currency: Currency) -> Self {
        Self { minor, currency }
    }

    /// The amount that `decimal` means in `currency`, exactly.
    ///
    /// # Errors
    /// [`AmountError`] for more decimals than the currency has, or past 64 bits.
    pub fn from_decimal(decimal: Decimal, currency: Currency) -> Result<Self, AmountError> {
        let exact = decimal.normalize();
        if exact.scale() > currency.exponent() {
            return Err(AmountError::TooPrecise { amount: exact, currency });
        }
        Decimal::from(10_i64.pow(currency.exponent()))
            .checked_mul(exact)
            .and_then(|minor| minor.to_i64())
            .map(|minor| Self { minor, currency })
            .ok_or(AmountError::TooLarge(exact))
    }

    /// The amount as a decimal with exactly the currency's number of decimals.
    #[must_use]
    pub fn to_decimal(self) -> Decimal {
        Decimal::new(self.minor, self.currency.exponent())
    }
}

/// `1234.50 EUR`: for logs and error messages. What customers read is formatted by locale.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.to_decimal(), self.currency)
    }
}

/// A fraction from 0 to 1 in hundredths of a percent: 0.1 is 1000. None for any other, and for one with more
/// than four decimals.
#[must_use]
pub fn basis_points(fraction: Decimal) -> Option<i32> {
    let points = (fraction * Decimal::from(10_000)).normalize();
    let points = points.is_integer().then(|| points.to_i32()).flatten();
    points.filter(|points| (0..=10_000).contains(points))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_amount_keeps_to_its_currencys_decimals() {
        let vnd = |text: &str| Money::from_decimal(text.parse().unwrap(), Currency::VND);
        assert_eq!(vnd("1200000").unwrap().minor, 1_200_000);
        assert_eq!(vnd("1200000.00").unwrap().minor, 1_200_000);
        assert!(matches!(vnd("0.5"), Err(AmountError::TooPrecise { .. })));
        assert!(matches!(vnd("99999999999999999999"), Err(AmountError::TooLarge(_))));
        assert!("vnd".parse::<Currency>().is_err());
        assert!("XXX".parse::<Currency>().is_err());
        assert_eq!("KWD".parse::<Currency>().unwrap().exponent(), 3);
    }

    proptest! {
        #[test]
        fn money_survives_the_way_through_decimals(minor in any::<i64>(), code in "VND|EUR|KWD|USD|JPY") {
            let money = Money::new(minor, code.parse().unwrap());
            prop_assert_eq!(Money::from_decimal(money.to_decimal(), money.currency), Ok(money));
        }
    }
}
