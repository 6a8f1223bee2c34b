//! What takes place within a span of time.
//!
//! Invariant: an occurrence of a series for which an exception stands takes place as that, or not at all. The number of
//! statements depends on neither users nor appointments.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDateTime;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Alias, ExprTrait, Query};
use sea_orm::{Condition, QueryOrder, QuerySelect};

use super::super::calendar_file;
use super::attendee::{self, Response};
use super::{APART, Column, Entity, Model, State};
use crate::catalog::CatalogError;
use crate::customers::customer;
use crate::error::Error;
use crate::id::{AppointmentId, Id, UserId};

/// How many occurrences of a series there are at most in what is looked at.
const MOST: usize = 2_000;

/// How many appointments are looked at at most.
pub const MOST_ROWS: u64 = 5_000;

/// What takes place at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// Of what.
    pub appointment: AppointmentId,
    /// What that is about.
    pub subject: String,
    /// When it begins, which says which occurrence of a series it is.
    pub starts_at: DateTimeUtc,
    /// When it ends.
    pub ends_at: DateTimeUtc,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// Those of the users in question who take part, unless they do not come.
    pub users: Vec<UserId>,
}

/// A series or a single appointment, and the starts for which others stand.
pub(in crate::collaboration) struct Ahead {
    row: Model,
    taken: HashSet<NaiveDateTime>,
}

impl Ahead {
    /// Whether it takes place at an instant.
    pub fn has(&self, at: DateTimeUtc) -> bool {
        self.row.starting(at).is_some_and(|start| !self.taken.contains(&start))
    }

    /// When it takes place for the first time after an instant.
    pub fn after(&self, at: DateTimeUtc) -> Option<DateTimeUtc> {
        let mut after = at;
        loop {
            let start = self.row.next_start(after)?;
            let (begins, _) = self.row.span(start);
            if !self.taken.contains(&start) {
                return Some(begins);
            }
            after = begins;
        }
    }

    /// When it begins and ends within a span of time.
    fn within(&self, from: DateTimeUtc, until: DateTimeUtc) -> Vec<(DateTimeUtc, DateTimeUtc)> {
        let row = &self.row;
        let starts = match row.recurrence() {
            None => vec![row.start_local],
            Some(series) => {
                let long = row.ends_at - row.starts_at;
                series.between(from.naive_utc() - long - APART, until.naive_utc() + APART, MOST)
            }
        };
        let free = starts.into_iter().filter(|start| !self.taken.contains(start));
        let spans = free.map(|start| row.span(start));
        spans.filter(|(begins, ends)| *begins < until && *ends > from).collect()
    }
}

/// Which appointments there are: planned ones and those that were held, unless they, their series or their customer are
/// deleted.
fn present() -> Condition {
    let series = Alias::new("series");
    let of_series = |column: Column| Expr::col((series.clone(), column));
    let over = Query::select()
        .expr(Expr::val(1))
        .from_as(Entity, series.clone())
        .and_where(of_series(Column::Id).eq(Expr::col((Entity, Column::SeriesId))))
        .and_where(of_series(Column::DeletedAt).is_not_null())
        .take();
    let of_customer = |column| Expr::col((customer::Entity, column));
    let left = Query::select()
        .expr(Expr::val(1))
        .from(customer::Entity)
        .and_where(of_customer(customer::Column::Id).eq(Expr::col((Entity, Column::CustomerId))))
        .and_where(of_customer(customer::Column::DeletedAt).is_not_null())
        .take();
    Condition::all()
        .add(Column::DeletedAt.is_null())
        .add(Column::State.ne(State::Cancelled))
        .add(Expr::exists(over).not())
        .add(Expr::exists(left).not())
}

/// The appointments with the starts for which others stand.
async fn with_taken(db: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Ahead>, DbErr> {
    let series = rows.iter().filter(|row| row.rule.is_some()).map(|row| row.id);
    let series: Vec<_> = series.collect();
    let mut taken: HashMap<AppointmentId, HashSet<NaiveDateTime>> = HashMap::new();
    if !series.is_empty() {
        let exceptions: Vec<(AppointmentId, NaiveDateTime)> = Entity::find()
            .select_only()
            .columns([Column::SeriesId, Column::OriginalLocal])
            .filter(Column::SeriesId.is_in(series))
            .filter(Column::OriginalLocal.is_not_null())
            .into_tuple()
            .all(db)
            .await?;
        for (series, start) in exceptions {
            taken.entry(series).or_default().insert(start);
        }
    }
    let ahead = |row: Model| {
        let taken = taken.remove(&row.id).unwrap_or_default();
        Ahead { row, taken }
    };
    Ok(rows.into_iter().map(ahead).collect())
}

/// Those of the appointments that are still to take place.
///
/// # Errors
/// The database.
pub(in crate::collaboration) async fn ahead(
    txn: &impl ConnectionTrait,
    ids: &[AppointmentId],
) -> Result<HashMap<AppointmentId, Ahead>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::State.eq(State::Planned))
        .filter(present())
        .all(txn)
        .await?;
    let rows = with_taken(txn, rows).await?;
    Ok(rows.into_iter().map(|ahead| (ahead.row.id, ahead)).collect())
}

