//! From facts to what a customer reads: a mail with its PDF, in the customer's language.
//!
//! Languages are the folders of `worker/templates` that hold a `locale.toml`; nothing in the source names
//! them, except [`FALLBACK`]. A folder holds the formats, the sentences and the amount in words of its
//! language. The layouts are in `layout/`, and a file of the same name in a language's folder replaces one.
//!
//! Invariant: data never becomes markup. Sentences are rendered as plain text first; that text reaches the
//! HTML only through the escaping of the template engine, and the PDF only as values. Rendering reads no
//! clock, file or environment, so the same facts always give the same bytes.

pub mod facts;
mod invoice;
mod library;
mod locale;
mod page;
mod paper;
mod pdf;
pub mod sample;
mod statement;
pub(crate) mod view;
mod written;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use entity::collaboration::notification::Notice;
use serde::Serialize;

pub use facts::{
    Cancelled, Enclosed, InvoiceFacts, Kind, LetterFacts, Line, MeetingFacts, News, NoticeFacts,
    Party, Payment, ReceiptFacts, ResetFacts, Said, Sold, StatementFacts,
};
use library::Library;
use locale::Locale;
pub use page::Page;
pub use paper::{Addressed, Paper};
use pdf::Typesetter;
pub use statement::Opened;
use view::{LetterView, MeetingView, NoticeMailView, NoticeView, ResetView, View};
pub use written::TextMessage;

/// The language of whoever reads one that there is no folder for.
pub const FALLBACK: &str = "en";

/// How many different notifications are written out in a mail.
const MOST_NOTICES: usize = 50;

/// All templates, ready to render. Cheap to clone.
///
/// The typesetter behind the PDFs is built at the first one and put away by [`Documents::rest`], so that a
/// process that renders nothing stays small.
#[derive(Clone)]
pub struct Documents(Arc<Inner>);

struct Inner {
    library: Library,
    typesetter: Mutex<Workshop>,
}

#[derive(Default)]
struct Workshop {
    typesetter: Option<Arc<Typesetter>>,
    /// Whether it was needed since the last rest.
    used: bool,
}

/// A message as it is sent, apart from its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// Tag of the language that it is written in, which may be the fallback.
    pub language: String,
    /// Subject, one line.
    pub subject: String,
    /// Body for programs that show HTML.
    pub html: String,
    /// The same as plain text.
    pub text: String,
    /// Files that go with it.
    pub attachments: Vec<Attachment>,
}

/// A file that goes with a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Name with extension, safe on every file system; may hold any letters.
    pub file_name: String,
    /// Media type, such as `application/pdf`.
    pub media_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A template folder is incomplete or wrong. Facts alone cannot cause it.
#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    /// There is no folder of the fallback language.
    #[error("templates/{FALLBACK}/locale.toml is missing; every other language is measured by it")]
    NoFallback,
    /// A `locale.toml` cannot be read.
    #[error("correct templates/{language}/locale.toml: {problem}")]
    Locale {
        /// Name of the folder.
        language: String,
        /// What is wrong.
        problem: String,
    },
    /// A `locale.toml` has other keys than the one of the fallback.
    #[error("templates/{language}/locale.toml and that of {FALLBACK} must have the same keys; only one has {}", keys.join(", "))]
    Keys {
        /// Name of the folder.
        language: String,
        /// The keys that only one of the two has.
        keys: Vec<String>,
    },
    /// Neither the language nor the layouts have the file.
    #[error("add {name} to templates/{language} or templates/layout")]
    Missing {
        /// Name of the folder.
        language: String,
        /// Name of the file.
        name: &'static str,
    },
    /// A template is not text, or not MJML.
    #[error("correct templates/{path}: {problem}")]
    Source {
        /// Path below `templates`.
        path: String,
        /// What is wrong.
        problem: String,
    },
    /// A template does not compile, or names something that is not there.
    #[error("correct the template {name}")]
    Template {
        /// Path below `templates`, or the key of a sentence.
        name: String,
        /// What the engine says, with the line.
        #[source]
        source: minijinja::Error,
    },
    /// What people wrote cannot be written for somebody.
    #[error("correct what the step of the workflow says: {problem}")]
    Wording {
        /// What is wrong.
        problem: String,
    },
    /// The typesetter refuses a template.
    #[error("correct templates/{path}: {problem}")]
    Typesetting {
        /// Path below `templates`.
        path: String,
        /// What the typesetter says.
        problem: String,
    },
}

/// What every template is rendered with.
#[derive(Serialize)]
struct Values<'a, V> {
    #[serde(flatten)]
    view: &'a V,
    label: &'a BTreeMap<String, String>,
    say: BTreeMap<&'a str, String>,
}

impl Documents {
    /// The templates inside the binary.
    ///
    /// # Errors
    /// [`DocumentError`] for a folder that is incomplete or does not compile, so that a wrong template stops
    /// the start of a process and not the mail of a customer.
    pub fn embedded() -> Result<Self, DocumentError> {
        let library = Library::embedded()?;
        Ok(Self(Arc::new(Inner { library, typesetter: Mutex::default() })))
    }

    /// Puts the typesetter away if nothing was rendered since the last call, which frees some 40 MB.
    pub fn rest(&self) {
        let mut workshop = self.0.typesetter.lock().unwrap_or_else(PoisonError::into_inner);
        if !workshop.used && workshop.typesetter.take().is_some() {
            pdf::forget();
        }
        workshop.used = false;
    }

    fn typesetter(&self) -> Arc<Typesetter> {
        let mut workshop = self.0.typesetter.lock().unwrap_or_else(PoisonError::into_inner);
        workshop.used = true;
        let build = || Arc::new(Typesetter::new(library::typst_sources()));
        Arc::clone(workshop.typesetter.get_or_insert_with(build))
    }

