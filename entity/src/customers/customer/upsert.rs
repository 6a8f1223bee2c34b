//! Adding and changing customers by the hundred: rows are matched with what is there, and written by one
//! statement for each kind of write.
//!
//! Invariant: a row's outcome does not depend on how many others there are; with `all_or_none`, one row
//! that is refused keeps all of them from being written.

use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{LockType, OnConflict};
use sea_orm::{IntoActiveModel, Iterable, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::owner::Owners;
use super::{Change, Column, Entity, Model, tax_key};
use crate::access::{Actor, organisation};
use crate::automation::event;
use crate::check::Check;
use crate::collaboration::notification;
use crate::customers::CustomersError;
use crate::customers::custom::Setter;
use crate::edit::Edited;
use crate::error::Error;
use crate::finance::ledger;
use crate::id::{CustomerId, Id, JobId};
use crate::text;

/// What rows have in common with the customers that they are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum MatchOn {
    /// The number.
    Number,
    /// The e-mail address, without regard to case.
    Email,
    /// The tax number, without regard to punctuation.
    TaxNumber,
}

/// What becomes of a row whose customer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Duplicates {
    /// The customer stays as it is.
    Skip,
    /// The customer is changed.
    Update,
    /// Another customer is added.
    Create,
}

/// How rows are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What rows have in common with the customers that they are about.
    pub match_on: MatchOn,
    /// What becomes of a row whose customer is there.
    pub duplicates: Duplicates,
    /// Whether nothing is written when one row is refused.
    pub all_or_none: bool,
    /// Whether a row that cannot be matched is refused; otherwise its customer is new.
    pub needs_key: bool,
    /// The import that new customers come by.
    pub import: Option<JobId>,
}

/// What became of the customer of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It is new.
    Created,
    /// It was changed.
    Changed,
    /// It stayed as it was.
    Kept,
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upserted {
    /// The customer that it is about.
    pub id: CustomerId,
    /// What became of it.
    pub fate: Fate,
}

impl MatchOn {
    fn column(self) -> Column {
        match self {
            Self::Number => Column::Number,
            Self::Email => Column::EmailKey,
            Self::TaxNumber => Column::TaxKey,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Email => "email",
            Self::TaxNumber => "taxNumber",
        }
    }

    /// What a row is matched by.
    fn of_row(self, row: &Change) -> Option<String> {
        let given = match self {
            Self::Number => &row.number,
            Self::Email => &row.email,
            Self::TaxNumber => &row.tax_number,
        };
        let given = text::clean(given.as_ref()?.as_deref()?);
        match self {
            Self::Number => Some(given),
            Self::Email => Some(given.to_lowercase()),
            Self::TaxNumber => tax_key(&given),
        }
        .filter(|key| !key.is_empty())
    }

    /// What a customer is matched by.
    fn of_customer(self, customer: &Model) -> Option<&String> {
        match self {
            Self::Number => customer.number.as_ref(),
            Self::Email => customer.email_key.as_ref(),
            Self::TaxNumber => customer.tax_key.as_ref(),
        }
    }
}

