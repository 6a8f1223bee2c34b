//! Signatures, checked against RFC 8463 and against what signed messages hold.

use chrono::TimeZone;
use ring::signature::{ED25519, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};

use super::*;

/// The key of RFC 8463, appendix A.1, as PKCS #8.
const ED25519_KEY: &str = "-----BEGIN PRIVATE KEY-----\n\
    MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n\
    -----END PRIVATE KEY-----\n";
const ED25519_PUBLIC: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

const MESSAGE: &str = "From: Joe SixPack <joe@football.example.com>\r\n\
    To: Suzie Q <suzie@shopping.example.net>\r\n\
    Subject: Is dinner ready?\r\n\
    Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
    Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\
    \r\n\
    Hi.\r\n\
    \r\n\
    We lost the game.  Are you hungry yet?\r\n\
    \r\n\
    Joe.\r\n";

fn at(second: i64) -> DateTime<Utc> {
    Utc.timestamp_opt(second, 0).unwrap()
}

fn split(message: &str) -> (Vec<(String, String)>, &str) {
    let (headers, body) = message.split_once("\r\n\r\n").unwrap();
    (unfold(headers), body)
}

#[test]
fn the_example_of_rfc_8463_verifies() {
    let (headers, body) = split(MESSAGE);
    let body_hash = "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=";
    assert_eq!(BASE64.encode(digest(&SHA256, relaxed_body(body).as_bytes())), body_hash);

    let unsigned = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; \
        i=@football.example.com;\r\n q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : \
        date : message-id : from : subject : date;\r\n bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
    let names = "from : to : subject : date : message-id : from : subject : date";
    let input = signing_input(&headers, names, unsigned);
    let signature = BASE64
        .decode("/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==")
        .unwrap();
    let public = BASE64.decode(ED25519_PUBLIC).unwrap();
    UnparsedPublicKey::new(&ED25519, public)
        .verify(digest(&SHA256, input.as_bytes()).as_ref(), &signature)
        .unwrap();
}

#[test]
fn both_signatures_of_a_message_verify_and_repeat() {
    let dkim = Dkim::new(
        "football.example.com",
        [("rsa", include_str!("testdata/rsa.pem")), ("ed", ED25519_KEY)],
    )
    .unwrap();
    let signed = dkim.sign(MESSAGE.as_bytes(), at(1_528_637_909));
    assert_eq!(signed, dkim.sign(MESSAGE.as_bytes(), at(1_528_637_909)));
    assert_ne!(signed, dkim.sign(MESSAGE.as_bytes(), at(1_528_637_910)));

    let signed = String::from_utf8(signed).unwrap();
    assert!(signed.ends_with(MESSAGE));
    assert!(signed.lines().all(|line| line.len() <= 100));
    let (headers, _) = split(&signed);
    let signatures: Vec<_> = headers.iter().filter(|(name, _)| name == "dkim-signature").collect();
    assert_eq!(signatures.len(), 2);
    for (_, value) in signatures {
        let (unsigned, signature) = value.rsplit_once("b=").unwrap();
        let signature = BASE64.decode(signature.replace(' ', "")).unwrap();
        let input = signing_input(&headers, SIGNED_HEADERS, &format!("{unsigned}b="));
        if value.contains("ed25519") {
            let public = BASE64.decode(ED25519_PUBLIC).unwrap();
            let hash = digest(&SHA256, input.as_bytes());
            UnparsedPublicKey::new(&ED25519, public).verify(hash.as_ref(), &signature).unwrap();
        } else {
            let KeyPair::Rsa(pair) = &dkim.keys[0].pair else { panic!("the first key is RSA") };
            UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public())
                .verify(input.as_bytes(), &signature)
                .unwrap();
        }
    }
}

#[test]
fn white_space_in_a_body_folds() {
    assert_eq!(relaxed_body(" C \r\nD \t E\r\n\r\n\r\n"), " C\r\nD E\r\n");
    assert_eq!(relaxed_body(""), "");
    assert_eq!(relaxed_body("\r\n\r\n"), "");
    assert_eq!(relaxed_body("no end"), "no end\r\n");
}

#[test]
fn what_cannot_sign_is_refused() {
    assert!(matches!(Dkim::new("a b", []), Err(DkimError::Name(_))));
    assert!(matches!(Dkim::new("a.example", [("s\r\n", ED25519_KEY)]), Err(DkimError::Name(_))));
    assert!(matches!(Dkim::new("a.example", [("s", "key")]), Err(DkimError::NoKey)));
}
