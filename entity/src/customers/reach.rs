//! Who is written to at a customer, and where, on each of the channels.

use std::collections::{HashMap, HashSet};

use sea_orm::QueryOrder;
use sea_orm::entity::prelude::*;

use super::customer::Channel;
use super::{address, contact, customer, phone};
use crate::access::organisation;
use crate::automation::message::Reason;
use crate::error::Error;
use crate::id::CustomerId;

/// A customer, who gets their bills, and where they are.
#[derive(Clone, Debug)]
pub struct Reach {
    /// The customer.
    pub customer: customer::Model,
    /// The contacts who get bills, the oldest first.
    billing: Vec<contact::Model>,
    /// Where bills go, the oldest first, and then other addresses; empty for whom only e-mail is for.
    addresses: Vec<address::Model>,
    /// The country that the organisation's own number says it is in.
    home: Option<&'static str>,
}

/// How long the address of a letter is on one line, at most; longer ones fit no window.
const LONGEST: usize = 500;

/// Who is written to, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee<'a> {
    /// What they are called.
    pub name: &'a str,
    /// Their address or number on the channel, on one line; or why there is none.
    pub address: Result<String, Reason>,
}

impl Reach {
    /// Who is written to on a channel: for what is about money the oldest contact who gets bills and can be reached on it, if
    /// there is one.
    #[must_use]
    pub fn addressee(&self, channel: Channel, about_money: bool) -> Addressee<'_> {
        let of_contact = |contact: &contact::Model| match channel {
            Channel::Email => contact.email.clone(),
            Channel::Sms | Channel::Phone => contact.phone.clone(),
            _ => None,
        };
        let mut contacts = self.billing.iter().filter(|_| about_money);
        let contact = contacts.find_map(|one| Some((&one.name, of_contact(one)?)));
        let (name, known) = contact.map_or_else(
            || (&self.customer.display_name, self.known(channel)),
            |(name, known)| (name, Some(known)),
        );
        Addressee { name, address: usable(channel, known, || self.country()) }
    }

    /// The lines of the field that a letter's address is in, without the name; empty when no address is complete.
    #[must_use]
    pub fn letter_lines(&self) -> Vec<String> {
        let complete = self.addresses.iter().find(|address| address.is_complete());
        complete.map(address::Model::letter_lines).unwrap_or_default()
    }

    /// What is known of where the customer itself is on a channel.
    fn known(&self, channel: Channel) -> Option<String> {
        match channel {
            Channel::Email => self.customer.email.clone(),
            Channel::Sms | Channel::Phone => self.customer.phone.clone(),
            Channel::Letter => on_one_line(&self.letter_lines()),
            _ => None,
        }
    }

    /// The country in which a number without a country's code is: where bills go, or else any that is known, or else the
    /// organisation's.
    fn country(&self) -> Option<&str> {
        let country = self.addresses.iter().find_map(|address| address.country.as_deref());
        country.or(self.home)
    }
}

/// What is known of where somebody is on a channel, in the form that something is sent to; or why it cannot be.
pub(crate) fn usable<'a>(
    channel: Channel,
    known: Option<String>,
    country: impl FnOnce() -> Option<&'a str>,
) -> Result<String, Reason> {
    let known = known.ok_or(Reason::NoAddress)?;
    match channel {
        Channel::Sms => phone::e164(&known, country()).ok_or(Reason::BadAddress),
        Channel::Letter if known.chars().count() > LONGEST => Err(Reason::BadAddress),
        _ => Ok(known),
    }
}

/// The lines of an address on one, if there are any.
pub(crate) fn on_one_line(lines: &[String]) -> Option<String> {
    Some(lines.join(", ")).filter(|line| !line.is_empty())
}

/// Whether something is sent to an address on a channel; on the others there is none to be missed.
pub(crate) fn is_sent_to(channel: Channel) -> bool {
    matches!(channel, Channel::Email | Channel::Sms | Channel::Phone | Channel::Letter)
}

/// Who is written to at customers on channels, by the customers' ids. What no channel needs is not read.
///
/// # Errors
/// The database.
pub async fn reach(
    db: &impl ConnectionTrait,
    wanted: impl IntoIterator<Item = (CustomerId, Channel)>,
) -> Result<HashMap<CustomerId, Reach>, Error> {
    let wanted = wanted.into_iter().collect::<HashSet<_>>();
    let ids = wanted.iter().map(|(customer, _)| *customer).collect::<HashSet<_>>();
    let contacts = contact::Entity::find()
        .filter(contact::Column::CustomerId.is_in(ids.iter().copied()))
        .filter(contact::Column::Billing.eq(true))
        .order_by_asc(contact::Column::Id);
    let mut billing = HashMap::<_, Vec<_>>::new();
    for contact in contacts.all(db).await? {
        billing.entry(contact.customer_id).or_default().push(contact);
    }
    let beyond_mail = wanted.iter().filter(|(_, channel)| *channel != Channel::Email);
    let placed = beyond_mail.map(|(customer, _)| *customer).collect::<HashSet<_>>();
    let mut addresses = places(db, placed).await?;
    let home = match wanted.iter().any(|(_, channel)| *channel == Channel::Sms) {
        true => organisation::get(db).await?.phone.as_deref().and_then(phone::country),
        false => None,
    };
    let customers = customer::Entity::find().filter(customer::Column::Id.is_in(ids));
    let reached = customers.all(db).await?.into_iter().map(|customer| {
        let billing = billing.remove(&customer.id).unwrap_or_default();
        let addresses = addresses.remove(&customer.id).unwrap_or_default();
        (customer.id, Reach { customer, billing, addresses, home })
    });
    Ok(reached.collect())
}

/// Where customers are: where bills go first, and the oldest first among these and the others.
async fn places(
    db: &impl ConnectionTrait,
    customers: HashSet<CustomerId>,
) -> Result<HashMap<CustomerId, Vec<address::Model>>, DbErr> {
    let mut places = HashMap::<_, Vec<_>>::new();
    if customers.is_empty() {
        return Ok(places);
    }
    let addresses = address::Entity::find()
        .filter(address::Column::CustomerId.is_in(customers))
        .order_by_asc(address::Column::Id);
    for address in addresses.all(db).await? {
        places.entry(address.customer_id).or_default().push(address);
    }
    for addresses in places.values_mut() {
        addresses.sort_by_key(|address| address.kind != address::Kind::Billing);
    }
    Ok(places)
}
