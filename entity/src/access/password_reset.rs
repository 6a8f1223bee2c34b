//! Choosing a new password by mail, or the first one.
//!
//! ```text
//! request   a row and an event, whether or not there is such a user     (the API, now)
//! invite    the same for a user who has no password yet                 (the API, now)
//! resolve   whose they are: who is known gets a mail                    (the relay, later)
//! arm       the hash of the token, when the mail with it is written     (the sender)
//! redeem    the new password for the token, once
//! ```
//!
//! Invariant: asking does the same for an unknown address as for a known one, and the token is nowhere but
//! in the mail: each time that it is written it gets another one.

use std::collections::HashSet;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, Query};
use sea_orm::{DeriveActiveEnum, EnumIter, QuerySelect};

use super::secret::{self, Secret};
use super::session::{self, Ending};
use super::{AccessError, Actor, api_key, user};
use crate::automation::event;
use crate::edit::save;
use crate::error::Error;
use crate::id::{Id, PasswordResetId, UserId};

/// How long a token is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// How long the token of an invitation is good.
pub const INVITED: TimeDelta = TimeDelta::days(7);

/// How long it is remembered that somebody asked.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// What a password is chosen for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Purpose {
    /// Somebody has forgotten theirs.
    Reset,
    /// Somebody is invited, and has none.
    Invitation,
}

impl Purpose {
    /// The purpose of the tokens.
    #[must_use]
    pub fn secret(self) -> secret::Purpose {
        match self {
            Self::Reset => secret::Purpose::Reset,
            Self::Invitation => secret::Purpose::Invitation,
        }
    }
}

/// Somebody's wish for a new password.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "password_reset")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PasswordResetId,
    /// What for.
    pub purpose: Purpose,
    /// The address that was given, in lower case.
    pub email: String,
    /// Whose it is, once that was looked up; nobody's when no user has it.
    pub user_id: Option<UserId>,
    /// The hash of the token, once the mail was written.
    pub secret_sha256: Option<String>,
    /// When.
    pub requested_at: DateTimeUtc,
    /// Until when the token is good.
    pub expires_at: DateTimeUtc,
    /// When a password was chosen with it or with another one, or since when it is void.
    pub used_at: Option<DateTimeUtc>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A mail that a user is to get.
#[derive(Clone, Copy, Debug)]
pub struct Planned {
    /// For which wish.
    pub reset: PasswordResetId,
    /// What for.
    pub purpose: Purpose,
    /// To whom.
    pub user: UserId,
    /// After which it is not worth sending.
    pub expires_at: DateTimeUtc,
}

/// Notes that somebody wants a new password for `email`.
///
/// # Errors
/// The database.
pub async fn request(
    txn: &impl ConnectionTrait,
    email: &str,
    now: DateTimeUtc,
) -> Result<(), Error> {
    note(txn, Purpose::Reset, email, Actor::System, now).await
}

