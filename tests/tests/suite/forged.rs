//! Access tokens that are not as ours are: whoever has signed them, they open nothing.

use std::time::Duration;

use api::access::token::Tokens;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chrono::DateTime;
use entity::access::Role;
use entity::id::{Id, SessionId, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Value, json};
use tests::app::{App, KEY};
use tests::{graphql, on_both_stacks};

/// A key pair of RSA that is nobody's.
const PRIVATE: &str = include_str!("forged/rsa.pem");
const PUBLIC: &str = include_str!("forged/rsa.public.pem");

/// What is between the lines of dashes.
fn der(pem: &str) -> Vec<u8> {
    let lines = pem.lines().skip_while(|line| !line.starts_with("-----BEGIN")).skip(1);
    let body: String = lines.take_while(|line| !line.starts_with("-----END")).collect();
    STANDARD.decode(body).expect("base 64")
}

/// A token with these parts that `key` has signed.
fn signed_by(key: &EncodingKey, algorithm: Algorithm, header: &Value, claims: &Value) -> String {
    let message = format!("{}.{}", part(header), part(claims));
    let signature = crypto::sign(message.as_bytes(), key, algorithm).expect("a signature");
    format!("{message}.{signature}")
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// A token with these parts, which the server's own key has signed, whatever its header says.
fn signed(header: &Value, claims: &Value) -> String {
    signed_by(&EncodingKey::from_secret(KEY), Algorithm::HS256, header, claims)
}

/// What a token says.
fn claims(token: &str) -> Value {
    let body = token.split('.').nth(1).expect("a body");
    let body = URL_SAFE_NO_PAD.decode(body).expect("base 64");
    serde_json::from_slice(&body).expect("JSON")
}

/// The claims with another value of one, or without it.
fn with(claims: &Value, name: &str, value: Option<Value>) -> Value {
    let mut claims = claims.clone();
    let object = claims.as_object_mut().expect("claims");
    match value {
        Some(value) => object.insert(name.to_owned(), value),
        None => object.remove(name),
    };
    claims
}

/// Status, scheme to log in with, and code of the answer to a request with `token`.
async fn answer(app: &App, token: &str) -> (u16, String, String) {
    let me = json!({ "query": "{ me { email } }" });
    let request = graphql::request(&app.address, Some(token), &me).expect("a request");
    let limit = Duration::from_secs(20);
    let answer = graphql::respond(&app.address, request, limit).await.expect("an answer");
    let scheme =
        answer.headers().get("www-authenticate").map(|scheme| scheme.to_str().expect("text"));
    let body: Value = serde_json::from_slice(answer.body()).expect("JSON");
    let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
    (answer.status().as_u16(), scheme.unwrap_or_default().to_owned(), code.to_owned())
}

#[test]
fn a_key_of_rsa_as_our_secret_makes_no_signature_of_rsa_ours() {
    let now = DateTime::from_timestamp(1_790_000_000, 0).expect("a time");
    let tokens = Tokens::new(PUBLIC.as_bytes());
    let (user, session) = (UserId::new(now), SessionId::new(now));
    let ours = tokens.issue(user, session, now).expect("a token");
    assert_eq!(tokens.check(&ours, now), Some((user, session)));
    let private = EncodingKey::from_rsa_der(&der(PRIVATE));
    for (algorithm, name) in [(Algorithm::RS256, "RS256"), (Algorithm::PS256, "PS256")] {
        let header = json!({ "typ": "JWT", "alg": name });
        let token = signed_by(&private, algorithm, &header, &claims(&ours));
        assert!(is_of_rsa(&token, algorithm), "{name}: the signature is a good one");
        assert_eq!(tokens.check(&token, now), None, "{name}");
    }
}

/// Whether the public key says that a token's signature is good.
fn is_of_rsa(token: &str, algorithm: Algorithm) -> bool {
    let (message, signature) = token.rsplit_once('.').expect("a signature");
    // Of a key in this form, what comes before the modulus and the exponent has 24 bytes.
    let key = DecodingKey::from_rsa_der(&der(PUBLIC)[24..]);
    crypto::verify(signature, message.as_bytes(), &key, algorithm).expect("a check")
}

on_both_stacks! {
    async fn a_token_that_is_not_as_ours_are_opens_nothing(app: App) {
        let ours = json!({ "typ": "JWT", "alg": "HS256" });
        let mine = claims(&app.token());
        assert_eq!(answer(app, &signed(&ours, &mine)).await.0, 200, "as ours are");
        let other = claims(&app.token_of(Role::Administrator).await);
        let header = |algorithm: &str| json!({ "typ": "JWT", "alg": algorithm });
        let now = app.clock.now().timestamp();
        let private = EncodingKey::from_rsa_der(&der(PRIVATE));
        let rsa = |algorithm, name| signed_by(&private, algorithm, &header(name), &mine);
        let public = |secret: &[u8], name| {
            signed_by(&EncodingKey::from_secret(secret), Algorithm::HS256, &header(name), &mine)
        };
        let forged = [
            ("no signature", format!("{}.{}.", part(&header("none")), part(&mine))),
            ("no algorithm", signed(&header("none"), &mine)),
            ("no algorithm, in other letters", signed(&header("NonE"), &mine)),
            ("a signature of RSA", rsa(Algorithm::RS256, "RS256")),
            ("a signature of RSA with chance in it", rsa(Algorithm::PS256, "PS256")),
            ("a signature of RSA that is said to be ours", rsa(Algorithm::RS256, "HS256")),
            ("a public key of RSA taken for a secret", public(PUBLIC.as_bytes(), "HS256")),
            ("the same without its last line's end", public(PUBLIC.trim_end().as_bytes(), "HS256")),
            ("the same in binary", public(&der(PUBLIC), "HS256")),
            ("the same, said to be of RSA", public(PUBLIC.as_bytes(), "RS256")),
            ("our key taken for one of RSA", signed(&header("RS256"), &mine)),
            ("our key taken for one of elliptic curves", signed(&header("ES256"), &mine)),
            ("another length", signed(&header("HS512"), &mine)),
            ("an unknown key", signed(&json!({ "typ": "JWT", "alg": "HS256", "kid": "elsewhere" }), &mine)),
            ("a key from elsewhere", signed(&json!({ "typ": "JWT", "alg": "HS256", "jku": "https://evil.example/keys" }), &mine)),
            ("another audience", signed(&ours, &with(&mine, "aud", Some(json!("others"))))),
            ("no audience", signed(&ours, &with(&mine, "aud", None))),
            ("another issuer", signed(&ours, &with(&mine, "iss", Some(json!("others"))))),
            ("expired", signed(&ours, &with(&mine, "exp", Some(json!(now))))),
            ("without an end", signed(&ours, &with(&mine, "exp", None))),
            ("from the future", signed(&ours, &with(&mine, "iat", Some(json!(now + 3_600))))),
            ("somebody else in my session", signed(&ours, &with(&mine, "sub", Some(other["sub"].clone())))),
            ("I in somebody else's session", signed(&ours, &with(&mine, "sid", Some(other["sid"].clone())))),
            ("no session", signed(&ours, &with(&mine, "sid", Some(json!("ses_01k00000000000000000000000"))))),
            ("nothing", "..".to_owned()),
        ];
        for (what, token) in forged {
            let refused = (401, "Bearer".to_owned(), "UNAUTHENTICATED".to_owned());
            assert_eq!(answer(app, &token).await, refused, "{what}");
        }
    }
}
