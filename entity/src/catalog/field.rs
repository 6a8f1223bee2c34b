//! Fields: what a record shows, and how it is read.

use chrono::NaiveDate;
use futures::future::BoxFuture;
use sea_orm::{ActiveEnum, ColumnTrait, DatabaseConnection, DbErr, Iterable};
use uuid::Uuid;

use super::{Cataloged, Target, Timeline, camel, screaming};
use crate::access::{Permission, Viewer};
use crate::collaboration::notification::Notice;
use crate::id::Id;
use crate::money::Money;

/// A field of a record.
#[expect(
    clippy::struct_excessive_bools,
    reason = "what a field is used for are independent choices"
)]
pub struct Field {
    /// Its name, such as `displayName`.
    pub name: String,
    /// The same as a value of an enum, such as `DISPLAY_NAME`.
    pub constant: String,
    /// What it is, its unit, and when it is null.
    pub about: String,
    /// How it is read.
    pub shape: Shape,
    /// Whether it can be null.
    pub nullable: bool,
    /// What a viewer needs for seeing it, beyond seeing the record.
    pub guard: Option<Permission>,
    /// Whether lists can be filtered by it.
    pub filtered: bool,
    /// Whether lists can be ordered by it.
    pub ordered: bool,
    /// Whether records can be grouped by it.
    pub grouped: bool,
    /// Whether it is added up in groups.
    pub summed: bool,
    /// Whether it is only compared, never shown.
    pub hidden: bool,
    /// Whether no two records have the same value.
    pub unique: bool,
}

/// What a column holds, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scalar {
    /// A record's id with its prefix.
    Id(&'static str),
    /// Text.
    Text,
    /// A whole number of 32 bits.
    Whole,
    /// A whole number of 64 bits.
    Long,
    /// A whole number that counts the given power of ten, shown as a decimal.
    Scaled(u32),
    /// Yes or no.
    Truth,
    /// An instant in UTC.
    Instant,
    /// A calendar day.
    Day,
    /// An ISO 4217 code.
    Currency,
    /// A value of the API's enum of this name, stored by its name.
    Choice(&'static str, Vec<String>),
    /// Any JSON.
    Json,
}

/// How a field is read.
pub enum Shape {
    /// A column or an SQL expression.
    Scalar {
        /// Where it is.
        column: &'static str,
        /// What it holds.
        scalar: Scalar,
    },
    /// Minor units, and an expression that gives their currency.
    Money {
        /// Where the minor units are.
        amount: &'static str,
        /// Where the currency is.
        currency: &'static str,
    },
    /// Words that the record's `search_text` is searched for; only a filter.
    Search,
    /// Whether the viewer may do with the row what changes it and needs the permission; never with a deleted one.
    Reach(Permission),
    /// The values of custom fields.
    Custom {
        /// The column that holds them all.
        column: &'static str,
    },
    /// The record that a column refers to; null when there is none, or when the viewer does not see it.
    One {
        /// The column that refers.
        column: &'static str,
        /// To what.
        target: Target,
    },
    /// The record that refers to this one.
    Single {
        /// The column that refers, in the target.
        column: &'static str,
        /// What refers.
        target: Target,
        /// A column of the target and the value that it has.
        only: (&'static str, &'static str),
    },
    /// The records that refer to this one, in the order of a column: few, so that all are given.
    List {
        /// The column that refers, in the target.
        column: &'static str,
        /// What refers.
        target: Target,
        /// By what they are ordered.
        order: &'static str,
        /// How many there usually are.
        usually: usize,
    },
    /// The records that refer to this one, as a connection with a filter, an order and pages.
    Many {
        /// The column that refers, in the target.
        column: &'static str,
        /// What refers.
        target: Target,
    },
    /// Records of several kinds that refer to this one, newest first, in pages.
    Timeline(Timeline),
    /// What code makes of all rows of a level at once.
    Batch(Batch),
}

/// What code makes of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Datum {
    /// Nothing.
    Null,
    /// An amount.
    Money(Money),
    /// Several amounts.
    Amounts(Vec<Money>),
    /// A notification, which is read as a sentence of its reader's language.
    Notice(Notice),
    /// Any other value, in the form of the field's type.
    Json(serde_json::Value),
}