    /// The tags of the languages that there is a folder for.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.0.library.languages()
    }

    /// The mail for `facts`, with the PDF attached: a receipt, or the cancellation of one.
    ///
    /// CPU-bound, mostly for the PDF: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn receipt(&self, facts: &ReceiptFacts) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let (section, sentences) = match facts.kind {
            Kind::Receipt => ("receipt", &locale.receipt),
            Kind::Cancellation { .. } => ("receipt_cancelled", &locale.receipt_cancelled),
        };
        let in_words = library.in_words(language, locale, facts.payment.amount)?;
        let view = View::new(facts, language, locale, in_words);
        let say = library.sentences(language, section, sentences, &view)?;
        let values = Values { view: &view, label: &locale.label, say };

        let typesetter = self.typesetter();
        let path = library::path(language, "receipt.typ")?;
        let pdf = typesetter
            .pdf(&path, &values)
            .map_err(|problem| DocumentError::Typesetting { path, problem })?;

        Ok(Rendered {
            language: language.to_owned(),
            html: library.render(&library::path(language, "receipt.mjml")?, &values)?,
            text: library.render(&library::path(language, "receipt.txt")?, &values)?,
            attachments: vec![Attachment {
                file_name: format!("{}.pdf", portable(&values.say["file_name"])),
                media_type: "application/pdf",
                bytes: pdf,
            }],
            subject: values.say["subject"].clone(),
        })
    }

    /// What a notification says, on one line.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn notice(&self, notice: &Notice) -> Result<String, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&notice.language);
        let view = NoticeView::new(notice, locale);
        library.sentence(language, "notification", &notice.kind, &view)
    }

    /// The mail of notifications, which are read in Rapport at `link`.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn notification(&self, facts: &NoticeFacts, link: &str) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let mut told = Vec::<(String, usize)>::new();
        for notice in &facts.notices {
            let sentence = self.notice(notice)?;
            let has_room = told.len() < MOST_NOTICES;
            match told.iter_mut().find(|(known, _)| *known == sentence) {
                Some((_, times)) => *times += 1,
                None if has_room => told.push((sentence, 1)),
                None => {}
            }
        }
        let view = NoticeMailView::new(facts, language, told, link);
        self.account(language, locale, "notification_mail", &locale.notification_mail, &view)
    }

    /// The mail for choosing a new password at `link`.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn password_reset(
        &self,
        facts: &ResetFacts,
        link: &str,
    ) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let view = ResetView::new(facts, language, link);
        self.account(language, locale, "password_reset", &locale.password_reset, &view)
    }

    /// The mail for choosing the first password at `link`.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn invitation(&self, facts: &ResetFacts, link: &str) -> Result<Rendered, DocumentError> {
        let (language, locale) = self.0.library.language(&facts.language);
        let view = ResetView::new(facts, language, link);
        self.account(language, locale, "invitation", &locale.invitation, &view)
    }

    /// The mail about an appointment, with the file for the reader's calendar.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn meeting(&self, facts: &MeetingFacts) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let view = MeetingView::new(facts, locale);
        let (none, is_off) = (String::new(), facts.news == News::Cancelled);
        let say = library.sentences(language, "meeting", &locale.meeting, &view)?;
        let sender = facts.organizer.as_ref().unwrap_or(&facts.organisation.name);
        let text = [
            &[&say["greeting"]][..],
            &[&say["lead"]],
            &[&facts.subject, &say["time"], facts.location.as_ref().unwrap_or(&none)],
            &[facts.description.as_ref().filter(|_| !is_off).unwrap_or(&none)],
            &[&say["note"]],
            &[&say["closing"], sender],
        ];
        let text =
            text.map(|lines| lines.iter().map(|line| line.trim()).collect::<Vec<_>>().join("\n"));
        let text = text.join("\n\n");
        let view = LetterView::new(&facts.organisation, language, &say["subject"], &text);
        Ok(Rendered {
            language: language.to_owned(),
            html: library.render(&library::path(language, "letter.mjml")?, &view)?,
            text: library.render(&library::path(language, "letter.txt")?, &view)?,
            attachments: vec![Attachment {
                file_name: format!("{}.ics", portable(&say["file_name"])),
                media_type: match facts.news {
                    News::Cancelled => "text/calendar; charset=utf-8; method=CANCEL",
                    News::Invited | News::Changed => "text/calendar; charset=utf-8; method=REQUEST",
                },
                bytes: facts.calendar.clone().into_bytes(),
            }],
            subject: view.subject,
        })
    }

    /// A mail to a user, with a button and nothing attached.
    fn account(
        &self,
        language: &str,
        locale: &Locale,
        section: &str,
        sentences: &BTreeMap<String, String>,
        view: &impl Serialize,
    ) -> Result<Rendered, DocumentError> {
        let library = &self.0.library;
        let say = library.sentences(language, section, sentences, view)?;
        let values = Values { view, label: &locale.label, say };
        Ok(Rendered {
            language: language.to_owned(),
            html: library.render(&library::path(language, "account.mjml")?, &values)?,
            text: library.render(&library::path(language, "account.txt")?, &values)?,
            attachments: Vec::new(),
            subject: values.say["subject"].clone(),
        })
    }
}

/// The name without the characters that some file system or mail program gives a meaning to.
fn portable(name: &str) -> String {
    let name = name.replace(['/', '\\', ':', '*', '?', '"', '<', '>', '|'], "-");
    name.trim_matches(['.', ' ']).chars().take(120).collect()
}

#[cfg(test)]
mod tests;
