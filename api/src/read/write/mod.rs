//! Writing an answer's JSON straight from the rows.
//!
//! Invariant: keys come in the order in which they are asked for, and a field that fails is null, or
//! takes the nearest nullable field around it with it, as the GraphQL specification says (6.4.4).

mod connection;

use async_graphql::{Name, PathSegment, Pos, ServerError};
use chrono::{DateTime, Utc};
use entity::catalog::{Datum, read_id, read_money, write_amount, write_cell, write_text};
use entity::money::Money;
use sea_orm::QueryResult;

use super::load::{Child, Level};
use super::plan::{Part, Rows, Selected, What};
use crate::error::Fault;

/// A field has failed; its error is noted.
#[derive(Debug)]
pub(in crate::read) struct Failed;

/// What could be written: whether there is a value.
type Written = Result<bool, Failed>;

/// Writes one answer.
pub(in crate::read) struct Writer {
    /// The JSON so far.
    pub out: Vec<u8>,
    /// What failed. The paths are put together on the way back, innermost step first: most answers are
    /// right, and pay nothing for them.
    pub errors: Vec<ServerError>,
}

impl Writer {
    /// A writer with nothing written.
    pub fn new() -> Self {
        Self { out: Vec::with_capacity(2048), errors: Vec::new() }
    }

    fn fail(&mut self, mut error: ServerError, pos: Pos) -> Failed {
        error.locations = vec![pos];
        error.path.clear();
        self.errors.push(error);
        Failed
    }

    /// Writes what is one step further in.
    fn step<T>(
        &mut self,
        step: impl FnOnce() -> PathSegment,
        inner: impl FnOnce(&mut Self) -> Result<T, Failed>,
    ) -> Result<T, Failed> {
        let before = self.errors.len();
        let written = inner(self);
        if self.errors.len() > before {
            let step = step();
            for error in &mut self.errors[before..] {
                error.path.push(step.clone());
            }
        }
        written
    }

    fn broken(&mut self, cause: &impl std::fmt::Display, pos: Pos) -> Failed {
        self.fail(ServerError::new(cause.to_string(), None), pos)
    }

    fn forbidden(&mut self, pos: Pos) -> Failed {
        let error = async_graphql::Error::from(Fault::forbidden());
        self.fail(error.into_server_error(pos), pos)
    }

