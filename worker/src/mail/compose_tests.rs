//! What arrives: read back by another library.

use chrono::TimeZone;
use mail_parser::{MessageParser, MimeHeaders};
use proptest::prelude::*;

use super::*;
use crate::document::Attachment;

fn envelope() -> Envelope {
    Envelope {
        from: Mailbox::new(
            Some("Công ty TNHH Giải pháp Bình Minh".to_owned()),
            "ketoan@binhminh.example".parse().unwrap(),
        ),
        reply_to: None,
        to: Mailbox::new(
            Some("Nguyễn Thị Ánh Tuyết".to_owned()),
            "anh.tuyet@khach.example".parse().unwrap(),
        ),
        cc: Vec::new(),
        unsubscribe: None,
        message_id: "473e2abd-e95e-59a8-b535-7088001085a7@binhminh.example".to_owned(),
        date: Utc.with_ymd_and_hms(2026, 11, 22, 3, 4, 5).unwrap(),
    }
}

fn message() -> Rendered {
    Rendered {
        language: "vi".to_owned(),
        subject: "Biên lai 2026-000001, số tiền 13.200.000 ₫".to_owned(),
        html: "<p>Kính gửi Quý khách</p>\n".to_owned(),
        text: "Kính gửi Quý khách\n.\nFrom here\n".to_owned(),
        attachments: vec![Attachment {
            file_name: "Biên lai 2026-000001.pdf".to_owned(),
            media_type: "application/pdf",
            bytes: (0..=255).cycle().take(5_000).collect(),
        }],
    }
}

/// The names of the headers, in order.
fn header_names(bytes: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(bytes).unwrap();
    let (headers, _) = text.split_once("\r\n\r\n").unwrap();
    headers
        .split("\r\n")
        .filter(|line| !line.starts_with([' ', '\t']))
        .map(|line| line.split_once(':').unwrap().0.to_owned())
        .collect()
}

#[test]
fn a_mail_reads_back_as_it_was_meant() {
    let bytes = compose(&envelope(), &message(), None).unwrap();
    assert!(bytes.is_ascii());
    let longest = bytes.split(|c| *c == b'\n').max_by_key(|line| line.len()).unwrap();
    // 998 is the limit of RFC 5322.
    assert!(longest.len() <= 100, "{}", String::from_utf8_lossy(longest));

    let read = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(read.subject().unwrap(), message().subject);
    assert_eq!(
        read.from().unwrap().first().unwrap().name().unwrap(),
        envelope().from.name.unwrap()
    );
    assert_eq!(read.to().unwrap().first().unwrap().address().unwrap(), "anh.tuyet@khach.example");
    assert_eq!(read.message_id().unwrap(), envelope().message_id);
    assert_eq!(read.date().unwrap().to_timestamp(), envelope().date.timestamp());
    assert_eq!(read.body_text(0).unwrap().replace("\r\n", "\n"), message().text);
    assert_eq!(read.body_html(0).unwrap().replace("\r\n", "\n"), message().html);
    let file = read.attachment(0).unwrap();
    assert_eq!(file.attachment_name().unwrap(), "Biên lai 2026-000001.pdf");
    assert_eq!(file.contents(), message().attachments[0].bytes);
    assert_eq!(read.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    assert_eq!(read.header_raw("Content-Language").unwrap().trim(), "vi");
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let compose = || compose(&envelope(), &message(), None).unwrap();
    assert_eq!(compose(), compose());
}

#[test]
fn who_gets_a_copy_is_in_one_header() {
    let cc = ["a@x.example", "b@x.example"].map(|one| Mailbox::new(None, one.parse().unwrap()));
    let bytes = compose(&Envelope { cc: cc.to_vec(), ..envelope() }, &message(), None).unwrap();
    let names = header_names(&bytes);
    assert_eq!(names.iter().filter(|name| *name == "Cc").count(), 1);
    let read = MessageParser::default().parse(&bytes).unwrap();
    let copies: Vec<_> = read.cc().unwrap().iter().filter_map(|one| one.address()).collect();
    assert_eq!(copies, ["a@x.example", "b@x.example"]);
}

#[test]
fn no_data_adds_a_header() {
    let attack = "x\r\nBcc: victim@example.com\r\n\r\nbody";
    let mut envelope = envelope();
    envelope.from.name = Some(attack.to_owned());
    envelope.to.name = Some(attack.to_owned());
    envelope.reply_to = Some(Mailbox::new(Some(attack.to_owned()), "a@b.example".parse().unwrap()));
    let mut message = message();
    message.subject = attack.to_owned();
    message.language = attack.to_owned();
    message.attachments[0].file_name = format!("\"{attack}\".pdf");

    let bytes = compose(&envelope, &message, None).unwrap();
    assert_eq!(
        header_names(&bytes),
        [
            "Date",
            "From",
            "To",
            "Subject",
            "Message-ID",
            "Reply-To",
            "Content-Language",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "MIME-Version",
            "Content-Type",
        ]
    );
    let text = String::from_utf8(bytes).unwrap();
    assert!(!text.contains("\nBcc"));

    envelope.message_id = format!("a@b>{attack}");
    assert!(matches!(compose(&envelope, &message, None), Err(ComposeError::MessageId(_))));
}

#[test]
fn a_subject_is_cut_between_characters() {
    assert_eq!(subject(&"ệ".repeat(200)), "ệ".repeat(200));
    assert_eq!(subject(&"ệ".repeat(201)), format!("{}…", "ệ".repeat(200)));
}

#[test]
fn what_looks_like_an_encoded_word_stays_text() {
    let mut message = message();
    message.subject = "=?utf-8?q?Pay=20here?=".to_owned();
    let bytes = compose(&envelope(), &message, None).unwrap();
    let read = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(read.subject().unwrap().replace('\u{200b}', ""), message.subject);
}

#[test]
fn an_address_or_date_that_no_mail_can_have_is_refused() {
    let mut abroad = envelope();
    abroad.to.email = "tuyết@khach.example".parse().unwrap();
    assert!(matches!(compose(&abroad, &message(), None), Err(ComposeError::NotAscii(_))));
    let mut early = envelope();
    early.date = DateTime::from_timestamp(-1, 0).unwrap();
    assert!(matches!(compose(&early, &message(), None), Err(ComposeError::Date(_))));
}

proptest! {
    #[test]
    fn any_subject_and_name_read_back(subject in "[ -~àáảãạăằắẵặđĐĶīpữậỗ€₫]{1,200}", name in "[ -~ếộỹĐ]{1,120}") {
        let mut envelope = envelope();
        envelope.to.name = Some(name.clone());
        let mut message = message();
        message.subject = subject.clone();
        message.attachments.clear();
        let bytes = compose(&envelope, &message, None).unwrap();
        prop_assert!(bytes.is_ascii());
        prop_assert_eq!(header_names(&bytes).len(), 10);
        let read = MessageParser::default().parse(&bytes).unwrap();
        let plain = |text: &str| text.replace('\u{200b}', "");
        prop_assert_eq!(plain(read.subject().unwrap_or_default()), view::line(&subject));
        let to = read.to().unwrap().first().unwrap();
        prop_assert_eq!(plain(to.name().unwrap_or_default()), view::line(&name));
        prop_assert_eq!(to.address().unwrap(), "anh.tuyet@khach.example");
    }
}
