//! Mutations that add, change, delete and restore records all of whose fields people may set: one for each
//! kind and act, declared and not written.
//!
//! Invariant: each of them is one transaction, asks for its permission with the record that it touches, and
//! tells all fields that are wrong at once.

mod form;
mod mutations;

use async_graphql::{Context, ID};
use entity::access::Permission;
use entity::edit::{self, Editable, Form, IdOf, Restorable};
use futures::FutureExt;
use uuid::Uuid;

use crate::context::{Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;

pub(crate) use form::form;
pub use form::{amount, rate};
pub(crate) use mutations::{records, target};

/// The id of the record that came of a mutation, or why there is none.
pub type Outcome = Result<Uuid, Vec<UserError>>;

/// Adds a record of `E`.
///
/// # Errors
/// A fault at the outside; what the user can solve within.
pub async fn create<E: Editable>(
    ctx: &Context<'_>,
    once: Once<'_>,
    row: Result<E::ActiveModel, Vec<UserError>>,
) -> Result<Outcome, Fault> {
    let row = match row {
        Ok(row) => row,
        Err(errors) => return Ok(Err(errors)),
    };
    let work = write(ctx, once, move |txn, actor, now| {
        let row = row.clone();
        async move { Ok(edit::create::<E>(txn, row, actor, now).await?.id().into()) }.boxed()
    });
    work.await
}

/// Which record a mutation touches, and what that takes.
pub struct Target<'a> {
    /// The permission with the record.
    pub permission: Permission,
    /// The mutation.
    pub operation: &'static str,
    /// The record.
    pub id: &'a ID,
    /// The version that was decided on.
    pub expected_version: Option<i32>,
}

impl Target<'_> {
    /// Changes the fields that are set in `change`.
    ///
    /// # Errors
    /// A fault at the outside; what the user can solve within.
    pub async fn update<E: Editable>(
        self,
        ctx: &Context<'_>,
        change: Result<E::ActiveModel, Vec<UserError>>,
    ) -> Result<Outcome, Fault> {
        let (id, change) = match parse::<IdOf<E>>(self.id, &["id"]).and_then(|id| Ok((id, change?)))
        {
            Ok(both) => both,
            Err(errors) => return Ok(Err(errors)),
        };
        let version = self.expected_version;
        let work = write(ctx, self.once(), move |txn, actor, now| {
            let change = change.clone();
            let row = edit::update::<E>(txn, id, change, version, actor, now);
            async move { Ok(row.await?.id().into()) }.boxed()
        });
        work.await
    }

    /// Removes the record for good; gives the id of the customer that it was part of, or its own.
    ///
    /// # Errors
    /// A fault at the outside; what the user can solve within.
    pub async fn remove<E: Editable>(self, ctx: &Context<'_>) -> Result<Outcome, Fault> {
        let id = match parse::<IdOf<E>>(self.id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors)),
        };
        let version = self.expected_version;
        let work = write(ctx, self.once(), move |txn, actor, now| {
            let row = edit::remove::<E>(txn, id, version, actor, now);
            async move {
                let row = row.await?;
                Ok(row.customer().map_or_else(|| row.id().into(), Into::into))
            }
            .boxed()
        });
        work.await
    }

    /// Deletes the record so that it can be restored, or takes that back.
    ///
    /// # Errors
    /// A fault at the outside; what the user can solve within.
    pub async fn delete<E: Editable<Model: Restorable>>(
        self,
        ctx: &Context<'_>,
        deleted: bool,
    ) -> Result<Outcome, Fault> {
        let id = match parse::<IdOf<E>>(self.id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors)),
        };
        let version = self.expected_version;
        let work = write(ctx, self.once(), move |txn, actor, now| {
            let row = edit::delete::<E>(txn, id, deleted, version, actor, now);
            async move { Ok(row.await?.id().into()) }.boxed()
        });
        work.await
    }

    fn once(&self) -> Once<'static> {
        Once::new(None, self.operation, self.id).within(self.permission, self.id, &["id"])
    }
}
