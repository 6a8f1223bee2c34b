//! Making an appointment, and changing it: one occurrence, that and those after it, or all of them.
//!
//! Invariant: who takes part, what they are sent, the reminders and the exceptions of a series follow in the same
//! transaction.

use chrono::TimeDelta;
use sea_orm::ActiveValue::{NotSet, Set};
use sea_orm::entity::prelude::*;
use serde_json::json;

use super::attendee::{self, Invited, Response};
use super::part::{self, Part};
use super::{ActiveModel, Entity, Model, When};
use crate::access::{Actor, user};
use crate::automation::message;
use crate::collaboration::reminder;
use crate::customers::parse_zone;
use crate::edit;
use crate::error::Error;
use crate::id::{AppointmentId, ContactId, CustomerId, UserId};

/// An appointment to be.
#[derive(Clone, Debug)]
pub struct New {
    /// What it is about.
    pub subject: String,
    /// When it takes place; the first time, when it comes again.
    pub when: When,
    /// The IANA zone on whose clock it is planned; that of who invites to it if absent.
    pub time_zone: Option<String>,
    /// How it comes again, as RFC 5545's RRULE.
    pub rule: Option<String>,
    /// What there is to say about it.
    pub description: Option<String>,
    /// Where.
    pub location: Option<String>,
    /// Whom it is with.
    pub customer: Option<CustomerId>,
    /// Who invites to it.
    pub organizer: Option<UserId>,
    /// Who takes part.
    pub invited: Invited,
    /// How long before it they are reminded.
    pub remind: Vec<TimeDelta>,
}

/// A change of an appointment. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What it is about.
    pub subject: Option<String>,
    /// When it takes place.
    pub when: Option<When>,
    /// The IANA zone on whose clock it is planned; the time on the clock stays.
    pub time_zone: Option<String>,
    /// How it comes again, as RFC 5545's RRULE.
    pub rule: Option<Option<String>>,
    /// What there is to say about it.
    pub description: Option<Option<String>>,
    /// Where.
    pub location: Option<Option<String>>,
    /// Who invites to it.
    pub organizer: Option<UserId>,
    /// The users who take part.
    pub users: Option<Vec<UserId>>,
    /// The people at the customer who take part.
    pub contacts: Option<Vec<ContactId>>,
}

/// Makes an appointment.
///
/// # Errors
/// `Invalid` with all fields that are wrong, that there is no such customer, user or contact.
pub async fn arrange(
    txn: &impl ConnectionTrait,
    new: New,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    ensure_organizer(txn, new.organizer).await?;
    let zone = match new.time_zone.as_deref() {
        Some(zone) => parse_zone(zone)?,
        None => user::zone_of(txn, new.organizer).await?,
    };
    let remind = reminder::seconds(&new.remind)?;
    let (start, minutes, all_day) = new.when.local(zone);
    let row = ActiveModel {
        customer_id: Set(new.customer),
        organizer_id: Set(new.organizer),
        subject: Set(new.subject),
        description: Set(new.description),
        location: Set(new.location),
        start_local: Set(start),
        time_zone: Set(zone.name().to_owned()),
        duration_min: Set(minutes),
        all_day: Set(all_day),
        rule: Set(new.rule),
        series_id: Set(None),
        original_local: Set(None),
        original_at: Set(None),
        sequence: Set(0),
        remind_s: Set(json!(remind)),
        ..Default::default()
    };
    new.invited.ensure(txn, new.customer).await?;
    let row = edit::create::<Entity>(txn, row, actor, now).await?;
    attendee::set(txn, &row, &new.invited, actor, now).await?;
    fit(txn, &row, now).await?;
    announce(txn, &row, actor, now).await?;
    Ok(row)
}

/// Changes an appointment, or part of a series; gives what was changed, which is another one for a part. Exceptions
/// that stand for a start that the series does not have any more go.
///
/// # Errors
/// `Invalid` with all fields that are wrong, that there is none, that there is no such user or contact,
/// [`super::super::CollaborationError`], [`Error::StaleVersion`].
pub async fn rearrange(
    txn: &impl ConnectionTrait,
    id: AppointmentId,
    part: Part,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = edit::lock_present::<Entity>(txn, id, expected_version).await?;
    row.ensure_planned()?;
    let row = part::of(txn, row, part, actor, now).await?;
    if row.series_id.is_some() && change.rule.is_some() {
        let message = "one occurrence does not come again by itself; change the series";
        return Err(Error::invalid("repeats", message));
    }
    // What does not change is no news for those who take part.
    if change == Change::default() {
        return Ok(row);
    }
    change_whole(txn, row, change, actor, now).await
}

