//! Filters of scalars: what a field can be compared with, and the SQL that it becomes.

use async_graphql::{ID, InputObject, InputType};
use chrono::{DateTime, Utc};
use entity::text;
use rust_decimal::Decimal as Exact;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::sea_query::{Expr, ExprTrait, LikeExpr};
use sea_orm::{Condition, EntityTrait, Value};
use type_safe_id::{DynamicType, TypeSafeId};

use crate::scalar::{CurrencyCode, Date, Decimal};

/// A filter that can stand on a column.
pub trait FieldFilter {
    /// What it means in SQL on `column`.
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition;
}

fn expr<E: EntityTrait>(entity: E, column: E::Column) -> Expr {
    Expr::col((entity, column))
}

/// Adds what is given.
struct All(Condition);

impl All {
    fn new() -> Self {
        Self(Condition::all())
    }

    fn with<T>(self, given: Option<T>, condition: impl FnOnce(T) -> Expr) -> Self {
        match given {
            Some(value) => Self(self.0.add(condition(value))),
            None => self,
        }
    }

    fn null(self, given: Option<bool>, column: &Expr) -> Self {
        self.with(given, |null| match null {
            true => column.clone().is_null(),
            false => column.clone().is_not_null(),
        })
    }
}

/// How a text is compared. All that are given have to hold; upper and lower case are different.
#[derive(Clone, Debug, Default, InputObject)]
pub struct StringFilter {
    /// Is exactly this.
    pub eq: Option<String>,
    /// Is anything else.
    pub ne: Option<String>,
    /// Is one of these.
    pub r#in: Option<Vec<String>>,
    /// Contains this; `%` and `_` mean themselves.
    pub contains: Option<String>,
    /// Starts with this; `%` and `_` mean themselves.
    pub starts_with: Option<String>,
    /// Has no value (true) or has one (false).
    pub is_null: Option<bool>,
}

impl FieldFilter for StringFilter {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let column = expr(entity, column);
        All::new()
            .with(self.eq.clone(), |value| column.clone().eq(value))
            .with(self.ne.clone(), |value| column.clone().ne(value))
            .with(self.r#in.clone(), |values| column.clone().is_in(values))
            .with(self.contains.as_ref(), |part| column.clone().like(like("%", part)))
            .with(self.starts_with.as_ref(), |part| column.clone().like(like("", part)))
            .null(self.is_null, &column)
            .0
    }
}

fn like(before: &str, part: &str) -> LikeExpr {
    let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("{before}{escaped}%")).escape('\\')
}

/// Words that a record is looked up by, without regard to case and diacritics: `nguyen` finds
/// `Nguyễn`. Every word has to occur.
impl FieldFilter for String {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let words = text::fold(self);
        words
            .split(' ')
            .filter(|word| !word.is_empty())
            .fold(Condition::all(), |all, word| all.add(expr(entity, column).like(like("%", word))))
    }
}

/// How an id is compared. An id that names nothing matches nothing.
#[derive(Clone, Debug, Default, InputObject)]
pub struct IdFilter {
    /// Is this.
    pub eq: Option<ID>,
    /// Is one of these.
    pub r#in: Option<Vec<ID>>,
    /// Has no value (true) or has one (false).
    pub is_null: Option<bool>,
}

impl FieldFilter for IdFilter {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let column = expr(entity, column);
        let uuid = |id: &ID| id.parse::<TypeSafeId<DynamicType>>().ok().map(|id| id.uuid());
        let uuids = |ids: &[ID]| ids.iter().filter_map(uuid).collect::<Vec<_>>();
        All::new()
            .with(self.eq.as_ref(), |id| column.clone().is_in(uuid(id)))
            .with(self.r#in.as_ref(), |ids| column.clone().is_in(uuids(ids)))
            .null(self.is_null, &column)
            .0
    }
}

/// How a yes or no is compared.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct BooleanFilter {
    /// Is this.
    pub eq: Option<bool>,
}

impl FieldFilter for BooleanFilter {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        All::new().with(self.eq, |value| expr(entity, column).eq(value)).0
    }
}

/// How an instant is compared. All that are given have to hold.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct DateTimeFilter {
    /// Is this or later.
    pub gte: Option<DateTime<Utc>>,
    /// Is later.
    pub gt: Option<DateTime<Utc>>,
    /// Is this or earlier.
    pub lte: Option<DateTime<Utc>>,
    /// Is earlier.
    pub lt: Option<DateTime<Utc>>,
    /// Has no value (true) or has one (false).
    pub is_null: Option<bool>,
}

