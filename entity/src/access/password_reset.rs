//! Choosing a new password by mail.
//!
//! ```text
//! request   a row and an event, whether or not there is such a user     (the API, now)
//! resolve   whose they are: who is known gets a mail                    (the relay, later)
//! arm       the hash of the token, when the mail with it is written     (the sender)
//! redeem    the new password for the token, once
//! ```
//!
//! Invariant: asking does the same for an unknown address as for a known one, and the token is nowhere but
//! in the mail: each time that it is written it gets another one.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, Query};

use super::secret::Secret;
use super::session::{self, Ending};
use super::{AccessError, Actor, api_key, user};
use crate::automation::event;
use crate::error::Error;
use crate::id::{Id, PasswordResetId, UserId};

/// How long a token is good.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(30);

/// How long it is remembered that somebody asked.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// Somebody's wish for a new password.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "password_reset")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: PasswordResetId,
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
    /// When a password was chosen with it, or with another one.
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
    let id = PasswordResetId::new(now);
    let row = ActiveModel {
        id: Set(id),
        email: Set(email.trim().to_lowercase().chars().take(320).collect()),
        user_id: Set(None),
        secret_sha256: Set(None),
        requested_at: Set(now),
        expires_at: Set(now + LIFETIME),
        used_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    event::emit(txn, event::Kind::PasswordResetRequested, id.into(), None, Actor::System, now).await
}

/// Looks up whose the wishes are. Gives those of users who may log in.
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
    let whose = Query::select()
        .column((user::Entity, user::Column::Id))
        .from(user::Entity)
        .and_where(Expr::col((user::Entity, user::Column::Email)).equals((Entity, Column::Email)))
        .and_where(Expr::col((user::Entity, user::Column::DisabledAt)).is_null())
        .to_owned();
    let resolved = Entity::update_many()
        .col_expr(Column::UserId, Expr::SubQuery(None, Box::new(whose.into())))
        .filter(Column::Id.is_in(ids.iter().copied()))
        .exec_with_returning(txn)
        .await?;
    let planned = resolved.into_iter().filter_map(|row| {
        Some(Planned { reset: row.id, user: row.user_id?, expires_at: row.expires_at })
    });
    Ok(planned.collect())
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
    let voided = Entity::update_many()
        .col_expr(Column::UsedAt, Expr::val(now))
        .filter(Column::UserId.eq(id))
        .filter(Column::UsedAt.is_null())
        .exec_with_returning(txn)
        .await?;
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
