//! Who works here, what they may do, and for whom: the organisation, its users, their permissions.
//!
//! Invariant: nobody gives what they have not. A role is given, changed and taken by who may all that it lets do
//! ([`role`]); and whose records people reach, by teams, positions and deputies, is decided by who reaches all
//! with each permission that any role gives with a part of them ([`grant`]). So nobody widens their own reach,
//! not even by way of users whom they create or whose address they change.

pub mod absence;
pub mod api_key;
pub mod audit;
pub mod grant;
pub mod membership;
pub mod organisation;
pub mod password;
pub mod password_reset;
pub mod position;
pub mod role;
pub mod second_factor;
pub mod secret;
pub mod session;
pub mod share;
pub mod team;
pub mod throttle;
pub mod user;
mod viewer;

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;

use crate::error::Error;

pub use role::Role;
pub use viewer::{Actor, Calendar, Cause, Permission, Scope, Viewer};

/// Forgets what nobody asks for any more: sessions that ended long ago, who asked for passwords, and who
/// tried how often.
///
/// # Errors
/// The database.
pub async fn tidy(txn: &impl ConnectionTrait, now: DateTime<Utc>) -> Result<(), Error> {
    session::tidy(txn, now).await?;
    password_reset::tidy(txn, now).await?;
    throttle::tidy(txn, now).await
}

/// What the access rules refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Unknown address, wrong password or disabled user: the answer is the same.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Too short to be safe.
    #[error("a password needs at least {0} characters")]
    PasswordTooShort(usize),
    /// Nothing works before somebody says who this is.
    #[error("the organisation is not set up yet; run `rapport seed admin` first")]
    NoOrganisation,
    /// What an id names may be seen, but not changed.
    #[error("you may see this record, but your role does not let you change it")]
    Forbidden,
    /// A user that an id names does not exist, or may not log in.
    #[error("there is no such active user")]
    NoSuchUser,
    /// It belongs to Rapport.
    #[error("this role comes with Rapport and cannot be changed; create one of your own")]
    SystemRole,
    /// It lets do more than whoever gives it may.
    #[error(
        "nobody can give, change or take what they may not do themselves; ask an administrator"
    )]
    BeyondYourRole,
    /// It lets somebody reach further than whoever decides it does, or could.
    #[error(
        "this decides whose records people reach, and you do not reach all yourself; ask an administrator"
    )]
    BeyondYourReach,
    /// Somebody has it.
    #[error("users have this role; give them another one first")]
    RoleInUse,
    /// Somebody holds it.
    #[error("users hold this position; give them another one first")]
    PositionInUse,
    /// The reporting line would be a circle.
    #[error("a position cannot report to itself, not even by way of others")]
    ReportsToItself,
    /// Nobody could manage users any more.
    #[error("this is the last administrator who can log in; make somebody else one first")]
    LastAdministrator,
    /// A refresh token, or a token from a mail, that is malformed, unknown, used or too old.
    #[error("this token is not good (any more); log in, or ask for a new one")]
    InvalidToken,
    /// A refresh token that another request has used a moment ago.
    #[error(
        "another request has used this refresh token just now; go on with the token that it got"
    )]
    TokenSuperseded,
    /// A refresh token that was used before.
    #[error(
        "this refresh token was used before, so its session was ended to be safe; log in again"
    )]
    TokenReused,
    /// More keys than anybody keeps an eye on.
    #[error("you have {0} API keys; revoke those that you do not need")]
    TooManyKeys(u64),
    /// There is a second factor already.
    #[error("you have a second factor; disable it first")]
    SecondFactorOn,
    /// There is no second factor, or it was not started.
    #[error("there is no second factor; `startTotp` begins one")]
    NoSecondFactor,
    /// Whoever asks does not give their password.
    #[error(
        "your own second factor is taken away with `disableTotp`, which asks for your password"
    )]
    YourOwnSecondFactor,
    /// A password is right, and a code is needed, too.
    #[error("give the code that your app shows, too, or a recovery code")]
    CodeRequired,
    /// A code that is wrong, or was used.
    #[error("the code is wrong or was used; wait for the next one that your app shows")]
    WrongCode,
    /// They have a password, or may not log in.
    #[error(
        "this user has a password, or is disabled; only whoever is invited can be invited again"
    )]
    NotInvited,
    /// Too often, or too fast.
    #[error("too many attempts; try again in {seconds} seconds")]
    TooManyAttempts {
        /// How long to wait.
        seconds: i64,
    },
}
