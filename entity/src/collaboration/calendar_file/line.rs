//! Content lines of iCalendar text: escaped, folded and ended.
//!
//! Invariant: a line has at most 75 octets and no character is cut, and nothing that is given as a text, a name or
//! an address ends its property or begins another one.

/// The most octets of a line without its end (RFC 5545, 3.1).
const LONGEST: usize = 75;

/// The text as it grows, line by line.
#[derive(Default)]
pub(super) struct Lines(String);

impl Lines {
    /// Adds a line of which nothing was written by people.
    pub(super) fn add(&mut self, line: &str) {
        let mut length = 0;
        for letter in line.chars() {
            if length + letter.len_utf8() > LONGEST {
                self.0.push_str("\r\n ");
                length = 1;
            }
            self.0.push(letter);
            length += letter.len_utf8();
        }
        self.0.push_str("\r\n");
    }

    /// Adds a property with a text, which may have several lines.
    pub(super) fn text(&mut self, property: &str, text: &str) {
        self.add(&format!("{property}:{}", escaped(text)));
    }

    /// Adds a property with somebody's name and address.
    pub(super) fn person(&mut self, property: &str, name: &str, email: &str) {
        let address =
            email.chars().filter(|letter| !letter.is_control() && !letter.is_whitespace());
        let address: String = address.collect();
        self.add(&format!("{property};CN=\"{}\":mailto:{address}", quoted(name)));
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Whether some reader takes the character for the end of a line.
fn breaks(letter: char) -> bool {
    matches!(
        letter,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.replace("\r\n", "\n").chars() {
        match letter {
            '\\' | ';' | ',' => escaped.extend(['\\', letter]),
            _ if breaks(letter) => escaped.push_str("\\n"),
            '\t' => escaped.push(letter),
            _ if letter.is_control() => {}
            _ => escaped.push(letter),
        }
    }
    escaped
}

/// What may stand between quotation marks, which themselves have no escape that every reader knows. A `^` is
/// doubled (RFC 6868), as it otherwise begins an escape.
fn quoted(name: &str) -> String {
    let mut quoted = String::with_capacity(name.len());
    for letter in name.replace("\r\n", "\n").chars() {
        match letter {
            '"' => quoted.push('\''),
            '^' => quoted.push_str("^^"),
            '\t' => quoted.push(' '),
            _ if breaks(letter) => quoted.push(' '),
            _ if letter.is_control() => {}
            _ => quoted.push(letter),
        }
    }
    quoted
}
