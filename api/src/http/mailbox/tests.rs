use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

use super::*;

const MAIL: &str = "From: Rapport <billing@example.vn>\r\nTo: =?UTF-8?Q?Nguy=E1=BB=85n_Lan?= <lan@example.vn>\r\n\
Subject: =?UTF-8?Q?Bi=C3=AAn_lai_<script>alert(1)</script>?=\r\nDate: Sun, 22 Nov 2026 09:00:00 +0700\r\n\
MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Received</p><script>alert(2)</script>\r\n\
--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"../receipt.pdf\"\r\n\r\n%PDF-1.7 x\r\n\
--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"page.pdf\"\r\n\r\n<script>\r\n--b--\r\n";

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("rapport-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("mail")).unwrap();
        fs::write(path.join("secret.eml"), "Subject: secret\r\n\r\nsecret").unwrap();
        Self(path)
    }

    fn router(&self) -> Router {
        let routes = router(self.0.join("mail")).unwrap();
        routes.layer(axum::middleware::from_fn(super::super::headers::secure))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

async fn get(router: &Router, path: &str) -> (axum::http::response::Parts, String) {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes();
    (parts, String::from_utf8_lossy(&bytes).into_owned())
}

#[tokio::test]
async fn a_mail_is_listed_and_shown_without_trusting_it() {
    let directory = Directory::new("shown");
    let router = directory.router();
    assert!(get(&router, "/mail").await.1.contains("No mail yet"));
    fs::write(directory.0.join("mail/a b.eml"), MAIL).unwrap();

    let (parts, list) = get(&router, "/mail").await;
    assert!(list.contains("Nguyễn Lan") && list.contains("2026-11-22 09:00 +07:00"), "{list}");
    assert!(list.contains("2 files") && list.contains(r#"href="/mail/a%20b.eml""#), "{list}");
    assert!(list.contains("&lt;script&gt;") && !list.contains("<script"), "{list}");
    assert!(
        parts.headers["content-security-policy"].to_str().unwrap().contains("default-src 'none'")
    );

    let (parts, page) = get(&router, "/mail/a%20b.eml").await;
    assert!(page.contains("<iframe sandbox ") && page.contains("receipt.pdf"), "{page}");
    assert!(!page.contains("<script") && !page.contains("../"), "{page}");
    assert_eq!(parts.headers["x-frame-options"], "DENY");
    let (parts, html) = get(&router, "/mail/a%20b.eml/html").await;
    assert!(html.contains("<p>Received</p>"));
    let policy = parts.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("sandbox"));
    assert_eq!(parts.headers["referrer-policy"], "no-referrer");

    let (parts, pdf) = get(&router, "/mail/a%20b.eml/files/0").await;
    assert!(pdf.starts_with("%PDF-"));
    assert_eq!(parts.headers["content-disposition"], "inline; filename*=UTF-8''receipt.pdf");
    let (parts, _) = get(&router, "/mail/a%20b.eml/files/1").await;
    assert_eq!(parts.headers["content-type"], "application/octet-stream");
    assert_eq!(parts.headers["content-disposition"], "attachment; filename*=UTF-8''page.pdf");
    assert_eq!(parts.headers["x-content-type-options"], "nosniff");
    assert_eq!(get(&router, "/mail/a%20b.eml/files/2").await.0.status, 404);
    assert_eq!(get(&router, "/mail/a%20b.eml/raw").await.1, MAIL);
}

#[tokio::test]
async fn no_name_leads_out_of_the_directory() {
    let directory = Directory::new("inside");
    let router = directory.router();
    std::os::unix::fs::symlink(directory.0.join("secret.eml"), directory.0.join("mail/link.eml"))
        .unwrap();
    fs::create_dir(directory.0.join("mail/folder.eml")).unwrap();
    fs::write(directory.0.join("mail/other.txt"), "secret").unwrap();
    for name in [
        "..%2Fsecret.eml",
        "%2e%2e%2fsecret.eml",
        "..%5Csecret.eml",
        "../secret.eml",
        "link.eml",
        "folder.eml",
        "other.txt",
        "%00",
        "x%00.eml",
        "..%252Fsecret.eml",
        "%2Fetc%2Fpasswd",
    ] {
        for rest in ["", "/raw", "/text", "/html", "/files/0"] {
            let (parts, text) = get(&router, &format!("/mail/{name}{rest}")).await;
            assert!(parts.status.is_client_error(), "{name}{rest}: {}", parts.status);
            assert!(!text.contains("secret"), "{name}{rest}");
        }
    }
}

#[tokio::test]
async fn the_list_holds_the_newest_two_hundred() {
    let directory = Directory::new("newest");
    for number in 0..205 {
        let mail = format!("Subject: number {number}\r\n\r\ntext");
        fs::write(directory.0.join(format!("mail/{number:03}.eml")), mail).unwrap();
    }
    let (_, list) = get(&directory.router(), "/mail").await;
    assert_eq!(list.matches("<li>").count(), 200);
    assert!(list.contains("200 of 205") && list.contains("number 204"));
}

#[tokio::test]
async fn a_text_message_is_shown_without_trusting_it() {
    let directory = Directory::new("texts");
    let router = texts::router(directory.0.join("sms")).unwrap();
    assert!(get(&router, "/sms").await.1.contains("No text message yet"));
    fs::create_dir(directory.0.join("sms")).unwrap();
    let text = r#"{"id":"1","to":"+84901234567","text":"Chào <script>alert(1)</script>"}"#;
    fs::write(directory.0.join("sms/1.json"), text).unwrap();
    fs::write(directory.0.join("sms/2.json"), "{").unwrap();
    let (_, shown) = get(&router, "/sms").await;
    assert!(shown.contains("+84901234567") && shown.contains("Chào &lt;script&gt;"), "{shown}");
}
