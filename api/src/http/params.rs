//! A GraphQL request out of a body or a query string.
//!
//! Invariant: a body is read only as far as its limit, and only into the types of the specification.

use std::collections::BTreeMap;
use std::time::Duration;

use async_graphql::{Request, Value, Variables, value};
use axum::body::Body;
use axum::extract::Query;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use axum::http::{StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::Deserialize;

use super::documents::EXTENSION;
use super::errors::Code;
use super::failure::Failure;

/// A client that needs longer than this for its body is slow on purpose.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// The parameters of a request, as they come in JSON.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Params {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<Variables>,
    extensions: Option<BTreeMap<String, Value>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct UrlParams {
    query: Option<String>,
    document_id: Option<String>,
    operation_name: Option<String>,
    variables: Option<String>,
    extensions: Option<String>,
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 as soon as it is longer, 408 if it takes too long, 400 if it breaks off.
pub async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Failure> {
    let too_large = || {
        Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            Code::PayloadTooLarge,
            format!("The body is larger than {limit} bytes. Split the request."),
        )
        .closing()
    };
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: u64| usize::try_from(length).is_ok_and(|len| len > limit)) {
        return Err(too_large());
    }
    match tokio::time::timeout(READ_WITHIN, Limited::new(body, limit).collect()).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(err)) if err.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Failure::bad_request("The body ended before its length.").closing()),
        Err(_) => Err(Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            Code::Timeout,
            "The body took too long to arrive. Send it again.",
        )
        .closing()),
    }
}

/// The request in a JSON body.
///
/// # Errors
/// 400 if it is not one.
pub fn from_json(body: &[u8]) -> Result<Request, Failure> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'{') => {}
        Some(b'[') => {
            return Err(Failure::bad_request(
                "Batches are not supported. Send every operation as a request of its own.",
            ));
        }
        _ => return Err(Failure::bad_request("The body is not a JSON object.")),
    }
    let params: Params = serde_json::from_slice(body).map_err(|err| {
        let place = format!("line {}, column {}", err.line(), err.column());
        if err.is_data() {
            Failure::bad_request(format!("A parameter has the wrong type ({place})."))
        } else {
            Failure::bad_request(format!("The body is not valid JSON ({place})."))
        }
    })?;
    request(params)
}

/// The request in the query string of a GET.
///
/// # Errors
/// 400 if it is not one.
pub fn from_uri(uri: &Uri) -> Result<Request, Failure> {
    let Query(params) = Query::<UrlParams>::try_from_uri(uri)
        .map_err(|_| Failure::bad_request("The query string cannot be read."))?;
    request(Params {
        query: params.query,
        document_id: params.document_id,
        operation_name: params.operation_name.filter(|name| !name.is_empty()),
        variables: embedded(params.variables, "variables")?,
        extensions: embedded(params.extensions, "extensions")?,
    })
}

fn embedded<T: for<'a> Deserialize<'a>>(
    json: Option<String>,
    name: &str,
) -> Result<Option<T>, Failure> {
    let json = json.filter(|json| !json.is_empty());
    let parsed = json.map(|json| serde_json::from_str::<Option<T>>(&json)).transpose();
    parsed
        .map(Option::flatten)
        .map_err(|_| Failure::bad_request(format!("`{name}` is not a JSON object.")))
}

/// The request that parameters describe. A document may be named instead of given: in the extension of
/// automatically persisted queries, or as `documentId`.
///
/// # Errors
/// 400 if the document is missing.
pub fn request(params: Params) -> Result<Request, Failure> {
    let query = params.query.unwrap_or_default();
    let mut request = Request::new(query).variables(params.variables.unwrap_or_default());
    request.operation_name = params.operation_name;
    request.extensions.0 = params.extensions.unwrap_or_default().into_iter().collect();
    if let Some(id) = params.document_id {
        let id = id.strip_prefix("sha256:").unwrap_or(&id);
        let named = value!({ "version": 1, "sha256Hash": id });
        request.extensions.insert(EXTENSION.to_owned(), named);
    }
    if request.query.is_empty() && !request.extensions.contains_key(EXTENSION) {
        return Err(Failure::bad_request("The parameter `query` is missing."));
    }
    Ok(request)
}
