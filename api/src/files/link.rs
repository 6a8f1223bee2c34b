//! Signed links: who may do one thing with one file, and until when.
//!
//! Invariant: a link is good for one purpose, one id and one user; none of it can be changed without the
//! key, and none of it is looked at before the signature is. It names the key that it was signed with, so
//! that links stay good while a key is replaced.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use chrono::{DateTime, Utc};
use entity::id::UserId;
use ring::hmac::{self, HMAC_SHA256};
use uuid::Uuid;

/// What links are signed with under a process's secret; another purpose gets another key.
const CONTEXT: &[u8] = b"rapport: links to files, 1";

/// How long the name of a key is.
const NAME: usize = 4;

/// Key, purpose, id, user, seconds.
const CLAIMS: usize = NAME + 1 + 16 + 16 + 8;

/// What a link is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Sending the file of an upload.
    Upload = 1,
    /// Fetching a version of a document.
    Version = 2,
    /// Fetching what a job has left.
    Result = 3,
    /// Fetching a statement of account.
    Statement = 4,
}

impl Purpose {
    fn parse(number: u8) -> Option<Self> {
        let all = [Self::Upload, Self::Version, Self::Result, Self::Statement];
        all.into_iter().find(|it| *it as u8 == number)
    }
}

/// What a link says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Of the upload, the version, the job or the statement.
    pub id: Uuid,
    /// For whom it was made.
    pub user: UserId,
    /// Until when it is good, to the second.
    pub expires_at: DateTime<Utc>,
}

/// Signs links, and checks them.
#[derive(Clone)]
pub struct Links {
    newest: Key,
    older: Vec<Key>,
}

/// A key, and what links call it.
#[derive(Clone)]
struct Key {
    name: [u8; NAME],
    key: hmac::Key,
}

impl Key {
    fn derive(secret: &[u8]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret), CONTEXT);
        let key = hmac::Key::new(HMAC_SHA256, derived.as_ref());
        let tag = hmac::sign(&key, b"name");
        Self { name: tag.as_ref().first_chunk().copied().unwrap_or_default(), key }
    }
}

impl Links {
    /// With a key derived from `secret`, which has at least 32 bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self { newest: Key::derive(secret), older: Vec::new() }
    }

    /// The same, which also takes links that were signed with `secret` before it was replaced.
    #[must_use]
    pub fn after(mut self, secret: &[u8]) -> Self {
        self.older.push(Key::derive(secret));
        self
    }

    /// The link as it stands in an address.
    #[must_use]
    pub fn sign(&self, purpose: Purpose, link: Link) -> String {
        let mut bytes = Vec::with_capacity(CLAIMS + 32);
        bytes.extend_from_slice(&self.newest.name);
        bytes.push(purpose as u8);
        bytes.extend_from_slice(link.id.as_bytes());
        bytes.extend_from_slice(link.user.0.as_bytes());
        bytes.extend_from_slice(&link.expires_at.timestamp().to_be_bytes());
        let signature = hmac::sign(&self.newest.key, &bytes);
        bytes.extend_from_slice(signature.as_ref());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// What `text` says and is good for, if it is a link of ours, whether or not it has expired.
    #[must_use]
    pub fn open(&self, text: &str) -> Option<(Purpose, Link)> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (claims, signature) = bytes.split_at_checked(CLAIMS)?;
        let (name, rest) = claims.split_first_chunk::<NAME>()?;
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        hmac::verify(&keys.find(|key| key.name == *name)?.key, claims, signature).ok()?;
        let (kind, rest) = rest.split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let (user, rest) = rest.split_first_chunk::<16>()?;
        let seconds = i64::from_be_bytes(rest.try_into().ok()?);
        let link = Link {
            id: Uuid::from_bytes(*id),
            user: UserId(Uuid::from_bytes(*user)),
            expires_at: DateTime::from_timestamp(seconds, 0)?,
        };
        Some((Purpose::parse(*kind)?, link))
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Links")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link() -> Link {
        Link {
            id: Uuid::from_u128(7),
            user: UserId(Uuid::from_u128(8)),
            expires_at: DateTime::from_timestamp(1_793_671_200, 0).unwrap(),
        }
    }

    #[test]
    fn a_link_is_good_for_its_purpose_and_its_key_only() {
        let links = Links::new(&[7; 32]);
        for purpose in [Purpose::Upload, Purpose::Version, Purpose::Result, Purpose::Statement] {
            assert_eq!(links.open(&links.sign(purpose, link())), Some((purpose, link())));
        }
        let text = links.sign(Purpose::Version, link());
        assert_eq!(Links::new(&[8; 32]).open(&text), None);
    }

    #[test]
    fn a_link_stays_good_while_its_key_is_replaced() {
        let text = Links::new(&[7; 32]).sign(Purpose::Upload, link());
        let links = Links::new(&[8; 32]).after(&[7; 32]);
        assert_eq!(links.open(&text), Some((Purpose::Upload, link())));
        let fresh = links.sign(Purpose::Upload, link());
        assert_eq!(Links::new(&[8; 32]).open(&fresh), Some((Purpose::Upload, link())));
        assert_eq!(Links::new(&[7; 32]).open(&fresh), None);
    }

    #[test]
    fn what_another_key_or_the_secret_itself_has_signed_is_no_link() {
        let links = Links::new(&[7; 32]);
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(links.sign(Purpose::Upload, link())).unwrap();
        let (claims, _) = bytes.split_at(CLAIMS);
        for key in [[7; 32], [8; 32]] {
            let signature = hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), claims);
            let forged = BASE64_URL_SAFE_NO_PAD.encode([claims, signature.as_ref()].concat());
            assert_eq!(links.open(&forged), None);
        }
    }

    #[test]
    fn a_link_for_somebody_else_is_none() {
        let links = Links::new(&[7; 32]);
        let theirs = Link { user: UserId(Uuid::from_u128(9)), ..link() };
        let decode =
            |link| BASE64_URL_SAFE_NO_PAD.decode(links.sign(Purpose::Upload, link)).unwrap();
        let (own, other) = (decode(link()), decode(theirs));
        let swapped = [&other[..CLAIMS], &own[CLAIMS..]].concat();
        let swapped = BASE64_URL_SAFE_NO_PAD.encode(swapped);
        assert_eq!(links.open(&swapped), None);
    }

    proptest! {
        #[test]
        fn a_link_with_any_other_bit_is_none(at in 0..(CLAIMS + 32), bit in 0..8_u32) {
            let links = Links::new(&[7; 32]);
            let text = links.sign(Purpose::Version, link());
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
            bytes[at] ^= 1 << bit;
            let forged = BASE64_URL_SAFE_NO_PAD.encode(bytes);
            prop_assert_eq!(links.open(&forged), None);
        }

        #[test]
        fn whatever_else_is_no_link(text in ".{0,200}") {
            prop_assert_eq!(Links::new(&[7; 32]).open(&text), None);
        }
    }
}
