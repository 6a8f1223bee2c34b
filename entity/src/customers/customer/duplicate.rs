//! Customers that may be one and the same, by what they have in common however it was typed.
//!
//! Invariant: whoever asks hears only of customers that they see in lists.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, Order};
use sea_orm::{FromQueryResult, QueryOrder, QuerySelect};

use super::{Column, Entity, Model};
use crate::access::Viewer;
use crate::catalog::Cataloged;
use crate::error::Error;
use crate::id::CustomerId;

/// How many duplicates of one customer are told, and how many customers of a group.
const MOST: u64 = 50;

/// What customers have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The tax number, without regard to punctuation.
    TaxNumber,
    /// The e-mail address, without regard to case.
    Email,
    /// The last digits of the telephone number.
    Phone,
    /// The name, without regard to case, diacritics and punctuation.
    Name,
}

impl Reason {
    /// All of them, the strongest first.
    pub const ALL: [Self; 4] = [Self::TaxNumber, Self::Email, Self::Phone, Self::Name];

    fn column(self) -> Column {
        match self {
            Self::TaxNumber => Column::TaxKey,
            Self::Email => Column::EmailKey,
            Self::Phone => Column::PhoneKey,
            Self::Name => Column::NameKey,
        }
    }

    fn of(self, customer: &Model) -> Option<&String> {
        match self {
            Self::TaxNumber => customer.tax_key.as_ref(),
            Self::Email => customer.email_key.as_ref(),
            Self::Phone => customer.phone_key.as_ref(),
            Self::Name => customer.name_key.as_ref(),
        }
    }

    /// How much it says, of a hundred. Families share a telephone, and many people a name.
    fn weight(self) -> u32 {
        match self {
            Self::TaxNumber => 60,
            Self::Email => 50,
            Self::Phone => 35,
            Self::Name => 30,
        }
    }
}

/// A customer that may be the one that was asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// Which.
    pub id: CustomerId,
    /// What they have in common, the strongest first.
    pub reasons: Vec<Reason>,
    /// How sure it is: 1 to 100.
    pub score: u32,
}

/// Customers that have one thing in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// What.
    pub reason: Reason,
    /// Its form that is compared.
    pub value: String,
    /// How many they are.
    pub count: i64,
    /// Some of them, oldest first.
    pub customers: Vec<CustomerId>,
}

fn seen(viewer: &Viewer) -> sea_orm::Select<Entity> {
    Entity::find().filter(Column::DeletedAt.is_null()).filter(Entity::record().visible(viewer))
}

/// The customers that may be the one with the `id`, the likeliest first; none when there is no such
/// customer that `viewer` sees.
///
/// # Errors
/// The database.
pub async fn of(
    db: &impl ConnectionTrait,
    id: CustomerId,
    viewer: &Viewer,
) -> Result<Vec<Duplicate>, Error> {
    let Some(customer) = seen(viewer).filter(Column::Id.eq(id)).one(db).await? else {
        return Ok(Vec::new());
    };
    let mut alike = sea_orm::Condition::any();
    for reason in Reason::ALL {
        if let Some(key) = reason.of(&customer) {
            alike = alike.add(reason.column().eq(key));
        }
    }
    if alike.is_empty() {
        return Ok(Vec::new());
    }
    let others = seen(viewer).filter(Column::Id.ne(id)).filter(alike).limit(MOST).all(db).await?;
    let mut duplicates: Vec<_> = others.iter().map(|other| compare(&customer, other)).collect();
    duplicates.sort_by_key(|duplicate| (std::cmp::Reverse(duplicate.score), duplicate.id));
    Ok(duplicates)
}

fn compare(customer: &Model, other: &Model) -> Duplicate {
    let common =
        |reason: &Reason| reason.of(customer).is_some() && reason.of(customer) == reason.of(other);
    let reasons: Vec<_> = Reason::ALL.into_iter().filter(common).collect();
    let sum: u32 = reasons.iter().map(|reason| reason.weight()).sum();
    let score = std::cmp::min(sum, 100);
    Duplicate { id: other.id, reasons, score }
}

/// Up to `limit` groups of customers that have `reason` in common, the largest first, with two
/// statements whatever their number.
///
/// # Errors
/// The database.
pub async fn groups(
    db: &impl ConnectionTrait,
    reason: Reason,
    limit: u64,
    viewer: &Viewer,
) -> Result<Vec<Group>, Error> {
    #[derive(FromQueryResult)]
    struct Row {
        value: String,
        count: i64,
    }
    let column = reason.column();
    let count = || Expr::col(Column::Id).count();
    let rows = seen(viewer)
        .select_only()
        .column_as(column, "value")
        .column_as(count(), "count")
        .filter(column.is_not_null())
        .group_by(column)
        .having(count().gt(1))
        .order_by(count(), Order::Desc)
        .order_by_asc(column)
        .limit(limit)
        .into_model::<Row>()
        .all(db)
        .await?;
    let members: Vec<(String, CustomerId)> = match rows.is_empty() {
        true => Vec::new(),
        false => {
            seen(viewer)
                .select_only()
                .columns([column, Column::Id])
                .filter(column.is_in(rows.iter().map(|row| row.value.as_str())))
                .order_by_asc(Column::Id)
                .limit(limit * MOST)
                .into_tuple()
                .all(db)
                .await?
        }
    };
    let most = usize::try_from(MOST).unwrap_or(usize::MAX);
    let group = |Row { value, count }: Row| {
        let own = members.iter().filter(|(key, _)| *key == value).map(|(_, id)| *id);
        Group { reason, count, customers: own.take(most).collect(), value }
    };
    Ok(rows.into_iter().map(group).collect())
}
