//! Text as people type it, and as it is searched.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// The stored form of what a person typed: NFC, without control characters, white space trimmed
/// and folded to single spaces. Line breaks do not survive: use [`clean_lines`] where they matter.
#[must_use]
pub fn clean(text: &str) -> String {
    let composed: String = text.nfc().map(|c| if c.is_control() { ' ' } else { c }).collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Like [`clean`], line by line; empty lines at either end are dropped.
#[must_use]
pub fn clean_lines(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(clean).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The searched form: lower case, without diacritics, `đ` as `d`.
///
/// ```
/// assert_eq!(entity::text::fold("Nguyễn Đức  Ķīpsala"), "nguyen duc kipsala");
/// ```
#[must_use]
pub fn fold(text: &str) -> String {
    let mut bare = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
        match c {
            'đ' => bare.push('d'),
            'ł' => bare.push('l'),
            'ø' => bare.push('o'),
            'ı' => bare.push('i'),
            'ß' => bare.push_str("ss"),
            'æ' => bare.push_str("ae"),
            'œ' => bare.push_str("oe"),
            c => bare.push(c),
        }
    }
    clean(&bare)
}

/// The text for an alphabet of few letters: without diacritics, `đ` as `d`, and with plain quotation marks and dashes.
///
/// ```
/// assert_eq!(entity::text::plain("Đã nhận “1.234 ₫” – cảm ơn…"), "Da nhan \"1.234 VND\" - cam on...");
/// ```
#[must_use]
pub fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.nfd().filter(|c| !matches!(c, '\u{300}'..='\u{36f}')) {
        match c {
            'đ' => plain.push('d'),
            'Đ' => plain.push('D'),
            'ł' => plain.push('l'),
            'Ł' => plain.push('L'),
            'ı' => plain.push('i'),
            'œ' => plain.push_str("oe"),
            'Œ' => plain.push_str("OE"),
            '‘' | '’' | '‚' | '‹' | '›' | '`' | '´' => plain.push('\''),
            '“' | '”' | '„' | '«' | '»' => plain.push('"'),
            '‐' | '‑' | '–' | '—' | '−' => plain.push('-'),
            '…' => plain.push_str("..."),
            '•' | '·' => plain.push('*'),
            '₫' => plain.push_str("VND"),
            c => plain.push(c),
        }
    }
    // Letters of other scripts, such as Korean ones, are put together again.
    plain.nfc().collect()
}

/// Bytes as lower-case hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
