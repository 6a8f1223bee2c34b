//! Sessions: what begins when a user logs in, and ends when they log out, or when somebody ends it.
//!
//! ```text
//! begin     a session and its first refresh token       refresh   the next token for the last one
//! end       of one, of all, of all but this one         tidy      what nobody asks for any more
//! ```
//!
//! Invariant: an access token is worth nothing once its session has ended: every request looks.

mod refresh;
#[cfg(test)]
mod tests;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;
use sea_orm::{Condition, DeriveActiveEnum, EnumIter, QuerySelect, QueryTrait};

use super::secret::Secret;
use super::user;
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{Id, SessionId, UserId};
use crate::text;

pub use refresh::{GRACE, Refreshed, refresh};

/// How long a session goes on without being used.
const IDLE: TimeDelta = TimeDelta::days(14);

/// How long a session goes on at most.
const LONGEST: TimeDelta = TimeDelta::days(90);

/// How long a session is remembered after it would have ended by itself.
const REMEMBERED: TimeDelta = TimeDelta::days(30);

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Ending {
    /// The user logged out.
    LoggedOut,
    /// The user ended it from elsewhere.
    Revoked,
    /// A refresh token came twice: somebody may have stolen it.
    TokenReused,
    /// The user has a new password.
    PasswordChanged,
    /// An administrator ended it.
    Administrator,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_session")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SessionId,
    /// Whose.
    pub user_id: UserId,
    /// What the program calls itself that it was last used with.
    pub user_agent: Option<String>,
    /// The address that it was last used from.
    pub address: Option<String>,
    /// When it began.
    pub created_at: DateTimeUtc,
    /// When it was last refreshed.
    pub seen_at: DateTimeUtc,
    /// When it ends by itself.
    pub expires_at: DateTimeUtc,
    /// When it was ended before that.
    pub ended_at: Option<DateTimeUtc>,
    /// Why.
    pub ending: Option<Ending>,
}

catalog! {
    /// A session: what begins when a user logs in. Users see their own.
    Session (session, sessions) of Entity, private to Column::UserId;
    /// Whose it is.
    user: one::<user::Entity>(Column::UserId),
    /// What the program calls itself that it was last used with; null when it does not.
    user_agent: text(Column::UserAgent).filtered(),
    /// The address that it was last used from; null when it is not known.
    address: text(Column::Address).filtered(),
    /// When the user logged in.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
    /// When it was last refreshed, which a program does every quarter of an hour.
    seen_at: instant(Column::SeenAt).filtered().ordered(),
    /// When it ends if it is not refreshed before.
    expires_at: instant(Column::ExpiresAt).filtered().ordered(),
    /// When it was ended; null when it was not.
    ended_at: instant(Column::EndedAt).filtered(),
    /// Why it was ended; null when it was not.
    ending: choice::<Ending>("SessionEnding", Column::Ending).filtered(),
}

/// What somebody logs in with, and from where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Device {
    /// What the program calls itself.
    pub user_agent: Option<String>,
    /// Its address.
    pub address: Option<String>,
}

impl Device {
    /// The program's name as it is stored.
    fn user_agent(&self) -> Option<String> {
        let cleaned = self.user_agent.as_deref().map(text::clean);
        cleaned.map(|name| name.chars().take(255).collect())
    }
}

/// A session with the token that goes on with it.
pub struct Begun {
    /// The session.
    pub session: Model,
    /// The only time that it is seen.
    pub refresh: Secret,
}

/// Begins a session.
///
/// # Errors
/// The database.
pub async fn begin(
    txn: &impl ConnectionTrait,
    user: UserId,
    device: &Device,
    now: DateTimeUtc,
) -> Result<Begun, Error> {
    let row = ActiveModel {
        id: Set(SessionId::new(now)),
        user_id: Set(user),
        user_agent: Set(device.user_agent()),
        address: Set(device.address.clone()),
        created_at: Set(now),
        seen_at: Set(now),
        expires_at: Set(now + IDLE),
        ended_at: Set(None),
        ending: Set(None),
    };
    let session = row.insert(txn).await?;
    let refresh = refresh::issue(txn, session.id, now).await?;
    Ok(Begun { session, refresh })
}

/// The sessions that have not ended.
fn open(now: DateTimeUtc) -> Condition {
    Condition::all().add(Column::EndedAt.is_null()).add(Column::ExpiresAt.gt(now))
}

/// Selects the user of a session that has not ended.
pub(super) fn user_of(session: SessionId, now: DateTimeUtc) -> SelectStatement {
    let open = Entity::find_by_id(session).filter(open(now));
    open.select_only().column(Column::UserId).into_query()
}

/// Ends one of a user's sessions; one that has ended stays as it is.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn end(
    txn: &impl ConnectionTrait,
    user: UserId,
    session: SessionId,
    ending: Ending,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let found = Entity::find_by_id(session).filter(Column::UserId.eq(user)).one(txn).await?;
    found.ok_or_else(Error::no_such::<Entity>)?;
    close(txn, Condition::all().add(Column::Id.eq(session)), ending, now).await.map(|_| ())
}

/// Ends all sessions of a user but `kept`. Gives how many.
///
/// # Errors
/// The database.
pub async fn end_all(
    txn: &impl ConnectionTrait,
    user: UserId,
    kept: Option<SessionId>,
    ending: Ending,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let theirs = Condition::all()
        .add(Column::UserId.eq(user))
        .add_option(kept.map(|kept| Column::Id.ne(kept)));
    close(txn, theirs, ending, now).await
}

async fn close(
    txn: &impl ConnectionTrait,
    which: Condition,
    ending: Ending,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let closed = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::val(now))
        .col_expr(Column::Ending, Expr::val(ending.to_value()))
        .filter(which)
        .filter(open(now))
        .exec(txn)
        .await?;
    Ok(closed.rows_affected)
}

/// Forgets the sessions that ended long ago, with their tokens.
///
/// # Errors
/// The database.
pub async fn tidy(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<(), Error> {
    let gone = Column::ExpiresAt.lt(now - REMEMBERED);
    let ids = Entity::find().filter(gone.clone()).select_only().column(Column::Id).into_query();
    refresh::forget(txn, ids).await?;
    Entity::delete_many().filter(gone).exec(txn).await?;
    Ok(())
}
