//! Appointments: when people meet, who takes part, and how it comes again.
//!
//! ```text
//! arrange      making one, and changing it
//! part         one occurrence of a series, or that and those after it
//! turn         what has become of it, and who comes
//! attendee     who takes part
//! invitation   what those get to know who take part
//! occurrence   what takes place within a span of time
//! perform      making appointments in runs of workflows
//! ```
//!
//! Invariant: what somebody said is a local time in a zone, and instants follow from it. An occurrence that differs
//! from its series is an appointment of its own, which says for which start of the series it stands; for each start
//! there is one at most.

mod arrange;
pub mod attendee;
mod invitation;
mod occurrence;
mod part;
mod perform;
mod turn;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::parse_lines;
use super::recurrence::Recurrence;
use super::reminder::{self, Due, Subject};
use crate::access::{Permission, user};
use crate::automation::workflow::moment;
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::{customer, parse_required, parse_text, parse_zone};
use crate::edit::edited;
use crate::error::Error;
use crate::id::{AppointmentId, CustomerId, UserId};
use crate::search::searched;

pub use arrange::{Change, New, arrange, rearrange, remind};
pub use invitation::{Invitation, invitations};
pub use occurrence::{Occurrence, of_users};
pub(super) use occurrence::{ahead, published};
pub use part::Part;
pub(crate) use perform::carry_out;
pub use perform::{CreateAppointment, ToCreate, Wanted};
pub use turn::{Turn, respond, turn};

/// How many minutes an appointment takes at most, unless it takes whole days.
const LONGEST_MIN: i32 = 14 * DAY_MIN;

/// How many days an appointment takes at most.
const MOST_DAYS: i32 = 366;

/// How many minutes a day has on a calendar.
const DAY_MIN: i32 = 24 * 60;

/// How many characters there are at most about what it is for, and about what came of it.
const TEXT: usize = 5_000;

/// How far two clocks are apart at most.
const APART: TimeDelta = TimeDelta::hours(27);

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It is still to take place.
    Planned,
    /// It has taken place.
    Held,
    /// It has not taken place, as somebody did not come.
    Missed,
    /// It was called off.
    Cancelled,
}

/// An appointment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "appointment")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AppointmentId,
    /// Whom it is with.
    pub customer_id: Option<CustomerId>,
    /// Who invites to it.
    pub organizer_id: Option<UserId>,
    /// What it is about.
    pub subject: String,
    /// What there is to say about it.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// When it begins, on the clock of its zone.
    pub start_local: NaiveDateTime,
    /// That zone.
    pub time_zone: String,
    /// How many minutes it takes.
    pub duration_min: i32,
    /// Whether it takes whole days.
    pub all_day: bool,
    /// When it begins; the first time, when it comes again.
    pub starts_at: DateTimeUtc,
    /// When that ends.
    pub ends_at: DateTimeUtc,
    /// How it comes again.
    pub rule: Option<String>,
    /// When it ends for the last time; never when absent.
    pub last_ends_at: Option<DateTimeUtc>,
    /// The series that it is an occurrence of.
    pub series_id: Option<AppointmentId>,
    /// The start in that series that it stands for, on the clock of the series' zone.
    pub original_local: Option<NaiveDateTime>,
    /// The same as an instant.
    pub original_at: Option<DateTimeUtc>,
    /// What has become of it.
    pub state: State,
    /// What came of it.
    pub note: Option<String>,
    /// Counts up with every change that those who take part have to know (RFC 5545, 3.8.7.4).
    pub sequence: i32,
    /// How many seconds before it those who take part are reminded.
    pub remind_s: Json,
    /// Folded subject and place, for searching.
    pub search_text: String,
    /// Since when it is deleted.
    pub deleted_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

