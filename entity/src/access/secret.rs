//! Secrets that are handed out once: refresh tokens, API keys, tokens in mails.
//!
//! `rap_`, 64 hexadecimal digits of chance, and 8 digits of checksum, so that a program that scans for
//! leaked secrets knows one when it sees it, and a mistyped one is refused before the database is asked.
//!
//! Invariant: what is stored is the SHA-256. 256 bits of chance need no salt and no slow hash.

use sha2::{Digest, Sha256};

use crate::text::hex;

/// How many digits come by chance.
const RANDOM: usize = 64;

/// How many digits check the others.
const CHECK: usize = 8;

/// What a secret is for, which its first letters say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Going on with a session.
    Refresh,
    /// Asking as a program.
    ApiKey,
    /// Choosing a new password.
    Reset,
    /// Choosing the first password.
    Invitation,
    /// Reading a calendar.
    Calendar,
}

impl Purpose {
    /// What its secrets begin with.
    #[must_use]
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Refresh => "rrt_",
            Self::ApiKey => "rap_",
            Self::Reset => "rpr_",
            Self::Invitation => "riv_",
            Self::Calendar => "rcl_",
        }
    }
}

/// A secret. It has no `Debug`, so that no log can hold it.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// A fresh one.
    #[must_use]
    pub fn new(purpose: Purpose) -> Self {
        let mut text = purpose.prefix().to_owned();
        text.push_str(&hex(&rand::random::<[u8; RANDOM / 2]>()));
        let check = checksum(&text);
        Self(text + &check)
    }

    /// The secret that `text` is, if it has the form of one.
    #[must_use]
    pub fn parse(purpose: Purpose, text: &str) -> Option<Self> {
        let digits = text.strip_prefix(purpose.prefix())?;
        let is_whole = digits.len() == RANDOM + CHECK && digits.is_ascii();
        let (body, check) = text.split_at_checked(text.len().checked_sub(CHECK)?)?;
        (is_whole && checksum(body) == check).then(|| Self(text.to_owned()))
    }

    /// The text, for whom it is handed to.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What everybody may see of it, to tell it from others: the purpose and eight digits.
    #[must_use]
    pub fn visible(&self) -> &str {
        &self.0[..12]
    }

    /// What is stored of it.
    #[must_use]
    pub fn sha256(&self) -> String {
        sha256(&self.0)
    }
}

fn checksum(text: &str) -> String {
    hex(&Sha256::digest(text)[..CHECK / 2])
}

/// The SHA-256 of a text in hexadecimal.
pub(super) fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_form_before_it_is_looked_up() {
        let secret = Secret::new(Purpose::ApiKey);
        let text = secret.reveal();
        assert!(text.starts_with("rap_") && text.len() == 76, "{text}");
        let parsed = Secret::parse(Purpose::ApiKey, text).unwrap();
        assert_eq!((parsed.sha256(), parsed.visible()), (secret.sha256(), &text[..12]));
        assert!(Secret::parse(Purpose::Refresh, text).is_none(), "another purpose");
        assert!(Secret::parse(Purpose::ApiKey, &text[..75]).is_none(), "cut off");
        let last = if text.ends_with('0') { "1" } else { "0" };
        assert!(Secret::parse(Purpose::ApiKey, &(text[..75].to_owned() + last)).is_none());
        for nonsense in ["", "rap_", "rap_é", &"rap_é".repeat(16)] {
            assert!(Secret::parse(Purpose::ApiKey, nonsense).is_none(), "{nonsense}");
        }
    }
}
