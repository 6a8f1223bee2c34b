//! What networks count: the segments that a text message is carried in, and pay for each (3GPP TS 23.038 and 23.040).

/// How many segments a text message has at most.
pub const MOST: usize = 10;

/// The characters of the GSM alphabet that take one septet.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
                     ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

/// Those that take two.
const EXTENDED: &str = "\u{c}^{}\\[~]|€";

/// In how many segments networks carry a text: of 160 septets each, or of 153 where there are several; a text with a
/// character that is not in the GSM alphabet, of 70 or 67 units of UTF-16. A character is never split.
#[must_use]
pub fn segments(text: &str) -> usize {
    let septets: Option<Vec<_>> = text.chars().map(septets).collect();
    match septets {
        Some(septets) => count(septets, 160, 153),
        None => count(text.chars().map(char::len_utf16), 70, 67),
    }
}

/// How many septets a character takes in the GSM alphabet, if it is in there.
fn septets(c: char) -> Option<usize> {
    if BASIC.contains(c) {
        return Some(1);
    }
    EXTENDED.contains(c).then_some(2)
}

/// How many segments characters of these lengths take.
fn count(lengths: impl IntoIterator<Item = usize>, alone: usize, among: usize) -> usize {
    let (mut whole, mut segments, mut room) = (0, 0, 0);
    for length in lengths {
        whole += length;
        if room < length {
            segments += 1;
            room = among;
        }
        room -= length;
    }
    if whole <= alone { usize::from(whole > 0) } else { segments }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_takes_as_many_segments_as_networks_count() {
        for (text, expected) in [
            (String::new(), 0),
            ("a".repeat(160), 1),
            ("a".repeat(161), 2),
            ("a".repeat(306), 2),
            ("a".repeat(307), 3),
            ("€".repeat(80), 1),
            // Seventy-six of them fit, since none is split.
            ("€".repeat(152), 2),
            ("€".repeat(153), 3),
            ("ặ".repeat(70), 1),
            ("ặ".repeat(71), 2),
            ("ặ".repeat(134), 2),
            ("ặ".repeat(135), 3),
            ("😀".repeat(35), 1),
            ("😀".repeat(66), 2),
            ("😀".repeat(67), 3),
            (format!("{}ç", "a".repeat(70)), 2),
            ("é à ñ Ä {}[]~^|\\ £¥§".to_owned(), 1),
        ] {
            assert_eq!(segments(&text), expected, "{text}");
        }
    }

    #[test]
    fn what_vietnamese_and_europeans_write_fits_the_alphabet_when_it_is_plain() {
        let written = "Kính gửi Nguyễn Đức Ánh, hóa đơn “HĐ-7” — 1.234.567 ₫… Ķīpsala Łódź naïve";
        let plain = entity::text::plain(written);
        assert_eq!(
            plain,
            "Kinh gui Nguyen Duc Anh, hoa don \"HD-7\" - 1.234.567 VND... Kipsala Lodz naive"
        );
        assert!(plain.chars().all(|c| septets(c).is_some()));
    }

    proptest! {
        #[test]
        fn what_is_added_never_takes_less(text in ".{0,400}", more in ".{0,40}") {
            prop_assert!(segments(&text) <= segments(&(text + &more)));
        }
    }
}
