//! Making appointments in runs of workflows.

use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::ActiveValue::Set;
use sea_orm::DatabaseTransaction;
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{ActiveModel, Entity, LONGEST_MIN, TEXT, When, attendee};
use crate::access::Actor;
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::collaboration::later::{self, Around, Later};
use crate::collaboration::parse_lines;
use crate::collaboration::reminder::{self, Due};
use crate::customers::{parse_required, parse_text};
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, UserId};

/// An appointment that a step makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wanted {
    /// What it is about.
    pub subject: String,
    /// When it begins.
    pub planned: Later,
    /// How many minutes it takes.
    pub duration_min: i32,
    /// What there is to say about it.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// Who invites to it; who looks after the customer when absent.
    pub organizer: Option<String>,
    /// How many seconds before it they are reminded.
    pub remind_s: Vec<i32>,
}

/// An appointment that a workflow makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToCreate {
    /// The appointment.
    pub wanted: Wanted,
    /// Whom it is with.
    pub customer: CustomerId,
    /// Who invites to it.
    pub organizer: UserId,
    /// When it begins.
    pub starts_at: DateTimeUtc,
    /// On whose clock.
    pub zone: chrono_tz::Tz,
    /// The prefix of the id of the run's record.
    pub kind: &'static str,
    /// That record.
    pub record: Uuid,
    /// Who makes it.
    pub actor: Actor,
}

/// Makes an appointment of who looks after the customer whom a run concerns, or of another user, with the customer.
pub struct CreateAppointment;

impl Performer for CreateAppointment {
    fn name(&self) -> &'static str {
        "createAppointment"
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        let wanted = match Wanted::deserialize(with) {
            Ok(wanted) => wanted,
            Err(error) => return check.note(Error::invalid("with", error.to_string())),
        };
        later::check_whose(record, wanted.organizer.as_deref(), "organizerId", check);
        wanted.planned.check(check);
        check.put(parse_required("subject", &wanted.subject, 200), &mut String::new());
        check.put(parse_lines("description", wanted.description, TEXT), &mut None);
        check.put(parse_text("location", wanted.location, 500), &mut None);
        let message = format!("it takes 1 to {LONGEST_MIN} minutes");
        check.that((1..=LONGEST_MIN).contains(&wanted.duration_min), "durationMin", message);
        check.put(reminder::clean(wanted.remind_s), &mut Vec::new());
    }

    fn plan<'a>(
        &'a self,
        db: &'a DatabaseTransaction,
        record: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let refuse = |why: &str| Ok(turns.iter().map(|_| Planned::failed(why)).collect());
            let Ok(mut wanted) = Wanted::deserialize(with) else {
                return refuse("it cannot be read");
            };
            wanted.remind_s = reminder::clean(wanted.remind_s)?;
            let Some(around) = Around::load(db, wanted.organizer.as_deref(), turns).await? else {
                return refuse(later::NO_SUCH_USER);
            };
            let planned = turns.iter().map(|turn| {
                let Some(customer) = turn.run.customer_id else {
                    return Planned::skipped("it concerns no customer");
                };
                let organizer = match around.user(customer) {
                    Ok(Some(organizer)) => organizer,
                    Ok(None) => return Planned::skipped("nobody looks after the customer"),
                    Err(why) => return Planned::skipped(why),
                };
                let (starts_at, zone) = around.planned(wanted.planned, customer, turn.now);
                let appointment = ToCreate {
                    wanted: wanted.clone(),
                    customer,
                    organizer,
                    starts_at,
                    zone,
                    kind: record.prefix,
                    record: turn.run.record_id,
                    actor: turn.actor(),
                };
                let effects = vec![Effect::CreateAppointment(Box::new(appointment))];
                Planned { done: Done::Yes, effects }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

/// Adds appointments, with who takes part and their reminders, in a constant number of statements.
///
/// # Errors
/// The database.
pub(crate) async fn carry_out(
    txn: &impl ConnectionTrait,
    appointments: Vec<ToCreate>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let before = appointments.iter().map(|one| one.wanted.remind_s.clone()).collect::<Vec<_>>();
    let actors = appointments.iter().map(|one| one.actor).collect::<Vec<_>>();
    let added = edit::create_all::<Entity>(txn, appointments.into_iter().map(row), now).await?;
    attendee::add_organizers(txn, added.iter().zip(actors), now).await?;
    let due = added.iter().zip(before);
    let due = due.map(|(row, before)| (Due { user: row.organizer_id, ..row.due(now) }, before));
    reminder::add(txn, due, now).await
}

fn row(appointment: ToCreate) -> (ActiveModel, Actor) {
    let ToCreate { wanted, zone, .. } = appointment;
    let when = When::At(appointment.starts_at, wanted.duration_min);
    let (start, minutes, all_day) = when.local(zone);
    let row = ActiveModel {
        customer_id: Set(Some(appointment.customer)),
        organizer_id: Set(Some(appointment.organizer)),
        subject: Set(wanted.subject),
        description: Set(wanted.description),
        location: Set(wanted.location),
        start_local: Set(start),
        time_zone: Set(zone.name().to_owned()),
        duration_min: Set(minutes),
        all_day: Set(all_day),
        rule: Set(None),
        series_id: Set(None),
        original_local: Set(None),
        original_at: Set(None),
        sequence: Set(0),
        remind_s: Set(json!(wanted.remind_s)),
        ..Default::default()
    };
    (row, appointment.actor)
}
