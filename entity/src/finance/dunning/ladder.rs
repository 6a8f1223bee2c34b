//! Ladders: which levels an unpaid invoice goes through, as a step of a workflow has them.

use chrono::NaiveTime;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::notice;
use crate::automation::message::Content;
use crate::automation::workflow::definition::Zone;
use crate::catalog::Cataloged;
use crate::check::Check;
use crate::collaboration::call;
use crate::customers::customer::Channel;
use crate::error::Error;
use crate::finance::interest;
use crate::money::{Currency, Money};

/// How many levels there are at most.
const MOST_LEVELS: usize = 9;

/// How far from the day on which an invoice is due a level is at most.
const FARTHEST_DAYS: i32 = 730;

/// How many days there are between two levels at most.
const MOST_BETWEEN: u32 = 366;

/// Levels, each later than the one before it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ladder {
    /// What is asked for together.
    pub scope: Scope,
    /// At what time of the day levels come.
    pub at: NaiveTime,
    /// On whose clock.
    pub zone: Zone,
    /// How many days there are at least between two levels of an invoice.
    pub between_days: u32,
    /// Whether it asks only customers that were given it as their own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub own_only: bool,
    /// What a notice asks for at least, in each of these currencies.
    #[serde(default)]
    pub minimum: Vec<Money>,
    /// The levels.
    pub levels: Vec<Level>,
}

/// What is asked for together.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Scope {
    /// Each invoice by itself.
    Invoice,
    /// All that a customer owes in a currency.
    Customer,
}

/// A level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Level {
    /// How many days after an invoice is due it comes; before it when it is negative.
    pub days: i32,
    /// Which invoices reach it: those of which at least so much is owed, in each of these currencies.
    #[serde(default)]
    pub minimum: Vec<Money>,
    /// What is sent.
    #[serde(default)]
    pub notices: Vec<Wording>,
    /// The call that is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<call::Wanted>,
    /// What each invoice that reaches it is charged, in each of these currencies, when its notice leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fee: Vec<Money>,
    /// Within how many days after that the fee is taken back if the invoice is paid.
    #[serde(default)]
    pub waived_days: u32,
    /// The interest that is charged until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interest: Option<interest::Which>,
    /// Whether somebody has to approve its notices before they leave.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approval: bool,
    /// What goes with its mails and letters beside the notice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enclose: Vec<Enclosure>,
}

/// What goes with a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Enclosure {
    /// Copies of the invoices that it asks for.
    Invoices,
    /// A statement of all that is open.
    Statement,
}

/// What a notice says on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Wording {
    /// The way it goes.
    pub channel: Channel,
    /// Whether a text message goes without diacritics.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
    /// What it says, in each language.
    pub contents: Vec<Content>,
}

impl Ladder {
    /// The level with a number, counted from 1.
    #[must_use]
    pub fn level(&self, number: i32) -> Option<&Level> {
        self.levels.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }

    /// What a notice of a level says on a channel.
    #[must_use]
    pub fn wording(&self, level: i32, channel: Channel) -> Option<&Wording> {
        self.level(level)?.notices.iter().find(|wording| wording.channel == channel)
    }

    /// Notes what is wrong with it.
    pub(super) fn check(&self, check: &mut Check) {
        let number = (1..=MOST_LEVELS).contains(&self.levels.len());
        check.that(number, "levels", format!("a ladder has 1 to {MOST_LEVELS} levels"));
        let between = (1..=MOST_BETWEEN).contains(&self.between_days);
        check.that(between, "betweenDays", format!("1 to {MOST_BETWEEN} days"));
        amounts("minimum", &self.minimum, check);
        let mut before = None;
        for (index, level) in self.levels.iter().enumerate() {
            check.within("levels", index, |check| {
                let near = (-FARTHEST_DAYS..=FARTHEST_DAYS).contains(&level.days);
                check.that(near, "days", format!("at most {FARTHEST_DAYS} days before or after"));
                let later = before.is_none_or(|before| level.days > before);
                check.that(later, "days", "each level comes later than the one before it");
                before = Some(level.days);
                level.check(check);
            });
        }
    }
}

