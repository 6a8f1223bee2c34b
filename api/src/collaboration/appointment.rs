//! Appointments.

use async_graphql::{
    Context, Enum, ID, InputObject, InputType, MaybeUndefined, Object, OneofObject,
};
use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Permission;
use entity::collaboration::appointment::attendee::{Invited, Response};
use entity::collaboration::appointment::{self, Change, New, Part, Turn, When};
use entity::id::AppointmentId;
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Ask, Can, LoggedIn, Once, write};
use crate::edit::{Outcome, records};
use crate::error::{Fault, UserError};
use crate::id::{parse, parse_all};
use crate::payload::{change, payload};
use crate::scalar::{Date, Duration};

choice! {
    /// What has become of an appointment.
    AppointmentState mirrors "entity::collaboration::appointment::State" {
        /// It is still to take place.
        Planned,
        /// It has taken place.
        Held,
        /// It has not taken place, as somebody did not come.
        Missed,
        /// It was called off.
        Cancelled,
    }
}

choice! {
    /// Whether somebody comes.
    AttendeeResponse mirrors "entity::collaboration::appointment::attendee::Response" {
        /// They have not said.
        Awaited,
        /// They come.
        Accepted,
        /// They may come.
        Tentative,
        /// They do not come.
        Declined,
    }
}

/// When something takes place.
#[derive(Clone, Debug, OneofObject)]
pub enum WhenInput {
    /// From an instant on.
    At(AtInput),
    /// On whole days.
    Days(DaysInput),
}

/// From an instant on.
#[derive(Clone, Debug, InputObject)]
pub struct AtInput {
    /// When it begins. In the zone of the appointment that is a time on a clock, at which a series stays.
    pub starts_at: DateTime<Utc>,
    /// How many minutes it takes, 1 to 20160.
    pub duration_min: i32,
}

/// On whole days.
#[derive(Clone, Debug, InputObject)]
pub struct DaysInput {
    /// The first one.
    pub first: Date,
    /// How many, 1 to 366.
    #[graphql(default = 1)]
    pub count: i32,
}

impl From<WhenInput> for When {
    fn from(given: WhenInput) -> Self {
        match given {
            WhenInput::At(at) => Self::At(at.starts_at, at.duration_min),
            WhenInput::Days(days) => Self::Days(days.first.0, days.count),
        }
    }
}

/// An appointment to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateAppointmentInput {
    /// What it is about, up to 200 characters.
    pub subject: String,
    /// When it takes place; the first time, when it comes again.
    pub when: WhenInput,
    /// The IANA zone on whose clock it is planned, such as `Asia/Ho_Chi_Minh`; that of who invites to it when absent.
    pub time_zone: Option<String>,
    /// How it comes again, as RFC 5545's RRULE: `FREQ=WEEKLY;BYDAY=MO,WE`, `FREQ=MONTHLY;BYMONTHDAY=-1;COUNT=12`,
    /// `FREQ=DAILY;UNTIL=20261231`. It begins with an occurrence, and months without its day are left out. Once when
    /// absent.
    pub repeats: Option<String>,
    /// What there is to say about it: plain text with line breaks, up to 5000 characters.
    pub description: Option<String>,
    /// Where, or the address of a meeting online, up to 500 characters.
    pub location: Option<String>,
    /// The id of the customer that it is with; with none when absent.
    pub customer_id: Option<ID>,
    /// The id of the user who invites to it, who takes part; yours when absent.
    pub organizer_id: Option<ID>,
    /// The ids of the other users who take part.
    #[graphql(default)]
    pub user_ids: Vec<ID>,
    /// The ids of the people at the customer who take part.
    #[graphql(default)]
    pub contact_ids: Vec<ID>,
    /// How long before it the users who take part are reminded, each in Rapport and as they chose: up to 10.
    #[graphql(default)]
    pub reminders: Vec<Duration>,
}

/// A change of an appointment. What is absent stays; what is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateAppointmentInput {
    /// What it is about, up to 200 characters.
    pub subject: Option<String>,
    /// When it takes place. Those who take part are asked again whether they come.
    pub when: Option<WhenInput>,
    /// The IANA zone on whose clock it is planned; the time on the clock stays.
    pub time_zone: Option<String>,
    /// How it comes again, as RFC 5545's RRULE; once when null.
    pub repeats: MaybeUndefined<String>,
    /// What there is to say about it: plain text with line breaks, up to 5000 characters.
    pub description: MaybeUndefined<String>,
    /// Where, or the address of a meeting online, up to 500 characters.
    pub location: MaybeUndefined<String>,
    /// The id of the user who invites to it, who takes part.
    pub organizer_id: Option<ID>,
    /// The ids of the users who take part, besides who invites to it. Others do not take part any more.
    pub user_ids: Option<Vec<ID>>,
    /// The ids of the people at the customer who take part. Others do not take part any more.
    pub contact_ids: Option<Vec<ID>>,
}