/// Adds a user without a password, and invites them to choose one.
///
/// # Errors
/// Those of [`user::create`].
pub async fn invite(
    txn: &impl ConnectionTrait,
    new: user::NewUser,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<user::Model, Error> {
    let user = user::create(txn, user::NewUser { password_hash: None, ..new }, actor, now).await?;
    note(txn, Purpose::Invitation, &user.email, actor, now).await?;
    Ok(user)
}

/// Invites a user again who has no password yet; the links that they were sent before are void.
///
/// # Errors
/// [`AccessError::NotInvited`] for one who has a password, or may not log in.
pub async fn invite_again(
    txn: &impl ConnectionTrait,
    id: UserId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<user::Model, Error> {
    let mut row = invited(txn, id).await?;
    void(txn, id, now).await?;
    row.invited_at = Some(now);
    let user = save::<user::Entity>(txn, row, actor, now).await?;
    note(txn, Purpose::Invitation, &user.email, actor, now).await?;
    Ok(user)
}

/// Takes an invitation back: its link is void, and the user may not log in.
///
/// # Errors
/// [`AccessError::NotInvited`].
pub async fn revoke(
    txn: &impl ConnectionTrait,
    id: UserId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<user::Model, Error> {
    invited(txn, id).await?;
    let change = user::Change { enabled: Some(false), ..user::Change::default() };
    user::update(txn, id, change, None, actor, now).await
}

/// The user, held, if they are invited and may accept.
async fn invited(txn: &impl ConnectionTrait, id: UserId) -> Result<user::Model, Error> {
    let invited = user::Entity::find_by_id(id)
        .filter(user::Column::InvitedAt.is_not_null())
        .filter(user::Column::DisabledAt.is_null());
    Ok(invited.lock_exclusive().one(txn).await?.ok_or(AccessError::NotInvited)?)
}

async fn note(
    txn: &impl ConnectionTrait,
    purpose: Purpose,
    email: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let id = PasswordResetId::new(now);
    let (lifetime, kind) = match purpose {
        Purpose::Reset => (LIFETIME, event::Kind::PasswordResetRequested),
        Purpose::Invitation => (INVITED, event::Kind::UserInvited),
    };
    let row = ActiveModel {
        id: Set(id),
        purpose: Set(purpose),
        email: Set(email.trim().to_lowercase().chars().take(320).collect()),
        user_id: Set(None),
        secret_sha256: Set(None),
        requested_at: Set(now),
        expires_at: Set(now + lifetime),
        used_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    event::emit(txn, kind, id.into(), None, actor, now).await
}

/// Voids the wishes of a user, so that no token that was or will be sent for them is good. Gives them.
///
/// # Errors
/// The database.
pub(super) async fn void(
    txn: &impl ConnectionTrait,
    user: UserId,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    // Those that were not looked up yet are known by their address.
    let email = Query::select()
        .column(user::Column::Email)
        .from(user::Entity)
        .and_where(user::Column::Id.eq(user))
        .to_owned();
    let theirs = Column::UserId.eq(user).or(Column::Email.in_subquery(email));
    let voided = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::val(now))
        .filter(theirs)
        .filter(Column::UsedAt.is_null());
    Ok(voided.exec_with_returning(txn).await?)
}

/// Looks up whose the wishes are. Gives those of users who may log in: who is invited chooses the first
/// password by the invitation alone, which ends, and who has one is not invited any more.
///
/// # Errors
/// The database.
pub async fn resolve(
    txn: &impl ConnectionTrait,
    ids: &[PasswordResetId],
) -> Result<Vec<Planned>, Error> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let is_invited = Expr::col((user::Entity, user::Column::InvitedAt)).is_not_null();
    let is_invitation = Expr::col((Entity, Column::Purpose)).eq(Purpose::Invitation);
    let whose = Query::select()
        .column((user::Entity, user::Column::Id))
        .from(user::Entity)
        .and_where(Expr::col((user::Entity, user::Column::Email)).equals((Entity, Column::Email)))
        .and_where(Expr::col((user::Entity, user::Column::DisabledAt)).is_null())
        .and_where(is_invited.eq(is_invitation))
        .to_owned();
    let resolved = Entity::update_many()
        .col_expr(Column::UserId, Expr::SubQuery(None, Box::new(whose.into())))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::UsedAt.is_null())
        .exec_with_returning(txn)
        .await?;
    let planned = resolved.into_iter().filter_map(|row| {
        let Model { id: reset, purpose, expires_at, .. } = row;
        Some(Planned { reset, purpose, user: row.user_id?, expires_at })
    });
    Ok(planned.collect())
}

/// Those of the wishes that no password was chosen for yet, and that were not voided.
///
/// # Errors
/// The database.
pub async fn waiting(
    db: &impl ConnectionTrait,
    ids: &[PasswordResetId],
) -> Result<HashSet<PasswordResetId>, DbErr> {
    let waiting = Entity::find()
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::UsedAt.is_null());
    Ok(waiting.all(db).await?.into_iter().map(|row| row.id).collect())
}

/// Takes tokens' hashes, each instead of the one before.
///
/// # Errors
/// The database.
pub async fn arm(
    txn: &impl ConnectionTrait,
    hashes: &[(PasswordResetId, String)],
) -> Result<(), Error> {
    if hashes.is_empty() {
        return Ok(());
    }
    let case = hashes.iter().fold(CaseStatement::new(), |case, (id, hash)| {
        case.case(Column::Id.eq(*id), Expr::val(hash.clone()))
    });
    Entity::update_many()
        .col_expr(Column::SecretSha256, case.into())
        .filter(Column::Id.is_in(hashes.iter().map(|(id, _)| *id)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Whose password can be chosen with a token.
///
/// # Errors
/// [`AccessError::InvalidToken`].
pub async fn check(
    db: &impl ConnectionTrait,
    token: &Secret,
    now: DateTimeUtc,
) -> Result<UserId, Error> {
    let row = Entity::find()
        .filter(Column::SecretSha256.eq(token.sha256()))
        .filter(Column::UsedAt.is_null())
        .filter(Column::ExpiresAt.gt(now))
        .one(db)
        .await?;
    Ok(row.and_then(|row| row.user_id).ok_or(AccessError::InvalidToken)?)
}

/// Gives a user the password behind `hash` for a token, ends all their sessions and API keys, and voids
/// all their tokens.
///
/// # Errors
/// [`AccessError::InvalidToken`].
pub async fn redeem(
    txn: &impl ConnectionTrait,
    token: &Secret,
    hash: String,
    now: DateTimeUtc,
) -> Result<user::Model, Error> {
    let id = check(txn, token, now).await?;
    let user = user::set_password(txn, id, hash, Actor::User(id), now).await?;
    let voided = void(txn, id, now).await?;
    // Somebody who came at the same time has waited for the user's row, and finds the token used.
    if voided.iter().all(|row| row.secret_sha256.as_deref() != Some(&token.sha256())) {
        return Err(AccessError::InvalidToken.into());
    }
    session::end_all(txn, id, None, Ending::PasswordChanged, now).await?;
    api_key::revoke_all(txn, id, now).await?;
    Ok(user)
}

/// Forgets who asked long ago.
///
/// # Errors
/// The database.
pub async fn tidy(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<(), Error> {
    Entity::delete_many().filter(Column::ExpiresAt.lt(now - REMEMBERED)).exec(txn).await?;
    Ok(())
}
