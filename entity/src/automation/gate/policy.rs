//! How customers may be reached: the organisation's own rules, and which laws count how much.
//!
//! Invariant: a policy is never changed; another one follows it. What was decided names the one that it was decided by.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};

use super::pack::{self, Pack};
use super::{FARTHEST, Sending};
use crate::access::Actor;
use crate::automation::message::Class;
use crate::automation::workflow::window::Window;
use crate::check::Check;
use crate::customers::customer::Channel;
use crate::error::Error;
use crate::id::{ContactPolicyId, Id, UserId};
use crate::marketing::consent::Basis;

/// How much a law counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Mode {
    /// Not at all.
    Off,
    /// What it would hold back goes, and says so.
    Warn,
    /// It holds back.
    Enforce,
}

/// How customers may be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// Which one it is; the number that it was decided by.
    pub number: i32,
    /// The organisation's own rules.
    pub own: Rules,
    /// Which laws count, and how much.
    pub packs: BTreeMap<&'static str, Mode>,
}

/// Rules about reaching customers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rules {
    /// At which times something may reach them.
    pub hours: Vec<Hours>,
    /// How much of it.
    pub caps: Vec<Cap>,
    /// What reaches nobody on a holiday.
    pub holidays: Vec<Class>,
    /// What needs their consent.
    pub consent: Vec<Consent>,
}

/// What a rule is about: any of the classes on any of the channels, all when there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Concern {
    /// The classes.
    pub classes: Vec<Class>,
    /// The channels.
    pub channels: Vec<Channel>,
}

impl Concern {
    /// Whether it is about something.
    #[must_use]
    pub fn has(&self, sending: Sending<'_>) -> bool {
        self.has_parts(sending.class, sending.channel)
    }

    /// Whether it is about a class on a channel. What answers to what a customer did is never held back by a time.
    #[must_use]
    pub fn has_parts(&self, class: Class, channel: Channel) -> bool {
        !class.is_answer()
            && (self.classes.is_empty() || self.classes.contains(&class))
            && (self.channels.is_empty() || self.channels.contains(&channel))
    }
}

/// At which times something may reach a customer, on their clock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hours {
    /// What.
    #[serde(flatten)]
    pub concern: Concern,
    /// When.
    #[serde(flatten)]
    pub window: Window,
}

/// How much may reach a customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cap {
    /// What counts, all channels together.
    #[serde(flatten)]
    pub concern: Concern,
    /// How many.
    pub most: u32,
    /// Within how many seconds.
    pub within_s: i64,
}

/// What needs a customer's consent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// What.
    pub classes: Vec<Class>,
    /// On which grounds it may be sent.
    pub bases: Vec<Basis>,
}

/// Whose rules they are.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// The organisation's own.
    Own,
    /// A law's.
    Pack(&'static Pack, Mode),
}

impl Origin {
    /// Whether they only warn.
    pub fn warns(self) -> bool {
        matches!(self, Self::Pack(_, Mode::Warn))
    }

    /// Which law's, with its version.
    pub fn pack(self) -> Option<String> {
        match self {
            Self::Own => None,
            Self::Pack(pack, _) => Some(format!("{} {}", pack.key, pack.version)),
        }
    }
}

/// Rules with whose they are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'a> {
    pub origin: Origin,
    pub rules: &'a Rules,
}

impl Policy {
    /// The rules that count for somebody in a country; for somebody of whom it is not known, those of all laws.
    pub(super) fn terms(&self, country: Option<&str>) -> impl Iterator<Item = Terms<'_>> {
        let packs = pack::all().iter().filter_map(move |pack| {
            let mode = self.packs.get(pack.key.as_str()).copied().unwrap_or(Mode::Off);
            (mode != Mode::Off && pack.counts_in(country))
                .then_some(Terms { origin: Origin::Pack(pack, mode), rules: &pack.rules })
        });
        std::iter::once(Terms { origin: Origin::Own, rules: &self.own }).chain(packs)
    }

    /// The longest time that a cap looks back.
    pub(super) fn memory(&self) -> Option<TimeDelta> {
        let packs = pack::all().iter().filter(|pack| self.packs.contains_key(pack.key.as_str()));
        let caps = packs.flat_map(|pack| &pack.rules.caps).chain(&self.own.caps);
        caps.map(|cap| TimeDelta::seconds(cap.within_s)).max()
    }
}