/// How much of a series is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum SeriesPart {
    /// The occurrence alone.
    This,
    /// The occurrence, and all after it.
    ThisAndFollowing,
}

/// Part of a series.
#[derive(Clone, Copy, Debug, InputObject)]
pub struct OccurrenceInput {
    /// When the occurrence begins, as the series says, which `calendar` gives as `occurrenceAt`.
    pub at: DateTime<Utc>,
    /// How much is meant.
    #[graphql(default_with = "SeriesPart::This")]
    pub part: SeriesPart,
}

/// The part of an appointment that is meant: all of it when nothing is said.
fn part(given: Option<OccurrenceInput>) -> Part {
    match given {
        None => Part::All,
        Some(OccurrenceInput { at, part: SeriesPart::This }) => Part::This(at),
        Some(OccurrenceInput { at, part: SeriesPart::ThisAndFollowing }) => Part::Following(at),
    }
}

impl CreateAppointmentInput {
    fn parse(self) -> Result<New, Vec<UserError>> {
        let customer = self.customer_id.map(|id| parse(&id, &["input", "customerId"]));
        let organizer = self.organizer_id.map(|id| parse(&id, &["input", "organizerId"]));
        Ok(New {
            subject: self.subject,
            when: self.when.into(),
            time_zone: self.time_zone,
            rule: self.repeats,
            description: self.description,
            location: self.location,
            customer: customer.transpose()?,
            organizer: organizer.transpose()?,
            invited: Invited {
                users: parse_all(&self.user_ids, &["input", "userIds"])?,
                contacts: parse_all(&self.contact_ids, &["input", "contactIds"])?,
            },
            remind: lengths(self.reminders),
        })
    }
}

impl UpdateAppointmentInput {
    fn parse(self) -> Result<Change, Vec<UserError>> {
        let organizer = self.organizer_id.map(|id| parse(&id, &["input", "organizerId"]));
        let users = self.user_ids.map(|ids| parse_all(&ids, &["input", "userIds"]));
        let contacts = self.contact_ids.map(|ids| parse_all(&ids, &["input", "contactIds"]));
        Ok(Change {
            subject: self.subject,
            when: self.when.map(Into::into),
            time_zone: self.time_zone,
            rule: change(self.repeats),
            description: change(self.description),
            location: change(self.location),
            organizer: organizer.transpose()?,
            users: users.transpose()?,
            contacts: contacts.transpose()?,
        })
    }
}

fn lengths(given: Vec<Duration>) -> Vec<TimeDelta> {
    given.into_iter().map(|length| length.0).collect()
}

payload! {
    /// What came of making an appointment.
    CreateAppointmentPayload {
        /// The new appointment; null when it was refused, or when it is one that you do not see.
        appointment: appointment::Entity
    }
}

payload! {
    /// What came of changing an appointment.
    UpdateAppointmentPayload {
        /// What was changed: the appointment, or the one that the part of the series is now; null when that was refused.
        appointment: appointment::Entity
    }
}

payload! {
    /// What came of saying that an appointment was held.
    HoldAppointmentPayload {
        /// What was held: the appointment, or the one that the occurrence is now; null when that was refused.
        appointment: appointment::Entity
    }
}

payload! {
    /// What came of calling off an appointment.
    CancelAppointmentPayload {
        /// What was called off, or the series that ends earlier now; null when that was refused.
        appointment: appointment::Entity
    }
}

payload! {
    /// What came of answering an invitation.
    RespondToAppointmentPayload {
        /// The appointment, or the one that the part of the series is now; null when that was refused.
        appointment: appointment::Entity
    }
}

records! {
    /// Deleting appointments.
    AppointmentEditMutation of appointment by WriteAppointments;
    delete delete_appointment -> DeleteAppointmentPayload: "Deletes an appointment: lists and calendars leave it out, a series with all its exceptions. Nobody is told; `cancelAppointment` tells those who take part.";
    restore restore_appointment -> RestoreAppointmentPayload: "Takes the deletion of an appointment back.";
}

/// Making appointments, changing them, and saying what became of them.
#[derive(Default)]
pub struct AppointmentMutation;