/// A field that code makes, called once for all rows of a level.
pub struct Batch {
    /// The API's type of what it gives, without the `!` of a field that is never null.
    pub ty: &'static str,
    /// What it can be asked with.
    pub arguments: Vec<BatchArgument>,
    /// Gives one datum for each id, in their order.
    pub run: Batched,
}

/// The code of a batch field: the database, who asks, the records' ids, the arguments as JSON.
pub type Batched = for<'a> fn(
    &'a DatabaseConnection,
    &'a Viewer,
    &'a [Uuid],
    &'a serde_json::Value,
) -> BoxFuture<'a, Result<Vec<Datum>, DbErr>>;

/// An argument of a batch field; it may be absent.
pub struct BatchArgument {
    /// Its name.
    pub name: &'static str,
    /// What it is, and what its absence means.
    pub about: &'static str,
    /// Its type.
    pub scalar: Scalar,
}

impl Field {
    pub(super) fn new(shape: Shape, nullable: bool) -> Self {
        Self {
            name: String::new(),
            constant: String::new(),
            about: String::new(),
            shape,
            nullable,
            guard: None,
            filtered: false,
            ordered: false,
            grouped: false,
            summed: false,
            hidden: false,
            unique: false,
        }
    }

    /// The same with its name and what it is.
    #[must_use]
    pub fn named(self, name: &str, about: String) -> Self {
        let name = camel(name.trim_start_matches("r#"));
        Self { constant: screaming(&name), name, about, ..self }
    }

    /// The same, and lists can be filtered by it.
    #[must_use]
    pub fn filtered(self) -> Self {
        Self { filtered: true, ..self }
    }

    /// The same, and lists can be ordered by it.
    #[must_use]
    pub fn ordered(self) -> Self {
        Self { ordered: true, ..self }
    }

    /// The same, and records can be grouped by it.
    #[must_use]
    pub fn grouped(self) -> Self {
        Self { grouped: true, ..self }
    }

    /// The same, and it is added up in groups.
    #[must_use]
    pub fn summed(self) -> Self {
        Self { summed: true, ..self }
    }

    /// The same for filters alone.
    #[must_use]
    pub fn hidden(self) -> Self {
        Self { hidden: true, filtered: true, ..self }
    }

    /// The same, and no two records have the same value: the table has a constraint `table_column_key`.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// The same for those alone who have the permission.
    #[must_use]
    pub fn guarded(self, permission: Permission) -> Self {
        Self { guard: Some(permission), ..self }
    }

    /// The same with the minor units' currency from an expression.
    #[must_use]
    pub fn in_currency(self, currency: &'static str) -> Self {
        match self.shape {
            Shape::Money { amount, .. } => {
                Self { shape: Shape::Money { amount, currency }, ..self }
            }
            _ => self,
        }
    }

    /// Its column where it refers to another record.
    #[must_use]
    pub fn refers(&self) -> Option<&'static str> {
        match self.shape {
            Shape::One { column, .. } => Some(column),
            _ => None,
        }
    }

    /// Its column where it is a scalar or an amount.
    #[must_use]
    pub fn column(&self) -> Option<(&'static str, &Scalar)> {
        static MINOR: Scalar = Scalar::Long;
        match &self.shape {
            Shape::Scalar { column, scalar } => Some((column, scalar)),
            Shape::Money { amount, .. } => Some((amount, &MINOR)),
            _ => None,
        }
    }
}

fn scalar<C: ColumnTrait>(column: C, scalar: Scalar) -> Field {
    let nullable = column.def().is_null();
    Field::new(Shape::Scalar { column: column.as_str(), scalar }, nullable)
}

/// The record's own id.
#[must_use]
pub fn id<I: Id>() -> Field {
    Field::new(Shape::Scalar { column: "id", scalar: Scalar::Id(I::PREFIX) }, false)
}

/// Another record's id.
pub fn uuid<I: Id>(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Id(I::PREFIX))
}

/// Text.
pub fn text(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Text)
}

