//! Files in a bucket: all that holds in a folder, and what is said while the bucket is out of reach.

use std::time::Duration;

use chrono::TimeDelta;
use entity::clock::Clock;
use hyper::Method;
use object_store::path::Path;
use object_store::{ObjectStore, PutOptions};
use serde_json::{Value, json};
use tests::app::App;
use tests::bucket::{Bucket, client};
use tests::on_both_stacks;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::{get, header, link, promise, put, request, send, text};
use crate::changing::export;
use crate::given::{self, DELETE_DOCUMENT};

on_both_stacks! {
    async fn a_bucket_keeps_files_as_a_folder_does(app: App) {
        let bucket = Bucket::start().await;
        app.keep_files_in(bucket.client()).await;
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let film: Vec<u8> = (0..12_000_000_u32).map(|at| (at % 251) as u8).collect();
        let made = given::document(app, &customer, "film.mp4", &film).await;
        let twin = given::document(app, &customer, "copy.mp4", &film).await;
        assert_eq!((bucket.keys().len(), bucket.unfinished()), (1, 0), "equal bytes are kept once");
        let film_key = bucket.keys()[0].clone();
        assert!(film_key.starts_with("some/prefix/uploads/"));
        let path = link(app, &twin["versionId"]).await;
        assert!(get(app, &path, &[]).await.body().as_ref() == film, "what came back is what was sent");
        let part = get(app, &path, &[("range", "bytes=6000000-6000003")]).await;
        assert_eq!(header(&part, "content-range"), "bytes 6000000-6000003/12000000");
        assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, &film[6_000_000..6_000_004]));
        let lines = export::lines(app, &app.token(), json!({ "fields": ["DISPLAY_NAME"], "key": "k" })).await;
        assert_eq!(lines, ["displayName", "Sông Hàn"]);

        app.files.put_opts(&Path::from("uploads/orphan"), "x".into(), PutOptions::default()).await.expect("an orphan");
        assert_eq!(bucket.keys().len(), 3);
        for document in [&made, &twin] {
            app.make("document", DELETE_DOCUMENT, json!({ "id": document["documentId"] })).await;
        }
        // The objects are as old as this machine's clock says.
        app.advance(Clock::system().now() - app.clock.now() + TimeDelta::days(2));
        app.upkeep().tidy().await.expect("tidy");
        let is_orphan = |key: &String| key.ends_with("orphan");
        // What was exported has expired by now, and may be gone or not.
        assert!(!bucket.keys().iter().any(is_orphan), "{:?}", bucket.keys());
        assert!(bucket.keys().contains(&film_key), "deleted documents can be restored");
        app.advance(TimeDelta::days(31));
        app.upkeep().tidy().await.expect("tidy");
        assert!(!bucket.keys().contains(&film_key) && bucket.keys().len() <= 1, "{:?}", bucket.keys());
    }

    async fn what_is_cut_off_leaves_no_part_in_a_bucket(app: App) {
        let bucket = Bucket::start().await;
        app.keep_files_in(bucket.client()).await;
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let input = json!({ "record": customer, "fileName": "a.bin", "size": 20_000_000 });
        let upload = promise(app, input).await;
        for sent in [1, 12_000_000] {
            let mut stream = TcpStream::connect(&app.address).await.expect("a connection");
            let head = format!("PUT {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("a head");
            stream.write_all(&vec![7; sent]).await.expect("a part");
            until(|| bucket.unfinished() == 1).await;
        }
        until(|| bucket.unfinished() == 0).await;
        assert!(bucket.keys().is_empty());
        assert_eq!(put(app, &upload, &vec![7; 20_000_000]).await, 201);
        assert_eq!((bucket.keys().len(), bucket.unfinished()), (1, 0));
    }

    async fn a_bucket_out_of_reach_is_a_reason_to_come_back(app: App) {
        let bucket = Bucket::start().await;
        app.keep_files_in(bucket.client()).await;
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let kept = given::document(app, &customer, "a.txt", b"kept").await;
        let upload = promise(app, json!({ "record": customer, "fileName": "a.bin", "size": 12_000_000 })).await;
        // The first part still comes; whoever counts on the rest is told.
        bucket.fail_after(Some(2));
        is_away(app, &upload, 12_000_000).await;
        let path = link(app, &kept["versionId"]).await;
        assert_eq!(get(app, &path, &[]).await.status(), 503);
        for store in [bucket.stranger(), client("http://127.0.0.1:9", "somebody")] {
            app.keep_files_in(store).await;
            is_away(app, &upload, 12_000_000).await;
        }
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM file").await, 1);
        assert_eq!(bucket.keys().len(), 1);
        bucket.fail_after(None);
        app.keep_files_in(bucket.client()).await;
        assert_eq!(put(app, &upload, &vec![7; 12_000_000]).await, 201, "the link is as good as before");
        assert_eq!(get(app, &path, &[]).await.body().as_ref(), b"kept");
    }
}

/// Makes sure that an upload is answered with the advice to come back.
async fn is_away(app: &App, upload: &str, size: usize) {
    let answer = send(app, request(app, Method::PUT, upload, &vec![7; size])).await;
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    assert_eq!((answer.status().as_u16(), header(&answer, "retry-after")), (503, "5"), "{body}");
    assert_eq!(text(&body["errors"][0]["extensions"]["code"]), "OVERLOADED");
}

/// Waits for what is cleared away behind the answer.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it does not come to that");
}
