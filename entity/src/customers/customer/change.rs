//! Changing a customer.

use sea_orm::entity::prelude::*;

use super::{Channel, Entity, Kind, LifecycleStage, Model, lock_present, owner};
use crate::access::{Actor, Viewer};
use crate::automation::event;
use crate::check::Check;
use crate::collaboration::notification;
use crate::customers::custom::{CustomValue, Setter};
use crate::customers::{
    CustomersError, parse_email_if_any, parse_language, parse_required, parse_text, parse_zone,
};
use crate::edit::save;
use crate::error::Error;
use crate::finance::ledger;
use crate::id::{CustomerId, UserId};
use crate::money::Currency;

/// A change of a customer. The outer `None` keeps a field, an inner `None` clears it.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// The number that people know it by.
    pub number: Option<Option<String>>,
    /// What kind of party it is.
    pub kind: Option<Kind>,
    /// How far the relation has come.
    pub stage: Option<LifecycleStage>,
    /// What it is called.
    pub display_name: Option<String>,
    /// Who looks after it.
    pub owner_id: Option<Option<UserId>>,
    /// How it likes to be reached.
    pub preferred_channel: Option<Option<Channel>>,
    /// Where mail reaches it.
    pub email: Option<Option<String>>,
    /// Where calls reach it.
    pub phone: Option<Option<String>>,
    /// Its tax number.
    pub tax_number: Option<Option<String>>,
    /// The language it is written to in.
    pub language: Option<String>,
    /// The IANA zone it lives in.
    pub time_zone: Option<String>,
    /// The currency it is usually invoiced in.
    pub currency: Option<Currency>,
    /// Values of custom fields; those that are not there stay.
    pub custom: Vec<CustomValue>,
}

/// Changes a customer, if it still has `expected_version` (where one is given).
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `Invalid`; [`CustomersError::OwnerOutOfReach`] and
/// [`CustomersError::NoSuchOwner`] for whom it cannot be handed to.
pub async fn update(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    change: Change,
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock_present(txn, id, expected_version).await?;
    if let Some(owner) = change.owner_id.filter(|owner| *owner != row.owner_id) {
        owner::ensure(txn, owner, viewer).await?;
    }
    if change.currency.is_some_and(|currency| currency != row.currency)
        && ledger::has_entries(txn, id).await?
    {
        return Err(CustomersError::CurrencyInUse.into());
    }
    let actor = Actor::from(viewer);
    let setter = Setter::load(txn, actor, now).await?;
    let owner = row.owner_id;
    let mut check = Check::default();
    change.apply(&mut row, &setter, false, &mut check);
    check.end()?;
    event::emit(txn, event::Kind::CustomerUpdated, id.0, Some(id), actor, now).await?;
    let row = save::<Entity>(txn, row, actor, now).await?;
    if row.owner_id != owner {
        row.tell_owner(txn, actor, now).await?;
    }
    Ok(row)
}

impl Change {
    /// Applies it to `row`, which may be new, and notes what has not its form. Whether the owner exists, the number
    /// is free and the currency may change is for the caller to find out.
    pub(super) fn apply(self, row: &mut Model, setter: &Setter, is_new: bool, check: &mut Check) {
        setter.set(&mut row.custom, self.custom, is_new, check);
        if let Some(number) = self.number {
            check.put(parse_text("number", number, 64), &mut row.number);
        }
        if let Some(phone) = self.phone {
            check.put(parse_text("phone", phone, 64), &mut row.phone);
        }
        if let Some(tax_number) = self.tax_number {
            check.put(parse_text("taxNumber", tax_number, 64), &mut row.tax_number);
        }
        if let Some(email) = self.email {
            check.put(parse_email_if_any(email), &mut row.email);
        }
        if let Some(name) = self.display_name {
            check.put(parse_required("displayName", &name, 200), &mut row.display_name);
        }
        if let Some(language) = self.language {
            check.put(parse_language(&language), &mut row.language);
        }
        if let Some(zone) = self.time_zone {
            let zone = parse_zone(&zone).map(|zone| zone.name().to_owned());
            check.put(zone, &mut row.time_zone);
        }
        row.kind = self.kind.unwrap_or(row.kind);
        row.stage = self.stage.unwrap_or(row.stage);
        row.owner_id = self.owner_id.unwrap_or(row.owner_id);
        row.preferred_channel = self.preferred_channel.unwrap_or(row.preferred_channel);
        row.currency = self.currency.unwrap_or(row.currency);
        row.index();
    }
}

impl Model {
    /// Tells the owner that the customer is theirs since this version.
    pub(super) async fn tell_owner(
        &self,
        txn: &impl ConnectionTrait,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Result<(), Error> {
        let cause = Uuid::new_v5(&self.id.0, &self.version.to_be_bytes());
        notification::owned(txn, &[self.id], cause, actor, now).await
    }
}
