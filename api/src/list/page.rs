//! Pages of a list, by keyset.

use async_graphql::{Context, Enum, SimpleObject};
use sea_orm::sea_query::{Expr, ExprTrait, NullOrdering, Order};
use sea_orm::{
    Condition, EntityTrait, FromQueryResult, IdenStatic, ModelTrait, PaginatorTrait, QueryFilter,
    QueryOrder, QuerySelect, Select, Value,
};
use uuid::Uuid;

use super::cursor::Cursor;
use crate::context::Ask;
use crate::error::Fault;

/// The default and the most that a page holds.
const DEFAULT: usize = 25;
/// See [`DEFAULT`].
const MOST: usize = 100;

/// In which direction a list is ordered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "OrderDirection")]
pub enum Direction {
    /// Smallest, first or oldest first.
    Asc,
    /// Largest, last or newest first.
    Desc,
}

/// Where records without a value stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum NullsOrder {
    /// Before all others.
    First,
    /// After all others.
    Last,
}

/// An order of a list; made by `list!`.
pub trait Listed: Copy + Send + Sync {
    /// What is listed.
    type Entity: EntityTrait;
    /// What it is filtered by.
    type Filter: Send + Sync;
    /// The record as the API shows it.
    type Node: From<<Self::Entity as EntityTrait>::Model>;
    /// A page of them as the API shows it.
    type Connection: From<Page<Self::Node>>;

    /// What a filter means in SQL.
    fn condition_of(filter: &Self::Filter) -> Condition;
    /// The column that tells any two rows apart.
    fn id() -> <Self::Entity as EntityTrait>::Column;
    /// The column to order by.
    fn column(&self) -> <Self::Entity as EntityTrait>::Column;
    /// In which direction.
    fn direction(&self) -> Direction;
    /// Where records without a value stand.
    fn nulls(&self) -> NullsOrder;
}

/// Which page of a list.
#[derive(Clone, Debug, Default)]
pub struct PageArgs {
    /// The first so many.
    pub first: Option<i32>,
    /// After this cursor.
    pub after: Option<String>,
    /// The last so many.
    pub last: Option<i32>,
    /// Before this cursor.
    pub before: Option<String>,
}

impl PageArgs {
    /// How many rows, and whether from the end.
    fn size(&self) -> Result<(usize, bool), Fault> {
        let (size, backwards) = match (self.first, self.last) {
            (Some(_), Some(_)) => {
                return Err(Fault::bad_request("give `first` or `last`, not both"));
            }
            (None, Some(last)) => (last, true),
            (Some(first), None) => (first, false),
            (None, None) => return Ok((DEFAULT, self.before.is_some())),
        };
        match usize::try_from(size) {
            Ok(size @ 0..=MOST) => Ok((size, backwards)),
            _ => Err(Fault::bad_request(format!(
                "a page holds 0 to {MOST} records; page on with `after` or `before`"
            ))),
        }
    }
}

/// Where a page lies in its list.
#[derive(Clone, Debug, SimpleObject)]
pub struct PageInfo {
    /// Whether records follow; known when paging forwards, otherwise whether `before` was given.
    pub has_next_page: bool,
    /// Whether records precede; known when paging backwards, otherwise whether `after` was given.
    pub has_previous_page: bool,
    /// The cursor of the page's first record; null on an empty page.
    pub start_cursor: Option<String>,
    /// The cursor of the page's last record; null on an empty page.
    pub end_cursor: Option<String>,
}

/// A page of a list; `list!` makes the connection of it.
pub struct Page<T> {
    /// The records with their cursors.
    pub rows: Vec<(String, T)>,
    /// Where the page lies in the list.
    pub info: PageInfo,
    /// How many records the whole list has, if that was asked for.
    pub total: i32,
}

