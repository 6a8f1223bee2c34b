//! Asking for a link to send a file to.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::collaboration::Target;
use entity::collaboration::upload::{self, NewUpload};
use entity::id::UploadId;
use futures::FutureExt;

use crate::context::{Ask, Once, write};
use crate::error::{Fault, UserError};
use crate::files::link::{Link, Purpose};
use crate::scalar::Long;

/// A file that is to come.
#[derive(Clone, Debug, InputObject)]
pub struct CreateUploadInput {
    /// What the file is kept with: the id of a customer, an invoice or a payment; or the id of a document,
    /// whose next version it becomes.
    pub record: ID,
    /// What the file is called, such as `Hợp đồng.pdf`. What no file system takes is left out of it.
    pub file_name: String,
    /// How large it is, in bytes: 1 to 2 147 483 648. Other than this is refused.
    pub size: Long,
    /// Its SHA-256 as 64 hexadecimal digits; a file with another one is refused. Not checked when absent.
    pub sha256: Option<String>,
    /// What a new document is called, up to 200 characters; as the file when absent.
    pub title: Option<String>,
    /// Where a new document is filed, such as `Contracts/2026`; nowhere in particular when absent.
    pub folder: Option<String>,
    /// Words that a new document is found by: up to 20 with up to 64 characters each.
    #[graphql(default, validator(max_items = 50))]
    pub tags: Vec<String>,
}

/// Where a file can be sent.
#[derive(Clone, Debug, SimpleObject)]
pub struct UploadLink {
    /// The path below the API's own address. `PUT` the file there as the body; the answer is JSON with
    /// `documentId`, `versionId`, `number`, `fileName`, `mediaType`, `size` and `sha256`. It is good for one
    /// file; an attempt that fails can be repeated.
    pub url: String,
    /// Until when it is good: an attempt has to begin by then.
    pub expires_at: DateTime<Utc>,
}

/// What came of asking for an upload.
#[derive(SimpleObject)]
pub struct CreateUploadPayload {
    /// Where to send the file; null when it was refused.
    pub upload: Option<UploadLink>,
    /// Why there is no link; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Sending files.
#[derive(Default)]
pub struct UploadMutation;

/// Sending files.
#[Object]
impl UploadMutation {
    /// Gives a link to send a file to. A document, or a version of one, comes of it once the whole file is
    /// there. Who may change a record may add documents to it.
    async fn create_upload(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The file.")] input: CreateUploadInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's link."
        )]
        idempotency_key: Option<String>,
    ) -> Result<CreateUploadPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(idempotency_key.as_deref(), "createUpload", &input);
        let Some(target) = Target::parse(&input.record) else {
            return Ok(refused(vec![UserError::not_found(&["input", "record"])]));
        };
        let new = NewUpload {
            target,
            title: input.title,
            folder: input.folder,
            tags: input.tags,
            file_name: input.file_name,
            size: input.size.0,
            sha256: input.sha256,
        };
        let sender = viewer.clone();
        let written = write(ctx, once, move |txn, _, now| {
            let (new, viewer) = (new.clone(), sender.clone());
            async move { Ok(upload::create(txn, new, &viewer, now).await?.id.into()) }.boxed()
        });
        let id = match written.await? {
            Ok(id) => id,
            Err(errors) => return Ok(refused(errors)),
        };
        let waiting = upload::waiting(ctx.reader(), UploadId(id), &viewer).await;
        let expires_at = match waiting {
            Ok(upload) => upload.expires_at,
            Err(error) => return crate::error::refused(error).map(refused),
        };
        let link = Link { id, user: viewer.user, expires_at };
        let url = format!("/files/upload/{}", ctx.shared().links.sign(Purpose::Upload, link));
        let upload = Some(UploadLink { url, expires_at });
        Ok(CreateUploadPayload { upload, user_errors: Vec::new() })
    }
}

fn refused(user_errors: Vec<UserError>) -> CreateUploadPayload {
    CreateUploadPayload { upload: None, user_errors }
}
