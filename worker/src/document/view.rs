//! What templates see: the facts of a document, already written in one language.
//!
//! Invariant: every string is NFC, on one line, and free of control characters and of the characters that
//! reverse the direction of text, so that no name can break a line, a header or the reading order.

mod invoice;
mod owed;
mod page;
mod paper;
mod statement;

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDateTime};
use chrono_tz::Tz;
use entity::collaboration::notification::Notice;
use entity::money::Money;
use serde::Serialize;

use super::facts::{
    Kind, LetterFacts, Line, MeetingFacts, News, NoticeFacts, Party, ReceiptFacts, ResetFacts, Said,
};
use super::locale::Locale;
pub(super) use invoice::InvoiceView;
pub(super) use owed::OwedView;
pub(super) use page::{Choice, PageView};
pub(super) use paper::PaperView;
pub(super) use statement::{StatementView, Way};

/// The mail lists at most this many invoices, since mail programs cut off long messages. The PDF lists all.
const LINES_IN_MAIL: usize = 50;

/// Everything a template can name, apart from `label` and `say`, which come from the language's folder.
#[derive(Debug, Serialize)]
pub(super) struct View {
    /// Tag of the language that the text is in.
    language: String,
    copy: bool,
    number: String,
    issued_on: String,
    /// The day of issue in figures, for the properties of the PDF.
    date: Figures,
    amount_in_words: String,
    organisation: PartyView,
    customer: PartyView,
    payment: PaymentView,
    lines: Vec<LineView>,
    /// How many of `lines`, counted from the end, do not go into the mail.
    more: usize,
    /// The rest that stays as credit, or none if it is zero.
    unapplied: Option<String>,
    cancels: Option<CancelledView>,
    reason: Option<String>,
}

/// What the templates of a mail for choosing a new password can name.
#[derive(Debug, Serialize)]
pub(super) struct ResetView {
    language: String,
    name: String,
    minutes: i64,
    days: i64,
    organisation: PartyView,
    link: String,
}

impl ResetView {
    /// `facts` in the language `language`, with the link.
    pub fn new(facts: &ResetFacts, language: &str, link: &str) -> Self {
        Self {
            language: language.to_owned(),
            name: line(&facts.name),
            minutes: facts.minutes,
            days: facts.days,
            organisation: party(&facts.organisation),
            link: line(link),
        }
    }
}

/// What the sentence of a notification can name.
#[derive(Debug, Serialize)]
pub(super) struct NoticeView {
    /// Who did it; none for Rapport itself.
    actor: Option<String>,
    detail: Option<String>,
    /// What the job is called.
    job: String,
    /// The kind of record.
    record: String,
    times: i32,
}

impl NoticeView {
    /// `notice` in the language whose `locale` it is.
    pub fn new(notice: &Notice, locale: &Locale) -> Self {
        Self {
            actor: present(notice.actor.as_ref()),
            job: locale.job(notice.detail.as_deref().unwrap_or_default()).to_owned(),
            record: locale.record(notice.record.as_deref().unwrap_or_default()).to_owned(),
            detail: notice.detail.clone(),
            times: notice.times,
        }
    }
}

/// What the templates of the mail of notifications can name.
#[derive(Debug, Serialize)]
pub(super) struct NoticeMailView {
    language: String,
    name: String,
    /// How many there are.
    count: usize,
    /// How many of them are left out.
    more: usize,
    /// The sentence of the only one; empty where there are several.
    text: String,
    /// The sentences of several; none where there is only one.
    lines: Vec<String>,
    organisation: PartyView,
    link: String,
}

impl NoticeMailView {
    /// `facts` in the language `language` with the first of its sentences, each with how often it is told, and the link to
    /// where they are read.
    pub fn new(
        facts: &NoticeFacts,
        language: &str,
        mut told: Vec<(String, usize)>,
        link: &str,
    ) -> Self {
        let (count, shown) =
            (facts.notices.len(), told.iter().map(|(_, times)| times).sum::<usize>());
        let only = if count == 1 { told.pop() } else { None };
        let text = only.map(|(sentence, _)| sentence).unwrap_or_default();
        let line_of = |(sentence, times): (String, usize)| match times {
            1 => sentence,
            _ => format!("{sentence} (×{times})"),
        };
        Self {
            language: language.to_owned(),
            name: line(&facts.name),
            count,
            more: count - shown,
            text,
            lines: told.into_iter().map(line_of).collect(),
            organisation: party(&facts.organisation),
            link: line(link),
        }
    }
}