impl FieldFilter for DateTimeFilter {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let column = expr(entity, column);
        All::new()
            .with(self.gte, |value| column.clone().gte(value))
            .with(self.gt, |value| column.clone().gt(value))
            .with(self.lte, |value| column.clone().lte(value))
            .with(self.lt, |value| column.clone().lt(value))
            .null(self.is_null, &column)
            .0
    }
}

/// How a day is compared. All that are given have to hold.
#[derive(Clone, Copy, Debug, Default, InputObject)]
pub struct DateFilter {
    /// Is this day.
    pub eq: Option<Date>,
    /// Is this day or later.
    pub gte: Option<Date>,
    /// Is later.
    pub gt: Option<Date>,
    /// Is this day or earlier.
    pub lte: Option<Date>,
    /// Is earlier.
    pub lt: Option<Date>,
    /// Has no value (true) or has one (false).
    pub is_null: Option<bool>,
}

impl FieldFilter for DateFilter {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let column = expr(entity, column);
        All::new()
            .with(self.eq, |day| column.clone().eq(day.0))
            .with(self.gte, |day| column.clone().gte(day.0))
            .with(self.gt, |day| column.clone().gt(day.0))
            .with(self.lte, |day| column.clone().lte(day.0))
            .with(self.lt, |day| column.clone().lt(day.0))
            .null(self.is_null, &column)
            .0
    }
}

/// How an amount is compared, within one currency. All that are given have to hold.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct MoneyFilter {
    /// Only amounts in this currency match.
    pub currency: CurrencyCode,
    /// Is this or more.
    pub gte: Option<Decimal>,
    /// Is this or less.
    pub lte: Option<Decimal>,
}

impl FieldFilter for MoneyFilter {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let currency = self.currency.0;
        // Rounded inwards: a bound between two minor units means the nearest one that still holds.
        let scale = Exact::from(10_i64.pow(currency.exponent()));
        let minor = |bound: Decimal| scale.checked_mul(bound.0);
        let least = self.gte.and_then(minor).map(|bound| bound.ceil().to_i64().unwrap_or(i64::MAX));
        let most = self.lte.and_then(minor).map(|bound| bound.floor().to_i64().unwrap_or(i64::MIN));
        let amount = expr(entity, column);
        All::new()
            .with(Some(currency), |currency| Expr::col((entity, "currency")).eq(currency))
            .with(least, |minor| amount.clone().gte(minor))
            .with(most, |minor| amount.clone().lte(minor))
            .0
    }
}

/// How a choice is compared. All that are given have to hold.
#[derive(Clone, Debug, InputObject)]
#[graphql(
    concrete(name = "CustomerKindFilter", params(crate::customers::CustomerKind)),
    concrete(name = "LifecycleStageFilter", params(crate::customers::LifecycleStage)),
    concrete(name = "ChannelFilter", params(crate::customers::Channel)),
    concrete(name = "InvoiceStateFilter", params(crate::finance::InvoiceState)),
    concrete(name = "PaymentStateFilter", params(crate::finance::PaymentState)),
    concrete(name = "PaymentMethodFilter", params(crate::finance::PaymentMethod)),
    concrete(name = "MessageStateFilter", params(crate::automation::MessageState)),
    concrete(name = "MessageKindFilter", params(crate::automation::MessageKind))
)]
pub struct EnumFilter<T: InputType> {
    /// Is this.
    pub eq: Option<T>,
    /// Is one of these.
    pub r#in: Option<Vec<T>>,
    /// Is none of these.
    pub not_in: Option<Vec<T>>,
}

impl<T: InputType + Copy + Into<Value>> FieldFilter for EnumFilter<T> {
    fn on<E: EntityTrait>(&self, entity: E, column: E::Column) -> Condition {
        let column = expr(entity, column);
        let values =
            |values: &[T]| values.iter().map(|value| (*value).into()).collect::<Vec<Value>>();
        All::new()
            .with(self.eq, |value| column.clone().eq(value.into()))
            .with(self.r#in.as_ref(), |some| column.clone().is_in(values(some)))
            .with(self.not_in.as_ref(), |some| column.clone().is_not_in(values(some)))
            .0
    }
}
