//! Asking for a link to fetch a file by.

use async_graphql::{Context, ID, Object, SimpleObject};
use chrono::{DateTime, TimeDelta, Utc};
use entity::collaboration::{file, left};
use entity::finance::statement;
use entity::id::{FileId, Id, JobId, StatementId};

use crate::context::Ask;
use crate::error::Fault;
use crate::files::link::{Link, Purpose};

/// For how many minutes a file can be fetched by a link.
const MINUTES: i64 = 5;

/// Where a file can be fetched for a while.
#[derive(Clone, Debug, SimpleObject)]
pub struct DownloadLink {
    /// The path below the API's own address. `GET` it without further headers; `Range` and `If-None-Match`
    /// are understood. It is good for you only as long as you may see what is there: keep it to yourself.
    pub url: String,
    /// Until when it is good.
    pub expires_at: DateTime<Utc>,
}

/// Fetching files.
#[derive(Default)]
pub struct DownloadQuery;

/// Fetching files.
#[Object]
impl DownloadQuery {
    /// A link to a file, good for five minutes: a version of a document or the PDF of a statement that you may see, or what
    /// a job of yours has left. An export leaves its file for seven days, as `printLetters` does, and an import a table
    /// of the rows that it did not take. Null when there is no such file for you.
    #[graphql(complexity = "5")]
    async fn download_link(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "The id of a document's version (`document { latest { id } }`), of a statement or of a job."
        )]
        id: ID,
    ) -> Result<Option<DownloadLink>, Fault> {
        let (viewer, db, now) = (ctx.viewer()?, ctx.reader(), ctx.now());
        let (purpose, id) = if let Some(id) = FileId::parse(&id) {
            match file::readable(db, id, &viewer).await? {
                Some(_) => (Purpose::Version, id.0),
                None => return Ok(None),
            }
        } else if let Some(id) = JobId::parse(&id) {
            match left::by(db, id, &viewer, now).await? {
                Some(_) => (Purpose::Result, id.0),
                None => return Ok(None),
            }
        } else if let Some(id) = StatementId::parse(&id) {
            match statement::file(db, id, &viewer).await? {
                Some(_) => (Purpose::Statement, id.0),
                None => return Ok(None),
            }
        } else {
            return Ok(None);
        };
        let expires_at = now + TimeDelta::minutes(MINUTES);
        let link = ctx.shared().links.sign(purpose, Link { id, user: viewer.user, expires_at });
        Ok(Some(DownloadLink { url: format!("/files/{link}"), expires_at }))
    }
}
