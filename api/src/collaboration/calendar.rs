//! Calendars: what people have when, and when they are free.

use std::collections::HashSet;
use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, SimpleObject};
use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeDelta, Utc};
use chrono_tz::Tz;
use entity::Error;
use entity::access::{Permission, Viewer, membership, user};
use entity::automation::workflow::moment;
use entity::catalog::CatalogError;
use entity::collaboration::calendar::{self, Entry, Kind, Span};
use entity::collaboration::{appointment, call, task};
use entity::id::{AppointmentId, CallId, Id, TaskId, TeamId, UserId};
use sea_orm::ConnectionTrait;
use uuid::Uuid;

use crate::context::{Ask, Can, LoggedIn};
use crate::error::{Fault, UserError, refused};
use crate::id::parse_all;
use crate::read::{Among, Together};
use crate::scalar::Date;

/// How many days a calendar shows at most: six weeks and some.
const MOST_DAYS: i32 = 62;

/// How many days a calendar shows unless somebody says it.
const WEEK: i32 = 7;

/// How many people a calendar is about at most.
const MOST_USERS: usize = 100;

/// What stands in a calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum CalendarEntryKind {
    /// An appointment, or an occurrence of a series.
    Appointment,
    /// A call that is planned or was made.
    Call,
    /// A task, at the time by which it has to be done.
    Task,
}

/// What somebody has at a time.
#[derive(SimpleObject)]
pub struct CalendarEntry {
    /// The same for the same entry in whatever calendar.
    id: ID,
    /// What it is.
    kind: CalendarEntryKind,
    /// What it is about.
    subject: String,
    /// When it begins.
    starts_at: DateTime<Utc>,
    /// When it ends; with its beginning for a task.
    ends_at: DateTime<Utc>,
    /// Whether it takes whole days.
    all_day: bool,
    /// The day on which it begins, on the clock of the calendar.
    first_on: Date,
    /// The day on which it ends, on the clock of the calendar.
    last_on: Date,
    /// The ids of those of the calendar's people who have it.
    user_ids: Vec<ID>,
    /// When the occurrence begins, to name it with; null when it is no appointment.
    occurrence_at: Option<DateTime<Utc>>,
    /// The appointment; null when it is none.
    appointment: Among<appointment::Entity>,
    /// The call; null when it is none.
    call: Among<call::Entity>,
    /// The task; null when it is none.
    task: Among<task::Entity>,
}

/// A calendar.
#[derive(SimpleObject)]
pub struct Calendar {
    /// The zone on whose clock its days begin and end.
    time_zone: String,
    /// What there is in it that you may see, in the order in which it begins.
    entries: Vec<CalendarEntry>,
}

/// The answer to a wish for a calendar.
#[derive(SimpleObject)]
pub struct CalendarPayload {
    /// The calendar; null when the wish was refused.
    calendar: Option<Calendar>,
    /// Why there is none; empty on success.
    user_errors: Vec<UserError>,
}

/// A time.
#[derive(SimpleObject)]
pub struct TimeSpan {
    /// Its first instant.
    starts_at: DateTime<Utc>,
    /// Its end, which is not in it.
    ends_at: DateTime<Utc>,
}

/// When somebody is busy.
#[derive(SimpleObject)]
pub struct BusyUser {
    /// Who.
    user: Among<user::Entity>,
    /// When: with appointments, with calls, or since they are away. What touches or overlaps is one time.
    busy: Vec<TimeSpan>,
}

/// When people are busy, and when all of them are free.
#[derive(SimpleObject)]
pub struct FreeBusy {
    /// When each of them is busy, in the order asked for.
    users: Vec<BusyUser>,
    /// When none of them is.
    free: Vec<TimeSpan>,
}

/// The answer to the question when people are free.
#[derive(SimpleObject)]
pub struct FreeBusyPayload {
    /// That; null when the question was refused.
    free_busy: Option<FreeBusy>,
    /// Why there is none; empty on success.
    user_errors: Vec<UserError>,
}

