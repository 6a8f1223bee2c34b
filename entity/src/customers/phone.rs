//! Telephone numbers as networks take them.
//!
//! Invariant: a number is never guessed at: one without a country's code is read as one of a country that is known.

use phonelib::PhoneNumber;

/// A number in the form of E.164, such as `+84901234567`, however it was typed; one without a country's code as one of the
/// country `home`, an ISO 3166-1 code. `None` when it has no form that networks take.
#[must_use]
pub fn e164(typed: &str, home: Option<&str>) -> Option<String> {
    let international = PhoneNumber::parse(typed);
    let number = match home {
        Some(home) => PhoneNumber::parse_with_country(typed, home).or(international),
        None => international,
    };
    Some(number?.e164().to_owned())
}

/// The country that a number says it is of, as an ISO 3166-1 code.
#[must_use]
pub fn country(typed: &str) -> Option<&'static str> {
    Some(PhoneNumber::parse(typed)?.country().code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_the_same_however_it_was_typed() {
        let typed = [
            "+84 901 234 567",
            "0901.234.567",
            "(+84) 90-1234567",
            "0084901234567",
            "090 123 4567",
        ];
        for typed in typed {
            assert_eq!(e164(typed, Some("VN")).as_deref(), Some("+84901234567"), "{typed}");
        }
        assert_eq!(e164("020 7946 0958", Some("GB")).as_deref(), Some("+442079460958"));
        assert_eq!(e164("+1 202-555-0173", Some("VN")).as_deref(), Some("+12025550173"));
    }

    #[test]
    fn a_number_that_no_network_takes_is_none() {
        for typed in [
            "",
            "ext. 12",
            "1",
            "0901",
            "call me",
            "+84 90",
            "+999 901 234 567",
            "0901 234 567 0901 234 568",
        ] {
            assert_eq!(e164(typed, Some("VN")), None, "{typed}");
        }
        assert_eq!(e164("0901 234 567", None), None, "of which country is not known");
        assert_eq!(e164("0901 234 567", Some("ZZ")), None);
        assert_eq!(country("+84 236 3555 010"), Some("VN"));
        assert_eq!(country("0236 3555 010"), None);
    }
}
