//! Documents: files go in and out by signed links, in versions, and nothing is left of what fails.

mod bucket;
mod hostile;
mod killed;
mod links;
mod rights;
mod upkeep;

use std::time::Duration;

use futures::StreamExt;
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use object_store::ObjectStore;
use object_store::path::Path;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tokio::net::TcpStream;

use crate::given::{self, CREATE_UPLOAD, DELETE_DOCUMENT};

const DOCUMENTS: &str =
    "query ($filter: DocumentFilter) { documents(filter: $filter) { totalCount nodes {
  id title folder tags { name } customer { id } invoice { number }
  latest { number fileName mediaType size sha256 createdBy { name } } versions { id number } } } }";

pub const DOWNLOAD: &str = "query ($id: ID!) { downloadLink(id: $id) { url expiresAt } }";

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateDocumentInput!, $version: Int) {
  updateDocument(id: $id, input: $input, expectedVersion: $version) {
    document { title folder version tags { name } } userErrors { code field message } } }";

const RESTORE: &str = "mutation ($id: ID!) {
  restoreDocument(id: $id) { document { id } userErrors { code field } } }";

/// Sends one request and takes the whole answer.
async fn send<B>(app: &App, request: Request<B>) -> Response<Bytes>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let stream = TcpStream::connect(&app.address).await.expect("a connection");
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let (parts, body) = sender.send_request(request).await.expect("an answer").into_parts();
    Response::from_parts(parts, body.collect().await.expect("a body").to_bytes())
}

fn request(app: &App, method: Method, path: &str, body: &[u8]) -> Request<Full<Bytes>> {
    let request = Request::builder().method(method).uri(path).header("host", &app.address);
    request.body(Full::from(body.to_vec())).expect("a request")
}

async fn put(app: &App, path: &str, body: &[u8]) -> StatusCode {
    send(app, request(app, Method::PUT, path, body)).await.status()
}

