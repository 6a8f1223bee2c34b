//! What the gate has to know of many customers at once: a constant number of statements, however many they are.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::LockType;
use sea_orm::{QueryOrder, QuerySelect};

use super::policy::{self, Policy};
use super::{Decision, Facts, Sending, Sent, Verdict, gate, holiday};
use crate::access::organisation;
use crate::automation::message;
use crate::collaboration::call;
use crate::customers::address;
use crate::customers::customer::{self, Channel};
use crate::error::Error;
use crate::id::CustomerId;
use crate::marketing::{consent, suppression};

/// Whom something is about to reach, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Recipient {
    /// The customer.
    pub customer: CustomerId,
    /// On which channel.
    pub channel: Channel,
    /// At which address or number; none where it is not known.
    pub address: Option<String>,
}

/// What is known of several customers, and how they may be reached.
#[derive(Debug, Default)]
pub struct Recipients {
    /// The rules.
    pub policy: Policy,
    customers: HashMap<CustomerId, Facts>,
    causes: HashMap<(Channel, String), Vec<suppression::Cause>>,
}

impl Recipients {
    /// What is known of the recipients at `now`.
    ///
    /// # Errors
    /// The database.
    pub async fn load(
        db: &impl ConnectionTrait,
        recipients: &[Recipient],
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let policy = policy::current(db).await?;
        let ids: Vec<_> = recipients.iter().map(|one| one.customer).collect();
        let hashes: Vec<_> = recipients.iter().filter_map(Recipient::hash).collect();
        let causes = suppression::causes(db, &hashes).await?;
        let zone = organisation::get(db).await?.zone();
        let zones: Vec<(CustomerId, String)> = customer::Entity::find()
            .select_only()
            .columns([customer::Column::Id, customer::Column::TimeZone])
            .filter(customer::Column::Id.is_in(ids.iter().copied()))
            .into_tuple()
            .all(db)
            .await?;
        let countries = countries(db, &ids).await?;
        let mut said = consent::latest(db, &ids).await?;
        let mut sent = match policy.memory() {
            Some(memory) => sent(db, &ids, now - memory).await?,
            None => HashMap::new(),
        };
        let known = countries.values().map(String::as_str).collect::<HashSet<_>>();
        let since = (now - TimeDelta::days(2)).date_naive();
        let holidays = holiday::of(db, known, since).await?;
        let customers = zones.into_iter().map(|(id, name)| {
            let country = countries.get(&id).cloned();
            let free = country.as_ref().and_then(|country| holidays.get(country));
            let facts = Facts {
                zones: vec![name.parse::<Tz>().unwrap_or(zone)],
                holidays: free.cloned().unwrap_or_default(),
                country,
                causes: Vec::new(),
                consents: said.remove(&id).unwrap_or_default(),
                sent: sent.remove(&id).unwrap_or_default(),
            };
            (id, facts)
        });
        Ok(Self { policy, customers: customers.collect(), causes })
    }

    /// Finds out what is not known yet of the recipients at `now`; what has gone to the others stays known.
    ///
    /// # Errors
    /// The database.
    pub(crate) async fn learn(
        &mut self,
        db: &impl ConnectionTrait,
        recipients: &[Recipient],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let new = recipients.iter().filter(|to| !self.customers.contains_key(&to.customer));
        let new = new.cloned().collect::<Vec<_>>();
        if new.is_empty() {
            return Ok(());
        }
        let Self { policy, customers, causes } = Self::load(db, &new, now).await?;
        self.policy = policy;
        self.customers.extend(customers);
        self.causes.extend(causes);
        Ok(())
    }

    /// What is known of their addresses alone, for what answers to what they did.
    ///
    /// # Errors
    /// The database.
    pub async fn addresses(
        db: &impl ConnectionTrait,
        recipients: &[Recipient],
    ) -> Result<Self, Error> {
        let hashes: Vec<_> = recipients.iter().filter_map(Recipient::hash).collect();
        let causes = suppression::causes(db, &hashes).await?;
        let customers = recipients.iter().map(|to| (to.customer, Facts::default())).collect();
        Ok(Self { policy: Policy::default(), customers, causes })
    }

