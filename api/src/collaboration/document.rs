//! Changing documents. What is read of each is in the catalogue.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object};
use entity::collaboration::document::{self, Change};
use entity::id::DocumentId;
use futures::FutureExt;

use crate::context::{Ask, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::{change, payload};
use crate::scalar::Date;

/// A change of what is said about a document. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateDocumentInput {
    /// What it is called, 1 to 200 characters.
    pub title: Option<String>,
    /// Where it is filed, such as `Contracts/2026`, up to 255 characters; empty for nowhere in particular.
    pub folder: Option<String>,
    /// The last day on which it holds, as that of a contract; null takes it away.
    pub valid_until: MaybeUndefined<Date>,
    /// Words that it is found by, all of them: up to 20 with up to 64 characters each, without regard to
    /// case.
    #[graphql(validator(max_items = 50))]
    pub tags: Option<Vec<String>>,
}

payload! {
    /// What came of changing a document.
    UpdateDocumentPayload {
        /// The document as it is now; null when the change was refused.
        document: document::Entity
    }
}

payload! {
    /// What came of deleting a document.
    DeleteDocumentPayload {
        /// The document, which says since when it is deleted; null when that was refused.
        document: document::Entity
    }
}

payload! {
    /// What came of taking a deletion back.
    RestoreDocumentPayload {
        /// The document, which is in lists again; null when that was refused.
        document: document::Entity
    }
}

/// Changing documents. Who may change what a document is kept with may change the document.
#[derive(Default)]
pub struct DocumentMutation;

/// Changing documents. Who may change what a document is kept with may change the document.
#[Object]
impl DocumentMutation {
    /// Changes what is said about a document. Its versions never change; `createUpload` adds one.
    async fn update_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateDocumentInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateDocumentPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "updateDocument", &input).about(&id);
        let outcome = match parse::<DocumentId>(&id, &["id"]) {
            Ok(id) => {
                let UpdateDocumentInput { title, folder, valid_until, tags } = input;
                let valid_until = change(valid_until).map(|day| day.map(|day| day.0));
                let change = Change { title, folder, valid_until, tags };
                write(ctx, once, move |txn, _, now| {
                    let (change, viewer) = (change.clone(), viewer.clone());
                    async move {
                        let row = document::update(txn, id, change, expected_version, &viewer, now);
                        Ok(row.await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UpdateDocumentPayload::from(outcome))
    }

    /// Deletes a document: lists leave it out. `restoreDocument` takes it back within 30 days; then it is
    /// gone for good, with all its versions.
    async fn delete_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document's id.")] id: ID,
    ) -> Result<DeleteDocumentPayload, Fault> {
        set_deleted(ctx, &id, "deleteDocument", true).await.map(Into::into)
    }

    /// Takes the deletion of a document back.
    async fn restore_document(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The document's id.")] id: ID,
    ) -> Result<RestoreDocumentPayload, Fault> {
        set_deleted(ctx, &id, "restoreDocument", false).await.map(Into::into)
    }
}

async fn set_deleted(
    ctx: &Context<'_>,
    id: &ID,
    operation: &'static str,
    deleted: bool,
) -> Result<Outcome, Fault> {
    let viewer = ctx.viewer()?;
    let once = Once::new(None, operation, id);
    match parse::<DocumentId>(id, &["id"]) {
        Ok(id) => {
            write(ctx, once, move |txn, _, now| {
                let viewer = viewer.clone();
                async move {
                    let row = document::set_deleted(txn, id, deleted, &viewer, now);
                    Ok(row.await?.id.into())
                }
                .boxed()
            })
            .await
        }
        Err(errors) => Ok(Err(errors)),
    }
}

/// The id of what was changed, or why it was not.
type Outcome = Result<uuid::Uuid, Vec<crate::error::UserError>>;
