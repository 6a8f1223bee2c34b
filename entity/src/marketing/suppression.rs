//! Addresses and numbers to which nothing may go, and why.
//!
//! Invariant: of an address only a hash is kept, so that it stays known after all that says who somebody is was removed.
//! Whatever way an address is written, it has the same hash.

use std::collections::{HashMap, HashSet};

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};
use sha2::{Digest, Sha256};

use crate::access::{Actor, Permission, user};
use crate::automation::message::{Class, Reason};
use crate::catalog::catalog;
use crate::customers::customer::{Channel, phone_key};
use crate::customers::{parse_email, parse_text};
use crate::edit::lock;
use crate::edit::{edited, save};
use crate::error::Error;
use crate::id::{Id, SuppressionId, UserId};
use crate::text::hex;

/// Why nothing may go to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Cause {
    /// It does not exist.
    HardBounced,
    /// Who has it has complained.
    Complained,
    /// Who has it wants no messages at all.
    UnsubAll,
    /// It is on a register of those who want no calls.
    DncRegister,
    /// It was on a list that was brought along.
    SuppressedImport,
}

impl Cause {
    /// Whether it holds back what is about something: an address that does not exist everything, a wish of who has it
    /// only what they need not get.
    #[must_use]
    pub fn holds_back(self, class: Class) -> bool {
        self == Self::HardBounced || matches!(class, Class::Marketing)
    }

    /// The reason that a message gets.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::HardBounced => Reason::HardBounced,
            Self::Complained => Reason::Complained,
            Self::UnsubAll => Reason::UnsubAll,
            Self::DncRegister => Reason::DncRegister,
            Self::SuppressedImport => Reason::SuppressedImport,
        }
    }

    /// What people are told.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        match self {
            Self::HardBounced => "the address does not exist",
            Self::Complained => "who has the address has complained",
            Self::UnsubAll => "who has the address wants no messages",
            Self::DncRegister => "the number is on a register of those who want no calls",
            Self::SuppressedImport => "the address was on a list of those to whom nothing may go",
        }
    }
}

/// An address or number to which nothing may go.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "suppression")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SuppressionId,
    /// The hash of the address.
    pub address_sha256: String,
    /// On which channel.
    pub channel: Channel,
    /// Why.
    pub cause: Cause,
    /// What else there is to say.
    pub detail: Option<String>,
    /// Since when something may go there again.
    pub lifted_at: Option<DateTimeUtc>,
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

edited!();

catalog! {
    /// An address or number to which nothing may go, of which only a hash is kept.
    Suppression (suppression, suppressions) of Entity, read by Permission::ReadCustomers,
        versioned by Column::Version;
    /// The SHA-256 of the address, for finding it again.
    address_sha256: text(Column::AddressSha256).filtered(),
    /// On which channel.
    channel: choice::<Channel>("Channel", Column::Channel).filtered().grouped(),
    /// Why.
    cause: choice::<Cause>("SuppressionCause", Column::Cause).filtered().grouped(),
    /// What else there is to say; null when nothing is.
    detail: text(Column::Detail),
    /// Since when something may go there again; null while nothing may.
    lifted_at: instant(Column::LiftedAt).filtered().ordered(),
    /// When it was written down.
    created_at: instant(Column::CreatedAt).filtered().ordered().grouped(),
    /// Who wrote it down; null when Rapport did.
    created_by: one::<user::Entity>(Column::CreatedBy),
}

/// The hash of an address, whatever way it is written.
///
/// # Errors
/// `Invalid` for what is no address on the channel.
pub fn hash(channel: Channel, address: &str) -> Result<String, Error> {
    let (name, plain) = match channel {
        Channel::Email => ("mail", parse_email(address)?.to_lowercase()),
        Channel::Sms | Channel::Phone | Channel::Fax => {
            let key = phone_key(address);
            ("number", key.ok_or_else(|| Error::invalid("address", "this is no number"))?)
        }
        Channel::Letter | Channel::Web | Channel::Store | Channel::FieldVisit => {
            return Err(Error::invalid("channel", "there are no addresses on this channel"));
        }
    };
    Ok(hex(&Sha256::new().chain_update(name).chain_update(b"\0").chain_update(plain).finalize()))
}

