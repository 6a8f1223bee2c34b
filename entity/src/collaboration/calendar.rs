//! Calendars: what people have within a span of time, and when they are free.
//!
//! Invariant: an entry is seen by who sees the record; that somebody is busy is seen by all colleagues, but not with what.
//! The number of statements depends neither on users nor on what they have.

use std::collections::HashMap;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{Condition, QueryOrder, QuerySelect};

use super::{appointment, call, task};
use crate::access::{Viewer, absence};
use crate::catalog::{CatalogError, Cataloged};
use crate::error::Error;
use crate::id::{CallId, TaskId, UserId};

/// How many calls, and how many tasks, there are at most in what is looked at.
const MOST: u64 = 5_000;

/// How many tasks, and how many calls, are said at most to be late.
pub const MOST_LATE: u64 = 200;

/// What somebody has at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Which one.
    pub id: Uuid,
    /// What it is about.
    pub subject: String,
    /// When it begins.
    pub starts_at: DateTimeUtc,
    /// When it ends; with its beginning where it takes no time.
    pub ends_at: DateTimeUtc,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// Which of the users in question have it.
    pub users: Vec<UserId>,
}

/// A kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// An appointment, or an occurrence of a series.
    Appointment,
    /// A call that is planned or was made.
    Call,
    /// A task, at the time by which it has to be done.
    Task,
}

/// A time from its first instant until before its last one.
pub type Span = (DateTimeUtc, DateTimeUtc);

/// What the users have from `from` until before `until` that `viewer` sees, in the order in which it begins.
///
/// # Errors
/// `Invalid` when that is too much, the database.
pub async fn entries(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    users: &[UserId],
    (from, until): Span,
) -> Result<Vec<Entry>, Error> {
    let seen = appointment::Entity::record().visible(viewer);
    let occurrences = appointment::of_users(db, users, seen, (from, until)).await?;
    let mut entries: Vec<Entry> = occurrences.into_iter().map(Entry::from).collect();
    let seen = call::Entity::record().visible(viewer);
    entries.extend(calls(db, users, seen, (from, until)).await?.into_iter().map(Entry::from));
    let due = Condition::all()
        .add(task::Column::DueAt.gte(from).and(task::Column::DueAt.lt(until)))
        .add(task::Column::State.ne(task::State::Cancelled));
    let due = tasks(db, viewer, users, due, MOST + 1).await?;
    ensure_few(due.len(), "tasks")?;
    entries.extend(due);
    Ok(in_order(entries))
}

/// What a user should have done by `now` that `viewer` sees, in the order in which it begins: open tasks that were due, and
/// calls that were forgotten, as many of each as [`MOST_LATE`] says.
///
/// # Errors
/// The database.
pub async fn late(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    user: UserId,
    now: DateTimeUtc,
) -> Result<Vec<Entry>, Error> {
    let forgotten = Condition::all()
        .add(call::Column::ForgottenAt.lte(now))
        .add(call::Column::State.eq(call::State::Planned))
        .add(call::Entity::record().visible(viewer));
    let forgotten = planned(db, &[user], forgotten, MOST_LATE).await?;
    let overdue = Condition::all()
        .add(task::Column::DueAt.lt(now))
        .add(task::Column::State.eq(task::State::Open));
    let mut late = tasks(db, viewer, &[user], overdue, MOST_LATE).await?;
    late.extend(forgotten.into_iter().map(Entry::from));
    Ok(in_order(late))
}

fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_by(|one, other| {
        (one.starts_at, one.kind, one.id).cmp(&(other.starts_at, other.kind, other.id))
    });
    entries
}

/// The first `most` of the users' tasks that pass and that `viewer` sees, in the order in which they are due.
async fn tasks(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    users: &[UserId],
    which: Condition,
    most: u64,
) -> Result<Vec<Entry>, DbErr> {
    use task::Column;
    if !task::Entity::record().is_readable(viewer) {
        return Ok(Vec::new());
    }
    let due: Vec<(TaskId, UserId, String, DateTimeUtc)> = task::Entity::find()
        .select_only()
        .columns([Column::Id, Column::AssigneeId, Column::Title, Column::DueAt])
        .filter(Column::AssigneeId.is_in(users.iter().copied()))
        .filter(which)
        .filter(Column::DeletedAt.is_null())
        .filter(task::Entity::record().visible(viewer))
        .order_by_asc(Column::DueAt)
        .limit(most)
        .into_tuple()
        .all(db)
        .await?;
    let entry = |(id, user, subject, at): (TaskId, _, _, _)| Entry {
        kind: Kind::Task,
        id: id.0,
        subject,
        starts_at: at,
        ends_at: at,
        all_day: false,
        users: vec![user],
    };
    Ok(due.into_iter().map(entry).collect())
}

type Planned = (CallId, UserId, String, DateTimeUtc, i32);

async fn calls(
    db: &impl ConnectionTrait,
    users: &[UserId],
    which: Condition,
    (from, until): Span,
) -> Result<Vec<Planned>, Error> {
    use call::Column;
    let which = which
        .add(Column::PlannedAt.gt(from - call::LONGEST).and(Column::PlannedAt.lt(until)))
        .add(Column::State.ne(call::State::Cancelled));
    let calls = planned(db, users, which, MOST + 1).await?;
    ensure_few(calls.len(), "calls")?;
    let lasts = |call: &Planned| call.3 + TimeDelta::minutes(call.4.into()) > from;
    Ok(calls.into_iter().filter(lasts).collect())
}

