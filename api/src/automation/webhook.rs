//! Webhooks: telling other systems what happened.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use entity::access::Permission;
use entity::automation::webhook::{delivery, endpoint};
use entity::id::{WebhookDeliveryId, WebhookEndpointId};
use futures::FutureExt;
use rand::RngExt;

use crate::choice::choice;
use crate::context::{CanAll, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::payload;
use crate::read::Fetched;

choice! {
    /// How far a webhook has come.
    WebhookDeliveryState mirrors "entity::automation::webhook::delivery::State" {
        /// It will be sent, again if it was before.
        Planned,
        /// The endpoint took it.
        Delivered,
        /// It was given up.
        Failed,
    }
}

/// An endpoint to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateWebhookEndpointInput {
    /// Where events are posted to: `https://…`, at most 2000 characters. Addresses within a network are
    /// refused when something is sent.
    pub url: String,
    /// The kinds of events, such as `payment.recorded`; all when it is empty. Of passwords and invitations nobody is
    /// told.
    #[graphql(default, validator(max_items = 50))]
    pub kinds: Vec<String>,
}

/// A change of an endpoint. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateWebhookEndpointInput {
    /// Where events are posted to.
    pub url: Option<String>,
    /// The kinds of events; all when it is empty.
    #[graphql(validator(max_items = 50))]
    pub kinds: Option<Vec<String>>,
    /// Whether anything is sent. What waits is given up when it is switched off.
    pub active: Option<bool>,
}

/// An endpoint with what its deliveries are signed with.
#[derive(SimpleObject)]
pub struct WebhookSecretPayload {
    /// The endpoint; null when it was refused.
    webhook_endpoint: Fetched<endpoint::Entity>,
    /// What deliveries are signed with from now on, by Standard Webhooks; shown this once. Null when it
    /// was refused.
    secret: Option<String>,
    /// Why nothing was changed; empty on success.
    user_errors: Vec<UserError>,
}

impl WebhookSecretPayload {
    fn of(outcome: Result<uuid::Uuid, Vec<UserError>>, secret: String) -> Self {
        match outcome {
            Ok(id) => Self {
                webhook_endpoint: Fetched::of(id),
                secret: Some(secret),
                user_errors: Vec::new(),
            },
            Err(user_errors) => {
                Self { webhook_endpoint: Fetched::nothing(), secret: None, user_errors }
            }
        }
    }
}

payload! {
    /// What came of changing an endpoint.
    UpdateWebhookEndpointPayload {
        /// The endpoint as it is now; null when the change was refused.
        webhook_endpoint: endpoint::Entity
    }
}

payload! {
    /// What came of planning a webhook.
    WebhookDeliveryPayload {
        /// What will be sent; null when it was refused.
        webhook_delivery: delivery::Entity
    }
}

/// A secret that nobody knows yet.
pub fn secret() -> String {
    format!("whsec_{}", BASE64_STANDARD.encode(rand::rng().random::<[u8; 32]>()))
}

/// Telling other systems.
#[derive(Default)]
pub struct WebhookMutation;

/// Telling other systems.
#[Object]
impl WebhookMutation {
    /// Adds an endpoint that events are posted to from now on.
    #[graphql(guard = "CanAll(Permission::ManageWebhooks)")]
    async fn create_webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint.")] input: CreateWebhookEndpointInput,
    ) -> Result<WebhookSecretPayload, Fault> {
        let once = Once::new(None, "createWebhookEndpoint", &input);
        let made = secret();
        let signed = made.clone();
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (input, secret) = (input.clone(), signed.clone());
            async move {
                let row =
                    endpoint::create(txn, &input.url, &input.kinds, secret, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        Ok(WebhookSecretPayload::of(outcome.await?, made))
    }

    /// Changes an endpoint, or switches it off or on.
    #[graphql(guard = "CanAll(Permission::ManageWebhooks)")]
    async fn update_webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateWebhookEndpointInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateWebhookEndpointPayload, Fault> {
        let once = Once::new(None, "updateWebhookEndpoint", &input).about(&id);
        let outcome = match parse::<WebhookEndpointId>(&id, &["id"]) {
            Ok(id) => {
                let change =
                    endpoint::Change { url: input.url, kinds: input.kinds, active: input.active };
                write(ctx, once, move |txn, actor, now| {
                    let change = change.clone();
                    async move {
                        let row =
                            endpoint::update(txn, id, change, expected_version, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(UpdateWebhookEndpointPayload::from(outcome))
    }

    /// Replaces an endpoint's secret. The former one signs too for a day, so that nothing is lost while
    /// the receiver changes over.
    #[graphql(guard = "CanAll(Permission::ManageWebhooks)")]
    async fn rotate_webhook_secret(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint's id.")] id: ID,
    ) -> Result<WebhookSecretPayload, Fault> {
        let once = Once::new(None, "rotateWebhookSecret", &id);
        let made = secret();
        let outcome = match parse::<WebhookEndpointId>(&id, &["id"]) {
            Ok(id) => {
                let signed = made.clone();
                write(ctx, once, move |txn, actor, now| {
                    let secret = signed.clone();
                    async move {
                        let row = endpoint::rotate(txn, id, secret, actor, now).await?;
                        Ok(row.id.into())
                    }
                    .boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(WebhookSecretPayload::of(outcome, made))
    }

    /// Sends an endpoint something that means nothing, to try whether it takes it.
    #[graphql(guard = "CanAll(Permission::ManageWebhooks)")]
    async fn ping_webhook_endpoint(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The endpoint's id.")] id: ID,
    ) -> Result<WebhookDeliveryPayload, Fault> {
        let once = Once::new(None, "pingWebhookEndpoint", &id);
        let outcome = match parse::<WebhookEndpointId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, _, now| {
                    async move { Ok(delivery::ping(txn, id, now).await?.id.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(WebhookDeliveryPayload::from(outcome))
    }

    /// Sends a webhook again, with the same id and content.
    #[graphql(guard = "CanAll(Permission::ManageWebhooks)")]
    async fn redeliver_webhook(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The delivery's id.")] id: ID,
    ) -> Result<WebhookDeliveryPayload, Fault> {
        let once = Once::new(None, "redeliverWebhook", &id);
        let outcome = match parse::<WebhookDeliveryId>(&id, &["id"]) {
            Ok(id) => {
                write(ctx, once, move |txn, _, now| {
                    async move { Ok(delivery::redeliver(txn, id, now).await?.id.into()) }.boxed()
                })
                .await?
            }
            Err(errors) => Err(errors),
        };
        Ok(WebhookDeliveryPayload::from(outcome))
    }
}
