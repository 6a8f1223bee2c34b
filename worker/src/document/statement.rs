//! Statements of account: the PDF that is kept, and the mail or the letter that it is sent with.

use chrono::NaiveDate;

use super::facts::StatementFacts;
use super::library::path;
use super::paper::{Addressed, Paper};
use super::view::{LetterView, PaperView, StatementView, Way};
use super::{Attachment, DocumentError, Documents, Rendered, Values, portable};

/// How many lines a statement has at most whose PDF is tagged.
const TAGGED: usize = 500;

/// What opens a statement without logging in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The address.
    pub address: String,
    /// The day on which it ceases to.
    pub until: NaiveDate,
}

impl Documents {
    /// The PDF of a statement.
    ///
    /// CPU-bound: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn statement_file(&self, facts: &StatementFacts) -> Result<Attachment, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let view = StatementView::new(facts, language, locale);
        let say = library.sentences(language, "statement", &locale.statement, &view)?;
        let values = Values { view: &view, label: &locale.label, say };
        let path = path(language, "statement.typ")?;
        let typesetter = self.typesetter();
        let lines = facts.content.movements.len() + facts.content.items.len();
        let pdf = match lines <= TAGGED {
            true => typesetter.pdf(&path, &values),
            false => typesetter.untagged(&path, &values),
        };
        let bytes = pdf.map_err(|problem| DocumentError::Typesetting { path, problem })?;
        Ok(Attachment {
            file_name: format!("{}.pdf", portable(&values.say["file_name"])),
            media_type: "application/pdf",
            bytes,
        })
    }

    /// The mail that a statement is sent with: with the PDF that was kept attached if it is given, and the link that opens it
    /// if there is one. What is only foreseen has neither, and reads as if the PDF was attached.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn statement(
        &self,
        facts: &StatementFacts,
        opened: Option<&Opened>,
        file: Option<Attachment>,
    ) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let way = match file.is_some() || opened.is_none() {
            true => Way::Attached,
            false => Way::Linked,
        };
        let view = StatementView::new(facts, language, locale).sent(way, opened, locale);
        let say = library.sentences(language, "statement", &locale.statement, &view)?;
        let values = Values { view: &view, label: &locale.label, say };
        Ok(Rendered {
            language: language.to_owned(),
            html: library.render(&path(language, "statement.mjml")?, &values)?,
            text: library.render(&path(language, "statement.txt")?, &values)?,
            attachments: file.into_iter().collect(),
            subject: values.say["subject"].clone(),
        })
    }

    /// The letter by post that a statement is sent with: a page for the window of an envelope, and behind it the `pages` of
    /// the PDF that was kept.
    ///
    /// CPU-bound: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now, or `pages` is no PDF.
    pub fn statement_paper(
        &self,
        facts: &StatementFacts,
        to: Addressed<'_>,
        pages: Option<Vec<u8>>,
    ) -> Result<Paper, DocumentError> {
        let (language, locale) = self.0.library.language(&facts.language);
        let cover = self.cover(facts)?;
        let view = PaperView::new(to, &facts.organisation, cover, locale);
        let values = Values { view: &view, label: &locale.label, say: [].into() };
        let path = path(language, "letter.typ")?;
        let pdf = self.typesetter().pdf(&path, &values);
        let pdf = pdf.map_err(|problem| DocumentError::Typesetting { path, problem })?;
        let pdf = match pages {
            Some(pages) => self.batch(vec![pdf, pages], false)?.0,
            None => pdf,
        };
        Ok(Paper { language: language.to_owned(), subject: view.subject, pdf })
    }

    /// What the first page of that letter says: its language, its subject, and its text with an empty line between paragraphs.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn statement_paper_text(
        &self,
        facts: &StatementFacts,
    ) -> Result<(String, String, String), DocumentError> {
        let (language, _) = self.0.library.language(&facts.language);
        let cover = self.cover(facts)?;
        let text = cover.text();
        Ok((language.to_owned(), cover.subject, text))
    }

    fn cover(&self, facts: &StatementFacts) -> Result<LetterView, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let view = StatementView::new(facts, language, locale).sent(Way::Enclosed, None, locale);
        let say = library.sentences(language, "statement", &locale.statement, &view)?;
        let ours = &facts.organisation;
        let text = [&*say["greeting"], &say["lead"], &format!("{}\n{}", say["closing"], ours.name)];
        Ok(LetterView::new(ours, language, &say["subject"], &text.join("\n\n")))
    }
}
