//! Importing receivables from a file.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use entity::access::Permission;
use entity::automation::{AutomationError, job};
use entity::collaboration::file;
use entity::finance::import::ImportInput;
use entity::id::FileId;
use futures::FutureExt;
use sea_orm::EntityTrait;

use crate::context::{Ask, CanAll, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::CurrencyCode;

/// In which order a day's parts stand. Whatever the order, a leading year is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::finance::import::DateOrder")]
pub enum DateOrder {
    /// `12/31/2026`
    Mdy,
    /// `31/12/2026`
    Dmy,
    /// `2026-12-31`
    Ymd,
}

/// What separates an amount's decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::finance::import::DecimalMark")]
pub enum DecimalMark {
    /// `1234.56`, `1,234.56`
    Point,
    /// `1234,56`, `1.234,56`
    Comma,
}

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
    /// The file's encoding, such as `windows-1258`; found out when absent.
    pub encoding: Option<String>,
    /// In which order a day's parts stand; found out from all days of the file when absent.
    pub date_order: Option<DateOrder>,
    /// What separates an amount's decimals; found out from all amounts of the file when absent.
    pub decimal_mark: Option<DecimalMark>,
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
        job: job::Entity
    }
}

/// Importing.
#[derive(Default)]
pub struct ImportMutation;

/// Importing.
#[Object]
impl ImportMutation {
    /// Imports customers, invoices and payments from a file, as a job. Importing the same file again
    /// changes nothing. It writes for any customer, so it takes the permissions to import, to change customers,
    /// to issue invoices and to record payments, each with all records.
    #[graphql(guard = "CanAll(Permission::Import)
            .and(CanAll(Permission::WriteCustomers))
            .and(CanAll(Permission::WriteInvoices))
            .and(CanAll(Permission::WritePayments))")]
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
                    date_order: input.date_order.map(Into::into),
                    encoding: input.encoding.clone(),
                    decimal: input.decimal_mark.map(Into::into),
                    dry_run: input.dry_run,
                    receipts: input.receipts,
                };
                let request = serde_json::to_value(request).unwrap_or_default();
                let viewer = ctx.viewer()?;
                write(ctx, once, move |txn, _, now| {
                    let (request, viewer) = (request.clone(), viewer.clone());
                    async move {
                        let stored = file::Entity::find_by_id(file).one(txn).await?;
                        stored.ok_or(AutomationError::FileNotFound)?;
                        let kind = job::Kind::ImportReceivables;
                        Ok(job::create(txn, kind, request, &viewer, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(ImportReceivablesPayload::from(outcome))
    }
}