/// Lets nothing go to an address any more. What is so already stays as it is.
///
/// # Errors
/// `Invalid` for what is no address on the channel.
pub async fn add(
    txn: &impl ConnectionTrait,
    (channel, address): (Channel, &str),
    cause: Cause,
    detail: Option<String>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let address_sha256 = hash(channel, address)?;
    let detail = parse_text("detail", detail, 500)?;
    let there = Entity::find()
        .filter(Column::AddressSha256.eq(&address_sha256))
        .filter(Column::Channel.eq(channel))
        .filter(Column::Cause.eq(cause))
        .filter(Column::LiftedAt.is_null());
    if let Some(row) = there.one(txn).await? {
        return Ok(row);
    }
    let row = ActiveModel {
        id: Set(SuppressionId::new(now)),
        address_sha256: Set(address_sha256),
        channel: Set(channel),
        cause: Set(cause),
        detail: Set(detail),
        lifted_at: Set(None),
        created_at: Set(now),
        created_by: Set(actor.user()),
        updated_at: Set(now),
        updated_by: Set(actor.user()),
        version: Set(1),
    };
    Ok(row.insert(txn).await?)
}

/// Lets something go to the address again. What is so already stays as it is.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn lift(
    txn: &impl ConnectionTrait,
    id: SuppressionId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, None).await?;
    if row.lifted_at.is_some() {
        return Ok(row);
    }
    row.lifted_at = Some(now);
    save::<Entity>(txn, row, actor, now).await
}

/// Those of addresses to which nothing of any kind should go.
///
/// # Errors
/// The database.
pub async fn among(
    db: &impl ConnectionTrait,
    channel: Channel,
    addresses: &[String],
) -> Result<HashSet<String>, DbErr> {
    if addresses.is_empty() {
        return Ok(HashSet::new());
    }
    let hashed = addresses.iter().filter_map(|one| Some((hash(channel, one).ok()?, one)));
    let hashed: Vec<_> = hashed.collect();
    let known = causes(db, hashed.iter().map(|(hash, _)| hash)).await?;
    let held = hashed.into_iter().filter(|(hash, _)| known.contains_key(&(channel, hash.clone())));
    Ok(held.map(|(_, address)| address.clone()).collect())
}

/// Why nothing may go to addresses, by their channels and hashes.
pub(crate) async fn causes(
    db: &impl ConnectionTrait,
    hashes: impl IntoIterator<Item = &String>,
) -> Result<HashMap<(Channel, String), Vec<Cause>>, DbErr> {
    let rows = Entity::find()
        .filter(Column::AddressSha256.is_in(hashes))
        .filter(Column::LiftedAt.is_null())
        .all(db)
        .await?;
    Ok(by_address(rows))
}

/// Why nothing may go to addresses on a channel, or on all of them, by their channels and hashes.
pub(crate) async fn on_channel(
    db: &impl ConnectionTrait,
    channel: Option<Channel>,
) -> Result<HashMap<(Channel, String), Vec<Cause>>, DbErr> {
    let mut held = Entity::find().filter(Column::LiftedAt.is_null());
    if let Some(channel) = channel {
        held = held.filter(Column::Channel.eq(channel));
    }
    Ok(by_address(held.all(db).await?))
}

fn by_address(rows: Vec<Model>) -> HashMap<(Channel, String), Vec<Cause>> {
    let mut causes = HashMap::<_, Vec<_>>::new();
    for row in rows {
        causes.entry((row.channel, row.address_sha256)).or_default().push(row.cause);
    }
    causes
}
