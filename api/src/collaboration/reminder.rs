//! Reminders.

use async_graphql::{Context, ID, InputObject, Object, OneofObject};
use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Permission;
use entity::collaboration::{appointment, call, reminder, task};
use entity::edit::{Editable, Form, IdOf};
use entity::id::ReminderId;
use futures::FutureExt;

use crate::context::{Ask, Can, LoggedIn, Once, write};
use crate::edit::Outcome;
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::Duration;

/// When somebody is reminded.
#[derive(Clone, Debug, InputObject)]
pub struct RemindersInput {
    /// How long before the time of the record, such as `PT15M` and `P1D`: up to 10, `PT0S` to `P366D`. Reminders that
    /// it has and that are not here go.
    pub before: Vec<Duration>,
}

/// How long a reminder is put off.
#[derive(Clone, Debug, OneofObject)]
pub enum SnoozeInput {
    /// For so long: `PT5M` to `P30D`.
    For(Duration),
    /// Until then, which is 5 minutes to 30 days ahead.
    Until(DateTime<Utc>),
}

payload! {
    /// What came of saying when somebody is reminded of a task.
    SetTaskRemindersPayload {
        /// The task with its reminders; null when that was refused.
        task: task::Entity
    }
}

payload! {
    /// What came of saying when somebody is reminded of a call.
    SetCallRemindersPayload {
        /// The call with its reminders; null when that was refused.
        call: call::Entity
    }
}

payload! {
    /// What came of saying when those who take part are reminded of an appointment.
    SetAppointmentRemindersPayload {
        /// The appointment with its reminders; null when that was refused.
        appointment: appointment::Entity
    }
}

payload! {
    /// What came of putting a reminder off.
    SnoozeReminderPayload {
        /// The reminder as it is now; null when that was refused.
        reminder: reminder::Entity
    }
}

payload! {
    /// What came of putting a reminder away.
    DismissReminderPayload {
        /// The reminder as it is now; null when that was refused.
        reminder: reminder::Entity
    }
}

/// Setting reminders, putting them off and away.
#[derive(Default)]
pub struct ReminderMutation;

/// Setting reminders, putting them off and away.
#[Object]
impl ReminderMutation {
    /// Says how long before `dueAt` who has to do a task is reminded of it, in Rapport and as they chose for
    /// `REMINDER`. A reminder that would have been earlier than now comes at once. They follow the task: a task that
    /// gets another day or goes to somebody else is reminded of anew, and nobody is reminded of one that is done,
    /// called off or deleted.
    #[graphql(guard = "Can(Permission::WriteTasks)")]
    async fn set_task_reminders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The task's id.")] id: ID,
        #[graphql(desc = "The reminders.")] input: RemindersInput,
    ) -> Result<SetTaskRemindersPayload, Fault> {
        let once = Once::new(None, "setTaskReminders", &input).about(&id);
        let once = once.within(Permission::WriteTasks, &id, &["id"]);
        Ok(set::<task::Entity>(ctx, once, &id, input).await?.into())
    }

    /// Says how long before `plannedAt` who has to make a call is reminded of it; otherwise as `setTaskReminders`.
    #[graphql(guard = "Can(Permission::WriteCalls)")]
    async fn set_call_reminders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The call's id.")] id: ID,
        #[graphql(desc = "The reminders.")] input: RemindersInput,
    ) -> Result<SetCallRemindersPayload, Fault> {
        let once = Once::new(None, "setCallReminders", &input).about(&id);
        let once = once.within(Permission::WriteCalls, &id, &["id"]);
        Ok(set::<call::Entity>(ctx, once, &id, input).await?.into())
    }

    /// Says how long before each of its times the users who take part in an appointment are reminded of it; otherwise as
    /// `setTaskReminders`. Who does not come is not reminded.
    #[graphql(guard = "Can(Permission::WriteAppointments)")]
    async fn set_appointment_reminders(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The appointment's id.")] id: ID,
        #[graphql(desc = "The reminders.")] input: RemindersInput,
    ) -> Result<SetAppointmentRemindersPayload, Fault> {
        let once = Once::new(None, "setAppointmentReminders", &input).about(&id);
        let once = once.within(Permission::WriteAppointments, &id, &["id"]);
        let id = match parse(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let before = lengths(input);
        let work = write(ctx, once, move |txn, actor, now| {
            let before = before.clone();
            async move { Ok(appointment::remind(txn, id, &before, actor, now).await?.id.into()) }
                .boxed()
        });
        Ok(work.await?.into())
    }

    /// Puts a reminder of yours off, up to 10 times: you are told again then, unless there is nothing to do any more.
    #[graphql(guard = "LoggedIn")]
    async fn snooze_reminder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reminder's id.")] id: ID,
        #[graphql(desc = "How long.")] input: SnoozeInput,
    ) -> Result<SnoozeReminderPayload, Fault> {
        ctx.viewer()?;
        let once = Once::new(None, "snoozeReminder", &input).about(&id);
        let id = match parse::<ReminderId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let work = write(ctx, once, move |txn, actor, now| {
            let until = match &input {
                SnoozeInput::For(Duration(while_)) => now + *while_,
                SnoozeInput::Until(until) => *until,
            };
            let snoozed = reminder::snooze(txn, id, until, actor, now);
            async move { Ok(snoozed.await?.id.into()) }.boxed()
        });
        Ok(work.await?.into())
    }

    /// Puts a reminder of yours away: you are not told any more, unless its record gets another time. Doing so again
    /// changes nothing.
    #[graphql(guard = "LoggedIn")]
    async fn dismiss_reminder(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The reminder's id.")] id: ID,
    ) -> Result<DismissReminderPayload, Fault> {
        ctx.viewer()?;
        let once = Once::new(None, "dismissReminder", &id);
        let id = match parse::<ReminderId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let work = write(ctx, once, move |txn, actor, now| {
            let dismissed = reminder::dismiss(txn, id, actor, now);
            async move { Ok(dismissed.await?.id.into()) }.boxed()
        });
        Ok(work.await?.into())
    }
}

async fn set<E: Editable>(
    ctx: &Context<'_>,
    once: Once<'_>,
    id: &ID,
    input: RemindersInput,
) -> Result<Outcome, Fault> {
    let id = match parse::<IdOf<E>>(id, &["id"]) {
        Ok(id) => id,
        Err(errors) => return Ok(Err(errors)),
    };
    let before = lengths(input);
    let work = write(ctx, once, move |txn, _, now| {
        let before = before.clone();
        async move { Ok(reminder::set::<E>(txn, id, &before, now).await?.id().into()) }.boxed()
    });
    work.await
}

fn lengths(input: RemindersInput) -> Vec<TimeDelta> {
    input.before.into_iter().map(|before| before.0).collect()
}
