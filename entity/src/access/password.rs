//! Passwords: argon2id with 19 MiB, two passes, one lane (OWASP Password Storage Cheat Sheet).
//!
//! Both functions take tens of milliseconds of CPU: call them on a blocking thread.

use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use argon2::{Algorithm, Argon2, Params, Version};

use super::AccessError;

/// The shortest password that is accepted.
pub const MIN_LENGTH: usize = 12;

/// A well-formed hash that belongs to no password: what an unknown user's attempt is checked against.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$\
                      QwVtJ3f8S9pV0n2x1c4b6d7e8f9g0h1i2j3k4l5m6n8";

fn argon2id() -> Argon2<'static> {
    let params = Params::new(19 * 1024, 2, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// The PHC string of `password`, with a fresh salt.
///
/// # Errors
/// [`AccessError::PasswordTooShort`].
pub fn hash(password: &str) -> Result<String, AccessError> {
    if password.chars().count() < MIN_LENGTH {
        return Err(AccessError::PasswordTooShort(MIN_LENGTH));
    }
    let salt: [u8; 16] = rand::random();
    argon2id()
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map(|hash| hash.to_string())
        .map_err(|_| AccessError::WrongCredentials)
}

/// Whether `password` is the one behind `hash`. Without a hash (an unknown user), or with a text that is
/// none (a user without a password), it takes as long, and is false.
#[must_use]
pub fn verify(password: &str, hash: Option<&str>) -> bool {
    let known = hash.and_then(|hash| PasswordHash::new(hash).ok());
    let is_known = known.is_some();
    let Some(hash) = known.or_else(|| PasswordHash::new(NOBODY).ok()) else { return false };
    argon2id().verify_password(password.as_bytes(), &hash).is_ok() && is_known
}

/// Whether `hash` was made with other parameters than those of today.
#[must_use]
pub fn is_outdated(hash: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(hash) else { return false };
    let params = Params::try_from(&parsed);
    let today = argon2id();
    parsed.algorithm != Algorithm::Argon2id.ident()
        || params.is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost())
                != (today.params().m_cost(), today.params().t_cost(), today.params().p_cost())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_password_opens() {
        let stored = hash("correct horse battery").unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify("correct horse battery", Some(&stored)));
        assert!(!verify("correct horse batterz", Some(&stored)));
        assert!(!verify("nobody", None));
        assert_eq!(hash("short"), Err(AccessError::PasswordTooShort(MIN_LENGTH)));
    }

    #[test]
    fn a_hash_is_outdated_when_its_parameters_are() {
        let stored = hash("correct horse battery").unwrap();
        assert!(!is_outdated(&stored));
        assert!(is_outdated(&stored.replace("m=19456", "m=4096")));
        assert!(is_outdated(&stored.replace("t=2", "t=1")));
        assert!(is_outdated(&stored.replace("argon2id", "argon2i")));
        assert!(!is_outdated(""), "what is no hash opens nothing anyway");
    }

    #[test]
    fn an_unknown_user_costs_as_much_as_a_known_one() {
        let (nobody, stored) = (PasswordHash::new(NOBODY), hash("correct horse battery"));
        let (nobody, stored) = (nobody.unwrap(), stored.unwrap());
        let stored = PasswordHash::new(&stored).unwrap();
        let cost = |hash: &PasswordHash| {
            let params = Params::try_from(hash).unwrap();
            let length = hash.hash.as_ref().map(argon2::password_hash::phc::Output::len);
            (
                hash.algorithm,
                hash.version,
                params.m_cost(),
                params.t_cost(),
                params.p_cost(),
                length,
            )
        };
        assert_eq!(cost(&nobody), cost(&stored));
        // What is refused before it is hashed is refused for another reason.
        for hash in [&nobody, &stored] {
            let refused = argon2id().verify_password(b"wrong", hash).unwrap_err();
            assert_eq!(refused, argon2::password_hash::Error::PasswordInvalid);
        }
        assert!(!verify("", Some("")), "nobody has this one");
    }
}
