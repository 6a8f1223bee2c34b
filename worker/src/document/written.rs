//! What people have written for customers, as a mail and as a text message.

use entity::automation::message::wording;
use entity::text::plain;

use super::facts::LetterFacts;
use super::library::path;
use super::view::{Leave, LetterView, OwedView, WordingView};
use super::{Attachment, DocumentError, Documents, Rendered, portable};
use crate::sms::segments::{self, segments};

/// A text message as it is sent, apart from the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextMessage {
    /// Tag of the language that it is written in.
    pub language: String,
    /// What it says.
    pub text: String,
    /// In how many segments networks carry it.
    pub segments: usize,
}

impl Documents {
    /// The mail of a letter that people have written, with the link by which one unsubscribes if it has one; a notice has itself attached as it would go by post, and what
    /// goes with it.
    ///
    /// # Errors
    /// [`DocumentError::Wording`] where it names what is not there, or says nothing.
    pub fn letter(
        &self,
        facts: &LetterFacts,
        unsubscribe: Option<&str>,
    ) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let mut view = self.laid_out(facts)?;
        view.unsubscribe = unsubscribe.map(|link| Leave::new(link, locale));
        let mut attachments = Vec::new();
        if facts.asked.is_some() {
            attachments.push(Attachment {
                file_name: format!("{}.pdf", portable(&view.subject)),
                media_type: "application/pdf",
                bytes: self.sheet(facts)?.pdf,
            });
        }
        attachments.extend(self.enclosures(facts)?);
        Ok(Rendered {
            language: facts.language.clone(),
            html: library.render(&path(language, "letter.mjml")?, &view)?,
            text: library.render(&path(language, "letter.txt")?, &view)?,
            attachments,
            subject: view.subject,
        })
    }

    /// The text message that people have written. Spaces that must not break are none in it, since they are in no alphabet
    /// that networks count well.
    ///
    /// # Errors
    /// [`DocumentError::Wording`] where it names what is not there, says nothing, or is too long.
    pub fn text_message(&self, facts: &LetterFacts) -> Result<TextMessage, DocumentError> {
        let view = self.laid_out(facts)?;
        let text = view.text().replace(['\u{a0}', '\u{202f}', '\u{2009}'], " ");
        let text = if facts.plain { plain(&text) } else { text };
        let segments = segments(&text);
        if segments > segments::MOST {
            let most = segments::MOST;
            let problem =
                format!("it takes {segments} segments as a text message; shorten it to {most}");
            return Err(DocumentError::Wording { problem });
        }
        Ok(TextMessage { language: facts.language.clone(), text, segments })
    }

    /// What was written, with its values in their places.
    pub(super) fn laid_out(&self, facts: &LetterFacts) -> Result<LetterView, DocumentError> {
        let (_, locale) = self.0.library.language(&facts.language);
        let values = WordingView::new(facts, locale);
        let written = |wording: &str| {
            wording::written(wording, &values).map_err(|problem| DocumentError::Wording { problem })
        };
        let subject = facts.subject.as_deref().map(written).transpose()?;
        let text = written(&facts.text)?;
        let shown = subject.as_deref().unwrap_or_default();
        let mut view = LetterView::new(&facts.organisation, &facts.language, shown, &text);
        view.owed = facts.asked.as_ref().map(|asked| OwedView::new(asked, locale));
        if view.is_empty() || subject.is_some() && view.subject.is_empty() {
            return Err(DocumentError::Wording { problem: "nothing is left of it".to_owned() });
        }
        Ok(view)
    }
}