/// A policy, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "contact_policy")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ContactPolicyId,
    /// The how manieth.
    pub number: i32,
    /// The organisation's own rules.
    pub rules: Json,
    /// Which laws count, and how much, by their keys.
    pub packs: Json,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The policy that counts. Before there was any: marketing needs a consent, and every law warns.
///
/// # Errors
/// The database.
pub async fn current(db: &impl ConnectionTrait) -> Result<Policy, DbErr> {
    let row = Entity::find().order_by_desc(Column::Number).one(db).await?;
    let Some(row) = row else {
        let packs = pack::all().iter().map(|pack| (pack.key.as_str(), Mode::Warn)).collect();
        let consent = Consent {
            classes: vec![Class::Marketing],
            bases: vec![Basis::Consent, Basis::Existing],
        };
        let own = Rules { consent: vec![consent], ..Rules::default() };
        return Ok(Policy { number: 0, own, packs });
    };
    let unreadable = |cause: serde_json::Error| DbErr::Json(cause.to_string());
    let stored = BTreeMap::<String, Mode>::deserialize(&row.packs).map_err(unreadable)?;
    let known = pack::all().iter().map(|pack| {
        // A law that came with a later version of Rapport warns until somebody says otherwise.
        (pack.key.as_str(), stored.get(&pack.key).copied().unwrap_or(Mode::Warn))
    });
    let own = Rules::deserialize(&row.rules).map_err(unreadable)?;
    Ok(Policy { number: row.number, own, packs: known.collect() })
}

/// Lets another policy follow the one with the number `expected`.
///
/// # Errors
/// `Invalid` with everything that is wrong, [`Error::StaleVersion`].
pub async fn replace(
    txn: &impl ConnectionTrait,
    own: &Rules,
    packs: &BTreeMap<String, Mode>,
    expected: i32,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Policy, Error> {
    own.check(packs)?;
    let before = current(txn).await?.number;
    if before != expected {
        return Err(Error::StaleVersion { current: before });
    }
    let json = |value: Result<Json, serde_json::Error>| {
        value.map_err(|cause| Error::Db(DbErr::Json(cause.to_string())))
    };
    let row = ActiveModel {
        id: Set(ContactPolicyId::new(now)),
        number: Set(before + 1),
        rules: Set(json(serde_json::to_value(own))?),
        packs: Set(json(serde_json::to_value(packs))?),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    match Entity::insert(row).exec_without_returning(txn).await {
        // Somebody else's came between.
        Err(error)
            if matches!(error.sql_err(), Some(sea_orm::SqlErr::UniqueConstraintViolation(_))) =>
        {
            Err(Error::StaleVersion { current: before + 1 })
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok(current(txn).await?),
    }
}

impl Rules {
    fn check(&self, packs: &BTreeMap<String, Mode>) -> Result<(), Error> {
        let mut check = Check::default();
        for (index, hours) in self.hours.iter().enumerate() {
            check.within("hours", index, |check| {
                let order = hours.window.from < hours.window.until;
                check.that(order, "until", "hours end later on the same day than they begin");
            });
        }
        for (index, cap) in self.caps.iter().enumerate() {
            check.within("caps", index, |check| {
                check.that(cap.most > 0, "most", "at least one has to be let through");
                let within = (1..=FARTHEST.num_seconds()).contains(&cap.within_s);
                check.that(within, "within", "from a second to 366 days");
            });
        }
        for key in packs.keys() {
            let known = pack::all().iter().any(|pack| pack.key == *key);
            check.that(known, "packs", format!("there is no pack {key}"));
        }
        check.end()
    }
}
