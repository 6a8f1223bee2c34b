//! Calls: whom somebody has to call or has called, what for, and what came of it.
//!
//! ```text
//! attempt   starting a call, which nobody else does meanwhile; saying what came of it; calling it off
//! follow    what is written when a call has an outcome
//! cadence   whether and when it is tried again, as data
//! perform   planning calls in runs of workflows
//! ```
//!
//! Invariant: a call has an outcome when it is completed, and none before; and one that is tried again has one next
//! call, planned in the transaction in which it was completed.

mod attempt;
pub mod cadence;
mod follow;
mod perform;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter, QuerySelect};
use serde::{Deserialize, Serialize};

use super::reminder::{self, Due, Subject};
use super::task::Priority;
use super::{overdue, parse_lines};
use crate::access::{Permission, user};
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::{contact, customer, parse_required};
use crate::edit::edited;
use crate::id::{CallId, ContactId, CustomerId, UserId};
use crate::money::Currency;
use crate::search::searched;

pub use attempt::{Ended, LEASE, cancel, complete, start};
pub(crate) use perform::carry_out;
pub use perform::{CreateCall, ToCreate, Wanted};

/// How many characters each part of what a caller should know has at most.
const BRIEF: usize = 2_000;

/// How many characters there are at most about what was said.
const NOTE: usize = 5_000;

/// How long after its end a call without an outcome is not forgotten yet.
const GRACE: TimeDelta = TimeDelta::minutes(15);

/// How many minutes a call is planned to take at most.
const LONGEST_MIN: i32 = 480;

/// The same as a length of time.
pub(super) const LONGEST: TimeDelta = TimeDelta::minutes(LONGEST_MIN as i64);

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Direction {
    /// They call us.
    Inbound,
    /// We call them.
    Outbound,
}

/// What it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Purpose {
    /// To sell something.
    Sales,
    /// To ask how something goes on.
    FollowUp,
    /// To help.
    Service,
    /// To be paid.
    Collection,
}

/// What has become of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It is still to be made.
    Planned,
    /// It was made, and has an outcome.
    Completed,
    /// Nobody has to make it any more.
    Cancelled,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Outcome {
    /// Nobody answered.
    NoAnswer,
    /// The line was busy.
    Busy,
    /// A machine took a message.
    Voicemail,
    /// They want to be called at another time.
    Callback,
    /// The number is somebody else's, or nobody's.
    WrongNumber,
    /// They do not want what the call was for.
    NotInterested,
    /// They do not want to be called.
    DoNotCall,
    /// They will pay.
    PromiseToPay,
    /// They say that they do not owe it.
    Dispute,
    /// They were reached, and the call has done what it was for.
    Answered,
    /// Somebody else answered.
    ThirdPartyAnswered,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "call")]
#[expect(missing_docs, reason = "the catalogue says below what each column is")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CallId,
    pub customer_id: CustomerId,
    pub contact_id: Option<ContactId>,
    pub assignee_id: Option<UserId>,
    pub direction: Direction,
    pub purpose: Purpose,
    pub subject: String,
    pub priority: Priority,
    pub planned_at: DateTimeUtc,
    pub planned_min: i32,
    pub forgotten_at: DateTimeUtc,
    pub needs: Option<String>,
    pub say: Option<String>,
    pub avoid: Option<String>,
    pub offer: Option<String>,
    pub state: State,
    pub caller_id: Option<UserId>,
    pub dialled_until: Option<DateTimeUtc>,
    pub outcome: Option<Outcome>,
    pub started_at: Option<DateTimeUtc>,
    pub duration_s: Option<i32>,
    pub completed_at: Option<DateTimeUtc>,
    pub note: Option<String>,
    pub promised: Option<i64>,
    pub promised_currency: Option<Currency>,
    pub promised_on: Option<Date>,
    pub attempt: i32,
    pub first_id: Option<CallId>,
    pub next_id: Option<CallId>,
    pub look_at: Option<DateTimeUtc>,
    pub noted_at: Option<DateTimeUtc>,
    pub search_text: String,
    pub deleted_at: Option<DateTimeUtc>,
    pub created_at: DateTimeUtc,
    pub created_by: Option<UserId>,
    pub updated_at: DateTimeUtc,
    pub updated_by: Option<UserId>,
    pub version: i32,
}

