//! Where requests come from: what our own proxies say, and nothing that a client says.

use std::time::Duration;

use http_body_util::Full;
use hyper::{Request, header};
use serde_json::{Value, json};
use tests::{graphql, on_both_stacks};

use crate::passwords::mailed;
use crate::sessions::{EMAIL, tokens};

const REFRESH: &str = "mutation ($token: String!) { refreshSession(refreshToken: $token) {
  refreshToken session { address } userErrors { code } } }";

const RESET: &str = "mutation ($email: String!) {
  requestPasswordReset(email: $email) { accepted userErrors { code } } }";

/// The data of the answer to a request with these headers.
async fn send(api: &str, headers: &[(&str, &str)], query: &str, variables: Value) -> Value {
    let mut request = Request::post("/graphql").header(header::CONTENT_TYPE, "application/json");
    if headers.iter().all(|(name, _)| *name != "host") {
        request = request.header(header::HOST, api);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = json!({ "query": query, "variables": variables }).to_string();
    let request = request.body(Full::from(body)).expect("a request");
    let (_, body) =
        graphql::exchange(api, request, Duration::from_secs(20)).await.expect("an answer");
    let answer: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!(answer["errors"], Value::Null, "{query}");
    answer["data"].clone()
}

on_both_stacks! {
    async fn as_many_proxies_are_believed_as_are_ours(app: App) {
        let (_, mut token) = tokens(app).await;
        let peer = "127.0.0.1";
        for (proxies, lines, address) in [
            (0, vec!["203.0.113.9"], peer),
            (1, vec![], peer),
            (1, vec!["203.0.113.9"], "203.0.113.9"),
            (1, vec!["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            (1, vec!["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            (1, vec!["203.0.113.9, unknown"], peer),
            (1, vec!["2001:db8::7"], "2001:db8::7"),
            (1, vec!["::ffff:203.0.113.9"], "203.0.113.9"),
            (2, vec!["198.51.100.1, 203.0.113.9, 10.0.0.1"], "203.0.113.9"),
            (2, vec!["198.51.100.1, 203.0.113.9", "10.0.0.1"], "203.0.113.9"),
            (2, vec!["203.0.113.9"], peer),
        ] {
            let api = app.another_api(|parts| parts.proxies = proxies).await;
            let headers: Vec<_> = lines.iter().map(|line| ("x-forwarded-for", *line)).collect();
            let answer = send(&api, &headers, REFRESH, json!({ "token": token })).await;
            let refreshed = &answer["refreshSession"];
            assert_eq!(refreshed["session"]["address"], address, "{proxies}: {lines:?}");
            refreshed["refreshToken"].as_str().expect("a token").clone_into(&mut token);
        }
    }

    async fn who_invents_addresses_is_still_one_place(app: App) {
        let api = app.another_api(|parts| parts.proxies = 1).await;
        let attempt = async |number: usize, client: &str| {
            let forwarded = format!("198.51.100.{number}, {client}");
            let email = json!({ "email": format!("user-{number}@rapport.example") });
            let answer = send(&api, &[("x-forwarded-for", &forwarded)], RESET, email).await;
            answer["requestPasswordReset"]["userErrors"][0]["code"].clone()
        };
        for number in 0..20 {
            assert_eq!(attempt(number, "203.0.113.9").await, Value::Null, "{number}");
        }
        assert_eq!(attempt(20, "203.0.113.9").await, "RATE_LIMITED");
        assert_eq!(attempt(21, "203.0.113.10").await, Value::Null, "others are not held up");
        app.drain().await;
    }

    async fn a_link_in_a_mail_leads_to_the_configured_address_whatever_host_was_asked(app: App) {
        let evil = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("forwarded", "host=evil.example"), ("origin", "https://evil.example")];
        let answer = send(&app.address, &evil, RESET, json!({ "email": EMAIL })).await;
        assert_eq!(answer["requestPasswordReset"]["accepted"], true);
        app.drain().await;
        assert!(mailed(app).starts_with("rpr_"));
        let mails = app.mailbox.mails();
        let text = String::from_utf8_lossy(&mails[0].raw);
        assert!(text.contains("http://localhost:8000/reset-password") && !text.contains("evil"), "{text}");
    }
}
