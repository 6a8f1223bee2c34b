//! Giving up what is not paid, and handing it over.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::{Actor, Permission};
use entity::finance::{credit_note, invoice};
use entity::id::InvoiceId;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use sea_orm::prelude::DateTimeUtc;

use crate::context::{Can, Once, write};
use crate::error::Fault;
use crate::id::parse;
use crate::payload::payload;

/// Why an invoice is written off, or owed again.
#[derive(Clone, Debug, InputObject)]
pub struct WriteOffInput {
    /// Why; it stands on the document.
    pub reason: String,
}

/// Who asks for an invoice from now on.
#[derive(Clone, Debug, InputObject)]
pub struct HandOverInvoiceInput {
    /// The lawyer or the court, up to 200 characters.
    pub to: String,
}

payload! {
    /// What came of giving an invoice up, or of handing it over.
    InvoicePayload {
        /// The invoice as it is now; null when it was refused.
        invoice: invoice::Entity
    }
}

/// What changes an invoice, by its id and a text.
type Work = for<'c> fn(
    &'c DatabaseTransaction,
    InvoiceId,
    String,
    Actor,
    DateTimeUtc,
) -> BoxFuture<'c, Result<InvoiceId, entity::Error>>;

/// Changes an invoice by `work`, with what `text` says.
async fn change(
    ctx: &Context<'_>,
    once: Once<'_>,
    id: ID,
    text: String,
    work: Work,
) -> Result<InvoicePayload, Fault> {
    let once = once.about(&id).within(Permission::ManageCredit, &id, &["id"]);
    let outcome = match parse::<InvoiceId>(&id, &["id"]) {
        Ok(id) => {
            write(ctx, once, move |txn, actor, now| {
                let text = text.clone();
                async move { Ok(work(txn, id, text, actor, now).await?.into()) }.boxed()
            })
            .await?
        }
        Err(errors) => Err(errors),
    };
    Ok(outcome.into())
}

/// Giving up what is not paid, and handing it over.
#[derive(Default)]
pub struct LossMutation;

/// Giving up what is not paid, and handing it over.
#[Object]
impl LossMutation {
    /// Writes off all that is open of an invoice: it is given up as a bad debt, by a document with a number of its own, and not
    /// asked for any more. That it was earned stays, as does the tax; `voidInvoice` and `issueCreditNote` take those back.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn write_off_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: ID,
        #[graphql(desc = "Why.")] input: WriteOffInput,
    ) -> Result<InvoicePayload, Fault> {
        let once = Once::new(None, "writeOffInvoice", &input);
        change(ctx, once, id, input.reason, |txn, id, reason, actor, now| {
            async move { Ok(credit_note::write_off(txn, id, &reason, actor, now).await?.1.id) }
                .boxed()
        })
        .await
    }

    /// Takes back what was written off of an invoice, such as when money comes in for it after all: it is owed again.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn reinstate_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: ID,
        #[graphql(desc = "Why.")] input: WriteOffInput,
    ) -> Result<InvoicePayload, Fault> {
        let once = Once::new(None, "reinstateInvoice", &input);
        change(ctx, once, id, input.reason, |txn, id, reason, actor, now| {
            async move { Ok(credit_note::reinstate(txn, id, &reason, actor, now).await?.1.id) }
                .boxed()
        })
        .await
    }

    /// Hands an open invoice over to a lawyer or a court: no ladder and no collector asks for it any more, until it is taken
    /// back. What it comes to is owed all the same.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn hand_over_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: ID,
        #[graphql(desc = "To whom.")] input: HandOverInvoiceInput,
    ) -> Result<InvoicePayload, Fault> {
        let once = Once::new(None, "handOverInvoice", &input);
        change(ctx, once, id, input.to, |txn, id, to, actor, now| {
            async move { invoice::hand_over::hand_over(txn, id, &to, actor, now).await }.boxed()
        })
        .await
    }

    /// Takes an invoice back that was handed over: it is asked for here again.
    #[graphql(guard = "Can(Permission::ManageCredit)")]
    async fn take_back_invoice(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The invoice's id.")] id: ID,
    ) -> Result<InvoicePayload, Fault> {
        let once = Once::new(None, "takeBackInvoice", &String::new());
        change(ctx, once, id, String::new(), |txn, id, _, actor, now| {
            async move { invoice::hand_over::take_back(txn, id, actor, now).await }.boxed()
        })
        .await
    }
}
