//! Workflows that other systems start, and who may let one write to customers.

use std::time::Duration;

use entity::access::Role;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tests::app::App;
use tests::{graphql, on_both_stacks};
use worker::webhook::signature::sign;

use crate::gate::writing;
use crate::given::{CREATE_CUSTOMER, CREATE_WORKFLOW, PUBLISH_WORKFLOW, role, workflow};

const OPEN: &str = "mutation ($id: ID!) { createWorkflowHook(id: $id) { path secret userErrors { code message } } }";

const REVOKE: &str =
    "mutation ($id: ID!) { revokeWorkflowHook(id: $id) { revoked userErrors { code } } }";

const RUNS: &str = "query ($id: ID!) { workflow(id: $id) { runs { totalCount } } }";

/// How another system posts something.
struct Posted<'a> {
    path: &'a str,
    secret: &'a str,
    id: &'a str,
    at: i64,
    body: &'a str,
}

/// The status and the body of the answer.
async fn post(app: &App, posted: &Posted<'_>) -> (u16, Value) {
    let Posted { path, secret, id, at, body } = *posted;
    let request = Request::post(path)
        .header("host", &app.address)
        .header("webhook-id", id)
        .header("webhook-timestamp", at)
        .header("webhook-signature", sign(&[secret], id, at, body))
        .body(Full::new(Bytes::from(body.to_owned())))
        .expect("a request");
    let answer = graphql::exchange(&app.address, request, Duration::from_secs(10)).await;
    let (status, bytes) = answer.expect("an answer");
    (status.as_u16(), serde_json::from_slice(&bytes).unwrap_or_default())
}

async fn started(app: &App, token: &str, id: &str) -> i64 {
    let seen = app.send_as(Some(token), RUNS, json!({ "id": id })).await;
    seen.data["workflow"]["runs"]["totalCount"].as_i64().expect("a count")
}

