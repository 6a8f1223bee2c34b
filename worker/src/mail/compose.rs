//! The bytes of a mail: headers, text and HTML, attachments, signatures.
//!
//! Invariant: the same input gives the same bytes, so a message can be rebuilt and compared by hash. No data can
//! add a header or end one: lines are cleaned before they reach one. No part can hold its own boundary.

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::Message;
use lettre::message::header::{
    ContentDisposition, ContentTransferEncoding, ContentType, HeaderName, HeaderValue,
};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};
use uuid::Uuid;

use super::dkim::Dkim;
use crate::document::{Rendered, view};

/// Longest subject, in characters; mail programs show fewer.
const LONGEST_SUBJECT: usize = 200;

/// From whom, to whom and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The sender that the customer sees.
    pub from: Mailbox,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Mailbox>,
    /// The customer.
    pub to: Mailbox,
    /// Who gets a copy, as the customer sees.
    pub cc: Vec<Mailbox>,
    /// Where who gets it says that they do not want it, with a POST as well (RFC 8058); none where they cannot.
    pub unsubscribe: Option<String>,
    /// Without angle brackets, `left@right`; the left part is the message's own in the ledger.
    pub message_id: String,
    /// When the message was made; its `Date`, and the date of its signatures.
    pub date: DateTime<Utc>,
}

/// Why a message cannot be put into bytes. None of these is cured by trying again.
#[derive(Debug, thiserror::Error)]
pub enum ComposeError {
    /// An address that needs SMTPUTF8, which many servers do not speak.
    #[error(
        "“{0}” has letters other than ASCII; write its domain as xn--…, or use another address"
    )]
    NotAscii(String),
    /// The Message-ID is not `left@right`.
    #[error("“{0}” is no Message-ID; write `left@right`")]
    MessageId(String),
    /// A date before 1970 or after 9999.
    #[error("{0} cannot be the date of a mail")]
    Date(DateTime<Utc>),
    /// An attachment with a media type that is none.
    #[error("“{0}” is no media type")]
    MediaType(&'static str),
    /// The mail library refuses the message.
    #[error("the message cannot be built")]
    Build(#[from] lettre::error::Error),
}

/// `message` as it is handed to SMTP: multipart/mixed of the text, the HTML and the files, signed if there are
/// keys.
///
/// CPU-bound for some milliseconds with an RSA key: call it where blocking is allowed.
///
/// # Errors
/// [`ComposeError`] for an address, id or date that no mail can have.
pub fn compose(
    envelope: &Envelope,
    message: &Rendered,
    dkim: Option<&Dkim>,
) -> Result<Vec<u8>, ComposeError> {
    let boundary = |part: &str| {
        // `=_` occurs in neither quoted-printable nor base64, and all parts are in one of the two.
        let name = format!("{part}:{}", envelope.message_id);
        let hash = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_bytes()).simple().to_string();
        format!("=_{hash:.24}")
    };
    let bodies = MultiPart::alternative()
        .boundary(boundary("alternative"))
        .singlepart(text_part(ContentType::TEXT_PLAIN, &message.text))
        .singlepart(text_part(ContentType::TEXT_HTML, &message.html));
    let mut parts = MultiPart::mixed().boundary(boundary("mixed")).multipart(bodies);
    for attachment in &message.attachments {
        let media_type = ContentType::parse(attachment.media_type)
            .map_err(|_| ComposeError::MediaType(attachment.media_type))?;
        let file = SinglePart::builder()
            .content_type(media_type)
            .header(ContentDisposition::attachment(&view::line(&attachment.file_name)))
            .body(encoded(attachment.bytes.clone(), ContentTransferEncoding::Base64));
        parts = parts.singlepart(file);
    }

    let mut builder = Message::builder()
        .date(date(envelope.date)?)
        .from(mailbox(&envelope.from)?)
        .to(mailbox(&envelope.to)?)
        .subject(subject(&message.subject))
        .message_id(Some(format!("<{}>", checked_id(&envelope.message_id)?)));
    if let Some(reply_to) = &envelope.reply_to {
        builder = builder.reply_to(mailbox(reply_to)?);
    }
    for copy in &envelope.cc {
        builder = builder.cc(mailbox(copy)?);
    }
    if let Some(link) = &envelope.unsubscribe {
        builder = builder
            .raw_header(header("List-Unsubscribe", &format!("<{link}>")))
            .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"));
    }
    let bytes = builder
        .raw_header(header("Content-Language", &message.language))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "OOF, AutoReply"))
        .multipart(parts)?
        .formatted();
    Ok(match dkim {
        Some(dkim) => dkim.sign(&bytes, envelope.date),
        None => bytes,
    })
}

fn text_part(media_type: ContentType, text: &str) -> SinglePart {
    SinglePart::builder()
        .content_type(media_type)
        .body(encoded(text.to_owned(), ContentTransferEncoding::QuotedPrintable))
}

/// `content` in a transfer encoding that suits anything, which is why there is no error to handle.
fn encoded(
    content: impl Into<lettre::message::MaybeString>,
    encoding: ContentTransferEncoding,
) -> Body {
    Body::new_with_encoding(content, encoding).unwrap_or_else(Body::new)
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), view::line(value))
}

/// The subject on one line, cut where it is too long.
fn subject(text: &str) -> String {
    let text = view::line(text);
    match text.char_indices().nth(LONGEST_SUBJECT) {
        Some((end, _)) => literal(&format!("{}…", text[..end].trim_end())),
        None => literal(&text),
    }
}

/// The text with what looks like an encoded word (RFC 2047) broken up by a space of no width, or readers would
/// decode it.
fn literal(text: &str) -> String {
    text.replace("=?", "=\u{200b}?")
}

fn mailbox(mailbox: &Mailbox) -> Result<Mailbox, ComposeError> {
    if !mailbox.email.to_string().is_ascii() {
        return Err(ComposeError::NotAscii(mailbox.email.to_string()));
    }
    let name = mailbox.name.as_deref().map(|name| literal(&view::line(name)));
    Ok(Mailbox::new(name.filter(|name| !name.is_empty()), mailbox.email.clone()))
}

fn checked_id(id: &str) -> Result<&str, ComposeError> {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|c| c.is_ascii_alphanumeric() || b".-_+=".contains(&c))
    };
    match id.split_once('@') {
        Some((left, right)) if plain(left) && plain(right) && id.len() <= 200 => Ok(id),
        _ => Err(ComposeError::MessageId(id.to_owned())),
    }
}

fn date(date: DateTime<Utc>) -> Result<SystemTime, ComposeError> {
    let seconds = date.timestamp();
    // The library asserts these limits.
    if (0..253_402_300_800).contains(&seconds) {
        Ok(date.into())
    } else {
        Err(ComposeError::Date(date))
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