/// Calendars.
#[derive(Default)]
pub struct CalendarQuery;

/// Calendars.
#[Object]
impl CalendarQuery {
    /// What people have on some days: appointments with each of their occurrences, calls, and tasks that are due. A day,
    /// a week or a month is `days` of 1, 7 or 42.
    #[graphql(guard = "LoggedIn", complexity = "20 + 20 * child_complexity")]
    async fn calendar(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The first day.")] from: Date,
        #[graphql(desc = "How many days, 1 to 62; a week when absent.")] days: Option<i32>,
        #[graphql(
            desc = "The IANA zone on whose clock the days begin; yours when absent, which `setTimeZone` chooses."
        )]
        time_zone: Option<String>,
        #[graphql(
            desc = "Whose; yours when neither users nor teams are named. Up to 100 people in all."
        )]
        user_ids: Option<Vec<ID>>,
        #[graphql(desc = "The teams whose.")] team_ids: Option<Vec<ID>>,
    ) -> Result<CalendarPayload, Fault> {
        let refuse = |user_errors| Ok(CalendarPayload { calendar: None, user_errors });
        let viewer = ctx.viewer()?;
        let users = parse_all::<UserId>(&user_ids.unwrap_or_default(), &["userIds"]);
        let teams = parse_all::<TeamId>(&team_ids.unwrap_or_default(), &["teamIds"]);
        let (users, teams) = match users.and_then(|users| Ok((users, teams?))) {
            Ok((users, teams)) if users.is_empty() && teams.is_empty() => {
                (vec![viewer.user], teams)
            }
            Ok(both) => both,
            Err(errors) => return refuse(errors),
        };
        let db = ctx.reader();
        let found = async {
            let zone = zone_of(db, &viewer, time_zone.as_deref()).await?;
            let span = span(from.0, days.unwrap_or(WEEK), zone)?;
            let users = people(db, users, &teams).await?;
            Ok((zone, calendar::entries(db, &viewer, &users, span).await?))
        };
        match found.await {
            Ok((zone, entries)) => {
                let time_zone = zone.name().to_owned();
                let calendar = Some(Calendar { time_zone, entries: shown(entries, zone) });
                Ok(CalendarPayload { calendar, user_errors: Vec::new() })
            }
            Err(error) => refuse(refused(error)?),
        }
    }

    /// When colleagues are busy, though not with what, and when all of them are free.
    #[graphql(
        guard = "Can(Permission::ReadAppointments)",
        complexity = "20 + 10 * child_complexity"
    )]
    async fn free_busy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who, up to 100 people.")] user_ids: Vec<ID>,
        #[graphql(desc = "From when on.")] from: DateTime<Utc>,
        #[graphql(desc = "Until when, up to 62 days later.")] until: DateTime<Utc>,
    ) -> Result<FreeBusyPayload, Fault> {
        let refuse = |user_errors| Ok(FreeBusyPayload { free_busy: None, user_errors });
        let users = match parse_all::<UserId>(&user_ids, &["userIds"]) {
            Ok(users) => users,
            Err(errors) => return refuse(errors),
        };
        let db = ctx.reader();
        let found = async {
            if until <= from || until - from > TimeDelta::days(MOST_DAYS.into()) {
                return Err(wrong("until", format!("this is up to {MOST_DAYS} days after `from`")));
            }
            let users = people(db, users, &[]).await?;
            let busy = calendar::busy(db, &users, (from, until)).await?;
            Ok((users, busy))
        };
        let (users, mut busy) = match found.await {
            Ok(both) => both,
            Err(error) => return refuse(refused(error)?),
        };
        let free = spans(calendar::free(busy.values(), (from, until)));
        let all = Arc::new(Together::of(users.iter().map(|user| user.0).collect()));
        let users = users.into_iter().map(|user| BusyUser {
            user: Among::of(&all, Some(user.0)),
            busy: spans(busy.remove(&user).unwrap_or_default()),
        });
        let free_busy = Some(FreeBusy { users: users.collect(), free });
        Ok(FreeBusyPayload { free_busy, user_errors: Vec::new() })
    }
}

