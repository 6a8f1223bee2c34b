//! The inputs that add and change records.

use entity::money::basis_points;

use crate::error::{ErrorCode, UserError};
use crate::scalar::{Decimal, MoneyInput};

/// The minor units and the currency that a field means.
///
/// # Errors
/// `INVALID` for an amount that the currency does not have.
pub fn amount(
    given: MoneyInput,
    field: &str,
) -> Result<(i64, entity::money::Currency), Vec<UserError>> {
    let refused = |error| vec![UserError::new(ErrorCode::Invalid, &error, &["input", field])];
    let amount = given.parse().map_err(refused)?;
    Ok((amount.minor, amount.currency))
}

/// The hundredths of a percent that a field means.
///
/// # Errors
/// `INVALID` for what is no rate.
pub fn rate(given: Decimal, field: &str) -> Result<i32, Vec<UserError>> {
    let message = "a rate is a fraction from 0 to 1 with at most four decimals, such as 0.1";
    let refused = || vec![UserError::new(ErrorCode::Invalid, &message, &["input", field])];
    basis_points(given.0).ok_or_else(refused)
}

/// Declares the inputs that add and change a record, and which columns they set: fields that a new record
/// needs, that have a default, and that may be missing; amounts, which set the column of their currency, too;
/// rates, whose columns are in hundredths of a percent; and references, which are the ids of other records.
macro_rules! form {
    (
        $(#[$create_doc:meta])* $create:ident,
        $(#[$update_doc:meta])* $update:ident,
        of $entity:ident:
        $(needs { $($(#[$need_doc:meta])* $need:ident: $need_type:ty,)* })?
        $(defaults { $($(#[$def_doc:meta])* $def:ident: $def_type:ty = $default:literal,)* })?
        $(may { $($(#[$may_doc:meta])* $may:ident: $may_type:ty,)* })?
        $(amounts { $($(#[$sum_doc:meta])* $sum:ident in $currency:ident = $sum_name:literal,)* })?
        $(rates { $($(#[$rate_doc:meta])* $rate:ident to $points:ident = $rate_name:literal,)* })?
        $(references { $($(#[$ref_doc:meta])* $ref:ident = $ref_name:literal,)* })?
    ) => {
        $(#[$create_doc])*
        #[derive(Clone, Debug, async_graphql::InputObject)]
        pub struct $create {
            $($($(#[$need_doc])* pub $need: $need_type,)*)?
            $($($(#[$def_doc])* #[graphql(default_with = $default)] pub $def: $def_type,)*)?
            $($($(#[$may_doc])* pub $may: Option<$may_type>,)*)?
            $($($(#[$sum_doc])* pub $sum: $crate::scalar::MoneyInput,)*)?
            $($($(#[$rate_doc])* pub $rate: $crate::scalar::Decimal,)*)?
            $($($(#[$ref_doc])* pub $ref: Option<async_graphql::ID>,)*)?
        }

        $(#[$update_doc])*
        #[derive(Clone, Debug, async_graphql::InputObject)]
        pub struct $update {
            $($($(#[$need_doc])* pub $need: Option<$need_type>,)*)?
            $($($(#[$def_doc])* pub $def: Option<$def_type>,)*)?
            $($($(#[$may_doc])* pub $may: async_graphql::MaybeUndefined<$may_type>,)*)?
            $($($(#[$sum_doc])* pub $sum: Option<$crate::scalar::MoneyInput>,)*)?
            $($($(#[$rate_doc])* pub $rate: Option<$crate::scalar::Decimal>,)*)?
            $($($(#[$ref_doc])* pub $ref: async_graphql::MaybeUndefined<async_graphql::ID>,)*)?
        }

        impl $create {
            /// The row that it means.
            pub(crate) fn row(self) -> Result<$entity::ActiveModel, Vec<$crate::error::UserError>> {
                use sea_orm::ActiveValue::Set;
                $($(let ($sum, $currency) = $crate::edit::amount(self.$sum, $sum_name)?;)*)?
                Ok($entity::ActiveModel {
                    $($($sum: Set($sum), $currency: Set($currency),)*)?
                    $($($points: Set($crate::edit::rate(self.$rate, $rate_name)?),)*)?
                    $($($need: Set(self.$need.into()),)*)?
                    $($($def: Set(self.$def.into()),)*)?
                    $($($may: Set(self.$may.map(Into::into)),)*)?
                    $($($ref: Set(self.$ref.map(|id| $crate::id::parse(&id, &["input", $ref_name]))
                        .transpose()?),)*)?
                    ..Default::default()
                })
            }
        }

        impl $update {
            /// What it changes.
            pub(crate) fn row(self) -> Result<$entity::ActiveModel, Vec<$crate::error::UserError>> {
                use sea_orm::ActiveValue::{NotSet, Set};
                $($(let $sum = self.$sum.map(|given| $crate::edit::amount(given, $sum_name));
                let $sum = $sum.transpose()?;)*)?
                Ok($entity::ActiveModel {
                    $($($sum: $sum.map_or(NotSet, |(amount, _)| Set(amount)),
                    $currency: $sum.map_or(NotSet, |(_, currency)| Set(currency)),)*)?
                    $($($points: self.$rate.map(|given| $crate::edit::rate(given, $rate_name))
                        .transpose()?.map_or(NotSet, Set),)*)?
                    $($($need: self.$need.map_or(NotSet, |value| Set(value.into())),)*)?
                    $($($def: self.$def.map_or(NotSet, |value| Set(value.into())),)*)?
                    $($($may: $crate::payload::change(self.$may)
                        .map_or(NotSet, |value| Set(value.map(Into::into))),)*)?
                    $($($ref: $crate::id::parse_change(&self.$ref, &["input", $ref_name])?
                        .map_or(NotSet, Set),)*)?
                    ..Default::default()
                })
            }
        }
    };
}
pub(crate) use form;
