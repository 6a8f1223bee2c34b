//! Disputes. What is read of them is in the catalogue.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::finance::dispute::{self, NewDispute, Verdict};
use entity::id::{DisputeId, InvoiceId};
use futures::FutureExt;

use super::parse_amount;
use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::{Fault, UserError, refused};
use crate::id::parse;
use crate::payload::payload;
use crate::scalar::MoneyInput;

choice! {
    /// How far a dispute has come.
    DisputeState mirrors "entity::finance::dispute::State" {
        /// It is being looked into.
        Open,
        /// The customer is right; a credit note takes it back.
        Upheld,
        /// The customer is not right, and owes it.
        Rejected,
        /// The customer has taken it back.
        Withdrawn,
    }
}

choice! {
    /// Why an invoice is disputed.
    DisputeCause mirrors "entity::finance::dispute::Cause" {
        /// What was delivered is not as agreed.
        Quality,
        /// It did not come, or not all of it, or too late.
        Delivery,
        /// The price is not the one that was agreed.
        Price,
        /// It was paid or invoiced already.
        Duplicate,
        /// Nobody ordered it.
        NotOrdered,
        /// Something else.
        Other,
    }
}

/// What comes of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, async_graphql::Enum)]
pub enum DisputeVerdict {
    /// The customer is right; a credit note takes it back.
    Upheld,
    /// The customer is not right, and owes it.
    Rejected,
    /// The customer has taken it back.
    Withdrawn,
}

/// A dispute to be.
#[derive(Clone, Debug, InputObject)]
pub struct OpenDisputeInput {
    /// The invoice, which is open.
    pub invoice_id: ID,
    /// Why it is disputed.
    pub cause: DisputeCause,
    /// How much of it; all that is open and not disputed yet when absent.
    pub amount: Option<MoneyInput>,
    /// What there is to say about it, up to 2000 characters.
    pub detail: Option<String>,
}

/// What becomes of a dispute.
#[derive(Clone, Debug, InputObject)]
pub struct ResolveDisputeInput {
    /// What comes of it.
    pub verdict: DisputeVerdict,
    /// About how much of it the customer is right; about all when absent. For `UPHELD` alone.
    pub amount: Option<MoneyInput>,
    /// Why, up to 2000 characters; it stands on the credit note.
    pub resolution: String,
}

payload! {
    /// What came of a dispute's change.
    DisputePayload {
        /// The dispute as it is now; null when it was refused.
        dispute: dispute::Entity
    }
}

impl OpenDisputeInput {
    fn parse(self) -> Result<NewDispute, Vec<UserError>> {
        Ok(NewDispute {
            invoice: parse::<InvoiceId>(&self.invoice_id, &["input", "invoiceId"])?,
            cause: self.cause.into(),
            amount: self.amount.map(parse_amount).transpose()?,
            detail: self.detail,
        })
    }
}

impl ResolveDisputeInput {
    fn parse(self) -> Result<(Verdict, String), Vec<UserError>> {
        let amount = self.amount.map(parse_amount).transpose()?;
        let verdict = match (self.verdict, amount) {
            (DisputeVerdict::Upheld, amount) => Verdict::Upheld(amount),
            (_, Some(_)) => {
                let message = "an amount is given where the customer is right alone";
                let error = entity::Error::invalid("amount", message);
                return Err(refused(error).unwrap_or_default());
            }
            (DisputeVerdict::Rejected, None) => Verdict::Rejected,
            (DisputeVerdict::Withdrawn, None) => Verdict::Withdrawn,
        };
        Ok((verdict, self.resolution))
    }
}

/// Changing disputes.
#[derive(Default)]
pub struct DisputeMutation;

/// Changing disputes.
#[Object]
impl DisputeMutation {
    /// Takes down that a customer disputes an open invoice, wholly or in part. What is disputed is not asked for until the
    /// dispute is resolved; the rest is. Its age stays what it is.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn open_dispute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The dispute.")] input: OpenDisputeInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's dispute."
        )]
        idempotency_key: Option<String>,
    ) -> Result<DisputePayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "openDispute", &input);
        let path = &["input", "invoiceId"];
        let once = once.within(Permission::Collect, &input.invoice_id, path);
        let outcome = match input.parse() {
            Ok(new) => {
                write(ctx, once, move |txn, actor, now| {
                    let new = new.clone();
                    async move { Ok(dispute::open(txn, new, actor, now).await?.id.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(outcome.into())
    }

    /// Ends a dispute. What the customer is right about is taken back by a credit note; the rest is asked for again, with as
    /// many days before the next level of a ladder as there are between two of them.
    #[graphql(guard = "Can(Permission::Collect)")]
    async fn resolve_dispute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The dispute's id.")] id: ID,
        #[graphql(desc = "What becomes of it.")] input: ResolveDisputeInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<DisputePayload, Fault> {
        let once = Once::new(None, "resolveDispute", &input).about(&id);
        let once = once.within(Permission::Collect, &id, &["id"]);
        let parsed = parse::<DisputeId>(&id, &["id"]).and_then(|id| Ok((id, input.parse()?)));
        let outcome = match parsed {
            Ok((id, (verdict, resolution))) => {
                write(ctx, once, move |txn, actor, now| {
                    let resolution = resolution.clone();
                    async move {
                        let version = expected_version;
                        let row =
                            dispute::resolve(txn, id, verdict, &resolution, version, actor, now);
                        Ok(row.await?.id.into())
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
