//! Verifying: walks the chain from its first entry and names the first one that does not fit.
//!
//! Somebody who can write to the database could hash the whole chain anew. Against that, note the head
//! somewhere else from time to time, and hand it to the next run.

use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{QueryOrder, QuerySelect};

use super::seal::{hashed, head};
use super::{Column, Entity};
use crate::id::{AuditEntryId, Id};

/// How many entries are read at once.
const PAGE: u64 = 2_000;

/// How long a transaction may take, with much to spare: an entry that is older by more than this than
/// one that was sealed before it was not there in time.
const LATEST: TimeDelta = TimeDelta::days(1);

/// A place in the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// How many entries it has.
    pub position: i64,
    /// The hash of the last one.
    pub hash: String,
}

/// What a chain without a flaw consists of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Its end.
    pub head: Head,
    /// How many entries wait for being sealed.
    pub unsealed: u64,
}

/// The first flaw of a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// An entry is not what it was when it was sealed.
    Changed(i64, AuditEntryId),
    /// No entry has the position.
    Missing(i64),
    /// An entry claims a place that nobody gave it, or is older than it can be.
    Inserted(AuditEntryId),
    /// The chain is not the one whose end was noted.
    OtherHead(i64),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed(position, id) => {
                write!(f, "entry {position} ({}) was changed after it was sealed", id.global())
            }
            Self::Missing(position) => write!(f, "entry {position} was deleted"),
            Self::Inserted(id) => write!(
                f,
                "entry {} was inserted afterwards, or a clock was a day ahead",
                id.global()
            ),
            Self::OtherHead(position) => {
                write!(f, "entry {position} has another hash than the one that was noted")
            }
        }
    }
}

/// Walks the chain, which has to contain the `noted` head if one is given.
///
/// # Errors
/// The database.
pub async fn verify(
    db: &impl ConnectionTrait,
    noted: Option<&Head>,
) -> Result<Result<Verified, Finding>, DbErr> {
    let head = head::Entity::find_by_id(1).one(db).await?;
    let head = head.map_or(Head { position: 0, hash: String::new() }, |head| Head {
        position: head.position,
        hash: head.hash,
    });
    let (mut position, mut hash) = (0, String::new());
    let mut newest = DateTime::<Utc>::MIN_UTC;
    while position < head.position {
        let entries = Entity::find()
            .filter(Column::Position.gt(position))
            .filter(Column::Position.lte(head.position))
            .order_by_asc(Column::Position)
            .limit(PAGE)
            .all(db)
            .await?;
        if entries.is_empty() {
            return Ok(Err(Finding::Missing(position + 1)));
        }
        for entry in entries {
            position += 1;
            if entry.position != Some(position) {
                return Ok(Err(Finding::Missing(position)));
            }
            let sealed = entry.sealed_at.unwrap_or_default();
            hash = hashed(&hash, &entry, position, sealed);
            if entry.hash.as_ref() != Some(&hash) {
                return Ok(Err(Finding::Changed(position, entry.id)));
            }
            newest = newest.max(entry.at);
            if newest - entry.at > LATEST {
                return Ok(Err(Finding::Inserted(entry.id)));
            }
            if noted.is_some_and(|noted| noted.position == position && noted.hash != hash) {
                return Ok(Err(Finding::OtherHead(position)));
            }
        }
    }
    if hash != head.hash {
        return Ok(Err(Finding::OtherHead(position)));
    }
    if let Some(noted) = noted.filter(|noted| noted.position > position) {
        return Ok(Err(Finding::Missing(noted.position)));
    }
    beyond(db, head, newest).await
}

/// What is not in the chain: it waits, or it was put there.
async fn beyond(
    db: &impl ConnectionTrait,
    head: Head,
    newest: DateTime<Utc>,
) -> Result<Result<Verified, Finding>, DbErr> {
    use sea_orm::PaginatorTrait;
    use sea_orm::sea_query::ExprTrait;
    // The sealer may have gone on meanwhile, so the end is looked up again.
    let end = head::Entity::find_by_id(1).one(db).await?.map_or(0, |head| head.position);
    let forged = Entity::find().filter(Column::Position.gt(end).or(Column::Position.lt(1)));
    if let Some(entry) = forged.order_by_asc(Column::Position).one(db).await? {
        return Ok(Err(Finding::Inserted(entry.id)));
    }
    let unsealed = Entity::find().filter(Column::Position.is_null());
    if let Some(latest) = newest.checked_sub_signed(LATEST) {
        let old = unsealed.clone().filter(Column::At.lt(latest));
        if let Some(entry) = old.order_by_asc(Column::Id).one(db).await? {
            return Ok(Err(Finding::Inserted(entry.id)));
        }
    }
    Ok(Ok(Verified { head, unsealed: unsealed.count(db).await? }))
}
