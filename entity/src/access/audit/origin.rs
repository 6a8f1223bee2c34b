//! Where changes come from, told to the database at the start of a transaction.
//!
//! Invariant: what is told holds for that transaction alone. PostgreSQL forgets it with the transaction's
//! settings; SQLite has one writer at a time, which takes its row away before it commits.

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DbBackend, DbErr, Statement};
use serde_json::json;

use crate::access::Actor;
use crate::id::{JobId, UserId};

/// Who changes records, and in which job or request. What is not known is taken from the record, where
/// it says who changed it and when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    user: Option<UserId>,
    job: Option<JobId>,
    request: Option<String>,
    at: Option<DateTime<Utc>>,
}

impl Origin {
    /// What `actor` does.
    #[must_use]
    pub fn new(actor: Actor, now: DateTime<Utc>) -> Self {
        Self { user: actor.user(), at: Some(now), ..Self::default() }
    }

    /// The same in a job.
    #[must_use]
    pub fn in_job(self, job: JobId) -> Self {
        Self { job: Some(job), ..self }
    }

    /// The same in a request.
    #[must_use]
    pub fn in_request(self, request: &str) -> Self {
        Self { request: Some(request.to_owned()), ..self }
    }
}

/// Tells the database where the transaction's changes come from.
pub(crate) async fn declare(txn: &impl ConnectionTrait, origin: &Origin) -> Result<(), DbErr> {
    let Some(at) = origin.at else { return Ok(()) };
    let statement = match txn.get_database_backend() {
        DbBackend::Postgres => {
            let origin = json!({
                "user": origin.user, "job": origin.job, "request": origin.request, "at": at,
            });
            let sql = "SELECT set_config('rapport.origin', $1, true)";
            Statement::from_sql_and_values(DbBackend::Postgres, sql, [origin.to_string().into()])
        }
        backend => Statement::from_sql_and_values(
            backend,
            "INSERT INTO audit_origin (id, at, user_id, job_id, request_id) VALUES (1, ?, ?, ?, ?)",
            [at.into(), origin.user.into(), origin.job.into(), origin.request.clone().into()],
        ),
    };
    txn.execute_raw(statement).await.map(|_| ())
}

/// Takes away what was told, before the commit.
pub(crate) async fn forget(txn: &impl ConnectionTrait, origin: &Origin) -> Result<(), DbErr> {
    if origin.at.is_none() || txn.get_database_backend() == DbBackend::Postgres {
        return Ok(());
    }
    txn.execute_unprepared("DELETE FROM audit_origin").await.map(|_| ())
}
