//! Calls.

use async_graphql::{Context, ID, InputObject, InputType, Object};
use chrono::{DateTime, Utc};
use entity::access::Permission;
use entity::collaboration::call::{self, Ended};
use entity::id::{CallId, InvoiceId};
use futures::FutureExt;
use sea_orm::ActiveValue::Set;

use super::TaskPriority;
use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::edit::{self, form, records};
use crate::error::{ErrorCode, Fault, UserError};
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::{Date, MoneyInput};

choice! {
    /// Who calls whom.
    CallDirection mirrors "entity::collaboration::call::Direction" {
        /// They call us.
        Inbound,
        /// We call them.
        Outbound,
    }
}

choice! {
    /// What a call is for.
    CallPurpose mirrors "entity::collaboration::call::Purpose" {
        /// To sell something.
        Sales,
        /// To ask how something goes on.
        FollowUp,
        /// To help.
        Service,
        /// To be paid.
        Collection,
    }
}

choice! {
    /// What has become of a call.
    CallState mirrors "entity::collaboration::call::State" {
        /// It is still to be made.
        Planned,
        /// It was made, and has an outcome.
        Completed,
        /// Nobody has to make it any more.
        Cancelled,
    }
}

choice! {
    /// What came of a call. Each says whether and when there is another one, of which there are six at most and none
    /// later than two weeks after the first one, unless they asked for it.
    CallOutcome mirrors "entity::collaboration::call::Outcome" {
        /// Nobody answered: there is another call after two hours, then at another time of the next day, then after
        /// three days.
        NoAnswer,
        /// The line was busy: there is another call after a quarter of an hour, up to three on one day.
        Busy,
        /// A machine took a message: there is another call on the next day, and none after the second message.
        Voicemail,
        /// They want to be called at another time: there is another call then.
        Callback,
        /// The number is somebody else's, or nobody's: there is a task to find the right one.
        WrongNumber,
        /// They do not want what the call was for: other calls for that are called off.
        NotInterested,
        /// They do not want to be called: all calls to them are called off.
        DoNotCall,
        /// They will pay.
        PromiseToPay,
        /// They say that they do not owe it.
        Dispute,
        /// They were reached, and the call has done what it was for.
        Answered,
        /// Somebody else answered: there is another call as if nobody had.
        ThirdPartyAnswered,
    }
}

form! {
    /// A call to be.
    CreateCallInput,
    /// A change of a call. What is absent stays; what is null is cleared.
    UpdateCallInput,
    of call:
    needs {
        /// What it is about, up to 200 characters.
        subject: String,
        /// What it is for.
        purpose: CallPurpose,
        /// When it is to be made.
        planned_at: DateTime<Utc>,
    }
    defaults {
        /// Who calls whom.
        direction: CallDirection = "CallDirection::Outbound",
        /// How much it matters.
        priority: TaskPriority = "TaskPriority::Normal",
        /// How many minutes it is thought to take, 1 to 480.
        planned_min: i32 = "15",
    }
    may {
        /// What they need: plain text with line breaks, up to 2000 characters.
        needs: String,
        /// What to say: plain text with line breaks, up to 2000 characters.
        say: String,
        /// What not to say: plain text with line breaks, up to 2000 characters.
        avoid: String,
        /// What of value to offer: plain text with line breaks, up to 2000 characters.
        offer: String,
    }
    references {
        /// The id of the person at the customer who is called; the customer itself when absent.
        contact_id = "contactId",
        /// The id of the user who has to make it, who can log in.
        assignee_id = "assigneeId",
    }
}

/// What came of a call.
#[derive(Clone, Debug, InputObject)]
pub struct CompleteCallInput {
    /// That. It decides what follows.
    pub outcome: CallOutcome,
    /// When it began, not later than now; when `startCall` was sent if absent.
    pub started_at: Option<DateTime<Utc>>,
    /// How many seconds it took, 0 or more; those since `startCall` if absent.
    pub duration_s: Option<i32>,
    /// What was said: plain text with line breaks, up to 5000 characters.
    pub note: Option<String>,
    /// When they want to be called, which lies ahead; with `CALLBACK`, and with nothing else. Outside of the times at
    /// which there are calls it becomes the next one of these.
    pub callback_at: Option<DateTime<Utc>>,
    /// How much they promised to pay, more than nothing; with `PROMISE_TO_PAY` alone.
    pub promised: Option<MoneyInput>,
    /// The day by which they promised to pay; with `PROMISE_TO_PAY` alone. With both, a call of purpose `COLLECTION` takes a
    /// promise to pay down, for all that is open in the currency and not disputed.
    pub promised_on: Option<Date>,
    /// The id of the invoice that they do not owe, as they say; with `DISPUTE` alone. A dispute about all that is open of it is
    /// taken down.
    pub disputed_invoice_id: Option<ID>,
}