    /// Whether something may reach one of them at `now`; none for a customer that there is not. What may go counts
    /// from then on.
    pub fn decide(
        &mut self,
        to: &Recipient,
        sending: Sending<'_>,
        now: DateTime<Utc>,
    ) -> Option<Decision> {
        let facts = self.customers.get_mut(&to.customer)?;
        let causes = to.hash().and_then(|hash| self.causes.get(&(to.channel, hash)));
        facts.causes = causes.cloned().unwrap_or_default();
        let decision = gate(sending, facts, &self.policy, now);
        if decision.verdict == Verdict::Send {
            facts.sent.push(Sent { class: sending.class, channel: sending.channel, at: now });
        }
        Some(decision)
    }
}

impl Recipient {
    fn hash(&self) -> Option<String> {
        suppression::hash(self.channel, self.address.as_deref()?).ok()
    }
}

/// Lets nobody else decide about the customers until the transaction ends, so that two messages never share the last
/// place under a cap.
///
/// # Errors
/// The database.
pub(crate) async fn hold(
    txn: &impl ConnectionTrait,
    customers: impl IntoIterator<Item = CustomerId>,
) -> Result<(), DbErr> {
    customer::Entity::find()
        .select_only()
        .column(customer::Column::Id)
        .filter(customer::Column::Id.is_in(customers))
        .order_by_asc(customer::Column::Id)
        .lock(LockType::NoKeyUpdate)
        .into_tuple::<CustomerId>()
        .all(txn)
        .await?;
    Ok(())
}

/// On which days people do not work where customers are, from a day on.
///
/// # Errors
/// The database.
pub(crate) async fn free_days(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    since: NaiveDate,
) -> Result<HashMap<CustomerId, Vec<NaiveDate>>, DbErr> {
    let countries = countries(db, customers).await?;
    let known = countries.values().map(String::as_str).collect();
    let days = holiday::of(db, known, since).await?;
    let free = |(customer, country)| Some((customer, days.get(&country)?.clone()));
    Ok(countries.into_iter().filter_map(free).collect())
}

/// The countries of customers: where bills go, or else any that is known.
///
/// # Errors
/// The database.
pub(crate) async fn countries(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<CustomerId, String>, DbErr> {
    let addresses: Vec<(CustomerId, address::Kind, Option<String>)> = address::Entity::find()
        .select_only()
        .columns([address::Column::CustomerId, address::Column::Kind, address::Column::Country])
        .filter(address::Column::CustomerId.is_in(customers.iter().copied()))
        .filter(address::Column::Country.is_not_null())
        .order_by_desc(address::Column::Id)
        .into_tuple()
        .all(db)
        .await?;
    let (bills, others): (Vec<_>, Vec<_>) =
        addresses.into_iter().partition(|(_, kind, _)| *kind == address::Kind::Billing);
    // The last one that is taken in stays: the oldest of those to which bills go.
    let all = others.into_iter().chain(bills);
    Ok(all.filter_map(|(customer, _, country)| Some((customer, country?))).collect())
}

/// What has gone to customers since an instant, and the calls that were made to them about what they owe.
async fn sent(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    since: DateTime<Utc>,
) -> Result<HashMap<CustomerId, Vec<Sent>>, DbErr> {
    use message::Column;
    let rows: Vec<(CustomerId, message::Class, Channel, DateTime<Utc>)> = message::Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::Class, Column::Channel, Column::TransmittedAt])
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::TransmittedAt.gt(since))
        .filter(Column::State.is_in(message::SENT))
        .into_tuple()
        .all(db)
        .await?;
    let mut sent = HashMap::<CustomerId, Vec<Sent>>::new();
    for (customer, class, channel, at) in rows {
        sent.entry(customer).or_default().push(Sent { class, channel, at });
    }
    for (customer, at) in call::asked(db, customers, since).await? {
        let one = Sent { class: message::Class::Collection, channel: Channel::Phone, at };
        sent.entry(customer).or_default().push(one);
    }
    Ok(sent)
}
