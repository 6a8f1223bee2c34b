//! The people who work with Rapport. Invariant: an address belongs to one user, and is lower case.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::{AccessError, Actor, Role, Viewer, password};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{Id, UserId};
use crate::text;

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
    /// The PHC string of their password.
    pub password_hash: String,
    /// What they work as.
    pub role: Role,
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

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

catalog! {
    /// A user of Rapport: somebody who works in the organisation.
    User of Entity;
    /// Their id.
    id: id::<UserId>().filtered(),
    /// What they are called.
    name: text(Column::Name).filtered().ordered(),
    /// What they log in with.
    email: text(Column::Email).filtered(),
    /// What they work as.
    role: choice::<Role>("Role", Column::Role).filtered(),
}

/// A user to be.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// What they log in with.
    pub email: String,
    /// What they are called.
    pub name: String,
    /// The PHC string from [`password::hash`].
    pub password_hash: String,
    /// What they work as.
    pub role: Role,
}

/// Adds a user.
///
/// # Errors
/// `Invalid` for a malformed address, [`AccessError::EmailTaken`].
pub async fn create(
    txn: &impl ConnectionTrait,
    new: NewUser,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = ActiveModel {
        id: Set(UserId::new(now)),
        email: Set(crate::customers::parse_email(&new.email)?.to_lowercase()),
        name: Set(text::clean(&new.name)),
        password_hash: Set(new.password_hash),
        role: Set(new.role),
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

/// Who `id` is right now; `None` for a user who is gone or disabled.
///
/// # Errors
/// The database.
pub async fn viewer(db: &impl ConnectionTrait, id: UserId) -> Result<Option<Viewer>, DbErr> {
    let user = Entity::find_by_id(id).filter(Column::DisabledAt.is_null()).one(db).await?;
    Ok(user.map(|user| Viewer { user: user.id, role: user.role }))
}

/// Checks a password on the calling thread, which takes tens of milliseconds.
///
/// # Errors
/// [`AccessError::WrongCredentials`], whatever is wrong.
pub fn authenticate(user: Option<&Model>, given: &str) -> Result<Viewer, AccessError> {
    let right = password::verify(given, user.map(|user| user.password_hash.as_str()));
    user.filter(|user| right && user.disabled_at.is_none())
        .map(|user| Viewer { user: user.id, role: user.role })
        .ok_or(AccessError::WrongCredentials)
}
