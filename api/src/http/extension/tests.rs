use axum::body::Body;
use axum::http::Request as HttpRequest;
use axum::http::header::CONTENT_TYPE;
use futures::StreamExt;
use serde_json::json;

use super::super::toy::{code, read, schema, toy};
use super::*;

fn post(content_type: &str, body: &str) -> HttpRequest<Body> {
    let request = HttpRequest::post("/graphql").header(CONTENT_TYPE, content_type);
    request.body(Body::from(body.to_owned())).unwrap()
}

#[tokio::test]
async fn a_fault_shows_its_request_id_and_nothing_else() {
    let toy = toy();
    let mut request = post("application/json", r#"{"query":"{ hello fault }"}"#);
    request.headers_mut().insert("x-request-id", "trace-0123456789".parse().unwrap());
    let response = toy.send(request).await;
    assert_eq!(response.headers()["x-request-id"], "trace-0123456789");
    let (status, answer) = read(response).await;
    assert_eq!(status, 200);
    assert_eq!(answer["errors"][0]["extensions"]["requestId"], "trace-0123456789");
    assert_eq!(answer["errors"][0]["path"], json!(["fault"]));

    let (panicked, panic) = toy.query("{ panic }").await;
    assert_eq!((panicked.as_u16(), code(&panic)), (500, "INTERNAL"));
    let (limits, _) = schema(Limits::default());
    let event = limits.execute_stream("subscription { fault }").next().await.unwrap();
    let event = serde_json::to_value(event).unwrap();
    assert_eq!(code(&event), "INTERNAL");
    for seen in [answer, panic, event] {
        let seen = seen.to_string();
        assert!(
            !seen.contains("secret") && !seen.contains("SELECT") && !seen.contains("/srv"),
            "{seen}"
        );
    }

    for hostile in ["short", "with space inside", &"x".repeat(65), "a\"b{}<script>"] {
        let mut request = post("application/json", "{}");
        request.headers_mut().insert("x-request-id", hostile.parse().unwrap());
        let response = toy.send(request).await;
        let given = response.headers()["x-request-id"].to_str().unwrap();
        assert_eq!(uuid::Uuid::parse_str(given).unwrap().get_version_num(), 7);
    }
}

#[tokio::test]
async fn an_input_that_cannot_be_read_is_the_clients_fault() {
    let toy = toy();
    let (status, answer) = toy.query("{ hello squared(number: -1) }").await;
    assert_eq!((status.as_u16(), code(&answer)), (200, "BAD_REQUEST"), "{answer}");
    assert!(answer["errors"][0]["message"].as_str().unwrap().contains("Int"), "{answer}");
}

#[tokio::test]
async fn the_cost_is_announced_with_its_limits() {
    let toy = toy();
    let (_, answer) = toy.query("{ customers(first: 3) { name } }").await;
    assert_eq!(
        answer["extensions"]["cost"],
        json!({
            "complexity": { "used": 6, "limit": 10_000 },
            "depth": { "used": 2, "limit": 20 },
            "tokens": { "used": 11, "limit": 5_000 },
            "bodyBytes": { "limit": 1_048_576 },
            "requested": 6, "limit": 50_000, "remaining": 49_994, "resetAt": "1970-01-01T00:01:00Z",
        })
    );
    let (_, refused) = toy.query("{ customers(first: 5001) { name } }").await;
    assert!(refused["errors"][0]["message"].as_str().unwrap().contains("10000"), "{refused}");
    assert_eq!(refused["extensions"]["cost"]["complexity"]["used"], 10_002);
}
