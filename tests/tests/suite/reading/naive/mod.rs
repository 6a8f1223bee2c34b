//! What a request has to answer, worked out row by row from everything in memory.
//!
//! Invariant: nothing here goes through the code that plans, compiles or writes; only the declarations
//! are shared.

mod access;
mod filter;
mod list;
mod root;

use chrono::NaiveDate;
use entity::access::Viewer;
use entity::catalog::{Batch, Field as Declared, Record, Shape, records};
use entity::money::{Currency, Money};
use serde_json::{Map, Value as Json, json};

use super::ask::{Field, Item, Set, What};
use super::rows::{Cell, Row, Rows, shown};

/// What stands for a cursor, which only the server knows.
pub const CURSOR: &str = "<cursor>";

/// A field that has failed, so that what is around it is null.
pub struct Failed;

/// Answers one request.
pub struct Naive<'a> {
    pub rows: &'a Rows,
    pub viewer: &'a Viewer,
    /// Where something fails that is asked for, and its code. What is around may make up for it.
    pub errors: Vec<(Vec<Json>, &'static str)>,
    path: Vec<Json>,
}

type Fields<'s> = Vec<(&'s str, Vec<&'s Field>)>;

fn collect<'s>(set: impl IntoIterator<Item = &'s Item>, on: &str, fields: &mut Fields<'s>) {
    for item in set.into_iter().filter(|item| item.stands()) {
        match &item.what {
            What::Field(field) => match fields.iter_mut().find(|(key, _)| *key == field.key()) {
                Some((_, all)) => all.push(field),
                None => fields.push((field.key(), vec![field])),
            },
            What::Inline(None, set) => collect(set, on, fields),
            What::Inline(Some(kind), set) | What::Spread(kind, set) => {
                let is_record = records().iter().any(|record| record.name == on);
                if kind == on || (kind == "Node" && is_record) {
                    collect(set, on, fields);
                }
            }
        }
    }
}

fn merged(fields: &[&Field]) -> Set {
    fields.iter().flat_map(|field| field.set.iter().cloned()).collect()
}

impl<'a> Naive<'a> {
    /// Answers what `viewer` asks.
    pub fn new(rows: &'a Rows, viewer: &'a Viewer) -> Self {
        Self { rows, viewer, errors: Vec::new(), path: Vec::new() }
    }

    fn fail<T>(&mut self, code: &'static str) -> Result<T, Failed> {
        self.errors.push((self.path.clone(), code));
        Err(Failed)
    }

    fn object(
        &mut self,
        set: &Set,
        on: &str,
        mut value: impl FnMut(&mut Self, &[&Field]) -> Result<Json, Failed>,
    ) -> Result<Json, Failed> {
        let mut fields = Vec::new();
        collect(set, on, &mut fields);
        let mut object = Map::new();
        let mut failed = false;
        for (key, fields) in fields {
            self.path.push(key.into());
            let found = match fields[0].name.as_str() {
                "__typename" => Ok(on.into()),
                _ => value(self, &fields),
            };
            self.path.pop();
            failed |= found.is_err();
            object.insert(key.to_owned(), found.unwrap_or(Json::Null));
        }
        if failed { Err(Failed) } else { Ok(Json::Object(object)) }
    }

    fn record(&mut self, record: &'static Record, row: &Row, set: &Set) -> Result<Json, Failed> {
        self.object(set, record.name, |naive, fields| {
            let field = record.field(&fields[0].name).expect("a field");
            let found = naive.field(record, row, field, fields);
            match field.nullable {
                true => Ok(found.unwrap_or(Json::Null)),
                false => found,
            }
        })
    }

    fn field(
        &mut self,
        record: &'static Record,
        row: &Row,
        field: &'static Declared,
        asked: &[&Field],
    ) -> Result<Json, Failed> {
        if field.guard.is_some_and(|needed| !self.reaches(record, row, needed, false)) {
            return self.fail("FORBIDDEN");
        }
        let rows = self.rows;
        match &field.shape {
            Shape::Scalar { column, scalar } => Ok(shown(scalar, &rows.cell(record, row, column))),
            Shape::Money { amount, currency } => match rows.money(record, row, amount, currency) {
                Some(money) => self.money(money, &merged(asked)),
                None => Ok(Json::Null),
            },
            Shape::One { column, target } => {
                let target = target();
                let mut all = rows.of(target.table).iter();
                match all
                    .find(|other| other["id"] == row[column])
                    .filter(|found| self.sees_row(target, found))
                {
                    Some(found) => self.record(target, found, &merged(asked)),
                    None => Ok(Json::Null),
                }
            }
            Shape::Single { column, target, only } => {
                let found = rows.referring(*target, column, &row["id"]);
                let mut found = found.into_iter();
                let found = found.find(|row| row[only.0] == Cell::Text(only.1.to_owned()));
                match found.filter(|found| self.sees_row(target(), found)) {
                    Some(found) => self.record(target(), found, &merged(asked)),
                    None => Ok(Json::Null),
                }
            }
            Shape::List { column, target, order, .. } => {
                let mut found = rows.referring(*target, column, &row["id"]);
                found.retain(|row| self.sees_row(target(), row));
                found.sort_by(|a, b| a[order].partial_cmp(&b[order]).expect("an order"));
                self.list(&found, |naive, row| naive.record(target(), row, &merged(asked)))
            }
            Shape::Many { column, target } => {
                let found = rows.referring(*target, column, &row["id"]);
                self.connection(target(), found, asked)
            }
            Shape::Timeline(_) => panic!("{} is not known here", field.name),
            Shape::Batch(batch) => self.batch(row, batch, asked),
            Shape::Custom { .. } => Ok(json!([])),
            Shape::Reach(needed) => {
                let is_deleted = record.deleted.is_some_and(|column| row[column] != Cell::Nothing);
                Ok(json!(!is_deleted && self.reaches(record, row, *needed, true)))
            }
            Shape::Search => Ok(Json::Null),
        }
    }

    fn list<T>(
        &mut self,
        items: &[T],
        mut one: impl FnMut(&mut Self, &T) -> Result<Json, Failed>,
    ) -> Result<Json, Failed> {
        let mut list = Vec::new();
        for (index, item) in items.iter().enumerate() {
            self.path.push(index.into());
            let found = one(self, item);
            self.path.pop();
            list.push(found);
        }
        list.into_iter().collect()
    }

    fn money(&mut self, money: Money, set: &Set) -> Result<Json, Failed> {
        self.object(set, "Money", |_, fields| {
            Ok(match fields[0].name.as_str() {
                "amount" => money.to_decimal().to_string().into(),
                _ => money.currency.code().into(),
            })
        })
    }

    fn batch(&mut self, row: &Row, batch: &Batch, asked: &[&Field]) -> Result<Json, Failed> {
        let as_of = asked[0].argument("asOf");
        let as_of = as_of.as_str().map(|day| day.parse::<NaiveDate>().expect("a day"));
        let balances = self.rows.balances(&row["id"], as_of);
        if batch.ty.starts_with('[') {
            let set = merged(asked);
            return self.list(&balances, |naive, money| naive.money(*money, &set));
        }
        let code = asked[0].argument("currency");
        let Cell::Text(own) = &row["currency"] else { panic!("a customer has a currency") };
        let currency: Currency = code.as_str().unwrap_or(own).parse().expect("a currency");
        let mut balances = balances.into_iter();
        let money = balances.find(|money| money.currency == currency);
        self.money(money.unwrap_or(Money::new(0, currency)), &merged(asked))
    }
}
