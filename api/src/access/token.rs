//! Access tokens: signed, and worth nothing without the user still being there.

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::{Viewer, user};
use entity::db::Db;
use entity::id::{Id, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};

/// How long a token is good for: a long working day.
pub const LIFETIME: TimeDelta = TimeDelta::hours(12);

const ISSUER: &str = "rapport";
const AUDIENCE: &str = "rapport-api";

/// Issues and checks access tokens with one key.
pub struct Tokens {
    signing: EncodingKey,
    checking: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
}

impl Tokens {
    /// With `key`, a secret of at least 32 bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        Self { signing: EncodingKey::from_secret(key), checking: DecodingKey::from_secret(key) }
    }

    /// A token for `user`, good until [`LIFETIME`] after `now`. `None` when signing fails.
    #[must_use]
    pub fn issue(&self, user: UserId, now: DateTime<Utc>) -> Option<String> {
        let claims = Claims {
            sub: user.global(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat: now.timestamp(),
            exp: (now + LIFETIME).timestamp(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.signing).ok()
    }

    /// Whose token it is, if it is one of ours and good at `now`.
    #[must_use]
    pub fn check(&self, token: &str, now: DateTime<Utc>) -> Option<UserId> {
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // Checked below, by the clock that was handed in.
        rules.validate_exp = false;
        let claims = decode::<Claims>(token, &self.checking, &rules).ok()?.claims;
        (claims.exp > now.timestamp()).then(|| UserId::parse(&claims.sub))?
    }

    /// Who asks with `token`; `None` when it is not good or its user is gone or disabled.
    ///
    /// # Errors
    /// The database.
    pub async fn viewer(
        &self,
        db: &Db,
        token: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Viewer>, DbErr> {
        match self.check(token, now) {
            Some(id) => user::viewer(db.reader(), id, now).await,
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_user_its_key_and_its_time_only() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let tokens = Tokens::new(&[7; 32]);
        let user = UserId::new(now);
        let token = tokens.issue(user, now).unwrap();
        assert_eq!(tokens.check(&token, now), Some(user));
        assert_eq!(tokens.check(&token, now + LIFETIME), None);
        assert_eq!(Tokens::new(&[8; 32]).check(&token, now), None);
        // `{"alg":"none"}` with the same claims and no signature.
        let claims = token.split('.').nth(1).unwrap();
        let unsigned = format!("eyJhbGciOiJub25lIn0.{claims}.");
        assert_eq!(tokens.check(&unsigned, now), None);
    }
}
