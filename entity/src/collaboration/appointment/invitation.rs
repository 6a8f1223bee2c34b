//! What those who take part in appointments get to know of them, as their calendars take it.
//!
//! Invariant: it says what holds when it is asked for. An exception goes by the id of its series and the start that it
//! stands for (RFC 5545, 3.8.4.4), so that calendars put it in that place.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDateTime;
use chrono_tz::Tz;
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;

use super::attendee::{self, Response};
use super::{Column, DAY_MIN, Entity, Model, State};
use crate::access::user;
use crate::collaboration::calendar_file::{self, Answer, Attendee, Method, Status, When};
use crate::customers::contact;
use crate::error::Error;
use crate::id::{AppointmentId, ContactId, Id, UserId};

/// An appointment with what calendars take of it.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The appointment.
    pub appointment: Model,
    /// Who invites to it.
    pub organizer: Option<user::Model>,
    /// Whether it does not take place.
    pub cancelled: bool,
    /// The text of the calendar file.
    pub calendar: String,
}

/// The appointments with the ids, with what those who take part get to know of them; `ours` is the name and the address
/// that they come from where no user invites.
///
/// # Errors
/// The database.
pub async fn invitations(
    db: &impl ConnectionTrait,
    ids: &BTreeSet<AppointmentId>,
    ours: (&str, &str),
) -> Result<HashMap<AppointmentId, Invitation>, Error> {
    let rows = Entity::find().filter(Column::Id.is_in(ids.iter().copied())).all(db).await?;
    let series: Vec<_> = rows.iter().filter_map(|row| row.series_id).collect();
    let series = Entity::find().filter(Column::Id.is_in(series)).all(db).await?;
    let zones: HashMap<AppointmentId, Option<Tz>> =
        series.iter().map(|row| (row.id, (!row.all_day).then(|| row.zone()))).collect();
    let gone = Entity::find()
        .filter(Column::SeriesId.is_in(ids.iter().copied()))
        .filter(Column::State.eq(State::Cancelled).or(Column::DeletedAt.is_not_null()))
        .order_by_asc(Column::OriginalLocal);
    let mut except: HashMap<AppointmentId, Vec<NaiveDateTime>> = HashMap::new();
    for row in gone.all(db).await? {
        if let Some((series, start)) = row.series_id.zip(row.original_local) {
            except.entry(series).or_default().push(start);
        }
    }
    let there = attendee::Entity::find()
        .filter(attendee::Column::AppointmentId.is_in(ids.iter().copied()))
        .order_by_asc(attendee::Column::Id)
        .all(db)
        .await?;
    let users = there.iter().filter_map(|row| row.user_id);
    let users: Vec<_> = users.chain(rows.iter().filter_map(|row| row.organizer_id)).collect();
    let users = user::Entity::find().filter(user::Column::Id.is_in(users)).all(db).await?;
    let users: HashMap<UserId, user::Model> = users.into_iter().map(|row| (row.id, row)).collect();
    let contacts = there.iter().filter_map(|row| row.contact_id);
    let contacts = contact::Entity::find().filter(contact::Column::Id.is_in(contacts));
    let contacts: HashMap<ContactId, contact::Model> =
        contacts.all(db).await?.into_iter().map(|row| (row.id, row)).collect();
    let invitation = |row: Model| {
        let organizer = row.organizer_id.and_then(|id| users.get(&id)).cloned();
        let attending = there.iter().filter(|one| one.appointment_id == row.id);
        let attendees = attending.filter_map(|one| {
            let user = one.user_id.and_then(|id| users.get(&id));
            let user = user.map(|user| (&user.name, Some(&user.email)));
            let contact = || one.contact_id.and_then(|id| contacts.get(&id));
            let contact = || contact().map(|contact| (&contact.name, contact.email.as_ref()));
            let (name, email) = user.or_else(contact)?;
            let (name, email) = (name.clone(), email?.clone());
            Some(Attendee { name, email, status: one.response.into(), optional: false })
        });
        let attendees = attendees.collect();
        let cancelled = row.state == State::Cancelled || row.deleted_at.is_some();
        let (name, email) = match &organizer {
            Some(user) => (user.name.clone(), user.email.clone()),
            None => (ours.0.to_owned(), ours.1.to_owned()),
        };
        let entry = calendar_file::Entry {
            organizer: Some((name, email)),
            attendees,
            except: except.remove(&row.id).unwrap_or_default(),
            series_zone: row.series_id.and_then(|series| zones.get(&series).copied().flatten()),
            ..row.entry()
        };
        let method = if cancelled { Method::Cancel } else { Method::Request };
        let calendar = calendar_file::calendar(None, method, &[entry]);
        (row.id, Invitation { appointment: row, organizer, cancelled, calendar })
    };
    Ok(rows.into_iter().map(invitation).collect())
}

impl Model {
    /// What calendar files say of it, apart from who takes part and what is left out.
    pub(super) fn entry(&self) -> calendar_file::Entry {
        let minutes = i64::from(self.duration_min);
        let when = match self.all_day {
            true => {
                When::Days { first: self.start_local.date(), days: minutes / i64::from(DAY_MIN) }
            }
            false => When::Timed { start: self.start_local, minutes, zone: self.zone() },
        };
        calendar_file::Entry {
            uid: self.series_id.unwrap_or(self.id).global(),
            sequence: self.sequence,
            when,
            rule: self.rule.clone(),
            except: Vec::new(),
            original: self.original_local,
            series_zone: None,
            subject: self.subject.clone(),
            description: self.description.clone(),
            location: self.location.clone(),
            status: Status::Confirmed,
            organizer: None,
            attendees: Vec::new(),
            stamp: self.updated_at,
            alarms_before_s: Vec::new(),
        }
    }
}

impl From<Response> for Answer {
    fn from(response: Response) -> Self {
        match response {
            Response::Awaited => Self::NeedsAction,
            Response::Accepted => Self::Accepted,
            Response::Tentative => Self::Tentative,
            Response::Declined => Self::Declined,
        }
    }
}
