//! Tasks.

use async_graphql::{Context, ID, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::collaboration::task::{self, Turn};
use entity::id::TaskId;
use futures::FutureExt;
use sea_orm::ActiveValue::Set;

use crate::choice::choice;
use crate::context::{Ask, Can, Once, write};
use crate::edit::{self, form, records};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

choice! {
    /// How much a task matters.
    TaskPriority mirrors "entity::collaboration::task::Priority" {
        /// It can wait.
        Low,
        /// As usual.
        Normal,
        /// Before others.
        High,
    }
}

choice! {
    /// What has become of a task.
    TaskState mirrors "entity::collaboration::task::State" {
        /// It is still to be done.
        Open,
        /// It was done.
        Done,
        /// Nobody has to do it any more.
        Cancelled,
    }
}

form! {
    /// A task to be.
    CreateTaskInput,
    /// A change of a task. What is absent stays; what is null is cleared.
    UpdateTaskInput,
    of task:
    needs {
        /// What is to be done, up to 200 characters.
        title: String,
    }
    defaults {
        /// How much it matters.
        priority: TaskPriority = "TaskPriority::Normal",
    }
    may {
        /// What there is to say about it: plain text with line breaks, up to 5000 characters.
        description: String,
        /// The reference of the project that it is part of, up to 100 characters.
        project: String,
        /// By when it has to be done.
        due_at: DateTime<Utc>,
        /// How many minutes it is thought to take, 0 or more.
        estimate_min: i32,
        /// How many minutes it took so far, 0 or more.
        spent_min: i32,
    }
    references {
        /// The id of the user who has to do it, who can log in.
        assignee_id = "assigneeId",
    }
}

payload! {
    /// What came of adding a task.
    CreateTaskPayload {
        /// The new task; null when it was refused, or when it went to somebody whose tasks you do not see.
        task: task::Entity
    }
}

payload! {
    /// What came of completing a task.
    CompleteTaskPayload {
        /// The task as it is now; null when that was refused.
        task: task::Entity
    }
}

payload! {
    /// What came of calling off a task.
    CancelTaskPayload {
        /// The task as it is now; null when that was refused.
        task: task::Entity
    }
}

payload! {
    /// What came of reopening a task.
    ReopenTaskPayload {
        /// The task as it is now; null when that was refused.
        task: task::Entity
    }
}

records! {
    /// Changing tasks.
    TaskEditMutation of task by WriteTasks;
    update update_task(UpdateTaskInput) -> UpdateTaskPayload: "Changes a task. Its customer stays; `completeTask`, `cancelTask` and `reopenTask` change its state.";
    delete delete_task -> DeleteTaskPayload: "Deletes a task: lists leave it out.";
    restore restore_task -> RestoreTaskPayload: "Takes the deletion of a task back.";
}

/// Adding tasks, and saying what became of them.
#[derive(Default)]
pub struct TaskMutation;

/// Adding tasks, and saying what became of them.
#[Object]
impl TaskMutation {
    /// Adds a task, for a customer or for none. Who reaches some tasks only and names neither a customer nor who
    /// has to do it gets it themselves.
    #[graphql(guard = "Can(Permission::WriteTasks)")]
    async fn create_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the customer that it is done for; none when absent.")]
        customer_id: Option<ID>,
        #[graphql(desc = "The task.")] input: CreateTaskInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's task."
        )]
        idempotency_key: Option<String>,
    ) -> Result<CreateTaskPayload, Fault> {
        let viewer = ctx.viewer()?;
        let mut once = Once::new(idempotency_key.as_deref(), "createTask", &input);
        if let Some(id) = &customer_id {
            once = once.about(id).within(Permission::WriteTasks, id, &["customerId"]);
        }
        let customer = customer_id.map(|id| parse(&id, &["customerId"])).transpose();
        let row = customer.and_then(|customer| {
            let row = task::ActiveModel { customer_id: Set(customer), ..input.row()? };
            Ok(row.added_by(&viewer))
        });
        Ok(edit::create::<task::Entity>(ctx, once, row).await?.into())
    }

    /// Says that a task is done. Doing so again changes nothing.
    #[graphql(guard = "Can(Permission::WriteTasks)")]
    async fn complete_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's id.")] id: ID,
        #[graphql(desc = "How many minutes it took, 0 or more; stays as it is when absent.")]
        spent_min: Option<i32>,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CompleteTaskPayload, Fault> {
        let turned = turn(ctx, "completeTask", &id, Turn::Complete(spent_min), expected_version);
        Ok(turned.await?.into())
    }

    /// Calls a task off: nobody has to do it any more. Doing so again changes nothing.
    #[graphql(guard = "Can(Permission::WriteTasks)")]
    async fn cancel_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CancelTaskPayload, Fault> {
        let turned = turn(ctx, "cancelTask", &id, Turn::Cancel, expected_version);
        Ok(turned.await?.into())
    }

    /// Says that a task that was done or called off is to be done all the same. Doing so again changes nothing.
    #[graphql(guard = "Can(Permission::WriteTasks)")]
    async fn reopen_task(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<ReopenTaskPayload, Fault> {
        let turned = turn(ctx, "reopenTask", &id, Turn::Reopen, expected_version);
        Ok(turned.await?.into())
    }
}

async fn turn(
    ctx: &Context<'_>,
    operation: &'static str,
    id: &ID,
    turn: Turn,
    expected_version: Option<i32>,
) -> Result<edit::Outcome, Fault> {
    let once = Once::new(None, operation, id).within(Permission::WriteTasks, id, &["id"]);
    let id = match parse::<TaskId>(id, &["id"]) {
        Ok(id) => id,
        Err(errors) => return Ok(Err(errors)),
    };
    let work = write(ctx, once, move |txn, actor, now| {
        async move { Ok(task::turn(txn, id, turn, expected_version, actor, now).await?.id.into()) }
            .boxed()
    });
    work.await
}
