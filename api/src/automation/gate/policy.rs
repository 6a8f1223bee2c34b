//! How customers may be reached.

use std::collections::BTreeMap;

use async_graphql::{Context, InputObject, Object, SimpleObject};
use chrono::{NaiveDate, TimeDelta};
use entity::access::Permission;
use entity::automation::gate::policy::{self, Cap, Concern, Consent, Hours, Mode, Policy, Rules};
use entity::automation::gate::{holiday, pack};
use entity::automation::message;
use entity::automation::workflow::window::Window;
use entity::customers::customer;
use futures::FutureExt;
use sea_orm::prelude::Uuid;

use crate::automation::MessageClass;
use crate::choice::choice;
use crate::context::{Ask, Can, CanAll, Once, write};
use crate::customers::Channel;
use crate::error::{Fault, UserError};
use crate::marketing::ConsentBasis;
use crate::scalar::{Date, Duration, LocalTime};

choice! {
    /// How much a law counts.
    ContactPackMode mirrors "entity::automation::gate::policy::Mode" {
        /// Not at all.
        Off,
        /// What it would hold back goes, and `explainMessage` says so.
        Warn,
        /// It holds back.
        Enforce,
    }
}

choice! {
    /// A day of the week.
    Weekday mirrors "chrono::Weekday" {
        /// Monday.
        Mon,
        /// Tuesday.
        Tue,
        /// Wednesday.
        Wed,
        /// Thursday.
        Thu,
        /// Friday.
        Fri,
        /// Saturday.
        Sat,
        /// Sunday.
        Sun,
    }
}

/// How customers may be reached.
#[derive(SimpleObject)]
pub struct ContactPolicy {
    /// Which one it is: it counts up with every change, and messages name the one that they were looked at by. 0 before
    /// there was any: then marketing needs a consent, and every law warns.
    pub number: i32,
    /// At which times something may reach customers, on their clocks.
    pub hours: Vec<ContactHours>,
    /// How much may reach a customer.
    pub caps: Vec<ContactCap>,
    /// What reaches nobody on a holiday of the country that they live in.
    pub holidays: Vec<MessageClass>,
    /// What needs the customer's consent.
    pub consent: Vec<ContactConsent>,
    /// The laws that Rapport knows, and how much each counts.
    pub packs: Vec<ContactPack>,
}

/// At which times something may reach a customer.
#[derive(SimpleObject)]
pub struct ContactHours {
    /// What it is about; about all that is no answer to what somebody did when it is empty.
    pub classes: Vec<MessageClass>,
    /// On which channels; on all when it is empty.
    pub channels: Vec<Channel>,
    /// From when.
    pub from: LocalTime,
    /// Until when.
    pub until: LocalTime,
    /// On which days; on all when it is empty.
    pub days: Vec<Weekday>,
}

/// How much may reach a customer.
#[derive(SimpleObject)]
pub struct ContactCap {
    /// What counts; all that is no answer to what somebody did when it is empty.
    pub classes: Vec<MessageClass>,
    /// On which channels, all together; on all when it is empty.
    pub channels: Vec<Channel>,
    /// How many.
    pub most: i32,
    /// Within how long.
    pub within: Duration,
}

/// What needs the customer's consent.
#[derive(SimpleObject)]
pub struct ContactConsent {
    /// What.
    pub classes: Vec<MessageClass>,
    /// On which grounds it may be sent.
    pub bases: Vec<ConsentBasis>,
}

/// A law about reaching customers. It is what somebody has read up, not legal advice: have it confirmed before you
/// enforce it.
#[derive(SimpleObject)]
pub struct ContactPack {
    /// What policies call it, such as `vn-advertising`.
    pub key: String,
    /// Of when it is, such as `2026-02`.
    pub version: String,
    /// What people call it.
    pub title: String,
    /// Where it counts, as ISO 3166-1 alpha-2. For a customer of whom the country is not known every law counts.
    pub countries: Vec<String>,
    /// Where its rules stand.
    pub sources: Vec<String>,
    /// How much it counts.
    pub mode: ContactPackMode,
    /// Its times.
    pub hours: Vec<ContactHours>,
    /// Its caps.
    pub caps: Vec<ContactCap>,
    /// What needs a consent by it.
    pub consent: Vec<ContactConsent>,
}

