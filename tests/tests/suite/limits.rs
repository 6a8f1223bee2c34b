//! What everybody may ask for, and documents that are named by their hashes.

use std::time::Duration;

use api::http::budget::{Allowance, Budget};
use api::http::documents::{Documents, EXTENSION, Shelf};
use api::http::request::Peer;
use async_graphql::{Request, value};
use chrono::DateTime;
use serde_json::json;
use tests::app::RATE_LIMIT;
use tests::graphql;
use tests::on_both_stacks;
use uuid::Uuid;

const DOCUMENT: &str = "{ me { name } }";
/// `printf '{ me { name } }' | sha256sum`
const HASH: &str = "b8d9506e34c83b0e53c2aa463624fcea354713bc38f95276e6f0bd893ffb5b88";

fn named(query: &str) -> Request {
    let mut request = Request::new(query);
    let extension = value!({ "version": 1, "sha256Hash": HASH });
    request.extensions.insert(EXTENSION.to_owned(), extension);
    request
}

fn number(value: &serde_json::Value) -> u64 {
    value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a number")
}

on_both_stacks! {
    async fn a_document_with_a_text_in_it_is_not_kept(app: App) {
        let document = "{ customers(filter: { search: \"secret\" }) { totalCount } }";
        let hash = "35daef51df9efa543a2787bc92fc4cd85362da2f1050242ac8cf3b93e3824264";
        let extensions = json!({ "persistedQuery": { "version": 1, "sha256Hash": hash } });
        let token = app.token();
        let ask = async |body: serde_json::Value| graphql::post(&app.address, Some(&token), &body, graphql::PATIENCE).await.expect("an answer");
        for _ in 0..2 {
            let named = ask(json!({ "extensions": extensions })).await;
            assert_eq!(named.error_code(), Some("PERSISTED_QUERY_NOT_FOUND"), "{named:?}");
            let sent = ask(json!({ "query": document, "extensions": extensions })).await;
            assert_eq!(sent.data["customers"]["totalCount"], 0, "{sent:?}");
        }
    }

    async fn what_is_left_is_told_and_comes_back_with_the_minute(app: App) {
        let query = "{ rateLimit { cost limit remaining resetAt } }";
        let first = app.ask(query, json!({})).await["rateLimit"].clone();
        assert_eq!(number(&first["limit"]), RATE_LIMIT);
        let cost = number(&first["cost"]);
        assert!(cost > 0, "{first}");
        let list = "{ customers(first: 50) { nodes { displayName invoices(first: 20) { nodes { number } } } } }";
        let reply = app.send(list, json!({})).await;
        let asked = number(&reply.extensions["cost"]["requested"]);
        assert!(asked > 1_000, "{reply:?}");
        let second = app.ask(query, json!({})).await["rateLimit"].clone();
        assert_eq!(number(&second["remaining"]), number(&first["remaining"]) - asked - cost);
        let reset_at = second["resetAt"].as_str().and_then(|text| text.parse::<DateTime<chrono::Utc>>().ok());
        app.advance(reset_at.expect("an instant") - app.clock.now());
        let third = app.ask(query, json!({})).await["rateLimit"].clone();
        assert_eq!(number(&third["remaining"]), RATE_LIMIT - cost);
    }

    async fn processes_count_together_and_keep_documents_together(app: App) {
        let Some(store) = app.store.clone() else { return };
        let allowance = Allowance { account: Some(1_000), address: None };
        let process = || Budget::new(allowance, app.clock.clone(), Some(store.clone()));
        let (one, other) = (process(), process());
        let account = Some(Uuid::from_u128(7));
        let charge = |budget: &Budget, cost: usize| {
            let meter = budget.meter(account, Peer([192, 0, 2, 1].into()));
            let charged = meter.charge(cost).is_ok();
            (charged, meter.rate().expect("a rate").remaining)
        };
        assert_eq!(charge(&one, 600), (true, 400));
        let mut spent = 600;
        // Each hears of the other with what it tells, a little later.
        loop {
            spent += 1;
            let (_, remaining) = charge(&other, 1);
            if remaining == 1_000 - spent {
                break;
            }
            assert!(spent < 900, "it never hears of the other: {remaining}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let left = 1_000 - spent;
        assert_eq!(charge(&other, usize::try_from(left + 1).expect("a cost")), (false, left));
        assert!(charge(&other, usize::try_from(left).expect("a cost")).0);

        let process = || Documents::automatic(Shelf::new(Some(store.clone()), app.clock.clone()));
        let (one, other) = (process(), process());
        assert!(other.find(&mut named("")).await.is_err());
        let fresh = one.find(&mut named(DOCUMENT)).await.expect("its hash").expect("a fresh one");
        one.keep(fresh).await;
        let mut request = named("");
        assert!(other.find(&mut request).await.is_ok());
        assert_eq!(request.query, DOCUMENT);
    }
}
