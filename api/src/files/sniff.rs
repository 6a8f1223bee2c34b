//! What a file is, by its first bytes.
//!
//! Invariant: neither its name nor what its sender says matters; what could run in a browser is recognised
//! as that.

/// How many of a file's first bytes are looked at.
pub const HEAD: usize = 8 * 1024;

/// What no rule knows.
const UNKNOWN: &str = "application/octet-stream";

/// The media type of a file that begins with `head`.
#[must_use]
pub fn sniff(head: &[u8]) -> &'static str {
    if let Some(markup) = markup(head) {
        return markup;
    }
    match infer::get(head) {
        Some(kind) => kind.mime_type(),
        None if is_text(head) => "text/plain",
        None => UNKNOWN,
    }
}

/// HTML, SVG or other XML, after white space, comments and declarations, in UTF-8 or UTF-16.
fn markup(head: &[u8]) -> Option<&'static str> {
    // UTF-16 of what matters here is ASCII with zeroes between.
    let text: Vec<u8> = head.iter().filter(|byte| **byte != 0).copied().collect();
    let text = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let begun =
        text.trim_start_matches(|c: char| c.is_whitespace() || "\u{feff}\u{fffd}".contains(c));
    if !begun.starts_with('<') {
        return None;
    }
    let has = |tags: &[&str]| tags.iter().any(|tag| begun.contains(tag));
    if has(&["<svg", ":svg"]) {
        return Some("image/svg+xml");
    }
    if has(&["<!doctype html", "<html", "<script", "<body", "<head", "<iframe", "<img"]) {
        return Some("text/html");
    }
    begun.starts_with("<?xml").then_some("text/xml")
}

/// Whether it is UTF-8 without the control characters that text has not; it may end within a character.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !valid.is_empty() && !valid.chars().any(|c| c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn content_says_what_a_file_is() {
        let utf16: Vec<u8> = "\u{feff}<HTML>".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let cut = &"ế".as_bytes()[..2];
        for (head, expected) in [
            (b"%PDF-1.7\n".as_slice(), "application/pdf"),
            (b"\x89PNG\r\n\x1a\n", "image/png"),
            (b"PK\x03\x04rest of an archive", "application/zip"),
            (b"  <!DOCTYPE html><p>", "text/html"),
            (b"<!-- hidden --><ScRiPt>alert(1)</script>", "text/html"),
            (utf16.as_slice(), "text/html"),
            (b"<?xml version='1.0'?><svg onload='x'>", "image/svg+xml"),
            (b"<?xml version='1.0'?><x:svg xmlns:x='y'>", "image/svg+xml"),
            (b"<?xml version='1.0'?><invoice/>", "text/xml"),
            ("Kính gửi quý khách".as_bytes(), "text/plain"),
            (cut, UNKNOWN),
            (b"", UNKNOWN),
            (b"a\0b", UNKNOWN),
        ] {
            assert_eq!(sniff(head), expected, "{:?}", String::from_utf8_lossy(head));
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_something(head in proptest::collection::vec(any::<u8>(), 0..HEAD)) {
            prop_assert!(sniff(&head).contains('/'));
        }
    }
}
