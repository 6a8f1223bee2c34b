//! The people who work with Rapport. Invariant: an address belongs to one user, and is lower case.

mod known;

use std::collections::{HashMap, HashSet};

use chrono_tz::Tz;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{QuerySelect, QueryTrait};

use super::session::Ending;
use super::{
    AccessError, Actor, Role, Viewer, absence, grant, membership, organisation, password,
    password_reset, position, role, session,
};
use crate::catalog::catalog;
use crate::customers::{parse_email, parse_language, parse_required, parse_zone};
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{Id, PositionId, RoleId, UserId};

pub use known::{viewer, viewer_in, viewers};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_account")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: UserId,
    /// Where mail reaches them, and what they log in with.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The PHC string of their password; empty, which no password opens, while they have none.
    pub password_hash: String,
    /// What they may do.
    pub role_id: RoleId,
    /// Where they stand in the reporting line.
    pub position_id: Option<PositionId>,
    /// The language they are told things in; the organisation's when they have not chosen.
    pub language: Option<String>,
    /// The IANA zone they live in; the organisation's when they have not chosen.
    pub time_zone: Option<String>,
    /// When they were last invited, while they have no password yet.
    pub invited_at: Option<DateTimeUtc>,
    /// When an administrator last took their second factor away.
    pub second_factor_reset_at: Option<DateTimeUtc>,
    /// When an administrator last ended their sessions.
    pub sessions_ended_at: Option<DateTimeUtc>,
    /// Since when they may not log in.
    pub disabled_at: Option<DateTimeUtc>,
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

edited!();

impl Model {
    /// The zone they live in, if they have chosen one.
    #[must_use]
    pub fn zone(&self) -> Option<Tz> {
        self.time_zone.as_deref()?.parse().ok()
    }
}

catalog! {
    /// A user of Rapport: somebody who works in the organisation.
    User (user, users) of Entity, versioned by Column::Version;
    /// What they are called.
    name: text(Column::Name).filtered().ordered(),
    /// What they log in with.
    email: text(Column::Email).filtered().unique(),
    /// What they may do.
    role: one::<role::Entity>(Column::RoleId),
    /// Where they stand in the reporting line; null when nowhere.
    position: one::<position::Entity>(Column::PositionId),
    /// The teams they are in.
    memberships: list::<membership::Entity, _>(
        membership::Column::UserId, membership::Column::Id, 3,
    ).filtered(),
    /// When they are away.
    absences: list::<absence::Entity, _>(absence::Column::UserId, absence::Column::StartsAt, 3)
        .filtered(),
    /// The language they are told things in, as a tag such as `vi` or `en-GB`; null while it is the
    /// organisation's.
    language: text(Column::Language).filtered(),
    /// The IANA zone on whose clock their calendar is; null while it is the organisation's.
    time_zone: text(Column::TimeZone).filtered(),
    /// When they were last invited; null once they have chosen a password.
    invited_at: instant(Column::InvitedAt).filtered(),
    /// Since when they may not log in; null while they may.
    disabled_at: instant(Column::DisabledAt).filtered(),
}

/// A user to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What they log in with.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The PHC string from [`password::hash`]; absent for whoever is invited to choose one.
    pub password_hash: Option<String>,
    /// What they may do.
    pub role: RoleId,
    /// Where they stand in the reporting line.
    pub position: Option<PositionId>,
    /// The language they are told things in; the organisation's when absent.
    pub language: Option<String>,
}

/// A change of a user. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What they log in with.
    pub email: Option<String>,
    /// What they are called.
    pub name: Option<String>,
    /// What they may do.
    pub role: Option<RoleId>,
    /// Where they stand in the reporting line.
    pub position: Option<Option<PositionId>>,
    /// Whether they may log in.
    pub enabled: Option<bool>,
}

/// Adds a user.
///
/// # Errors
/// `Invalid` for a malformed address or language, [`Error::NotUnique`],
/// [`Error::NoSuch`].
pub async fn create(
    txn: &impl ConnectionTrait,
    new: NewUser,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    ensure_place(txn, Some(new.role), new.position).await?;
    let row = ActiveModel {
        id: Set(UserId::new(now)),
        email: Set(parse_email(&new.email)?.to_lowercase()),
        name: Set(parse_required("name", &new.name, 200)?),
        invited_at: Set(new.password_hash.is_none().then_some(now)),
        password_hash: Set(new.password_hash.unwrap_or_default()),
        role_id: Set(new.role),
        position_id: Set(new.position),
        language: Set(new.language.as_deref().map(parse_language).transpose()?),
        time_zone: Set(None),
        second_factor_reset_at: Set(None),
        sessions_ended_at: Set(None),
        disabled_at: Set(None),
        created_at: Set(now),
        created_by: Set(actor.user()),
        updated_at: Set(now),
        updated_by: Set(actor.user()),
        version: Set(1),
    };
    Ok(row.insert(txn).await?)
}

