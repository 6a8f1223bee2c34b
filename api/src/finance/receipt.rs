//! Receipts, and sending a copy of one.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::automation::message;
use entity::finance::receipt;
use entity::id::PaymentId;
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

choice! {
    /// What a receipt says.
    ReceiptKind mirrors "entity::finance::receipt::Kind" {
        /// The money was received.
        Receipt,
        /// An earlier receipt does not hold any more.
        Cancellation,
    }
}

/// Which receipt is sent again.
#[derive(InputObject)]
pub struct ResendReceiptInput {
    /// The payment whose receipt it is.
    pub payment_id: ID,
}

payload! {
    /// What came of sending a copy.
    ResendReceiptPayload {
        /// The copy's message; null when it was refused.
        message: message::Entity
    }
}

/// Sending copies of receipts.
#[derive(Default)]
pub struct ReceiptMutation;

/// Sending copies of receipts.
#[Object]
impl ReceiptMutation {
    /// Sends the customer a copy of a payment's receipt, marked as such, to today's address. Possible
    /// once the outcome of the original is known, and at most three times a day.
    #[graphql(guard = "Can(Permission::WritePayments)")]
    async fn resend_receipt(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which receipt.")] input: ResendReceiptInput,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input sends nothing more."
        )]
        idempotency_key: String,
    ) -> Result<ResendReceiptPayload, Fault> {
        let once = Once::new(Some(&idempotency_key), "resendReceipt", &input);
        let path = &["input", "paymentId"];
        let once = once.within(Permission::WritePayments, &input.payment_id, path);
        let outcome = match parse::<PaymentId>(&input.payment_id, &["input", "paymentId"]) {
            Ok(payment) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        let receipt = receipt::of_payment(txn, payment).await?;
                        let receipt = receipt.ok_or(entity::finance::FinanceError::NoReceipt)?;
                        Ok(message::resend_receipt(txn, receipt.id, actor, now).await?.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(ResendReceiptPayload::from(outcome))
    }
}
