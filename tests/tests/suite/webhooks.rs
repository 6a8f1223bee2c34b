//! Webhooks: what other systems hear, what they hear twice, and what nobody hears.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::event;
use entity::id::Id;
use sea_orm::{ActiveEnum, Iterable};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::receiver::{Act, Received, Receiver};

use crate::given::{RECORD_PAYMENT, customer, payment};
use crate::invitations::INVITE;
use crate::passwords::request;
use crate::sessions::EMAIL;

const CREATE: &str =
    "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) {
  webhookEndpoint { id url kinds active } secret userErrors { code field message } } }";

const UPDATE_ENDPOINT: &str = "mutation ($id: ID!, $input: UpdateWebhookEndpointInput!) {
  updateWebhookEndpoint(id: $id, input: $input) { webhookEndpoint { active disabledReason } userErrors { code field message } } }";

const ROTATE: &str = "mutation ($id: ID!) { rotateWebhookSecret(id: $id) {
  webhookEndpoint { id } secret userErrors { code message } } }";

const PING: &str = "mutation ($id: ID!) { pingWebhookEndpoint(id: $id) {
  webhookDelivery { id kind } userErrors { code field message } } }";

const REDELIVER: &str = "mutation ($id: ID!) { redeliverWebhook(id: $id) {
  webhookDelivery { id state } userErrors { code field message } } }";

const DELIVERIES: &str = "{ webhookDeliveries { nodes { id kind state attempts status detail endpoint { active disabledReason } } } }";

const RENAME: &str = "mutation ($id: ID!, $name: String!) {
  updateCustomer(id: $id, input: { displayName: $name }) { customer { id } userErrors { code message } } }";

/// What an administrator gets.
async fn as_admin(app: &App, query: &str, variables: Value) -> Value {
    let token = app.token_of(Role::Administrator).await;
    let reply = app.send_as(Some(&token), query, variables).await;
    assert!(reply.errors.is_empty(), "{query}: {:#?}", reply.errors);
    reply.data
}

/// What an administrator's mutation gives, which is not refused.
async fn made(app: &App, field: &str, query: &str, variables: Value) -> Value {
    let payload = as_admin(app, query, variables).await[field].clone();
    assert_eq!(payload["userErrors"], json!([]), "{query}");
    payload
}

async fn endpoint(app: &App, url: &str, kinds: &[&str]) -> (String, String) {
    let input = json!({ "input": { "url": url, "kinds": kinds } });
    let made = made(app, "createWebhookEndpoint", CREATE, input).await;
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    (text(&made["webhookEndpoint"]["id"]), text(&made["secret"]))
}

async fn deliveries(app: &App) -> Vec<Value> {
    let seen = as_admin(app, DELIVERIES, json!({})).await;
    seen["webhookDeliveries"]["nodes"].as_array().expect("deliveries").clone()
}

async fn rename(app: &App, id: &str, name: &str) {
    app.make("customer", RENAME, json!({ "id": id, "name": name })).await;
}

