//! Sending customers what a workflow has for them.

use chrono::TimeDelta;
use futures::FutureExt;
use futures::future::BoxFuture;
use sea_orm::DatabaseTransaction;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::plan::Outgoing;
use super::{Class, wording};
use crate::automation::workflow::interpreter::Done;
use crate::automation::workflow::performer::{Effect, Performer, Planned, Turn};
use crate::catalog::Record;
use crate::check::Check;
use crate::customers::customer::Channel;
use crate::customers::parse_required;
use crate::error::Error;
use crate::marketing::consent::parse_topic;

/// How long a text is at most.
const LONGEST: usize = 20_000;

/// For how long something is worth sending, at most.
const LATEST: TimeDelta = TimeDelta::days(366);

/// Sends a customer something about a run's record.
pub struct SendMail;

/// What is sent, and to whom.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Send {
    /// The way it goes.
    pub channel: Channel,
    /// What it is about.
    pub class: Class,
    /// What it is about in the customer's eyes.
    pub topic: Option<String>,
    /// To whom.
    pub to: To,
    /// For how many seconds it is worth sending.
    pub within_s: i64,
    /// Whether a text message goes without diacritics, so that more of it fits.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// What it says, in each language.
    pub contents: Vec<Content>,
}

/// To whom at the customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum To {
    /// To the customer itself.
    Customer,
    /// To who gets their bills; to the customer itself when nobody does.
    Billing,
}

/// What is said in a language.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content {
    /// The language, as a tag such as `vi`.
    pub language: String,
    /// The subject line, which a text message does not have: a wording.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// The text: a wording, with an empty line between paragraphs.
    pub text: String,
}

impl Content {
    /// The wordings that it has.
    pub fn wordings(&self) -> impl Iterator<Item = &str> {
        self.subject.as_deref().into_iter().chain([&*self.text])
    }
}

impl Content {
    /// What is said to somebody who reads a language: in that, or in one of its family, or in the first one.
    #[must_use]
    pub fn among<'a>(contents: &'a [Self], language: &str) -> Option<&'a Self> {
        let family = |tag: &str| tag.split('-').next().unwrap_or_default().to_lowercase();
        let same = contents.iter().find(|content| content.language == language);
        let near = || contents.iter().find(|content| family(&content.language) == family(language));
        same.or_else(near).or_else(|| contents.first())
    }
}

impl Performer for SendMail {
    fn name(&self) -> &'static str {
        "send"
    }

    fn is_for_customers(&self) -> bool {
        true
    }

    fn check(&self, record: &Record, with: &Value, check: &mut Check) {
        let send = match Send::deserialize(with) {
            Ok(send) => send,
            Err(error) => return check.note(Error::invalid("with", error.to_string())),
        };
        let is_sent = matches!(send.channel, Channel::Email | Channel::Sms | Channel::Letter);
        check.that(is_sent, "channel", "a workflow sends by EMAIL, SMS or LETTER");
        let is_text = send.channel == Channel::Sms;
        check.that(is_text || !send.plain, "plain", "this is for text messages, by SMS");
        let about = matches!(send.class, Class::Service | Class::Collection | Class::Marketing);
        check.that(about, "class", "a workflow sends SERVICE, COLLECTION or MARKETING");
        check.put(parse_topic(send.topic), &mut None);
        let within = (1..=LATEST.num_seconds()).contains(&send.within_s);
        check.that(within, "within", "from a second to 366 days");
        check.that(!send.contents.is_empty(), "contents", "say it in at least one language");
        let whom = record.table == "customer" || record.field("customer").is_some();
        check.that(whom, "send", format!("{} concerns no customer", record.name));
        for (index, content) in send.contents.iter().enumerate() {
            check.within("contents", index, |check| content.check(record, is_text, check));
        }
    }

    fn plan<'a>(
        &'a self,
        _: &'a DatabaseTransaction,
        _: &'static Record,
        with: &'a Value,
        turns: &'a [Turn<'a>],
    ) -> BoxFuture<'a, Result<Vec<Planned>, Error>> {
        async move {
            let Ok(send) = Send::deserialize(with) else {
                return Ok(turns.iter().map(|_| Planned::failed("it cannot be read")).collect());
            };
            let planned = turns.iter().map(|turn| {
                let Some(customer) = turn.run.customer_id else {
                    return Planned::skipped("it concerns no customer");
                };
                let outgoing = Outgoing {
                    cause: turn.key(),
                    run: turn.run.id,
                    version: turn.run.version_id,
                    step: turn.step.to_owned(),
                    subject: turn.run.record_id,
                    customer,
                    to: send.to,
                    channel: send.channel,
                    class: send.class,
                    topic: send.topic.clone(),
                    within: TimeDelta::seconds(send.within_s),
                };
                Planned { done: Done::Yes, effects: vec![Effect::Send(outgoing)] }
            });
            Ok(planned.collect())
        }
        .boxed()
    }
}

impl Content {
    /// Notes what is wrong with it for a kind of record.
    pub(crate) fn check(&self, record: &Record, is_text: bool, check: &mut Check) {
        let tag = |c: char| c.is_ascii_alphanumeric() || c == '-';
        let is_tag = (2..=35).contains(&self.language.len()) && self.language.chars().all(tag);
        check.that(is_tag, "language", "a language is a tag such as vi or en-GB");
        let subject = self.subject.as_deref();
        if is_text {
            check.that(subject.is_none(), "subject", "a text message has no subject line");
        } else {
            let subject = subject.unwrap_or_default();
            check.put(parse_required("subject", subject, 500), &mut String::new());
        }
        let long = self.text.trim().is_empty() || self.text.chars().count() > LONGEST;
        check.that(!long, "text", format!("a text has 1 to {LONGEST} characters"));
        for (field, text) in [("subject", subject), ("text", Some(&*self.text))] {
            if let Some(Err(reason)) = text.map(|text| wording::check(text, record)) {
                check.note(Error::invalid(field, reason));
            }
        }
    }
}
