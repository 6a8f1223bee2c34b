//! The root fields.

use entity::catalog::{Record, records};
use serde_json::{Value as Json, json};

use super::{Failed, Naive, merged};
use crate::reading::ask::{Field, Set};
use crate::reading::rows::{Cell, shown_id};

impl Naive<'_> {
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
}
