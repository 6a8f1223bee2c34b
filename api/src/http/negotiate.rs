//! Which form of answer a client accepts, by the GraphQL over HTTP specification.
//!
//! Invariant: without a wish, the answer is `application/json`, as older clients expect.

use axum::http::header::{ACCEPT, CONTENT_ENCODING, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use mime::Mime;

use super::errors::Code;
use super::failure::Failure;

/// The form of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Media {
    /// `application/graphql-response+json`: the status says whether the request was one.
    GraphqlResponse,
    /// `application/json`: 200 for every well-formed request.
    Json,
}

impl Media {
    /// The form with the highest quality in `Accept`; the earlier one among equals.
    ///
    /// # Errors
    /// 406 if the client accepts neither.
    pub fn accepted(headers: &HeaderMap) -> Result<Self, Failure> {
        let mut asked = headers.get_all(ACCEPT).iter().peekable();
        if asked.peek().is_none() {
            return Ok(Self::Json);
        }
        let ranges: Vec<Mime> = asked
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| range.trim().parse().ok())
            .collect();
        let mut best: Option<(f32, Self)> = None;
        for range in &ranges {
            let Some(media) = Self::within(range) else {
                continue;
            };
            let quality = quality(range);
            if quality > 0.0 && best.is_none_or(|(so_far, _)| quality > so_far) {
                best = Some((quality, media));
            }
        }
        best.map(|(_, media)| media).ok_or_else(|| {
            Failure::new(
                StatusCode::NOT_ACCEPTABLE,
                Code::NotAcceptable,
                "Accept `application/graphql-response+json` or `application/json`.",
            )
        })
    }

    fn within(range: &Mime) -> Option<Self> {
        let in_utf8 = range.get_param(mime::CHARSET).is_none_or(|charset| charset == mime::UTF_8);
        match range.essence_str() {
            _ if !in_utf8 => None,
            "application/graphql-response+json" => Some(Self::GraphqlResponse),
            "application/json" | "application/*" | "*/*" => Some(Self::Json),
            _ => None,
        }
    }

    /// The header of an answer in this form.
    #[must_use]
    pub fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::GraphqlResponse => "application/graphql-response+json; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
        })
    }

    /// The status of a well-formed request whose document, operation or variables were refused.
    #[must_use]
    pub fn status_of_refusal(self) -> StatusCode {
        match self {
            Self::GraphqlResponse => StatusCode::BAD_REQUEST,
            Self::Json => StatusCode::OK,
        }
    }
}

fn quality(range: &Mime) -> f32 {
    range.get_param("q").map_or(1.0, |q| q.as_str().parse().unwrap_or(0.0))
}

/// Lets only JSON in UTF-8 through. A browser sends that across origins only after it has asked, so a
/// foreign page cannot post forms.
///
/// # Errors
/// 415 for everything else.
pub fn require_json(headers: &HeaderMap) -> Result<(), Failure> {
    let content: Option<Mime> = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse().ok());
    let is_json = content.is_some_and(|content| {
        content.essence_str() == "application/json"
            && content.get_param(mime::CHARSET).is_none_or(|charset| charset == mime::UTF_8)
    });
    let is_plain = headers.get(CONTENT_ENCODING).is_none_or(|encoding| encoding == "identity");
    if is_json && is_plain {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        Code::UnsupportedMediaType,
        "Send the request as `Content-Type: application/json` in UTF-8, not compressed.",
    ))
}
