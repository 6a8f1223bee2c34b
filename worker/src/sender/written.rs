//! From messages to their bytes.

use entity::automation::lease::Leased;
use entity::automation::message::{self, Class, Kind, Ready, Reason};
use entity::customers::customer::Channel;
use entity::id::MessageId;
use entity::text::hex;
use lettre::Address;
use lettre::message::Mailbox;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Sender;
use crate::letter::Letter;
use crate::link::unsubscribe::UnsubscribeLink;
use crate::mail::compose::{Envelope, compose};
use crate::mail::transport::addresses;
use crate::relay::chain;

/// A message that is written, or why it cannot be.
pub(super) enum Written {
    /// It is, and can leave.
    Ready(Box<Ready>),
    /// It cannot be.
    Refused(Leased<MessageId>, Reason, Option<String>),
}

/// What is written.
struct Content {
    subject: Option<String>,
    body: Vec<u8>,
}

/// Why nothing is.
type Refusal = (Reason, Option<String>);

fn refused<T>(reason: Reason, detail: impl Into<String>) -> Result<T, Refusal> {
    Err((reason, Some(detail.into())))
}

impl Sender {
    /// Writes the messages; those that were written before keep their bytes.
    pub(super) async fn write(
        &self,
        messages: Vec<message::Model>,
    ) -> Result<Vec<Written>, entity::Error> {
        let (old, new): (Vec<_>, Vec<_>) =
            messages.into_iter().partition(|message| message.body.is_some());
        let mut written: Vec<_> = old.into_iter().filter_map(again).collect();
        if new.is_empty() {
            return Ok(written);
        }
        let letters = Letter::all(self.db.reader(), new, self.clock.now()).await?;
        let letters = self.enclose(letters).await;
        let sender = self.clone();
        let rendering = tokio::task::spawn_blocking(move || {
            let letters = letters.into_iter();
            letters.map(|(message, letter)| sender.render(&message, letter)).collect::<Vec<_>>()
        });
        written.extend(rendering.await.map_err(|_| entity::Error::Closed)?);
        Ok(written)
    }

    /// Fetches the files that are kept for letters. A message whose file is out of reach is due again when its lease ends.
    async fn enclose(
        &self,
        letters: Vec<(message::Model, Option<Letter>)>,
    ) -> Vec<(message::Model, Option<Letter>)> {
        let mut enclosed = Vec::with_capacity(letters.len());
        for (message, mut letter) in letters {
            if let Some(Letter::Statement(letter)) = &mut letter
                && let Err(error) = letter.enclose(&*self.files, self.attachment_max).await
            {
                tracing::warn!(message = %message.id.0, %error, "a message is due again");
                continue;
            }
            enclosed.push((message, letter));
        }
        enclosed
    }

    /// Writes one message, on a blocking thread.
    fn render(&self, message: &message::Model, letter: Option<Letter>) -> Written {
        let leased = Leased { id: message.id, fence: message.fence };
        let written = match letter {
            Some(letter) => self.content(message, &letter).map(|content| (content, letter)),
            None => refused(Reason::RenderError, "the record that it is about is incomplete"),
        };
        let ((to, Content { subject, body }), letter) = match written {
            Ok(written) => written,
            Err((reason, detail)) => return Written::Refused(leased, reason, detail),
        };
        Written::Ready(Box::new(Ready {
            leased,
            recipient: to,
            copies: letter.copies().to_vec(),
            subject,
            facts: letter.facts(),
            body_sha256: hex(&Sha256::digest(&body)),
            body,
            token: letter.token(),
        }))
    }

