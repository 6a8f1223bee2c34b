//! The organisation that Rapport works for.

use async_graphql::{Context, Enum, Object, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::{Permission, organisation};
use entity::automation::sending::{self, HeldWhy};
use futures::FutureExt;
use uuid::Uuid;

use crate::context::{Ask, CanAll, Once, write};
use crate::error::{Fault, UserError};
use crate::scalar::{CurrencyCode, Date};

/// Who we are, as documents and mails show it, and what applies where a customer says nothing.
pub struct Organisation(organisation::Model);

/// Who we are, as documents and mails show it, and what applies where a customer says nothing.
#[Object]
impl Organisation {
    /// The registered name.
    async fn name(&self) -> &str {
        &self.0.name
    }

    /// The postal address, a line each, separated by line breaks.
    async fn address(&self) -> &str {
        &self.0.address
    }

    /// The tax number, as documents show it; null when there is none.
    async fn tax_number(&self) -> Option<&str> {
        self.0.tax_number.as_deref()
    }

    /// Who mails come from.
    async fn email(&self) -> &str {
        &self.0.email
    }

    /// A telephone number for customers; null when there is none.
    async fn phone(&self) -> Option<&str> {
        self.0.phone.as_deref()
    }

    /// The IANA time zone that days are counted in, such as `Asia/Ho_Chi_Minh`.
    async fn time_zone(&self) -> &str {
        &self.0.time_zone
    }

    /// The currency of new customers.
    async fn currency(&self) -> CurrencyCode {
        CurrencyCode(self.0.currency)
    }

    /// The language of new customers, as a tag such as `vi`.
    async fn locale(&self) -> &str {
        &self.0.locale
    }

    /// Since when no mail is sent to anybody, and why; null while mails are sent. `releaseSending` lets it go on.
    async fn sending_held(&self) -> Option<SendingHold> {
        let (since, why) = self.0.sending_held_at.zip(self.0.sending_held_why)?;
        Some(SendingHold { since, why: why.into() })
    }

    /// The calendar day it is for the organisation right now.
    async fn today(&self, ctx: &Context<'_>) -> Date {
        Date(self.0.today(ctx.now()))
    }
}

/// That no mail is sent to anybody.
#[derive(SimpleObject)]
pub struct SendingHold {
    /// Since when.
    since: DateTime<Utc>,
    /// Why.
    why: SendingHoldReason,
}

/// Why no mail is sent to anybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "HeldWhy")]
pub enum SendingHoldReason {
    /// The database was restored from a backup, and does not know of all that was sent: what waits in it may have been
    /// sent before.
    Restored,
}

/// What came of letting sending go on.
#[derive(SimpleObject)]
pub struct ReleaseSendingPayload {
    /// The organisation; null when nothing was on hold.
    pub organisation: Option<Organisation>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Reading the organisation.
#[derive(Default)]
pub struct OrganisationQuery;

/// Reading the organisation.
#[Object]
impl OrganisationQuery {
    /// The organisation that Rapport works for; null before it is set up.
    async fn organisation(&self, ctx: &Context<'_>) -> Result<Option<Organisation>, Fault> {
        ctx.viewer()?;
        Ok(organisation::find(ctx.reader()).await?.map(Organisation))
    }
}

/// Changing what the organisation does.
#[derive(Default)]
pub struct OrganisationMutation;

/// Changing what the organisation does.
#[Object]
impl OrganisationMutation {
    /// Lets mails go on that are on hold, see `Organisation.sendingHeld`.
    #[graphql(guard = "CanAll(Permission::WriteContactRules)")]
    async fn release_sending(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "What was planned before is not sent any more, and says `EXPIRED_LATE`; such as the instant at which the database was restored."
        )]
        call_off_before: DateTime<Utc>,
    ) -> Result<ReleaseSendingPayload, Fault> {
        let once = Once::new(None, "releaseSending", &call_off_before);
        let outcome = write(ctx, once, move |txn, actor, now| {
            async move {
                sending::release(txn, call_off_before, actor, now).await?;
                Ok(Uuid::nil())
            }
            .boxed()
        });
        Ok(match outcome.await? {
            Ok(_) => {
                let organisation = organisation::find(ctx.reader()).await?.map(Organisation);
                ReleaseSendingPayload { organisation, user_errors: Vec::new() }
            }
            Err(user_errors) => ReleaseSendingPayload { organisation: None, user_errors },
        })
    }
}