/// Adds the customers that `rows` describe, or changes those that are there: what a row does not say is
/// kept. Gives what became of each row, in their order.
///
/// # Errors
/// The database; what is wrong with a row stands in its place.
pub async fn upsert(
    txn: &impl ConnectionTrait,
    rows: Vec<Change>,
    terms: Terms,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<Result<Upserted, Error>>, Error> {
    let mut batch = Batch::load(txn, &rows, terms, actor, now).await?;
    let outcomes: Vec<_> = rows.into_iter().map(|row| batch.take(row)).collect();
    if terms.all_or_none && outcomes.iter().any(Result::is_err) {
        return Ok(outcomes);
    }
    batch.write(txn).await?;
    Ok(outcomes)
}

/// What rows are compared with, and what is written of them.
struct Batch {
    organisation: organisation::Model,
    terms: Terms,
    actor: Actor,
    now: DateTimeUtc,
    /// Customers by what they are matched by; deleted ones too.
    known: HashMap<String, Vec<Model>>,
    /// Who has a number.
    numbers: HashMap<String, CustomerId>,
    owners: Owners,
    setter: Setter,
    /// Customers whose currency stays.
    posted: HashSet<CustomerId>,
    taken: HashSet<String>,
    created: Vec<Model>,
    changed: Vec<Model>,
    /// Whose owner is new.
    given: Vec<CustomerId>,
}

impl Batch {
    async fn load(
        txn: &impl ConnectionTrait,
        rows: &[Change],
        terms: Terms,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Result<Self, Error> {
        let match_on = terms.match_on;
        let keys: HashSet<String> = rows.iter().filter_map(|row| match_on.of_row(row)).collect();
        let found = Entity::find()
            .filter(match_on.column().is_in(keys))
            .order_by_asc(Column::Id)
            .lock(LockType::NoKeyUpdate)
            .all(txn)
            .await?;
        let posted = match rows.iter().any(|row| row.currency.is_some()) {
            true => ledger::with_entries(txn, found.iter().map(|customer| customer.id)).await?,
            false => HashSet::new(),
        };
        let mut known: HashMap<String, Vec<Model>> = HashMap::with_capacity(found.len());
        for customer in found {
            if let Some(key) = match_on.of_customer(&customer) {
                known.entry(key.clone()).or_default().push(customer);
            }
        }
        let given = rows.iter().filter_map(|row| MatchOn::Number.of_row(row));
        let numbers: Vec<(String, CustomerId)> = Entity::find()
            .select_only()
            .columns([Column::Number, Column::Id])
            .filter(Column::Number.is_in(given))
            .into_tuple()
            .all(txn)
            .await?;
        let owners = rows.iter().filter_map(|row| row.owner_id.flatten());
        let owners = Owners::among(txn, owners).await?;
        Ok(Self {
            organisation: organisation::get(txn).await?,
            terms,
            actor,
            now,
            known,
            numbers: numbers.into_iter().collect(),
            owners,
            setter: Setter::load(txn, actor, now).await?,
            posted,
            taken: HashSet::new(),
            created: Vec::new(),
            changed: Vec::new(),
            given: Vec::new(),
        })
    }

    /// What becomes of a row.
    fn take(&mut self, row: Change) -> Result<Upserted, Error> {
        let Terms { match_on, duplicates, needs_key, import, .. } = self.terms;
        let key = match_on.of_row(&row).filter(|_| duplicates != Duplicates::Create);
        if key.is_none() && needs_key {
            return Err(CustomersError::NoMatchKey(match_on.name()).into());
        }
        if key.as_ref().is_some_and(|key| self.taken.contains(key)) {
            return Err(CustomersError::RowTwice.into());
        }
        let found = match &key {
            Some(key) => self.found(key)?,
            None => None,
        };
        let owned = found.as_ref().and_then(|customer| customer.owner_id);
        if let Some(owner) = row.owner_id.flatten().filter(|owner| owned != Some(*owner)) {
            self.owners.ensure(owner)?;
        }
        if let Some(there) = found.as_ref().filter(|_| duplicates == Duplicates::Skip) {
            return Ok(Upserted { id: there.id, fate: Fate::Kept });
        }
        let fate = if found.is_some() { Fate::Changed } else { Fate::Created };
        let mut customer = found.clone().unwrap_or_else(|| Model {
            import_job_id: import,
            ..Model::blank(&self.organisation, self.actor, self.now)
        });
        if row.currency.is_some_and(|currency| currency != customer.currency)
            && self.posted.contains(&customer.id)
        {
            return Err(CustomersError::CurrencyInUse.into());
        }
        let mut check = Check::default();
        let is_named = row.display_name.is_some() || fate == Fate::Changed;
        row.apply(&mut customer, &self.setter, fate == Fate::Created, &mut check);
        check.that(is_named, "displayName", "a new customer needs a name");
        check.end()?;
        if let Some(number) = &customer.number {
            let holder = *self.numbers.entry(number.clone()).or_insert(customer.id);
            if holder != customer.id {
                return Err(Error::not_unique::<Entity>("number"));
            }
        }
        let id = customer.id;
        if found.as_ref() == Some(&customer) {
            self.taken.extend(key);
            return Ok(Upserted { id, fate: Fate::Kept });
        }
        if customer.owner_id != owned {
            self.given.push(id);
        }
        if fate == Fate::Created {
            self.created.push(customer);
        } else {
            customer.touch(self.actor, self.now);
            self.changed.push(customer);
        }
        self.taken.extend(key);
        Ok(Upserted { id, fate })
    }

    /// The one customer that has the key, and is not deleted.
    fn found(&self, key: &str) -> Result<Option<Model>, CustomersError> {
        let known = self.known.get(key).map_or(&[][..], Vec::as_slice);
        let mut present = known.iter().filter(|customer| customer.deleted_at.is_none());
        match (present.next(), present.count()) {
            (Some(customer), 0) => Ok(Some(customer.clone())),
            (Some(_), others) => Err(CustomersError::Ambiguous(others + 1)),
            (None, _) if known.is_empty() => Ok(None),
            (None, _) => Err(CustomersError::MatchDeleted),
        }
    }

    async fn write(self, txn: &impl ConnectionTrait) -> Result<(), Error> {
        let event = |kind, id: CustomerId| event::new(kind, id.0, Some(id), self.actor, self.now);
        let created = self.created.iter().map(|row| event(event::Kind::CustomerCreated, row.id));
        let changed = self.changed.iter().map(|row| event(event::Kind::CustomerUpdated, row.id));
        let events: Vec<_> = created.chain(changed).collect();
        let rows = |rows: Vec<Model>| {
            rows.into_iter().map(|row| row.into_active_model().reset_all()).collect::<Vec<_>>()
        };
        let (created, changed) = (rows(self.created), rows(self.changed));
        // What is changed goes first: it may give away a number that a new customer gets.
        if !changed.is_empty() {
            let columns = Column::iter().filter(|column| !matches!(column, Column::Id));
            let update = OnConflict::column(Column::Id).update_columns(columns).to_owned();
            Entity::insert_many(changed).on_conflict(update).exec_without_returning(txn).await?;
        }
        if !created.is_empty() {
            Entity::insert_many(created).exec_without_returning(txn).await?;
        }
        if !events.is_empty() {
            event::Entity::insert_many(events).exec_without_returning(txn).await?;
        }
        // The batches of an import are told together, others each by itself.
        let cause = self.terms.import.unwrap_or_else(|| JobId::new(self.now));
        notification::owned(txn, &self.given, cause.0, self.actor, self.now).await
    }
}
