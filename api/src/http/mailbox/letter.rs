//! A mail as its page shows it.
//!
//! Invariant: nothing here trusts the mail; every text goes through the template's escaping, and its HTML only into
//! the sandbox.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_parser::{Address, DateTime, Message, MessageParser, MessagePart, MimeHeaders, PartType};
use serde::Serialize;

/// Characters of a mail's text that its page shows.
const TEXT_SHOWN: usize = 200_000;
/// Pictures that are put into the HTML, by their size together.
const PICTURES: usize = 8 << 20;

/// What the pages need of a mail.
#[derive(Debug, Serialize)]
pub struct Letter {
    from: String,
    to: String,
    cc: String,
    subject: String,
    date: String,
    text: String,
    attachments: Vec<Listed>,
    /// There is an HTML part, not merely one made from the text.
    pub has_html: bool,
}

#[derive(Debug, Serialize)]
struct Listed {
    /// Its place among all parts that are not the body.
    number: usize,
    name: String,
    size: String,
}

/// A part to download.
pub struct Attachment {
    /// The file name that the mail gives it.
    pub name: String,
    /// Its content, decoded.
    pub bytes: Vec<u8>,
}

impl Letter {
    /// Reads a mail, also one that was cut off.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mail = MessageParser::default().parse(bytes)?;
        let text = mail.body_text(0).unwrap_or_default();
        let parts = mail.attachments().enumerate();
        let attached = parts.filter(|(_, part)| !is_picture_of_the_body(part)).map(listed);
        Some(Self {
            from: people(mail.from()),
            to: people(mail.to()),
            cc: people(mail.cc()),
            subject: mail
                .subject()
                .filter(|text| !text.is_empty())
                .unwrap_or("(no subject)")
                .into(),
            date: mail.date().map(minute).unwrap_or_default(),
            text: text.chars().take(TEXT_SHOWN).collect(),
            attachments: attached.collect(),
            has_html: html_part(&mail).is_some(),
        })
    }
}

/// The mail's HTML, with the pictures that it carries itself in their places.
pub fn html(bytes: &[u8]) -> Option<String> {
    let mail = MessageParser::default().parse(bytes)?;
    let mut html = html_part(&mail)?.to_owned();
    let mut left = PICTURES;
    for part in mail.attachments() {
        let (Some(id), Some(kind)) = (part.content_id(), part.content_type()) else {
            continue;
        };
        let reference = format!("cid:{id}");
        if kind.c_type != "image" || part.contents().len() > left || !html.contains(&reference) {
            continue;
        }
        left -= part.contents().len();
        let subtype = kind.c_subtype.as_deref().unwrap_or("png");
        let subtype: String = subtype.chars().filter(char::is_ascii_alphanumeric).collect();
        let data = format!("data:image/{subtype};base64,{}", STANDARD.encode(part.contents()));
        html = html.replacen(&reference, &data, 1);
    }
    Some(html)
}

/// The attachment with this number, counted from 0.
pub fn attachment(bytes: &[u8], number: usize) -> Option<Attachment> {
    let mail = MessageParser::default().parse(bytes)?;
    let part = mail.attachments().nth(number)?;
    let bytes = match &part.body {
        PartType::Message(inner) => inner.raw_message().to_vec(),
        _ => part.contents().to_vec(),
    };
    Some(Attachment { name: name(part, number), bytes })
}

fn html_part<'a>(mail: &'a Message<'_>) -> Option<&'a str> {
    mail.html_bodies().find_map(|part| match &part.body {
        PartType::Html(html) => Some(html.as_ref()),
        _ => None,
    })
}

fn listed((number, part): (usize, &MessagePart<'_>)) -> Listed {
    let bytes = part.len();
    let size = match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} kB", bytes.div_ceil(1024)),
        _ => format!("{} MB", bytes.div_ceil(1_048_576)),
    };
    Listed { number, name: name(part, number), size }
}

fn is_picture_of_the_body(part: &MessagePart<'_>) -> bool {
    part.content_id().is_some()
        && part.content_type().is_some_and(|kind| kind.c_type == "image")
        && part.content_disposition().is_none_or(|disposition| !disposition.is_attachment())
}

fn name(part: &MessagePart<'_>, number: usize) -> String {
    let given = part.attachment_name().filter(|name| !name.trim().is_empty());
    // Only the last component, whichever separator the sender's system has.
    let base = given.and_then(|name| name.rsplit(['/', '\\']).next());
    base.map_or_else(
        || format!("attachment-{}", number + 1),
        |name| name.chars().take(120).collect(),
    )
}

fn people(address: Option<&Address<'_>>) -> String {
    let Some(address) = address else {
        return String::new();
    };
    let each = address.iter().map(|person| match (person.name(), person.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => name.or(address).unwrap_or_default().to_owned(),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// To the minute, as the sender wrote it.
fn minute(at: &DateTime) -> String {
    let sign = if at.tz_before_gmt { '-' } else { '+' };
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02} {sign}{:02}:{:02}",
        at.year, at.month, at.day, at.hour, at.minute, at.tz_hour, at.tz_minute,
    )
}