/// What takes place with one of the `users` from `from` until before `until`, of the appointments that meet a condition;
/// in the order in which it begins.
///
/// # Errors
/// `Invalid` when that is too much, the database.
pub async fn of_users(
    db: &impl ConnectionTrait,
    users: &[UserId],
    which: Condition,
    (from, until): (DateTimeUtc, DateTimeUtc),
) -> Result<Vec<Occurrence>, Error> {
    let comes = comes(users);
    let rows = rows(db, comes.clone(), which, (from, until)).await?;
    let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
    let mut who: HashMap<AppointmentId, Vec<UserId>> = HashMap::new();
    if !ids.is_empty() {
        let rows: Vec<(AppointmentId, UserId)> = attendee::Entity::find()
            .select_only()
            .columns([attendee::Column::AppointmentId, attendee::Column::UserId])
            .filter(attendee::Column::AppointmentId.is_in(ids))
            .filter(comes)
            .order_by_asc(attendee::Column::Id)
            .into_tuple()
            .all(db)
            .await?;
        for (appointment, user) in rows {
            who.entry(appointment).or_default().push(user);
        }
    }
    let mut found = Vec::new();
    for ahead in with_taken(db, rows).await? {
        let row = &ahead.row;
        let users = who.remove(&row.id).unwrap_or_default();
        found.extend(ahead.within(from, until).into_iter().map(|(starts_at, ends_at)| {
            Occurrence {
                appointment: row.id,
                subject: row.subject.clone(),
                starts_at,
                ends_at,
                all_day: row.all_day,
                users: users.clone(),
            }
        }));
    }
    found.sort_by_key(|found| (found.starts_at, found.appointment.0));
    Ok(found)
}

/// What takes place with a user, as other programs show it: of a series the rule, and the starts for which others stand.
///
/// # Errors
/// As [`of_users`].
pub(in crate::collaboration) async fn published(
    db: &impl ConnectionTrait,
    user: UserId,
    which: Condition,
    span: (DateTimeUtc, DateTimeUtc),
) -> Result<Vec<calendar_file::Entry>, Error> {
    let rows = rows(db, comes(&[user]), which, span).await?;
    Ok(with_taken(db, rows).await?.into_iter().map(calendar_file::Entry::from).collect())
}

/// That one of the users takes part and has not declined.
fn comes(users: &[UserId]) -> Condition {
    Condition::all()
        .add(attendee::Column::UserId.is_in(users.iter().copied()))
        .add(attendee::Column::Response.ne(Response::Declined))
}

/// The appointments that may take place within a span of time, with somebody for whom `comes` holds.
async fn rows(
    db: &impl ConnectionTrait,
    comes: Condition,
    which: Condition,
    (from, until): (DateTimeUtc, DateTimeUtc),
) -> Result<Vec<Model>, Error> {
    let mut theirs = Query::select();
    theirs
        .expr(Expr::col((attendee::Entity, attendee::Column::AppointmentId)))
        .from(attendee::Entity)
        .cond_where(comes);
    let rows = Entity::find()
        .filter(Column::StartsAt.lt(until))
        .filter(Column::LastEndsAt.is_null().or(Column::LastEndsAt.gt(from)))
        .filter(Column::Id.in_subquery(theirs))
        .filter(present())
        .filter(which)
        .order_by_asc(Column::StartsAt)
        .limit(MOST_ROWS + 1)
        .all(db)
        .await?;
    match rows.len() as u64 > MOST_ROWS {
        true => {
            let message = format!("this is about more than {MOST_ROWS} appointments; ask for less");
            Err(CatalogError::Invalid { at: "until".to_owned(), message }.into())
        }
        false => Ok(rows),
    }
}

impl From<Ahead> for calendar_file::Entry {
    fn from(Ahead { row, taken }: Ahead) -> Self {
        let mut except: Vec<_> = taken.into_iter().collect();
        except.sort_unstable();
        // An exception stands for itself, as the series leaves its start out.
        Self { uid: row.id.global(), original: None, except, ..row.entry() }
    }
}
