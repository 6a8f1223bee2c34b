//! Merging: several records of one customer become one.
//!
//! Invariant: whatever referred to the others refers to the kept one afterwards, also what does so without a
//! reference of the database: marks and shares, which nobody has twice then, uploads, and saved filters. That holds
//! on every day: the ledger forgets nothing, so what was posted for them is carried over by postings of the same
//! days. What was merged points to the kept one, never to one that was merged itself.

use std::collections::HashSet;

use sea_orm::ExprTrait;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;

use super::{Column, Entity, Model, lock_all};
use crate::access::{Actor, share};
use crate::automation::event;
use crate::collaboration::{mark, upload};
use crate::customers::mention;
use crate::customers::reference::{Move, REFERENCES};
use crate::edit::{save, unchanged};
use crate::error::Error;
use crate::finance::ledger;
use crate::id::CustomerId;
use crate::marketing::segment::list;

/// How many customers become part of another one at once, at most.
pub const MOST: usize = 50;

/// A field whose value the kept customer can take from another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The number.
    Number,
    /// What kind of party it is.
    Kind,
    /// How far the relation has come.
    Stage,
    /// What it is called.
    DisplayName,
    /// Who looks after it.
    Owner,
    /// How it likes to be reached.
    PreferredChannel,
    /// The e-mail address.
    Email,
    /// The telephone number.
    Phone,
    /// The tax number.
    TaxNumber,
    /// The language it is written to in.
    Language,
    /// The zone it lives in.
    TimeZone,
}

impl Field {
    fn take(self, kept: &mut Model, other: &Model) {
        match self {
            Self::Number => kept.number.clone_from(&other.number),
            Self::Kind => kept.kind = other.kind,
            Self::Stage => kept.stage = other.stage,
            Self::DisplayName => kept.display_name.clone_from(&other.display_name),
            Self::Owner => kept.owner_id = other.owner_id,
            Self::PreferredChannel => kept.preferred_channel = other.preferred_channel,
            Self::Email => kept.email.clone_from(&other.email),
            Self::Phone => kept.phone.clone_from(&other.phone),
            Self::TaxNumber => kept.tax_number.clone_from(&other.tax_number),
            Self::Language => kept.language.clone_from(&other.language),
            Self::TimeZone => kept.time_zone.clone_from(&other.time_zone),
        }
    }
}

/// What becomes what.
#[derive(Clone, Debug)]
pub struct Merge {
    /// The customer that stays.
    pub keep: CustomerId,
    /// Those that become part of it, 1 to [`MOST`].
    pub merge: Vec<CustomerId>,
    /// Fields that it takes from one of them. What it lacks it takes anyway, from the first that has it.
    pub take: Vec<(Field, CustomerId)>,
}

/// Merges customers into one.
///
/// # Errors
/// `Invalid` for a choice that makes no sense, [`Error::NoSuch`], [`Error::StaleVersion`] when the
/// kept one was changed since `expected_version`.
pub async fn merge(
    txn: &impl ConnectionTrait,
    Merge { keep, merge, take }: Merge,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let distinct: HashSet<_> = merge.iter().copied().collect();
    if !(1..=MOST).contains(&merge.len()) || distinct.len() != merge.len() {
        let message = format!("merge 1 to {MOST} customers, each of them once");
        return Err(Error::invalid("mergeIds", message));
    }
    if distinct.contains(&keep) {
        return Err(Error::invalid("mergeIds", "a customer is not merged into itself"));
    }
    let rows = lock_all(txn, merge.iter().copied().chain([keep])).await?;
    let find = |id: CustomerId| {
        let found = rows.iter().find(|row| row.id == id && row.deleted_at.is_none());
        found.ok_or_else(Error::no_such::<Entity>)
    };
    let mut kept = find(keep)?.clone();
    unchanged(&kept, expected_version)?;
    let owner = kept.owner_id;
    let others = merge.iter().map(|id| find(*id)).collect::<Result<Vec<_>, _>>()?;
    for (field, from) in take {
        let other = others.iter().find(|other| other.id == from);
        let message = "take fields from customers that are merged";
        field.take(&mut kept, other.ok_or_else(|| Error::invalid("take", message))?);
    }
    for other in &others {
        fill(&mut kept, other);
    }
    kept.index();

    let mut part = Entity::update_many()
        .col_expr(Column::DeletedAt, Expr::val(now))
        .col_expr(Column::MergedIntoId, Expr::val(keep.0))
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user().map(|user| user.0)))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.is_in(merge.iter().copied()));
    if others.iter().any(|other| other.number.is_some() && other.number == kept.number) {
        // A number is one customer's; the event says whose it was.
        part = part.col_expr(Column::Number, Expr::val(None::<String>));
    }
    part.exec(txn).await?;
    list::carry_over(txn, &merge, keep, actor, now).await?;
    for reference in REFERENCES {
        match reference.merge {
            Move::Refer => reference.set(txn, merge.iter().copied(), Some(keep)).await?,
            Move::Leave => reference.remove(txn, merge.iter().copied()).await?,
            Move::Post => {}
        }
    }
    let parts: Vec<Uuid> = merge.iter().map(|id| id.0).collect();
    mark::carry_over(txn, &parts, keep.0).await?;
    share::carry_over(txn, &parts, keep.0).await?;
    upload::carry_over(txn, &merge, keep).await?;
    mention::carry_over(txn, &merge, keep, actor, now).await?;
    // After the records, since somebody may have posted something for them until they were moved.
    ledger::carry_over(txn, &merge, keep, actor, now).await?;
    let kept = save::<Entity>(txn, kept, actor, now).await?;
    if kept.owner_id != owner {
        kept.tell_owner(txn, actor, now).await?;
    }
    let events = others
        .iter()
        .map(|other| event::new(event::Kind::CustomerMerged, other.id.0, Some(keep), actor, now));
    event::Entity::insert_many(events).exec_without_returning(txn).await?;
    Ok(kept)
}

/// Takes what `kept` lacks from `other`.
fn fill(kept: &mut Model, other: &Model) {
    let missing = [
        (Field::Number, kept.number.is_none()),
        (Field::Owner, kept.owner_id.is_none()),
        (Field::PreferredChannel, kept.preferred_channel.is_none()),
        (Field::Email, kept.email.is_none()),
        (Field::Phone, kept.phone.is_none()),
        (Field::TaxNumber, kept.tax_number.is_none()),
    ];
    for (field, is_missing) in missing {
        if is_missing {
            field.take(kept, other);
        }
    }
    if let (Some(kept), Some(other)) = (kept.custom.as_object_mut(), other.custom.as_object()) {
        for (key, value) in other {
            kept.entry(key).or_insert_with(|| value.clone());
        }
    }
}