impl CompleteCallInput {
    fn parse(self) -> Result<Ended, Vec<UserError>> {
        let promised = self.promised.map(MoneyInput::parse).transpose().map_err(|error| {
            vec![UserError::new(ErrorCode::Invalid, &error, &["input", "promised"])]
        })?;
        Ok(Ended {
            outcome: self.outcome.into(),
            started_at: self.started_at,
            duration_s: self.duration_s,
            note: self.note,
            callback_at: self.callback_at,
            promised,
            promised_on: self.promised_on.map(|day| day.0),
            disputed: self
                .disputed_invoice_id
                .map(|id| parse::<InvoiceId>(&id, &["input", "disputedInvoiceId"]))
                .transpose()?,
        })
    }
}

payload! {
    /// What came of planning a call.
    CreateCallPayload {
        /// The new call; null when it was refused, or when it went to somebody whose calls you do not see.
        call: call::Entity
    }
}

payload! {
    /// What came of starting a call.
    StartCallPayload {
        /// The call as it is now; null when that was refused.
        call: call::Entity
    }
}

payload! {
    /// What came of completing a call.
    CompleteCallPayload {
        /// The call as it is now, with its `nextCall`; null when that was refused.
        call: call::Entity
    }
}

payload! {
    /// What came of calling off a call.
    CancelCallPayload {
        /// The call as it is now; null when that was refused.
        call: call::Entity
    }
}

records! {
    /// Changing calls.
    CallEditMutation of call by WriteCalls;
    update update_call(UpdateCallInput) -> UpdateCallPayload: "Changes a call. Its customer stays; `startCall`, `completeCall` and `cancelCall` change its state.";
    delete delete_call -> DeleteCallPayload: "Deletes a call: lists leave it out.";
    restore restore_call -> RestoreCallPayload: "Takes the deletion of a call back.";
}

/// Planning calls, making them, and saying what came of them.
#[derive(Default)]
pub struct CallMutation;

/// Planning calls, making them, and saying what came of them.
#[Object]
impl CallMutation {
    /// Plans a call to a customer, or notes one from it.
    #[graphql(guard = "Can(Permission::WriteCalls)")]
    async fn create_call(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of the customer.")] customer_id: ID,
        #[graphql(desc = "The call.")] input: CreateCallInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's call."
        )]
        idempotency_key: Option<String>,
    ) -> Result<CreateCallPayload, Fault> {
        let path = &["customerId"];
        let once = Once::new(idempotency_key.as_deref(), "createCall", &input)
            .about(&customer_id)
            .within(Permission::WriteCalls, &customer_id, path);
        let row = parse(&customer_id, path).and_then(|customer| {
            Ok(call::ActiveModel { customer_id: Set(customer), ..input.row()?.first() })
        });
        Ok(edit::create::<call::Entity>(ctx, once, row).await?.into())
    }

    /// Says that you call them now: until you say what came of it, or for a quarter of an hour, nobody else starts a
    /// call to the same person, which is refused with `CALL_IN_PROGRESS`. Doing so again begins the quarter anew. A call about
    /// what they owe is refused with `NOT_TO_BE_CALLED` when the rules about reaching customers say so: what the law and the
    /// organisation's own rules say of hours, holidays and how often counts for mails, messages, letters and calls together.
    #[graphql(guard = "Can(Permission::WriteCalls)")]
    async fn start_call(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The call's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<StartCallPayload, Fault> {
        let (once, id) = target("startCall", &id, &id);
        let id = match id {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let work = write(ctx, once, move |txn, actor, now| {
            async move { Ok(call::start(txn, id, expected_version, actor, now).await?.id.into()) }
                .boxed()
        });
        Ok(work.await?.into())
    }

    /// Says what came of a call, whether it was started with `startCall` or not, and plans what follows: another
    /// call, at a time at which there are calls, 8:00 to 17:00 from Monday to Friday on the customer's clock, or a task.
    /// Saying the same outcome again changes nothing.
    #[graphql(guard = "Can(Permission::WriteCalls)")]
    async fn complete_call(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The call's id.")] id: ID,
        #[graphql(desc = "What came of it.")] input: CompleteCallInput,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CompleteCallPayload, Fault> {
        let (once, call) = target("completeCall", &id, &input);
        let (id, ended) = match call.and_then(|id| Ok((id, input.parse()?))) {
            Ok(both) => both,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let work = write(ctx, once, move |txn, actor, now| {
            let completed = call::complete(txn, id, ended.clone(), expected_version, actor, now);
            async move { Ok(completed.await?.id.into()) }.boxed()
        });
        Ok(work.await?.into())
    }

    /// Calls a call off: nobody has to make it any more. Doing so again changes nothing.
    #[graphql(guard = "Can(Permission::WriteCalls)")]
    async fn cancel_call(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The call's id.")] id: ID,
        #[graphql(
            desc = "The version that was decided on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<CancelCallPayload, Fault> {
        let (once, id) = target("cancelCall", &id, &id);
        let id = match id {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let work = write(ctx, once, move |txn, actor, now| {
            async move { Ok(call::cancel(txn, id, expected_version, actor, now).await?.id.into()) }
                .boxed()
        });
        Ok(work.await?.into())
    }
}

/// A request about the call with the id.
fn target(
    operation: &'static str,
    id: &ID,
    input: &impl InputType,
) -> (Once<'static>, Result<CallId, Vec<UserError>>) {
    let once = Once::new(None, operation, input).within(Permission::WriteCalls, id, &["id"]);
    (once, parse(id, &["id"]))
}
