//! The list of documents that a frontend's build has written.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use async_graphql::parser::parse_query;
use serde::Deserialize;

use super::{Hash, hash_of};

/// Documents by their ids, in the form of Apollo's manifest or of Relay's compiler.
#[derive(Debug)]
pub struct Manifest {
    by_id: HashMap<String, String>,
    texts: HashSet<Hash>,
}

/// Why a file is not a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The file.
    #[error("{0} cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// Its form.
    #[error(
        "the manifest is neither Apollo's (`{{\"format\":\"apollo-persisted-query-manifest\",\"operations\":[…]}}`) nor Relay's (`{{\"<id>\":\"<document>\"}}`)"
    )]
    Form(#[source] serde_json::Error),
    /// A document.
    #[error("the document `{0}` of the manifest is not GraphQL")]
    Document(String, #[source] Box<async_graphql::parser::Error>),
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Form {
    Apollo { format: ApolloFormat, operations: Vec<ApolloOperation> },
    Relay(HashMap<String, String>),
}

#[derive(Deserialize)]
enum ApolloFormat {
    #[serde(rename = "apollo-persisted-query-manifest")]
    Manifest,
}

#[derive(Deserialize)]
struct ApolloOperation {
    id: String,
    body: String,
}

impl Manifest {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        let text = std::fs::read_to_string(path);
        Self::parse(&text.map_err(|cause| ManifestError::Unreadable(path.to_owned(), cause))?)
    }

    /// Reads a manifest's text.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn parse(text: &str) -> Result<Self, ManifestError> {
        let by_id: HashMap<_, _> = match serde_json::from_str(text).map_err(ManifestError::Form)? {
            Form::Relay(documents) => documents,
            Form::Apollo { format: ApolloFormat::Manifest, operations } => {
                operations.into_iter().map(|operation| (operation.id, operation.body)).collect()
            }
        };
        for (id, document) in &by_id {
            parse_query(document)
                .map_err(|cause| ManifestError::Document(id.clone(), Box::new(cause)))?;
        }
        let texts = by_id.values().map(|document| hash_of(document)).collect();
        Ok(Self { by_id, texts })
    }

    /// The document with an id.
    pub(super) fn get(&self, id: &str) -> Option<&str> {
        self.by_id.get(id).map(String::as_str)
    }

    /// Whether a document is one of them, to the byte.
    pub(super) fn has(&self, document: &str) -> bool {
        self.texts.contains(&hash_of(document))
    }
}
