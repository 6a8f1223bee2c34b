//! To whom customers are handed.
//!
//! Invariant: whoever looks after a customer may log in when it is handed to them, and whoever hands it over
//! may change their customers. Who does not reach all customers leaves none to nobody.

use sea_orm::entity::prelude::*;

use crate::access::{AccessError, Permission, Scope, Viewer, user};
use crate::customers::CustomersError;
use crate::error::Error;
use crate::id::UserId;

/// Makes sure that `giver` may hand customers to `owner`, or leave them to nobody.
///
/// # Errors
/// [`CustomersError::OwnerOutOfReach`], [`CustomersError::NoSuchOwner`].
pub(super) async fn ensure(
    txn: &impl ConnectionTrait,
    owner: Option<UserId>,
    giver: &Viewer,
) -> Result<(), Error> {
    ensure_reached(owner, giver)?;
    ensure_active(txn, owner).await
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

/// Refuses a user who is gone or disabled.
pub(super) async fn ensure_active(
    txn: &impl ConnectionTrait,
    owner: Option<UserId>,
) -> Result<(), Error> {
    user::ensure_all(txn, owner.as_slice()).await.map_err(|error| match error {
        Error::Access(AccessError::NoSuchUser) => CustomersError::NoSuchOwner.into(),
        other => other,
    })
}
