//! Letters: what messages say and where they go, whatever they are about.

use chrono::{DateTime, Utc};
use entity::access::password_reset::Purpose;
use entity::automation::message::{self, Kind, Reason};
use entity::automation::workflow::Definition;
use entity::customers::customer::Channel;
use entity::id::PasswordResetId;
use sea_orm::ConnectionTrait;
use serde_json::Value;
use url::Url;

use crate::access::reset;
use crate::automation::written;
use crate::collaboration::{meeting, notice};
use crate::document::{DocumentError, Documents, Party, Rendered, TextMessage};
use crate::finance::{dunning, receipt, statement};
use crate::link::Links;

/// A letter.
pub enum Letter {
    /// A receipt, or the cancellation of one.
    Receipt(Box<receipt::Letter>),
    /// A link for choosing a new password.
    Reset(Box<reset::Letter>),
    /// What a user is told.
    Notice(Box<notice::Letter>),
    /// What people have written for customers.
    Written(Box<written::Letter>),
    /// When one meets.
    Meeting(Box<meeting::Letter>),
    /// A statement of account.
    Statement(Box<statement::Letter>),
}

impl Letter {
    /// The messages with their letters. `None` where the record is gone.
    ///
    /// # Errors
    /// The database.
    pub async fn all(
        db: &impl ConnectionTrait,
        messages: Vec<message::Model>,
        now: DateTime<Utc>,
    ) -> Result<Vec<(message::Model, Option<Self>)>, entity::Error> {
        let of = |message: &message::Model| match message.kind {
            Kind::PasswordReset | Kind::Invitation => 0,
            Kind::Notification => 1,
            Kind::Receipt | Kind::ReceiptCancellation => 2,
            Kind::Workflow => 3,
            Kind::Meeting => 4,
            Kind::Dunning => 5,
            Kind::Statement => 6,
        };
        let mut kinds = [const { Vec::new() }; 7];
        for message in messages {
            kinds[of(&message)].push(message);
        }
        let [resets, notices, receipts, texts, meetings, asking, statements] = kinds;
        let found = reset::letters(db, &resets).await?.into_iter();
        let found = found.map(|letter| letter.map(|letter| Self::Reset(Box::new(letter))));
        let mut all: Vec<_> = resets.into_iter().zip(found).collect();
        let found = notice::letters(db, &notices).await?.into_iter();
        let found = found.map(|letter| letter.map(|letter| Self::Notice(Box::new(letter))));
        all.extend(notices.into_iter().zip(found));
        let found = written::letters(db, &texts).await?.into_iter();
        let found = found.map(|letter| letter.map(|letter| Self::Written(Box::new(letter))));
        all.extend(texts.into_iter().zip(found));
        let found = meeting::letters(db, &meetings).await?.into_iter();
        let found = found.map(|letter| letter.map(|letter| Self::Meeting(Box::new(letter))));
        all.extend(meetings.into_iter().zip(found));
        let found = dunning::letters(db, &asking, now).await?.into_iter();
        let found = found.map(|letter| letter.map(|letter| Self::Written(Box::new(letter))));
        all.extend(asking.into_iter().zip(found));
        let found = statement::letters(db, &statements).await?.into_iter();
        let found = found.map(|letter| letter.map(|letter| Self::Statement(Box::new(letter))));
        all.extend(statements.into_iter().zip(found));
        if !receipts.is_empty() {
            let found = receipt::letters(db, &receipts).await?.into_iter();
            let found = found.map(|letter| letter.map(|letter| Self::Receipt(Box::new(letter))));
            all.extend(receipts.into_iter().zip(found));
        }
        Ok(all)
    }

    /// The letters of messages that a workflow would plan by `definition`, in their order. `None` where the record is gone.
    ///
    /// # Errors
    /// The database.
    pub async fn foreseen(
        db: &impl ConnectionTrait,
        definition: &Definition,
        messages: &[message::Model],
    ) -> Result<Vec<Option<Self>>, entity::Error> {
        let of = |kind: &[Kind]| {
            let these = messages.iter().filter(|message| kind.contains(&message.kind));
            these.cloned().collect::<Vec<_>>()
        };
        let (texts, asking) = (of(&[Kind::Workflow]), of(&[Kind::Dunning]));
        let statements = of(&[Kind::Statement]);
        let receipts = of(&[Kind::Receipt, Kind::ReceiptCancellation]);
        let version = messages.iter().find_map(|message| message.version_id);
        let version = version.map(|version| (version, definition));
        let mut texts = written::by(db, &texts, version).await?.into_iter();
        let mut asking = dunning::foreseen(db, &asking, version).await?.into_iter();
        let mut receipts = match receipts.is_empty() {
            true => Vec::new(),
            false => receipt::letters(db, &receipts).await?,
        }
        .into_iter();
        let mut statements = statement::letters(db, &statements).await?.into_iter();
        let letter = |message: &message::Model| match message.kind {
            Kind::Workflow => Some(Self::Written(Box::new(texts.next()??))),
            Kind::Dunning => Some(Self::Written(Box::new(asking.next()??))),
            Kind::Statement => Some(Self::Statement(Box::new(statements.next()??))),
            _ => Some(Self::Receipt(Box::new(receipts.next()??))),
        };
        Ok(messages.iter().map(letter).collect())
    }

    /// Who sends it.
    #[must_use]
    pub fn organisation(&self) -> &Party {
        match self {
            Self::Receipt(letter) => &letter.facts.organisation,
            Self::Reset(letter) => &letter.facts.organisation,
            Self::Notice(letter) => &letter.facts.organisation,
            Self::Written(letter) => &letter.facts.organisation,
            Self::Meeting(letter) => &letter.facts.organisation,
            Self::Statement(letter) => &letter.facts.organisation,
        }
    }