/// The user who logs in with `email`, whether or not they may.
///
/// # Errors
/// The database.
pub async fn by_email(db: &impl ConnectionTrait, email: &str) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::Email.eq(email.trim().to_lowercase())).one(db).await
}

/// Makes sure that the viewer may do all that a user and their role to be let do, and may place them or let
/// them in by another address, where the change does that. Without a user it is about one who is to be added.
///
/// # Errors
/// [`Error::NoSuch`], [`AccessError::BeyondYourRole`], [`AccessError::BeyondYourReach`].
pub async fn ensure_manageable(
    txn: &impl ConnectionTrait,
    user: Option<UserId>,
    change: &Change,
    viewer: &Viewer,
) -> Result<(), Error> {
    let user = match user {
        Some(id) => {
            Some(Entity::find_by_id(id).one(txn).await?.ok_or_else(Error::no_such::<Entity>)?)
        }
        None => None,
    };
    let roles = user.as_ref().map(|user| user.role_id).into_iter().chain(change.role);
    for role in roles {
        role::ensure(txn, role, viewer).await?;
    }
    let place = change.position.flatten();
    let is_placed = place.is_some() && place != user.as_ref().and_then(|user| user.position_id);
    // A forgotten password goes to the address, so that whoever sets it gets what the user reaches.
    let is_taken = user.is_some_and(|user| user.id != viewer.user) && change.email.is_some();
    if is_placed || is_taken {
        grant::ensure_all(txn, viewer).await?;
    }
    Ok(())
}

/// Changes a user, if they still have `expected_version` (where one is given). With another address, or when
/// they may not log in any more, the links that they were sent for choosing a password are void.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], [`AccessError::LastAdministrator`], and those of
/// [`create`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: UserId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    // Whoever takes an administrator away holds their role, so that two cannot take each other's last.
    let role = role::Entity::find_by_id(Role::Administrator.id()).lock_exclusive();
    role.one(txn).await?;
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    let mut has_links = change.enabled != Some(false);
    ensure_place(txn, change.role, change.position.flatten()).await?;
    if let Some(email) = change.email {
        let email = parse_email(&email)?.to_lowercase();
        has_links = has_links && email == row.email;
        row.email = email;
    }
    if let Some(name) = change.name {
        row.name = parse_required("name", &name, 200)?;
    }
    row.role_id = change.role.unwrap_or(row.role_id);
    row.position_id = change.position.unwrap_or(row.position_id);
    row.disabled_at = match change.enabled {
        Some(true) => None,
        Some(false) => row.disabled_at.or(Some(now)),
        None => row.disabled_at,
    };
    if !has_links {
        // Those that were not looked up yet are found by the address that the user still has.
        password_reset::void(txn, id, now).await?;
    }
    let row = save::<Entity>(txn, row, actor, now).await?;
    let administrators = Entity::find()
        .filter(Column::RoleId.eq(Role::Administrator.id()))
        .filter(Column::InvitedAt.is_null())
        .filter(Column::DisabledAt.is_null());
    match administrators.one(txn).await? {
        Some(_) => Ok(row),
        None => Err(AccessError::LastAdministrator.into()),
    }
}

async fn ensure_place(
    txn: &impl ConnectionTrait,
    role: Option<RoleId>,
    position: Option<PositionId>,
) -> Result<(), Error> {
    if let Some(role) = role {
        role::Entity::find_by_id(role)
            .one(txn)
            .await?
            .ok_or_else(|| Error::no_such::<role::Entity>().at(&["input", "roleId"]))?;
    }
    if let Some(position) = position {
        position::ensure(txn, position).await?;
    }
    Ok(())
}

/// Makes sure that all of `users` may log in.
///
/// # Errors
/// [`AccessError::NoSuchUser`].
pub async fn ensure_all(txn: &impl ConnectionTrait, users: &[UserId]) -> Result<(), Error> {
    let distinct: HashSet<_> = users.iter().copied().collect();
    if distinct.is_empty() {
        return Ok(());
    }
    let known = Entity::find().filter(Column::DisabledAt.is_null());
    let known = known.filter(Column::Id.is_in(distinct.iter().copied())).count(txn).await?;
    match usize::try_from(known) {
        Ok(known) if known == distinct.len() => Ok(()),
        _ => Err(AccessError::NoSuchUser.into()),
    }
}

