//! The text read back by another program, with ordinary and with hostile values.

use chrono_tz::TZ_VARIANTS;
use icalendar::{Calendar, CalendarComponent, Component, Event, EventLike};
use proptest::prelude::*;

use super::*;

fn local(text: &str) -> NaiveDateTime {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M").unwrap()
}

fn entry() -> Entry {
    Entry {
        uid: "apt_01k@rapport.example".to_owned(),
        sequence: 2,
        when: When::Timed {
            start: local("2026-12-01 09:00"),
            minutes: 45,
            zone: Tz::Asia__Ho_Chi_Minh,
        },
        rule: None,
        except: Vec::new(),
        original: None,
        series_zone: None,
        subject: "Gặp khách hàng".to_owned(),
        description: Some("Chuẩn bị:\nhợp đồng; hoá đơn, biên lai".to_owned()),
        location: Some("12 Lý Thường Kiệt, Hà Nội".to_owned()),
        status: Status::Confirmed,
        organizer: Some(("Nguyễn Văn An".to_owned(), "an@example.vn".to_owned())),
        attendees: vec![Attendee {
            name: "Trần Thị Bình".to_owned(),
            email: "binh@example.vn".to_owned(),
            status: Answer::NeedsAction,
            optional: false,
        }],
        stamp: "2026-11-27T01:02:03Z".parse().unwrap(),
        alarms_before_s: vec![900, -60],
    }
}

fn weekly(zone: Tz) -> Entry {
    Entry {
        when: When::Timed { start: local("2026-10-05 09:00"), minutes: 30, zone },
        rule: Some("FREQ=WEEKLY;UNTIL=20261231T235959".to_owned()),
        except: vec![local("2026-10-12 09:00")],
        ..entry()
    }
}

fn read(text: &str) -> Vec<Event> {
    let calendar: Calendar = text.parse().unwrap();
    let events = calendar.components.iter().filter_map(CalendarComponent::as_event);
    events.cloned().collect()
}

fn lines(text: &str) -> Vec<String> {
    text.replace("\r\n ", "").lines().map(str::to_owned).collect()
}

#[test]
fn an_invitation_is_written_in_utc_and_whole() {
    let text = calendar(Some("Lịch của An"), Method::Request, &[entry()]);
    let expected = "BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Rapport//EN
CALSCALE:GREGORIAN
METHOD:REQUEST
NAME:Lịch của An
X-WR-CALNAME:Lịch của An
BEGIN:VEVENT
UID:apt_01k@rapport.example
DTSTAMP:20261127T010203Z
SEQUENCE:2
DTSTART:20261201T020000Z
DTEND:20261201T024500Z
SUMMARY:Gặp khách hàng
DESCRIPTION:Chuẩn bị:\\nhợp đồng\\; hoá đơn\\, biên lai
LOCATION:12 Lý Thường Kiệt\\, Hà Nội
STATUS:CONFIRMED
ORGANIZER;CN=\"Nguyễn Văn An\":mailto:an@example.vn
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=\"Trần Thị Bình\":mailto:binh@example.vn
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Gặp khách hàng
TRIGGER:-PT900S
END:VALARM
BEGIN:VALARM
ACTION:DISPLAY
DESCRIPTION:Gặp khách hàng
TRIGGER:PT60S
END:VALARM
END:VEVENT
END:VCALENDAR";
    assert_eq!(lines(&text).join("\n"), expected);
    let events = read(&text);
    assert_eq!(events[0].get_summary(), Some("Gặp khách hàng"));
    assert_eq!(events[0].get_description(), entry().description.as_deref());
    assert_eq!(events[0].get_location(), entry().location.as_deref());
}

#[test]
fn a_series_goes_by_its_zone_which_is_described_once() {
    let paris = weekly(Tz::Europe__Paris);
    let moved = Entry {
        rule: None,
        except: Vec::new(),
        original: Some(local("2026-10-26 09:00")),
        series_zone: Some(Tz::Europe__Paris),
        ..entry()
    };
    let text = calendar(None, Method::Publish, &[paris.clone(), moved, paris]);
    let lines = lines(&text);
    let count = |wanted: &str| lines.iter().filter(|line| *line == wanted).count();
    assert_eq!(count("BEGIN:VTIMEZONE"), 1);
    assert_eq!(count("TZID:Europe/Paris"), 1);
    assert_eq!(count("DTSTART;TZID=Europe/Paris:20261005T090000"), 2);
    assert_eq!(count("DURATION:PT30M"), 2);
    assert_eq!(count("EXDATE;TZID=Europe/Paris:20261012T090000"), 2);
    assert_eq!(count("RRULE:FREQ=WEEKLY;UNTIL=20261231T225959Z"), 2);
    assert_eq!(count("RECURRENCE-ID;TZID=Europe/Paris:20261026T090000"), 1);
    assert!(!text.contains("ATTENDEE"));
    assert_eq!(read(&text).len(), 3);
}

