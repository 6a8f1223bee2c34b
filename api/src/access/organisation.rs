//! The organisation that Rapport works for.

use async_graphql::{Context, Object};
use entity::access::organisation;

use crate::context::Ask;
use crate::error::Fault;
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

    /// The calendar day it is for the organisation right now.
    async fn today(&self, ctx: &Context<'_>) -> Date {
        Date(self.0.today(ctx.now()))
    }
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
