//! Files that are not what they seem, that are too large, too slow or broken off.

use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::StreamBody;
use hyper::Request;
use hyper::body::{Bytes, Frame};
use object_store::ObjectStore;
use serde_json::json;
use tests::on_both_stacks;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use uuid::Uuid;

use super::{get, header, link, nothing_is_left, objects, promise, put, send, text};
use crate::given::{self, CREATE_UPLOAD};

on_both_stacks! {
    async fn what_a_file_is_its_content_says_and_markup_never_runs(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        for (name, bytes, expected) in [
            ("invoice.pdf", b"<html><script>alert(1)</script>".as_slice(), "text/html"),
            ("logo.png", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "image/svg+xml"),
            ("x.html", b"\x89PNG\r\n\x1a\n", "image/png"),
        ] {
            let made = given::document(app, &customer, name, bytes).await;
            assert_eq!(made["mediaType"], expected);
            let file = get(app, &link(app, &made["versionId"]).await, &[]).await;
            assert_eq!(header(&file, "content-type"), expected);
            assert!(header(&file, "content-disposition").starts_with("attachment;"));
            assert_eq!(header(&file, "x-content-type-options"), "nosniff");
            assert!(header(&file, "content-security-policy").contains("sandbox"));
        }
    }

    async fn a_name_is_never_a_path(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let long = format!("{}.pdf", "x".repeat(300));
        for (name, shown) in [
            ("../../x", "x"), ("/etc/passwd", "passwd"), ("a\u{7}b.txt", "ab.txt"), ("..\\..\\x.ini", "x.ini"), ("..", "file"),
            (long.as_str(), ""),
        ] {
            let made = given::document(app, &customer, name, name.as_bytes()).await;
            let cleaned = text(&made["fileName"]);
            assert!(cleaned.len() <= 240 && (shown.is_empty() || cleaned == shown), "{name:?}: {cleaned}");
        }
        let keys = app.files.list(None).map(|object| object.expect("an object").location.to_string());
        for key in keys.collect::<Vec<_>>().await {
            let random = key.strip_prefix("uploads/").expect("where files are");
            assert!(Uuid::parse_str(random).is_ok(), "{key}");
        }
        assert_eq!(objects(app).await, 6);
        let nul = json!({ "input": { "record": customer, "fileName": "a\u{0}b.txt", "size": 1 } });
        assert_eq!(app.send(CREATE_UPLOAD, nul).await.error_code(), Some("BAD_REQUEST"));
    }

    async fn what_unpacks_to_more_than_it_is_stays_packed(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        // 60,000 by 60,000 pixels would be 14 GiB; the archive says that it holds 4 GiB.
        let picture = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &[0, 0, 0xea, 0x60, 0, 0, 0xea, 0x60, 8, 6, 0, 0, 0]].concat();
        let archive = [b"PK\x03\x04\x14\0\0\0\x08\0".as_slice(), &[0; 8], &[16, 0, 0, 0], &[0xff; 4], &[1, 0, 0, 0], b"0"].concat();
        let before = resident();
        for (name, bytes, expected) in [("a.png", &picture, "image/png"), ("a.zip", &archive, "application/zip")] {
            let made = given::document(app, &customer, name, bytes).await;
            assert_eq!((&made["mediaType"], &made["size"]), (&json!(expected), &json!(bytes.len())));
            let file = get(app, &link(app, &made["versionId"]).await, &[]).await;
            assert_eq!(file.body().as_ref(), bytes.as_slice());
        }
        assert!(resident().saturating_sub(before) < 64 << 20);
    }

    async fn too_large_a_file_is_refused_before_it_is_sent(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let upload = promise(app, json!({ "record": customer, "fileName": "a.bin", "size": 1000 })).await;
        let mut stream = TcpStream::connect(&app.address).await.expect("a connection");
        let head = format!("PUT {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 1001\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("a head");
        let mut answer = [0; 12];
        let read = tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer));
        read.await.expect("an answer without a body").expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 413");
        nothing_is_left(app).await;
    }

    async fn a_file_that_is_not_what_was_announced_leaves_nothing(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let wrong = "0".repeat(64);
        let input = json!({ "record": customer, "fileName": "a.txt", "size": 4, "sha256": wrong });
        let upload = promise(app, input).await;
        assert_eq!(put(app, &upload, b"12345").await, 413);
        let chunks = stream::iter(["12", "34", "5"].map(Bytes::from)).map(|chunk| Ok::<_, std::io::Error>(Frame::data(chunk)));
        let chunked = Request::put(&upload).header("host", &app.address).body(StreamBody::new(chunks));
        assert_eq!(send(app, chunked.expect("a request")).await.status(), 413);
        assert_eq!(put(app, &upload, b"123").await, 422);
        assert_eq!(put(app, &upload, b"1234").await, 422);
        nothing_is_left(app).await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM file").await, 0);
        // What failed can be tried again.
        let right = "03ac674216f3e15c761ee1a5e255f067953623c8b388b4459e13f978d7c846f4";
        let input = json!({ "record": customer, "fileName": "a.txt", "size": 4, "sha256": right.to_uppercase() });
        let upload = promise(app, input).await;
        assert_eq!(put(app, &upload, b"4321").await, 422);
        assert_eq!(put(app, &upload, b"1234").await, 201);
        assert_eq!(objects(app).await, 1);
    }

    async fn an_upload_that_is_cut_off_leaves_nothing(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let input = json!({ "record": customer, "fileName": "a.bin", "size": 20_000_000 });
        let upload = promise(app, input).await;
        for sent in [0, 1, 100_000, 12_000_000] {
            let mut stream = TcpStream::connect(&app.address).await.expect("a connection");
            let head = format!("PUT {upload} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n");
            stream.write_all(head.as_bytes()).await.expect("a head");
            stream.write_all(&vec![7; sent]).await.expect("a part");
            drop(stream);
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        nothing_is_left(app).await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM document").await, 0);
        assert_eq!(put(app, &upload, &vec![7; 20_000_000]).await, 201);
    }

    async fn a_hundred_megabytes_pass_through_in_little_memory(app: App) {
        const MIB: usize = 1 << 20;
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let input = json!({ "record": customer, "fileName": "video.mp4", "size": 100 * MIB });
        let upload = promise(app, input).await;
        let block = Bytes::from(vec![7; MIB]);
        let before = resident();
        let watched = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let most = std::sync::Arc::clone(&watched);
        let blocks = stream::iter(0..100).map(move |_| {
            most.fetch_max(resident(), std::sync::atomic::Ordering::Relaxed);
            Ok::<_, std::io::Error>(Frame::data(block.clone()))
        });
        let request = Request::put(&upload).header("host", &app.address);
        let request = request.header("content-length", 100 * MIB).body(StreamBody::new(blocks));
        assert_eq!(send(app, request.expect("a request")).await.status(), 201);
        let grown = watched.load(std::sync::atomic::Ordering::Relaxed).saturating_sub(before);
        assert!(grown < 64 * MIB, "{} MiB", grown / MIB);
    }
}

/// How much memory this process has, in bytes.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or_default() * 4096
}
