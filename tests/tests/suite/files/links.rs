//! Signed links: what they are good for, for whom and until when; and what of a file they give.

use chrono::TimeDelta;
use hyper::Method;
use serde_json::{Value, json};
use tests::on_both_stacks;

use super::{DOCUMENTS, get, header, link, promise, put, request, send, text};
use crate::given;

on_both_stacks! {
    async fn a_link_is_good_once_for_a_while_and_as_it_was_made(app: App) {
        let customer = given::customer(app, "Sông Hàn", "vi", "VND").await;
        let input = json!({ "record": customer, "fileName": "a.txt", "size": 4 });
        let upload = promise(app, input.clone()).await;
        let both = tokio::join!(put(app, &upload, b"1234"), put(app, &upload, b"1234"));
        let mut both = [both.0.as_u16(), both.1.as_u16()];
        both.sort_unstable();
        assert_eq!(both, [201, 410]);
        assert_eq!(put(app, &upload, b"1234").await, 410);
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM document").await, 1);
        let found = app.ask(DOCUMENTS, Value::Null).await;
        let version = &found["documents"]["nodes"][0]["versions"][0]["id"];
        let download = link(app, version).await;
        assert_eq!(get(app, &download, &[]).await.status(), 200);
        // Another purpose, another bit, nothing at all.
        let as_download = upload.replace("/upload/", "/");
        let as_upload = download.replace("/files/", "/files/upload/");
        let at = download.len() - 20;
        let other = if &download[at..=at] == "A" { "B" } else { "A" };
        let forged = format!("{}{other}{}", &download[..at], &download[at + 1..]);
        for path in [as_download.as_str(), &forged, "/files/x", "/files/%00", "/files/..%2f..%2fetc%2fpasswd"] {
            assert_eq!(get(app, path, &[]).await.status(), 404, "{path}");
        }
        assert_eq!(put(app, &as_upload, b"1234").await, 404);
        let late = promise(app, input).await;
        app.advance(TimeDelta::minutes(6));
        assert_eq!(get(app, &download, &[]).await.status(), 410);
        app.advance(TimeDelta::hours(1));
        assert_eq!(put(app, &late, b"1234").await, 410);
    }

    async fn a_part_of_a_file_can_be_asked_for(app: App) {
        let customer = json!(given::customer(app, "Sông Hàn", "vi", "VND").await);
        let made = given::document(app, &customer, "a.txt", b"0123456789").await;
        let path = link(app, &made["versionId"]).await;
        let etag = format!("\"{}\"", text(&made["sha256"]));
        for (range, status, body, content_range) in [
            ("bytes=2-4", 206, "234", "bytes 2-4/10"),
            ("bytes=-3", 206, "789", "bytes 7-9/10"),
            ("bytes=8-99", 206, "89", "bytes 8-9/10"),
            ("bytes=10-", 416, "", "bytes */10"),
            ("bytes=0-1,3-4", 200, "0123456789", ""),
        ] {
            let part = get(app, &path, &[("range", range)]).await;
            assert_eq!((part.status().as_u16(), header(&part, "content-range")), (status, content_range), "{range}");
            assert_eq!(part.body().as_ref(), body.as_bytes(), "{range}");
        }
        let known = get(app, &path, &[("if-none-match", &etag)]).await;
        assert_eq!((known.status().as_u16(), known.body().len(), header(&known, "etag")), (304, 0, etag.as_str()));
        let changed = get(app, &path, &[("if-range", "\"other\""), ("range", "bytes=0-1")]).await;
        assert_eq!((changed.status().as_u16(), changed.body().len()), (200, 10));
        let head = send(app, request(app, Method::HEAD, &path, b"")).await;
        assert_eq!((head.status().as_u16(), header(&head, "content-length"), head.body().len()), (200, "10", 0));
    }
}
