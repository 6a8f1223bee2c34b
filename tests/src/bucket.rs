//! A bucket that speaks as much of S3's protocol as Rapport does, in the test's own process.
//!
//! Invariant: what has been sent of a file is no object before all of it is there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::{AUTHORIZATION, CONTENT_RANGE, ETAG, LAST_MODIFIED, RANGE};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use entity::clock::Clock;
use hyper::body::Bytes;
use object_store::ObjectStore;
use tokio::net::TcpListener;
use worker::store::Place;

/// Whom the bucket lets in.
const KEY: &str = "somebody";

/// The files of a bucket: parts by the id of the upload and their number, and objects.
#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, (Bytes, DateTime<Utc>)>,
    uploads: BTreeMap<String, BTreeMap<u32, Bytes>>,
    begun: u64,
    /// How many more requests are answered well; all of them, where there is none.
    patience: Option<u32>,
}

/// A bucket on a free port of 127.0.0.1.
pub struct Bucket {
    address: String,
    kept: Arc<Mutex<Kept>>,
    task: tokio::task::JoinHandle<()>,
}

impl Bucket {
    /// An empty bucket.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let kept = Arc::new(Mutex::new(Kept::default()));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&kept));
        let router = router.layer(DefaultBodyLimit::disable());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a server never ends");
        });
        Self { address, kept, task }
    }

    /// A client of the bucket, as Rapport makes it of its configuration.
    #[must_use]
    pub fn client(&self) -> Arc<dyn ObjectStore> {
        client(&self.address, KEY)
    }

    /// A client whom the bucket does not know.
    #[must_use]
    pub fn stranger(&self) -> Arc<dyn ObjectStore> {
        client(&self.address, "stranger")
    }

    /// Answers `requests` more, and fails from then on; or never fails again.
    pub fn fail_after(&self, requests: Option<u32>) {
        lock(&self.kept).patience = requests;
    }

    /// How many files have begun to come and are neither whole nor given up.
    #[must_use]
    pub fn unfinished(&self) -> usize {
        lock(&self.kept).uploads.len()
    }

    /// The keys of its objects.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        lock(&self.kept).objects.keys().cloned().collect()
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client of the bucket at `address`, whether or not one is there.
///
/// # Panics
/// When it is no address.
#[must_use]
pub fn client(address: &str, key: &str) -> Arc<dyn ObjectStore> {
    let settings = [
        ("AWS_ENDPOINT", address),
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", key),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
    ];
    let settings = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let place = Place::parse("s3://bucket/some/prefix").expect("a place");
    place.open(settings).expect("a client")
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(kept): State<Arc<Mutex<Kept>>>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let mut kept = lock(&kept);
    if let Some(patience) = &mut kept.patience {
        if *patience == 0 {
            return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        *patience -= 1;
    }
    let signed = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    if !signed.is_some_and(|signed| signed.contains(&format!("Credential={KEY}/"))) {
        return refused(StatusCode::FORBIDDEN, "InvalidAccessKeyId");
    }
    let key = uri.path().strip_prefix("/bucket").unwrap_or_default().trim_start_matches('/');
    match (method, key, query.get("uploadId")) {
        (Method::GET, "", _) => kept.list(query.get("prefix").map_or("", String::as_str)),
        (Method::POST, "", _) => kept.delete_all(&body),
        (Method::POST, _, None) => kept.begin(),
        (Method::POST, _, Some(upload)) => kept.complete(key, upload),
        (Method::PUT, _, Some(upload)) => {
            let number = query.get("partNumber").and_then(|number| number.parse().ok());
            kept.part(upload, number.unwrap_or_default(), body)
        }
        (Method::PUT, _, None) => kept.put(key, body),
        (Method::DELETE, _, Some(upload)) => {
            kept.uploads.remove(upload);
            StatusCode::NO_CONTENT.into_response()
        }
        (Method::GET | Method::HEAD, ..) => kept.get(key, &headers),
        _ => refused(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

fn refused(status: StatusCode, code: &str) -> Response {
    (status, format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>")).into_response()
}

impl Kept {
    fn begin(&mut self) -> Response {
        self.begun += 1;
        let id = self.begun.to_string();
        self.uploads.insert(id.clone(), BTreeMap::new());
        let begun = format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        );
        begun.into_response()
    }

    fn part(&mut self, upload: &str, number: u32, body: Bytes) -> Response {
        let Some(parts) = self.uploads.get_mut(upload) else {
            return refused(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        parts.insert(number, body);
        [(ETAG, format!("\"{number}\""))].into_response()
    }

    fn complete(&mut self, key: &str, upload: &str) -> Response {
        let Some(parts) = self.uploads.remove(upload) else {
            return refused(StatusCode::NOT_FOUND, "NoSuchUpload");
        };
        let whole = parts.into_values().collect::<Vec<_>>().concat();
        drop(self.put(key, whole.into()));
        let complete =
            "<CompleteMultipartUploadResult><ETag>\"0\"</ETag></CompleteMultipartUploadResult>";
        complete.into_response()
    }

    fn put(&mut self, key: &str, body: Bytes) -> Response {
        self.objects.insert(key.to_owned(), (body, Clock::system().now()));
        [(ETAG, "\"0\"")].into_response()
    }

    fn get(&self, key: &str, headers: &HeaderMap) -> Response {
        let Some((bytes, at)) = self.objects.get(key) else {
            return refused(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let about = [(ETAG, "\"0\"".to_owned()), (LAST_MODIFIED, at.to_rfc2822())];
        let range = headers.get(RANGE).and_then(|value| value.to_str().ok());
        let range = range.and_then(|range| {
            let (first, last) = range.strip_prefix("bytes=")?.split_once('-')?;
            Some((first.parse::<usize>().ok()?, last.parse::<usize>().ok()?))
        });
        let Some((first, last)) = range else { return (about, bytes.clone()).into_response() };
        let within = [(CONTENT_RANGE, format!("bytes {first}-{last}/{}", bytes.len()))];
        let part = bytes.slice(first..=last);
        (StatusCode::PARTIAL_CONTENT, about, within, part).into_response()
    }

    fn list(&self, prefix: &str) -> Response {
        let listed = self.objects.iter().filter(|(key, _)| key.starts_with(prefix));
        let listed = listed.map(|(key, (bytes, at))| {
            let (size, at) = (bytes.len(), at.to_rfc3339());
            format!(
                "<Contents><Key>{key}</Key><Size>{size}</Size><LastModified>{at}</LastModified></Contents>"
            )
        });
        let listed: String = listed.collect();
        format!("<ListBucketResult>{listed}</ListBucketResult>").into_response()
    }

    fn delete_all(&mut self, body: &[u8]) -> Response {
        let body = String::from_utf8_lossy(body);
        let keys = body.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        let deleted = keys.map(|key| {
            self.objects.remove(key);
            format!("<Deleted><Key>{key}</Key></Deleted>")
        });
        let deleted: String = deleted.collect();
        format!("<DeleteResult>{deleted}</DeleteResult>").into_response()
    }
}