/// Making appointments, changing them, and saying what became of them.
#[Object]
impl AppointmentMutation {
    /// Makes an appointment, or a series.
    #[graphql(guard = "Can(Permission::WriteAppointments)")]
    async fn create_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment.")] input: CreateAppointmentInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's appointment."
        )]
        idempotency_key: Option<String>,
    ) -> Result<CreateAppointmentPayload, Fault> {
        let mut once = Once::new(idempotency_key.as_deref(), "createAppointment", &input);
        let customer = input.customer_id.clone();
        if let Some(customer) = &customer {
            let path = &["input", "customerId"];
            once = once.within(Permission::WriteAppointments, customer, path);
        }
        let mut new = match input.parse() {
            Ok(new) => new,
            Err(errors) => return Ok(Err(errors).into()),
        };
        new.organizer = new.organizer.or(Some(ctx.viewer()?.user));
        let work = write(ctx, once, move |txn, actor, now| {
            let made = appointment::arrange(txn, new.clone(), actor, now);
            async move { Ok(made.await?.id.into()) }.boxed()
        });
        Ok(work.await?.into())
    }

    /// Changes an appointment, or part of a series, which becomes an appointment of its own then. Of a series that gets
    /// other times those exceptions go that stand for a time which it does not have any more.
    #[graphql(guard = "Can(Permission::WriteAppointments)")]
    async fn update_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateAppointmentInput,
        #[graphql(desc = "The part of the series that changes; all of it when absent.")]
        occurrence: Option<OccurrenceInput>,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateAppointmentPayload, Fault> {
        let (once, target) = about("updateAppointment", &id, &input);
        let (id, change) = match target.and_then(|id| Ok((id, input.parse()?))) {
            Ok(both) => both,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let part = part(occurrence);
        let work = write(ctx, once, move |txn, actor, now| {
            let change = change.clone();
            let made = appointment::rearrange(txn, id, part, change, expected_version, actor, now);
            async move { Ok(made.await?.id.into()) }.boxed()
        });
        Ok(work.await?.into())
    }

    /// Says that an appointment, or an occurrence of a series, has taken place, or has not because somebody did not come.
    /// Saying the same again changes nothing.
    #[graphql(guard = "Can(Permission::WriteAppointments)")]
    async fn hold_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment's id.")] id: ID,
        #[graphql(
            desc = "When the occurrence of the series begins; for a series it has to be said."
        )]
        occurrence_at: Option<DateTime<Utc>>,
        #[graphql(desc = "Whether somebody did not come; they came when absent.")] missed: Option<
            bool,
        >,
        #[graphql(
            desc = "What came of it: plain text with line breaks, up to 5000 characters; what is known stays when absent."
        )]
        note: Option<String>,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<HoldAppointmentPayload, Fault> {
        let turn = if missed == Some(true) { Turn::Miss(note) } else { Turn::Hold(note) };
        let part = occurrence_at.map_or(Part::All, Part::This);
        let once = about("holdAppointment", &id, &id);
        Ok(turn_of(ctx, once, part, turn, expected_version).await?.into())
    }

    /// Calls an appointment off, or part of a series: it does not take place. Doing so again changes nothing.
    #[graphql(guard = "Can(Permission::WriteAppointments)")]
    async fn cancel_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment's id.")] id: ID,
        #[graphql(desc = "The part of the series that is called off; all of it when absent.")]
        occurrence: Option<OccurrenceInput>,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CancelAppointmentPayload, Fault> {
        let once = about("cancelAppointment", &id, &id);
        let part = part(occurrence);
        Ok(turn_of(ctx, once, part, Turn::Cancel, expected_version).await?.into())
    }

    /// Says whether you come to an appointment that you take part in, or to part of a series.
    #[graphql(guard = "LoggedIn")]
    async fn respond_to_appointment(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment's id.")] id: ID,
        #[graphql(desc = "Whether you come.")] response: AttendeeResponse,
        #[graphql(desc = "The part of the series that you mean; all of it when absent.")]
        occurrence: Option<OccurrenceInput>,
    ) -> Result<RespondToAppointmentPayload, Fault> {
        ctx.viewer()?;
        let once = Once::new(None, "respondToAppointment", &response).about(&id);
        let id = match parse::<AppointmentId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let (part, response) = (part(occurrence), Response::from(response));
        let work = write(ctx, once, move |txn, actor, now| {
            let answered = appointment::respond(txn, id, part, response, actor, now);
            async move { Ok(answered.await?.id.into()) }.boxed()
        });
        Ok(work.await?.into())
    }
}

/// A request about the appointment with the id.
fn about(
    operation: &'static str,
    id: &ID,
    input: &impl InputType,
) -> (Once<'static>, Result<AppointmentId, Vec<UserError>>) {
    let once = Once::new(None, operation, input);
    let once = once.within(Permission::WriteAppointments, id, &["id"]);
    (once, parse(id, &["id"]))
}

/// Says what has become of an appointment.
async fn turn_of(
    ctx: &Context<'_>,
    (once, id): (Once<'static>, Result<AppointmentId, Vec<UserError>>),
    part: Part,
    turn: Turn,
    expected_version: Option<i32>,
) -> Result<Outcome, Fault> {
    let id = match id {
        Ok(id) => id,
        Err(errors) => return Ok(Err(errors)),
    };
    let work = write(ctx, once, move |txn, actor, now| {
        let turned = appointment::turn(txn, id, part, turn.clone(), expected_version, actor, now);
        async move { Ok(turned.await?.id.into()) }.boxed()
    });
    work.await
}
