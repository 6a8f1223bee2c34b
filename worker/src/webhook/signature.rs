//! Signing by Standard Webhooks (<https://www.standardwebhooks.com>): a receiver that checks the signature
//! knows who sent a webhook, and by its time that nobody has replayed it.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ring::hmac;

/// What a secret begins with.
const PREFIX: &str = "whsec_";

/// Whether the header `webhook-signature` has one of the body by the secret. It takes as long whatever is wrong.
#[must_use]
pub fn is_signed(secret: &str, id: &str, timestamp: i64, body: &[u8], header: &str) -> bool {
    let mut content = format!("{id}.{timestamp}.").into_bytes();
    content.extend_from_slice(body);
    let key = key(secret);
    let mut signatures = header.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
    signatures.any(|signature| {
        let tag = BASE64_STANDARD.decode(signature).unwrap_or_default();
        hmac::verify(&key, &content, &tag).is_ok()
    })
}

/// What a secret signs with.
fn key(secret: &str) -> hmac::Key {
    let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
    let key = BASE64_STANDARD.decode(encoded).unwrap_or_else(|_| encoded.as_bytes().to_vec());
    hmac::Key::new(hmac::HMAC_SHA256, &key)
}

/// The header `webhook-signature`: one signature for each secret.
#[must_use]
pub fn sign(secrets: &[&str], id: &str, timestamp: i64, body: &str) -> String {
    let content = format!("{id}.{timestamp}.{body}");
    let signatures = secrets.iter().map(|secret| {
        let tag = hmac::sign(&key(secret), content.as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    });
    signatures.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_that_of_the_specification() {
        // The example of the specification's reference implementations.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signature = sign(
            &[secret],
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            "{\"test\": 2432232314}",
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        let both = sign(&[secret, "whsec_AAAA"], "a", 1, "b");
        assert_eq!(both.split(' ').count(), 2);
        let is_signed = |id, body: &str| is_signed(secret, id, 1, body.as_bytes(), &both);
        assert!(is_signed("a", "b"));
        assert!(!is_signed("b", "b") && !is_signed("a", "c") && !is_signed("a", ""));
    }
}
