//! What a read takes from its request, and gives back to it.

use std::sync::atomic::Ordering;

use async_graphql::{ContextSelectionSet, Pos, ServerError, ServerResult, Value};
use entity::access::Viewer;
use entity::catalog::Record;

use super::load::Reader;
use super::plan::Planner;
use super::write::{Failed, Writer};
use crate::context::{Ask, Session};
use crate::error::Fault;

/// A fault as an error at the place of the field.
pub(super) fn failed(fault: impl Into<Fault>, pos: Pos) -> ServerError {
    async_graphql::Error::from(fault.into()).into_server_error(pos)
}

/// Who asks.
pub(super) fn viewer(ctx: &ContextSelectionSet<'_>, pos: Pos) -> ServerResult<Viewer> {
    ctx.viewer().map_err(|fault| failed(fault, pos))
}

/// Reads for the viewer, over one connection.
pub(super) fn reader<'a>(ctx: &'a ContextSelectionSet<'_>, viewer: &'a Viewer) -> Reader<'a> {
    let session: &Session = ctx.data_unchecked();
    let shared = ctx.shared();
    Reader {
        line: shared.db.line(),
        db: shared.db.reader(),
        viewer,
        statements: &session.statements,
        words: &shared.words,
    }
}

/// The written value, or null; what failed on the way is noted.
pub(super) fn nullable(
    ctx: &ContextSelectionSet<'_>,
    writer: Writer,
    written: &Result<bool, Failed>,
) -> Value {
    let (json, errors) = written_at(ctx, writer);
    for error in errors {
        ctx.add_error(error);
    }
    match written {
        Ok(true) => Value::Binary(json.into()),
        Ok(false) | Err(Failed) => Value::Null,
    }
}

/// The written value, which is never null: what cannot be written takes what is around it with it.
pub(super) fn required(
    ctx: &ContextSelectionSet<'_>,
    writer: Writer,
    written: &Result<(), Failed>,
) -> ServerResult<Value> {
    let (json, errors) = written_at(ctx, writer);
    let mut errors = errors.into_iter();
    let first = if written.is_err() { errors.next() } else { None };
    for error in errors {
        ctx.add_error(error);
    }
    match first {
        Some(error) => Err(error),
        None => Ok(Value::Binary(json.into())),
    }
}

/// What was written at the place of the field, and what failed on the way.
fn written_at(ctx: &ContextSelectionSet<'_>, writer: Writer) -> (Vec<u8>, Vec<ServerError>) {
    let Writer { out, mut errors } = writer;
    if !errors.is_empty() {
        let around = ctx.set_error_path(ServerError::new("", None)).path;
        for error in &mut errors {
            let within = std::mem::replace(&mut error.path, around.clone());
            error.path.extend(within.into_iter().rev());
        }
    }
    (out, errors)
}

/// The plan that `ask` makes; once more with the custom fields if it misses them.
pub(super) async fn planned<'a, T>(
    ctx: &ContextSelectionSet<'a>,
    viewer: &'a Viewer,
    ask: impl Fn(Planner<'a>) -> Result<T, Fault>,
) -> Result<T, Fault> {
    let plan = ask(Planner::new(ctx, viewer));
    let session: &Session = ctx.data_unchecked();
    if !session.custom.are_missed() {
        return plan;
    }
    session.statements.fetch_add(1, Ordering::Relaxed);
    session.custom.load(ctx.reader()).await?;
    ask(Planner::new(ctx, viewer))
}

/// Refuses who may read nothing of a kind.
pub(super) fn admit(viewer: &Viewer, record: &Record, pos: Pos) -> ServerResult<()> {
    if record.is_readable(viewer) {
        return Ok(());
    }
    Err(failed(Fault::forbidden(), pos))
}