/// What the wordings of a letter can name.
#[derive(Debug, Serialize)]
pub(super) struct WordingView {
    addressee: String,
    customer: BTreeMap<&'static str, String>,
    organisation: BTreeMap<&'static str, String>,
    record: BTreeMap<String, SaidView>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum SaidView {
    Text(String),
    Truth(bool),
}

impl WordingView {
    /// `facts` in the language whose `locale` it is. What is not known has no name.
    pub fn new(facts: &LetterFacts, locale: &Locale) -> Self {
        let named = |name, text: Option<&String>| Some((name, present(text)?));
        let LetterFacts { customer, organisation, .. } = facts;
        let zone = facts.time_zone.parse::<Tz>().unwrap_or(Tz::UTC);
        let said = facts.record.iter().map(|(name, said)| {
            let view = match said {
                Said::Text(text) => SaidView::Text(line(text)),
                Said::Number(number) => SaidView::Text(locale.number(*number)),
                Said::Truth(truth) => SaidView::Truth(*truth),
                Said::Day(day) => SaidView::Text(locale.date(*day)),
                Said::Instant(instant) => {
                    let local = instant.with_timezone(&zone);
                    let day = locale.date(local.date_naive());
                    SaidView::Text(format!("{day} {}", local.format("%H:%M")))
                }
                Said::Money(money) => SaidView::Text(locale.money(*money)),
            };
            (name.clone(), view)
        });
        Self {
            addressee: line(&facts.addressee),
            customer: [
                named("name", Some(&customer.name)),
                named("number", facts.number.as_ref()),
                named("email", customer.email.as_ref()),
                named("phone", customer.phone.as_ref()),
            ]
            .into_iter()
            .flatten()
            .collect(),
            organisation: [
                named("name", Some(&organisation.name)),
                named("address", Some(&organisation.address_lines.join(", "))),
                named("email", organisation.email.as_ref()),
                named("phone", organisation.phone.as_ref()),
            ]
            .into_iter()
            .flatten()
            .collect(),
            record: said.collect(),
        }
    }
}

/// What the templates of a letter can name.
#[derive(Debug, Serialize)]
pub(super) struct LetterView {
    language: String,
    pub subject: String,
    /// The lines of each.
    paragraphs: Vec<Vec<String>>,
    organisation: PartyView,
    /// What is asked for, in a notice.
    pub owed: Option<OwedView>,
    /// How one unsubscribes, from advertising by mail.
    pub unsubscribe: Option<Leave>,
}

/// A link by which one unsubscribes.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Leave {
    label: String,
    link: String,
}

impl Leave {
    /// `link` in the words of `locale`.
    pub fn new(link: &str, locale: &Locale) -> Self {
        Self { label: locale.label["unsubscribe"].clone(), link: line(link) }
    }
}

impl LetterView {
    /// What was written, in the language `language`.
    pub fn new(organisation: &Party, language: &str, subject: &str, text: &str) -> Self {
        let lines = text.lines().map(unbroken).collect::<Vec<_>>();
        let paragraphs = lines.split(String::is_empty).filter(|lines| !lines.is_empty());
        Self {
            language: language.to_owned(),
            subject: unbroken(subject),
            paragraphs: paragraphs.map(<[String]>::to_vec).collect(),
            organisation: party(organisation),
            owed: None,
            unsubscribe: None,
        }
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.paragraphs.is_empty()
    }

    /// What it says, with an empty line between paragraphs.
    pub fn text(&self) -> String {
        let paragraphs = self.paragraphs.iter().map(|lines| lines.join("\n"));
        paragraphs.collect::<Vec<_>>().join("\n\n")
    }
}

/// What the sentences of a mail about an appointment can name.
#[derive(Debug, Serialize)]
pub(super) struct MeetingView {
    name: String,
    organizer: Option<String>,
    subject: String,
    when: String,
    repeats: bool,
    changed: bool,
    cancelled: bool,
    organisation: PartyView,
}

