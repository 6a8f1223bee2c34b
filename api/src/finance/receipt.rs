//! Receipts, and sending a copy of one.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::Permission;
use entity::automation::message;
use entity::finance::receipt;
use entity::id::{PaymentId, ReceiptId};
use futures::FutureExt;
use sea_orm::EntityTrait;

use super::Payment;
use crate::automation::Message;
use crate::choice::choice;
use crate::context::{Ask, Can, Once, write};
use crate::error::Fault;
use crate::id::{global, parse};
use crate::loader::{MessagesAbout, load};
use crate::payload::payload;
use crate::scalar::Date;

choice! {
    /// What a receipt says.
    ReceiptKind mirrors receipt::Kind as "entity::finance::receipt::Kind" {
        /// The money was received.
        Receipt,
        /// An earlier receipt does not hold any more.
        Cancellation,
    }
}

/// A numbered receipt for a payment, or its cancellation. Never changed and never deleted.
#[derive(Clone, Debug)]
pub struct Receipt(pub receipt::Model);

impl Receipt {
    pub(crate) async fn load(ctx: &Context<'_>, id: ReceiptId) -> Result<Option<Self>, Fault> {
        Ok(receipt::Entity::find_by_id(id).one(ctx.reader()).await?.map(Self))
    }
}

/// A numbered receipt for a payment, or its cancellation. Never changed and never deleted.
#[Object]
impl Receipt {
    /// Its id.
    pub(crate) async fn id(&self) -> ID {
        global(self.0.id)
    }

    /// Its number, gapless in its series and year.
    async fn number(&self) -> &str {
        &self.0.number
    }

    /// What it says.
    async fn kind(&self) -> ReceiptKind {
        self.0.kind.into()
    }

    /// Its date.
    async fn issued_on(&self) -> Date {
        Date(self.0.issued_on)
    }

    /// The payment it is for.
    async fn payment(&self, ctx: &Context<'_>) -> Result<Payment, Fault> {
        Payment::of(ctx, self.0.payment_id).await
    }

    /// The receipt that this cancellation cancels; null for a receipt.
    async fn cancels(&self, ctx: &Context<'_>) -> Result<Option<Receipt>, Fault> {
        match self.0.cancels_id {
            Some(id) => Ok(load(ctx, id).await?.map(Receipt)),
            None => Ok(None),
        }
    }

    /// The messages it was sent with, the original first: whether the customer got it, when, and if
    /// not why.
    #[graphql(complexity = "child_complexity.saturating_mul(3).saturating_add(1)")]
    async fn messages(&self, ctx: &Context<'_>) -> Result<Vec<Message>, Fault> {
        let rows = load(ctx, MessagesAbout(self.0.id.into())).await?;
        Ok(rows.into_iter().flatten().map(Message::from).collect())
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
        message: Message
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
        ResendReceiptPayload::after(ctx, outcome).await
    }
}
