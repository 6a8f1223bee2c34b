//! Promises to pay. What is read of them is in the catalogue.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::finance::promise::instalment::NewInstalment;
use entity::finance::promise::{self, NewPromise, Terms};
use entity::id::{CallId, CustomerId, InvoiceId, PromiseId};
use futures::FutureExt;

use super::parse_amount;
use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::{Date, MoneyInput};

choice! {
    /// What is promised.
    PromiseKind mirrors "entity::finance::promise::Kind" {
        /// An amount by a day.
        Promise,
        /// Instalments, each by its day.
        Plan,
    }
}

choice! {
    /// How far a promise to pay has come.
    PromiseState mirrors "entity::finance::promise::State" {
        /// Its time is not over, and not all has come in.
        Open,
        /// All came in.
        Kept,
        /// Some came in, and the time is over.
        PartlyKept,
        /// Nothing came in, and the time is over.
        Broken,
        /// Somebody called it off.
        Cancelled,
    }
}

/// A promise to be.
#[derive(Clone, Debug, InputObject)]
pub struct RecordPromiseInput {
    /// Who promises.
    pub customer_id: ID,
    /// How much: not more than is open of the invoices.
    pub amount: MoneyInput,
    /// By when: from today to 90 days ahead.
    pub promised_on: Date,
    /// For how many days after that nothing is asked for, 0 to 10.
    #[graphql(default = 1)]
    pub grace_days: i32,
    /// The ids of the invoices; all of the customer that are open in the currency and not disputed when absent.
    #[graphql(validator(max_items = 500))]
    pub invoice_ids: Option<Vec<ID>>,
    /// The id of the call in which it is made.
    pub call_id: Option<ID>,
    /// What there is to say about it, up to 2000 characters.
    pub detail: Option<String>,
}

payload! {
    /// What came of a promise's change.
    PromisePayload {
        /// The promise as it is now; null when it was refused.
        promise: promise::Entity
    }
}

/// An instalment of a payment plan to be.
#[derive(Clone, Debug, InputObject)]
pub struct InstalmentInput {
    /// When it is to be paid.
    pub due_on: Date,
    /// How much.
    pub amount: MoneyInput,
}

/// A payment plan to be.
#[derive(Clone, Debug, InputObject)]
pub struct AgreePaymentPlanInput {
    /// Who pays.
    pub customer_id: ID,
    /// The instalments: 2 to 60 in one currency, each due later than the one before it, within five years, and together not
    /// more than is open of the invoices.
    #[graphql(validator(max_items = 60))]
    pub instalments: Vec<InstalmentInput>,
    /// For how many days after an instalment is due nothing is asked for, 0 to 10.
    #[graphql(default = 1)]
    pub grace_days: i32,
    /// The ids of the invoices; all of the customer that are open in the currency and not disputed when absent.
    #[graphql(validator(max_items = 500))]
    pub invoice_ids: Option<Vec<ID>>,
    /// The id of the call in which it is agreed on.
    pub call_id: Option<ID>,
    /// What there is to say about it, up to 2000 characters.
    pub detail: Option<String>,
}

impl RecordPromiseInput {
    fn parse(self) -> Result<NewPromise, Vec<UserError>> {
        let terms = Terms::Once(parse_amount(self.amount)?, self.promised_on.0);
        Ok(NewPromise {
            customer: parse::<CustomerId>(&self.customer_id, &["input", "customerId"])?,
            terms,
            grace_days: Some(self.grace_days),
            invoices: parse_invoices(self.invoice_ids)?,
            call: parse_call(self.call_id)?,
            detail: self.detail,
        })
    }
}

impl AgreePaymentPlanInput {
    fn parse(self) -> Result<NewPromise, Vec<UserError>> {
        let instalments = self.instalments.into_iter().map(|instalment| {
            let amount = parse_amount(instalment.amount)?;
            Ok::<_, Vec<UserError>>(NewInstalment { due_on: instalment.due_on.0, amount })
        });
        Ok(NewPromise {
            customer: parse::<CustomerId>(&self.customer_id, &["input", "customerId"])?,
            terms: Terms::Plan(instalments.collect::<Result<_, _>>()?),
            grace_days: Some(self.grace_days),
            invoices: parse_invoices(self.invoice_ids)?,
            call: parse_call(self.call_id)?,
            detail: self.detail,
        })
    }
}

fn parse_call(id: Option<ID>) -> Result<Option<CallId>, Vec<UserError>> {
    id.map(|id| parse::<CallId>(&id, &["input", "callId"])).transpose()
}

fn parse_invoices(ids: Option<Vec<ID>>) -> Result<Option<Vec<InvoiceId>>, Vec<UserError>> {
    let ids = ids.map(|ids| {
        let ids = ids.iter().enumerate();
        ids.map(|(index, id)| parse(id, &["input", "invoiceIds", &index.to_string()])).collect()
    });
    ids.transpose()
}

/// Takes a promise down, unless it cannot be read.
async fn make(
    ctx: &Context<'_>,
    once: Once<'_>,
    new: Result<NewPromise, Vec<UserError>>,
) -> Result<PromisePayload, Fault> {
    let outcome = match new {
        Ok(new) => {
            write(ctx, once, move |txn, actor, now| {
                let new = new.clone();
                async move { Ok(promise::make(txn, new, actor, now).await?.id.into()) }.boxed()
            })
            .await?
        }
        Err(errors) => Err(errors),
    };
    Ok(outcome.into())
}

/// Changing promises to pay.
#[derive(Default)]
pub struct PromiseMutation;

/// Changing promises to pay.
#[Object]
impl PromiseMutation {
    /// Takes down that a customer promises to pay by a day. The invoices are not asked for until then; if nothing comes in, the
    /// next level of a ladder comes at once. A customer has at most two open promises, and none are taken down for who has
    /// broken three within a year.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn record_promise(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The promise.")] input: RecordPromiseInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's promise."
        )]
        idempotency_key: Option<String>,
    ) -> Result<PromisePayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "recordPromise", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::Collect, &input.customer_id, path);
        let new = input.parse();
        make(ctx, once, new).await
    }

    /// Agrees on a payment plan with a customer: its instalments take the place of the days on which the invoices were due.
    /// They are not asked for as long as each instalment is paid by its day; the first one that is not ends the plan, and the
    /// next level of a ladder comes at once. It counts as one of the two promises that a customer may have open.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn agree_payment_plan(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The plan.")] input: AgreePaymentPlanInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's plan."
        )]
        idempotency_key: Option<String>,
    ) -> Result<PromisePayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "agreePaymentPlan", &input);
        let path = &["input", "customerId"];
        let once = once.within(Permission::Collect, &input.customer_id, path);
        let new = input.parse();
        make(ctx, once, new).await
    }

    /// Calls a promise off; its invoices are asked for again.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn cancel_promise(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The promise's id.")] id: ID,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<PromisePayload, Fault> {
        let once = Once::new(None, "cancelPromise", &id).about(&id);
        let once = once.within(Permission::Collect, &id, &["id"]);
        let outcome = match parse::<PromiseId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let row = promise::cancel(txn, id, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }
}
