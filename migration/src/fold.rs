//! The searched form of text, for rows that are older than their `search_text`. It is a step of the
//! history, so it stays as it is; what is written from now on is folded by `entity::text`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Lower case, without diacritics, `đ` as `d`, single spaces.
pub fn fold<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut bare = String::new();
    for part in parts {
        for c in part.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase) {
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
        bare.push(' ');
    }
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::fold;

    #[test]
    fn diacritics_case_and_spaces_do_not_count() {
        assert_eq!(fold(["Nguyễn  Đức", "Ķīpsala"]), "nguyen duc kipsala");
    }
}