on_both_stacks! {
    /// A signed request starts a workflow for the records that it names in the place that the trigger says: once, however
    /// often it comes. What is not signed, old or meant for another workflow is answered alike, and starts nothing.
    async fn another_system_starts_a_workflow_by_a_signed_request(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        for number in ["KH-1", "KH-2", "KH-3"] {
            let input = json!({ "kind": "PERSON", "displayName": number, "number": number });
            app.make_as(&token, "customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        }
        let definition = json!({
            "record": "Customer", "reentry": "ALWAYS", "trigger": { "webhook": { "field": "number", "at": "/data/customers" } },
            "steps": [{ "key": "end", "action": { "end": true } }],
        });
        let id = workflow(app, &token, &definition).await;
        let hook = app.send_as(Some(&token), OPEN, json!({ "id": id })).await.data["createWorkflowHook"].clone();
        let path = hook["path"].as_str().expect("a path");
        let secret = hook["secret"].as_str().expect("a secret");
        let at = app.clock.now().timestamp();
        let body = json!({ "type": "order.paid", "data": { "customers": ["KH-1", "KH-2", "nobody"] } }).to_string();
        let right = Posted { path, secret, id: "msg_1", at, body: &body };
        assert_eq!(post(app, &right).await, (202, json!({ "started": 2 })));
        assert_eq!(post(app, &right).await, (202, json!({ "started": 0 })), "it comes again");
        let one = json!({ "data": { "customers": "KH-3" } }).to_string();
        assert_eq!(post(app, &Posted { id: "msg_2", body: &one, ..right }).await, (202, json!({ "started": 1 })));
        assert_eq!(started(app, &token, &id).await, 3);

        let old = (at - 301, at + 301);
        let other = workflow(app, &token, &definition).await;
        let elsewhere = format!("/hooks/{other}");
        for wrong in [
            Posted { secret: "whsec_AAAA", id: "msg_3", ..right },
            Posted { at: old.0, id: "msg_3", ..right },
            Posted { at: old.1, id: "msg_3", ..right },
            Posted { path: &elsewhere, id: "msg_3", ..right },
            Posted { path: "/hooks/wfl_x", id: "msg_3", ..right },
        ] {
            assert_eq!(post(app, &wrong).await.0, 401);
        }
        for (body, why) in [("{}", "nothing at /data/customers"), ("[", "no JSON"), ("{\"data\":{\"customers\":{\"a\":1}}}", "")] {
            let (status, answer) = post(app, &Posted { id: "msg_4", body, ..right }).await;
            assert_eq!(status, 400, "{body}: {answer}");
            assert!(answer.to_string().contains(why), "{answer}");
        }
        let large = format!("{{\"a\":\"{}\"}}", "x".repeat(300_000));
        assert_eq!(post(app, &Posted { id: "msg_5", body: &large, ..right }).await.0, 413);

        let pause = "mutation ($id: ID!) { pauseWorkflow(id: $id) { workflow { state } userErrors { code } } }";
        app.make_as(&token, "workflow", pause, json!({ "id": id })).await;
        assert_eq!(post(app, &Posted { id: "msg_6", ..right }).await.0, 503, "come back when it goes on");
        let again = app.send_as(Some(&token), OPEN, json!({ "id": id })).await.data["createWorkflowHook"].clone();
        assert_eq!(again["path"], path);
        assert_eq!(post(app, &Posted { id: "msg_7", ..right }).await.0, 401, "the secret before is good for nothing");
        assert_eq!(app.send_as(Some(&token), REVOKE, json!({ "id": id })).await.data["revokeWorkflowHook"]["revoked"], true);
        let secret = again["secret"].as_str().expect("a secret");
        assert_eq!(post(app, &Posted { id: "msg_8", secret, ..right }).await.0, 401);
        assert_eq!(started(app, &token, &id).await, 3);
    }

    /// A trigger that names no field, or no place, is refused with what is wrong.
    async fn a_webhook_has_to_name_records(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        for trigger in [json!({ "field": "nothing", "at": "/a" }), json!({ "field": "number", "at": "a" })] {
            let definition = json!({
                "record": "Customer", "trigger": { "webhook": trigger }, "steps": [{ "key": "end", "action": { "end": true } }],
            });
            let input = json!({ "name": "Broken", "definition": definition });
            let made = app.make_as(&token, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
            let validate = "query ($id: ID!) { validateWorkflow(id: $id) { userErrors { field message } } }";
            let wrong = app.send_as(Some(&token), validate, json!({ "id": made["id"] })).await.data["validateWorkflow"].clone();
            assert!(wrong["userErrors"][0]["field"].to_string().contains("trigger"), "{wrong}");
        }
    }

    /// Who may publish workflows publishes what stays in the house; what goes to customers somebody has to approve who may.
    async fn what_goes_to_customers_is_approved(app: App) {
        let grants = [("READ_WORKFLOWS", "ALL"), ("WRITE_WORKFLOWS", "ALL"), ("RUN_WORKFLOWS", "ALL"), ("READ_CUSTOMERS", "ALL")];
        let (_, author) = app.user(role(app, &grants).await).await;
        let approving = [&grants[..], &[("APPROVE_SENDS", "ALL")]].concat();
        let (_, chief) = app.user(role(app, &approving).await).await;
        let quiet = json!({
            "record": "Customer", "trigger": { "manual": true }, "steps": [{ "key": "end", "action": { "end": true } }],
        });
        workflow(app, &author, &quiet).await;
        let input = json!({ "name": "Loud", "definition": writing("SERVICE", "Welcome.") });
        let made = app.make_as(&author, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
        let publish = json!({ "id": made["id"] });
        let refused = app.send_as(Some(&author), PUBLISH_WORKFLOW, publish.clone()).await.data["publishWorkflow"].clone();
        assert_eq!(refused["userErrors"][0]["code"], "FORBIDDEN", "{refused}");
        assert_eq!(app.make_as(&chief, "workflow", PUBLISH_WORKFLOW, publish).await["state"], "ACTIVE");
    }
}
