//! API keys: what programs are known by that act for a user.
//!
//! Invariant: a key never lets more than its owner may right now, and never more than it was made for.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{Condition, IntoActiveModel, QuerySelect};

use super::secret::{Purpose, Secret};
use super::{AccessError, Actor, Permission, Viewer, user};
use crate::catalog::catalog;
use crate::customers::parse_required;
use crate::error::Error;
use crate::id::{ApiKeyId, Id, UserId};

/// How exactly it is known when a key was last used.
const COARSE: TimeDelta = TimeDelta::hours(1);

/// How many keys a user may have that are good.
const MOST: u64 = 50;

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_key")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiKeyId,
    /// Whose.
    pub user_id: UserId,
    /// What it is called.
    pub name: String,
    /// What everybody may see of it.
    pub visible: String,
    /// What is stored of it.
    pub secret_sha256: String,
    /// What it is for: names of permissions.
    pub permissions: Json,
    /// Until when it is good.
    pub expires_at: Option<DateTimeUtc>,
    /// Since when it is not.
    pub revoked_at: Option<DateTimeUtc>,
    /// When it was last used, to the hour.
    pub used_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// An API key: what a program is known by that acts for a user. Users see their own.
    ApiKey (apiKey, apiKeys) of Entity, private to Column::UserId;
    /// Whose it is, and for whom it acts.
    user: one::<user::Entity>(Column::UserId),
    /// What it is called.
    name: text(Column::Name).filtered().ordered(),
    /// What it begins with, to tell it from others: `rap_` and eight digits.
    visible: text(Column::Visible).filtered(),
    /// What it is for: a list of names of permissions. What its owner may not, it does not let either.
    permissions: json(Column::Permissions),
    /// Until when it is good; null when that is left open.
    expires_at: instant(Column::ExpiresAt).filtered().ordered(),
    /// Since when it is not good any more; null while nobody has revoked it.
    revoked_at: instant(Column::RevokedAt).filtered(),
    /// When it was last used, give or take an hour; null when it never was.
    used_at: instant(Column::UsedAt).filtered().ordered(),
    /// When it was made.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// A key to be.
#[derive(Clone, Debug)]
pub struct NewKey {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub permissions: Vec<Permission>,
    /// Until when it is good.
    pub expires_at: Option<DateTimeUtc>,
}

impl Model {
    /// What it is for; a name that there is no permission of any more is left out.
    #[must_use]
    pub fn permissions(&self) -> Vec<Permission> {
        let names = self.permissions.as_array().into_iter().flatten().filter_map(Json::as_str);
        names.filter_map(|name| Permission::try_from_value(&name.to_owned()).ok()).collect()
    }

    /// Whether it is to be noted that the key is used.
    #[must_use]
    pub fn is_to_be_touched(&self, now: DateTimeUtc) -> bool {
        self.used_at.is_none_or(|used| used <= now - COARSE)
    }
}

/// Makes a key for a user. Gives it with its secret, which is never seen again.
///
/// # Errors
/// `Invalid` for a name, permissions that the owner has not, or a time that is past;
/// [`AccessError::TooManyKeys`].
pub async fn create(
    txn: &impl ConnectionTrait,
    owner: &Viewer,
    new: NewKey,
    now: DateTimeUtc,
) -> Result<(Model, Secret), Error> {
    if new.permissions.is_empty() {
        return Err(Error::invalid("permissions", "a key is for one permission at least"));
    }
    if let Some(lacking) = new.permissions.iter().find(|needed| !owner.may(**needed)) {
        let message = format!("you have not the permission {}", lacking.to_value());
        return Err(Error::invalid("permissions", message));
    }
    if new.expires_at.is_some_and(|until| until <= now) {
        return Err(Error::invalid("expiresAt", "this is past; choose a time to come"));
    }
    // Two at once wait for one another here, so that the number holds.
    user::Entity::find_by_id(owner.user).lock_exclusive().one(txn).await?;
    let theirs = Entity::find().filter(good(now)).filter(Column::UserId.eq(owner.user));
    if theirs.count(txn).await? >= MOST {
        return Err(AccessError::TooManyKeys(MOST).into());
    }
    let names: BTreeSet<String> = new.permissions.iter().map(ActiveEnum::to_value).collect();
    let secret = Secret::new(Purpose::ApiKey);
    let row = Model {
        id: ApiKeyId::new(now),
        user_id: owner.user,
        name: parse_required("name", &new.name, 100)?,
        visible: secret.visible().to_owned(),
        secret_sha256: secret.sha256(),
        permissions: names.into_iter().collect(),
        expires_at: new.expires_at,
        revoked_at: None,
        used_at: None,
        created_at: now,
        created_by: Actor::from(owner).user(),
    };
    Ok((row.into_active_model().reset_all().insert(txn).await?, secret))
}

/// The keys that are good.
fn good(now: DateTimeUtc) -> Condition {
    let unlimited = Column::ExpiresAt.is_null().or(Column::ExpiresAt.gt(now));
    Condition::all().add(Column::RevokedAt.is_null()).add(unlimited)
}

/// The key that a secret is, if it is good.
///
/// # Errors
/// The database.
pub async fn find(
    db: &impl ConnectionTrait,
    secret: &Secret,
    now: DateTimeUtc,
) -> Result<Option<Model>, DbErr> {
    Entity::find().filter(Column::SecretSha256.eq(secret.sha256())).filter(good(now)).one(db).await
}

/// Notes that a key is used, if that was not noted within the hour.
///
/// # Errors
/// The database.
pub async fn touch(
    txn: &impl ConnectionTrait,
    key: ApiKeyId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::UsedAt, Expr::val(now))
        .filter(Column::Id.eq(key))
        .filter(Column::UsedAt.is_null().or(Column::UsedAt.lte(now - COARSE)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Revokes one of a user's keys; one that is revoked stays as it is.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn revoke(
    txn: &impl ConnectionTrait,
    owner: UserId,
    key: ApiKeyId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let found = Entity::find_by_id(key).filter(Column::UserId.eq(owner)).one(txn).await?;
    found.ok_or_else(Error::no_such::<Entity>)?;
    close(txn, Column::Id.eq(key), now).await
}

/// Revokes all of a user's keys.
///
/// # Errors
/// The database.
pub async fn revoke_all(
    txn: &impl ConnectionTrait,
    owner: UserId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    close(txn, Column::UserId.eq(owner), now).await
}

async fn close(txn: &impl ConnectionTrait, which: Expr, now: DateTimeUtc) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::val(now))
        .filter(which)
        .filter(Column::RevokedAt.is_null())
        .exec(txn)
        .await?;
    Ok(())
}