    /// Whether it asks for something that is owed.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::Written(letter) if letter.facts.asked.is_some())
    }

    /// Whom it is addressed to.
    #[must_use]
    pub fn addressee(&self) -> &str {
        match self {
            Self::Receipt(letter) => &letter.addressee,
            Self::Reset(letter) => &letter.facts.name,
            Self::Notice(letter) => &letter.facts.name,
            Self::Written(letter) => &letter.facts.addressee,
            Self::Meeting(letter) => &letter.facts.name,
            Self::Statement(letter) => &letter.addressee,
        }
    }

    /// Their address or number on the channel that it goes by.
    ///
    /// # Errors
    /// Why there is none.
    pub fn address(&self) -> Result<&str, Reason> {
        let email = match self {
            Self::Receipt(letter) => letter.email.as_deref(),
            Self::Reset(letter) => Some(&*letter.email),
            Self::Notice(letter) => Some(&*letter.email),
            Self::Written(letter) => return letter.address.as_deref().map_err(|reason| *reason),
            Self::Meeting(letter) => letter.email.as_deref(),
            Self::Statement(letter) => return letter.address.as_deref().map_err(|reason| *reason),
        };
        email.ok_or(Reason::NoAddress)
    }

    /// Who else gets a copy of its mail.
    #[must_use]
    pub fn copies(&self) -> &[String] {
        match self {
            Self::Statement(letter) => &letter.facts.cc,
            Self::Receipt(_)
            | Self::Reset(_)
            | Self::Notice(_)
            | Self::Written(_)
            | Self::Meeting(_) => &[],
        }
    }

    /// What it is written from, to be frozen with the message.
    #[must_use]
    pub fn facts(&self) -> Value {
        let facts = match self {
            Self::Receipt(letter) => serde_json::to_value(&letter.facts),
            Self::Reset(letter) => serde_json::to_value(&letter.facts),
            Self::Notice(letter) => serde_json::to_value(&letter.facts),
            Self::Written(letter) => serde_json::to_value(&letter.facts),
            Self::Meeting(letter) => serde_json::to_value(&letter.facts),
            Self::Statement(letter) => serde_json::to_value(&letter.facts),
        };
        facts.unwrap_or_default()
    }

    /// The hash of the token that it holds, if it holds one.
    #[must_use]
    pub fn token(&self) -> Option<(PasswordResetId, String)> {
        match self {
            Self::Receipt(_)
            | Self::Notice(_)
            | Self::Written(_)
            | Self::Meeting(_)
            | Self::Statement(_) => None,
            Self::Reset(letter) => Some((letter.reset, letter.token.sha256())),
        }
    }

    /// Writes it as a mail.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn write(
        &self,
        documents: &Documents,
        links: &Links,
        public: &Url,
        unsubscribe: Option<&str>,
    ) -> Result<Rendered, DocumentError> {
        match self {
            Self::Receipt(letter) => documents.receipt(&letter.facts),
            Self::Reset(letter) => {
                let link = letter.link(public);
                match letter.purpose {
                    Purpose::Reset => documents.password_reset(&letter.facts, &link),
                    Purpose::Invitation => documents.invitation(&letter.facts, &link),
                }
            }
            Self::Notice(letter) => documents.notification(&letter.facts, &notice::link(public)),
            Self::Written(letter) => documents.letter(&letter.facts, unsubscribe),
            Self::Meeting(letter) => documents.meeting(&letter.facts),
            Self::Statement(letter) => letter.mail(documents, links, public),
        }
    }

    /// What customers are written by workflows, for whoever looks at a forecast; `None` for other letters.
    ///
    /// # Errors
    /// [`DocumentError`].
    pub fn shown(&self, documents: &Documents) -> Result<Option<Shown>, DocumentError> {
        let letter = match self {
            Self::Receipt(letter) => {
                return documents.receipt(&letter.facts).map(Shown::mail).map(Some);
            }
            Self::Statement(letter) if letter.channel == Channel::Letter => {
                let (language, subject, text) = documents.statement_paper_text(&letter.facts)?;
                return Ok(Some(Shown::paper(language, subject, text)));
            }
            Self::Statement(letter) => {
                return documents.statement(&letter.facts, None, None).map(Shown::mail).map(Some);
            }
            Self::Written(letter) => letter,
            Self::Reset(_) | Self::Notice(_) | Self::Meeting(_) => return Ok(None),
        };
        let facts = &letter.facts;
        let shown = match letter.channel {
            Channel::Sms => {
                let TextMessage { language, text, segments } = documents.text_message(facts)?;
                Shown { language, subject: None, text, html: None, segments: Some(segments) }
            }
            Channel::Letter => {
                let (subject, text) = documents.paper_text(facts)?;
                Shown::paper(facts.language.clone(), subject, text)
            }
            _ => Shown::mail(documents.letter(facts, None)?),
        };
        Ok(Some(shown))
    }
}

/// A letter as it is shown.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Tag of the language that it is written in.
    pub language: String,
    /// Its subject line, if it has one.
    pub subject: Option<String>,
    /// What it says as plain text.
    pub text: String,
    /// The same as HTML, if it is a mail.
    pub html: Option<String>,
    /// In how many segments networks carry it, if it is a text message.
    pub segments: Option<usize>,
}

impl Shown {
    fn mail(rendered: Rendered) -> Self {
        let Rendered { language, subject, text, html, .. } = rendered;
        Self { language, subject: Some(subject), text, html: Some(html), segments: None }
    }

    fn paper(language: String, subject: String, text: String) -> Self {
        Self { language, subject: Some(subject), text, html: None, segments: None }
    }
}
