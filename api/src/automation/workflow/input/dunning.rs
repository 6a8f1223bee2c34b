//! Ladders, as they are given.

use async_graphql::{InputObject, OneofObject};
use entity::automation::message::Content;
use entity::automation::workflow::definition::Action;
use entity::finance::dunning::ladder::{Enclosure, Ladder, Level, Wording};
use entity::finance::interest::Which;
use entity::money::basis_points;
use serde_json::json;

use super::planning::CreateCallStepInput;
use super::sending::ContentInput;
use super::{ClockOf, Wrong};
use crate::customers::Channel;
use crate::finance::{DunningEnclosure, DunningScope};
use crate::scalar::{Decimal, LocalTime, MoneyInput};

/// A ladder: levels that an invoice goes through until it is settled. Each comes once, and none while the invoice is disputed
/// or promised, or its customer is asked for nothing.
#[derive(Clone, Debug, InputObject)]
pub struct DunInput {
    /// What is asked for together. With `CUSTOMER` a notice lists all that is overdue in the currency, each with its own
    /// level, and what comes while it waits to be sent joins it.
    #[graphql(default_with = "DunningScope::Customer")]
    pub scope: DunningScope,
    /// At what time of the day levels come.
    pub at: LocalTime,
    /// On whose clock.
    #[graphql(default_with = "ClockOf::Customer")]
    pub clock: ClockOf,
    /// How many days there are at least between two levels of an invoice, 1 to 366. As long after a dispute none comes.
    #[graphql(default = 5)]
    pub between_days: u32,
    /// Whether it asks only customers that were given it with `setDunning`; otherwise it asks everybody who was given none.
    #[graphql(default)]
    pub own_only: bool,
    /// What a notice asks for at least, in each of these currencies; what comes to less is not sent.
    #[graphql(default, validator(max_items = 20))]
    pub minimum: Vec<MoneyInput>,
    /// The levels, 1 to 9, each later than the one before it.
    #[graphql(validator(max_items = 9))]
    pub levels: Vec<DunningLevelInput>,
}

/// A level of a ladder.
#[derive(Clone, Debug, InputObject)]
pub struct DunningLevelInput {
    /// How many days after an invoice is due it comes; before it when it is negative. Levels before it are left out of who is
    /// late already.
    pub days: i32,
    /// Which invoices reach it: those of which at least so much is owed, in each of these currencies.
    #[graphql(default, validator(max_items = 20))]
    pub minimum: Vec<MoneyInput>,
    /// What is sent, on one channel each.
    #[graphql(default, validator(max_items = 3))]
    pub notices: Vec<DunningNoticeInput>,
    /// The call that is planned.
    pub call: Option<CreateCallStepInput>,
    /// What each invoice that reaches it is charged, in each of these currencies, once its notice leaves.
    #[graphql(default, validator(max_items = 20))]
    pub fee: Vec<MoneyInput>,
    /// Within how many days after that the fee is taken back by a credit note if the invoice is paid; 0 for never.
    #[graphql(default)]
    pub waived_days: u32,
    /// The interest that is charged with the notice: simple, actual days of a year of 365, on what was open of the invoice and
    /// not disputed, for the days since it was due that were not charged before.
    pub interest: Option<InterestInput>,
    /// Whether somebody has to approve its notices before they leave, with `approveDunningNotice`. What comes
    /// meanwhile does not wait with them; one that a later level has overtaken, or that nobody decides about within 14 days, does
    /// not leave.
    #[graphql(default)]
    pub approval: bool,
    /// What goes with its mails and letters beside the notice: attached to a mail, and as further pages of a letter.
    #[graphql(default, validator(max_items = 2))]
    pub enclose: Vec<DunningEnclosure>,
}

/// Which rate of interest is charged.
#[derive(Clone, Debug, OneofObject)]
pub enum InterestInput {
    /// That of a law, by its key, such as `eu-late-payment`; `interestRates` has them.
    Law(String),
    /// A yearly rate that was agreed on, as a fraction: 0.12 is 12 %. Where a law says the most that may be agreed on where the
    /// customer is, it is that at most.
    Agreed(Decimal),
}

/// What a notice says on a channel. A mail has the notice attached as a PDF; mails and letters show the table of what is to be
/// paid before their last paragraph.
#[derive(Clone, Debug, InputObject)]
pub struct DunningNoticeInput {
    /// The way it goes: `EMAIL`, `SMS` or `LETTER`, to who gets the customer's bills.
    #[graphql(default_with = "Channel::Email")]
    pub channel: Channel,
    /// Whether a text message goes without diacritics. For `SMS` alone.
    #[graphql(default)]
    pub plain: bool,
    /// What it says, in each language that customers read. The record is the notice: `{{ record.total }}`, `{{ record.level }}`,
    /// `{{ record.invoices }}`, `{{ record.firstDueOn }}`, `{{ record.charged }}`.
    #[graphql(validator(max_items = 20))]
    pub contents: Vec<ContentInput>,
}

impl DunInput {
    pub(super) fn parse(self, at: &str, wrong: &mut Wrong) -> Action {
        let levels = self.levels.into_iter().enumerate();
        let levels = levels
            .map(|(index, level)| level.parse(&format!("{at}.levels.{index}"), wrong))
            .collect();
        let ladder = Ladder {
            scope: self.scope.into(),
            at: self.at.0,
            zone: self.clock.into(),
            between_days: self.between_days,
            own_only: self.own_only,
            minimum: amounts(self.minimum, "minimum", at, wrong),
            levels,
        };
        Action::Do { what: "dun".to_owned(), with: json!(ladder) }
    }
}

impl DunningLevelInput {
    fn parse(self, at: &str, wrong: &mut Wrong) -> Level {
        let notices = self.notices.into_iter().map(|notice| Wording {
            channel: notice.channel.into(),
            plain: notice.plain,
            contents: notice.contents.into_iter().map(Content::from).collect(),
        });
        let mut enclosures = Vec::new();
        for enclosure in self.enclose.into_iter().map(Enclosure::from) {
            if !enclosures.contains(&enclosure) {
                enclosures.push(enclosure);
            }
        }
        Level {
            days: self.days,
            minimum: amounts(self.minimum, "minimum", at, wrong),
            notices: notices.collect(),
            call: self.call.map(CreateCallStepInput::wanted),
            fee: amounts(self.fee, "fee", at, wrong),
            waived_days: self.waived_days,
            interest: self.interest.map(|interest| match interest {
                InterestInput::Law(key) => Which::Law(key),
                // What is no rate is refused as one that there is not.
                InterestInput::Agreed(rate) => {
                    Which::Agreed(basis_points(rate.0).unwrap_or_default())
                }
            }),
            approval: self.approval,
            enclose: enclosures,
        }
    }
}

fn amounts(
    given: Vec<MoneyInput>,
    field: &str,
    at: &str,
    wrong: &mut Wrong,
) -> Vec<entity::money::Money> {
    let mut amounts = Vec::with_capacity(given.len());
    for (index, amount) in given.into_iter().enumerate() {
        match amount.parse() {
            Ok(amount) => amounts.push(amount),
            Err(error) => {
                let error = entity::Error::from(error);
                wrong.note(&format!("{at}.{field}.{index}"), error.to_string());
            }
        }
    }
    amounts
}