    /// Where a letter goes, and what it says, as the channel has it.
    fn content(
        &self,
        message: &message::Model,
        letter: &Letter,
    ) -> Result<(String, Content), Refusal> {
        let to = match letter.address() {
            Ok(to) => to.to_owned(),
            Err(reason @ Reason::BadAddress) => {
                let detail = match message.channel {
                    Channel::Letter => "the address is too long for a letter",
                    _ => "the number has no form that networks take",
                };
                return refused(reason, detail);
            }
            Err(reason) => return Err((reason, None)),
        };
        if message.kind == Kind::Dunning && !letter.asks() {
            // Nothing of it may be asked for now: the gate says why, and puts it off or settles it.
            return Ok((to, Content { subject: None, body: Vec::new() }));
        }
        let content = match message.channel {
            Channel::Email => self.mail(message, letter, &to)?,
            Channel::Sms => self.text_message(letter)?,
            Channel::Letter => self.paper(letter)?,
            _ => return refused(Reason::NoProvider, "nothing is sent on this channel"),
        };
        Ok((to, content))
    }

    fn mail(
        &self,
        message: &message::Model,
        letter: &Letter,
        to: &str,
    ) -> Result<Content, Refusal> {
        let Ok(address) = to.parse::<Address>() else {
            let detail = "the address has no form that mail can be sent to";
            return refused(Reason::BadAddress, detail);
        };
        let organisation = letter.organisation();
        let ours = organisation.email.as_deref().unwrap_or_default();
        let Ok(from) = ours.parse::<Address>() else {
            return refused(Reason::RenderError, "the organisation's own address is malformed");
        };
        // What is not advertising is not got by subscribing.
        let unsubscribe = (message.class == Class::Marketing).then(|| {
            UnsubscribeLink { message: message.id }.address(&self.links, &self.public_url)
        });
        let envelope = Envelope {
            from: Mailbox::new(Some(organisation.name.clone()), from),
            reply_to: None,
            to: Mailbox::new(Some(letter.addressee().to_owned()), address),
            cc: addresses(letter.copies()).map(|copy| Mailbox::new(None, copy)).collect(),
            unsubscribe: unsubscribe.clone(),
            message_id: format!("{}@{}", message.message_id, self.domain),
            date: message.created_at,
        };
        let unwritten = |error: &dyn std::error::Error| (Reason::RenderError, Some(chain(error)));
        let rendered =
            letter.write(&self.documents, &self.links, &self.public_url, unsubscribe.as_deref());
        let rendered = rendered.map_err(|error| unwritten(&error))?;
        let body = compose(&envelope, &rendered, self.dkim.as_deref())
            .map_err(|error| unwritten(&error))?;
        Ok(Content { subject: Some(rendered.subject), body })
    }

    fn text_message(&self, letter: &Letter) -> Result<Content, Refusal> {
        if !self.ways.sms.is_there() {
            return refused(Reason::NoProvider, "text messages go out once SMS_URL is set");
        }
        let Letter::Written(letter) = letter else {
            return refused(Reason::RenderError, "this is not written as a text message");
        };
        match self.documents.text_message(&letter.facts) {
            Ok(message) => Ok(Content { subject: None, body: message.text.into_bytes() }),
            Err(error) => refused(Reason::RenderError, chain(&error)),
        }
    }

    fn paper(&self, letter: &Letter) -> Result<Content, Refusal> {
        let written = match letter {
            Letter::Written(letter) => self.documents.paper(&letter.facts),
            Letter::Statement(letter) => letter.paper(&self.documents),
            _ => return refused(Reason::RenderError, "this is not written as a letter by post"),
        };
        match written {
            Ok(paper) => Ok(Content { subject: Some(paper.subject), body: paper.pdf }),
            Err(error) => refused(Reason::RenderError, chain(&error)),
        }
    }
}

/// Where the copies of a message go to that was written before, by what it was written from.
fn copies(kind: Kind, facts: Option<&Value>) -> Vec<String> {
    let facts = facts.filter(|_| kind == Kind::Statement);
    facts.and_then(|facts| Vec::deserialize(facts.get("cc")?).ok()).unwrap_or_default()
}

/// A message that was written before: its bytes are sent again as they are.
fn again(message: message::Model) -> Option<Written> {
    Some(Written::Ready(Box::new(Ready {
        leased: Leased { id: message.id, fence: message.fence },
        recipient: message.recipient?,
        copies: copies(message.kind, message.facts.as_ref()),
        subject: message.subject,
        facts: message.facts?,
        body: message.body?,
        body_sha256: message.body_sha256?,
        token: None,
    })))
}