/// A whole number of 32 bits.
pub fn whole(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Whole)
}

/// A whole number of 64 bits.
pub fn long(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Long)
}

/// A decimal, stored as a whole number of its last digit: `scale` digits after the point.
pub fn decimal(column: impl ColumnTrait, scale: u32) -> Field {
    scalar(column, Scalar::Scaled(scale))
}

/// Yes or no.
pub fn truth(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Truth)
}

/// An instant.
pub fn instant(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Instant)
}

/// A calendar day.
pub fn day(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Day)
}

/// A currency's code.
pub fn currency(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Currency)
}

/// Whether the viewer may do with the row what changes it and needs `permission`.
#[must_use]
pub fn reach(permission: Permission) -> Field {
    Field::new(Shape::Reach(permission), false)
}

/// Any JSON.
pub fn json(column: impl ColumnTrait) -> Field {
    scalar(column, Scalar::Json)
}

/// A value of the enum `E`, which the API calls `name`.
pub fn choice<E: ActiveEnum<Value = String> + Iterable>(
    name: &'static str,
    column: impl ColumnTrait,
) -> Field {
    let values = <E as Iterable>::iter().map(|value| value.to_value()).collect();
    scalar(column, Scalar::Choice(name, values))
}

/// An amount in minor units of the row's `currency`.
pub fn money(column: impl ColumnTrait) -> Field {
    let nullable = column.def().is_null();
    Field::new(Shape::Money { amount: column.as_str(), currency: "currency" }, nullable)
}

/// An amount in minor units that an SQL expression makes of the row's columns.
#[must_use]
pub fn computed(amount: &'static str) -> Field {
    Field::new(Shape::Money { amount, currency: "currency" }, false)
}

/// Words without regard to case and diacritics, all of which occur in the record's `search_text`.
#[must_use]
pub fn search() -> Field {
    Field::new(Shape::Search, true).hidden()
}

/// The values of custom fields, all in `column`.
pub fn custom_values(column: impl ColumnTrait) -> Field {
    Field::new(Shape::Custom { column: column.as_str() }, false).filtered()
}

/// The record that `column` refers to.
pub fn one<T: Cataloged>(column: impl ColumnTrait) -> Field {
    Field::new(Shape::One { column: column.as_str(), target: T::record }, true).filtered()
}

/// The one record of `T` whose `column` refers to this one, and whose `which` has the `value`.
pub fn single<T: Cataloged, C: ColumnTrait>(column: C, which: C, value: &'static str) -> Field {
    let only = (which.as_str(), value);
    Field::new(Shape::Single { column: column.as_str(), target: T::record, only }, true)
}

/// The few records of `T` whose `column` refers to this one, ordered by `order`.
pub fn list<T: Cataloged, C: ColumnTrait>(column: C, order: C, usually: usize) -> Field {
    let (column, order) = (column.as_str(), order.as_str());
    Field::new(Shape::List { column, target: T::record, order, usually }, false)
}

/// The records of `T` whose `column` refers to this one, in pages.
pub fn many<T: Cataloged>(column: impl ColumnTrait) -> Field {
    Field::new(Shape::Many { column: column.as_str(), target: T::record }, false).filtered()
}

/// What `run` makes of all rows of a level at once: an amount, or a list of them.
#[must_use]
pub fn batch(list: bool, arguments: Vec<BatchArgument>, run: Batched) -> Field {
    let ty = if list { "[Money!]" } else { "Money" };
    Field::new(Shape::Batch(Batch { ty, arguments, run }), false)
}

/// What `run` makes of all rows of a level at once: a value of a scalar type, such as `JSON!` or `ID`.
#[must_use]
pub fn batch_json(ty: &'static str, run: Batched) -> Field {
    let required = ty.strip_suffix('!');
    let batch = Batch { ty: required.unwrap_or(ty), arguments: Vec::new(), run };
    Field::new(Shape::Batch(batch), required.is_none())
}

/// An optional argument that is a calendar day.
#[must_use]
pub fn date(arguments: &serde_json::Value, name: &str) -> Option<NaiveDate> {
    arguments.get(name)?.as_str()?.parse().ok()
}
