//! A customer: an organisation or a person, from the first contact on.
//!
//! Invariant: `search_text` is the folded form of everything a person would look it up by.

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use super::address::NewAddress;
use super::contact::NewContact;
use super::{CustomersError, address, contact, parse_email, parse_required, parse_text};
use crate::access::{Actor, Permission, organisation, user};
use crate::automation::{event, message};
use crate::catalog::{BatchArgument, Scalar, catalog};
use crate::error::Error;
use crate::finance::{invoice, ledger, payment};
use crate::id::{CustomerId, Id, JobId, UserId};
use crate::money::Currency;
use crate::search::searched;

/// What kind of party a customer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// A company, an authority, an association.
    Organisation,
    /// A natural person.
    Person,
}

/// How far the relation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum LifecycleStage {
    /// Has bought nothing yet.
    Prospect,
    /// Has bought.
    Customer,
    /// Buys again and again.
    Regular,
    /// Has not bought for long.
    Lapsed,
}

/// A way to reach a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Channel {
    /// E-mail.
    Email,
    /// Text message.
    Sms,
    /// Telephone call.
    Phone,
    /// Letter by post.
    Letter,
    /// Fax.
    Fax,
    /// The web site.
    Web,
    /// A shop or branch.
    Store,
    /// A visit at the customer's.
    FieldVisit,
}

/// A customer.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "customer")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CustomerId,
    /// The number that people and other systems know it by.
    pub number: Option<String>,
    /// What kind of party it is.
    pub kind: Kind,
    /// How far the relation has come.
    pub stage: LifecycleStage,
    /// What it is called.
    pub display_name: String,
    /// Folded name, number and address, for searching.
    pub search_text: String,
    /// Who looks after it.
    pub owner_id: Option<UserId>,
    /// How it likes to be reached.
    pub preferred_channel: Option<Channel>,
    /// Where mail reaches it.
    pub email: Option<String>,
    /// Where calls reach it.
    pub phone: Option<String>,
    /// Its tax number, as documents show it.
    pub tax_number: Option<String>,
    /// The language it is written to in.
    pub language: String,
    /// The IANA zone it lives in.
    pub time_zone: String,
    /// The currency it is usually invoiced in.
    pub currency: Currency,
    /// The import it came by.
    pub import_job_id: Option<JobId>,
    /// Since when it is deleted; it can be restored.
    pub deleted_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

const IN_CURRENCY: BatchArgument = BatchArgument {
    name: "currency",
    about: "An ISO 4217 code; the customer's own currency when absent.",
    scalar: Scalar::Currency,
};

const AS_OF: BatchArgument = BatchArgument {
    name: "asOf",
    about: "The day at whose end the balance is taken; now when absent.",
    scalar: Scalar::Day,
};

catalog! {
    /// A customer: an organisation or a person, from the first contact on.
    Customer (customer, customers) of Entity, read by Permission::ReadCustomers,
        deleted by Column::DeletedAt;
    /// Its id.
    id: id::<CustomerId>().filtered(),
    /// Words that occur in name, number, e-mail address or telephone number, without regard to case
    /// and diacritics: `nguyen` finds `Nguyễn`. Every word has to occur.
    search: search(),
    /// Counts up with every change; give it back as `expectedVersion`.
    version: whole(Column::Version),
    /// The number that people and other systems know it by; null when it has none.
    number: text(Column::Number).filtered().ordered(),
    /// What kind of party it is.
    kind: choice::<Kind>("CustomerKind", Column::Kind).filtered().grouped(),
    /// How far the relation has come.
    stage: choice::<LifecycleStage>("LifecycleStage", Column::Stage).filtered().grouped(),
    /// What it is called.
    display_name: text(Column::DisplayName).filtered().ordered(),
    /// The id of who looks after it.
    owner_id: uuid::<UserId>(Column::OwnerId).hidden(),
    /// Who looks after it; null when nobody does.
    owner: one::<user::Entity>(Column::OwnerId).grouped(),
    /// How it likes to be reached; null when it has not said.
    preferred_channel: choice::<Channel>("Channel", Column::PreferredChannel).filtered().grouped(),
    /// Where mail reaches it; null when it is not known. Receipts go to its billing contacts first.
    email: text(Column::Email).filtered(),
    /// Where calls reach it; null when it is not known.
    phone: text(Column::Phone).filtered(),
    /// Its tax number, as documents show it; null when it is not known.
    tax_number: text(Column::TaxNumber).filtered(),
    /// The language it is written to in, as a tag such as `vi` or `en-GB`.
    language: text(Column::Language).filtered().grouped(),
    /// The IANA time zone it lives in, such as `Asia/Ho_Chi_Minh`.
    time_zone: text(Column::TimeZone).filtered(),
    /// The currency it is usually invoiced in.
    currency: currency(Column::Currency).filtered().grouped(),
    /// What it owes in `currency` (its own when absent) at the end of `asOf` (now when absent):
    /// open invoices less money received that settles none yet. Negative: we owe it.
    balance: batch(false, vec![IN_CURRENCY, AS_OF], ledger::balance_field)
        .guarded(Permission::ReadFinance),
    /// What it owes at the end of `asOf` (now when absent), one amount per currency it was ever
    /// invoiced in or paid in.
    balances: batch(true, vec![AS_OF], ledger::balances_field).guarded(Permission::ReadFinance),
    /// The people to talk to there.
    contacts: list::<contact::Entity, _>(contact::Column::CustomerId, contact::Column::Id, 5)
        .filtered(),
    /// Where it is.
    addresses: list::<address::Entity, _>(address::Column::CustomerId, address::Column::Id, 5)
        .filtered(),
    /// What it was invoiced.
    invoices: many::<invoice::Entity>(invoice::Column::CustomerId),
    /// What it paid.
    payments: many::<payment::Entity>(payment::Column::CustomerId),
    /// Everything ever meant for it.
    messages: many::<message::Entity>(message::Column::CustomerId),
    /// Since when it is deleted; null while it is not. Lists leave deleted ones out.
    deleted_at: instant(Column::DeletedAt),
    /// When it was added.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
    /// When it was last changed.
    updated_at: instant(Column::UpdatedAt).filtered().ordered(),
}

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
    pub contacts: Vec<NewContact>,
    /// Where it is.
    pub addresses: Vec<NewAddress>,
}

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
}

