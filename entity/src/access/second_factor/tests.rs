//! What devices show.

use super::*;

/// RFC 6238, appendix B: the secret, and codes at times. They have eight digits there; the last six count.
const SECRET: &[u8; SECRET_LENGTH] = b"12345678901234567890";

fn at(seconds: i64) -> DateTimeUtc {
    DateTimeUtc::from_timestamp(seconds, 0).unwrap()
}

#[test]
fn codes_are_those_of_the_standard() {
    let codes = [(59, "287082"), (1_111_111_109, "081804"), (2_000_000_000, "279037")];
    for (seconds, code) in codes {
        assert_eq!(step(SECRET, code, at(seconds)), Some(seconds / 30), "{code}");
        assert_eq!(step(SECRET, code, at(seconds + 30)), Some(seconds / 30), "a step late");
        assert_eq!(step(SECRET, code, at(seconds + 90)), None, "too late");
    }
    for nonsense in ["", "28708", "2870820", "28708x", "２８７０８２"] {
        assert_eq!(step(SECRET, nonsense, at(59)), None, "{nonsense}");
    }
}

#[test]
fn a_device_is_told_by_whom_and_for_whom_it_shows_codes() {
    let told = enrolment(SECRET, "Sông Hàn: CRM", "lan@example.vn").unwrap();
    assert_eq!(told.secret, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert!(told.url.starts_with("otpauth://totp/S%C3%B4ng"), "{}", told.url);
    assert!(told.url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{}", told.url);
}
