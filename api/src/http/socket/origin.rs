//! Which pages may open a socket. Browsers let any page open one to anywhere, and CORS does not apply.
//!
//! Invariant: a page of another origin connects only if its origin is configured; `null` is none.

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

/// The origins whose pages may connect, besides the server's own.
#[derive(Clone, Debug, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Exactly these, such as `https://crm.example.com`.
    pub fn new(origins: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(origins.into_iter().map(Into::into).collect())
    }

    /// Whether a request with these headers may connect. One without `Origin` comes from no page.
    pub(super) fn allow(&self, headers: &HeaderMap) -> bool {
        let mut given = headers.get_all(ORIGIN).iter();
        let Some(origin) = given.next() else { return true };
        let Some(origin) = origin.to_str().ok().filter(|_| given.next().is_none()) else {
            return false;
        };
        let host = headers.get(HOST).and_then(|host| host.to_str().ok());
        self.0.iter().any(|known| known.eq_ignore_ascii_case(origin))
            || authority(origin).zip(host).is_some_and(|(page, own)| page.eq_ignore_ascii_case(own))
    }
}

/// Host and port of a page's origin.
fn authority(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    matches!(uri.scheme_str(), Some("http" | "https"))
        .then(|| uri.authority())?
        .map(ToString::to_string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_page_may_not_connect() {
        let origins = Origins::new(["https://crm.example.com"]);
        let allow = |origin: Option<&str>, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(HOST, host.parse().unwrap());
            if let Some(origin) = origin {
                headers.insert(ORIGIN, origin.parse().unwrap());
            }
            origins.allow(&headers)
        };
        let host = "api.example.com";
        assert!(allow(None, host));
        for good in ["https://crm.example.com", "https://api.example.com", "http://API.example.com"]
        {
            assert!(allow(Some(good), host), "{good}");
        }
        for bad in [
            "https://evil.example",
            "https://crm.example.com.evil.example",
            "https://crm.example.com:8443",
            "https://api.example.com:8443",
            "null",
            "file://api.example.com",
            "",
        ] {
            assert!(!allow(Some(bad), host), "{bad}");
        }
        let mut twice = HeaderMap::new();
        twice.append(ORIGIN, "https://crm.example.com".parse().unwrap());
        twice.append(ORIGIN, "https://evil.example".parse().unwrap());
        assert!(!origins.allow(&twice));
    }
}
