use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Request as HttpRequest;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::super::toy::{code, read, toy, toy_with, until};
use super::*;

const RESPONSE: &str = "application/graphql-response+json";

fn hash(document: &str) -> String {
    entity::text::hex(&Sha256::digest(document))
}

fn get(uri: &str) -> HttpRequest<Body> {
    HttpRequest::get(uri).body(Body::empty()).unwrap()
}

fn post(content_type: &str, body: &str) -> HttpRequest<Body> {
    let request = HttpRequest::post("/graphql").header(CONTENT_TYPE, content_type);
    request.body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn the_answer_has_the_form_that_the_client_prefers() {
    let toy = toy();
    for (accept, status, content_type) in [
        (None, 200, "application/json"),
        (Some("*/*"), 200, "application/json"),
        (Some("application/*"), 200, "application/json"),
        (Some("application/json"), 200, "application/json"),
        (Some("application/json; charset=utf-8"), 200, "application/json"),
        (Some(RESPONSE), 200, RESPONSE),
        (Some("application/graphql-response+json, application/json;q=0.9"), 200, RESPONSE),
        (Some("application/json;q=0.5, application/graphql-response+json;q=0.9"), 200, RESPONSE),
        (Some("application/json, application/graphql-response+json"), 200, "application/json"),
        (Some("text/html, */*;q=0.1"), 200, "application/json"),
        (Some("text/html"), 406, "application/json"),
        (Some("application/json;q=0"), 406, "application/json"),
        (Some("application/json; charset=utf-16"), 406, "application/json"),
    ] {
        let mut request = post("application/json", r#"{"query":"{hello}"}"#);
        if let Some(accept) = accept {
            request.headers_mut().insert("accept", accept.parse().unwrap());
        }
        let response = toy.send(request).await;
        let got = response.headers()[CONTENT_TYPE].to_str().unwrap();
        assert_eq!(got, format!("{content_type}; charset=utf-8"), "{accept:?}");
        assert_eq!(response.status(), status, "{accept:?}");
    }
}

#[tokio::test]
async fn the_status_says_whether_it_was_a_request() {
    let toy = toy();
    let missing_variable =
        r#"{"query":"query($n:String!){hello(name:$n)}","variables":{"n":null}}"#;
    for (body, with_response, with_json, expected) in [
        (r#"{"query":"{hello}"}"#, 200, 200, ""),
        (
            r#"{"query":"{hello}","variables":null,"operationName":null,"extensions":null}"#,
            200,
            200,
            "",
        ),
        (r#"{"query":"{"}"#, 400, 200, "GRAPHQL_PARSE_FAILED"),
        (r#"{"query":"{absent}"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED"),
        (r#"{"query":"{hello(name:1)}"}"#, 400, 200, "GRAPHQL_VALIDATION_FAILED"),
        (r#"{"query":"{hello}","operationName":"X"}"#, 400, 200, "BAD_REQUEST"),
        (missing_variable, 400, 200, "BAD_REQUEST"),
        (r#"{"query":"{customers(first:5001){name}}"}"#, 400, 200, "TOO_COMPLEX"),
        (r#"{"query":"subscription{fault}"}"#, 400, 200, "BAD_REQUEST"),
        (r#"{"query":"{fault}"}"#, 200, 200, "INTERNAL"),
        (r#"{"query":"{forbidden}"}"#, 200, 200, "FORBIDDEN"),
        (r#"{"query":"#, 400, 400, "BAD_REQUEST"),
        (r#"{"query":1}"#, 400, 400, "BAD_REQUEST"),
        (r#"{"query":"{hello}","variables":[]}"#, 400, 400, "BAD_REQUEST"),
        (r#"{"query":"{hello}","query":"{hello}"}"#, 400, 400, "BAD_REQUEST"),
        (r#"[{"query":"{hello}"}]"#, 400, 400, "BAD_REQUEST"),
        (r#"["{hello}"]"#, 400, 400, "BAD_REQUEST"),
        ("\"{hello}\"", 400, 400, "BAD_REQUEST"),
        ("{}", 400, 400, "BAD_REQUEST"),
        ("", 400, 400, "BAD_REQUEST"),
    ] {
        for (accept, status) in [(RESPONSE, with_response), ("application/json", with_json)] {
            let (got, answer) = toy.post(accept, body).await;
            assert_eq!(
                (got.as_u16(), code(&answer)),
                (status, expected),
                "{accept} {body} {answer}"
            );
            let executed = matches!(expected, "" | "INTERNAL" | "FORBIDDEN");
            assert_eq!(answer.get("data").is_some(), executed, "{body}: {answer}");
        }
    }
}

#[tokio::test]
async fn what_a_foreign_page_can_send_without_asking_changes_nothing() {
    let toy = toy();
    let change = r#"{"query":"mutation{change}"}"#;
    let multipart = "--x\r\nContent-Disposition: form-data; name=\"operations\"\r\n\r\n{}\r\n--x--";
    for (request, status) in [
        (get("/graphql?query=mutation%7Bchange%7D"), 405),
        (get("/graphql?query=query%20A%7Bhello%7Dmutation%20B%7Bchange%7D&operationName=B"), 405),
        (post("text/plain", change), 415),
        (post("text/plain; application/json", change), 415),
        (post("application/x-www-form-urlencoded", "query=mutation{change}"), 415),
        (post("multipart/form-data; boundary=x", multipart), 415),
        (post("application/json; charset=utf-16", change), 415),
        (HttpRequest::post("/graphql").body(Body::from(change)).unwrap(), 415),
        (HttpRequest::put("/graphql").body(Body::from(change)).unwrap(), 405),
        (HttpRequest::head("/graphql?query=mutation{change}").body(Body::empty()).unwrap(), 405),
    ] {
        let (got, answer) = read(toy.send(request).await).await;
        assert_eq!(got.as_u16(), status, "{answer}");
        // An answer to HEAD has no body.
        assert!(answer.is_null() || !code(&answer).is_empty());
    }
    let response = toy.send(get("/graphql?query=mutation%7Bchange%7D")).await;
    assert_eq!(response.headers()["allow"], "POST");
    assert_eq!(toy.hands.begun.load(Ordering::SeqCst), 0);

    let uri =
        "/graphql?query=query(%24n:String)%7Bhello(name:%24n)%7D&variables=%7B%22n%22:%22Lan%22%7D";
    assert_eq!(read(toy.send(get(uri)).await).await.1["data"], json!({ "hello": "hello Lan" }));
}

#[tokio::test]
async fn only_configured_origins_may_read_answers() {
    let toy = toy();
    for (origin, allowed) in [
        ("https://crm.example.com", true),
        ("https://evil.example", false),
        ("https://crm.example.com.evil.example", false),
        ("null", false),
    ] {
        let preflight = HttpRequest::options("/graphql")
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "content-type,authorization");
        let mut plain = post("application/json", r#"{"query":"{hello}"}"#);
        plain.headers_mut().insert("origin", origin.parse().unwrap());
        for request in [preflight.body(Body::empty()).unwrap(), plain] {
            let response = toy.send(request).await;
            let got = response.headers().get("access-control-allow-origin");
            assert_eq!(got.is_some_and(|got| got == origin), allowed, "{origin}");
            assert_eq!(got.is_some(), allowed, "{origin}");
            assert!(response.headers().get("access-control-allow-credentials").is_none());
        }
    }
}

#[tokio::test]
async fn a_body_past_the_limit_is_refused_without_being_read() {
    static SENT: AtomicUsize = AtomicUsize::new(0);
    let toy = toy();
    let chunk = Bytes::from(vec![b' '; 16 << 10]);
    let endless = stream::iter(0..60 << 6).map(move |_| {
        SENT.fetch_add(chunk.len(), Ordering::Relaxed);
        Ok::<_, Infallible>(chunk.clone())
    });
    let request = HttpRequest::post("/graphql").header(CONTENT_TYPE, "application/json");
    let response = toy.send(request.body(Body::from_stream(endless)).unwrap()).await;
    assert_eq!(response.status(), 413);
    assert_eq!(response.headers()["connection"], "close");
    let sent = SENT.load(Ordering::Relaxed);
    assert!(sent <= (1 << 20) + (32 << 10), "{sent} of 60 MB were taken");

    let announced = HttpRequest::post("/graphql")
        .header(CONTENT_TYPE, "application/json")
        .header("content-length", "60000000");
    let body = Body::from_stream(stream::pending::<Result<Bytes, Infallible>>());
    assert_eq!(toy.send(announced.body(body).unwrap()).await.status(), 413);
}

#[tokio::test]
async fn who_asks_is_known_to_resolvers_and_a_bad_token_is_401() {
    let toy = toy();
    let ask = |token: Option<&str>| {
        let mut request = post("application/json", r#"{"query":"{whoami}"}"#);
        request.headers_mut().insert("x-request-id", "trace-0123456789".parse().unwrap());
        if let Some(token) = token {
            request.headers_mut().insert("authorization", token.parse().unwrap());
        }
        request
    };
    let (_, nobody) = read(toy.send(ask(None)).await).await;
    assert_eq!(nobody["data"]["whoami"], "nobody from 0.0.0.0 in trace-0123456789");
    let (_, lan) = read(toy.send(ask(Some("Bearer lan"))).await).await;
    assert_eq!(lan["data"]["whoami"], "lan from 0.0.0.0 in trace-0123456789");
    let response = toy.send(ask(Some("Bearer expired"))).await;
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    let (status, refused) = read(response).await;
    assert_eq!((status.as_u16(), code(&refused)), (401, "UNAUTHENTICATED"));
}

#[tokio::test]
async fn a_client_that_leaves_ends_its_query_but_not_its_mutation() {
    let toy = toy();
    for (query, finished) in [("{slow}", 0), ("mutation{change}", 1)] {
        let begun = toy.hands.begun.load(Ordering::SeqCst);
        let body = json!({ "query": query }).to_string();
        let waiting = tokio::spawn({
            let router = toy.router.clone();
            async move { tower::ServiceExt::oneshot(router, post("application/json", &body)).await }
        });
        until(|| toy.hands.begun.load(Ordering::SeqCst) > begun).await;
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        if finished == 0 {
            until(|| toy.admission.running().is_empty()).await;
        } else {
            assert_eq!(toy.admission.running().len(), 1);
            toy.hands.gate.add_permits(1);
            until(|| toy.admission.running().is_empty()).await;
        }
        assert_eq!(toy.hands.finished.load(Ordering::SeqCst), finished, "{query}");
    }
}

#[tokio::test]
async fn beyond_its_places_the_server_refuses_at_once_and_a_late_answer_is_given_up() {
    let toy = toy_with(Admission::new(1), Duration::from_secs(1));
    let (status, answer) = tokio::join!(toy.query("mutation { change }"), async {
        until(|| toy.hands.begun.load(Ordering::SeqCst) == 1).await;
        let response = toy.send(post("application/json", r#"{"query":"{hello}"}"#)).await;
        assert_eq!(response.headers()["retry-after"], "1");
        let (status, answer) = read(response).await;
        assert_eq!((status.as_u16(), code(&answer)), (503, "OVERLOADED"));
    })
    .0;
    assert_eq!((status.as_u16(), code(&answer)), (503, "TIMEOUT"));
    // The change goes on, and keeps its place until it is done.
    assert_eq!(toy.query("{ hello }").await.0, 503);
    toy.hands.gate.add_permits(1);
    until(|| toy.admission.running().is_empty()).await;
    assert_eq!(toy.hands.finished.load(Ordering::SeqCst), 1);
    assert_eq!(toy.query("{ hello }").await.0, 200);
}

#[tokio::test]
async fn every_answer_has_safe_headers_even_where_there_is_nothing() {
    let toy = toy();
    for request in [get("/absent"), post("application/json", r#"{"query":"{hello}"}"#)] {
        let response = toy.send(request).await;
        let headers = response.headers();
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(
            headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'")
        );
    }
    assert_eq!(code(&read(toy.send(get("/absent")).await).await.1), "NOT_FOUND");
}

#[tokio::test]
async fn no_client_can_make_new_time_series() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let handle = recorder.handle();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let toy = toy();
    for path in ["/a", "/b", "/graphql?query={hello}", "/graphql?query={x}"] {
        toy.send(
            HttpRequest::builder()
                .method("BREW")
                .uri(path.replace(['{', '}'], ""))
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    }
    let figures = handle.render();
    assert!(
        figures.contains(
            r#"rapport_http_requests_total{route="unmatched",method="other",status="4xx"} 2"#
        ),
        "{figures}"
    );
    assert!(
        figures.contains(
            r#"rapport_http_requests_total{route="/graphql",method="other",status="4xx"} 2"#
        ),
        "{figures}"
    );
}

#[tokio::test]
async fn a_document_is_sent_once_and_then_named_by_its_hash_also_by_get() {
    let toy = toy();
    let query = "{ hello }";
    let known = hash(query);
    let extension = json!({ "persistedQuery": { "version": 1, "sha256Hash": known } });
    let named = json!({ "extensions": extension }).to_string();
    let whole = json!({ "query": query, "extensions": extension }).to_string();
    let as_lan = |body: &str| {
        let mut request = post("application/json", body);
        request.headers_mut().insert("authorization", "Bearer lan".parse().unwrap());
        request
    };
    // Nobody in particular can ask, but what they send is not kept.
    for (request, expected) in [
        (as_lan(&named), "PERSISTED_QUERY_NOT_FOUND"),
        (post("application/json", &whole), ""),
        (as_lan(&named), "PERSISTED_QUERY_NOT_FOUND"),
        (as_lan(&whole), ""),
        (as_lan(&named), ""),
        (
            post(
                "application/json",
                &json!({ "documentId": format!("sha256:{known}") }).to_string(),
            ),
            "",
        ),
    ] {
        let (status, answer) = read(toy.send(request).await).await;
        assert_eq!((status.as_u16(), code(&answer)), (200, expected), "{answer}");
    }
    let uri = format!(
        "/graphql?extensions=%7B%22persistedQuery%22:%7B%22version%22:1,%22sha256Hash%22:%22{known}%22%7D%7D"
    );
    let response = toy.send(get(&uri)).await;
    assert_eq!(response.headers()["cache-control"], "no-store");
    assert!(response.headers()["vary"].to_str().unwrap().contains("authorization"));
    assert_eq!(read(response).await.1["data"], json!({ "hello": "hello " }));
    let wrong = json!({ "query": "{ whoami }", "extensions": extension }).to_string();
    let (status, refused) = toy.post(RESPONSE, &wrong).await;
    assert_eq!((status.as_u16(), code(&refused)), (400, "BAD_REQUEST"));
    // A change that was kept cannot be made by GET either.
    let change = "mutation{change}";
    let named = hash(change);
    let extension = json!({ "persistedQuery": { "version": 1, "sha256Hash": named } });
    toy.hands.gate.add_permits(1);
    toy.send(as_lan(&json!({ "query": change, "extensions": extension }).to_string())).await;
    let uri = format!("/graphql?documentId={named}");
    assert_eq!(toy.send(get(&uri)).await.status(), 405);
}

#[tokio::test]
async fn who_has_spent_their_budget_is_told_when_to_come_again() {
    let toy = toy();
    let dear = r#"{"query":"{customers(first:5000){name}}"}"#;
    for _ in 0..5 {
        let (status, answer) = toy.post(RESPONSE, dear).await;
        assert_eq!(status, 200, "{answer}");
    }
    for accept in [RESPONSE, "application/json"] {
        let mut request = post("application/json", dear);
        request.headers_mut().insert("accept", accept.parse().unwrap());
        let response = toy.send(request).await;
        assert_eq!(response.headers()["retry-after"], "60");
        let (status, refused) = read(response).await;
        assert_eq!((status.as_u16(), code(&refused)), (429, "RATE_LIMITED"), "{refused}");
        assert_eq!(refused["errors"][0]["extensions"]["resetAt"], "1970-01-01T00:01:00Z");
        assert_eq!(refused["extensions"]["cost"]["remaining"], 0);
        assert!(refused.get("data").is_none());
    }
    // Another payer is not concerned.
    let mut request = post("application/json", dear);
    request.headers_mut().insert("authorization", "Bearer lan".parse().unwrap());
    assert_eq!(toy.send(request).await.status(), 200);
}
