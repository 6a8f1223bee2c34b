//! Persisted documents: a request may name its document by its hash instead of carrying it.
//!
//! Two ways. *Automatic*, as Apollo's clients do it
//! (<https://www.apollographql.com/docs/apollo-server/performance/apq>): what a known client has sent
//! once together with its SHA-256 is kept for all, unless it has a text in it: texts belong into variables,
//! and what is kept is seen by whoever sees Redis. *Listed*: a manifest from the frontend's build says
//! which documents there are, and nothing else runs.
//!
//! Invariant: a hash never means another document than the one that has it, and what is kept is bounded.

mod manifest;
mod shelf;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_graphql::{Request, ServerError, Value};
use sha2::{Digest, Sha256};

use super::errors::{Code, error};
pub use manifest::{Manifest, ManifestError};
pub use shelf::Shelf;

/// The name of the extension, by Apollo's protocol.
pub const EXTENSION: &str = "persistedQuery";

/// The SHA-256 of a document.
pub type Hash = [u8; 32];

/// How documents are known by their hashes.
pub struct Documents(Mode);

enum Mode {
    Automatic(Shelf),
    Listed(Manifest),
}

/// A document that is to be kept under its hash, once it has turned out to be one.
pub struct Fresh {
    hash: Hash,
    document: Arc<str>,
}

impl Documents {
    /// Any document runs, and `shelf` keeps those that come with their hash.
    #[must_use]
    pub fn automatic(shelf: Shelf) -> Self {
        Self(Mode::Automatic(shelf))
    }

    /// Only the documents of `manifest` run.
    #[must_use]
    pub fn listed(manifest: Manifest) -> Self {
        Self(Mode::Listed(manifest))
    }

    /// Puts the document into a request that only names it, and refuses one that may not run.
    ///
    /// # Errors
    /// `PERSISTED_QUERY_NOT_FOUND`, upon which clients send the document; `PERSISTED_QUERY_NOT_SUPPORTED`;
    /// `BAD_REQUEST` for a hash that is not the document's; `DOCUMENT_NOT_LISTED`.
    pub async fn find(&self, request: &mut Request) -> Result<Option<Fresh>, ServerError> {
        let named = request.extensions.get(EXTENSION).map(name).transpose()?;
        match &self.0 {
            Mode::Listed(manifest) => listed(manifest, named, request).map(|()| None),
            Mode::Automatic(kept) => match named {
                None => Ok(None),
                Some(named) => automatic(kept, &named, request).await,
            },
        }
    }

    /// Keeps a document under its hash.
    pub async fn keep(&self, fresh: Fresh) {
        if let Mode::Automatic(shelf) = &self.0 {
            shelf.put(fresh.hash, fresh.document).await;
        }
    }
}

fn listed(
    manifest: &Manifest,
    named: Option<String>,
    request: &mut Request,
) -> Result<(), ServerError> {
    if !request.query.is_empty() {
        let message = "Only the documents of the server's list run. Send the id of one of them.";
        return match manifest.has(&request.query) {
            true => Ok(()),
            false => Err(error(Code::DocumentNotListed, message)),
        };
    }
    let document = named.and_then(|id| manifest.get(&id)).ok_or_else(not_found)?;
    document.clone_into(&mut request.query);
    Ok(())
}

async fn automatic(
    shelf: &Shelf,
    named: &str,
    request: &mut Request,
) -> Result<Option<Fresh>, ServerError> {
    let hash = parse(named).ok_or_else(|| {
        error(Code::BadRequest, "`sha256Hash` is not a SHA-256 in 64 hexadecimal digits.")
    })?;
    if request.query.is_empty() {
        let document = shelf.get(hash).await.ok_or_else(not_found)?;
        document.as_ref().clone_into(&mut request.query);
        return Ok(None);
    }
    if hash_of(&request.query) != hash {
        let message = "`sha256Hash` is not the SHA-256 of `query`.";
        return Err(error(Code::BadRequest, message));
    }
    let has_text = request.query.contains('"');
    Ok((!has_text).then(|| Fresh { hash, document: request.query.as_str().into() }))
}

/// The words are those of Apollo's protocol; clients look for them.
fn not_found() -> ServerError {
    error(Code::PersistedQueryNotFound, "PersistedQueryNotFound")
}

/// What an extension names the document by.
fn name(extension: &Value) -> Result<String, ServerError> {
    let not_supported = || error(Code::PersistedQueryNotSupported, "PersistedQueryNotSupported");
    let Value::Object(fields) = extension else { return Err(not_supported()) };
    let is_ours = fields.get("version") == Some(&Value::from(1));
    match fields.get("sha256Hash") {
        Some(Value::String(hash)) if is_ours => Ok(hash.clone()),
        _ => Err(not_supported()),
    }
}

fn hash_of(document: &str) -> Hash {
    Sha256::digest(document.as_bytes()).into()
}

fn parse(hash: &str) -> Option<Hash> {
    let mut bytes = [0; 32];
    if hash.len() != 64 || !hash.is_ascii() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hash[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}
