//! How many of a segment can be reached on a channel, and why the others cannot.
//!
//! Invariant: each customer is looked at by the very rules of the gate that do not depend on the time, with the facts that
//! it would have; what differs is that these are read for many at once, in the order of an index, and that customers of whom
//! the same is known are decided on once.

use std::collections::{BTreeMap, HashMap};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{BinOper, ExprTrait, Order, Query, SelectStatement};
use sea_orm::{ActiveEnum, Condition, Iterable, QueryOrder, QueryResult};

use super::member;
use super::refresh::present;
use super::sample::COUNTRY;
use crate::access::{Viewer, organisation};
use crate::automation::gate::policy::{self, Policy};
use crate::automation::gate::{Facts, Finding, Sending, Word, permitted};
use crate::automation::message::{Class, Reason};
use crate::catalog::Scope;
use crate::customers::custom::CustomFields;
use crate::customers::customer::{self, Channel};
use crate::customers::reach::{is_sent_to, on_one_line, usable};
use crate::customers::{address, phone};
use crate::error::Error;
use crate::id::{CustomerId, SegmentId};
use crate::marketing::consent::{self, Basis, Standing};
use crate::marketing::suppression::{self, Cause};

/// How many customers are looked at by one statement.
const PAGE: u64 = 50_000;

/// What would be sent.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The way it would go; the one that each customer likes best, or e-mail, when absent.
    pub channel: Option<Channel>,
    /// What it would be about, such as `newsletter`.
    pub topic: Option<&'a str>,
}

/// How many can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// How many customers there are.
    pub total: u64,
    /// How many of them something may go to.
    pub reachable: u64,
    /// How many of these only because a law that would hold it back only warns.
    pub warned: u64,
    /// Why nothing may go to the others, most first.
    pub reasons: Vec<(Reason, u64)>,
    /// How many there are on each channel, and how many of these can be reached.
    pub channels: Vec<(Channel, u64, u64)>,
}

/// What is known of a customer, as far as it decides.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Known {
    channel: Channel,
    country: Option<String>,
    address: Result<(), Reason>,
    causes: Vec<Cause>,
    general: Option<(Standing, Basis)>,
    topic: Option<(Standing, Basis)>,
}

/// What is found out of everybody before.
struct Ground<'a> {
    asked: Asked<'a>,
    policy: Policy,
    causes: HashMap<(Channel, String), Vec<Cause>>,
    home: Option<&'static str>,
}

/// How many customers of a segment something of marketing may reach that the viewer sees.
///
/// # Errors
/// The database.
pub async fn reach(
    db: &DatabaseConnection,
    segment: SegmentId,
    asked: Asked<'_>,
    viewer: &Viewer,
) -> Result<Reached, Error> {
    let custom = CustomFields::default();
    let present = present(&Json::Null, Scope::of(db, viewer, &custom));
    let ground = Ground {
        asked,
        policy: policy::current(db).await?,
        causes: suppression::on_channel(db, asked.channel).await?,
        home: organisation::get(db).await?.phone.as_deref().and_then(phone::country),
    };
    let goes_by_letter = asked.channel.is_none_or(|channel| channel == Channel::Letter);
    let mut counts = HashMap::<Known, u64>::new();
    let mut after = Uuid::nil();
    loop {
        let rows = db.query_all(&facts(segment, asked, present.clone(), after)).await?;
        let Some(last) = rows.last() else { break };
        let last = last.try_get_by_index(0)?;
        let letters = match goes_by_letter {
            true => letters(db, segment, (after, last)).await?,
            false => HashMap::new(),
        };
        for row in &rows {
            *counts.entry(ground.known(row, &letters)?).or_default() += 1;
        }
        if (rows.len() as u64) < PAGE {
            break;
        }
        after = last;
    }
    Ok(ground.sum(counts))
}

/// What is known of each customer of a page.
fn facts(segment: SegmentId, asked: Asked<'_>, present: Condition, after: Uuid) -> SelectStatement {
    let column = |column: customer::Column| (customer::Entity, column);
    let preferred = Expr::col(column(customer::Column::PreferredChannel));
    let channel = match asked.channel {
        Some(channel) => Expr::val(channel.to_value()),
        None => preferred.if_null(Channel::Email.to_value()),
    };
    let word = |topic: Option<&str>| {
        let of = |column: consent::Column| Expr::col((consent::Entity, column));
        let mut said = Query::select();
        let and = || BinOper::Custom("||");
        let both = of(consent::Column::Standing).binary(and(), Expr::val(" "));
        let both = both.binary(and(), of(consent::Column::Basis));
        said.expr(both)
            .from(consent::Entity)
            .and_where(of(consent::Column::CustomerId).eq(Expr::col(column(customer::Column::Id))))
            .and_where(of(consent::Column::Channel).eq(channel.clone()))
            .and_where(match topic {
                Some(topic) => of(consent::Column::Topic).eq(topic),
                None => of(consent::Column::Topic).is_null(),
            })
            .order_by((consent::Entity, consent::Column::SaidAt), Order::Desc)
            .order_by((consent::Entity, consent::Column::Id), Order::Desc)
            .limit(1);
        Expr::SubQuery(None, Box::new(said.into()))
    };
    let of = |column: member::Column| (member::Entity, column);
    let mut facts = Query::select();
    facts
        .column(column(customer::Column::Id))
        .column(column(customer::Column::Email))
        .column(column(customer::Column::Phone))
        .expr(channel.clone())
        .expr(Expr::cust(COUNTRY))
        .expr(word(None))
        .expr(asked.topic.map_or_else(|| Expr::val(None::<String>), |topic| word(Some(topic))))
        .from(member::Entity)
        .inner_join(
            customer::Entity,
            Expr::col(column(customer::Column::Id)).equals(of(member::Column::CustomerId)),
        )
        .and_where(Expr::col(of(member::Column::SegmentId)).eq(segment.0))
        .and_where(Expr::col(of(member::Column::CustomerId)).gt(after))
        .cond_where(present)
        .order_by(of(member::Column::CustomerId), Order::Asc)
        .limit(PAGE);
    facts
}

