//! Importing receivables from a file.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::automation::{AutomationError, job};
use entity::collaboration::file;
use entity::finance::import::ImportInput;
use entity::id::FileId;
use futures::FutureExt;
use sea_orm::EntityTrait;

use crate::automation::Job;
use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::CurrencyCode;

/// A column of the file and the field that it fills.
#[derive(Clone, Debug, InputObject)]
pub struct ColumnMappingInput {
    /// The column's heading in the file.
    pub column: String,
    /// The field, such as `invoice.number`; `rapport import receivables --help` lists them.
    pub field: String,
}

/// A file of receivables to import.
#[derive(Clone, Debug, InputObject)]
pub struct ImportReceivablesInput {
    /// The file: upload it with `POST /files` first, which answers with its id.
    pub file_id: ID,
    /// The currency of the amounts; the organisation's when absent.
    pub currency: Option<CurrencyCode>,
    /// Which column fills which field, where the headings do not say so by themselves.
    #[graphql(default, validator(max_items = 50))]
    pub mapping: Vec<ColumnMappingInput>,
    /// Check everything and change nothing.
    #[graphql(default)]
    pub dry_run: bool,
    /// Send a receipt for every payment that is new. Off unless asked for: an import is silent.
    #[graphql(default)]
    pub receipts: bool,
}

payload! {
    /// What came of asking for an import.
    ImportReceivablesPayload {
        /// The job that does it; null when it was refused.
        job: Job
    }
}

/// Importing.
#[derive(Default)]
pub struct ImportMutation;

/// Importing.
#[Object]
impl ImportMutation {
    /// Imports customers, invoices and payments from a file, as a job. Importing the same file again
    /// changes nothing.
    #[graphql(guard = "Can(Permission::Import)")]
    async fn import_receivables(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which file, and how to read it.")] input: ImportReceivablesInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: String,
    ) -> Result<ImportReceivablesPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "importReceivables", &input);
        let outcome = match parse::<FileId>(&input.file_id, &["input", "fileId"]) {
            Ok(file) => {
                let mapping = input.mapping.iter();
                let request = ImportInput {
                    file,
                    currency: input.currency.map(|code| code.0),
                    mapping: mapping
                        .map(|pair| (pair.column.clone(), pair.field.clone()))
                        .collect(),
                    dry_run: input.dry_run,
                    receipts: input.receipts,
                    ..ImportInput::new(file)
                };
                let request = serde_json::to_value(request).unwrap_or_default();
                write(ctx, once, move |txn, actor, now| {
                    let request = request.clone();
                    async move {
                        let stored = file::Entity::find_by_id(file).one(txn).await?;
                        stored.ok_or(AutomationError::FileNotFound)?;
                        let kind = job::Kind::ImportReceivables;
                        Ok(job::create(txn, kind, request, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        ImportReceivablesPayload::after(ctx, outcome).await
    }
}
