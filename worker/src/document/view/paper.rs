//! What the template of a letter by post sees.

use chrono::Datelike;
use serde::Serialize;

use super::{Figures, LetterView, OwedView, PartyView, line, party};
use crate::document::facts::Party;
use crate::document::locale::Locale;
use crate::document::paper::Addressed;

/// How many lines the window of an envelope shows.
const WINDOW: usize = 6;

/// Everything that the template can name, apart from `label`.
#[derive(Debug, Serialize)]
pub(in crate::document) struct PaperView {
    language: String,
    pub subject: String,
    /// The lines of each.
    paragraphs: Vec<Vec<String>>,
    organisation: PartyView,
    /// What is asked for, in a notice.
    owed: Option<OwedView>,
    /// Where the letter comes from, on one line.
    from: String,
    /// The lines of the window: the name, and where they are.
    address: Vec<String>,
    written_on: String,
    /// The same day in figures, for the properties of the PDF.
    date: Figures,
}

impl PaperView {
    /// What is written in `letter`, from `organisation`, with dates as in `locale`.
    pub fn new(
        to: Addressed<'_>,
        organisation: &Party,
        letter: LetterView,
        locale: &Locale,
    ) -> Self {
        let ours = party(organisation);
        let from = [&ours.name].into_iter().chain(&ours.address_lines);
        let from = from.map(String::as_str).collect::<Vec<_>>().join(" · ");
        let LetterView { language, subject, paragraphs, organisation, owed, unsubscribe: _ } =
            letter;
        Self {
            language,
            subject,
            paragraphs,
            organisation,
            owed,
            from,
            address: window(to.name, to.lines),
            written_on: locale.date(to.written_on),
            date: Figures {
                year: to.written_on.year(),
                month: to.written_on.month(),
                day: to.written_on.day(),
            },
        }
    }
}

/// A name and an address on as many lines as the window shows: the first lines of an address that has more go together.
fn window(name: &str, address: &[String]) -> Vec<String> {
    let address = address.iter().map(|part| line(part)).filter(|part| !part.is_empty());
    let mut lines = std::iter::once(line(name)).chain(address).collect::<Vec<_>>();
    while lines.len() > WINDOW {
        let next = lines.remove(2);
        lines[1] = format!("{}, {next}", lines[1]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_shows_all_of_an_address() {
        let lines = |count: usize| (1..=count).map(|line| line.to_string()).collect::<Vec<_>>();
        assert_eq!(window("Lan", &lines(2)), ["Lan", "1", "2"]);
        assert_eq!(window("Lan", &lines(5)), ["Lan", "1", "2", "3", "4", "5"]);
        assert_eq!(window("Lan", &lines(7)), ["Lan", "1, 2, 3", "4", "5", "6", "7"]);
    }
}