/// The first `most` of the users' calls that pass, in the order in which they are to be made.
async fn planned(
    db: &impl ConnectionTrait,
    users: &[UserId],
    which: Condition,
    most: u64,
) -> Result<Vec<Planned>, DbErr> {
    use call::Column;
    call::Entity::find()
        .select_only()
        .columns([
            Column::Id,
            Column::AssigneeId,
            Column::Subject,
            Column::PlannedAt,
            Column::PlannedMin,
        ])
        .filter(Column::AssigneeId.is_in(users.iter().copied()))
        .filter(Column::DeletedAt.is_null())
        .filter(which)
        .order_by_asc(Column::PlannedAt)
        .limit(most)
        .into_tuple()
        .all(db)
        .await
}

fn ensure_few(found: usize, what: &str) -> Result<(), Error> {
    match found as u64 > MOST {
        true => {
            let message = format!("this is about more than {MOST} {what}; ask for less");
            Err(CatalogError::Invalid { at: "until".to_owned(), message }.into())
        }
        false => Ok(()),
    }
}

/// When each of the users is busy from `from` until before `until`: with appointments that they have not declined, with
/// calls, or since they are away. What touches or overlaps is one time.
///
/// # Errors
/// `Invalid` when that is too much, the database.
pub async fn busy(
    db: &impl ConnectionTrait,
    users: &[UserId],
    (from, until): Span,
) -> Result<HashMap<UserId, Vec<Span>>, Error> {
    let mut busy: HashMap<UserId, Vec<Span>> = HashMap::new();
    for occurrence in appointment::of_users(db, users, Condition::all(), (from, until)).await? {
        for user in occurrence.users {
            busy.entry(user).or_default().push((occurrence.starts_at, occurrence.ends_at));
        }
    }
    let planned = Condition::all().add(call::Column::State.eq(call::State::Planned));
    for (_, user, _, at, minutes) in calls(db, users, planned, (from, until)).await? {
        let ends = at + TimeDelta::minutes(minutes.into());
        busy.entry(user).or_default().push((at, ends));
    }
    let away = absence::Entity::find()
        .filter(absence::Column::UserId.is_in(users.iter().copied()))
        .filter(absence::Column::StartsAt.lt(until))
        .filter(absence::Column::EndsAt.gt(from));
    for absence in away.all(db).await? {
        busy.entry(absence.user_id).or_default().push((absence.starts_at, absence.ends_at));
    }
    Ok(busy.into_iter().map(|(user, spans)| (user, merged(spans, (from, until)))).collect())
}

/// The times within a span that none of the busy ones touches.
#[must_use]
pub fn free<'a>(busy: impl IntoIterator<Item = &'a Vec<Span>>, (from, until): Span) -> Vec<Span> {
    let all = merged(busy.into_iter().flatten().copied().collect(), (from, until));
    let mut free = Vec::new();
    let mut since = from;
    for (begins, ends) in all {
        if begins > since {
            free.push((since, begins));
        }
        since = ends;
    }
    if since < until {
        free.push((since, until));
    }
    free
}

/// The times, as far as they lie within a span, with those in one that touch or overlap.
fn merged(mut spans: Vec<Span>, (from, until): Span) -> Vec<Span> {
    spans.sort_unstable();
    let mut merged: Vec<Span> = Vec::new();
    for (begins, ends) in spans {
        let (begins, ends) = (Ord::max(begins, from), Ord::min(ends, until));
        if begins >= ends {
            continue;
        }
        match merged.last_mut() {
            Some((_, last)) if *last >= begins => *last = Ord::max(ends, *last),
            _ => merged.push((begins, ends)),
        }
    }
    merged
}

impl From<Planned> for Entry {
    fn from((id, user, subject, at, minutes): Planned) -> Self {
        Self {
            kind: Kind::Call,
            id: id.0,
            subject,
            starts_at: at,
            ends_at: at + TimeDelta::minutes(minutes.into()),
            all_day: false,
            users: vec![user],
        }
    }
}

impl From<appointment::Occurrence> for Entry {
    fn from(occurrence: appointment::Occurrence) -> Self {
        Self {
            kind: Kind::Appointment,
            id: occurrence.appointment.0,
            subject: occurrence.subject,
            starts_at: occurrence.starts_at,
            ends_at: occurrence.ends_at,
            all_day: occurrence.all_day,
            users: occurrence.users,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(minute: i64) -> DateTimeUtc {
        DateTimeUtc::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    proptest! {
        #[test]
        fn a_minute_is_free_or_busy_and_never_both(
            spans in prop::collection::vec((0_i64..200, 0_i64..40), 0..20),
        ) {
            let within = (at(50), at(150));
            let spans: Vec<Span> =
                spans.into_iter().map(|(begins, length)| (at(begins), at(begins + length))).collect();
            let busy = merged(spans.clone(), within);
            let free = free([&spans], within);
            for minute in 50..150 {
                let is_in = |spans: &[Span]| {
                    spans.iter().any(|(begins, ends)| (*begins..*ends).contains(&at(minute)))
                };
                prop_assert_eq!(is_in(&busy), is_in(&spans));
                prop_assert_eq!(is_in(&free), !is_in(&busy));
            }
            for spans in [&busy, &free] {
                prop_assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0), "they are merged");
            }
        }
    }
}
