//! What a step of a workflow plans for somebody to do: whose it is, when it is, and on whose clock.

use std::collections::HashMap;

use chrono::{Days, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use sea_orm::prelude::*;
use serde::{Deserialize, Serialize};

use crate::access::organisation;
use crate::automation::workflow::definition::{LONGEST, Zone};
use crate::automation::workflow::moment;
use crate::automation::workflow::performer::Turn;
use crate::catalog::Record;
use crate::check::Check;
use crate::customers::customer;
use crate::edit;
use crate::error::Error;
use crate::id::{CustomerId, Id, UserId};

/// Why a step is not done for a user who is gone, or switched off.
pub(super) const NO_SUCH_USER: &str = "there is no such user who can log in; choose somebody else";

/// Why a step is not done for a customer that is gone.
pub(super) const GONE: &str = "the customer is gone";

/// When it is, seen from the step that plans it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Later {
    /// So many seconds after the step.
    After(i64),
    /// So many days after the day of the step, when a clock shows a time. The next time that it does, for no days.
    On {
        /// How many days.
        days: u32,
        /// At what time.
        at: NaiveTime,
        /// On whose clock.
        zone: Zone,
    },
}

impl Later {
    /// Notes what is wrong with it.
    pub(super) fn check(self, check: &mut Check) {
        let near = match self {
            Self::After(seconds) => (0..=LONGEST.num_seconds()).contains(&seconds),
            Self::On { days, .. } => i64::from(days) <= LONGEST.num_days(),
        };
        check.that(near, "planned", format!("0 to {} days", LONGEST.num_days()));
    }

    /// The instant, for a step that is done at `now`.
    fn instant(self, now: DateTimeUtc, zone: Tz) -> DateTimeUtc {
        match self {
            Self::After(seconds) => now + TimeDelta::seconds(seconds),
            Self::On { days: 0, at, .. } => moment::next(now, at, zone),
            Self::On { days, at, .. } => {
                let today = now.with_timezone(&zone).date_naive();
                let day = today.checked_add_days(Days::new(days.into()));
                day.map_or(now, |day| moment::instant(day, at, zone))
            }
        }
    }
}

/// What there is to know of those for whom something is planned.
pub(super) struct Around {
    named: Option<UserId>,
    owners: HashMap<CustomerId, Option<UserId>>,
    zones: HashMap<CustomerId, Tz>,
    organisation: Tz,
}

impl Around {
    /// What there is to know around the customers of runs, where the step names a user or nobody; none when who is
    /// named cannot log in.
    pub async fn load(
        db: &impl ConnectionTrait,
        named: Option<&str>,
        turns: &[Turn<'_>],
    ) -> Result<Option<Self>, Error> {
        let named = named.and_then(UserId::parse);
        if edit::active(db, named).await? != named {
            return Ok(None);
        }
        let customers = || turns.iter().filter_map(|turn| turn.run.customer_id);
        Ok(Some(Self {
            named,
            owners: customer::owners(db, customers()).await?,
            zones: customer::zones(db, customers()).await?,
            organisation: organisation::get(db).await?.zone(),
        }))
    }

    /// Whose it is: who is named, or else who looks after the customer, if somebody does.
    ///
    /// # Errors
    /// Why the step is not done for the customer.
    pub fn user(&self, customer: CustomerId) -> Result<Option<UserId>, &'static str> {
        let owner = self.owners.get(&customer).ok_or(GONE)?;
        Ok(self.named.or(*owner))
    }

    /// On whose clock the customer lives.
    pub fn zone(&self, customer: CustomerId) -> Tz {
        self.zones.get(&customer).copied().unwrap_or(self.organisation)
    }

    /// When it is for the customer, and on whose clock that was found.
    pub fn planned(
        &self,
        later: Later,
        customer: CustomerId,
        now: DateTimeUtc,
    ) -> (DateTimeUtc, Tz) {
        let zone = match later {
            Later::On { zone: Zone::Organisation, .. } => self.organisation,
            Later::After(_) | Later::On { .. } => self.zone(customer),
        };
        (later.instant(now, zone), zone)
    }
}

/// Notes that a step names a user who cannot be, or is done for records that concern no customer.
pub(super) fn check_whose(
    record: &Record,
    named: Option<&str>,
    field: &'static str,
    check: &mut Check,
) {
    let concerns = record.table == "customer" || record.field("customer").is_some();
    check.that(concerns, "what", "this kind of record concerns no customer");
    let is_user = named.is_none_or(|user| UserId::parse(user).is_some());
    check.that(is_user, field, "there is no such user");
}