/// How customers may be reached, instead of how they were. What is absent is none.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateContactPolicyInput {
    /// At which times something may reach customers, on their clocks; at all times when it is empty.
    #[graphql(default, validator(max_items = 50))]
    pub hours: Vec<ContactHoursInput>,
    /// How much may reach a customer.
    #[graphql(default, validator(max_items = 50))]
    pub caps: Vec<ContactCapInput>,
    /// What reaches nobody on a holiday of the country that they live in.
    #[graphql(default)]
    pub holidays: Vec<MessageClass>,
    /// What needs the customer's consent.
    #[graphql(default, validator(max_items = 20))]
    pub consent: Vec<ContactConsentInput>,
    /// How much each law counts; what is not named here warns.
    #[graphql(default, validator(max_items = 50))]
    pub packs: Vec<ContactPackInput>,
}

/// At which times something may reach a customer.
#[derive(Clone, Debug, InputObject)]
pub struct ContactHoursInput {
    /// What it is about; about all that is no answer to what somebody did when it is empty.
    #[graphql(default)]
    pub classes: Vec<MessageClass>,
    /// On which channels; on all when it is empty.
    #[graphql(default)]
    pub channels: Vec<Channel>,
    /// From when.
    pub from: LocalTime,
    /// Until when, later on the same day.
    pub until: LocalTime,
    /// On which days; on all when it is empty.
    #[graphql(default)]
    pub days: Vec<Weekday>,
}

/// How much may reach a customer.
#[derive(Clone, Debug, InputObject)]
pub struct ContactCapInput {
    /// What counts; all that is no answer to what somebody did when it is empty.
    #[graphql(default)]
    pub classes: Vec<MessageClass>,
    /// On which channels, all together; on all when it is empty.
    #[graphql(default)]
    pub channels: Vec<Channel>,
    /// How many, at least 1.
    pub most: u32,
    /// Within how long, up to 366 days.
    pub within: Duration,
}

/// What needs the customer's consent.
#[derive(Clone, Debug, InputObject)]
pub struct ContactConsentInput {
    /// What.
    pub classes: Vec<MessageClass>,
    /// On which grounds it may be sent.
    pub bases: Vec<ConsentBasis>,
}

/// How much a law counts.
#[derive(Clone, Debug, InputObject)]
pub struct ContactPackInput {
    /// The law's key.
    pub key: String,
    /// How much it counts.
    pub mode: ContactPackMode,
}

/// What came of changing how customers may be reached.
#[derive(SimpleObject)]
pub struct UpdateContactPolicyPayload {
    /// How they may be reached now; null when the change was refused.
    pub contact_policy: Option<ContactPolicy>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// A holiday to be.
#[derive(Clone, Debug, InputObject)]
pub struct HolidayInput {
    /// The day.
    pub on: Date,
    /// What it is called, up to 100 characters.
    pub name: String,
}

/// What came of setting holidays.
#[derive(SimpleObject)]
pub struct SetHolidaysPayload {
    /// How many holidays the year has now; null when that was refused.
    pub days: Option<i32>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// How customers may be reached.
#[derive(Default)]
pub struct ContactPolicyQuery;

/// How customers may be reached.
#[Object]
impl ContactPolicyQuery {
    /// How customers may be reached, with the laws that Rapport knows.
    #[graphql(guard = "Can(Permission::ReadCustomers)")]
    async fn contact_policy(&self, ctx: &Context<'_>) -> Result<ContactPolicy, Fault> {
        Ok(policy::current(ctx.reader()).await?.into())
    }
}

/// How customers may be reached.
#[derive(Default)]
pub struct ContactPolicyMutation;

/// How customers may be reached.
#[Object]
impl ContactPolicyMutation {
    /// Says how customers may be reached from now on, what has not left yet included.
    #[graphql(guard = "CanAll(Permission::WriteContactRules)")]
    async fn update_contact_policy(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "How they may be reached, as a whole.")] input: UpdateContactPolicyInput,
        #[graphql(
            desc = "The number of the policy that it follows; another one is refused with STALE_VERSION."
        )]
        expected_number: i32,
    ) -> Result<UpdateContactPolicyPayload, Fault> {
        let once = Once::new(None, "updateContactPolicy", &input);
        let (rules, packs) = input.parse();
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (rules, packs) = (rules.clone(), packs.clone());
            async move {
                policy::replace(txn, &rules, &packs, expected_number, actor, now).await?;
                Ok(Uuid::nil())
            }
            .boxed()
        });
        Ok(match outcome.await? {
            Ok(_) => {
                let policy = policy::current(ctx.reader()).await?;
                UpdateContactPolicyPayload {
                    contact_policy: Some(policy.into()),
                    user_errors: Vec::new(),
                }
            }
            Err(user_errors) => UpdateContactPolicyPayload { contact_policy: None, user_errors },
        })
    }

    /// Says which days of a year are holidays in a country, instead of those that were before.
    #[graphql(guard = "CanAll(Permission::WriteContactRules)")]
    async fn set_holidays(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The country, as ISO 3166-1 alpha-2, such as `VN`.")] country: String,
        #[graphql(desc = "The year.")] year: i32,
        #[graphql(
            desc = "All holidays of the year; none when it is empty.",
            validator(max_items = 60)
        )]
        days: Vec<HolidayInput>,
    ) -> Result<SetHolidaysPayload, Fault> {
        let count = i32::try_from(days.len()).unwrap_or(i32::MAX);
        let once = Once::new(None, "setHolidays", &days);
        let days: Vec<(NaiveDate, String)> =
            days.into_iter().map(|day| (day.on.0, day.name)).collect();
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (country, days) = (country.clone(), days.clone());
            async move {
                holiday::set(txn, &country, year, days, actor, now).await?;
                Ok(Uuid::nil())
            }
            .boxed()
        });
        Ok(match outcome.await? {
            Ok(_) => SetHolidaysPayload { days: Some(count), user_errors: Vec::new() },
            Err(user_errors) => SetHolidaysPayload { days: None, user_errors },
        })
    }
}

