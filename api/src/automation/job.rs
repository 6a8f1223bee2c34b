//! Jobs: long work that a person waits for, starts, and calls off.

use async_graphql::{Context, ID, Object};
use entity::automation::job;
use entity::id::JobId;
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Ask, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

choice! {
    /// What a job does.
    JobKind mirrors "entity::automation::job::Kind" {
        /// Reads a file of receivables.
        ImportReceivables,
        /// Reads a file of customers.
        ImportCustomers,
        /// Took an import of customers back; it was done at once.
        UndoImport,
        /// Added or changed customers by the hundred; it was done at once.
        UpsertCustomers,
        /// Changes all customers of a filter.
        UpdateCustomers,
        /// Deletes all customers of a filter.
        DeleteCustomers,
        /// Writes a list into a file.
        Export,
        /// Foresees what would come of a workflow, and keeps it with the workflow.
        Forecast,
        /// Puts letters by post into one file for printing.
        PrintLetters,
        /// Makes statements of account of all customers of a filter.
        CreateStatements,
        /// Writes statements of account into files, and plans the messages by which customers get them.
        ArchiveStatements,
        /// Adds the customers in a file to a segment that is a list, or says which ones it would add.
        ImportSegmentMembers,
    }
}

choice! {
    /// How far a job has come.
    JobState mirrors "entity::automation::job::State" {
        /// It shows what it would do, and waits for `startJob`.
        Preview,
        /// It will start soon.
        Queued,
        /// It is running.
        Running,
        /// It has ended; what it could not do is in its report.
        Succeeded,
        /// It has ended without effect; why is in its report.
        Failed,
        /// Somebody called it off; what it had done by then stays.
        Cancelled,
    }
}

payload! {
    /// What came of starting a job.
    StartJobPayload {
        /// The job; null when it was not started.
        job: job::Entity
    }
}

payload! {
    /// What came of calling a job off.
    CancelJobPayload {
        /// The job; null when it goes on.
        job: job::Entity
    }
}

/// Starting jobs, and calling them off.
#[derive(Default)]
pub struct JobMutation;

/// Starting jobs, and calling them off.
#[Object]
impl JobMutation {
    /// Starts a job that shows a preview. Only who asked for the job can.
    async fn start_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id.")] id: ID,
    ) -> Result<StartJobPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "startJob", &id);
        let outcome = match parse::<JobId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, _, now| {
                    let viewer = viewer.clone();
                    async move {
                        job::start(txn, id, &viewer, now).await?;
                        Ok(id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(StartJobPayload::from(outcome))
    }

    /// Calls a job off. What it has done by then stays; an import that is running comes to its end.
    /// Who asked for the job can, and who manages users.
    async fn cancel_job(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The job's id.")] id: ID,
    ) -> Result<CancelJobPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "cancelJob", &id);
        let outcome = match parse::<JobId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, _, now| {
                    let viewer = viewer.clone();
                    async move {
                        job::cancel(txn, id, &viewer, now).await?;
                        Ok(id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(CancelJobPayload::from(outcome))
    }
}
