//! Writing things down about customers.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::collaboration::note;
use entity::id::{CustomerId, NoteId};
use futures::FutureExt;

use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

/// A note to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateNoteInput {
    /// The customer it is about.
    pub customer_id: ID,
    /// What it says: plain text with line breaks, 1 to 10,000 characters.
    pub body: String,
}

/// A change of a note.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateNoteInput {
    /// What it says: plain text with line breaks, 1 to 10,000 characters.
    pub body: String,
}

payload! {
    /// What came of writing a note.
    CreateNotePayload {
        /// The new note; null when it was refused.
        note: note::Entity
    }
}

payload! {
    /// What came of changing a note.
    UpdateNotePayload {
        /// The note as it is now; null when the change was refused.
        note: note::Entity
    }
}

payload! {
    /// What came of deleting a note.
    DeleteNotePayload {
        /// The deleted note; null when that was refused.
        note: note::Entity
    }
}

/// Writing things down.
#[derive(Default)]
pub struct NoteMutation;

/// Writing things down.
#[Object]
impl NoteMutation {
    /// Writes a note about a customer.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn create_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note.")] input: CreateNoteInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's note."
        )]
        idempotency_key: Option<String>,
    ) -> Result<CreateNotePayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "createNote", &input).within(
            Permission::WriteCustomers,
            &input.customer_id,
            &["input", "customerId"],
        );
        let outcome = match parse::<CustomerId>(&input.customer_id, &["input", "customerId"]) {
            Ok(about) => {
                write(ctx, once, move |txn, actor, now| {
                    let body = input.body.clone();
                    async move {
                        let row = note::create(txn, about, &body, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(CreateNotePayload::from(outcome))
    }

    /// Changes what a note says.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn update_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateNoteInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateNotePayload, Fault> {
        let once = Once::new(None, "updateNote", &input).about(&id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<NoteId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    let body = input.body.clone();
                    async move {
                        let row =
                            note::update(txn, id, &body, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UpdateNotePayload::from(outcome))
    }

    /// Deletes a note. It stays readable by its id.
    #[graphql(guard = "Can(Permission::WriteCustomers)")]
    async fn delete_note(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The note's id.")] id: ID,
    ) -> Result<DeleteNotePayload, Fault> {
        let once = Once::new(None, "deleteNote", &id);
        let once = once.within(Permission::WriteCustomers, &id, &["id"]);
        let outcome = match parse::<NoteId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let row = note::delete(txn, id, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(DeleteNotePayload::from(outcome))
    }
}