    /// JSON as it is.
    pub(in crate::read) fn put(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn key(&mut self, key: &str, first: bool) {
        self.put(if first { "{\"" } else { ",\"" });
        self.put(key);
        self.put("\":");
    }

    /// A JSON string.
    pub(in crate::read) fn text(&mut self, text: &str) {
        write_text(text, &mut self.out);
    }

    /// An object of plain parts.
    pub(in crate::read) fn object<T>(
        &mut self,
        parts: &[(&Name, T)],
        mut part: impl FnMut(&mut Self, &T) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        for (position, (key, one)) in parts.iter().enumerate() {
            self.key(key, position == 0);
            self.step(|| PathSegment::Field(key.to_string()), |writer| part(writer, one))?;
        }
        self.put(if parts.is_empty() { "{}" } else { "}" });
        Ok(())
    }

    /// A list of `items`.
    pub(in crate::read) fn list<T>(
        &mut self,
        items: impl IntoIterator<Item = T>,
        mut item: impl FnMut(&mut Self, T) -> Result<(), Failed>,
    ) -> Result<(), Failed> {
        self.out.push(b'[');
        for (position, one) in items.into_iter().enumerate() {
            if position > 0 {
                self.out.push(b',');
            }
            self.step(|| PathSegment::Index(position), |writer| item(writer, one))?;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Records of several kinds; null where there is none, or where it cannot be written.
    pub fn nodes<'p>(
        &mut self,
        found: impl Iterator<Item = Option<(&'p Rows<'p>, &'p Level, usize)>>,
    ) -> Result<(), Failed> {
        self.list(found, |writer, found| {
            let start = writer.out.len();
            let written = found.map(|(plan, level, row)| writer.row(plan, 0, level, row));
            if !matches!(written, Some(Ok(()))) {
                writer.out.truncate(start);
                writer.put("null");
            }
            Ok(())
        })
    }

    /// What a selection makes of a row.
    pub fn row(
        &mut self,
        plan: &Rows<'_>,
        selection: usize,
        level: &Level,
        row: usize,
    ) -> Result<(), Failed> {
        let fields = &plan.selections[selection];
        let children = level.children.get(selection);
        for (position, field) in fields.iter().enumerate() {
            self.key(field.key, position == 0);
            let child = children.and_then(|children| children.get(position));
            let child = child.unwrap_or(&Child::Cells);
            self.step(
                || PathSegment::Field(field.key.to_string()),
                |writer| writer.field(plan, field, level, row, child),
            )?;
        }
        self.put(if fields.is_empty() { "{}" } else { "}" });
        Ok(())
    }

    fn field(
        &mut self,
        plan: &Rows<'_>,
        field: &Selected<'_>,
        level: &Level,
        row: usize,
        child: &Child,
    ) -> Result<(), Failed> {
        let start = self.out.len();
        match self.value(plan, field, &level.rows[row], row, child) {
            Ok(true) => Ok(()),
            Ok(false) | Err(Failed) if field.nullable => {
                self.out.truncate(start);
                self.put("null");
                Ok(())
            }
            Ok(false) => {
                let cause = format!("{} is null", field.key);
                Err(self.broken(&cause, field.ask.pos))
            }
            Err(Failed) => Err(Failed),
        }
    }

    fn value(
        &mut self,
        plan: &Rows<'_>,
        field: &Selected<'_>,
        row: &QueryResult,
        position: usize,
        child: &Child,
    ) -> Written {
        let pos = field.ask.pos;
        match (&field.what, child) {
            (_, Child::Within(reached, child)) => {
                let key = read_id(row, 0).map_err(|cause| self.broken(&cause, pos))?;
                match key.is_some_and(|key| reached.contains(&key)) {
                    true => self.value(plan, field, row, position, child),
                    false => Err(self.forbidden(pos)),
                }
            }
            (What::Typename, _) => {
                self.text(plan.record.name);
                Ok(true)
            }
            (What::Forbidden, _) => Err(self.forbidden(pos)),
            (What::Scalar(cell, scalar), _) => {
                let written = write_cell(row, *cell, scalar, &mut self.out);
                written.map_err(|cause| self.broken(&cause, pos))
            }
            (What::Truth(truth), _) => {
                self.truth(*truth);
                Ok(true)
            }
            (What::Kept(cell), _) => {
                let since = row.try_get_by_index::<Option<DateTime<Utc>>>(*cell);
                let since = since.map_err(|cause| self.broken(&cause, pos))?;
                self.truth(since.is_none());
                Ok(true)
            }
            (What::Reach(_), Child::Reach(reached)) => {
                let key = read_id(row, 0).map_err(|cause| self.broken(&cause, pos))?;
                self.truth(key.is_some_and(|key| reached.contains(&key)));
                Ok(true)
            }
            (What::Money(cells, parts), _) => match read_money(row, *cells) {
                Ok(Some(amount)) => self.money(amount, parts).map(|()| true),
                Ok(None) => Ok(false),
                Err(cause) => Err(self.broken(&cause, pos)),
            },
            (What::One(cell, inner), Child::One(level, at)) => {
                let key = read_id(row, *cell).map_err(|cause| self.broken(&cause, pos))?;
                match key.and_then(|key| at.get(&key)) {
                    Some(found) => self.row(inner, 0, level, *found).map(|()| true),
                    None => Ok(false),
                }
            }
            (What::Single(_, _, inner), Child::One(level, at)) => {
                let key = read_id(row, 0).map_err(|cause| self.broken(&cause, pos))?;
                match key.and_then(|key| at.get(&key)) {
                    Some(found) => self.row(inner, 0, level, *found).map(|()| true),
                    None => Ok(false),
                }
            }
            (What::List(_, _, inner), Child::List(level, at)) => {
                let key = read_id(row, 0).map_err(|cause| self.broken(&cause, pos))?;
                let found = key.and_then(|key| at.get(&key)).cloned().unwrap_or_default();
                self.list(found.rows, |writer, index| writer.row(inner, 0, level, index))?;
                Ok(true)
            }
            (What::Many(_, connection), Child::Many(level, pages)) => {
                let key = read_id(row, 0).map_err(|cause| self.broken(&cause, pos))?;
                let found = key.and_then(|key| pages.get(&key)).cloned().unwrap_or_default();
                self.connection(connection, level, &found, pos).map(|()| true)
            }
            (What::Custom(cell, plan), Child::One(level, at)) => {
                self.custom(plan, (row, *cell), (level, at)).map(|()| true)
            }
            (What::Timeline(asked), Child::Timeline(items)) => {
                let key = read_id(row, 0).map_err(|cause| self.broken(&cause, pos))?;
                self.timeline(asked, items, key.unwrap_or_default()).map(|()| true)
            }
            (What::Batch(_, _, parts), Child::Batch(data)) => match data.get(position) {
                Some(Datum::Money(amount)) => self.money(*amount, parts).map(|()| true),
                Some(Datum::Amounts(amounts)) => {
                    self.list(amounts, |writer, amount| writer.money(*amount, parts))?;
                    Ok(true)
                }
                Some(Datum::Json(value)) => {
                    self.put(&value.to_string());
                    Ok(true)
                }
                Some(Datum::Null | Datum::Notice(_)) | None => Ok(false),
            },
            _ => Err(self.broken(&"what belongs to the row was not loaded", pos)),
        }
    }

    fn truth(&mut self, truth: bool) {
        self.put(if truth { "true" } else { "false" });
    }

    /// An amount.
    pub(in crate::read) fn money(
        &mut self,
        amount: Money,
        parts: &[(&Name, Part)],
    ) -> Result<(), Failed> {
        self.object(parts, |writer, part| {
            match part {
                Part::Typename => writer.text("Money"),
                Part::Amount => write_amount(amount, &mut writer.out),
                Part::Currency => writer.text(amount.currency.code()),
            }
            Ok(())
        })
    }
}
