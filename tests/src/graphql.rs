//! A GraphQL client as plain as can be: one request, one connection, one answer or the reason why
//! not.
//!
//! Invariant: it never repeats a request by itself. Whether to repeat is what callers are tested
//! for.

use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Request, Response, StatusCode, header};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpStream;

/// How long tests wait for an answer that they expect: longer than the API gives itself, since a busy machine
/// is slow.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// What came back.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Reply {
    /// The result, null if there is none.
    #[serde(default)]
    pub data: Value,
    /// Top-level errors: syntax, authentication, limits, faults.
    #[serde(default)]
    pub errors: Vec<Value>,
    /// What it cost, and the like.
    #[serde(default)]
    pub extensions: Value,
}

impl Reply {
    /// The code of the first top-level error; empty if it has none.
    #[must_use]
    pub fn error_code(&self) -> Option<&str> {
        let error = self.errors.first()?;
        Some(error["extensions"]["code"].as_str().unwrap_or_default())
    }
}

/// Why there is no answer: the work may be done or not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Nobody listens, or the connection ended.
    #[error("the connection failed: {0}")]
    Connection(String),
    /// No whole answer came in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// Something else than GraphQL came back.
    #[error("status {0} without a GraphQL answer")]
    NotGraphql(u16),
}

/// Posts `body` (`query` and `variables`) to `/graphql` at `address`, a host and port.
///
/// # Errors
/// [`Unanswered`] when no GraphQL answer came within `limit`.
pub async fn post(
    address: &str,
    token: Option<&str>,
    body: &Value,
    limit: Duration,
) -> Result<Reply, Unanswered> {
    let request = request(address, token, body)?;
    let (status, bytes) = exchange(address, request, limit).await?;
    serde_json::from_slice(&bytes).map_err(|_| Unanswered::NotGraphql(status.as_u16()))
}

/// A POST of `body` to `/graphql` at `address`.
///
/// # Errors
/// [`Unanswered`] for a token that is no header.
pub fn request(
    address: &str,
    token: Option<&str>,
    body: &Value,
) -> Result<Request<Full<Bytes>>, Unanswered> {
    let mut request = Request::post("/graphql")
        .header(header::HOST, address)
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::ACCEPT, "application/graphql-response+json, application/json;q=0.9");
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    request
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| Unanswered::Connection(error.to_string()))
}

/// The status of a GET of `path` at `address`.
///
/// # Errors
/// [`Unanswered`] when no answer came within `limit`.
pub async fn get(address: &str, path: &str, limit: Duration) -> Result<StatusCode, Unanswered> {
    let request = Request::get(path)
        .header(header::HOST, address)
        .body(Full::default())
        .map_err(|error| Unanswered::Connection(error.to_string()))?;
    exchange(address, request, limit).await.map(|(status, _)| status)
}

/// Sends one request, and gives status and body of its answer.
///
/// # Errors
/// [`Unanswered`] when no answer came within `limit`.
pub async fn exchange(
    address: &str,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<(StatusCode, Bytes), Unanswered> {
    let (head, body) = respond(address, request, limit).await?.into_parts();
    Ok((head.status, body))
}

/// Sends one request, and gives its answer.
///
/// # Errors
/// [`Unanswered`] when no answer came within `limit`.
pub async fn respond(
    address: &str,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<Response<Bytes>, Unanswered> {
    let talk = async {
        let failed = |error: &dyn std::fmt::Display| Unanswered::Connection(error.to_string());
        let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
        let answer = async {
            let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
            let (head, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| failed(&error))?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        // The connection moves the bytes while the answer waits for them, and ends with it.
        tokio::pin!(answer);
        tokio::select! {
            done = &mut answer => done,
            _ = connection => answer.await,
        }
    };
    tokio::time::timeout(limit, talk).await.unwrap_or(Err(Unanswered::Timeout(limit)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    /// A server that reads one request and answers `answer`.
    async fn server(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await.unwrap();
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        address
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn an_answer_carries_data_or_an_error_code() {
        let address = server(
            "HTTP/1.1 200 OK\r\nContent-Length: 54\r\n\r\n\
             {\"errors\":[{\"extensions\":{\"code\":\"UNAVAILABLE\"}}]}     ",
        )
        .await;
        let reply = post(&address, Some("t"), &json!({ "query": "{ a }" }), SECOND).await.unwrap();
        assert_eq!(reply.error_code(), Some("UNAVAILABLE"));
        assert_eq!(reply.data, Value::Null);
    }

    #[tokio::test]
    async fn whatever_is_no_answer_says_why() {
        let body = json!({ "query": "{ a }" });
        let cut = server("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{").await;
        assert!(matches!(post(&cut, None, &body, SECOND).await, Err(Unanswered::Connection(_))));
        let other = server("HTTP/1.1 502 Bad\r\nContent-Length: 3\r\n\r\nbad").await;
        assert_eq!(post(&other, None, &body, SECOND).await, Err(Unanswered::NotGraphql(502)));
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent = silent.local_addr().map(|address| (silent, address.to_string())).unwrap();
        let limit = Duration::from_millis(50);
        assert_eq!(post(&silent.1, None, &body, limit).await, Err(Unanswered::Timeout(limit)));
        drop(silent.0);
        assert!(matches!(
            post(&silent.1, None, &body, SECOND).await,
            Err(Unanswered::Connection(_))
        ));
    }
}
