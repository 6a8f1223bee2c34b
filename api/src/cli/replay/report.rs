//! What came of it: a row for each notice, and a summary that says whether all was right.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::path::Path;
use std::time::{Duration, Instant};

use chrono::{Days as Span, NaiveDate, TimeDelta};
use entity::automation::message::{self, State};
use entity::finance::ageing::Aged;
use entity::finance::dunning::{Ladder, notice};
use entity::finance::import::Row;
use entity::money::{Currency, Money};
use sea_orm::ActiveEnum;

use super::Failure;
use super::days::{Days, is_disputed};

/// How many things that are wrong are named.
const NAMED: usize = 20;

/// A notice.
pub struct Notice {
    /// The notice.
    pub row: notice::Model,
    /// What it went with; none for a call.
    pub message: Option<message::Model>,
    /// Whom it asked.
    pub customer: String,
    /// The numbers of the invoices that reached a level with it, and which.
    pub items: Vec<(String, i32)>,
}

/// A day in the chart.
pub struct Point {
    /// The day.
    pub day: NaiveDate,
    /// What was open in each bucket, in minor units.
    pub buckets: Vec<i64>,
    /// How many notices went out.
    pub sent: u64,
}

/// What came of all.
pub struct Summary {
    begun: Instant,
    took: Duration,
    /// Every day.
    pub points: Vec<Point>,
    /// The currency of the amounts.
    pub currency: Option<Currency>,
    bad_rows: usize,
    rows: usize,
    customers: usize,
    states: BTreeMap<String, u64>,
    levels: BTreeMap<i32, u64>,
    asked: i64,
    compared: u64,
    wrong: Vec<String>,
}

impl Summary {
    /// Of nothing yet.
    pub fn new(bad_rows: usize) -> Self {
        Self {
            begun: Instant::now(),
            took: Duration::ZERO,
            points: Vec::new(),
            currency: None,
            bad_rows,
            rows: 0,
            customers: 0,
            states: BTreeMap::new(),
            levels: BTreeMap::new(),
            asked: 0,
            compared: 0,
            wrong: Vec::new(),
        }
    }

    /// Takes in what the books say is open at the end of a day, by age, and compares it with the file.
    pub fn note(&mut self, days: &Days, day: NaiveDate, aged: &[Aged]) {
        let balance: i64 = aged.iter().map(Aged::balance).sum();
        let owed = days.owed(day);
        self.compared += 1;
        if balance != owed {
            self.wrong.push(format!("{day}: the books say {balance}, the file {owed}"));
        }
        self.currency = self.currency.or(aged.first().map(|aged| aged.currency));
        let mut buckets = Vec::new();
        for aged in aged {
            buckets.resize(aged.buckets.len(), 0);
            for (sum, amount) in buckets.iter_mut().zip(&aged.buckets) {
                *sum += amount;
            }
        }
        self.points.push(Point { day, buckets, sent: 0 });
    }

    /// Compares all notices with what the file says of their invoices, and the invoices with the ladder.
    pub fn judge(&mut self, days: &Days, ladder: &Ladder, notices: &[Notice]) {
        let rows: HashMap<&str, &Row> =
            days.rows.iter().map(|row| (row.number.as_str(), row)).collect();
        self.rows = days.rows.len();
        self.customers =
            days.rows.iter().map(|row| &row.customer.number).collect::<HashSet<_>>().len();
        let mut reached = HashMap::<(&str, i32), NaiveDate>::new();
        let mut sent = HashMap::<NaiveDate, u64>::new();
        for notice in notices {
            let message = notice.message.as_ref();
            if let Some(at) = message.and_then(|message| message.transmitted_at) {
                *sent.entry(at.date_naive()).or_default() += 1;
            }
            let state = notice.message.as_ref().map_or_else(
                || "CALL".to_owned(),
                |message| match message.reason {
                    Some(reason) => format!("{} {}", message.state.to_value(), reason.to_value()),
                    None => message.state.to_value(),
                },
            );
            *self.states.entry(state).or_default() += 1;
            let day = notice.row.created_at.date_naive();
            let left =
                notice.message.as_ref().is_none_or(|message| message.state == State::Accepted);
            if left {
                *self.levels.entry(notice.row.level).or_default() += 1;
                self.asked += notice.row.total.unwrap_or_default();
            }
            for (number, level) in &notice.items {
                let Some(row) = rows.get(number.as_str()) else { continue };
                self.compared += 1;
                if reached.insert((row.number.as_str(), *level), day).is_some() {
                    self.wrong.push(format!("{number} has reached level {level} twice"));
                }
                let is_paid = row.settled_on.is_some_and(|settled| settled <= day);
                if left && is_paid {
                    self.wrong.push(format!("{number} was asked for on {day}, and was paid"));
                }
                if left && is_disputed(row) && day >= row.due_on && !is_paid {
                    self.wrong.push(format!("{number} was asked for on {day}, and was disputed"));
                }
            }
        }
        for point in &mut self.points {
            point.sent = sent.get(&point.day).copied().unwrap_or_default();
        }
        for row in &days.rows {
            for (level, day) in expected(row, ladder) {
                self.compared += 1;
                if days.has(day) && reached.get(&(row.number.as_str(), level)) != Some(&day) {
                    self.wrong
                        .push(format!("{} has not reached level {level} on {day}", row.number));
                }
            }
        }
        let foreseen = |number: &str, level: i32| {
            rows.get(number).is_some_and(|row| {
                expected(row, ladder)
                    .contains(&(level, *reached.get(&(number, level)).unwrap_or(&row.due_on)))
            })
        };
        let beyond = reached.keys().filter(|(number, level)| !foreseen(number, *level));
        let beyond: BTreeSet<_> = beyond.copied().collect();
        let beyond = beyond
            .into_iter()
            .map(|(number, level)| format!("{number} should not have reached level {level}"));
        self.wrong.extend(beyond);
        self.took = self.begun.elapsed();
    }