/// What is wrong with an argument.
fn wrong(at: &str, message: String) -> Error {
    CatalogError::Invalid { at: at.to_owned(), message }.into()
}

/// The zone that was asked for, or that the viewer lives in.
async fn zone_of(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    given: Option<&str>,
) -> Result<Tz, Error> {
    if let Some(given) = given {
        return given.trim().parse().map_err(|_| {
            let message = "this is no IANA time zone; write one such as Asia/Ho_Chi_Minh";
            wrong("timeZone", message.to_owned())
        });
    }
    user::zone_of(db, Some(viewer.user)).await
}

/// The instants at which the days begin and are over.
pub(super) fn span(from: NaiveDate, days: i32, zone: Tz) -> Result<Span, Error> {
    let count = u64::try_from(days).ok().filter(|_| (1..=MOST_DAYS).contains(&days));
    let until = count.and_then(|days| from.checked_add_days(Days::new(days)));
    let until = until.ok_or_else(|| wrong("days", format!("1 to {MOST_DAYS} days")))?;
    let midnight = |day| moment::instant(day, NaiveTime::MIN, zone);
    Ok((midnight(from), midnight(until)))
}

/// The users, and those in the teams, each once.
async fn people(
    db: &impl ConnectionTrait,
    mut users: Vec<UserId>,
    teams: &[TeamId],
) -> Result<Vec<UserId>, Error> {
    users.extend(membership::users_of(db, teams).await?);
    let mut known = HashSet::new();
    users.retain(|user| known.insert(*user));
    match users.len() > MOST_USERS {
        true => Err(wrong("userIds", format!("a calendar is about {MOST_USERS} people at most"))),
        false => Ok(users),
    }
}

fn spans(spans: Vec<Span>) -> Vec<TimeSpan> {
    spans.into_iter().map(|(starts_at, ends_at)| TimeSpan { starts_at, ends_at }).collect()
}

/// The entries as they stand in a calendar, with their records, which are read together.
pub(super) fn shown(entries: Vec<Entry>, zone: Tz) -> Vec<CalendarEntry> {
    let of = |kind| {
        let mut ids: Vec<Uuid> =
            entries.iter().filter(|entry| entry.kind == kind).map(|entry| entry.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let appointments = Arc::new(Together::of(of(Kind::Appointment)));
    let calls = Arc::new(Together::of(of(Kind::Call)));
    let tasks = Arc::new(Together::of(of(Kind::Task)));
    let shown = entries.into_iter().map(|entry| {
        let is = |kind| (entry.kind == kind).then_some(entry.id);
        let (kind, id) = match entry.kind {
            Kind::Appointment => {
                let id = AppointmentId(entry.id).global();
                let at = entry.starts_at.format("%Y%m%dT%H%M%SZ");
                (CalendarEntryKind::Appointment, format!("{id}:{at}"))
            }
            Kind::Call => (CalendarEntryKind::Call, CallId(entry.id).global()),
            Kind::Task => (CalendarEntryKind::Task, TaskId(entry.id).global()),
        };
        let last = (entry.ends_at - TimeDelta::microseconds(1)).max(entry.starts_at);
        let day = |at: DateTime<Utc>| Date(at.with_timezone(&zone).date_naive());
        CalendarEntry {
            id: id.into(),
            kind,
            subject: entry.subject.clone(),
            starts_at: entry.starts_at,
            ends_at: entry.ends_at,
            all_day: entry.all_day,
            first_on: day(entry.starts_at),
            last_on: day(last),
            user_ids: entry.users.iter().map(|user| user.global().into()).collect(),
            occurrence_at: is(Kind::Appointment).map(|_| entry.starts_at),
            appointment: Among::of(&appointments, is(Kind::Appointment)),
            call: Among::of(&calls, is(Kind::Call)),
            task: Among::of(&tasks, is(Kind::Task)),
        }
    });
    shown.collect()
}
