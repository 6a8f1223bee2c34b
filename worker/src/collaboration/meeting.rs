//! The mails about appointments. Invariant: they say what holds when they are written, also when that is not any more
//! what they were planned for.

use std::collections::{BTreeSet, HashMap};

use entity::access::organisation;
use entity::automation::message;
use entity::collaboration::appointment::{self, attendee};
use entity::customers::{contact, customer};
use entity::id::{AttendeeId, ContactId, CustomerId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use crate::document::{MeetingFacts, News, Party};

/// What a message says, and where it goes.
pub struct Letter {
    /// What it is written from.
    pub facts: MeetingFacts,
    /// The address of who takes part; `None` when there is none.
    pub email: Option<String>,
}

/// The letters of `messages`, in their order. `None` where somebody does not take part any more.
///
/// # Errors
/// The database.
pub async fn letters(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
) -> Result<Vec<Option<Letter>>, entity::Error> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let organisation = Party::from(organisation::get(db).await?);
    let subjects = messages.iter().map(|message| message.subject_id);
    let there = attendee::Entity::find().filter(attendee::Column::Id.is_in(subjects));
    let there: HashMap<AttendeeId, attendee::Model> =
        there.all(db).await?.into_iter().map(|row| (row.id, row)).collect();
    let ids: BTreeSet<_> = there.values().map(|row| row.appointment_id).collect();
    let email = organisation.email.as_deref().unwrap_or_default();
    let meetings = appointment::invitations(db, &ids, (&organisation.name, email)).await?;
    let contacts = there.values().filter_map(|row| row.contact_id);
    let contacts = contact::Entity::find().filter(contact::Column::Id.is_in(contacts));
    let contacts: HashMap<ContactId, contact::Model> =
        contacts.all(db).await?.into_iter().map(|row| (row.id, row)).collect();
    let customers = messages.iter().filter_map(|message| message.customer_id);
    let customers = customer::Entity::find().filter(customer::Column::Id.is_in(customers));
    let customers: HashMap<CustomerId, customer::Model> =
        customers.all(db).await?.into_iter().map(|row| (row.id, row)).collect();
    let letter = |message: &message::Model| {
        let attendee = there.get(&AttendeeId(message.subject_id))?;
        let meeting = meetings.get(&attendee.appointment_id)?;
        let contact = contacts.get(&attendee.contact_id?)?;
        let customer = customers.get(&message.customer_id?)?;
        let row = &meeting.appointment;
        let zone = row.zone();
        let news = match row.sequence > 0 && attendee.created_at < row.updated_at {
            _ if meeting.cancelled => News::Cancelled,
            true => News::Changed,
            false => News::Invited,
        };
        let facts = MeetingFacts {
            language: customer.language.clone(),
            name: contact.name.clone(),
            organizer: meeting.organizer.as_ref().map(|user| user.name.clone()),
            subject: row.subject.clone(),
            description: row.description.clone(),
            location: row.location.clone(),
            starts: row.start_local,
            ends: row.ends_at.with_timezone(&zone).naive_local(),
            time_zone: row.time_zone.clone(),
            all_day: row.all_day,
            repeats: row.rule.is_some(),
            news,
            calendar: meeting.calendar.clone(),
            organisation: organisation.clone(),
        };
        Some(Letter { facts, email: contact.email.clone() })
    };
    Ok(messages.iter().map(letter).collect())
}
