//! Verifying: walks the chain from its first entry and names the first one that does not fit. What an entry
//! says was changed may be missing only if another entry says that its record's was erased.
//!
//! Somebody who can write to the database could hash the whole chain anew. Against that, note the head
//! somewhere else from time to time, and hand it to the next run.

use std::collections::HashSet;
use std::fmt;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::entity::prelude::*;
use sea_orm::{PaginatorTrait, QueryOrder, QuerySelect};

use super::seal::{digest, hashed, head};
use super::{Action, Column, Entity, Model};
use crate::db::Db;
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
    /// What an entry says was changed is gone, and no entry says who erased it.
    Erased(i64, AuditEntryId),
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
            Self::Erased(position, id) => write!(
                f,
                "what entry {position} ({}) says was changed is gone, and no entry says who erased it",
                id.global()
            ),
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

/// How far a walk has come.
struct Walk<'a> {
    /// The head that the chain has to contain.
    noted: Option<&'a Head>,
    position: i64,
    hash: String,
    /// When the latest entry so far was written.
    newest: DateTime<Utc>,
}

impl Walk<'_> {
    /// Goes on to `head`.
    async fn to(
        &mut self,
        db: &impl ConnectionTrait,
        head: &Head,
    ) -> Result<Result<(), Finding>, DbErr> {
        while self.position < head.position {
            let entries = Entity::find()
                .filter(Column::Position.gt(self.position))
                .filter(Column::Position.lte(head.position))
                .order_by_asc(Column::Position)
                .limit(PAGE)
                .all(db)
                .await?;
            if entries.is_empty() {
                return Ok(Err(Finding::Missing(self.position + 1)));
            }
            let erasures = erasures(db, &entries).await?;
            for entry in &entries {
                if let Err(finding) = self.step(entry, &erasures) {
                    return Ok(Err(finding));
                }
            }
        }
        match self.hash == head.hash {
            true => Ok(Ok(())),
            false => Ok(Err(Finding::OtherHead(self.position))),
        }
    }

    fn step(&mut self, entry: &Model, erasures: &HashSet<Erasure>) -> Result<(), Finding> {
        self.position += 1;
        if entry.position != Some(self.position) {
            return Err(Finding::Missing(self.position));
        }
        let sealed = entry.sealed_at.unwrap_or_default();
        self.hash = hashed(&self.hash, entry, self.position, sealed);
        if entry.hash.as_ref() != Some(&self.hash) || !is_whole(entry) {
            return Err(Finding::Changed(self.position, entry.id));
        }
        if entry.erased_at.is_some_and(|at| !erasures.contains(&erasure(entry, at))) {
            return Err(Finding::Erased(self.position, entry.id));
        }
        self.newest = self.newest.max(entry.at);
        if self.newest - entry.at > LATEST {
            return Err(Finding::Inserted(entry.id));
        }
        let is_noted = |noted: &&Head| noted.position == self.position;
        match self.noted.filter(is_noted).is_some_and(|noted| noted.hash != self.hash) {
            true => Err(Finding::OtherHead(self.position)),
            false => Ok(()),
        }
    }
}

/// Of which record what was changed is erased, and since when.
type Erasure = (String, Uuid, DateTime<Utc>);

fn erasure(entry: &Model, at: DateTime<Utc>) -> Erasure {
    (entry.record_table.clone(), entry.record_id, at)
}

/// Whether what the entry says was changed is what was sealed, or is gone as a whole.
fn is_whole(entry: &Model) -> bool {
    let (Some(salt), None) = (&entry.salt, entry.erased_at) else {
        let parts = [entry.before.is_some(), entry.after.is_some(), entry.salt.is_some()];
        return entry.erased_at.is_some() && parts == [false; 3];
    };
    entry.digest.as_ref() == Some(&digest(salt, entry))
}

/// The erasures that are on record for those of `entries` that are erased.
async fn erasures(db: &impl ConnectionTrait, entries: &[Model]) -> Result<HashSet<Erasure>, DbErr> {
    let erased = entries.iter().filter(|entry| entry.erased_at.is_some());
    let records: HashSet<Uuid> = erased.map(|entry| entry.record_id).collect();
    if records.is_empty() {
        return Ok(HashSet::new());
    }
    let listed = Entity::find()
        .filter(Column::RecordId.is_in(records))
        .filter(Column::Action.eq(Action::Erased))
        .all(db)
        .await?;
    Ok(listed.iter().map(|entry| erasure(entry, entry.at)).collect())
}

/// Walks the chain, which has to contain the `noted` head if one is given, as it was when the walk began: what
/// is sealed meanwhile cannot be taken for forged.
///
/// # Errors
/// The database.
pub async fn verify(db: &Db, noted: Option<&Head>) -> Result<Result<Verified, Finding>, DbErr> {
    let seen = db.snapshot().await?;
    let verified = walk(&seen, noted).await?;
    seen.rollback().await?;
    Ok(verified)
}

async fn walk(
    db: &impl ConnectionTrait,
    noted: Option<&Head>,
) -> Result<Result<Verified, Finding>, DbErr> {
    use sea_orm::sea_query::ExprTrait;
    let newest = DateTime::<Utc>::MIN_UTC;
    let mut walk = Walk { noted, position: 0, hash: String::new(), newest };
    let head = end(db).await?;
    if let Err(finding) = walk.to(db, &head).await? {
        return Ok(Err(finding));
    }
    if let Some(noted) = noted.filter(|noted| noted.position > walk.position) {
        return Ok(Err(Finding::Missing(noted.position)));
    }
    let unsealed = Entity::find().filter(Column::Position.is_null());
    if let Some(latest) = walk.newest.checked_sub_signed(LATEST) {
        let late = unsealed.clone().filter(Column::At.lt(latest));
        if let Some(entry) = late.order_by_asc(Column::Id).one(db).await? {
            return Ok(Err(Finding::Inserted(entry.id)));
        }
    }
    let forged = Column::Position.gt(head.position).or(Column::Position.lt(1));
    let forged = Entity::find().filter(forged).order_by_asc(Column::Position);
    if let Some(entry) = forged.one(db).await? {
        return Ok(Err(Finding::Inserted(entry.id)));
    }
    Ok(Ok(Verified { head, unsealed: unsealed.count(db).await? }))
}

/// Where the sealer says that the chain ends.
async fn end(db: &impl ConnectionTrait) -> Result<Head, DbErr> {
    let head = head::Entity::find_by_id(1).one(db).await?;
    Ok(head.map_or(Head { position: 0, hash: String::new() }, |head| Head {
        position: head.position,
        hash: head.hash,
    }))
}
