//! The gate: what everything passes before it reaches a customer. A pure function over facts, rules and a time, so
//! that a forecast, an explanation and the real thing cannot differ.
//!
//! Invariant: it is monotone. Whatever is added — a suppression, a withdrawn consent, a holiday, a rule, something that
//! was sent — never lets more through, and nothing earlier.

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::message::{Class, Reason};
use crate::customers::customer::Channel;
use crate::finance::dunning::Look;
use crate::marketing::consent::{self, Standing};
use crate::marketing::suppression::Cause;

pub mod explain;
mod facts;
pub mod holiday;
pub mod pack;
pub mod policy;
mod time;

pub use facts::{Recipient, Recipients};
pub(crate) use facts::{countries, free_days, hold};
pub use policy::Policy;
use policy::{Origin, Terms};
use time::Timed;

/// How far ahead something may be put off; what would have to wait longer is not sent.
pub const FARTHEST: TimeDelta = TimeDelta::days(366);

/// What is about to reach a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sending<'a> {
    /// What it is about.
    pub class: Class,
    /// The way it goes.
    pub channel: Channel,
    /// What it is about in the customer's eyes, such as `newsletter`; they may want nothing of it.
    pub topic: Option<&'a str>,
}

/// What is known of whom it would reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The zones that they may be in: a time has to be right in all of them.
    pub zones: Vec<Tz>,
    /// The country that they live in, as ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// Why nothing may go to the address or number.
    pub causes: Vec<Cause>,
    /// What they have said of messages, the latest word on each channel and topic.
    pub consents: Vec<Word>,
    /// What has gone to them.
    pub sent: Vec<Sent>,
    /// The days on which nobody works where they are.
    pub holidays: Vec<chrono::NaiveDate>,
}

/// What a customer has said of messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// On which channel.
    pub channel: Channel,
    /// About what; about everything when absent.
    pub topic: Option<String>,
    /// Whether they want them.
    pub standing: Standing,
    /// On what ground they may be sent.
    pub basis: consent::Basis,
    /// Since when.
    pub at: DateTime<Utc>,
}

/// Something that has gone to a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// What it was about.
    pub class: Class,
    /// The way it went.
    pub channel: Channel,
    /// When.
    pub at: DateTime<Utc>,
}

/// Whether something may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may go now.
    Send,
    /// Not before an instant.
    Defer {
        /// Which.
        until: DateTime<Utc>,
        /// Why.
        reason: Reason,
    },
    /// Not at all.
    Suppress {
        /// Why.
        reason: Reason,
    },
}

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Rule {
    /// Whether anything may go to the address or number.
    Suppression,
    /// Whether they want it.
    Consent,
    /// Whether it is a time at which it may reach them.
    Hours,
    /// Whether people work that day.
    Holiday,
    /// Whether they have not got too much already.
    Cap,
    /// Whether what it asks for is still owed.
    Debt,
}

/// What came of looking at a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Finding {
    /// It lets it go.
    Passed,
    /// It would hold it back, and only warns.
    Warned,
    /// It puts it off.
    Deferred,
    /// It does not let it go.
    Suppressed,
}

/// What was looked at, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// What.
    pub rule: Rule,
    /// What came of it.
    pub finding: Finding,
    /// The reason that it gives; none when it passed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Code>,
    /// When it would let it go, if it puts it off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<DateTime<Utc>>,
    /// What it was compared with.
    pub detail: String,
    /// Whose rule it is: a pack's key and version, or nothing for the organisation's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pack: Option<String>,
}

impl Looked {
    /// That what it asks for is still owed, or why nothing of it may be asked for, or not yet.
    pub(super) fn debt(look: &Look) -> Self {
        let (finding, reason, until) = match look {
            Look::Ask(_) => (Finding::Passed, None, None),
            Look::Suppress(reason) => (Finding::Suppressed, Some(*reason), None),
            Look::Defer(until, reason) => (Finding::Deferred, Some(*reason), Some(*until)),
        };
        let detail = match finding {
            Finding::Passed => "what it asks for is still owed",
            Finding::Deferred => "what it asks for may not be asked for yet",
            _ => "nothing of what it asks for may be asked for",
        };
        Self {
            rule: Rule::Debt,
            finding,
            reason: reason.map(Code),
            until,
            detail: detail.to_owned(),
            pack: None,
        }
    }

    /// That there is no address, or none that something can be sent to.
    fn missing(reason: Code) -> Self {
        let detail = match reason.0 {
            Reason::BadAddress => "the address has no form that something can be sent to",
            _ => "no address is known on the channel",
        };
        Self {
            rule: Rule::Suppression,
            finding: Finding::Suppressed,
            reason: Some(reason),
            until: None,
            detail: detail.to_owned(),
            pack: None,
        }
    }
}

/// A reason by its stored name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub Reason);

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        use sea_orm::ActiveEnum;
        to.serialize_str(&self.0.to_value())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        use sea_orm::ActiveEnum;
        let name = String::deserialize(from)?;
        Reason::try_from_value(&name).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Whether something may go, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Whether it may.
    pub verdict: Verdict,
    /// Everything that was looked at.
    pub trace: Vec<Looked>,
}