    /// Whether nothing was wrong.
    pub fn is_right(&self) -> bool {
        self.wrong.is_empty()
    }
}

/// Which levels a row should reach, and when: by its due date alone, as long as it is neither paid nor disputed that
/// morning.
fn expected(row: &Row, ladder: &Ladder) -> Vec<(i32, NaiveDate)> {
    let mut before: Option<NaiveDate> = None;
    let levels = (1..).zip(&ladder.levels).filter_map(|(number, level)| {
        let planned = row.due_on.checked_add_signed(TimeDelta::days(level.days.into()))?;
        // One that was issued later than the level comes has it on its first morning, unless it is late by then.
        let free =
            before.and_then(|day| day.checked_add_days(Span::new(ladder.between_days.into())));
        let day = planned.max(row.issued_on).max(free.unwrap_or(planned));
        if level.days <= 0 && day > row.due_on {
            return None;
        }
        let open = row.settled_on.is_none_or(|settled| settled > day);
        let disputed = is_disputed(row) && day >= row.due_on;
        (open && !disputed).then(|| {
            before = Some(day);
            (number, day)
        })
    });
    levels.collect()
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let money = |minor| {
            self.currency
                .map_or_else(|| "-".to_owned(), |currency| Money::new(minor, currency).to_string())
        };
        let most = self.points.iter().map(|point| point.buckets.iter().sum::<i64>()).max();
        writeln!(
            f,
            "{} invoices of {} customers, {} days in {:.1} s",
            self.rows,
            self.customers,
            self.points.len(),
            self.took.as_secs_f64()
        )?;
        if self.bad_rows > 0 {
            writeln!(f, "{} rows could not be read", self.bad_rows)?;
        }
        writeln!(f, "open at most: {}", money(most.unwrap_or_default()))?;
        for (level, notices) in &self.levels {
            writeln!(f, "level {level}: {notices} notices")?;
        }
        writeln!(f, "asked for, each time: {}", money(self.asked))?;
        for (state, notices) in &self.states {
            writeln!(f, "{state}: {notices}")?;
        }
        for wrong in self.wrong.iter().take(NAMED) {
            writeln!(f, "WRONG: {wrong}")?;
        }
        match self.wrong.len() {
            0 => write!(f, "all right: {} comparisons", self.compared),
            wrong => write!(f, "{wrong} of {} comparisons are wrong", self.compared),
        }
    }
}

