//! Signed links: who has one may do one thing, and can make no other one of it.
//!
//! ```text
//! name of the key, 4 bytes | purpose, 1 byte | what the purpose says | HMAC-SHA-256 of all before it, 32 bytes
//! ```
//!
//! Invariant: nothing of a link is looked at before its signature is, which takes as long whatever the signature is. A
//! link names the key that it was signed with, so that links stay good while a key is replaced, for years if need be.

pub mod statement;
pub mod unsubscribe;

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac::{self, HMAC_SHA256};
use url::Url;

/// What links of customers are signed with under the secret; what else is signed with it gets another key.
const CONTEXT: &[u8] = b"rapport: links of customers, 1";

/// How long the name of a key is.
const NAME: usize = 4;

/// How long a signature is.
const SIGNATURE: usize = 32;

/// Signs texts, and checks them.
#[derive(Clone)]
pub struct Signer {
    context: &'static [u8],
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
    fn derive(context: &[u8], secret: &[u8]) -> Self {
        let derived = hmac::sign(&hmac::Key::new(HMAC_SHA256, secret), context);
        let key = hmac::Key::new(HMAC_SHA256, derived.as_ref());
        let tag = hmac::sign(&key, b"name");
        Self { name: tag.as_ref().first_chunk().copied().unwrap_or_default(), key }
    }
}

impl Signer {
    /// With a key derived from `secret`, which has at least 32 bytes, for one context only.
    #[must_use]
    pub fn new(context: &'static [u8], secret: &[u8]) -> Self {
        Self { context, newest: Key::derive(context, secret), older: Vec::new() }
    }

    /// The same, which also takes what was signed with `secret` before it was replaced.
    #[must_use]
    pub fn after(mut self, secret: &[u8]) -> Self {
        self.older.push(Key::derive(self.context, secret));
        self
    }

    /// A link for a purpose, as it stands in an address.
    #[must_use]
    pub fn sign(&self, purpose: u8, said: &[u8]) -> String {
        let mut bytes = Vec::with_capacity(NAME + 1 + said.len() + SIGNATURE);
        bytes.extend_from_slice(&self.newest.name);
        bytes.push(purpose);
        bytes.extend_from_slice(said);
        let signature = hmac::sign(&self.newest.key, &bytes);
        bytes.extend_from_slice(signature.as_ref());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The purpose of `text` and what it says, if it is a link of ours.
    #[must_use]
    pub fn open(&self, text: &str) -> Option<(u8, Vec<u8>)> {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).ok()?;
        let (signed, signature) = bytes.split_last_chunk::<SIGNATURE>()?;
        let (name, rest) = signed.split_first_chunk::<NAME>()?;
        let mut keys = std::iter::once(&self.newest).chain(&self.older);
        hmac::verify(&keys.find(|key| key.name == *name)?.key, signed, signature).ok()?;
        let (purpose, said) = rest.split_first()?;
        Some((*purpose, said.to_vec()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

/// What a link of a customer is good for. The numbers are in links that are out in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Purpose {
    /// Fetching a statement of account.
    Statement = 1,
    /// Saying that one does not want a message.
    Unsubscribe = 2,
}

/// Signs the links that customers get, and checks them.
#[derive(Clone, Debug)]
pub struct Links(Signer);

impl Links {
    /// With a key derived from `secret`, which has at least 32 bytes.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        Self(Signer::new(CONTEXT, secret))
    }

    /// The same, which also takes links that were signed with `secret` before it was replaced.
    #[must_use]
    pub fn after(self, secret: &[u8]) -> Self {
        Self(self.0.after(secret))
    }

    fn sign(&self, purpose: Purpose, said: &[u8]) -> String {
        self.0.sign(purpose as u8, said)
    }

    fn open(&self, purpose: Purpose, text: &str) -> Option<Vec<u8>> {
        let (number, said) = self.0.open(text)?;
        (number == purpose as u8).then_some(said)
    }
}

/// The address of a page below where people reach Rapport.
fn below(public: &Url, path: &str) -> String {
    let mut link = public.clone();
    link.set_path(&format!("{}/{path}", public.path().trim_end_matches('/')));
    link.into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HERE: &[u8] = b"here";

    fn signer(byte: u8) -> Signer {
        Signer::new(HERE, &[byte; 32])
    }

    #[test]
    fn a_link_is_good_for_its_purpose_its_key_and_its_context_only() {
        let text = signer(7).sign(3, b"said");
        assert_eq!(signer(7).open(&text), Some((3, b"said".to_vec())));
        assert_eq!(signer(8).open(&text), None);
        assert_eq!(Signer::new(b"there", &[7; 32]).open(&text), None);
        let links = Links::new(&[7; 32]);
        let text = links.0.sign(2, b"said");
        assert_eq!(links.open(Purpose::Statement, &text), None);
    }

    #[test]
    fn a_link_stays_good_while_its_key_is_replaced_again_and_again() {
        let text = signer(7).sign(1, b"said");
        let later = signer(9).after(&[8; 32]).after(&[7; 32]);
        assert_eq!(later.open(&text), Some((1, b"said".to_vec())));
        let fresh = later.sign(1, b"said");
        assert_eq!(signer(9).open(&fresh), Some((1, b"said".to_vec())));
        assert_eq!(signer(7).open(&fresh), None);
    }

    #[test]
    fn what_another_key_or_the_secret_itself_has_signed_is_no_link() {
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(signer(7).sign(1, b"said")).unwrap();
        let (signed, _) = bytes.split_last_chunk::<SIGNATURE>().unwrap();
        for key in [[7; 32], [8; 32]] {
            let signature = hmac::sign(&hmac::Key::new(HMAC_SHA256, &key), signed);
            let forged = BASE64_URL_SAFE_NO_PAD.encode([signed, signature.as_ref()].concat());
            assert_eq!(signer(7).open(&forged), None);
        }
    }

    #[test]
    fn what_one_link_says_is_not_said_by_the_signature_of_another() {
        let decode = |said: &[u8]| BASE64_URL_SAFE_NO_PAD.decode(signer(7).sign(1, said)).unwrap();
        let (own, other) = (decode(b"mine"), decode(b"your"));
        let at = own.len() - SIGNATURE;
        let swapped = BASE64_URL_SAFE_NO_PAD.encode([&other[..at], &own[at..]].concat());
        assert_eq!(signer(7).open(&swapped), None);
    }

    proptest! {
        #[test]
        fn a_link_with_any_other_bit_is_none(at in 0..(NAME + 1 + 4 + SIGNATURE), bit in 0..8_u32) {
            let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(signer(7).sign(1, b"said")).unwrap();
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(signer(7).open(&BASE64_URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn whatever_else_is_no_link(text in ".{0,200}") {
            prop_assert_eq!(signer(7).open(&text), None);
        }
    }
}
