//! Promises to pay. What is read of them is in the catalogue.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::finance::promise::{self, NewPromise};
use entity::id::{CallId, CustomerId, InvoiceId, PromiseId};
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::{Date, MoneyInput};

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

impl RecordPromiseInput {
    fn parse(self) -> Result<NewPromise, Vec<UserError>> {
        let amount =
            self.amount.parse().map_err(|error| refused(error.into()).unwrap_or_default())?;
        let invoices = self.invoice_ids.map(|ids| {
            let ids = ids.iter().enumerate();
            ids.map(|(index, id)| {
                parse::<InvoiceId>(id, &["input", "invoiceIds", &index.to_string()])
            })
            .collect::<Result<Vec<_>, _>>()
        });
        let call = self.call_id.map(|id| parse::<CallId>(&id, &["input", "callId"]));
        Ok(NewPromise {
            customer: parse::<CustomerId>(&self.customer_id, &["input", "customerId"])?,
            amount,
            promised_on: self.promised_on.0,
            grace_days: Some(self.grace_days),
            invoices: invoices.transpose()?,
            call: call.transpose()?,
            detail: self.detail,
        })
    }
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
        let outcome = match input.parse() {
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
