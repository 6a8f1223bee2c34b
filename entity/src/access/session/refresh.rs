//! Refresh tokens: each is good for one successor.
//!
//! Invariant: a token has at most one successor, however many ask at once. Whoever comes with a token that
//! has one already, and not only a moment ago, ends the session: of two who have the same token one is a
//! thief, and nobody can tell which.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::SelectStatement;

use super::{Begun, Device, Ending, IDLE, LONGEST, close, open};
use crate::access::secret::{Purpose, Secret};
use crate::access::{AccessError, user};
use crate::error::Error;
use crate::id::SessionId;

/// How long a token that has a successor is taken for one of two requests at once, and not for a theft.
pub const GRACE: TimeDelta = TimeDelta::seconds(10);

/// A refresh token.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_token")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub secret_sha256: String,
    /// Of which session.
    pub session_id: SessionId,
    /// Since when.
    pub created_at: DateTimeUtc,
    /// When it got its successor.
    pub rotated_at: Option<DateTimeUtc>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What came of refreshing. A refusal is no `Err`: what it ends must be committed.
pub enum Refreshed {
    /// It goes on.
    On(Box<Begun>),
    /// It does not.
    Refused(AccessError),
}

/// A session's next token.
pub(super) async fn issue(
    txn: &impl ConnectionTrait,
    session: SessionId,
    now: DateTimeUtc,
) -> Result<Secret, Error> {
    let secret = Secret::new(Purpose::Refresh);
    let row = ActiveModel {
        secret_sha256: Set(secret.sha256()),
        session_id: Set(session),
        created_at: Set(now),
        rotated_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(secret)
}

/// Goes on with the session that a token is of.
///
/// # Errors
/// The database.
pub async fn refresh(
    txn: &impl ConnectionTrait,
    given: &Secret,
    device: &Device,
    now: DateTimeUtc,
) -> Result<Refreshed, Error> {
    // Whoever comes at the same time waits here, and finds the successor.
    let token = Entity::find_by_id(given.sha256()).lock_exclusive().one(txn).await?;
    let Some(token) = token else { return Ok(Refreshed::Refused(AccessError::InvalidToken)) };
    let session = super::Entity::find_by_id(token.session_id).filter(open(now));
    let Some(session) = session.one(txn).await? else {
        return Ok(Refreshed::Refused(AccessError::InvalidToken));
    };
    if let Some(rotated_at) = token.rotated_at {
        if now - rotated_at <= GRACE {
            return Ok(Refreshed::Refused(AccessError::TokenSuperseded));
        }
        let whole = sea_orm::Condition::all().add(super::Column::Id.eq(session.id));
        close(txn, whole, Ending::TokenReused, now).await?;
        return Ok(Refreshed::Refused(AccessError::TokenReused));
    }
    let enabled = user::Entity::find_by_id(session.user_id);
    let enabled = enabled.filter(user::Column::DisabledAt.is_null()).one(txn).await?;
    if enabled.is_none() {
        return Ok(Refreshed::Refused(AccessError::InvalidToken));
    }
    Entity::update_many()
        .col_expr(Column::RotatedAt, Expr::val(now))
        .filter(Column::SecretSha256.eq(token.secret_sha256))
        .exec(txn)
        .await?;
    let refresh = issue(txn, session.id, now).await?;
    let used = super::ActiveModel {
        user_agent: Set(device.user_agent()),
        address: Set(device.address.clone()),
        seen_at: Set(now),
        expires_at: Set((now + IDLE).min(session.created_at + LONGEST)),
        ..session.into()
    };
    let session = used.update(txn).await?;
    Ok(Refreshed::On(Box::new(Begun { session, refresh })))
}

/// Forgets the tokens of sessions.
pub(super) async fn forget(
    txn: &impl ConnectionTrait,
    sessions: SelectStatement,
) -> Result<(), Error> {
    Entity::delete_many().filter(Column::SessionId.in_subquery(sessions)).exec(txn).await?;
    Ok(())
}
