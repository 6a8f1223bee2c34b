//! What a request has to answer, worked out row by row from everything in memory.
//!
//! Invariant: nothing here goes through the code that plans, compiles or writes; only the declarations
//! are shared.

use std::cmp::Ordering;

use chrono::NaiveDate;
use entity::access::{Permission, Scope, Viewer};
use entity::catalog::{
    Batch, Belongs, Field as Declared, Record, Scalar, Shape, records, screaming,
};
use entity::money::{Currency, Money};
use entity::text::fold;
use rust_decimal::Decimal;
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::ask::{Field, Item, Set, What};
use super::rows::{Cell, Row, Rows, shown, shown_id};

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

/// Whether a filter compares since when a record is deleted.
fn says_when(filter: &Json) -> bool {
    match filter {
        Json::Object(entries) => entries.iter().any(|(name, value)| match name.as_str() {
            "deletedAt" => !value.is_null(),
            "and" | "or" | "not" => says_when(value),
            _ => false,
        }),
        Json::Array(filters) => filters.iter().any(says_when),
        _ => false,
    }
}

impl<'a> Naive<'a> {
    /// Answers what `viewer` asks.
    pub fn new(rows: &'a Rows, viewer: &'a Viewer) -> Self {
        Self { rows, viewer, errors: Vec::new(), path: Vec::new() }
    }

    /// Whether the viewer sees any row of a kind.
    fn sees(&self, record: &Record) -> bool {
        record.own.is_some() || record.read.is_none_or(|needed| self.viewer.may(needed))
    }

    /// Whether the viewer sees a row.
    fn sees_row(&self, record: &Record, row: &Row) -> bool {
        if let Belongs::OnlyTo(column, shared) = record.belongs {
            let is_shared = shared.is_some_and(|shared| row[shared] == Cell::Truth(true));
            return row[column] == Cell::Id(self.viewer.user.0) || is_shared;
        }
        let own = |column: &str| row[column] == Cell::Id(self.viewer.user.0);
        record.read.is_none_or(|needed| self.reaches(record, row, needed))
            || record.own.is_some_and(own)
    }

    /// Whether what the viewer may do reaches to a row.
    fn reaches(&self, record: &Record, row: &Row, needed: Permission) -> bool {
        match self.viewer.scope(needed) {
            Scope::All => true,
            Scope::None => false,
            scope => self.is_theirs(record, row, scope),
        }
    }

    fn is_theirs(&self, record: &Record, row: &Row, scope: Scope) -> bool {
        let among = |users: &[Uuid], cell: &Cell| users.iter().any(|user| *cell == Cell::Id(*user));
        let own = self.viewer.whose(Scope::Own);
        match record.belongs {
            Belongs::ToNobody | Belongs::OnlyTo(..) => false,
            Belongs::With(column, target) => {
                let mut others = self.rows.of(target().table).iter();
                let other = others.find(|other| other["id"] == row[column]);
                other.is_some_and(|other| self.is_theirs(target(), other, scope))
            }
            Belongs::To(column) => {
                let mut shares = self.rows.of("share").iter();
                let is_in = |team: &Cell| {
                    let mut members = self.rows.of("team_member").iter();
                    members.any(|one| one["team_id"] == *team && among(own, &one["user_id"]))
                };
                among(self.viewer.whose(scope), &row[column])
                    || shares.any(|share| {
                        share["record_id"] == row["id"]
                            && (among(own, &share["user_id"]) || is_in(&share["team_id"]))
                    })
            }
        }
    }

    fn fail<T>(&mut self, code: &'static str) -> Result<T, Failed> {
        self.errors.push((self.path.clone(), code));
        Err(Failed)
    }

    /// The data of the answer.
    pub fn query(&mut self, set: &Set) -> Json {
        let answer = self.object(set, "Query", |naive, fields| {
            let name = fields[0].name.as_str();
            let listed = records().into_iter().find(|record| record.many == name);
            let named = records().into_iter().find(|record| record.one == name);
            match (listed, named) {
                (Some(record), _) if !naive.sees(record) => naive.fail("FORBIDDEN"),
                (Some(record), _) => {
                    let all = naive.rows.of(record.table).iter().collect();
                    naive.connection(record, all, fields)
                }
                (None, Some(record)) => {
                    let found = match naive.sees(record) {
                        true => naive.by_id(&fields[0].argument("id"), Some(record), fields),
                        false => naive.fail("FORBIDDEN"),
                    };
                    Ok(found.unwrap_or(Json::Null))
                }
                _ if name == "nodes" => {
                    let ids = fields[0].argument("ids");
                    let ids = ids.as_array().cloned().unwrap_or_default();
                    let found = ids.iter().enumerate().map(|(index, id)| {
                        naive.path.push(index.into());
                        let found = naive.by_id(id, None, fields).unwrap_or(Json::Null);
                        naive.path.pop();
                        found
                    });
                    Ok(found.collect())
                }
                _ => {
                    let id = fields[0].argument("id");
                    Ok(naive.by_id(&id, None, fields).unwrap_or(Json::Null))
                }
            }
        });
        answer.unwrap_or(Json::Null)
    }

