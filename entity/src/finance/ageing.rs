//! Ageing: how long that has been due which customers owe, at the end of any day.
//!
//! Invariant: for each customer and currency the buckets and the unapplied cash add up to the ledger's balance.

mod buckets;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, Asterisk, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{Condition, QueryResult};

use super::ledger::{Account, Column};
use super::receivables::{due_on, entries, entry, sum_where, whose};
use crate::access::Viewer;
use crate::catalog::{Cursor, Key, Scalar};
use crate::error::Error;
use crate::id::CustomerId;
use crate::money::Currency;

pub use buckets::{Buckets, Range};

/// The name of the sums of each customer.
const AGED: &str = "aged";

/// What is asked.
pub struct Question<'a> {
    /// Who asks.
    pub viewer: &'a Viewer,
    /// The day at whose end the amounts are taken.
    pub as_of: Date,
    /// By which ages.
    pub buckets: &'a Buckets,
    /// Of which customers, as a filter of theirs; all when absent.
    pub filter: Option<&'a Json>,
    /// In which currency; in all when absent.
    pub currency: Option<Currency>,
}

/// What is owed in one currency, by age, in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aged {
    /// In what.
    pub currency: Currency,
    /// What is owed in each bucket, in their order.
    pub buckets: Vec<i64>,
    /// What is owed that was due before the day.
    pub overdue: i64,
    /// What was received and settles no invoice: negative, as it is owed to the customer.
    pub unapplied: i64,
}

impl Aged {
    /// All together: the balance.
    #[must_use]
    pub fn balance(&self) -> i64 {
        self.buckets.iter().sum::<i64>() + self.unapplied
    }

    fn read(row: &QueryResult, buckets: &Buckets) -> Result<Self, DbErr> {
        let amounts = (0..buckets.ranges().len()).map(|index| row.try_get("", &bucket(index)));
        Ok(Self {
            currency: row.try_get("", "currency")?,
            buckets: amounts.collect::<Result<_, _>>()?,
            overdue: row.try_get("", "overdue")?,
            unapplied: row.try_get("", "unapplied")?,
        })
    }
}

/// What one customer owes in one currency, by age.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgedCustomer {
    /// Who.
    pub customer: CustomerId,
    /// How much.
    pub aged: Aged,
}

/// A page of customers.
#[derive(Clone, Debug)]
pub struct Page {
    /// Each customer and currency in which anything is owed by them or to them.
    pub rows: Vec<AgedCustomer>,
    /// Whether others follow.
    pub has_next: bool,
}

impl Question<'_> {
    /// What is owed in each currency in which anything was ever posted.
    ///
    /// # Errors
    /// [`crate::catalog::CatalogError`] for a filter that cannot be carried out.
    pub async fn totals(&self, db: &impl ConnectionTrait) -> Result<Vec<Aged>, Error> {
        let mut query = self.sums(db).await?;
        query.order_by_expr(entry(Column::Currency), Order::Asc);
        let rows = db.query_all(&query).await?;
        Ok(rows.iter().map(|row| Aged::read(row, self.buckets)).collect::<Result<_, _>>()?)
    }

    /// The `limit` customers behind `after`, with one statement: currency by currency, who owes most that is overdue
    /// first.
    ///
    /// # Errors
    /// [`crate::catalog::CatalogError`] for a filter or a cursor that cannot be carried out.
    pub async fn page(
        &self,
        db: &impl ConnectionTrait,
        limit: u64,
        after: Option<&str>,
    ) -> Result<Page, Error> {
        let mut sums = self.sums(db).await?;
        sums.expr_as(entry(Column::CustomerId), "customer_id")
            .add_group_by([entry(Column::CustomerId)]);
        let names = (0..self.buckets.ranges().len()).map(bucket).chain(["unapplied".to_owned()]);
        let owing = names.map(Alias::new).map(|name| Expr::col((AGED, name)).ne(0_i64));
        let owing = owing.fold(Condition::any(), Condition::add);
        let mut query = Query::select();
        query
            .column(Asterisk)
            .from_subquery(sums, AGED)
            .cond_where(owing)
            .order_by((AGED, "currency"), Order::Asc)
            .order_by((AGED, "overdue"), Order::Desc)
            .order_by((AGED, "customer_id"), Order::Asc)
            .limit(limit + 1);
        if let Some(after) = after {
            query.cond_where(self.behind(after)?);
        }
        let mut found = db.query_all(&query).await?;
        let has_next = found.len() as u64 > limit;
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let row = |row: &QueryResult| {
            let customer = row.try_get("", "customer_id")?;
            Ok(AgedCustomer { customer, aged: Aged::read(row, self.buckets)? })
        };
        let rows = found.iter().map(row).collect::<Result<_, DbErr>>()?;
        Ok(Page { rows, has_next })
    }

    /// The place of a row in the list, from which the next page begins.
    #[must_use]
    pub fn cursor(&self, row: &AgedCustomer) -> String {
        let currency = Key::Text(row.aged.currency.code().to_owned());
        let keys = vec![Some(currency), Some(Key::Number(row.aged.overdue))];
        Cursor { order: self.order(), keys, id: row.customer.0 }.encode()
    }

    /// What amounts are compared by depends on the day.
    fn order(&self) -> String {
        format!("ageing {}", self.as_of)
    }

    fn behind(&self, after: &str) -> Result<Condition, Error> {
        let scalars = [(&Scalar::Currency, false), (&Scalar::Long, false)];
        let cursor = Cursor::decode(after, &self.order(), scalars.into_iter(), "after")?;
        let keys = cursor.keys.into_iter().flatten();
        let keys: Vec<_> = keys.map(|key| Expr::val(Value::from(key))).collect();
        let Ok([currency, overdue]) = <[Expr; 2]>::try_from(keys) else {
            unreachable!("a cursor has as many keys as its order")
        };
        let column = |name: &'static str| Expr::col((AGED, name));
        let customers = column("customer_id").gt(cursor.id);
        let less = column("overdue").lt(overdue.clone());
        let same = Condition::all().add(column("overdue").eq(overdue)).add(customers);
        let within = Condition::all()
            .add(column("currency").eq(currency.clone()))
            .add(Condition::any().add(less).add(same));
        Ok(Condition::any().add(column("currency").gt(currency)).add(within))
    }

    /// The sums of each currency.
    async fn sums(&self, db: &impl ConnectionTrait) -> Result<SelectStatement, Error> {
        let receivable = || entry(Column::Account).eq(Expr::val(Account::Receivable.to_value()));
        let mut query = entries([Account::Receivable, Account::Unapplied], self.as_of);
        query.expr_as(entry(Column::Currency), "currency");
        for (index, range) in self.buckets.ranges().into_iter().enumerate() {
            let due = range.due(&due_on(), self.as_of).add(receivable());
            query.expr_as(sum_where(due), Alias::new(bucket(index)));
        }
        let overdue = Condition::all().add(receivable()).add(due_on().lt(self.as_of));
        let unapplied = Condition::all().add(receivable().not());
        query
            .expr_as(sum_where(overdue), "overdue")
            .expr_as(sum_where(unapplied), "unapplied")
            .add_group_by([entry(Column::Currency)]);
        if let Some(whose) = whose(db, self.viewer, self.filter).await? {
            query.and_where(whose);
        }
        if let Some(currency) = self.currency {
            query.and_where(entry(Column::Currency).eq(currency));
        }
        Ok(query)
    }
}

/// What the sum of a bucket is called.
fn bucket(index: usize) -> String {
    format!("bucket_{index}")
}