catalog! {
    /// A time at which people meet, or a series of such times. It is theirs who invites to it, and theirs who looks
    /// after its customer; who takes part sees it, too. `calendar` gives what takes place when.
    Appointment (appointment, appointments) of Entity, read by Permission::ReadAppointments,
        attended by attendee::Column::UserId, in attendee::Column::AppointmentId, of attendee::Entity,
        given to Column::OrganizerId, or with Column::CustomerId => customer::Entity,
        deleted by Column::DeletedAt, versioned by Column::Version, with history;
    /// Words that occur in the subject or the place, without regard to case and diacritics. Every word has to occur.
    search: search(),
    /// What it is about.
    subject: text(Column::Subject).filtered().ordered(),
    /// What there is to say about it: plain text with line breaks; null when there is nothing.
    description: text(Column::Description),
    /// Where, or the address of a meeting online; null when nobody said.
    location: text(Column::Location).filtered(),
    /// The id of the customer that it is with.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// The customer that it is with; null when it is with none, or when you may not see it.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// The id of who invites to it.
    organizer_id: uuid::<UserId>(Column::OrganizerId).hidden(),
    /// Who invites to it; null when nobody does.
    organizer: one::<user::Entity>(Column::OrganizerId).grouped(),
    /// When it begins; for a series the first time.
    starts_at: instant(Column::StartsAt).filtered().ordered().grouped(),
    /// When that ends.
    ends_at: instant(Column::EndsAt).filtered().ordered(),
    /// The IANA zone on whose clock it is planned: a series stays at the same time on that clock.
    time_zone: text(Column::TimeZone),
    /// How many minutes it takes.
    duration_min: whole(Column::DurationMin).filtered().ordered(),
    /// Whether it takes whole days, which begin and end at midnight in its zone.
    all_day: truth(Column::AllDay).filtered(),
    /// How it comes again, as RFC 5545's RRULE such as `FREQ=WEEKLY;BYDAY=MO`; null when it does not.
    rule: text(Column::Rule).filtered(),
    /// When it ends for the last time; null for a series without end.
    last_ends_at: instant(Column::LastEndsAt).filtered().ordered(),
    /// The series that it is a changed occurrence of; null when it is none.
    series: one::<Entity>(Column::SeriesId),
    /// The start in the series that it stands for; null when it is no changed occurrence.
    original_at: instant(Column::OriginalAt).filtered(),
    /// The occurrences of the series that differ from it.
    exceptions: list::<Entity, _>(Column::SeriesId, Column::OriginalLocal, 2),
    /// What has become of it.
    state: choice::<State>("AppointmentState", Column::State).filtered().grouped(),
    /// What came of it: plain text with line breaks; null when nobody wrote it down.
    note: text(Column::Note),
    /// Who takes part.
    attendees: list::<attendee::Entity, _>(
        attendee::Column::AppointmentId, attendee::Column::Id, 3,
    ).filtered(),
    /// When those who take part are told so, those that are told last first.
    reminders: list::<reminder::Entity, _>(
        reminder::Column::AppointmentId, reminder::Column::BeforeS, 3,
    ),
    /// Whether you may change and delete it.
    viewer_can_update: reach(Permission::WriteAppointments),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out unless their filter
    /// compares this.
    deleted_at: instant(Column::DeletedAt).filtered(),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
    /// Who added it; null when Rapport did.
    created_by: one::<user::Entity>(Column::CreatedBy),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

edited!(
    AppointmentId, AppointmentCreated / AppointmentUpdated / AppointmentDeleted,
    {
        starts_at: DateTimeUtc::default(), ends_at: DateTimeUtc::default(), last_ends_at: None,
        state: State::Planned, note: None, search_text: String::new(), deleted_at: None
    },
    part of customer_id, reminding by due,
    deleted by deleted_at / AppointmentRestored
);

/// When something takes place, as somebody says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// For so many minutes from an instant on.
    At(DateTimeUtc, i32),
    /// For so many days, the first of which is this.
    Days(NaiveDate, i32),
}

impl When {
    /// The local start in a zone, the minutes, and whether those are whole days.
    fn local(self, zone: Tz) -> (NaiveDateTime, i32, bool) {
        match self {
            Self::At(start, minutes) => (start.with_timezone(&zone).naive_local(), minutes, false),
            Self::Days(first, days) => {
                (first.and_time(NaiveTime::MIN), days.saturating_mul(DAY_MIN), true)
            }
        }
    }
}

