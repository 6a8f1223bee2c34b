//! Access tokens: signed, short-lived, and worth nothing once their session has ended.

use chrono::{DateTime, TimeDelta, Utc};
use entity::id::{Id, SessionId, UserId};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Header, TokenData, Validation, decode, encode,
};
use serde::{Deserialize, Serialize};

use super::seal::Seal;

/// How long a token is good for.
pub const LIFETIME: TimeDelta = TimeDelta::minutes(15);

/// How far the clocks of two of our processes may be apart.
const SKEW: TimeDelta = TimeDelta::minutes(1);

const ISSUER: &str = "rapport";
const AUDIENCE: &str = "rapport-api";

/// Issues and checks access tokens with one key.
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
    seal: Seal,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    sid: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

impl Tokens {
    /// With `key`, a secret of at least 32 bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self {
            signing: EncodingKey::from_secret(key),
            checking: DecodingKey::from_secret(key),
            seal: Seal::new(key),
        }
    }

    /// What seals secrets with a key that follows from the same secret.
    #[must_use]
    pub fn seal(&self) -> &Seal {
        &self.seal
    }

    /// A token for a `session` of `user`, good until [`LIFETIME`] after `now`. `None` when signing fails.
    #[must_use]
    pub fn issue(&self, user: UserId, session: SessionId, now: DateTime<Utc>) -> Option<String> {
        let claims = Claims {
            sub: user.global(),
            sid: session.global(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).ok()
    }

    /// Whose token it is, and of which session, if it is one of ours and good at `now`.
    #[must_use]
    pub fn check(&self, token: &str, now: DateTime<Utc>) -> Option<(UserId, SessionId)> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Checked below, by the clock that was handed in.
        rules.validate_exp = false;
        let TokenData { header, claims } = decode::<Claims>(token, &self.checking, &rules).ok()?;
        if header != Header::new(Algorithm::HS256) {
            // Such as one that names its key, which none of ours does.
            return None;
        }
        let good = claims.exp > now.timestamp() && claims.iat <= (now + SKEW).timestamp();
        let owner = || Some((UserId::parse(&claims.sub)?, SessionId::parse(&claims.sid)?));
        good.then(owner)?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_session_its_key_and_its_time_only() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let tokens = Tokens::new(&[7; 32]);
        let (user, session) = (UserId::new(now), SessionId::new(now));
        let token = tokens.issue(user, session, now).unwrap();
        assert_eq!(tokens.check(&token, now), Some((user, session)));
        assert_eq!(tokens.check(&token, now + LIFETIME), None);
        assert_eq!(tokens.check(&token, now - TimeDelta::hours(1)), None, "from the future");
        assert_eq!(Tokens::new(&[8; 32]).check(&token, now), None);
    }

    #[test]
    fn a_token_of_another_algorithm_issuer_or_audience_is_none() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let tokens = Tokens::new(&[7; 32]);
        let claims = || Claims {
            sub: UserId::new(now).global(),
            sid: SessionId::new(now).global(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
        };
        let signed = |algorithm, claims: Claims| {
            encode(&Header::new(algorithm), &claims, &EncodingKey::from_secret(&[7; 32])).unwrap()
        };
        let good = signed(Algorithm::HS256, claims());
        assert!(tokens.check(&good, now).is_some());
        assert!(tokens.check(&signed(Algorithm::HS512, claims()), now).is_none());
        let other = Claims { aud: "others".to_owned(), ..claims() };
        assert!(tokens.check(&signed(Algorithm::HS256, other), now).is_none());
        let other = Claims { iss: "others".to_owned(), ..claims() };
        assert!(tokens.check(&signed(Algorithm::HS256, other), now).is_none());
        // `{"alg":"none"}` with the same claims, without a signature or with the right one.
        let [_, body, signature] = good.split('.').collect::<Vec<_>>()[..] else { panic!() };
        for unsigned in ["", signature] {
            let token = format!("eyJhbGciOiJub25lIn0.{body}.{unsigned}");
            assert!(tokens.check(&token, now).is_none());
        }
    }
}