#[test]
fn whole_days_have_no_zone() {
    let days = Entry {
        when: When::Days { first: "2026-12-30".parse().unwrap(), days: 3 },
        except: vec![local("2027-12-30 00:00")],
        rule: Some("FREQ=YEARLY;UNTIL=20301231T235959".to_owned()),
        ..entry()
    };
    let moved = Entry { rule: None, original: Some(local("2028-12-30 00:00")), ..days.clone() };
    let lines = lines(&calendar(None, Method::Request, &[days, moved]));
    for wanted in [
        "DTSTART;VALUE=DATE:20261230",
        "DTEND;VALUE=DATE:20270102",
        "RRULE:FREQ=YEARLY;UNTIL=20301231",
        "EXDATE;VALUE=DATE:20271230",
        "RECURRENCE-ID;VALUE=DATE:20281230",
    ] {
        assert!(lines.iter().any(|line| line == wanted), "{wanted}");
    }
    assert!(!lines.iter().any(|line| line.contains("TZID")));
}

#[test]
fn what_is_cancelled_does_not_ring() {
    let text = calendar(None, Method::Cancel, &[entry()]);
    assert!(text.contains("STATUS:CANCELLED\r\n"));
    assert!(!text.contains("VALARM"));
}

#[test]
fn every_zone_is_described_by_its_own_name() {
    for zone in TZ_VARIANTS {
        let lines = lines(&calendar(None, Method::Publish, &[weekly(zone)]));
        assert!(lines.contains(&format!("TZID:{zone}")), "{zone}");
        assert!(!lines.iter().any(|line| line.starts_with("TZUNTIL")), "{zone}");
    }
}

#[test]
fn names_and_addresses_stay_in_their_property() {
    let evil =
        "A\";CN=x:mailto:evil@example.com\r\nATTENDEE:mailto:evil@example.com\rX:1\u{2028}Y:2^n";
    let hostile = Entry {
        uid: evil.to_owned(),
        subject: evil.to_owned(),
        location: Some(evil.to_owned()),
        organizer: Some((evil.to_owned(), "an@example.vn\r\nX-EVIL:1".to_owned())),
        attendees: Vec::new(),
        rule: Some("FREQ=DAILY\r\nX-EVIL:1".to_owned()),
        ..entry()
    };
    let text = calendar(Some(evil), Method::Request, &[hostile]);
    let lines = lines(&text);
    assert!(lines.contains(
        &"ORGANIZER;CN=\"A';CN=x:mailto:evil@example.com ATTENDEE:mailto:evil@example.com X:1 Y:2^^n\":mailto:an@example.vnX-EVIL:1"
            .to_owned()
    ));
    assert!(!lines.iter().any(|line| line.starts_with("X-EVIL") || line.starts_with("ATTENDEE")));
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\u{2028}']));
}

fn odd_text() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\"",
        ";",
        ":",
        ",",
        "\\",
        "\\n",
        "\n",
        "\r",
        "\r\n",
        "=",
        " ",
        "\t",
        "^n",
        "ế",
        "đ",
        "𠀋",
        "a",
        "BEGIN:VEVENT",
        "END:VCALENDAR",
        "một dòng chữ dài hơn bảy mươi lăm octet để phải gấp lại ",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn another_program_reads_what_was_written(
        subject in odd_text(),
        description in odd_text(),
        name in odd_text(),
        anything in any::<String>(),
    ) {
        let given = Entry {
            subject: subject.clone(),
            description: Some(description.clone()),
            location: Some(anything),
            organizer: Some((name.clone(), "an@example.vn".to_owned())),
            ..entry()
        };
        let text = calendar(Some(&name), Method::Request, &[given]);
        for line in text.split_terminator("\r\n") {
            prop_assert!(line.len() <= 75 && !line.contains(['\r', '\n']), "{line:?}");
        }
        let events = read(&text);
        prop_assert_eq!(events.len(), 1);
        let broken = |text: &str| text.replace("\r\n", "\n").replace('\r', "\n");
        prop_assert_eq!(events[0].get_summary().map(str::to_owned), Some(broken(&subject)));
        prop_assert_eq!(events[0].get_description().map(str::to_owned), Some(broken(&description)));
        let organizer = &events[0].properties()["ORGANIZER"];
        prop_assert_eq!(organizer.value(), "mailto:an@example.vn");
        prop_assert_eq!(lines(&text).iter().filter(|line| line.starts_with("BEGIN:")).count(), 4);
    }
}
