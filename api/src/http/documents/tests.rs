use chrono::DateTime;
use entity::clock::Clock;
use entity::text::hex;
use serde_json::json;

use super::*;

fn automatic() -> Documents {
    Documents::automatic(Shelf::new(None, Clock::manual(DateTime::UNIX_EPOCH)))
}

fn asked(query: &str, extension: Option<serde_json::Value>) -> Request {
    let mut request = Request::new(query);
    if let Some(extension) = extension {
        let value = Value::from_json(extension).unwrap();
        request.extensions.insert(EXTENSION.to_owned(), value);
    }
    request
}

fn by_hash(document: &str) -> serde_json::Value {
    json!({ "version": 1, "sha256Hash": hex(&hash_of(document)) })
}

async fn code(documents: &Documents, mut request: Request) -> (String, String) {
    match documents.find(&mut request).await {
        Ok(fresh) => {
            if let Some(fresh) = fresh {
                documents.keep(fresh).await;
            }
            (String::new(), request.query)
        }
        Err(refused) => {
            let code = refused.extensions.unwrap().get("code").unwrap().clone();
            (code.into_json().unwrap().as_str().unwrap().to_owned(), refused.message)
        }
    }
}

#[tokio::test]
async fn a_document_that_was_sent_with_its_hash_is_known_by_it() {
    let documents = automatic();
    let found = async |query: &str, extension| code(&documents, asked(query, extension)).await;
    let missing = found("", Some(by_hash("{ a }"))).await;
    assert_eq!(missing, ("PERSISTED_QUERY_NOT_FOUND".into(), "PersistedQueryNotFound".into()));
    assert_eq!(found("{ a }", Some(by_hash("{ b }"))).await.0, "BAD_REQUEST");
    assert_eq!(found("", Some(by_hash("{ b }"))).await.0, "PERSISTED_QUERY_NOT_FOUND");
    assert_eq!(found("{ a }", Some(by_hash("{ a }"))).await, (String::new(), "{ a }".into()));
    assert_eq!(found("", Some(by_hash("{ a }"))).await, (String::new(), "{ a }".into()));
    assert_eq!(found("{ c }", None).await, (String::new(), "{ c }".into()));
    for (extension, expected) in [
        (
            json!({ "version": 2, "sha256Hash": hex(&hash_of("{ a }")) }),
            "PERSISTED_QUERY_NOT_SUPPORTED",
        ),
        (json!({ "version": 1 }), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (json!(1), "PERSISTED_QUERY_NOT_SUPPORTED"),
        (json!({ "version": 1, "sha256Hash": "abc" }), "BAD_REQUEST"),
        (json!({ "version": 1, "sha256Hash": "€".repeat(32) }), "BAD_REQUEST"),
    ] {
        assert_eq!(found("", Some(extension.clone())).await.0, expected, "{extension}");
    }
}

#[tokio::test]
async fn what_nobody_asks_for_is_forgotten_first() {
    let documents = automatic();
    let keep = async |number: usize| {
        let document = format!("{{ a{number} }}");
        code(&documents, asked(&document, Some(by_hash(&document)))).await;
    };
    let known = async |number: usize| {
        code(&documents, asked("", Some(by_hash(&format!("{{ a{number} }}"))))).await.0.is_empty()
    };
    for number in 0..1_000 {
        keep(number).await;
    }
    assert!(known(0).await);
    keep(1_000).await;
    assert!(known(0).await && known(1_000).await && !known(1).await);
}

#[tokio::test]
async fn with_a_list_nothing_else_runs() {
    let apollo = json!({
        "format": "apollo-persisted-query-manifest", "version": 1,
        "operations": [{ "id": "one", "name": "A", "type": "query", "body": "query A { a }" }],
    });
    let relay = json!({ "one": "query A { a }" });
    for manifest in [apollo, relay] {
        let manifest = Manifest::parse(&manifest.to_string()).unwrap();
        let documents = Documents::listed(manifest);
        let found = async |query: &str, extension| code(&documents, asked(query, extension)).await;
        let named = |id: &str| Some(json!({ "version": 1, "sha256Hash": id }));
        assert_eq!(found("", named("one")).await, (String::new(), "query A { a }".into()));
        assert_eq!(found("query A { a }", None).await.0, "");
        assert_eq!(found("", named("two")).await.0, "PERSISTED_QUERY_NOT_FOUND");
        assert_eq!(found("", None).await.0, "PERSISTED_QUERY_NOT_FOUND");
        for other in ["{ a }", "query A { a b }", "{ __schema { types { name } } }"] {
            assert_eq!(found(other, None).await.0, "DOCUMENT_NOT_LISTED");
            assert_eq!(found(other, Some(by_hash(other))).await.0, "DOCUMENT_NOT_LISTED");
            assert_eq!(found(other, named("one")).await.0, "DOCUMENT_NOT_LISTED");
        }
    }
}

#[test]
fn a_file_that_is_no_manifest_says_so() {
    for text in ["", "[]", "{\"a\":1}", r#"{"format":"other","operations":[]}"#] {
        assert!(matches!(Manifest::parse(text), Err(ManifestError::Form(_))), "{text}");
    }
    assert!(matches!(Manifest::parse(r#"{"a":"{"}"#), Err(ManifestError::Document(..))));
    assert!(matches!(Manifest::read("/nowhere".as_ref()), Err(ManifestError::Unreadable(..))));
}
