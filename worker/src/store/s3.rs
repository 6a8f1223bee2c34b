//! A bucket of S3, or of what speaks its protocol, such as `MinIO`.

use std::sync::Arc;
use std::time::Duration;

use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ClientConfigKey, ObjectStore, RetryConfig};
use url::{Host, Url};

use super::StoreError;
use super::client::Connector;

/// How long a request that fails is made again, before who waits for it is told.
const TRIED: Duration = Duration::from_secs(10);

/// How long is waited between two attempts, at most.
const PAUSE: Duration = Duration::from_secs(2);

/// Opens `s3://bucket/prefix` with the variables `AWS_…` among `settings`.
pub fn open(
    url: &Url,
    settings: impl IntoIterator<Item = (String, String)>,
) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let mut builder =
        AmazonS3Builder::new().with_http_connector(Connector).with_retry(RetryConfig {
            backoff: BackoffConfig { max_backoff: PAUSE, ..BackoffConfig::default() },
            retry_timeout: TRIED,
            ..RetryConfig::default()
        });
    for (name, value) in settings {
        if name.starts_with("AWS_")
            && let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>()
        {
            builder = builder.with_config(key, value);
        }
    }
    let builder = builder.with_bucket_name(url.host_str().unwrap_or_default());
    let endpoint = builder.get_config_value(&AmazonS3ConfigKey::S3Endpoint);
    let endpoint = endpoint.or_else(|| builder.get_config_value(&AmazonS3ConfigKey::Endpoint));
    let allowed = AmazonS3ConfigKey::Client(ClientConfigKey::AllowHttp);
    let is_allowed = builder.get_config_value(&allowed).is_some_and(|value| value == "true");
    let builder = match endpoint.and_then(|endpoint| Url::parse(&endpoint).ok()) {
        Some(endpoint) if endpoint.scheme() == "http" => match is_allowed || is_here(&endpoint) {
            true => builder.with_allow_http(true),
            false => return Err(StoreError::Clear),
        },
        _ => builder,
    };
    let bucket = builder.build()?;
    match Path::from_url_path(url.path()).map_err(|_| StoreError::Address)? {
        prefix if prefix.is_root() => Ok(Arc::new(bucket)),
        prefix => Ok(Arc::new(PrefixStore::new(bucket, prefix))),
    }
}

/// Whether the address is on this machine.
fn is_here(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}
