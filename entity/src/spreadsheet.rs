//! Text in comma-separated values, where spreadsheets take some of it for formulas.
//!
//! Invariant: no text that is written is carried out as a formula, and what is read again is the text that
//! was written.

use std::borrow::Cow;

/// With what a formula begins.
const FORMULA: [char; 7] = ['=', '+', '-', '@', '\t', '\r', '\n'];

/// Whether a text is a formula, but for apostrophes before it.
fn is_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA)
}

/// `text` as it is written: with an apostrophe before what a spreadsheet would take for a formula.
#[must_use]
pub fn harmless(text: &str) -> Cow<'_, str> {
    if is_formula(text) { format!("'{text}").into() } else { text.into() }
}

/// The text that was written as `cell`.
#[must_use]
pub fn meant(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|_| is_formula(cell)).unwrap_or(cell)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn an_apostrophe_that_says_something_stays() {
        assert_eq!(meant("'+84 90 123"), "+84 90 123");
        assert_eq!(meant("'s-Hertogenbosch"), "'s-Hertogenbosch");
        assert_eq!(harmless("'s-Hertogenbosch"), "'s-Hertogenbosch");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again(text in "[=+\\-@\t\r\n'\"a,ế]{0,8}") {
            let written = harmless(&text);
            prop_assert!(!written.starts_with(FORMULA));
            prop_assert_eq!(meant(&written), text.as_str());
        }
    }
}