    fn by_id(
        &mut self,
        id: &Json,
        only: Option<&'static Record>,
        fields: &[&Field],
    ) -> Result<Json, Failed> {
        for record in records() {
            let is_asked = only.is_none_or(|only| only.name == record.name);
            if !is_asked || !self.sees(record) {
                continue;
            }
            for row in self.rows.of(record.table).iter().filter(|row| self.sees_row(record, row)) {
                if let Cell::Id(known) = row["id"]
                    && *id == json!(shown_id(record.prefix, known))
                    && self.sees_row(record, row)
                {
                    return self.record(record, row, &merged(fields));
                }
            }
        }
        Ok(Json::Null)
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
        if field.guard.is_some_and(|needed| !self.reaches(record, row, needed)) {
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

    fn connection(
        &mut self,
        record: &'static Record,
        candidates: Vec<&'a Row>,
        asked: &[&Field],
    ) -> Result<Json, Failed> {
        let field = asked[0];
        let filter = field.argument("filter");
        let mut all: Vec<_> = candidates
            .into_iter()
            .filter(|row| self.sees_row(record, row))
            .filter(|row| {
                let present = |column: &str| row[column] == Cell::Nothing;
                record.deleted.is_none_or(present) || says_when(&filter)
            })
            .filter(|row| self.passes(record, row, &filter))
            .collect();
        let order = field.argument("orderBy");
        all.sort_by(|a, b| self.compare(record, &order, a, b));
        let size =
            |name| field.argument(name).as_u64().map(|size| usize::try_from(size).expect("a size"));
        let (total, last) = (all.len(), size("last"));
        let page = match last {
            Some(last) => &all[total.saturating_sub(last)..],
            None => &all[..total.min(size("first").unwrap_or(25))],
        };
        let more = page.len() < total;
        let place = if page.is_empty() { Json::Null } else { CURSOR.into() };
        let name = record.name;
        self.object(&merged(asked), &format!("{name}Connection"), |naive, fields| {
            let set = merged(fields);
            match fields[0].name.as_str() {
                "totalCount" => Ok(total.into()),
                "nodes" => naive.list(page, |naive, row| naive.record(record, row, &set)),
                "edges" => naive.list(page, |naive, row| {
                    naive.object(&set, &format!("{name}Edge"), |naive, fields| {
                        match fields[0].name.as_str() {
                            "cursor" => Ok(CURSOR.into()),
                            _ => naive.record(record, row, &merged(fields)),
                        }
                    })
                }),
                _ => naive.object(&set, "PageInfo", |_, fields| {
                    Ok(match fields[0].name.as_str() {
                        "hasNextPage" => (more && last.is_none()).into(),
                        "hasPreviousPage" => (more && last.is_some()).into(),
                        _ => place.clone(),
                    })
                }),
            }
        })
    }

    fn compare(&self, record: &Record, order: &Json, a: &Row, b: &Row) -> Ordering {
        let entries = order.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut descending = false;
        for entry in entries {
            let mut fields = record.fields.iter();
            let field = fields.find(|field| screaming(&field.name) == entry["field"]);
            let (column, _) = field.and_then(Declared::column).expect("an ordered field");
            let (a, b) = (self.rows.cell(record, a, column), self.rows.cell(record, b, column));
            descending = entry["direction"] == "DESC";
            let nulls_first = entry["nulls"] == "FIRST";
            let found = match (a == Cell::Nothing, b == Cell::Nothing) {
                (true, true) => Ordering::Equal,
                (true, false) if nulls_first => Ordering::Less,
                (true, false) => Ordering::Greater,
                (false, true) if nulls_first => Ordering::Greater,
                (false, true) => Ordering::Less,
                (false, false) => {
                    let ascending = a.partial_cmp(&b).expect("an order");
                    if descending { ascending.reverse() } else { ascending }
                }
            };
            if found.is_ne() {
                return found;
            }
        }
        let ids = a["id"].partial_cmp(&b["id"]).expect("ids have an order");
        if descending { ids.reverse() } else { ids }
    }

    /// Whether a row passes a filter.
    fn passes(&self, record: &'static Record, row: &Row, filter: &Json) -> bool {
        let Some(entries) = filter.as_object() else { return true };
        entries.iter().all(|(name, given)| {
            let mut each = given.as_array().into_iter().flatten();
            match name.as_str() {
                "and" => each.all(|one| self.passes(record, row, one)),
                "or" => each.any(|one| self.passes(record, row, one)),
                "not" => !self.passes(record, row, given),
                _ => self.holds(record, row, record.field(name).expect("a field"), given),
            }
        })
    }

    fn holds(&self, record: &'static Record, row: &Row, field: &Declared, given: &Json) -> bool {
        match &field.shape {
            Shape::Scalar { column, scalar } => {
                let cell = self.rows.cell(record, row, column);
                let operations = given.as_object().into_iter().flatten();
                operations.into_iter().all(|(name, operand)| compares(scalar, &cell, name, operand))
            }
            Shape::Money { amount, currency } => {
                let Some(money) = self.rows.money(record, row, amount, currency) else {
                    return false;
                };
                let bound = |name: &str| {
                    given[name].as_str().map(|text| text.parse::<Decimal>().expect("a number"))
                };
                given["currency"] == money.currency.code()
                    && bound("gte").is_none_or(|bound| money.to_decimal() >= bound)
                    && bound("lte").is_none_or(|bound| money.to_decimal() <= bound)
            }
            Shape::Search => {
                let Cell::Text(text) = self.rows.cell(record, row, "search_text") else {
                    return false;
                };
                let words = fold(given.as_str().unwrap_or_default());
                words.split(' ').all(|word| text.contains(word))
            }
            Shape::One { column, target } => {
                let mut others = self.rows.of(target().table).iter();
                let other = others.find(|other| other["id"] == row[column]);
                other.is_some_and(|other| {
                    self.sees_row(target(), other) && self.passes(target(), other, given)
                })
            }
            Shape::Many { column, target } | Shape::List { column, target, .. } => {
                let mut others = self.rows.referring(*target, column, &row["id"]);
                others.retain(|other| self.sees_row(target(), other));
                let passes = |other: &&Row, filter: &Json| self.passes(target(), other, filter);
                given.as_object().into_iter().flatten().all(|(quantifier, filter)| {
                    let mut others = others.iter();
                    match quantifier.as_str() {
                        "some" => others.any(|other| passes(other, filter)),
                        "none" => !others.any(|other| passes(other, filter)),
                        _ => others.all(|other| passes(other, filter)),
                    }
                })
            }
            Shape::Single { .. } | Shape::Timeline(_) | Shape::Batch(_) | Shape::Custom { .. } => {
                panic!("{} is not compared", field.name)
            }
        }
    }
}

/// Whether a comparison holds; nothing but `isNull` holds of no value.
fn compares(scalar: &Scalar, cell: &Cell, operator: &str, operand: &Json) -> bool {
    if operator == "isNull" {
        return (*cell == Cell::Nothing) == (*operand == json!(true));
    }
    if *cell == Cell::Nothing {
        return false;
    }
    let is = |operand: &Json| order(scalar, cell, operand) == Some(Ordering::Equal);
    let each = || operand.as_array().into_iter().flatten();
    let text = operand.as_str().unwrap_or_default();
    let found = order(scalar, cell, operand);
    match (operator, cell) {
        ("eq", _) => is(operand),
        ("ne", _) => !is(operand),
        ("in", _) => each().any(is),
        ("notIn", _) => !each().any(is),
        ("contains", Cell::Text(cell)) => cell.contains(text),
        ("startsWith", Cell::Text(cell)) => cell.starts_with(text),
        ("gte", _) => found.is_some_and(Ordering::is_ge),
        ("gt", _) => found.is_some_and(Ordering::is_gt),
        ("lte", _) => found.is_some_and(Ordering::is_le),
        ("lt", _) => found.is_some_and(Ordering::is_lt),
        _ => panic!("{operator} of {cell:?}"),
    }
}

fn order(scalar: &Scalar, cell: &Cell, operand: &Json) -> Option<Ordering> {
    let text = operand.as_str().unwrap_or_default();
    let operand = match cell {
        Cell::Id(_) => return (shown(scalar, cell) == *operand).then_some(Ordering::Equal),
        Cell::Number(number) => {
            let Scalar::Scaled(digits) = scalar else {
                return number.partial_cmp(&operand.as_i64()?);
            };
            return Decimal::new(*number, *digits).partial_cmp(&text.parse().ok()?);
        }
        Cell::Truth(_) => Cell::Truth(operand.as_bool()?),
        Cell::Text(_) => Cell::Text(text.to_owned()),
        Cell::Instant(_) => Cell::Instant(text.parse().ok()?),
        Cell::Day(_) => Cell::Day(text.parse().ok()?),
        Cell::Nothing => return None,
    };
    cell.partial_cmp(&operand)
}