impl Model {
    fn check(&mut self, check: &mut Check) {
        check.put(parse_required("subject", &self.subject, 200), &mut self.subject);
        check.put(parse_lines("description", self.description.take(), TEXT), &mut self.description);
        check.put(parse_lines("note", self.note.take(), TEXT), &mut self.note);
        check.put(parse_text("location", self.location.take(), 500), &mut self.location);
        let zone = parse_zone(&self.time_zone).map(|zone| zone.name().to_owned());
        check.put(zone, &mut self.time_zone);
        let (most, message) = match self.all_day {
            true => (MOST_DAYS * DAY_MIN, format!("it takes 1 to {MOST_DAYS} days")),
            false => (LONGEST_MIN, format!("it takes 1 to {LONGEST_MIN} minutes")),
        };
        check.that((1..=most).contains(&self.duration_min), "when", message);
        let last = match self.rule.take().map(|rule| Recurrence::parse(&rule, self.start_local)) {
            None => Some(self.start_local),
            Some(Ok(recurrence)) => {
                self.rule = Some(recurrence.rule());
                recurrence.last()
            }
            Some(Err(why)) => {
                check.note(Error::invalid("repeats", why));
                None
            }
        };
        (self.starts_at, self.ends_at) = self.span(self.start_local);
        self.last_ends_at = last.map(|last| self.span(last).1);
        self.search_text = searched([Some(&self.subject), self.location.as_ref()]);
    }

    /// The zone on whose clock it is planned.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// How it comes again, if it does.
    #[must_use]
    pub fn recurrence(&self) -> Option<Recurrence> {
        // What is stored was checked.
        Recurrence::parse(self.rule.as_deref()?, self.start_local).ok()
    }

    /// How many seconds before it those who take part are reminded.
    #[must_use]
    pub fn reminded(&self) -> Vec<i32> {
        serde_json::from_value(self.remind_s.clone()).unwrap_or_default()
    }

    /// When the occurrence that starts at `start` on its clock begins and ends.
    #[must_use]
    pub fn span(&self, start: NaiveDateTime) -> (DateTimeUtc, DateTimeUtc) {
        let zone = self.zone();
        let begins = moment::instant(start.date(), start.time(), zone);
        let length = TimeDelta::minutes(self.duration_min.into());
        let ends = match self.all_day {
            true => moment::instant((start + length).date(), (start + length).time(), zone),
            false => begins + length,
        };
        (begins, ends)
    }

    /// The start on its clock of the occurrence that begins at an instant, if one does.
    #[must_use]
    pub fn starting(&self, at: DateTimeUtc) -> Option<NaiveDateTime> {
        let Some(recurrence) = self.recurrence() else {
            return (self.starts_at == at).then_some(self.start_local);
        };
        let near = at.naive_utc();
        let near = recurrence.between(near - APART, near + APART, 8);
        near.into_iter().find(|start| self.span(*start).0 == at)
    }

    /// The first start on its clock of an occurrence that begins after an instant.
    #[must_use]
    pub fn next_start(&self, after: DateTimeUtc) -> Option<NaiveDateTime> {
        let Some(recurrence) = self.recurrence() else {
            return (self.starts_at > after).then_some(self.start_local);
        };
        let mut next = recurrence.next(after.naive_utc() - APART)?;
        while self.span(next).0 <= after {
            next = recurrence.next(next + TimeDelta::seconds(1))?;
        }
        Some(next)
    }

    /// Whether it is still to take place.
    fn is_open(&self) -> bool {
        self.state == State::Planned && self.deleted_at.is_none()
    }

    /// What there is to remind of.
    fn due(&self, now: DateTimeUtc) -> Due {
        let next = self.next_start(now).filter(|_| self.is_open());
        let at = next.map(|start| self.span(start).0);
        Due { subject: Subject::Appointment(self.id), at, user: None }
    }
}
