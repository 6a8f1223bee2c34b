//! What steps send to customers, as it is given.

use async_graphql::InputObject;
use chrono::TimeDelta;
use entity::automation::message;
use entity::automation::workflow::definition::Action;
use serde_json::json;

use crate::automation::MessageClass;
use crate::choice::choice;
use crate::customers::Channel;
use crate::scalar::Duration;

choice! {
    /// To whom at a customer something is sent.
    SendTo mirrors "entity::automation::message::To" {
        /// To the customer itself.
        Customer,
        /// To who gets their bills; to the customer itself when nobody does.
        Billing,
    }
}

/// What a customer is sent.
#[derive(Clone, Debug, InputObject)]
pub struct SendInput {
    /// The way it goes: `EMAIL`, `SMS` for a text message to the telephone number, or `LETTER` for a letter by post to the
    /// address that bills go to, which `printLetters` prints.
    #[graphql(default_with = "Channel::Email")]
    pub channel: Channel,
    /// What it is about: `SERVICE`, `COLLECTION` or `MARKETING`, which says how the gate treats it.
    pub class: MessageClass,
    /// What it is about in the customer's eyes, such as `newsletter`, of which they may want nothing any more: up to 64
    /// letters, digits, hyphens and underscores.
    pub topic: Option<String>,
    /// To whom at the customer.
    #[graphql(default_with = "SendTo::Customer")]
    pub to: SendTo,
    /// For how long it is worth sending, up to 366 days: what the gate puts off for longer expires.
    #[graphql(default_with = "Duration(TimeDelta::days(3))")]
    pub within: Duration,
    /// Whether a text message goes without diacritics, `đ` as `d` and `₫` as `VND`: networks count 160 characters for one
    /// then, instead of 70 in most languages. For `SMS` alone.
    #[graphql(default)]
    pub plain: bool,
    /// What it says, in each language that customers read; the first one goes to who reads none of them.
    #[graphql(validator(max_items = 20))]
    pub contents: Vec<ContentInput>,
}

/// What is said in a language. Both texts may name `{{ addressee }}`, `{{ customer.name }}`, `{{ organisation.name }}` and
/// fields of the workflow's record such as `{{ record.dueOn }}`, as Jinja templates; `{{ record.number | default('…') }}`
/// for what may be missing, since a message that names what is missing is not sent.
#[derive(Clone, Debug, InputObject)]
pub struct ContentInput {
    /// The language, as a tag such as `vi` or `en-GB`.
    pub language: String,
    /// The subject line, up to 500 characters; needed except by `SMS`, which has none.
    pub subject: Option<String>,
    /// The text, up to 20000 characters, with an empty line between paragraphs. A text message that networks would carry in
    /// more than 10 segments, of 153 characters each or 67 where some are not in their alphabet, is not sent.
    pub text: String,
}

impl From<ContentInput> for message::Content {
    fn from(given: ContentInput) -> Self {
        Self { language: given.language, subject: given.subject, text: given.text }
    }
}

impl SendInput {
    /// The step that is meant.
    pub(super) fn action(self) -> Action {
        let contents = self.contents.into_iter().map(message::Content::from);
        let send = message::Send {
            channel: self.channel.into(),
            class: self.class.into(),
            topic: self.topic.map(|topic| topic.to_lowercase()),
            to: self.to.into(),
            plain: self.plain,
            within_s: self.within.0.num_seconds(),
            contents: contents.collect(),
        };
        Action::Do { what: "send".to_owned(), with: json!(send) }
    }
}
