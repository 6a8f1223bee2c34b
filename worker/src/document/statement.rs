//! Statements of account: the PDF that is kept, and the mail that it is sent with.

use super::facts::StatementFacts;
use super::library::path;
use super::view::StatementView;
use super::{Attachment, DocumentError, Documents, Rendered, Values, portable};

/// How many lines a statement has at most whose PDF is tagged.
const TAGGED: usize = 500;

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

    /// The mail that a statement is sent with, and the PDF that was kept if it is given.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn statement(
        &self,
        facts: &StatementFacts,
        file: Option<Attachment>,
    ) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let view = StatementView::new(facts, language, locale);
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
}