/// Adds a customer.
///
/// # Errors
/// `Invalid` for a field that has not its form, [`CustomersError`].
pub async fn create(
    txn: &impl ConnectionTrait,
    new: NewCustomer,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let organisation = organisation::get(txn).await?;
    if let Some(owner) = new.owner_id {
        ensure_owner(txn, owner).await?;
    }
    let zone = new.time_zone.as_deref().map(super::parse_zone).transpose()?;
    let language = new.language.as_deref().map(super::parse_language).transpose()?;
    let row = Model {
        id: CustomerId::new(now),
        number: parse_text("number", new.number, 64)?,
        kind: new.kind,
        stage: new.stage,
        display_name: parse_required("displayName", &new.display_name, 200)?,
        search_text: String::new(),
        owner_id: new.owner_id,
        preferred_channel: new.preferred_channel,
        email: parse_text("email", new.email, 320)?.as_deref().map(parse_email).transpose()?,
        phone: parse_text("phone", new.phone, 64)?,
        tax_number: parse_text("taxNumber", new.tax_number, 64)?,
        language: language.unwrap_or(organisation.locale),
        time_zone: zone.map_or(organisation.time_zone, |zone| zone.name().to_owned()),
        currency: new.currency.unwrap_or(organisation.currency),
        import_job_id: None,
        deleted_at: None,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = Model { search_text: row.searched(), ..row };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    contact::add(txn, row.id, new.contacts, actor, now).await?;
    address::add(txn, row.id, new.addresses, actor, now).await?;
    event::emit(txn, event::Kind::CustomerCreated, row.id.0, Some(row.id), actor, now).await?;
    Ok(row)
}

/// Changes a customer, if it still has `expected_version` (where one is given).
///
/// # Errors
/// [`CustomersError::NotFound`], [`Error::StaleVersion`], `Invalid`.
pub async fn update(
    txn: &impl ConnectionTrait,
    id: CustomerId,
    change: Change,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock(txn, id).await?;
    if expected_version.is_some_and(|version| version != row.version) {
        return Err(Error::StaleVersion { current: row.version });
    }
    if let Some(Some(owner)) = change.owner_id {
        ensure_owner(txn, owner).await?;
    }
    if change.currency.is_some_and(|currency| currency != row.currency)
        && crate::finance::ledger::has_entries(txn, id).await?
    {
        return Err(CustomersError::CurrencyInUse.into());
    }
    if let Some(number) = change.number {
        row.number = parse_text("number", number, 64)?;
    }
    if let Some(phone) = change.phone {
        row.phone = parse_text("phone", phone, 64)?;
    }
    if let Some(tax_number) = change.tax_number {
        row.tax_number = parse_text("taxNumber", tax_number, 64)?;
    }
    if let Some(email) = change.email {
        row.email = parse_text("email", email, 320)?.as_deref().map(parse_email).transpose()?;
    }
    if let Some(name) = change.display_name {
        row.display_name = parse_required("displayName", &name, 200)?;
    }
    if let Some(language) = change.language {
        row.language = super::parse_language(&language)?;
    }
    if let Some(zone) = change.time_zone {
        super::parse_zone(&zone)?.name().clone_into(&mut row.time_zone);
    }
    row.kind = change.kind.unwrap_or(row.kind);
    row.stage = change.stage.unwrap_or(row.stage);
    row.owner_id = change.owner_id.unwrap_or(row.owner_id);
    row.preferred_channel = change.preferred_channel.unwrap_or(row.preferred_channel);
    row.currency = change.currency.unwrap_or(row.currency);
    row.search_text = row.searched();
    row.updated_at = now;
    row.updated_by = actor.user();
    row.version += 1;
    event::emit(txn, event::Kind::CustomerUpdated, id.0, Some(id), actor, now).await?;
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

/// The customer, unless it is deleted.
///
/// # Errors
/// [`CustomersError::NotFound`].
pub async fn get(db: &impl ConnectionTrait, id: CustomerId) -> Result<Model, Error> {
    let row = Entity::find_by_id(id).filter(Column::DeletedAt.is_null()).one(db).await?;
    Ok(row.ok_or(CustomersError::NotFound)?)
}

async fn lock(txn: &impl ConnectionTrait, id: CustomerId) -> Result<Model, Error> {
    use sea_orm::QuerySelect;
    let rows = Entity::find_by_id(id).filter(Column::DeletedAt.is_null()).lock_exclusive();
    Ok(rows.one(txn).await?.ok_or(CustomersError::NotFound)?)
}

async fn ensure_owner(txn: &impl ConnectionTrait, id: UserId) -> Result<(), Error> {
    user::viewer(txn, id).await?.map(|_| ()).ok_or(CustomersError::NoSuchOwner.into())
}

impl Model {
    /// What the customer is found by.
    #[must_use]
    pub fn searched(&self) -> String {
        let (number, email) = (self.number.as_ref(), self.email.as_ref());
        searched([Some(&self.display_name), number, email, self.phone.as_ref()])
    }
}