impl Level {
    /// Whether something is charged.
    pub(super) fn charges(&self) -> bool {
        !self.fee.is_empty() || self.interest.is_some()
    }

    /// The channels on which it asks for something.
    pub(super) fn channels(&self) -> impl Iterator<Item = Channel> {
        let call = self.call.as_ref().map(|_| Channel::Phone);
        self.notices.iter().map(|wording| wording.channel).chain(call)
    }

    fn check(&self, check: &mut Check) {
        let something = !self.notices.is_empty() || self.call.is_some();
        check.that(something, "notices", "a level sends a notice, or plans a call");
        amounts("minimum", &self.minimum, check);
        amounts("fee", &self.fee, check);
        let leaves = !self.charges() || !self.notices.is_empty();
        check.that(leaves, "notices", "what is charged is charged with a notice");
        let approved = !self.approval || !self.notices.is_empty();
        check.that(approved, "approval", "notices are approved, and the level sends none");
        let holds = |wording: &Wording| wording.channel != Channel::Sms;
        let goes = self.enclose.is_empty() || self.notices.iter().any(holds);
        check.that(goes, "enclose", "something goes with mails and letters, and there is none");
        let late = !self.charges() || self.days > 0;
        check.that(late, "days", "nothing is charged before an invoice is late");
        let near = self.waived_days <= MOST_BETWEEN;
        check.that(near, "waivedDays", format!("0 to {MOST_BETWEEN} days"));
        let known = self.interest.as_ref().is_none_or(interest::Which::is_known);
        check.that(known, "interest", "there is no such rate; `interestRates` has them");
        for (index, wording) in self.notices.iter().enumerate() {
            check.within("notices", index, |check| {
                let is_sent =
                    matches!(wording.channel, Channel::Email | Channel::Sms | Channel::Letter);
                check.that(is_sent, "channel", "notices go by EMAIL, SMS or LETTER");
                let mut others = self.notices[..index].iter();
                let first = others.all(|other| other.channel != wording.channel);
                check.that(first, "channel", "the level has another notice on this channel");
                let is_text = wording.channel == Channel::Sms;
                check.that(is_text || !wording.plain, "plain", "this is for text messages, by SMS");
                let said = !wording.contents.is_empty();
                check.that(said, "contents", "say it in at least one language");
                for (index, content) in wording.contents.iter().enumerate() {
                    check.within("contents", index, |check| {
                        content.check(notice::Entity::record(), is_text, check);
                    });
                }
            });
        }
    }
}

/// Notes what is wrong with amounts, of which there is one in a currency.
fn amounts(at: &'static str, amounts: &[Money], check: &mut Check) {
    for (index, amount) in amounts.iter().enumerate() {
        check.within(at, index, |check| {
            check.that(amount.minor >= 0, "amount", "nothing, or more");
            let mut others = amounts[..index].iter();
            let first = others.all(|other| other.currency != amount.currency);
            check.that(first, "currency", "there is another amount in this currency");
        });
    }
}

/// The amount in a currency, in minor units; nothing where there is none.
#[must_use]
pub fn amount_in(amounts: &[Money], currency: Currency) -> i64 {
    let amount = amounts.iter().find(|amount| amount.currency == currency);
    amount.map_or(0, |amount| amount.minor)
}

/// The ladder of a step, if it is one.
#[must_use]
pub fn read(what: &str, with: &serde_json::Value) -> Option<Ladder> {
    (what == super::perform::NAME).then(|| Ladder::deserialize(with).ok()).flatten()
}

/// Reads a ladder.
pub(super) fn parse(with: &serde_json::Value) -> Result<Ladder, Error> {
    Ladder::deserialize(with).map_err(|error| Error::invalid("with", error.to_string()))
}
