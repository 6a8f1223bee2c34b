//! Importing customers from a file, with a mapping that can be kept, and taking an import back.

use async_graphql::{Context, Enum, ID, InputObject, Object};
use entity::access::Permission;
use entity::automation::{AutomationError, job};
use entity::collaboration::file;
use entity::customers::import::{self, ImportInput, template};
use entity::id::{FileId, ImportTemplateId, JobId};
use futures::FutureExt;
use sea_orm::EntityTrait;

use super::customer::CustomerMatch;
use crate::context::{Ask, Can, CanAll, Once, write};
use crate::error::{Fault, UserError};
use crate::finance::ColumnMappingInput;
use crate::id::parse;
use crate::payload::payload;

/// What becomes of a row whose customer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::customers::customer::Duplicates")]
pub enum DuplicatePolicy {
    /// The customer stays as it is.
    Skip,
    /// The customer is changed; what the row does not say is kept.
    Update,
    /// Another customer is added.
    Create,
}

/// A file of customers to import.
#[derive(Clone, Debug, InputObject)]
pub struct ImportCustomersInput {
    /// The file: upload it with `POST /files` first, which answers with its id.
    pub file_id: ID,
    /// A template whose mapping is used; what `mapping` says goes before it.
    pub template_id: Option<ID>,
    /// Which column fills which field, where the headings do not say so by themselves: `number`,
    /// `displayName`, `kind`, `stage`, `email`, `phone`, `taxNumber`, `language`, `timeZone`, `currency`,
    /// `customFields.` with the key of a custom field, or `ignore`. A custom field's key and label are headings
    /// that it is found by; choices are divided by semicolons, an amount is written `12.50 EUR`.
    #[graphql(default, validator(max_items = 50))]
    pub mapping: Vec<ColumnMappingInput>,
    /// By what a row finds a customer that is there; a row without it is a new one.
    #[graphql(default_with = "CustomerMatch::Number")]
    pub match_on: CustomerMatch,
    /// What becomes of a row that finds one.
    #[graphql(default_with = "DuplicatePolicy::Skip")]
    pub duplicates: DuplicatePolicy,
}

/// A mapping to keep.
#[derive(Clone, Debug, InputObject)]
pub struct SaveImportTemplateInput {
    /// What it is called, up to 100 characters; a template of this name is replaced.
    pub name: String,
    /// Which column fills which field.
    #[graphql(validator(min_items = 1, max_items = 50))]
    pub mapping: Vec<ColumnMappingInput>,
}

payload! {
    /// What came of asking for an import of customers.
    ImportCustomersPayload {
        /// The job that does it; its report counts what was `created`, `updated`, `skipped` and `bad`. Null
        /// when it was refused.
        job: job::Entity
    }
}

payload! {
    /// What came of taking an import back.
    UndoImportPayload {
        /// The finished job under which it is on record; its report says how many were `removed`. Null when
        /// it was refused.
        job: job::Entity
    }
}

payload! {
    /// What came of keeping a mapping.
    SaveImportTemplatePayload {
        /// The template; null when it was refused.
        template: template::Entity
    }
}

/// Importing customers.
#[derive(Default)]
pub struct CustomerImportMutation;

/// Importing customers.
#[Object]
impl CustomerImportMutation {
    /// Imports customers from a file of comma-separated values, as a job. It finds and changes any customer, so it
    /// takes the permissions to import and to change customers, both with all records.
    #[graphql(guard = "CanAll(Permission::Import).and(CanAll(Permission::WriteCustomers))")]
    async fn import_customers(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which file, and how to read it.")] input: ImportCustomersInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: String,
    ) -> Result<ImportCustomersPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(Some(&idempotency_key), "importCustomers", &input);
        let outcome = match input.parse() {
            Ok((given, template)) => {
                write(ctx, once, move |txn, _, now| {
                    let (mut given, viewer) = (given.clone(), viewer.clone());
                    async move {
                        let stored = file::Entity::find_by_id(given.file).one(txn).await?;
                        stored.ok_or(AutomationError::FileNotFound)?;
                        if let Some(template) = template {
                            let known = template::mapping(txn, template).await?;
                            let said: Vec<_> =
                                given.mapping.iter().map(|pair| pair.1.clone()).collect();
                            let more = known.into_iter().filter(|pair| !said.contains(&pair.1));
                            given.mapping.extend(more);
                        }
                        let request = serde_json::to_value(given).unwrap_or_default();
                        let kind = job::Kind::ImportCustomers;
                        Ok(job::create(txn, kind, request, &viewer, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(ImportCustomersPayload::from(outcome))
    }

    /// Takes an import of customers back: removes those that it has added, for good. Refused with reasons
    /// once one of them was changed or has anything. What the import has changed of others stays. It takes the
    /// permissions that importing takes.
    #[graphql(guard = "CanAll(Permission::Import).and(CanAll(Permission::WriteCustomers))")]
    async fn undo_import(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the import's job, which has ended.")] job_id: ID,
    ) -> Result<UndoImportPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "undoImport", &job_id);
        let outcome = match parse::<JobId>(&job_id, &["jobId"]) {
            Ok(job) => {
                write(ctx, once, move |txn, _, now| {
                    let viewer = viewer.clone();
                    async move { Ok(import::undo(txn, job, &viewer, now).await?.id.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UndoImportPayload::from(outcome))
    }

    /// Keeps a mapping of columns under a name, for the next file of the same kind.
    #[graphql(guard = "Can(Permission::Import)")]
    async fn save_import_template(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The name and the mapping.")] input: SaveImportTemplateInput,
    ) -> Result<SaveImportTemplatePayload, Fault> {
        let once = Once::new(None, "saveImportTemplate", &input);
        let (name, mapping) = (input.name, pairs(input.mapping));
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (name, mapping) = (name.clone(), mapping.clone());
            async move { Ok(template::save(txn, &name, &mapping, actor, now).await?.id.into()) }
                .boxed()
        });
        Ok(SaveImportTemplatePayload::from(outcome.await?))
    }
}

fn pairs(mapping: Vec<ColumnMappingInput>) -> Vec<(String, String)> {
    mapping.into_iter().map(|pair| (pair.column, pair.field)).collect()
}

impl ImportCustomersInput {
    fn parse(self) -> Result<(ImportInput, Option<ImportTemplateId>), Vec<UserError>> {
        let template = self.template_id.map(|id| parse(&id, &["input", "templateId"]));
        let input = ImportInput {
            file: parse::<FileId>(&self.file_id, &["input", "fileId"])?,
            mapping: pairs(self.mapping),
            match_on: self.match_on.into(),
            duplicates: self.duplicates.into(),
        };
        Ok((input, template.transpose()?))
    }
}