async fn change_whole(
    txn: &impl ConnectionTrait,
    before: Model,
    change: Change,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    ensure_organizer(txn, change.organizer).await?;
    let zone = change.time_zone.as_deref().map(parse_zone).transpose()?;
    let when = change.when.map(|when| when.local(zone.unwrap_or_else(|| before.zone())));
    let row = ActiveModel {
        subject: change.subject.map_or(NotSet, Set),
        start_local: when.map_or(NotSet, |(start, ..)| Set(start)),
        duration_min: when.map_or(NotSet, |(_, minutes, _)| Set(minutes)),
        all_day: when.map_or(NotSet, |(.., all_day)| Set(all_day)),
        time_zone: zone.map_or(NotSet, |zone| Set(zone.name().to_owned())),
        rule: change.rule.map_or(NotSet, Set),
        description: change.description.map_or(NotSet, Set),
        location: change.location.map_or(NotSet, Set),
        organizer_id: change.organizer.map_or(NotSet, |organizer| Set(Some(organizer))),
        sequence: Set(before.sequence + 1),
        ..Default::default()
    };
    let row = edit::update::<Entity>(txn, before.id, row, None, actor, now).await?;
    if change.users.is_some()
        || change.contacts.is_some()
        || row.organizer_id != before.organizer_id
    {
        let there = attendee::of(txn, row.id).await?;
        let users = || there.iter().filter_map(|row| row.user_id).collect();
        let contacts = || there.iter().filter_map(|row| row.contact_id).collect();
        let invited = Invited {
            users: change.users.unwrap_or_else(users),
            contacts: change.contacts.unwrap_or_else(contacts),
        };
        invited.ensure(txn, row.customer_id).await?;
        attendee::set(txn, &row, &invited, actor, now).await?;
    }
    let time = |row: &Model| (row.starts_at, row.ends_at, row.rule.clone());
    if time(&row) != time(&before) {
        attendee::ask_again(txn, &row).await?;
        part::refit(txn, &row, row.time_zone != before.time_zone).await?;
    }
    fit(txn, &row, now).await?;
    announce(txn, &row, actor, now).await?;
    Ok(row)
}

/// Says how long before an appointment those who take part are reminded.
///
/// # Errors
/// `Invalid` for too many or too early ones, that there is no such appointment.
pub async fn remind(
    txn: &impl ConnectionTrait,
    id: AppointmentId,
    before: &[TimeDelta],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let remind = reminder::seconds(before)?;
    let row = edit::lock_present::<Entity>(txn, id, None).await?;
    if row.reminded() == remind {
        return Ok(row);
    }
    let change = ActiveModel { remind_s: Set(json!(remind)), ..Default::default() };
    let row = edit::update::<Entity>(txn, id, change, None, actor, now).await?;
    fit(txn, &row, now).await?;
    Ok(row)
}

/// Lets the reminders of an appointment follow who takes part, and how early they are reminded.
pub(super) async fn fit(
    txn: &impl ConnectionTrait,
    row: &Model,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let there = attendee::of(txn, row.id).await?;
    let come = there.into_iter().filter(|row| row.response != Response::Declined);
    let users = come.filter_map(|row| row.user_id).collect::<Vec<_>>();
    reminder::fit(txn, row.id, row.due(now).at, &users, &row.reminded(), now).await
}

/// Plans mails to the customer's people who take part, as far as it is not over; users see it in Rapport.
pub(super) async fn announce(
    txn: &impl ConnectionTrait,
    row: &Model,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let is_over = row.last_ends_at.is_some_and(|end| end <= now);
    let Some(customer) = row.customer_id.filter(|_| !is_over) else { return Ok(()) };
    let there = attendee::of(txn, row.id).await?.into_iter();
    let theirs = there.filter(|one| one.contact_id.is_some() && one.response != Response::Declined);
    let theirs = theirs.map(|one| one.id).collect::<Vec<_>>();
    message::plan_meetings(txn, customer, &theirs, row.sequence, actor, now).await
}

async fn ensure_organizer(
    txn: &impl ConnectionTrait,
    organizer: Option<UserId>,
) -> Result<(), Error> {
    match edit::active(txn, organizer).await? == organizer {
        true => Ok(()),
        false => Err(Error::no_such::<user::Entity>().at(&["input", "organizerId"])),
    }
}
