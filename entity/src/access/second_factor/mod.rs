//! Second factors: codes that a device shows (TOTP, RFC 6238), and recovery codes for when it is lost.
//!
//! ```text
//! start     a secret, sealed by the caller              confirm   it counts from the first code on
//! check     the code at login, once each                remove    it, and its recovery codes
//! reset     the same for somebody else, who is told
//! ```
//!
//! Invariant: a code opens once: of the same or an earlier step of time no code is taken again, and a
//! recovery code is used up.

mod recovery;
#[cfg(test)]
mod tests;

use sea_orm::ActiveValue::Set;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use totp_rs::{Builder, Totp};

use super::session::{self, Ending};
use super::{AccessError, Actor, user};
use crate::collaboration::notification;
use crate::edit::{lock, save};
use crate::error::Error;
use crate::id::UserId;

pub use recovery::left;

/// How many bytes a device's secret has (RFC 4226, section 4).
pub const SECRET_LENGTH: usize = 20;

/// How many steps of half a minute the device's clock may be off.
const SKEW: u16 = 1;

/// A user's second factor.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "second_factor")]
pub struct Model {
    /// Whose.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: UserId,
    /// What the device knows, as the caller has sealed it.
    pub sealed_secret: Vec<u8>,
    /// When it was started.
    pub created_at: DateTimeUtc,
    /// Since when it counts.
    pub confirmed_at: Option<DateTimeUtc>,
    /// The step of the last code that was taken.
    pub last_step: Option<i64>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a device is told: the secret in base 32, and an address that holds it with the names.
#[derive(Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// To be typed in.
    pub secret: String,
    /// `otpauth://totp/…`, to be shown as a QR code.
    pub url: String,
}

/// What the device of `account` is told to show codes of `secret` as `issuer`'s.
///
/// # Errors
/// `Invalid` when a name cannot stand in the address.
pub fn enrolment(
    secret: &[u8; SECRET_LENGTH],
    issuer: &str,
    account: &str,
) -> Result<Enrolment, Error> {
    let builder = Builder::new()
        .with_secret(secret.to_vec())
        .with_account_name(account.replace(':', " "))
        .with_issuer(Some(issuer.replace(':', " ")));
    let told = builder
        .build()
        .and_then(|totp| Ok(Enrolment { secret: totp.secret().to_base32(), url: totp.to_url()? }));
    told.map_err(|error| Error::invalid("email", error.to_string()))
}

fn totp(secret: &[u8]) -> Option<Totp> {
    Builder::new().with_secret(secret.to_vec()).with_skew(SKEW).build().ok()
}

/// The step of time that `code` is of, if it is one of `secret` around `now`.
fn step(secret: &[u8], code: &str, now: DateTimeUtc) -> Option<i64> {
    let seconds = u64::try_from(now.timestamp()).ok()?;
    i64::try_from(totp(secret)?.check(code, seconds)?).ok()
}

/// The user's second factor, if it counts.
///
/// # Errors
/// The database.
pub async fn confirmed(db: &impl ConnectionTrait, user: UserId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(user).filter(Column::ConfirmedAt.is_not_null()).one(db).await
}

/// Keeps a fresh secret until the user has shown that their device knows it.
///
/// # Errors
/// [`AccessError::SecondFactorOn`] when there is one that counts.
pub async fn start(
    txn: &impl ConnectionTrait,
    user: UserId,
    sealed_secret: Vec<u8>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let row = ActiveModel {
        user_id: Set(user),
        sealed_secret: Set(sealed_secret),
        created_at: Set(now),
        confirmed_at: Set(None),
        last_step: Set(None),
    };
    let again = OnConflict::column(Column::UserId)
        .update_columns([Column::SealedSecret, Column::CreatedAt])
        .action_and_where(Expr::col((Entity, Column::ConfirmedAt)).is_null())
        .to_owned();
    match Entity::insert(row).on_conflict(again).exec_without_returning(txn).await? {
        1 => Ok(()),
        _ => Err(AccessError::SecondFactorOn.into()),
    }
}

/// Lets the second factor count from now on, if `code` shows that the device knows the secret, which `open`
/// opens. Gives the recovery codes, which are never seen again.
///
/// # Errors
/// [`AccessError::NoSecondFactor`], [`AccessError::SecondFactorOn`], [`AccessError::WrongCode`].
pub async fn confirm(
    txn: &impl ConnectionTrait,
    user: UserId,
    code: &str,
    open: impl Fn(&[u8]) -> Option<Vec<u8>>,
    now: DateTimeUtc,
) -> Result<Vec<String>, Error> {
    let row = Entity::find_by_id(user).lock_exclusive().one(txn).await?;
    let row = row.ok_or(AccessError::NoSecondFactor)?;
    if row.confirmed_at.is_some() {
        return Err(AccessError::SecondFactorOn.into());
    }
    let secret = open(&row.sealed_secret).ok_or(AccessError::NoSecondFactor)?;
    let step = step(&secret, code, now).ok_or(AccessError::WrongCode)?;
    let confirmed =
        ActiveModel { confirmed_at: Set(Some(now)), last_step: Set(Some(step)), ..row.into() };
    confirmed.update(txn).await?;
    recovery::issue(txn, user).await
}

/// Takes a code that the user logs in with: one of the device, or a recovery code. Without a second factor
/// that counts none is needed.
///
/// # Errors
/// [`AccessError::CodeRequired`], [`AccessError::WrongCode`].
pub async fn check(
    txn: &impl ConnectionTrait,
    user: UserId,
    code: Option<&str>,
    open: impl Fn(&[u8]) -> Option<Vec<u8>>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    // Of two with the same code one waits here, and finds its step taken.
    let row = Entity::find_by_id(user)
        .filter(Column::ConfirmedAt.is_not_null())
        .lock_exclusive()
        .one(txn)
        .await?;
    let Some(row) = row else { return Ok(()) };
    let code = code.ok_or(AccessError::CodeRequired)?;
    let step = open(&row.sealed_secret).and_then(|secret| step(&secret, code.trim(), now));
    let Some(step) = step else { return recovery::take(txn, user, code, now).await };
    if row.last_step.is_some_and(|last| step <= last) {
        return Err(AccessError::WrongCode.into());
    }
    let taken = ActiveModel { last_step: Set(Some(step)), ..row.into() };
    taken.update(txn).await?;
    Ok(())
}

/// Takes the second factor away, with its recovery codes.
///
/// # Errors
/// [`AccessError::NoSecondFactor`].
pub async fn remove(txn: &impl ConnectionTrait, user: UserId) -> Result<(), Error> {
    recovery::forget(txn, user).await?;
    match Entity::delete_by_id(user).exec(txn).await?.rows_affected {
        0 => Err(AccessError::NoSecondFactor.into()),
        _ => Ok(()),
    }
}

/// Takes another user's second factor away for whom the device is lost, ends all their sessions and tells
/// them.
///
/// # Errors
/// [`AccessError::NoSecondFactor`], [`AccessError::YourOwnSecondFactor`].
pub async fn reset(
    txn: &impl ConnectionTrait,
    user: UserId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    // It would take no password, so whoever has found somebody logged in could do it.
    if actor.user() == Some(user) {
        return Err(AccessError::YourOwnSecondFactor.into());
    }
    remove(txn, user).await?;
    let mut row = lock::<user::Entity>(txn, user, None).await?;
    row.second_factor_reset_at = Some(now);
    row.sessions_ended_at = Some(now);
    save::<user::Entity>(txn, row, actor, now).await?;
    session::end_all(txn, user, None, Ending::Administrator, now).await?;
    notification::second_factor_reset(txn, user, actor, now).await
}
