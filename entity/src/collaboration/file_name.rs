//! Names of files, as people see them; never used as a path.
//!
//! Invariant: a cleaned name can be saved on every system, and shows where it ends.

use unicode_normalization::UnicodeNormalization;

/// How long a name is at most, in bytes of UTF-8: what file systems take, less some for a copy's number.
const LONGEST: usize = 240;
/// How long an extension is at most that is kept when the rest is cut.
const LONGEST_EXTENSION: usize = 16;
/// What a name does not begin or end with.
const OUTSIDE: [char; 2] = ['.', ' '];
/// Names that mean devices on Windows.
const RESERVED: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// What is left of `given`: its last part, NFC, without characters that are invisible, that turn the
/// direction of writing (`gpj.exe` would show as `exe.jpg`) or that a file system refuses.
///
/// ```
/// use entity::collaboration::file_name::clean;
/// assert_eq!(clean("../../etc/Hợp đồng\u{202e}.pdf"), "Hợp đồng.pdf");
/// assert_eq!(clean("C:\\Users\\lan\\báo cáo.xlsx"), "báo cáo.xlsx");
/// ```
#[must_use]
pub fn clean(given: &str) -> String {
    let last = given.rsplit(['/', '\\']).next().unwrap_or_default();
    let visible: String = last.chars().filter(|c| !is_hidden(*c)).nfc().map(harmless).collect();
    let name = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    match name.trim_matches(OUTSIDE) {
        "" => "file".to_owned(),
        name if is_reserved(name) => shorten(&format!("_{name}")),
        name => shorten(name),
    }
}

fn is_hidden(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(
            c,
            '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{feff}' | '\u{2028}' | '\u{2029}'
                | '\u{202a}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

fn harmless(c: char) -> char {
    match c {
        '<' | '>' | ':' | '"' | '|' | '?' | '*' => '_',
        c => c,
    }
}

fn is_reserved(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or_default().trim_end().to_ascii_uppercase();
    let is_port = |prefix| {
        let number = stem.strip_prefix(prefix);
        number.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
    };
    RESERVED.contains(&stem.as_str()) || is_port("COM") || is_port("LPT")
}

/// The name cut to what file systems take; its extension stays.
fn shorten(name: &str) -> String {
    if name.len() <= LONGEST {
        return name.to_owned();
    }
    let extension = match name.rfind('.').map(|dot| &name[dot..]) {
        Some(extension) if extension.len() <= LONGEST_EXTENSION => extension,
        _ => "",
    };
    let stem = &name[..name.floor_char_boundary(LONGEST - extension.len())];
    format!("{}{extension}", stem.trim_end_matches(OUTSIDE))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_is_its_last_part_and_nothing_hidden() {
        for (given, expected) in [
            ("Hóa đơn tháng 7.pdf", "Hóa đơn tháng 7.pdf"),
            ("Ho\u{301}a do\u{31b}n.pdf", "Hóa dơn.pdf"),
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("a\0b\r\nSet-Cookie: x.pdf", "ab Set-Cookie_ x.pdf"),
            ("photo\u{202e}gpj.exe", "photogpj.exe"),
            ("  .hidden. ", "hidden"),
            ("con.txt", "_con.txt"),
            ("COM1", "_COM1"),
            ("COM10", "COM10"),
            ("COMă.txt", "COMă.txt"),
            ("...", "file"),
            ("", "file"),
        ] {
            assert_eq!(clean(given), expected, "{given:?}");
        }
    }

    #[test]
    fn a_long_name_keeps_its_extension() {
        let name = clean(&format!("{}.pdf", "ắ".repeat(300)));
        assert!(name.len() <= LONGEST && name.ends_with("ắ.pdf"), "{name}");
        assert_eq!(clean(&"x".repeat(300)).len(), LONGEST);
    }

    proptest! {
        #[test]
        fn a_clean_name_is_safe_and_stays_as_it_is(given in ".{0,400}") {
            let name = clean(&given);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST);
            prop_assert!(!name.contains(['/', '\\', ':', '"']) && !name.chars().any(char::is_control));
            prop_assert_eq!(clean(&name), name);
        }
    }
}
