//! Which part of a file is asked for, and whether it is asked for at all (RFC 9110, 13 and 14).
//!
//! Invariant: a part lies within the file. What is no range, or several, means the whole file.

use std::ops::Range;

use axum::http::HeaderMap;
use axum::http::header::{IF_NONE_MATCH, IF_RANGE, RANGE};

/// What is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// Some of it.
    Some(Range<u64>),
    /// Nothing: the part begins after the end.
    Unsatisfiable,
    /// Nothing: the client has it already.
    Unchanged,
}

/// What `headers` ask of a file of `size` bytes whose strong entity tag is `etag`.
#[must_use]
pub fn asked(headers: &HeaderMap, size: u64, etag: &str) -> Part {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(','));
    if known.any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag) {
        return Part::Unchanged;
    }
    if text(IF_RANGE).is_some_and(|tag| tag.trim() != etag) {
        return Part::Whole;
    }
    text(RANGE).map_or(Part::Whole, |range| part(range, size))
}

fn part(range: &str, size: u64) -> Part {
    let Some(spec) = range.trim().strip_prefix("bytes=") else { return Part::Whole };
    let number = |text: &str| {
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        // A number that is too large for us lies after the end all the same.
        is_number.then(|| text.parse().unwrap_or(u64::MAX))
    };
    let Some((first, last)) = spec.split_once('-') else { return Part::Whole };
    let range = match (number(first.trim()), number(last.trim())) {
        (Some(first), Some(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Some(first), None) if last.trim().is_empty() => first..size,
        (None, Some(count)) if first.trim().is_empty() => size.saturating_sub(count)..size,
        _ => return Part::Whole,
    };
    match range.is_empty() {
        true => Part::Unsatisfiable,
        false => Part::Some(range),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;
    use proptest::prelude::*;

    use super::*;

    const ETAG: &str = "\"abc\"";

    fn of(pairs: &[(HeaderName, &str)]) -> Part {
        let headers = pairs.iter().map(|(name, value)| (name.clone(), value.parse().unwrap()));
        asked(&headers.collect(), 10, ETAG)
    }

    #[test]
    fn a_range_is_a_part_of_the_file() {
        for (range, expected) in [
            ("bytes=0-3", Part::Some(0..4)),
            ("bytes=4-", Part::Some(4..10)),
            ("bytes=-3", Part::Some(7..10)),
            ("bytes=-30", Part::Some(0..10)),
            ("bytes=5-99999999999999999999999", Part::Some(5..10)),
            ("bytes=10-", Part::Unsatisfiable),
            ("bytes=-0", Part::Unsatisfiable),
            ("bytes=99999999999999999999999-", Part::Unsatisfiable),
            ("bytes=3-2", Part::Whole),
            ("bytes=0-1,3-4", Part::Whole),
            ("bytes=-", Part::Whole),
            ("bytes=+1-2", Part::Whole),
            ("lines=1-2", Part::Whole),
        ] {
            assert_eq!(of(&[(RANGE, range)]), expected, "{range}");
        }
    }

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        for known in ["\"abc\"", "W/\"abc\"", "\"x\", \"abc\"", "*"] {
            assert_eq!(of(&[(IF_NONE_MATCH, known), (RANGE, "bytes=0-1")]), Part::Unchanged);
        }
        assert_eq!(of(&[(IF_NONE_MATCH, "\"x\"")]), Part::Whole);
        assert_eq!(of(&[(IF_RANGE, ETAG), (RANGE, "bytes=0-1")]), Part::Some(0..2));
        for other in ["\"x\"", "W/\"abc\"", "Sun, 22 Nov 2026 09:00:00 GMT"] {
            assert_eq!(of(&[(IF_RANGE, other), (RANGE, "bytes=0-1")]), Part::Whole);
        }
    }

    proptest! {
        #[test]
        fn a_part_lies_within_the_file(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", size in 0..u64::MAX) {
            if let Part::Some(range) = part(&range, size) {
                prop_assert!(range.start < range.end && range.end <= size);
            }
        }
    }
}
