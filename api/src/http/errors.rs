//! Errors as clients see them.
//!
//! Invariant: every error has an `extensions.code`. Whatever a resolver did not give a code is a fault: its cause
//! goes to the log, the client gets `INTERNAL` and the request id by which to find it.

use async_graphql::{PathSegment, ServerError, Value};

use super::request::RequestId;

/// Why a request was not answered. Expected failures of mutations are `userErrors` instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request is not one: malformed JSON, a missing variable, an input out of its range.
    BadRequest,
    /// The document is not GraphQL.
    ParseFailed,
    /// The document does not fit the schema.
    ValidationFailed,
    /// A limit of the request's size or cost was passed.
    TooComplex,
    /// A hash that names no document here; send the document along.
    PersistedQueryNotFound,
    /// Documents are not named in this way here; send them as they are.
    PersistedQueryNotSupported,
    /// Only listed documents run, and this is none of them.
    DocumentNotListed,
    /// The body is larger than the limit.
    PayloadTooLarge,
    /// The body is not `application/json` in UTF-8.
    UnsupportedMediaType,
    /// The client accepts no form in which there are answers.
    NotAcceptable,
    /// This method is not for this request.
    MethodNotAllowed,
    /// There is nothing at this address.
    NotFound,
    /// Who is asking is not known.
    Unauthenticated,
    /// Who is asking is known, and may not.
    Forbidden,
    /// Too many requests of one kind.
    RateLimited,
    /// The answer took too long.
    Timeout,
    /// The server has more to do than it can, or is about to stop.
    Overloaded,
    /// A fault of the server.
    Internal,
}

impl Code {
    /// The word in `extensions.code`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "BAD_REQUEST",
            Self::ParseFailed => "GRAPHQL_PARSE_FAILED",
            Self::ValidationFailed => "GRAPHQL_VALIDATION_FAILED",
            Self::TooComplex => "TOO_COMPLEX",
            Self::PersistedQueryNotFound => "PERSISTED_QUERY_NOT_FOUND",
            Self::PersistedQueryNotSupported => "PERSISTED_QUERY_NOT_SUPPORTED",
            Self::DocumentNotListed => "DOCUMENT_NOT_LISTED",
            Self::PayloadTooLarge => "PAYLOAD_TOO_LARGE",
            Self::UnsupportedMediaType => "UNSUPPORTED_MEDIA_TYPE",
            Self::NotAcceptable => "NOT_ACCEPTABLE",
            Self::MethodNotAllowed => "METHOD_NOT_ALLOWED",
            Self::NotFound => "NOT_FOUND",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::RateLimited => "RATE_LIMITED",
            Self::Timeout => "TIMEOUT",
            Self::Overloaded => "OVERLOADED",
            Self::Internal => "INTERNAL",
        }
    }
}

/// An error with its code.
#[must_use]
pub fn error(code: Code, message: impl Into<String>) -> ServerError {
    coded(ServerError::new(message, None), code)
}

/// Whether an error has this code.
#[must_use]
pub fn has_code(error: &ServerError, code: Code) -> bool {
    let given = error.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    given == Some(&Value::from(code.as_str()))
}

/// The same error, with `code` unless it has one.
#[must_use]
pub fn coded(mut error: ServerError, code: Code) -> ServerError {
    let extensions = error.extensions.get_or_insert_default();
    if extensions.get("code").is_none() {
        extensions.set("code", code.as_str());
    }
    error
}

/// What a client may know of a fault.
#[must_use]
pub fn fault(request_id: &RequestId) -> ServerError {
    let mut opaque = error(
        Code::Internal,
        "Something went wrong on our side. Give the request id when you report it.",
    );
    let extensions = opaque.extensions.get_or_insert_default();
    extensions.set("requestId", request_id.as_str());
    opaque
}

/// Turns a resolver's error into what the client may see: codes stay, inputs that could not be read
/// become `BAD_REQUEST`, everything else is logged and hidden.
#[must_use]
pub fn conceal(found: ServerError, request_id: &RequestId) -> ServerError {
    let code = found.extensions.as_ref().and_then(|extensions| extensions.get("code"));
    match code {
        Some(Value::String(code)) if code != Code::Internal.as_str() => found,
        None if is_about_input(&found) => coded(found, Code::BadRequest),
        _ => {
            tracing::error!(
                %request_id,
                path = dotted(&found.path),
                cause = found.message,
                "a resolver failed",
            );
            let ServerError { locations, path, .. } = found;
            ServerError { locations, path, ..fault(request_id) }
        }
    }
}

/// async-graphql reports an argument that its scalar refuses while resolving, without a code, but in
/// words of its own and without a source, which every error converted by `?` has.
fn is_about_input(error: &ServerError) -> bool {
    let words = &error.message;
    error.source.is_none()
        && (words.starts_with("Failed to parse \"")
            || words.starts_with("Expected input type \"")
            || (words.starts_with("Variable ") && words.ends_with(" is not defined.")))
}

/// The path without what lists contain: `customers.nodes.invoices`.
fn dotted(path: &[PathSegment]) -> String {
    let names = path.iter().filter_map(|segment| match segment {
        PathSegment::Field(name) => Some(name.as_str()),
        PathSegment::Index(_) => None,
    });
    names.collect::<Vec<_>>().join(".")
}
