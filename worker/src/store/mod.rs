//! The file store: a folder that all processes share, or a bucket of S3 or of what speaks its protocol.
//!
//! Invariant: nobody else knows which of them it is.

mod client;
mod s3;

use std::path::PathBuf;
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::local::LocalFileSystem;
use url::Url;

/// Why there is no file store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It is no address of a store.
    #[error("write file:///path of a folder that all processes share, or s3://bucket/prefix")]
    Address,
    /// A bucket that is spoken to in the clear.
    #[error(
        "AWS_ENDPOINT is http, which is for this machine alone; use https, or set AWS_ALLOW_HTTP=true"
    )]
    Clear,
    /// The folder cannot be made.
    #[error("{0} cannot be used as a folder")]
    Folder(PathBuf, #[source] std::io::Error),
    /// It cannot be opened.
    #[error(transparent)]
    Store(#[from] object_store::Error),
}

/// Where files are kept.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In a bucket, as `s3://bucket/prefix`.
    Bucket(Url),
}

impl Place {
    /// What an address means.
    ///
    /// # Errors
    /// [`StoreError::Address`].
    pub fn parse(address: &str) -> Result<Self, StoreError> {
        let url = Url::parse(address).map_err(|_| StoreError::Address)?;
        match url.scheme() {
            "file" => url.to_file_path().map(Self::Folder).map_err(|()| StoreError::Address),
            "s3" if url.has_host() => Ok(Self::Bucket(url)),
            _ => Err(StoreError::Address),
        }
    }

    /// The folder, where it is one.
    #[must_use]
    pub fn folder(self) -> Option<PathBuf> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket(_) => None,
        }
    }

    /// Opens it. A bucket is opened with `settings`: the variables `AWS_…` that every program for S3 knows,
    /// such as `AWS_ENDPOINT`, `AWS_REGION` and `AWS_ACCESS_KEY_ID`.
    ///
    /// # Errors
    /// [`StoreError`] for what cannot be; whether a bucket answers is seen when it is used.
    pub fn open(
        self,
        settings: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Arc<dyn ObjectStore>, StoreError> {
        match self {
            Self::Folder(folder) => {
                std::fs::create_dir_all(&folder)
                    .map_err(|error| StoreError::Folder(folder.clone(), error))?;
                Ok(Arc::new(LocalFileSystem::new_with_prefix(folder)?))
            }
            Self::Bucket(url) => s3::open(&url, settings),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(address: &str, settings: &[(&str, &str)]) -> Result<String, StoreError> {
        let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Place::parse(address)?.open(settings).map(|store| store.to_string())
    }

    #[test]
    fn a_place_is_a_folder_or_a_bucket() {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("file://{}/files", folder.path().display());
        assert!(open(&address, &[]).is_ok() && folder.path().join("files").is_dir());
        let region = [("AWS_REGION", "eu-central-1"), ("LANG", "vi_VN")];
        assert!(open("s3://bucket", &region).unwrap().contains("bucket"));
        assert!(open("s3://bucket/some/prefix/", &region).unwrap().contains("some/prefix"));
        for address in ["", "/var/files", "http://bucket", "s3://", "file://elsewhere/x"] {
            assert!(matches!(open(address, &[]), Err(StoreError::Address)), "{address}");
        }
    }

    #[test]
    fn a_bucket_elsewhere_is_not_spoken_to_in_the_clear() {
        let at = |endpoint| open("s3://bucket", &[("AWS_ENDPOINT", endpoint)]);
        assert!(at("https://minio.example").is_ok() && at("http://127.0.0.1:9000").is_ok());
        assert!(at("http://localhost:9000").is_ok() && at("http://[::1]:9000").is_ok());
        for endpoint in ["http://minio.example", "HTTP://10.0.0.1:9000", "http://localhost.example"]
        {
            assert!(matches!(at(endpoint), Err(StoreError::Clear)), "{endpoint}");
        }
        let allowed = [("AWS_ENDPOINT", "http://minio:9000"), ("AWS_ALLOW_HTTP", "true")];
        assert!(open("s3://bucket", &allowed).is_ok());
    }
}