on_both_stacks! {
    async fn an_event_is_posted_signed_with_its_record(app: App) {
        let receiver = Receiver::start(|_| Act::Answer(204)).await;
        let (_, secret) = endpoint(app, &receiver.url("/hooks?from=rapport"), &["payment.recorded"]).await;
        let lan = customer(app, "Lan", "vi", "VND").await;
        let paid = app.make("payment", RECORD_PAYMENT, payment(&lan, "1000", "VND", "k")).await;
        app.drain().await;
        let received = receiver.received();
        assert_eq!(received.len(), 1);
        assert!(received[0].is_signed_with(&secret) && !received[0].is_signed_with("whsec_AAAA"));
        assert_eq!(received[0].path, "/hooks?from=rapport");
        let body = received[0].json();
        assert_eq!(body["type"], "payment.recorded");
        assert_eq!(body["data"]["customerId"], json!(lan));
        assert_eq!(body["data"]["record"]["id"], paid["id"]);
        assert_eq!(body["data"]["record"]["amount"], json!({ "amount": "1000", "currency": "VND" }));
        let delivery = &deliveries(app).await[0];
        assert_eq!(delivery["id"], json!(received[0].header("webhook-id")));
        assert_eq!((&delivery["state"], &delivery["status"]), (&json!("DELIVERED"), &json!(204)));
    }

    async fn of_how_people_get_in_nobody_is_told(app: App) {
        let receiver = Receiver::start(|_| Act::Answer(204)).await;
        endpoint(app, &receiver.url("/all"), &[]).await;
        endpoint(app, &receiver.url("/named"), &["customer.created"]).await;
        for kind in event::Kind::iter() {
            let input = json!({ "input": { "url": receiver.url("/"), "kinds": [kind.to_value()] } });
            let payload = as_admin(app, CREATE, input).await["createWebhookEndpoint"].clone();
            assert_eq!(payload["userErrors"] == json!([]), kind.is_public(), "{kind:?}: {payload}");
            if kind.is_public() {
                let off = json!({ "id": payload["webhookEndpoint"]["id"], "input": { "active": false } });
                made(app, "updateWebhookEndpoint", UPDATE_ENDPOINT, off).await;
            } else {
                let message = payload["userErrors"][0]["message"].as_str().expect("a message");
                assert!(message.contains("payment.recorded") && !message.contains(", user.invited"), "{message}");
            }
        }
        // As an endpoint may say that was made before these were nobody's business.
        let kinds = r#"UPDATE webhook_endpoint SET kinds = '["password.reset_requested", "user.invited"]' WHERE url LIKE '%/named'"#;
        app.execute(kinds).await;
        let input = json!({ "email": "new@rapport.example", "name": "New", "roleId": Role::Sales.id().global() });
        made(app, "inviteUser", INVITE, json!({ "input": input })).await;
        request(app, EMAIL).await;
        customer(app, "Lan", "vi", "VND").await;
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 2, "both have their mails");
        let received: Vec<_> = receiver.received().iter().map(|one| one.json()["type"].clone()).collect();
        assert_eq!(received, ["customer.created"]);
    }

    async fn what_is_not_taken_is_sent_again_in_order(app: App) {
        let seen = Arc::new(Mutex::new(0));
        let count = Arc::clone(&seen);
        let receiver = Receiver::start(move |_| {
            let mut count = count.lock().expect("a count");
            *count += 1;
            if *count <= 2 { Act::Answer(503) } else { Act::Answer(200) }
        }).await;
        endpoint(app, &receiver.url("/"), &["customer.created", "customer.updated"]).await;
        let lan = customer(app, "One", "vi", "VND").await;
        for name in ["Two", "Three"] {
            rename(app, &lan, name).await;
        }
        app.drain().await;
        assert_eq!(receiver.received().len(), 1, "the later ones wait for the first");
        assert_eq!(deliveries(app).await[0]["detail"], "the endpoint answered 503");
        app.advance(TimeDelta::seconds(6));
        app.drain().await;
        app.advance(TimeDelta::seconds(31));
        app.drain().await;
        let received = receiver.received();
        let ids: Vec<_> = received.iter().map(|one| one.header("webhook-id")).collect();
        assert_eq!(received.len(), 5);
        assert_eq!((&ids[0], &ids[1]), (&ids[2], &ids[2]), "an id stays the same");
        let types: Vec<_> = received[2..].iter().map(|one| one.json()["type"].clone()).collect();
        assert_eq!(types, ["customer.created", "customer.updated", "customer.updated"]);
        assert!(deliveries(app).await.iter().all(|one| one["state"] == "DELIVERED"));
    }

    async fn a_dead_endpoint_does_not_keep_others_waiting(app: App) {
        let dead = Receiver::start(|_| Act::Silence).await;
        let alive = Receiver::start(|_| Act::Answer(200)).await;
        let (id, _) = endpoint(app, &dead.url("/"), &["customer.created"]).await;
        let started = Instant::now();
        for number in 0..20 {
            customer(app, &format!("Lan {number}"), "vi", "VND").await;
        }
        while dead.received().len() < 4 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        endpoint(app, &alive.url("/"), &["customer.created"]).await;
        customer(app, "Minh", "vi", "VND").await;
        while alive.received().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let asked = dead.received().len();
        // Its share, and as much again whenever it was waited for in vain.
        let most = 4 * (started.elapsed().as_secs() / 5 + 1);
        assert!(asked as u64 <= most, "{asked} of {most}");
        let off = json!({ "id": id, "input": { "active": false } });
        made(app, "updateWebhookEndpoint", UPDATE_ENDPOINT, off).await;
    }

    async fn a_worker_that_is_killed_while_it_sends_loses_nothing(app: App) {
        let seen = Arc::new(Mutex::new(0));
        let count = Arc::clone(&seen);
        let receiver = Receiver::start(move |_| {
            let mut count = count.lock().expect("a count");
            *count += 1;
            if *count == 1 { Act::Silence } else { Act::Answer(200) }
        }).await;
        endpoint(app, &receiver.url("/"), &["customer.created", "customer.updated"]).await;
        let lan = customer(app, "Lan", "vi", "VND").await;
        while receiver.received().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        app.kill_workers().await;
        rename(app, &lan, "Lan Anh").await;
        customer(app, "Minh", "vi", "VND").await;
        app.start_workers();
        app.advance(TimeDelta::minutes(1));
        app.drain().await;
        let received = receiver.received();
        assert_eq!(received.len(), 4, "Lan twice, her name and Minh once");
        let id = received[0].header("webhook-id");
        let again = received.iter().filter(|one| one.header("webhook-id") == id);
        assert_eq!(again.map(|one| one.body.clone()).collect::<std::collections::HashSet<_>>().len(), 1);
        let ids: std::collections::HashSet<_> = received.iter().map(|one| one.header("webhook-id")).collect();
        assert_eq!(ids.len(), 3);
        let of_lan = received.iter().map(Received::json).filter(|body| body["data"]["customerId"] == json!(lan));
        let order: Vec<_> = of_lan.map(|body| body["type"].clone()).collect();
        assert_eq!(order, ["customer.created", "customer.created", "customer.updated"], "in their order");
        assert!(deliveries(app).await.iter().all(|one| one["state"] == "DELIVERED"));
    }

    async fn an_endpoint_that_takes_nothing_for_a_day_is_switched_off(app: App) {
        let receiver = Receiver::start(|_| Act::Answer(500)).await;
        let (id, _) = endpoint(app, &receiver.url("/"), &["customer.created"]).await;
        customer(app, "Lan", "vi", "VND").await;
        customer(app, "Minh", "vi", "VND").await;
        app.drain().await;
        for _ in 0..14 {
            app.advance(TimeDelta::hours(4));
            app.drain().await;
        }
        let all = deliveries(app).await;
        assert!(all.iter().all(|one| one["state"] == "FAILED"), "{all:#?}");
        let off = json!({ "active": false, "disabledReason": "it took nothing for a day" });
        assert_eq!(all[0]["endpoint"], off);
        let refused = as_admin(app, REDELIVER, json!({ "id": all[0]["id"] })).await;
        assert_eq!(refused["redeliverWebhook"]["userErrors"][0]["code"], "INVALID_STATE");
        customer(app, "Hùng", "vi", "VND").await;
        app.drain().await;
        assert_eq!(deliveries(app).await.len(), 2, "nothing is planned for it");

        let on = json!({ "id": id, "input": { "active": true } });
        made(app, "updateWebhookEndpoint", UPDATE_ENDPOINT, on).await;
        made(app, "redeliverWebhook", REDELIVER, json!({ "id": all[0]["id"] })).await;
        app.drain().await;
        let received = receiver.received();
        assert_eq!(json!(received.last().expect("one").header("webhook-id")), all[0]["id"]);
        let off = json!({ "id": id, "input": { "active": false } });
        made(app, "updateWebhookEndpoint", UPDATE_ENDPOINT, off).await;
    }

    async fn an_endpoint_that_is_gone_is_switched_off_at_once(app: App) {
        let receiver = Receiver::start(|_| Act::Answer(410)).await;
        endpoint(app, &receiver.url("/"), &["customer.created"]).await;
        customer(app, "Lan", "vi", "VND").await;
        app.drain().await;
        let delivery = &deliveries(app).await[0];
        assert_eq!((&delivery["state"], &delivery["endpoint"]["active"]), (&json!("FAILED"), &json!(false)));
    }

    async fn both_secrets_sign_for_a_day_after_a_change(app: App) {
        let receiver = Receiver::start(|_| Act::Answer(200)).await;
        let (id, old) = endpoint(app, &receiver.url("/"), &[]).await;
        let rotated = made(app, "rotateWebhookSecret", ROTATE, json!({ "id": id })).await;
        let new = rotated["secret"].as_str().expect("a secret");
        made(app, "pingWebhookEndpoint", PING, json!({ "id": id })).await;
        app.drain().await;
        app.advance(TimeDelta::hours(25));
        made(app, "pingWebhookEndpoint", PING, json!({ "id": id })).await;
        app.drain().await;
        let received = receiver.received();
        let pings: Vec<_> = received.iter().filter(|one| one.json()["type"] == "ping").collect();
        assert!(pings[0].is_signed_with(&old) && pings[0].is_signed_with(new));
        assert!(!pings[1].is_signed_with(&old) && pings[1].is_signed_with(new));
        let seen = as_admin(app, "{ auditEntries(filter: { recordKind: { eq: \"webhook_endpoint\" } }) { nodes { changes } } }", json!({})).await;
        let seen = seen.to_string();
        assert!(seen.contains("(hidden)") && !seen.contains(new) && !seen.contains(&old), "{seen}");
    }

    async fn nothing_is_sent_inside_and_no_redirect_is_followed(app: App) {
        let inside = Receiver::start(|_| Act::Answer(200)).await;
        let port = inside.port;
        let there = format!("http://127.0.0.1:{port}/secret");
        let receiver = Receiver::start(move |_| Act::Redirect(there.clone())).await;
        let addresses = [
            format!("http://127.0.0.2:{port}/"), format!("http://[::1]:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{port}/"), "http://169.254.169.254/latest/meta-data/".to_owned(),
            format!("http://0:{port}/"), "http://10.0.0.1/".to_owned(),
        ];
        let mut ids = Vec::new();
        for url in addresses.iter().chain([&receiver.url("/")]) {
            ids.push(endpoint(app, url, &["customer.created"]).await.0);
        }
        customer(app, "Lan", "vi", "VND").await;
        app.drain().await;
        let all = deliveries(app).await;
        assert_eq!(all.len(), addresses.len() + 1);
        let private = "the host's address is a private one, where nothing is sent";
        assert_eq!(all.iter().filter(|one| one["detail"] == private).count(), addresses.len(), "{all:#?}");
        assert_eq!(all.iter().filter(|one| one["status"] == 302).count(), 1);
        assert!(inside.received().is_empty() && receiver.received().len() == 1);
        for id in ids {
            let off = json!({ "id": id, "input": { "active": false } });
            made(app, "updateWebhookEndpoint", UPDATE_ENDPOINT, off).await;
        }
        for url in ["file:///etc/passwd", "gopher://x/", "x", "https://user:password@example.com/"] {
            let refused = as_admin(app, CREATE, json!({ "input": { "url": url } })).await;
            let error = &refused["createWebhookEndpoint"]["userErrors"][0];
            assert_eq!((&error["code"], &error["field"]), (&json!("INVALID"), &json!(["input", "url"])), "{url}");
        }
    }

    async fn only_administrators_manage_webhooks(app: App) {
        let token = app.token();
        for query in [CREATE, DELIVERIES] {
            let input = json!({ "input": { "url": "https://example.com" } });
            let reply = app.send_as(Some(&token), query, input).await;
            assert_eq!(reply.error_code(), Some("FORBIDDEN"), "{query}");
        }
    }
}