/// Writes a row for each notice.
pub fn write(path: &Path, notices: &[Notice]) -> Result<(), Failure> {
    let mut table = csv::Writer::from_path(path)?;
    table.write_record([
        "planned_on",
        "customer",
        "level",
        "channel",
        "currency",
        "total",
        "invoices",
        "state",
        "reason",
        "sent_at",
        "reached",
    ])?;
    for notice in notices {
        let Notice { row, message, customer, items } = notice;
        let total = row.total.map(|minor| Money::new(minor, row.currency).to_decimal().to_string());
        let reached = items.iter().map(|(number, level)| format!("{number}:{level}"));
        let state = message.as_ref().map(|message| message.state.to_value());
        let reason = message.as_ref().and_then(|message| message.reason);
        let sent = message.as_ref().and_then(|message| message.transmitted_at);
        table.write_record([
            row.created_at.date_naive().to_string(),
            customer.clone(),
            row.level.to_string(),
            row.channel.to_value(),
            row.currency.to_string(),
            total.unwrap_or_default(),
            row.invoices.map(|count| count.to_string()).unwrap_or_default(),
            state.unwrap_or_default(),
            reason.map(|reason| reason.to_value()).unwrap_or_default(),
            sent.map(|at| at.to_rfc3339()).unwrap_or_default(),
            reached.collect::<Vec<_>>().join(" "),
        ])?;
    }
    table.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;
    use entity::automation::workflow::definition::Zone;
    use entity::customers::customer::Channel;
    use entity::finance::dunning::ladder::{Level, Scope};
    use entity::finance::import;
    use entity::id::{CustomerId, DunningNoticeId, Id, WorkflowId};

    use super::*;

    fn ladder() -> Ladder {
        let level = |days| Level {
            enclose: Vec::new(),
            days,
            minimum: Vec::new(),
            notices: Vec::new(),
            call: None,
            fee: Vec::new(),
            waived_days: 0,
            interest: None,
            approval: false,
        };
        let (at, zone) = (NaiveTime::MIN, Zone::Organisation);
        let levels = [-3, 5, 15].map(level).into();
        Ladder {
            scope: Scope::Invoice,
            at,
            zone,
            between_days: 7,
            own_only: false,
            minimum: Vec::new(),
            levels,
        }
    }

    fn days() -> Days {
        let file = "customer,invoice,date,due,amount,disputed,settled\n\
                    A,1,2026-01-02,2026-02-01,10,No,2026-02-20\n\
                    A,2,2026-01-02,2026-02-01,10,Yes,2026-03-20\n\
                    B,3,2026-01-30,2026-02-01,10,No,2026-02-06\n";
        let options = import::Options {
            mapping: [
                "customer=customer.number",
                "invoice=invoice.number",
                "date=issued_on",
                "due=due_on",
                "settled=settled_on",
            ]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect(),
            ..import::Options::default()
        };
        let (rows, bad) = import::rows(std::io::Cursor::new(file), &options).unwrap();
        assert_eq!((rows.len(), bad), (3, 0));
        Days::of(rows, None, None).unwrap()
    }

    /// Everything that should have come.
    fn right() -> Vec<(&'static str, &'static str, i32)> {
        vec![
            ("2026-01-29", "1", 1),
            ("2026-02-06", "1", 2),
            ("2026-02-16", "1", 3),
            ("2026-01-29", "2", 1),
            ("2026-01-30", "3", 1),
        ]
    }

    fn wrong(all: &[(&str, &str, i32)]) -> Vec<String> {
        let now = chrono::DateTime::UNIX_EPOCH;
        let notice = |&(day, number, level): &(&str, &str, i32)| Notice {
            row: notice::Model {
                id: DunningNoticeId::new(now),
                customer_id: CustomerId::new(now),
                workflow_id: WorkflowId::new(now),
                currency: Currency::USD,
                channel: Channel::Phone,
                scope: Scope::Invoice,
                level,
                approval: None,
                approved_at: None,
                approved_by: None,
                total: None,
                charged: None,
                invoices: None,
                first_due_on: None,
                created_at: format!("{day}T09:00:00Z").parse().unwrap(),
                created_by: None,
            },
            message: None,
            customer: String::new(),
            items: vec![(number.to_owned(), level)],
        };
        let mut summary = Summary::new(0);
        summary.judge(&days(), &ladder(), &all.iter().map(notice).collect::<Vec<_>>());
        summary.wrong
    }

    #[test]
    fn what_came_as_it_should_is_right() {
        assert_eq!(wrong(&right()), Vec::<String>::new());
    }

    #[test]
    fn whatever_is_wrong_is_named() {
        let missing = wrong(&right()[..4]);
        assert_eq!(missing, ["3 has not reached level 1 on 2026-01-30"]);
        let with = |one| wrong(&[right(), vec![one]].concat());
        assert_eq!(with(("2026-02-16", "1", 3)), ["1 has reached level 3 twice"]);
        let disputed = with(("2026-02-06", "2", 2));
        assert_eq!(
            disputed,
            [
                "2 was asked for on 2026-02-06, and was disputed",
                "2 should not have reached level 2"
            ]
        );
        let paid = with(("2026-02-06", "3", 2));
        assert_eq!(
            paid,
            ["3 was asked for on 2026-02-06, and was paid", "3 should not have reached level 2"]
        );
    }

    #[test]
    fn books_that_say_something_else_are_named() {
        let (days, mut summary) = (days(), Summary::new(0));
        let seen = |amount| {
            let buckets = vec![amount];
            [Aged { currency: Currency::USD, buckets, overdue: 0, unapplied: 0 }]
        };
        let day = "2026-02-06".parse().unwrap();
        summary.note(&days, day, &seen(2_000));
        assert!(summary.is_right());
        summary.note(&days, day, &seen(3_000));
        assert_eq!(summary.wrong, ["2026-02-06: the books say 3000, the file 2000"]);
    }
}
