//! Sealing what must be read again and is worth stealing: AES-256-GCM under a key of its own that follows
//! from the process's secret (HKDF-SHA-256).
//!
//! Invariant: what is sealed for one user opens for no other.

use entity::id::UserId;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, Salt};

/// Seals and opens.
pub struct Seal(Option<LessSafeKey>);

impl Seal {
    /// With a key that follows from `secret`.
    #[must_use]
    pub fn new(secret: &[u8]) -> Self {
        let derived = Salt::new(HKDF_SHA256, b"rapport").extract(secret);
        let key = derived.expand(&[b"second factor"], &AES_256_GCM);
        Self(key.ok().map(|key| LessSafeKey::new(UnboundKey::from(key))))
    }

    /// `plain`, sealed for `user`: the nonce, and what is behind it.
    #[must_use]
    pub fn seal(&self, user: UserId, plain: &[u8]) -> Option<Vec<u8>> {
        let nonce: [u8; NONCE_LEN] = rand::random();
        let mut sealed = plain.to_vec();
        let key = self.0.as_ref()?;
        let aad = Aad::from(user.0.into_bytes());
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut sealed).ok()?;
        Some([&nonce[..], &sealed].concat())
    }

    /// What was sealed for `user`; `None` when it was for somebody else, or with another key.
    #[must_use]
    pub fn open(&self, user: UserId, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, behind) = sealed.split_at_checked(NONCE_LEN)?;
        let mut behind = behind.to_vec();
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let aad = Aad::from(user.0.into_bytes());
        Some(self.0.as_ref()?.open_in_place(nonce, aad, &mut behind).ok()?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use entity::id::Id;

    use super::*;

    #[test]
    fn what_is_sealed_opens_for_its_user_with_its_key() {
        let (lan, minh) = (UserId::new(DateTime::UNIX_EPOCH), UserId::new(DateTime::UNIX_EPOCH));
        let seal = Seal::new(b"a secret of the process");
        let sealed = seal.seal(lan, b"plain").unwrap();
        assert_ne!(sealed, seal.seal(lan, b"plain").unwrap(), "never the same twice");
        assert_eq!(seal.open(lan, &sealed).as_deref(), Some(&b"plain"[..]));
        assert_eq!(Seal::new(b"another").open(lan, &sealed), None);
        assert_eq!(seal.open(minh, &sealed), None);
        assert_eq!(seal.open(lan, &sealed[..20]), None);
        assert_eq!(seal.open(lan, b""), None);
        let flipped = [&sealed[..20], &[sealed[20] ^ 1], &sealed[21..]].concat();
        assert_eq!(seal.open(lan, &flipped), None);
    }
}
