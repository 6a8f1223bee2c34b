//! Lists as files: a mutation for each list of the catalogue, which asks for a job.
//!
//! Invariant: what can be listed can be exported, with the list's own filter and order and no others.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::{MetaField, Registry};
use async_graphql::{
    ContainerType, Context, ContextSelectionSet, Enum, InputType, Json, ObjectType, OutputType,
    Positioned, ServerResult, Value, resolver_utils,
};
use entity::automation::job;
use entity::catalog::{Record, columns, records};
use entity::collaboration::export::{self, Format, Request};
use futures::FutureExt;
use serde_json::json;

use super::plan::argument;
use super::register;
use crate::context::{Ask, Once, write};
use crate::error::Fault;
use crate::payload::payload;

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::collaboration::export::Format")]
pub enum ExportFormat {
    /// Comma-separated values in UTF-8, for any program. A text that a spreadsheet would take for a
    /// formula begins with an apostrophe.
    Csv,
    /// A workbook, for Excel and its like, of up to 1,048,575 rows.
    Xlsx,
}

payload! {
    /// What came of asking for an export.
    ExportPayload {
        /// The job that writes the file; null when it was refused. Once it has succeeded, `downloadLink`
        /// gives the file to who asked for it, for seven days.
        job: job::Entity
    }
}

/// All that can be exported: `exportCustomers(…)`, `exportInvoices(…)`.
#[derive(Default)]
pub struct Exports;

/// The lists that there are.
fn listed() -> impl Iterator<Item = &'static Record> {
    records().into_iter().filter(|record| !record.many.is_empty())
}

/// The name of a list's export, such as `exportCustomers`.
fn name(record: &Record) -> String {
    let (first, rest) = record.many.split_at(1);
    format!("export{}{rest}", first.to_uppercase())
}

impl OutputType for Exports {
    fn type_name() -> Cow<'static, str> {
        "Exports".into()
    }

    fn create_type_info(registry: &mut Registry) -> String {
        <ExportPayload as OutputType>::create_type_info(registry);
        <ExportFormat as InputType>::create_type_info(registry);
        let mut fields = Vec::new();
        for record in listed() {
            register::record(registry, record);
            fields.push(exporting(registry, record));
        }
        let name = Self::type_name().into_owned();
        let object = register::object(&name, "Exporting lists.", fields);
        registry.types.insert(name, object);
        Self::qualified_type_name()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        resolver_utils::resolve_container(ctx, self).await
    }
}

impl ObjectType for Exports {}

impl ContainerType for Exports {
    async fn resolve_field(&self, ctx: &Context<'_>) -> ServerResult<Option<Value>> {
        let asked = ctx.item.node.name.node.as_str();
        let Some(record) = listed().find(|record| name(record) == asked) else { return Ok(None) };
        let payload = match ask(ctx, record).await {
            Ok(payload) => payload,
            Err(fault) => {
                let error = async_graphql::Error::from(fault).into_server_error(ctx.item.pos);
                return Err(ctx.set_error_path(error));
            }
        };
        let set = ctx.with_selection_set(&ctx.item.node.selection_set);
        payload.resolve(&set, ctx.item).await.map(Some)
    }
}

fn exporting(registry: &mut Registry, record: &'static Record) -> MetaField {
    let known = columns(record);
    let field = format!("{}ExportField", record.name);
    let about = format!("A column of a table of `{}`.", record.name);
    let values = known.iter().map(|column| (column.name.as_str(), column.about.as_str()));
    register::enumeration(registry, &field, &about, values);
    let input = register::meta_input;
    let filter = format!("{}Filter", record.name);
    let mut arguments = vec![input("filter", "Which records.", &filter, None)];
    if record.fields.iter().any(|field| field.ordered) {
        let about = "In which order; later entries decide among equals.";
        arguments.push(input("orderBy", about, &format!("[{}Order!]", record.name), None));
    }
    let about =
        "Which columns, in which order; all when absent. Those that you may not see are left out.";
    arguments.push(input("fields", about, &format!("[{field}!]"), None));
    if record.has_custom_fields() {
        let about = "The keys of the custom fields that have columns, after the others, headed by their labels; all when `fields` is absent too.";
        arguments.push(input("customFields", about, "[String!]", None));
    }
    arguments.push(input("format", "What the file is for.", "ExportFormat!", Some("CSV")));
    let about = "1 to 255 characters; a repeated request with the same key and input gives the first one's job.";
    arguments.push(input("idempotencyKey", about, "String!", None));
    let about =
        format!("Writes all `{}` of a filter that you may see into a file, as a job.", record.name);
    MetaField {
        args: arguments.into_iter().map(|one| (one.name.clone(), one)).collect(),
        ..register::meta_field(&name(record), &about, "ExportPayload!")
    }
}

async fn ask(ctx: &Context<'_>, record: &'static Record) -> Result<ExportPayload, Fault> {
    let viewer = ctx.viewer()?;
    if !record.is_readable(&viewer) {
        return Err(Fault::forbidden());
    }
    let argument = |name| argument(ctx.query_env, ctx.item, name);
    let names = |name| -> Option<Vec<String>> {
        let given = argument(name);
        let names = given.as_array()?.iter().filter_map(serde_json::Value::as_str);
        Some(names.map(str::to_owned).collect())
    };
    let format = match argument("format").as_str() {
        Some("XLSX") => Format::Xlsx,
        _ => Format::Csv,
    };
    let request = Request {
        list: record.many.to_owned(),
        filter: argument("filter"),
        order: argument("orderBy"),
        fields: names("fields"),
        custom_fields: names("customFields"),
        format,
    };
    let key = argument("idempotencyKey");
    let once = Once::new(key.as_str(), "export", &Json(json!(request)));
    let outcome = write(ctx, once, move |txn, _, now| {
        let request = request.clone();
        let viewer = viewer.clone();
        async move { Ok(export::request(txn, &request, viewer, now).await?.id.into()) }.boxed()
    });
    Ok(ExportPayload::from(outcome.await?))
}