pub async fn get(app: &App, path: &str, headers: &[(&'static str, &str)]) -> Response<Bytes> {
    let mut request = request(app, Method::GET, path, b"");
    for (name, value) in headers {
        request.headers_mut().insert(*name, value.parse().expect("a header"));
    }
    send(app, request).await
}

pub fn header<'a>(response: &'a Response<Bytes>, name: &str) -> &'a str {
    response.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn text(value: &Value) -> &str {
    value.as_str().expect("text")
}

async fn promise(app: &App, input: Value) -> String {
    let upload = app.make("upload", CREATE_UPLOAD, json!({ "input": input })).await;
    text(&upload["url"]).to_owned()
}

pub async fn link(app: &App, version: &Value) -> String {
    text(&app.ask(DOWNLOAD, json!({ "id": version })).await["downloadLink"]["url"]).to_owned()
}

/// How many objects the file store has.
async fn objects(app: &App) -> usize {
    app.files.list(Some(&Path::from("uploads"))).count().await
}

/// Waits for what is cleared away behind the answer.
async fn nothing_is_left(app: &App) {
    let folder = app.upkeep().folder.expect("a folder").join("uploads");
    for _ in 0..200 {
        let entries = std::fs::read_dir(&folder).map_or(0, Iterator::count);
        if entries == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("bytes are left behind");
}

on_both_stacks! {
    async fn a_file_becomes_a_document_and_comes_back_as_it_was(app: App) {
        let customer = given::customer(app, "Nguyễn Đức Anh", "vi", "VND").await;
        let input = json!({
            "record": customer, "fileName": "../../Hợp đồng \"mới\".pdf", "size": 9, "title": " Hợp  đồng ",
            "folder": "/Hợp đồng//2026/", "tags": ["Khách hàng", "khách  hàng", "Scan"],
        });
        let upload = promise(app, input).await;
        assert_eq!(put(app, &upload, b"%PDF-1.7\n").await, 201);
        let found = app.ask(DOCUMENTS, Value::Null).await;
        let document = &found["documents"]["nodes"][0];
        assert_eq!(found["documents"]["totalCount"], 1);
        assert_eq!(document["title"], "Hợp đồng");
        assert_eq!(document["folder"], "Hợp đồng/2026");
        assert_eq!(document["tags"], json!([{ "name": "khách hàng" }, { "name": "scan" }]));
        assert_eq!(document["customer"]["id"], json!(customer));
        assert_eq!(document["latest"], json!({
            "number": 1, "fileName": "Hợp đồng _mới_.pdf", "mediaType": "application/pdf", "size": 9,
            "sha256": "0716f9264c9fe19f5d7455276107f3ddcc1d3497f63d60689a73558ae8a1bf5e",
            "createdBy": { "name": "Lê Minh Châu" },
        }));
        let file = get(app, &link(app, &document["versions"][0]["id"]).await, &[]).await;
        assert_eq!((file.status(), file.body().as_ref()), (StatusCode::OK, b"%PDF-1.7\n".as_slice()));
        for (name, expected) in [
            ("content-type", "application/pdf"),
            ("content-length", "9"),
            ("accept-ranges", "bytes"),
            ("content-disposition", "attachment; filename=\"H_p __ng _m_i_.pdf\"; \
              filename*=UTF-8''H%E1%BB%A3p%20%C4%91%E1%BB%93ng%20_m%E1%BB%9Bi_.pdf"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cache-control", "private, no-cache"),
        ] {
            assert_eq!(header(&file, name), expected, "{name}");
        }
    }

    async fn documents_are_filtered_by_what_they_are_kept_with_and_what_they_are(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let invoice = given::invoice(app, &customer, "100", "VND").await;
        given::document(app, &json!(customer), "a.pdf", b"%PDF-1.7").await;
        given::document(app, &invoice["id"], "b.png", b"\x89PNG\r\n\x1a\n").await;
        for (filter, expected) in [
            (json!({}), vec!["a.pdf", "b.png"]),
            (json!({ "customer": { "id": { "eq": customer } } }), vec!["a.pdf"]),
            (json!({ "invoice": { "customer": { "id": { "eq": customer } } } }), vec!["b.png"]),
            (json!({ "latest": { "mediaType": { "startsWith": "image/" } } }), vec!["b.png"]),
            (json!({ "tags": { "some": { "name": { "eq": "scan" } } } }), vec!["a.pdf", "b.png"]),
            (json!({ "folder": { "startsWith": "Contracts" } }), vec![]),
        ] {
            let found = app.ask(DOCUMENTS, json!({ "filter": filter })).await;
            let titles = found["documents"]["nodes"].as_array().expect("nodes").iter();
            assert_eq!(titles.map(|node| text(&node["title"])).collect::<Vec<_>>(), expected, "{filter}");
        }
        let query = "query ($id: ID!) { customer(id: $id) { documents { nodes { title } }
            invoices { nodes { documents { totalCount } } } } }";
        let found = app.ask(query, json!({ "id": customer })).await;
        assert_eq!(found["customer"]["documents"]["nodes"], json!([{ "title": "a.pdf" }]));
        assert_eq!(found["customer"]["invoices"]["nodes"][0]["documents"]["totalCount"], 1);
    }

    async fn versions_are_counted_and_equal_bytes_are_kept_once(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let first = given::document(app, &customer, "a.txt", b"one").await;
        let document = &first["documentId"];
        let second = given::document(app, document, "b.txt", b"two").await;
        let third = given::document(app, document, "c.txt", b"one").await;
        assert_eq!((&second["documentId"], &second["number"]), (document, &json!(2)));
        assert_eq!((&third["sha256"], &third["number"]), (&first["sha256"], &json!(3)));
        assert_eq!(objects(app).await, 2);
        let found = app.ask(DOCUMENTS, Value::Null).await;
        let found = &found["documents"]["nodes"][0];
        assert_eq!((&found["latest"]["fileName"], &found["title"]), (&json!("c.txt"), &json!("a.txt")));
        for (version, expected) in [(&first, b"one"), (&second, b"two"), (&third, b"one")] {
            let file = get(app, &link(app, &version["versionId"]).await, &[]).await;
            assert_eq!(file.body().as_ref(), expected);
        }
    }

    async fn what_is_said_of_a_document_changes_and_its_deletion_is_taken_back(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let made = given::document(app, &customer, "a.txt", b"open").await;
        let id = &made["documentId"];
        let change = json!({ "title": "Hợp đồng", "folder": "Contracts/2026", "tags": ["B", "a"] });
        let variables = json!({ "id": id, "input": change, "version": 1 });
        let document = app.make("document", UPDATE, variables.clone()).await;
        assert_eq!(document, json!({ "title": "Hợp đồng", "folder": "Contracts/2026", "version": 2,
            "tags": [{ "name": "a" }, { "name": "b" }] }));
        assert_eq!(app.refusal(UPDATE, variables).await.0, "STALE_VERSION");
        for (input, field) in [
            (json!({ "title": " " }), "input.title"),
            (json!({ "folder": "../x" }), "input.folder"),
            (json!({ "tags": (0..21).map(|n| n.to_string()).collect::<Vec<_>>() }), "input.tags"),
        ] {
            let refusal = app.refusal(UPDATE, json!({ "id": id, "input": input })).await;
            assert_eq!(refusal, ("INVALID".to_owned(), field.to_owned()));
        }
        for _ in 0..2 {
            assert!(app.make("document", DELETE_DOCUMENT, json!({ "id": id })).await["deletedAt"].is_string());
        }
        assert_eq!(app.ask(DOCUMENTS, Value::Null).await["documents"]["totalCount"], 0);
        let refusal = app.refusal(UPDATE, json!({ "id": id, "input": { "title": "x" } })).await;
        assert_eq!(refusal.0, "NOT_FOUND");
        let upload = json!({ "input": { "record": id, "fileName": "x", "size": 1 } });
        assert_eq!(app.refusal(CREATE_UPLOAD, upload).await.0, "NOT_FOUND");
        app.make("document", RESTORE, json!({ "id": id })).await;
        assert_eq!(app.ask(DOCUMENTS, Value::Null).await["documents"]["totalCount"], 1);
    }

    async fn an_upload_is_asked_for_with_sense(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let with = |field: &str, value: Value| {
            let mut input = json!({ "record": customer, "fileName": "x", "size": 1 });
            input[field] = value;
            json!({ "input": input, "key": "k" })
        };
        for (field, value) in [
            ("size", json!(0)), ("size", json!(-1)), ("size", json!((2_i64 << 30) + 1)), ("sha256", json!("abc")),
            ("title", json!("x".repeat(201))), ("folder", json!("a/../b")), ("tags", json!(["x".repeat(65)])),
        ] {
            let refusal = app.refusal(CREATE_UPLOAD, with(field, value)).await;
            assert_eq!(refusal, ("INVALID".to_owned(), format!("input.{field}")));
        }
        let first = app.make("upload", CREATE_UPLOAD, with("size", json!(3))).await;
        let again = app.make("upload", CREATE_UPLOAD, with("size", json!(3))).await;
        assert_eq!(first, again);
        assert_eq!(app.refusal(CREATE_UPLOAD, with("size", json!(4))).await.0, "IDEMPOTENCY_KEY_REUSED");
    }
}