/// The page of `base` that `args` ask for.
///
/// # Errors
/// Malformed arguments, or the database.
pub async fn page<O>(
    ctx: &Context<'_>,
    base: Select<O::Entity>,
    args: PageArgs,
    filter: Option<O::Filter>,
    orders: Option<Vec<O>>,
) -> Result<O::Connection, Fault>
where
    O: Listed,
    <O::Entity as EntityTrait>::Model: FromQueryResult + Send + Sync,
{
    let orders = orders.unwrap_or_default();
    if orders.len() > 4 {
        return Err(Fault::bad_request("a list is ordered by at most 4 fields"));
    }
    let (size, backwards) = args.size()?;
    let base = match &filter {
        Some(filter) => base.filter(O::condition_of(filter)),
        None => base,
    };
    let wants_total = ctx.look_ahead().field("totalCount").exists();
    let total = if wants_total { base.clone().count(ctx.reader()).await? } else { 0 };
    let name = signature(&orders);
    let mut query = base;
    for (cursor, after) in [(&args.after, true), (&args.before, false)] {
        if let Some(cursor) = cursor {
            query = query.filter(beyond(&orders, &Cursor::decode(cursor, &name)?, after));
        }
    }
    for order in &orders {
        let nulls = match (order.nulls() == NullsOrder::First) != backwards {
            true => NullOrdering::First,
            false => NullOrdering::Last,
        };
        query = query.order_by_with_nulls(order.column(), sql(order.direction(), backwards), nulls);
    }
    let limit = u64::try_from(size + 1).unwrap_or(u64::MAX);
    let mut rows = query
        .order_by(O::id(), sql(last_direction(&orders), backwards))
        .limit(limit)
        .all(ctx.reader())
        .await?;
    let more = rows.len() > size;
    rows.truncate(size);
    if backwards {
        rows.reverse();
    }
    let with_cursor = |row: <O::Entity as EntityTrait>::Model| {
        let keys = orders.iter().map(|order| row.get(order.column())).collect();
        let id = match row.get(O::id()) {
            Value::Uuid(Some(id)) => id,
            _ => Uuid::nil(),
        };
        (Cursor::new(&name, keys, id).encode(), O::Node::from(row))
    };
    let rows: Vec<_> = rows.into_iter().map(with_cursor).collect();
    let info = PageInfo {
        has_next_page: if backwards { args.before.is_some() } else { more },
        has_previous_page: if backwards { more } else { args.after.is_some() },
        start_cursor: rows.first().map(|(cursor, _)| cursor.clone()),
        end_cursor: rows.last().map(|(cursor, _)| cursor.clone()),
    };
    let total = i32::try_from(total).unwrap_or(i32::MAX);
    Ok(Page { rows, info, total }.into())
}

/// What tells two orders apart.
fn signature<O: Listed>(orders: &[O]) -> String {
    let part = |order: &O| {
        let (direction, nulls) = (order.direction(), order.nulls());
        format!("{} {direction:?} {nulls:?}", order.column().as_str())
    };
    orders.iter().map(part).collect::<Vec<_>>().join(", ")
}

/// The id goes the way of the last field, so that “newest first” is so among equals too.
fn last_direction<O: Listed>(orders: &[O]) -> Direction {
    orders.last().map_or(Direction::Asc, Listed::direction)
}

fn sql(direction: Direction, backwards: bool) -> Order {
    if (direction == Direction::Asc) == backwards { Order::Desc } else { Order::Asc }
}

/// The rows that come after (or before) the cursor: `a > x OR (a = x AND b > y) OR …`, with missing
/// values where the order puts them.
fn beyond<O: Listed>(orders: &[O], cursor: &Cursor, after: bool) -> Condition {
    let mut any = Condition::any();
    let mut equal = Condition::all();
    for (order, key) in orders.iter().zip(cursor.keys()) {
        let column = Expr::col((O::Entity::default(), order.column()));
        let upwards = (order.direction() == Direction::Asc) == after;
        let nulls_ahead = (order.nulls() == NullsOrder::Last) == after;
        let further = match &key {
            None if nulls_ahead => None,
            None => Some(column.clone().is_not_null()),
            Some(key) => {
                let past = match upwards {
                    true => column.clone().gt(key.clone()),
                    false => column.clone().lt(key.clone()),
                };
                Some(if nulls_ahead { past.or(column.clone().is_null()) } else { past })
            }
        };
        if let Some(further) = further {
            any = any.add(equal.clone().add(further));
        }
        equal = equal.add(match key {
            None => column.is_null(),
            Some(key) => column.eq(key),
        });
    }
    let id = Expr::col((O::Entity::default(), O::id()));
    let past = match (last_direction(orders) == Direction::Asc) == after {
        true => id.gt(cursor.id),
        false => id.lt(cursor.id),
    };
    any.add(equal.add(past))
}