/// Whether something may reach a customer at `now`.
#[must_use]
pub fn gate(sending: Sending<'_>, facts: &Facts, policy: &Policy, now: DateTime<Utc>) -> Decision {
    let (mut trace, held) = permitted(sending, facts, policy);
    if let Some(reason) = held {
        return Decision { verdict: Verdict::Suppress { reason }, trace };
    }
    let rules = timed(sending, facts, policy);
    let mut until = now;
    let mut reason = None;
    // The earliest time that all rules allow: each one only puts it off further.
    loop {
        let next = rules.iter().filter(|rule| !rule.warns).find_map(|rule| {
            let next = rule.next(facts, until);
            (next != Some(until)).then_some((next, rule.reason))
        });
        match next {
            None => break,
            Some((Some(next), why)) if next - now <= FARTHEST => {
                (until, reason) = (next, reason.or(Some(why)));
            }
            Some((_, reason)) => {
                trace.extend(rules.iter().map(|rule| rule.looked(facts, now)));
                return Decision { verdict: Verdict::Suppress { reason }, trace };
            }
        }
    }
    trace.extend(rules.iter().map(|rule| rule.looked(facts, now)));
    let verdict = match reason {
        Some(reason) => Verdict::Defer { until, reason },
        None => Verdict::Send,
    };
    Decision { verdict, trace }
}

/// Whether something may reach a customer at all, whatever the time: what was looked at, and the reason why it may not.
pub(crate) fn permitted(
    sending: Sending<'_>,
    facts: &Facts,
    policy: &Policy,
) -> (Vec<Looked>, Option<Reason>) {
    let mut trace = vec![suppressed(sending, facts)];
    trace.extend(consented(sending, facts, policy));
    let held = trace.iter().find(|looked| looked.finding == Finding::Suppressed);
    let reason = held.and_then(|looked| looked.reason).map(|Code(reason)| reason);
    (trace, reason)
}

/// Whether nothing may go to the address or number.
fn suppressed(sending: Sending<'_>, facts: &Facts) -> Looked {
    let cause = facts.causes.iter().copied().filter(|cause| cause.holds_back(sending.class)).min();
    match cause {
        Some(cause) => Looked {
            rule: Rule::Suppression,
            finding: Finding::Suppressed,
            reason: Some(Code(cause.reason())),
            until: None,
            detail: cause.sentence().to_owned(),
            pack: None,
        },
        None => Looked {
            rule: Rule::Suppression,
            finding: Finding::Passed,
            reason: None,
            until: None,
            detail: "nothing holds messages to the address back".to_owned(),
            pack: None,
        },
    }
}

/// Whether they want it: what they have withdrawn never goes, and what needs their consent goes on its grounds alone.
fn consented(sending: Sending<'_>, facts: &Facts, policy: &Policy) -> Vec<Looked> {
    if sending.class.is_answer() {
        return Vec::new();
    }
    let about = |word: &&Word| {
        let same = word.topic.as_deref() == sending.topic;
        word.channel == sending.channel && (word.topic.is_none() || same)
    };
    let withdrawn = facts.consents.iter().filter(about).find(|word| {
        let counts = sending.class == Class::Marketing || word.topic.is_some();
        word.standing == Standing::Withdrawn && counts
    });
    let looked = |finding, reason: Option<Reason>, detail: String, pack| Looked {
        rule: Rule::Consent,
        finding,
        reason: reason.map(Code),
        until: None,
        detail,
        pack,
    };
    if let Some(word) = withdrawn {
        let reason = if word.topic.is_some() { Reason::UnsubTopic } else { Reason::UnsubAll };
        let detail = format!("withdrawn on {}", word.at.to_rfc3339());
        return vec![looked(Finding::Suppressed, Some(reason), detail, None)];
    }
    let given = facts.consents.iter().filter(about);
    let given = given.filter(|word| word.standing == Standing::Given).collect::<Vec<_>>();
    let needed = policy.terms(facts.country.as_deref());
    let needed = needed.flat_map(|terms| {
        let rules = terms.rules.consent.iter();
        rules.filter(|rule| rule.classes.contains(&sending.class)).map(move |rule| (terms, rule))
    });
    let checks = needed.map(|(Terms { origin, .. }, rule)| {
        let ground = given.iter().find(|word| rule.bases.contains(&word.basis));
        if let Some(word) = ground {
            let detail = format!("given on {}", word.at.to_rfc3339());
            return looked(Finding::Passed, None, detail, origin.pack());
        }
        let finding = if origin.warns() { Finding::Warned } else { Finding::Suppressed };
        let detail = "there is no consent on a ground that is asked for".to_owned();
        looked(finding, Some(Reason::NoConsent), detail, origin.pack())
    });
    checks.collect()
}

/// The rules about when it may go.
fn timed<'a>(sending: Sending<'_>, facts: &Facts, policy: &'a Policy) -> Vec<Timed<'a>> {
    let mut timed = Vec::new();
    for Terms { origin, rules } in policy.terms(facts.country.as_deref()) {
        let warns = origin.warns();
        let law = matches!(origin, Origin::Pack(..));
        let mut add = |reason, kind| {
            timed.push(Timed { reason, kind, warns, pack: origin.pack() });
        };
        for hours in rules.hours.iter().filter(|hours| hours.concern.has(sending)) {
            let reason = if law { Reason::LegalWindow } else { Reason::QuietHours };
            add(reason, time::Kind::Hours(hours));
        }
        if rules.holidays.contains(&sending.class) {
            add(Reason::Holiday, time::Kind::Holidays);
        }
        for cap in rules.caps.iter().filter(|cap| cap.concern.has(sending)) {
            let reason = if law { Reason::LegalCap } else { Reason::FreqCap };
            add(reason, time::Kind::Cap(cap));
        }
    }
    timed
}

#[cfg(test)]
mod tests;