impl UpdateContactPolicyInput {
    fn parse(self) -> (Rules, BTreeMap<String, Mode>) {
        let concern = |classes: Vec<MessageClass>, channels: Vec<Channel>| Concern {
            classes: classes.into_iter().map(Into::into).collect(),
            channels: channels.into_iter().map(Into::into).collect(),
        };
        let hours = self.hours.into_iter().map(|hours| Hours {
            concern: concern(hours.classes, hours.channels),
            window: Window {
                from: hours.from.0,
                until: hours.until.0,
                days: hours.days.into_iter().map(Into::into).collect(),
            },
        });
        let caps = self.caps.into_iter().map(|cap| Cap {
            concern: concern(cap.classes, cap.channels),
            most: cap.most,
            within_s: cap.within.0.num_seconds(),
        });
        let consent = self.consent.into_iter().map(|consent| Consent {
            classes: consent.classes.into_iter().map(Into::into).collect(),
            bases: consent.bases.into_iter().map(Into::into).collect(),
        });
        let rules = Rules {
            hours: hours.collect(),
            caps: caps.collect(),
            holidays: self.holidays.into_iter().map(Into::into).collect(),
            consent: consent.collect(),
        };
        (rules, self.packs.into_iter().map(|pack| (pack.key, pack.mode.into())).collect())
    }
}

/// Rules in the form of the API.
struct Shown {
    hours: Vec<ContactHours>,
    caps: Vec<ContactCap>,
    consent: Vec<ContactConsent>,
}

impl From<&Rules> for Shown {
    fn from(rules: &Rules) -> Self {
        let classes =
            |classes: &[message::Class]| classes.iter().copied().map(Into::into).collect();
        let channels =
            |channels: &[customer::Channel]| channels.iter().copied().map(Into::into).collect();
        let hours = rules.hours.iter().map(|hours| ContactHours {
            classes: classes(&hours.concern.classes),
            channels: channels(&hours.concern.channels),
            from: LocalTime(hours.window.from),
            until: LocalTime(hours.window.until),
            days: hours.window.days.iter().copied().map(Into::into).collect(),
        });
        let caps = rules.caps.iter().map(|cap| ContactCap {
            classes: classes(&cap.concern.classes),
            channels: channels(&cap.concern.channels),
            most: i32::try_from(cap.most).unwrap_or(i32::MAX),
            within: Duration(TimeDelta::seconds(cap.within_s)),
        });
        let consent = rules.consent.iter().map(|consent| ContactConsent {
            classes: classes(&consent.classes),
            bases: consent.bases.iter().copied().map(Into::into).collect(),
        });
        Self { hours: hours.collect(), caps: caps.collect(), consent: consent.collect() }
    }
}

impl From<Policy> for ContactPolicy {
    fn from(policy: Policy) -> Self {
        let packs = pack::all().iter().map(|pack| {
            let mode = policy.packs.get(pack.key.as_str()).copied().unwrap_or(Mode::Off);
            let Shown { hours, caps, consent } = Shown::from(&pack.rules);
            ContactPack {
                key: pack.key.clone(),
                version: pack.version.clone(),
                title: pack.title.clone(),
                countries: pack.countries.clone(),
                sources: pack.sources.clone(),
                mode: mode.into(),
                hours,
                caps,
                consent,
            }
        });
        let Shown { hours, caps, consent } = Shown::from(&policy.own);
        Self {
            number: policy.number,
            hours,
            caps,
            holidays: policy.own.holidays.iter().copied().map(Into::into).collect(),
            consent,
            packs: packs.collect(),
        }
    }
}
