//! Adding a customer.

use sea_orm::ActiveValue::Set;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use super::{Change, Channel, Kind, LifecycleStage, Model, owner};
use crate::access::{Actor, Permission, Scope, Viewer, organisation};
use crate::automation::event;
use crate::check::Check;
use crate::customers::custom::{CustomValue, Setter};
use crate::customers::{address, contact};
use crate::edit;
use crate::error::Error;
use crate::finance::statement::delivery;
use crate::id::{CustomerId, Id, UserId};
use crate::money::Currency;

/// A customer to be. What is `None` follows the organisation or stays empty.
#[derive(Clone, Debug)]
pub struct NewCustomer {
    /// The number that people know it by.
    pub number: Option<String>,
    /// What kind of party it is.
    pub kind: Kind,
    /// How far the relation has come.
    pub stage: LifecycleStage,
    /// What it is called.
    pub display_name: String,
    /// Who looks after it.
    pub owner_id: Option<UserId>,
    /// How it likes to be reached.
    pub preferred_channel: Option<Channel>,
    /// Where mail reaches it.
    pub email: Option<String>,
    /// Where calls reach it.
    pub phone: Option<String>,
    /// Its tax number.
    pub tax_number: Option<String>,
    /// The language it is written to in.
    pub language: Option<String>,
    /// The IANA zone it lives in.
    pub time_zone: Option<String>,
    /// The currency it is usually invoiced in.
    pub currency: Option<Currency>,
    /// The people to talk to there.
    pub contacts: Vec<contact::ActiveModel>,
    /// Where it is.
    pub addresses: Vec<address::ActiveModel>,
    /// Values of custom fields.
    pub custom: Vec<CustomValue>,
}

impl NewCustomer {
    /// The same as `viewer` may add it: for themselves, unless they name somebody whose customers they may
    /// change.
    ///
    /// # Errors
    /// [`OwnerOutOfReach`](crate::customers::CustomersError::OwnerOutOfReach).
    pub fn within(mut self, viewer: &Viewer) -> Result<Self, Error> {
        let scope = viewer.scope(Permission::WriteCustomers);
        if scope < Scope::All {
            self.owner_id.get_or_insert(viewer.user);
        }
        owner::ensure_reached(self.owner_id, viewer)?;
        Ok(self)
    }
}

/// Adds a customer.
///
/// # Errors
/// `Invalid` for a field that has not its form, [`CustomersError`](crate::customers::CustomersError).
pub async fn create(
    txn: &impl ConnectionTrait,
    new: NewCustomer,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let organisation = organisation::get(txn).await?;
    owner::ensure_able(txn, new.owner_id).await?;
    let mut row = Model::blank(&organisation, actor, now);
    let change = Change {
        number: Some(new.number),
        kind: Some(new.kind),
        stage: Some(new.stage),
        display_name: Some(new.display_name),
        owner_id: Some(new.owner_id),
        preferred_channel: Some(new.preferred_channel),
        email: Some(new.email),
        phone: Some(new.phone),
        tax_number: Some(new.tax_number),
        language: new.language,
        time_zone: new.time_zone,
        currency: new.currency,
        custom: new.custom,
    };
    let setter = Setter::load(txn, actor, now).await?;
    let mut check = Check::default();
    change.apply(&mut row, &setter, true, &mut check);
    let id = row.id;
    let contacts = new.contacts.into_iter();
    let contacts = contacts.map(|contact| contact::ActiveModel { customer_id: Set(id), ..contact });
    let contacts = edit::parts::<contact::Entity>(contacts, "contacts", &mut check, actor, now)?;
    let addresses = new.addresses.into_iter();
    let addresses =
        addresses.map(|address| address::ActiveModel { customer_id: Set(id), ..address });
    let addresses = edit::parts::<address::Entity>(addresses, "addresses", &mut check, actor, now)?;
    check.end()?;
    let row = row.into_active_model().reset_all().insert(txn).await?;
    row.tell_owner(txn, actor, now).await?;
    if !contacts.is_empty() {
        contact::Entity::insert_many(contacts).exec_without_returning(txn).await?;
    }
    if !addresses.is_empty() {
        address::Entity::insert_many(addresses).exec_without_returning(txn).await?;
    }
    event::emit(txn, event::Kind::CustomerCreated, row.id.0, Some(row.id), actor, now).await?;
    Ok(row)
}

impl Model {
    /// A customer of whom nothing is known, not even a name: it follows the organisation.
    pub(super) fn blank(
        organisation: &organisation::Model,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Self {
        Self {
            id: CustomerId::new(now),
            number: None,
            kind: Kind::Organisation,
            stage: LifecycleStage::Prospect,
            display_name: String::new(),
            search_text: String::new(),
            name_key: None,
            email_key: None,
            phone_key: None,
            tax_key: None,
            owner_id: None,
            preferred_channel: None,
            email: None,
            phone: None,
            tax_number: None,
            language: organisation.locale.clone(),
            time_zone: organisation.time_zone.clone(),
            currency: organisation.currency,
            custom: serde_json::json!({}),
            dunning_excluded: false,
            dunning_paused_until: None,
            dunning_ladder_id: None,
            statement_channel: delivery::Way::default(),
            statement_cc: None,
            import_job_id: None,
            deleted_at: None,
            merged_into_id: None,
            anonymised_at: None,
            created_at: now,
            created_by: actor.user(),
            updated_at: now,
            updated_by: actor.user(),
            version: 1,
        }
    }
}
