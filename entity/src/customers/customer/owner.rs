//! To whom customers are handed.
//!
//! Invariant: whoever looks after a customer may log in and see customers when it is handed to them, and
//! whoever hands it over may change their customers. Who does not reach all customers leaves none to nobody.

use std::collections::HashMap;

use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{ExprTrait, QuerySelect};

use super::{Column, Entity};
use crate::access::{Permission, Scope, Viewer, grant, user};
use crate::customers::CustomersError;
use crate::error::Error;
use crate::id::{CustomerId, UserId};

/// Makes sure that `giver` may hand customers to `owner`, or leave them to nobody.
///
/// # Errors
/// [`CustomersError::OwnerOutOfReach`], [`CustomersError::NoSuchOwner`],
/// [`CustomersError::OwnerCannotRead`].
pub(super) async fn ensure(
    txn: &impl ConnectionTrait,
    owner: Option<UserId>,
    giver: &Viewer,
) -> Result<(), Error> {
    ensure_reached(owner, giver)?;
    ensure_able(txn, owner).await
}

/// Makes sure that `giver` may change the customers of `owner`.
pub(super) fn ensure_reached(owner: Option<UserId>, giver: &Viewer) -> Result<(), CustomersError> {
    let scope = giver.scope(Permission::WriteCustomers);
    let is_theirs = |owner: UserId| giver.whose(scope).contains(&owner.0);
    match scope == Scope::All || owner.is_some_and(is_theirs) {
        true => Ok(()),
        false => Err(CustomersError::OwnerOutOfReach),
    }
}

/// Makes sure that a user can be given customers.
///
/// # Errors
/// [`CustomersError::NoSuchOwner`], [`CustomersError::OwnerCannotRead`].
pub(super) async fn ensure_able(
    txn: &impl ConnectionTrait,
    owner: Option<UserId>,
) -> Result<(), Error> {
    match owner {
        Some(owner) => Ok(Owners::among(txn, [owner]).await?.ensure(owner)?),
        None => Ok(()),
    }
}

/// Who looks after customers, of those that are not deleted; nobody where who does may not log in any more.
///
/// # Errors
/// The database.
pub async fn owners(
    db: &impl ConnectionTrait,
    customers: impl IntoIterator<Item = CustomerId>,
) -> Result<HashMap<CustomerId, Option<UserId>>, DbErr> {
    let active = Expr::col((user::Entity, user::Column::Id))
        .eq(Expr::col((Entity, Column::OwnerId)))
        .and(Expr::col((user::Entity, user::Column::DisabledAt)).is_null());
    let mut query = Query::select();
    query
        .expr(Expr::col((Entity, Column::Id)))
        .expr(Expr::col((user::Entity, user::Column::Id)))
        .from(Entity)
        .left_join(user::Entity, active)
        .and_where(Column::Id.is_in(customers))
        .and_where(Column::DeletedAt.is_null());
    let rows = db.query_all(&query).await?;
    rows.iter().map(|row| Ok((row.try_get_by_index(0)?, row.try_get_by_index(1)?))).collect()
}

/// On whose clocks customers live.
///
/// # Errors
/// The database.
pub async fn zones(
    db: &impl ConnectionTrait,
    customers: impl IntoIterator<Item = CustomerId>,
) -> Result<HashMap<CustomerId, Tz>, DbErr> {
    let zones = Entity::find().select_only().columns([Column::Id, Column::TimeZone]);
    let zones = zones.filter(Column::Id.is_in(customers)).into_tuple::<(CustomerId, String)>();
    let known = zones.all(db).await?.into_iter();
    Ok(known.filter_map(|(customer, zone)| Some((customer, zone.parse().ok()?))).collect())
}

/// Users who may log in, and whether they may see customers.
pub(super) struct Owners(HashMap<UserId, bool>);

impl Owners {
    /// What there is to know of the users `ids`, in one statement.
    ///
    /// # Errors
    /// The database.
    pub async fn among(
        txn: &impl ConnectionTrait,
        ids: impl IntoIterator<Item = UserId>,
    ) -> Result<Self, DbErr> {
        let role = Expr::col((user::Entity, user::Column::RoleId));
        let sees = role.in_subquery(grant::roles_with(Permission::ReadCustomers));
        let known: Vec<(UserId, bool)> = user::Entity::find()
            .select_only()
            .column(user::Column::Id)
            .column_as(sees, "sees")
            .filter(user::Column::Id.is_in(ids))
            .filter(user::Column::DisabledAt.is_null())
            .into_tuple()
            .all(txn)
            .await?;
        Ok(Self(known.into_iter().collect()))
    }

    /// Makes sure that a user can be given customers.
    ///
    /// # Errors
    /// [`CustomersError::NoSuchOwner`], [`CustomersError::OwnerCannotRead`].
    pub fn ensure(&self, id: UserId) -> Result<(), CustomersError> {
        match self.0.get(&id) {
            Some(true) => Ok(()),
            Some(false) => Err(CustomersError::OwnerCannotRead),
            None => Err(CustomersError::NoSuchOwner),
        }
    }
}
