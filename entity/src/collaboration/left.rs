//! What jobs leave to be fetched: the file of an export, the batch of letters, and the rows that an import did not take.
//!
//! Invariant: it is for who asked for the job, with the rights that they have when they fetch it.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use super::{export, file};
use crate::access::Viewer;
use crate::automation::job::{self, Kind};
use crate::automation::printing;
use crate::catalog::Cataloged;
use crate::finance::import::BadRow;
use crate::id::JobId;
use crate::spreadsheet::harmless;

/// What a job has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// A file in the file store.
    File(file::Model),
    /// Comma-separated values in UTF-8.
    Table {
        /// What they are called.
        name: String,
        /// Themselves.
        bytes: Vec<u8>,
    },
}

/// What a job has left for `viewer`; `None` when that is nothing, or nothing any more.
///
/// # Errors
/// The database.
pub async fn by(
    db: &impl ConnectionTrait,
    id: JobId,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Option<Left>, DbErr> {
    let job = job::Entity::find_by_id(id)
        .filter(job::Column::CreatedBy.eq(viewer.user))
        .filter(job::Entity::record().visible(viewer))
        .one(db)
        .await?;
    let Some(job) = job else { return Ok(None) };
    match job.kind {
        Kind::PrintLetters => Ok(printing::result(db, &job, viewer, now).await?.map(Left::File)),
        Kind::Export => Ok(export::result(db, &job, viewer, now).await?.map(Left::File)),
        Kind::ImportCustomers | Kind::ImportReceivables | Kind::ImportSegmentMembers => {
            Ok(refused(&job))
        }
        _ => Ok(None),
    }
}

/// The rows that the report of an import names, if it names any.
fn refused(job: &job::Model) -> Option<Left> {
    let rows = Vec::<BadRow>::deserialize(job.report.as_ref()?.get("bad_rows")?).ok()?;
    let name = format!("refused-{}.csv", job.created_at.format("%Y%m%d-%H%M"));
    match rows.is_empty() {
        true => None,
        false => Some(Left::Table { name, bytes: table(&rows).ok()? }),
    }
}

fn table(rows: &[BadRow]) -> Result<Vec<u8>, csv::Error> {
    // Without the mark Excel takes the file for one in the system's old code page.
    let mut out = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    out.write_record(["line", "column", "value", "reason"])?;
    for BadRow { line, column, value, reason } in rows {
        let line = line.to_string();
        let texts = [column.as_deref(), value.as_deref(), Some(reason.as_str())];
        let [column, value, reason] = texts.map(|text| harmless(text.unwrap_or_default()));
        out.write_record([line.as_str(), &column, &value, &reason])?;
    }
    out.into_inner().map_err(|error| error.into_error().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_a_table_that_carries_nothing_out() {
        let rows = serde_json::json!([
            { "line": 3, "column": "Thư", "value": "=1+1", "reason": "this is no \"address\"" },
            { "line": 7, "reason": "it has no name" },
        ]);
        let rows = Vec::<BadRow>::deserialize(&rows).unwrap();
        let text = String::from_utf8(table(&rows).unwrap()).unwrap();
        assert_eq!(
            text,
            "\u{feff}line,column,value,reason\r\n3,Thư,'=1+1,\"this is no \"\"address\"\"\"\r\n7,,,it has no name\r\n"
        );
    }
}
