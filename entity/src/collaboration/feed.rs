//! Calendars that other programs subscribe to: a secret address for each user who wants one.
//!
//! Invariant: a user has one address at most, of which the hash is kept; who has it reads what that user would see of
//! their own calendar at that moment, and nothing else.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::appointment;
use super::calendar::{self, Kind};
use super::calendar_file::{Entry, Method, Status, When, calendar};
use crate::access::Viewer;
use crate::access::secret::Secret;
use crate::catalog::Cataloged;
use crate::error::Error;
use crate::id::{AppointmentId, CallId, Id, TaskId, UserId};

/// How far a calendar reaches back.
const BACK: TimeDelta = TimeDelta::days(92);

/// How far ahead it has calls and tasks, and appointments that begin then at the latest.
const AHEAD: TimeDelta = TimeDelta::days(366);

/// The address of a user's calendar.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "calendar_feed")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// The hash of what the address ends with.
    pub secret_sha256: String,
    /// Since when.
    pub created_at: DateTimeUtc,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Gives a user's calendar the address that ends with a fresh secret; the one before leads nowhere any more.
///
/// # Errors
/// The database.
pub async fn open(
    txn: &impl ConnectionTrait,
    user: UserId,
    secret: &Secret,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let row = ActiveModel {
        user_id: Set(user),
        secret_sha256: Set(secret.sha256()),
        created_at: Set(now),
    };
    let instead = OnConflict::column(Column::UserId)
        .update_columns([Column::SecretSha256, Column::CreatedAt])
        .to_owned();
    Entity::insert(row).on_conflict(instead).exec_without_returning(txn).await?;
    Ok(())
}

/// Lets the address of a user's calendar lead nowhere. Doing so again changes nothing.
///
/// # Errors
/// The database.
pub async fn close(txn: &impl ConnectionTrait, user: UserId) -> Result<(), Error> {
    Entity::delete_by_id(user).exec(txn).await?;
    Ok(())
}

/// Whose calendar has the address that ends with a secret.
///
/// # Errors
/// The database.
pub async fn owner(db: &impl ConnectionTrait, secret: &Secret) -> Result<Option<UserId>, DbErr> {
    let row = Entity::find().filter(Column::SecretSha256.eq(secret.sha256())).one(db).await?;
    Ok(row.map(|row| row.user_id))
}

/// The calendar of a viewer as iCalendar text: appointments that they have not declined, calls and tasks.
///
/// # Errors
/// That it is too much, the database.
pub async fn text(
    db: &impl ConnectionTrait,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<String, Error> {
    let span = (now - BACK, now + AHEAD);
    let users = [viewer.user];
    let seen = appointment::Entity::record().visible(viewer);
    let mut entries = appointment::published(db, viewer.user, seen, span).await?;
    let others = calendar::entries(db, viewer, &users, span).await?;
    let others = others.into_iter().filter(|entry| entry.kind != Kind::Appointment);
    entries.extend(others.map(|entry| published(&entry, now)));
    Ok(calendar(Some("Rapport"), Method::Publish, &entries))
}

/// What is said of an entry of a calendar that comes once.
fn published(entry: &calendar::Entry, now: DateTimeUtc) -> Entry {
    let uid = match entry.kind {
        Kind::Appointment => AppointmentId(entry.id).global(),
        Kind::Call => CallId(entry.id).global(),
        Kind::Task => TaskId(entry.id).global(),
    };
    let minutes = (entry.ends_at - entry.starts_at).num_minutes();
    let start = entry.starts_at.naive_utc();
    Entry {
        uid,
        sequence: 0,
        when: When::Timed { start, minutes, zone: chrono_tz::Tz::UTC },
        rule: None,
        except: Vec::new(),
        original: None,
        series_zone: None,
        subject: entry.subject.clone(),
        description: None,
        location: None,
        status: Status::Confirmed,
        organizer: None,
        attendees: Vec::new(),
        stamp: now,
        alarms_before_s: Vec::new(),
    }
}
