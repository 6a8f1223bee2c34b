//! Letters by post: one as a PDF, and many of them as one.

use chrono::NaiveDate;

use super::facts::LetterFacts;
use super::library::{LAYOUT, path};
use super::view::PaperView;
use super::{DocumentError, Documents, Values};

/// A letter by post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paper {
    /// Tag of the language that it is written in.
    pub language: String,
    /// Its subject, on one line.
    pub subject: String,
    /// The PDF, of one page or more.
    pub pdf: Vec<u8>,
}

/// Whom a letter by post is addressed to, and when it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addressed<'a> {
    /// What they are called.
    pub name: &'a str,
    /// Where they are, line by line.
    pub lines: &'a [String],
    /// The day it is written on.
    pub written_on: NaiveDate,
}

impl Documents {
    /// The letter by post that people have written, with what goes with it as further pages.
    ///
    /// CPU-bound: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`DocumentError::Wording`] where it names what is not there, or says nothing.
    pub fn paper(&self, facts: &LetterFacts) -> Result<Paper, DocumentError> {
        let paper = self.sheet(facts)?;
        if facts.enclosed.is_empty() {
            return Ok(paper);
        }
        let enclosed = self.enclosures(facts)?.into_iter().map(|file| file.bytes);
        let pages = std::iter::once(paper.pdf).chain(enclosed).collect();
        let (pdf, _) = self.batch(pages, false)?;
        Ok(Paper { pdf, ..paper })
    }

    /// The letter by post alone.
    ///
    /// # Errors
    /// [`DocumentError::Wording`] where it names what is not there, or says nothing.
    pub(super) fn sheet(&self, facts: &LetterFacts) -> Result<Paper, DocumentError> {
        let (language, locale) = self.0.library.language(&facts.language);
        let to = Addressed {
            name: &facts.addressee,
            lines: &facts.customer.address_lines,
            written_on: facts.written_on,
        };
        let view = PaperView::new(to, &facts.organisation, self.laid_out(facts)?, locale);
        let values = Values { view: &view, label: &locale.label, say: [].into() };
        let path = path(language, "letter.typ")?;
        let pdf = self.typesetter().pdf(&path, &values);
        let pdf = pdf.map_err(|problem| DocumentError::Typesetting { path, problem })?;
        Ok(Paper { language: facts.language.clone(), subject: view.subject, pdf })
    }

    /// What a letter by post says: its subject, and its text with an empty line between paragraphs.
    ///
    /// # Errors
    /// [`DocumentError::Wording`] where it names what is not there, or says nothing.
    pub fn paper_text(&self, facts: &LetterFacts) -> Result<(String, String), DocumentError> {
        let view = self.laid_out(facts)?;
        let text = view.text();
        Ok((view.subject, text))
    }

    /// Letters as one PDF, each page as it is, and how many pages each of them has. Where it is printed on both sides, each
    /// letter begins on a front.
    ///
    /// CPU-bound: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`DocumentError::Typesetting`] for what is no PDF.
    pub fn batch(
        &self,
        letters: Vec<Vec<u8>>,
        duplex: bool,
    ) -> Result<(Vec<u8>, Vec<usize>), DocumentError> {
        let path = format!("{LAYOUT}/batch.typ");
        let batch = self.typesetter().batch(&path, letters, duplex);
        batch.map_err(|problem| DocumentError::Typesetting { path, problem })
    }
}
