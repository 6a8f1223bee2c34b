//! Printing letters by post.

use async_graphql::{Context, Object};
use entity::access::Permission;
use entity::automation::{job, printing};
use futures::FutureExt;

use crate::context::{Ask, CanAll, Once, write};
use crate::error::Fault;
use crate::payload::payload;

payload! {
    /// What came of asking for letters to be printed.
    PrintLettersPayload {
        /// The job that makes the file; null when it was refused. Once it has succeeded, `downloadLink` gives the file to who
        /// asked for it, for seven days.
        job: job::Entity
    }
}

/// Printing letters by post.
#[derive(Default)]
pub struct PrintingMutation;

/// Printing letters by post.
#[Object]
impl PrintingMutation {
    /// Puts the letters by post that wait, the oldest first and 500 at most, into one batch, as a job. Its file is a ZIP of
    /// `letters.pdf` with all of them, for envelopes with windows as in DIN 5008, form B, and `letters.csv` with their
    /// addresses and numbers of pages. A letter is in one batch; `messages(filter: { channel: { eq: LETTER }, state: { eq:
    /// ACCEPTED }, printedAt: { isNull: true } })` are those that wait. A job that fails or is called off lets its letters
    /// wait again. Where none waits, that is the error `NOTHING_TO_PRINT`.
    #[graphql(guard = "CanAll(Permission::WritePayments).and(CanAll(Permission::ReadFinance))")]
    async fn print_letters(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            default,
            desc = "Whether it is printed on both sides of the paper, so that each letter begins on a front."
        )]
        duplex: bool,
        #[graphql(
            desc = "1 to 255 characters; a repeated request with the same key and input gives the first one's job."
        )]
        idempotency_key: Option<String>,
    ) -> Result<PrintLettersPayload, Fault> {
        let (viewer, request) = (ctx.viewer()?, printing::Request { duplex });
        let once = Once::new(idempotency_key.as_deref(), "printLetters", &duplex);
        let outcome = write(ctx, once, move |txn, _, now| {
            let viewer = viewer.clone();
            async move { Ok(printing::request(txn, request, &viewer, now).await?.id.into()) }
                .boxed()
        });
        Ok(PrintLettersPayload::from(outcome.await?))
    }
}
