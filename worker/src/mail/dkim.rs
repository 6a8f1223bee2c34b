//! DKIM signatures (RFC 6376), with RSA, ed25519 (RFC 8463) or both.
//!
//! The mail library has a signer too, but it stamps the system's time into the signature, takes RSA keys in one
//! of their two PEM forms only, and cannot sign twice. Invariant: the same bytes and date give the same signature.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use chrono::{DateTime, Utc};
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;

/// What is signed. Those that must not be added later are named once more than they occur.
const SIGNED_HEADERS: &str = "from:from:to:to:subject:subject:date:date:message-id:reply-to:reply-to:\
                              mime-version:content-type:content-language:auto-submitted:\
                              list-unsubscribe:list-unsubscribe-post";

/// Who signs, with which keys.
#[derive(Debug)]
pub struct Dkim {
    domain: String,
    keys: Vec<Key>,
}

#[derive(Debug)]
struct Key {
    selector: String,
    pair: KeyPair,
}

#[derive(Debug)]
enum KeyPair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// Why a key cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum DkimError {
    /// The domain or a selector is not one.
    #[error("“{0}” is no DNS name; write it like mail.example.org")]
    Name(String),
    /// The text holds no private key.
    #[error("give the private key as PEM, beginning with -----BEGIN PRIVATE KEY-----")]
    NoKey,
    /// The key is neither RSA of at least 2048 bits nor ed25519.
    #[error("use an RSA key of 2048 to 8192 bits, or an ed25519 key; this one is refused: {0}")]
    Unfit(String),
}

impl Dkim {
    /// A signer for `domain`, with keys as selector and private key in PEM (PKCS #8, or PKCS #1 for RSA).
    ///
    /// # Errors
    /// [`DkimError`] for a name that is none, or a key that cannot sign.
    pub fn new<'a>(
        domain: &str,
        keys: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, DkimError> {
        let keys = keys.into_iter().map(|(selector, pem)| {
            Ok(Key { selector: dns_name(selector)?, pair: KeyPair::parse(pem)? })
        });
        Ok(Self { domain: dns_name(domain)?, keys: keys.collect::<Result<_, _>>()? })
    }

    /// `message`, which is ASCII, with one signature per key in front, dated `date`.
    #[must_use]
    pub fn sign(&self, message: &[u8], date: DateTime<Utc>) -> Vec<u8> {
        let text = String::from_utf8_lossy(message);
        let (headers, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let headers = unfold(headers);
        let body_hash = BASE64.encode(digest(&SHA256, relaxed_body(body).as_bytes()));

        let mut signed = String::new();
        for Key { selector, pair } in &self.keys {
            let unsigned = format!(
                "v=1; a={}; c=relaxed/relaxed; d={}; s={selector};\r\n t={}; h={};\r\n bh={body_hash};\r\n b=",
                pair.algorithm(),
                self.domain,
                date.timestamp(),
                SIGNED_HEADERS
                    .replace(":subject:", ":\r\n subject:")
                    .replace(":mime", ":\r\n mime"),
            );
            let input = signing_input(&headers, SIGNED_HEADERS, &unsigned);
            let signature = fold(&BASE64.encode(pair.sign(input.as_bytes())));
            let _ = write!(signed, "DKIM-Signature: {unsigned}{signature}\r\n");
        }
        let mut bytes = signed.into_bytes();
        bytes.extend_from_slice(message);
        bytes
    }
}

impl KeyPair {
    fn parse(pem: &str) -> Result<Self, DkimError> {
        let unfit = |error: ring::error::KeyRejected| DkimError::Unfit(error.to_string());
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| DkimError::NoKey)?;
        match &key {
            PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der())
                .map(|pair| Self::Rsa(Box::new(pair)))
                .map_err(unfit),
            PrivateKeyDer::Pkcs8(key) => {
                let der = key.secret_pkcs8_der();
                Ed25519KeyPair::from_pkcs8_maybe_unchecked(der)
                    .map(Self::Ed25519)
                    .or_else(|_| RsaKeyPair::from_pkcs8(der).map(|pair| Self::Rsa(Box::new(pair))))
                    .map_err(unfit)
            }
            _ => Err(DkimError::Unfit("elliptic curve".to_owned())),
        }
    }

    fn algorithm(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "rsa-sha256",
            Self::Ed25519(_) => "ed25519-sha256",
        }
    }

    fn sign(&self, input: &[u8]) -> Vec<u8> {
        match self {
            Self::Rsa(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                // The randomness blinds the computation; the signature does not depend on it.
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature)
                    .expect("the buffer has the length of the modulus");
                signature
            }
            Self::Ed25519(pair) => pair.sign(digest(&SHA256, input).as_ref()).as_ref().to_vec(),
        }
    }
}

fn dns_name(name: &str) -> Result<String, DkimError> {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-' || c == b'_')
    };
    if name.len() <= 253 && name.split('.').all(label) {
        Ok(name.to_ascii_lowercase())
    } else {
        Err(DkimError::Name(name.to_owned()))
    }
}

/// The headers with every one on a line of its own, in order.
fn unfold(headers: &str) -> Vec<(String, String)> {
    let mut lines: Vec<(String, String)> = Vec::new();
    for line in headers.split("\r\n") {
        match lines.last_mut() {
            Some((_, value)) if line.starts_with([' ', '\t']) => value.push_str(line),
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    lines.push((name.trim_end().to_ascii_lowercase(), value.to_owned()));
                }
            }
        }
    }
    lines
}

/// What the signature is over (RFC 6376, section 3.7), in relaxed form: the headers that `names` lists, several
/// of one name from the last to the first, then the signature's own without its value.
fn signing_input(headers: &[(String, String)], names: &str, unsigned: &str) -> String {
    let mut input = String::new();
    let mut left: Vec<&(String, String)> = headers.iter().collect();
    for name in names.split(':').map(|name| name.trim().to_ascii_lowercase()) {
        if let Some(position) = left.iter().rposition(|(other, _)| *other == name) {
            let (name, value) = left.remove(position);
            let _ = write!(input, "{name}:{}\r\n", relaxed(value));
        }
    }
    let _ = write!(input, "dkim-signature:{}", relaxed(&unsigned.replace("\r\n", "")));
    input
}

/// A value with white space folded (RFC 6376, section 3.4.2).
fn relaxed(value: &str) -> String {
    let words = value.split([' ', '\t', '\r', '\n']).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// The body with white space folded in each line, none at its end, and no empty lines at the end of all
/// (RFC 6376, section 3.4.4).
fn relaxed_body(body: &str) -> String {
    let mut text = String::with_capacity(body.len());
    for line in body.split_inclusive("\r\n") {
        let line = line.strip_suffix("\r\n").unwrap_or(line);
        let mut space = false;
        for c in line.trim_end_matches([' ', '\t']).chars() {
            if matches!(c, ' ' | '\t') {
                space = true;
                continue;
            }
            if std::mem::take(&mut space) {
                text.push(' ');
            }
            text.push(c);
        }
        text.push_str("\r\n");
    }
    text.truncate(text.trim_end_matches("\r\n").len());
    if !text.is_empty() {
        text.push_str("\r\n");
    }
    text
}

/// The signature in lines that are short enough for a header.
fn fold(signature: &str) -> String {
    let mut text = String::with_capacity(signature.len() + 16);
    for (index, c) in signature.chars().enumerate() {
        if index > 0 && index % 72 == 0 {
            text.push_str("\r\n ");
        }
        text.push(c);
    }
    text
}

#[cfg(test)]
#[path = "dkim_tests.rs"]
mod tests;