catalog! {
    /// A call to a customer, or from one: planned, made or called off. It is theirs who has to make it, and theirs who
    /// looks after its customer.
    Call (call, calls) of Entity, read by Permission::ReadCalls,
        given to Column::AssigneeId, or with Column::CustomerId => customer::Entity,
        deleted by Column::DeletedAt, versioned by Column::Version, with history;
    /// Words that occur in the subject, without regard to case and diacritics. Every word has to occur.
    search: search(),
    /// What it is about.
    subject: text(Column::Subject).filtered().ordered(),
    /// The id of the customer that is called.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// The customer that is called; null when you may not see it.
    customer: one::<customer::Entity>(Column::CustomerId).grouped(),
    /// The person there who is called; null when it is the customer itself.
    contact: one::<contact::Entity>(Column::ContactId),
    /// The id of who has to make it.
    assignee_id: uuid::<UserId>(Column::AssigneeId).hidden(),
    /// Who has to make it; null when nobody has yet.
    assignee: one::<user::Entity>(Column::AssigneeId).grouped(),
    /// Who calls whom.
    direction: choice::<Direction>("CallDirection", Column::Direction).filtered().grouped(),
    /// What it is for.
    purpose: choice::<Purpose>("CallPurpose", Column::Purpose).filtered().grouped(),
    /// How much it matters.
    priority: choice::<Priority>("TaskPriority", Column::Priority).filtered().grouped(),
    /// When it is to be made. Upcoming calls are those that are `PLANNED`, ordered by this.
    planned_at: instant(Column::PlannedAt).filtered().ordered().grouped(),
    /// How many minutes it is thought to take.
    planned_min: whole(Column::PlannedMin).filtered().ordered(),
    /// When it counts as forgotten unless it has an outcome by then: a quarter of an hour after it should have ended.
    /// Forgotten calls are those for which that is past and which are `PLANNED`.
    forgotten_at: instant(Column::ForgottenAt).filtered().ordered(),
    /// What they need: plain text with line breaks, for the caller; null when nobody said.
    needs: text(Column::Needs),
    /// What to say: plain text with line breaks; null when nobody said.
    say: text(Column::Say),
    /// What not to say: plain text with line breaks; null when nobody said.
    avoid: text(Column::Avoid),
    /// What of value to offer: plain text with line breaks; null when nobody said.
    offer: text(Column::Offer),
    /// What has become of it.
    state: choice::<State>("CallState", Column::State).filtered().grouped(),
    /// Who has made it, or is making it as long as `dialledUntil` lies ahead; null when nobody has started it yet.
    caller: one::<user::Entity>(Column::CallerId),
    /// Until when nobody else can start it, or another call to the same person; null when nobody has started it,
    /// and once it has an outcome.
    dialled_until: instant(Column::DialledUntil).filtered(),
    /// What came of it; null unless it is `COMPLETED`.
    outcome: choice::<Outcome>("CallOutcome", Column::Outcome).filtered().grouped(),
    /// When it began; null when that is not known.
    started_at: instant(Column::StartedAt).filtered().ordered(),
    /// How many seconds it took; null when that is not known.
    duration_s: whole(Column::DurationS).filtered().ordered(),
    /// When its outcome was written down; null unless it is `COMPLETED`.
    completed_at: instant(Column::CompletedAt).filtered().ordered().grouped(),
    /// What was said: plain text with line breaks; null when nobody wrote it down.
    note: text(Column::Note),
    /// How much they promised to pay; null when they did not, or said no amount.
    promised: money(Column::Promised).in_currency("promised_currency"),
    /// The day by which they promised to pay; null when they did not, or said no day.
    promised_on: day(Column::PromisedOn).filtered().ordered(),
    /// Which one it is of the calls that are made until they are reached, counted from 1.
    attempt: whole(Column::Attempt).filtered(),
    /// The first of these calls; null when it is the first one itself.
    first_call: one::<Entity>(Column::FirstId),
    /// The call that was planned because of its outcome; null when there is none.
    next_call: one::<Entity>(Column::NextId),
    /// When who has to make it is told so, those that are told last first.
    reminders: list::<reminder::Entity, _>(
        reminder::Column::CallId, reminder::Column::BeforeS, 2,
    ),
    /// Whether you may change and delete it.
    viewer_can_update: reach(Permission::WriteCalls),
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
    CallId, CallCreated / CallUpdated / CallDeleted,
    {
        state: State::Planned, forgotten_at: DateTimeUtc::default(), caller_id: None, dialled_until: None, outcome: None,
        started_at: None, duration_s: None, completed_at: None, note: None, promised: None,
        promised_currency: None, promised_on: None, next_id: None, look_at: None, noted_at: None,
        search_text: String::new(), deleted_at: None
    },
    part of customer_id, with contact_id, given to assignee_id, reminding by due,
    deleted by deleted_at / CallRestored
);

impl Model {
    fn check(&mut self, check: &mut Check) {
        check.put(parse_required("subject", &self.subject, 200), &mut self.subject);
        let brief = [
            (&mut self.needs, "needs"),
            (&mut self.say, "say"),
            (&mut self.avoid, "avoid"),
            (&mut self.offer, "offer"),
        ];
        for (part, field) in brief {
            check.put(parse_lines(field, part.take(), BRIEF), part);
        }
        check.put(parse_lines("note", self.note.take(), NOTE), &mut self.note);
        check.that(
            (1..=LONGEST_MIN).contains(&self.planned_min),
            "plannedMin",
            format!("a call is planned to take 1 to {LONGEST_MIN} minutes"),
        );
        self.search_text = searched([Some(&self.subject)]);
        self.watch();
    }

    /// What there is to remind of.
    fn due(&self, _: DateTimeUtc) -> Due {
        let is_open = self.state == State::Planned && self.deleted_at.is_none();
        let at = is_open.then_some(self.planned_at);
        Due { subject: Subject::Call(self.id), at, user: self.assignee_id }
    }

    /// Says when it is forgotten unless it has an outcome by then.
    fn watch(&mut self) {
        let ends = self.planned_at + TimeDelta::minutes(self.planned_min.into());
        self.forgotten_at = self.dialled_until.map_or(ends, |until| until.max(ends)) + GRACE;
        let is_open = self.state == State::Planned;
        self.look_at = overdue::look_at(Some(self.forgotten_at), is_open, self.noted_at);
    }
}

/// When calls were made to customers about what they owe since an instant, whatever came of them.
///
/// # Errors
/// The database.
pub(crate) async fn asked(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    since: DateTimeUtc,
) -> Result<Vec<(CustomerId, DateTimeUtc)>, DbErr> {
    Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::StartedAt])
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::Purpose.eq(Purpose::Collection))
        .filter(Column::Direction.eq(Direction::Outbound))
        .filter(Column::StartedAt.gt(since))
        .into_tuple()
        .all(db)
        .await
}

impl ActiveModel {
    /// The call as the first one that is made to reach somebody.
    #[must_use]
    pub fn first(self) -> Self {
        Self { attempt: Set(1), first_id: Set(None), ..self }
    }
}
