//! The length and the nesting of a document, by its bytes alone.
//!
//! Invariant: text is text here exactly where the parser takes it for text, so that no bracket is overlooked.

use async_graphql::ServerError;

use super::super::errors::{Code, error};
use super::{Limits, SPLIT, USE_VARIABLES, nul, too_complex};

/// One pass over the bytes that knows strings, block strings and comments; returns the number of tokens.
///
/// A string that does not end is refused here: the parser would read an unfinished `"""` as an empty
/// string and go on with brackets that this pass took for text.
pub fn tokens(document: &str, limits: &Limits) -> Result<usize, ServerError> {
    if document.len() > limits.document_bytes {
        return Err(too_complex("bytes of document", limits.document_bytes, USE_VARIABLES));
    }
    let bytes = document.as_bytes();
    if bytes.contains(&0) {
        return Err(nul());
    }
    let (mut at, mut tokens, mut open, mut directives) = (0, 0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = run(bytes, at, |byte| !matches!(byte, b'\r' | b'\n'));
                continue;
            }
            b'"' => string_end(bytes, at).ok_or_else(|| {
                error(Code::ParseFailed, "A string does not end. Close it with a quotation mark.")
            })?,
            b'.' => run(bytes, at, |byte| byte == b'.'),
            _ if is_word(byte) => run(bytes, at, is_word),
            _ => at + 1,
        };
        match byte {
            b'"' if names_nul(&bytes[at..end]) => return Err(nul()),
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            b'@' => directives += 1,
            _ => {}
        }
        tokens += 1;
        if tokens > limits.tokens {
            return Err(too_complex("tokens", limits.tokens, SPLIT));
        }
        if open > limits.nesting {
            return Err(too_complex("brackets within brackets", limits.nesting, USE_VARIABLES));
        }
        if directives > limits.directives {
            return Err(too_complex("directives", limits.directives, SPLIT));
        }
        at = end;
    }
    Ok(tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[from..].iter().position(|&byte| !belongs(byte)).map_or(bytes.len(), |len| from + len)
}

/// Whether a string has the escape of NUL. A block string has no such escapes.
fn names_nul(string: &[u8]) -> bool {
    let mut rest = if string.starts_with(br#"""""#) { &[][..] } else { string };
    while let Some(escape) = rest.iter().position(|&byte| byte == b'\\') {
        rest = &rest[escape + 1..];
        if rest.starts_with(b"u0000") {
            return true;
        }
        rest = rest.get(1..).unwrap_or_default();
    }
    false
}

/// The place after the string that begins at `at`, read as the parser reads it.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes[at..].starts_with(br#"""""#) {
        at += 3;
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            if rest.starts_with(br#"\""""#) {
                at += 4;
            } else if rest.starts_with(br#"""""#) {
                return Some(at + 3);
            } else {
                at += 1;
            }
        }
    }
    loop {
        at += 1;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\r' | b'\n' => return None,
            // What follows a backslash cannot end the string, and neither can a line's end.
            b'\\' if !matches!(bytes.get(at + 1), Some(b'\r' | b'\n')) => at += 1,
            _ => {}
        }
    }
}