/// Ends a user's sessions in an administrator's name, and notes it with the user, so that the audit log
/// tells who it was.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn end_sessions(
    txn: &impl ConnectionTrait,
    id: UserId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, None).await?;
    row.sessions_ended_at = Some(now);
    let row = save::<Entity>(txn, row, actor, now).await?;
    session::end_all(txn, id, None, Ending::Administrator, now).await?;
    Ok(row)
}

/// Notes in which language a user is told things; in the organisation's when `language` is absent.
///
/// # Errors
/// `Invalid` for what is no tag of a language, [`AccessError::NoSuchUser`].
pub async fn set_language(
    txn: &impl ConnectionTrait,
    id: UserId,
    language: Option<&str>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let mut row = row.ok_or(AccessError::NoSuchUser)?;
    row.language = language.map(parse_language).transpose()?;
    save::<Entity>(txn, row, actor, now).await
}

/// The zone that a user lives in; the organisation's where they have not chosen, or it is about nobody.
///
/// # Errors
/// The database.
pub async fn zone_of(db: &impl ConnectionTrait, user: Option<UserId>) -> Result<Tz, Error> {
    let user = match user {
        Some(id) => Entity::find_by_id(id).one(db).await?,
        None => None,
    };
    match user.and_then(|user| user.zone()) {
        Some(zone) => Ok(zone),
        None => Ok(organisation::get(db).await?.zone()),
    }
}

/// The ids of users who may log in.
pub(crate) fn active() -> SelectStatement {
    let active = Entity::find().select_only().column(Column::Id);
    QueryTrait::into_query(active.filter(Column::DisabledAt.is_null()))
}

/// The zones that users live in; the organisation's where they have not chosen.
///
/// # Errors
/// The database.
pub(crate) async fn zones(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashMap<UserId, Tz>, Error> {
    let ours = organisation::get(db).await?.zone();
    let chosen = Entity::find().select_only().columns([Column::Id, Column::TimeZone]);
    let chosen = chosen.filter(Column::Id.is_in(users)).into_tuple::<(UserId, Option<String>)>();
    let zone = |zone: Option<String>| zone.and_then(|zone| zone.parse().ok()).unwrap_or(ours);
    Ok(chosen.all(db).await?.into_iter().map(|(user, named)| (user, zone(named))).collect())
}

/// Notes in which zone a user lives; in the organisation's when `time_zone` is absent.
///
/// # Errors
/// `Invalid` for what is no IANA zone, [`AccessError::NoSuchUser`].
pub async fn set_time_zone(
    txn: &impl ConnectionTrait,
    id: UserId,
    time_zone: Option<&str>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).lock_exclusive().one(txn).await?;
    let mut row = row.ok_or(AccessError::NoSuchUser)?;
    let zone = time_zone.map(parse_zone).transpose()?;
    row.time_zone = zone.map(|zone| zone.name().to_owned());
    save::<Entity>(txn, row, actor, now).await
}

/// Gives a user another password, by its hash.
///
/// # Errors
/// [`AccessError::NoSuchUser`] for one who may not log in.
pub async fn set_password(
    txn: &impl ConnectionTrait,
    id: UserId,
    hash: String,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let enabled = Entity::find_by_id(id).filter(Column::DisabledAt.is_null());
    let mut row = enabled.lock_exclusive().one(txn).await?.ok_or(AccessError::NoSuchUser)?;
    row.password_hash = hash;
    row.invited_at = None;
    save::<Entity>(txn, row, actor, now).await
}

/// Replaces the hash of a user's password by a stronger one of the same password.
///
/// # Errors
/// The database.
pub async fn renew_hash(
    txn: &impl ConnectionTrait,
    id: UserId,
    old: String,
    new: String,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::PasswordHash, Expr::val(new))
        .filter(Column::Id.eq(id))
        .filter(Column::PasswordHash.eq(old))
        .exec(txn)
        .await?;
    Ok(())
}

/// Checks a password on the calling thread, which takes tens of milliseconds.
///
/// # Errors
/// [`AccessError::WrongCredentials`], whatever is wrong.
pub fn authenticate(user: Option<&Model>, given: &str) -> Result<UserId, AccessError> {
    let right = password::verify(given, user.map(|user| user.password_hash.as_str()));
    user.filter(|user| right && user.disabled_at.is_none())
        .map(|user| user.id)
        .ok_or(AccessError::WrongCredentials)
}
