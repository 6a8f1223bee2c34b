//! Fields that are text with a form.

use std::str::FromStr;

use chrono_tz::Tz;
use email_address::EmailAddress;

use crate::error::Error;
use crate::text;

/// The stored form of an e-mail address.
///
/// # Errors
/// `Invalid` when it has no form that mail can be sent to.
pub fn parse_email(given: &str) -> Result<String, Error> {
    let address = text::clean(given);
    match EmailAddress::from_str(&address) {
        // A display name or a comment would pass the RFC, but nobody means it here.
        Ok(parsed) if parsed.as_str() == address && !address.contains([' ', '<', '"', '(']) => {
            Ok(address)
        }
        _ => Err(Error::invalid(
            "email",
            "this is no e-mail address; write one such as lan@example.vn",
        )),
    }
}

/// Like [`parse_email`], for one that may be missing.
///
/// # Errors
/// `Invalid`, past 320 characters too.
pub fn parse_email_if_any(given: Option<String>) -> Result<Option<String>, Error> {
    parse_text("email", given, 320)?.as_deref().map(parse_email).transpose()
}

/// The stored form of an optional text: cleaned, and `None` when nothing is left.
///
/// # Errors
/// `Invalid` past `most` characters.
pub fn parse_text(
    field: &'static str,
    given: Option<String>,
    most: usize,
) -> Result<Option<String>, Error> {
    let text = given.map(|value| text::clean(&value)).filter(|value| !value.is_empty());
    if text.as_ref().is_some_and(|text| text.chars().count() > most) {
        return Err(Error::invalid(field, format!("this has at most {most} characters")));
    }
    Ok(text)
}

/// The stored form of a text that has to be there.
///
/// # Errors
/// `Invalid` when it is empty, or past `most` characters.
pub fn parse_required(field: &'static str, given: &str, most: usize) -> Result<String, Error> {
    parse_text(field, Some(given.to_owned()), most)?
        .ok_or_else(|| Error::invalid(field, "this cannot be empty"))
}

/// The stored form of an IANA time zone.
///
/// # Errors
/// `Invalid` for a zone that the IANA database does not have.
pub fn parse_zone(given: &str) -> Result<Tz, Error> {
    Tz::from_str(given.trim()).map_err(|_| {
        Error::invalid("timeZone", "this is no IANA time zone; write one such as Asia/Ho_Chi_Minh")
    })
}

/// The stored form of a language tag: a language, and perhaps a region (RFC 5646).
///
/// # Errors
/// `Invalid` for anything else.
pub fn parse_language(given: &str) -> Result<String, Error> {
    let tag = given.trim();
    let mut parts = tag.split('-');
    let language = parts.next().is_some_and(|part| {
        (2..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    let rest = parts.all(|part| {
        (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    });
    if language && rest && tag.len() <= 16 {
        return Ok(tag.to_owned());
    }
    Err(Error::invalid("language", "this is no language tag; write one such as vi or en-GB"))
}
