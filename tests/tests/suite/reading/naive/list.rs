//! Pages of lists: which rows they hold, in which order.

use std::cmp::Ordering;

use entity::catalog::{Field as Declared, Record, screaming};
use serde_json::Value as Json;

use super::{CURSOR, Failed, Naive, merged};
use crate::reading::ask::Field;
use crate::reading::rows::{Cell, Row};

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
    pub(super) fn connection(
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
}