impl MeetingView {
    /// What the facts say, as the language writes it.
    pub fn new(facts: &MeetingFacts, locale: &Locale) -> Self {
        let (first, last) = (facts.starts.date(), facts.ends.date());
        let clock = |time: NaiveDateTime| time.format("%H:%M");
        let when = if facts.all_day {
            // It ends with the midnight after its last day.
            match last.pred_opt().filter(|last| *last > first) {
                Some(last) => format!("{} – {}", locale.date(first), locale.date(last)),
                None => locale.date(first),
            }
        } else {
            let (day, starts) = (locale.date(first), clock(facts.starts));
            let ends = match last > first {
                true => format!("{}, {}", locale.date(last), clock(facts.ends)),
                false => clock(facts.ends).to_string(),
            };
            format!("{day}, {starts} – {ends} ({})", facts.time_zone)
        };
        Self {
            name: unbroken(&facts.name),
            organizer: facts.organizer.as_deref().map(unbroken),
            subject: unbroken(&facts.subject),
            when,
            repeats: facts.repeats,
            changed: facts.news == News::Changed,
            cancelled: facts.news == News::Cancelled,
            organisation: party(&facts.organisation),
        }
    }
}

#[derive(Debug, Serialize)]
struct Figures {
    year: i32,
    month: u32,
    day: u32,
}

#[derive(Debug, Serialize)]
struct PartyView {
    name: String,
    address_lines: Vec<String>,
    tax_number: Option<String>,
    email: Option<String>,
    phone: Option<String>,
}

#[derive(Debug, Serialize)]
struct PaymentView {
    received_on: String,
    method: String,
    reference: Option<String>,
    amount: String,
}

#[derive(Debug, Serialize)]
struct LineView {
    invoice_number: String,
    issued_on: String,
    due_on: String,
    total: String,
    applied: String,
    remaining: String,
    /// Whether anything remains.
    open: bool,
}

#[derive(Debug, Serialize)]
struct CancelledView {
    number: String,
    issued_on: String,
}

impl View {
    /// `facts` in the language `language`, whose `locale` it is.
    pub fn new(facts: &ReceiptFacts, language: &str, locale: &Locale, in_words: String) -> Self {
        let (cancels, reason) = match &facts.kind {
            Kind::Receipt => (None, None),
            Kind::Cancellation { cancels, reason } => (
                Some(CancelledView {
                    number: line(&cancels.number),
                    issued_on: locale.date(cancels.issued_on),
                }),
                present(reason.as_ref()),
            ),
        };
        Self {
            language: language.to_owned(),
            copy: facts.copy,
            number: line(&facts.number),
            issued_on: locale.date(facts.issued_on),
            date: Figures {
                year: facts.issued_on.year(),
                month: facts.issued_on.month(),
                day: facts.issued_on.day(),
            },
            amount_in_words: in_words,
            organisation: party(&facts.organisation),
            customer: party(&facts.customer),
            payment: PaymentView {
                received_on: locale.date(facts.payment.received_on),
                method: locale.method(&facts.payment.method).to_owned(),
                reference: present(facts.payment.reference.as_ref()),
                amount: locale.money(facts.payment.amount),
            },
            lines: facts.lines.iter().map(|settled| invoice(settled, locale)).collect(),
            more: facts.lines.len().saturating_sub(LINES_IN_MAIL),
            unapplied: some_money(facts.unapplied).map(|rest| locale.money(rest)),
            cancels,
            reason,
        }
    }
}

fn party(party: &Party) -> PartyView {
    PartyView {
        name: line(&party.name),
        address_lines: party
            .address_lines
            .iter()
            .map(|address| line(address))
            .filter(|address| !address.is_empty())
            .collect(),
        tax_number: present(party.tax_number.as_ref()),
        email: present(party.email.as_ref()),
        phone: present(party.phone.as_ref()),
    }
}

fn invoice(settled: &Line, locale: &Locale) -> LineView {
    LineView {
        invoice_number: line(&settled.invoice_number),
        issued_on: locale.date(settled.issued_on),
        due_on: locale.date(settled.due_on),
        total: locale.money(settled.total),
        applied: locale.money(settled.applied),
        remaining: locale.money(settled.remaining),
        open: some_money(settled.remaining).is_some(),
    }
}

fn some_money(money: Money) -> Option<Money> {
    (money.minor != 0).then_some(money)
}

/// The text on one line, or none if nothing is left of it.
fn present(text: Option<&String>) -> Option<String> {
    text.map(|text| line(text)).filter(|text| !text.is_empty())
}

/// The text as it is safe to put anywhere on one line.
pub(crate) fn line(text: &str) -> String {
    entity::text::clean(&text.replace(turns, ""))
}

/// What was written, on one line. Spaces that must not break, as between an amount and its symbol, stay.
fn unbroken(text: &str) -> String {
    let text = text.replace(turns, "");
    let words = text.split(|c: char| c == ' ' || c.is_control()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ")
}

/// Whether a character reverses the direction of text.
fn turns(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
