//! `GET /files/{link}`: gives the file that `downloadLink` names.
//!
//! Invariant: nothing that is stored here runs in a browser: a file is always an attachment, its type is
//! what its content says, and a sandbox is around it.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use object_store::ObjectStore;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::link::Purpose;
use super::outgoing::Outgoing;
use super::range::{Part, asked};
use super::{Files, fault, not_found, out_of_reach};
use crate::http::failure::Failure;
use crate::http::request::RequestId;

/// What is not written as it is in `filename*` (RFC 8187, 3.2.1).
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

pub(super) async fn download(
    State(files): State<Files>,
    Path(link): Path<String>,
    Extension(request): Extension<RequestId>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let purposes = [Purpose::Version, Purpose::Result, Purpose::Statement];
    let ((purpose, link), viewer) = files.follow(&purposes, &link, &request).await?;
    let (db, now) = (files.shared.db.reader(), files.shared.clock.now());
    let found = Outgoing::at(db, (purpose, link.id), &viewer, now).await;
    let found = found.map_err(|error| fault(&error, &request))?;
    let Some(file) = found else { return Err(not_found()) };
    // The link is good for minutes, the file for as long as its reader may see it.
    let kept = "private, no-cache";
    given(&*files.store, file, kept, (&method, &headers), &request).await
}

/// A file, or the part of it that is asked for, which browsers keep as `kept` says.
pub(super) async fn given(
    store: &dyn ObjectStore,
    file: Outgoing,
    kept: &'static str,
    (method, headers): (&Method, &HeaderMap),
    request: &RequestId,
) -> Result<Response, Failure> {
    let size = file.size;
    let etag = format!("\"{}\"", file.sha256);
    let (status, range) = match asked(headers, size, &etag) {
        Part::Whole => (StatusCode::OK, None),
        Part::Some(range) => (StatusCode::PARTIAL_CONTENT, Some(range)),
        Part::Unchanged => {
            return Ok((StatusCode::NOT_MODIFIED, about(&file, etag, kept)).into_response());
        }
        Part::Unsatisfiable => {
            let within = [(CONTENT_RANGE, format!("bytes */{size}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, within).into_response());
        }
    };
    let length = range.as_ref().map_or(size, |range| range.end - range.start);
    let part = range
        .as_ref()
        .map(|range| (CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1)));
    let about = about(&file, etag, kept);
    let type_and_length =
        [(CONTENT_TYPE, file.media_type.clone()), (CONTENT_LENGTH, length.to_string())];
    let body = if method == Method::HEAD || length == 0 {
        Body::empty()
    } else {
        match file.body(store, range).await {
            Err(error @ object_store::Error::NotFound { .. }) => {
                return Err(fault(&error, request));
            }
            body => body.map_err(|error| out_of_reach(&error, request))?,
        }
    };
    let mut response = (status, about, type_and_length, body).into_response();
    if let Some((name, value)) = part
        && let Ok(value) = value.parse()
    {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// What is said of a file with each answer.
fn about(file: &Outgoing, etag: String, kept: &str) -> [(HeaderName, String); 6] {
    [
        (ETAG, etag),
        (ACCEPT_RANGES, "bytes".to_owned()),
        (CACHE_CONTROL, kept.to_owned()),
        (CONTENT_DISPOSITION, disposition(&file.name)),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ]
}

/// An attachment of that name (RFC 6266), with an ASCII name for clients from before it.
fn disposition(name: &str) -> String {
    let is_plain = |c: char| c == ' ' || (c.is_ascii_graphic() && !"\"\\%;".contains(c));
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!(
        "attachment; filename=\"{plain}\"; filename*=UTF-8''{}",
        utf8_percent_encode(name, ENCODED)
    )
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_keeps_its_diacritics() {
        assert_eq!(
            disposition("Hợp đồng \"A\".pdf"),
            "attachment; filename=\"H_p __ng _A_.pdf\"; \
             filename*=UTF-8''H%E1%BB%A3p%20%C4%91%E1%BB%93ng%20%22A%22.pdf"
        );
    }

    proptest! {
        #[test]
        fn any_name_is_one_header(name in ".{0,120}") {
            let text = disposition(&name);
            prop_assert!(HeaderValue::from_str(&text).is_ok());
            prop_assert_eq!(text.matches('"').count(), 2);
        }
    }
}
