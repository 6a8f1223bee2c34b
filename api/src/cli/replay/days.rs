//! What the file says of each day.

use std::collections::BTreeMap;

use chrono::{Days as Span, NaiveDate};
use entity::finance::import::Row;

/// The file, by day.
pub struct Days {
    /// All rows, in the file's order.
    pub rows: Vec<Row>,
    first: NaiveDate,
    last: NaiveDate,
    issued: BTreeMap<NaiveDate, Vec<usize>>,
    due: BTreeMap<NaiveDate, Vec<usize>>,
    settled: BTreeMap<NaiveDate, Vec<usize>>,
}

impl Days {
    /// The rows from the first day to the last one that are asked for; nothing where there are none.
    pub fn of(rows: Vec<Row>, from: Option<NaiveDate>, until: Option<NaiveDate>) -> Option<Self> {
        let first = rows.iter().map(|row| row.issued_on).min()?;
        let ends = rows.iter().flat_map(|row| [Some(row.due_on), row.settled_on]).flatten();
        let last = ends.max()?.checked_add_days(Span::new(31))?;
        let mut days = Self {
            first: from.map_or(first, |from| from.min(first)),
            last: until.unwrap_or(last),
            issued: BTreeMap::new(),
            due: BTreeMap::new(),
            settled: BTreeMap::new(),
            rows,
        };
        for (index, row) in days.rows.iter().enumerate() {
            days.issued.entry(row.issued_on).or_default().push(index);
            if is_disputed(row) {
                days.due.entry(row.due_on).or_default().push(index);
            }
            if let Some(day) = row.settled_on {
                days.settled.entry(day).or_default().push(index);
            }
        }
        Some(days)
    }

    /// The first day.
    pub fn first(&self) -> NaiveDate {
        self.first
    }

    /// Whether a day is over by the end.
    pub fn has(&self, day: NaiveDate) -> bool {
        day <= self.last
    }

    /// How many days there are.
    pub fn count(&self) -> u64 {
        u64::try_from((self.last - self.first).num_days() + 1).unwrap_or_default()
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = NaiveDate> + use<> {
        let last = self.last;
        self.first.iter_days().take_while(move |day| *day <= last)
    }

    /// The rows whose invoices are issued on a day.
    pub fn issued(&self, day: NaiveDate) -> &[usize] {
        self.issued.get(&day).map_or(&[], Vec::as_slice)
    }

    /// The rows that are disputed from a day on.
    pub fn disputed(&self, day: NaiveDate) -> &[usize] {
        self.due.get(&day).map_or(&[], Vec::as_slice)
    }

    /// The rows that are settled on a day.
    pub fn settled(&self, day: NaiveDate) -> &[usize] {
        self.settled.get(&day).map_or(&[], Vec::as_slice)
    }

    /// What the file says is owed at the end of a day, in minor units.
    pub fn owed(&self, day: NaiveDate) -> i64 {
        let open = self.rows.iter().filter(|row| row.issued_on <= day);
        let open = open.filter(|row| row.settled_on.is_none_or(|settled| settled > day));
        open.map(|row| row.total).sum()
    }
}

/// Whether a row is disputed from the day on which it is due: what was settled by then never was.
pub fn is_disputed(row: &Row) -> bool {
    row.disputed == Some(true) && row.settled_on.is_none_or(|settled| settled > row.due_on)
}