impl Ground<'_> {
    /// What a row says of a customer.
    fn known(&self, row: &QueryResult, letters: &Letters) -> Result<Known, DbErr> {
        let id = CustomerId(row.try_get_by_index(0)?);
        let (email, phone): (Option<String>, Option<String>) =
            (row.try_get_by_index(1)?, row.try_get_by_index(2)?);
        let channel = Channel::try_from_value(&row.try_get_by_index(3)?)?;
        let country: String = row.try_get_by_index(4)?;
        let country = Some(country).filter(|country| !country.is_empty());
        let typed = match channel {
            Channel::Email => email,
            Channel::Sms | Channel::Phone => phone,
            Channel::Letter => letters.get(&id).cloned(),
            _ => None,
        };
        let address = usable(channel, typed, || country.as_deref().or(self.home));
        let hash = address.as_ref().ok().and_then(|at| suppression::hash(channel, at).ok());
        let causes = hash.and_then(|hash| self.causes.get(&(channel, hash)).cloned());
        Ok(Known {
            channel,
            country,
            address: address.map(drop),
            causes: causes.unwrap_or_default(),
            general: word(row, 5)?,
            topic: word(row, 6)?,
        })
    }

    fn sum(&self, counts: HashMap<Known, u64>) -> Reached {
        let mut reached = Reached::default();
        let (mut reasons, mut channels) = (HashMap::<Reason, u64>::new(), BTreeMap::new());
        let places = Channel::iter().enumerate().map(|(place, channel)| (channel, place));
        let places: HashMap<_, _> = places.collect();
        for (known, many) in counts {
            let (held, warns) = self.decide(&known);
            let of = channels.entry(places[&known.channel]).or_insert((known.channel, 0, 0));
            reached.total += many;
            of.1 += many;
            if let Some(reason) = held {
                *reasons.entry(reason).or_default() += many;
                continue;
            }
            reached.reachable += many;
            reached.warned += if warns { many } else { 0 };
            of.2 += many;
        }
        reached.reasons = reasons.into_iter().collect();
        reached.reasons.sort_by(|(one, few), (other, many)| {
            many.cmp(few).then_with(|| one.to_value().cmp(&other.to_value()))
        });
        reached.channels = channels.into_values().collect();
        reached
    }

    /// Why nothing may go, and whether a rule would hold it back that only warns.
    fn decide(&self, known: &Known) -> (Option<Reason>, bool) {
        let Known { channel, country, address, causes, general, topic } = known;
        if let Some(reason) = address.err().filter(|_| is_sent_to(*channel)) {
            return (Some(reason), false);
        }
        let word = |said: &Option<(Standing, Basis)>, topic: Option<&str>| {
            let (standing, basis) = (*said)?;
            let topic = topic.map(str::to_owned);
            // When it was said does not decide: it is the latest.
            Some(Word { channel: *channel, topic, standing, basis, at: DateTimeUtc::UNIX_EPOCH })
        };
        let said = [word(general, None), word(topic, self.asked.topic)];
        let facts = Facts {
            country: country.clone(),
            causes: causes.clone(),
            consents: said.into_iter().flatten().collect(),
            ..Facts::default()
        };
        let sending =
            Sending { class: Class::Marketing, channel: *channel, topic: self.asked.topic };
        let (trace, held) = permitted(sending, &facts, &self.policy);
        let warns = trace.iter().any(|looked| looked.finding == Finding::Warned);
        (held, warns)
    }
}

/// What a customer has said last.
fn word(row: &QueryResult, index: usize) -> Result<Option<(Standing, Basis)>, DbErr> {
    let said: Option<String> = row.try_get_by_index(index)?;
    let Some(said) = said else { return Ok(None) };
    let (standing, basis) = said.split_once(' ').unwrap_or((&said, ""));
    Ok(Some((
        Standing::try_from_value(&standing.to_owned())?,
        Basis::try_from_value(&basis.to_owned())?,
    )))
}

/// Where letters go, on one line.
type Letters = HashMap<CustomerId, String>;

/// Where letters go to customers of a page, of those for whom an address is complete.
async fn letters(
    db: &DatabaseConnection,
    segment: SegmentId,
    (after, last): (Uuid, Uuid),
) -> Result<Letters, DbErr> {
    let mut customers = Query::select();
    customers
        .column(member::Column::CustomerId)
        .from(member::Entity)
        .and_where(member::Column::SegmentId.eq(segment))
        .and_where(member::Column::CustomerId.gt(after))
        .and_where(member::Column::CustomerId.lte(last));
    let addresses = address::Entity::find()
        .filter(address::Column::CustomerId.in_subquery(customers))
        .order_by_asc(address::Column::Id)
        .all(db)
        .await?;
    let complete = addresses.into_iter().filter(address::Model::is_complete);
    let (billing, others): (Vec<_>, Vec<_>) =
        complete.partition(|address| address.kind == address::Kind::Billing);
    let mut letters = Letters::new();
    for address in billing.into_iter().chain(others) {
        if let Some(line) = on_one_line(&address.letter_lines()) {
            letters.entry(address.customer_id).or_insert(line);
        }
    }
    Ok(letters)
}
