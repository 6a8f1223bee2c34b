//! The segments that segments are made of.
//!
//! Invariant: no segment is a part of itself, however deep; and who belongs to a set follows from who belongs to its parts,
//! so it is found out after them.

use std::collections::{HashMap, HashSet};

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockType, Query, SelectStatement};
use sea_orm::{Condition, QueryOrder, QuerySelect};

use super::{Kind, Operation, member};
use crate::access::{Actor, Permission};
use crate::catalog::catalog;
use crate::customers::customer;
use crate::error::Error;
use crate::id::{Id, SegmentId, SegmentPartId, UserId};

/// Of how many parts a set is made at most.
const MOST: usize = 20;

/// That a segment is made of another one.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_part")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentPartId,
    /// The whole.
    pub segment_id: SegmentId,
    /// The part.
    pub part_id: SegmentId,
    /// The how manieth, from 0.
    pub place: i32,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// That a segment is made of another one.
    SegmentPart of Entity, read by Permission::ReadWorkflows;
    /// Its id.
    id: id::<SegmentPartId>(),
    /// The part.
    part: one::<super::Entity>(Column::PartId),
    /// The how manieth it is, from 0: a difference is what belongs to the first and to none of the others.
    place: whole(Column::Place),
}

/// Makes a segment of the `parts` and no others.
///
/// # Errors
/// `Invalid` for a set that cannot be, [`Error::NoSuch`] for a part.
pub(super) async fn replace(
    txn: &impl ConnectionTrait,
    whole: SegmentId,
    operation: Operation,
    parts: &[SegmentId],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let refuse = |message: String| Err(Error::invalid("set", message));
    let distinct = parts.iter().copied().collect::<HashSet<_>>();
    if !(2..=MOST).contains(&parts.len()) || distinct.len() < parts.len() {
        let operation = match operation {
            Operation::Union => "a union",
            Operation::Intersection => "an intersection",
            Operation::Difference => "a difference",
        };
        return refuse(format!("{operation} is made of 2 to {MOST} segments, each of them once"));
    }
    // None of them is deleted, or made of this one, before it is made of them.
    let there = super::Entity::find()
        .filter(super::Column::Id.is_in(distinct.iter().copied()))
        .order_by_asc(super::Column::Id)
        .lock(LockType::Share)
        .all(txn)
        .await?;
    if there.len() < distinct.len() {
        return Err(Error::no_such::<super::Entity>().at(&["input", "set", "segmentIds"]));
    }
    if let Some(problem) = circle(&all(txn).await?, whole, parts) {
        let name = there.iter().find(|row| row.id == problem).map_or("", |row| row.name.as_str());
        return refuse(format!(
            "{name} is made of this segment itself, so it cannot be a part of it"
        ));
    }
    Entity::delete_many().filter(Column::SegmentId.eq(whole)).exec(txn).await?;
    add(txn, whole, parts, actor, now).await
}

/// Adds parts to a segment that has none.
pub(super) async fn add(
    txn: &impl ConnectionTrait,
    whole: SegmentId,
    parts: &[SegmentId],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let rows = (0..).zip(parts).map(|(place, part)| ActiveModel {
        id: Set(SegmentPartId::new(now)),
        segment_id: Set(whole),
        part_id: Set(*part),
        place: Set(place),
        created_at: Set(now),
        created_by: Set(actor.user()),
    });
    Entity::insert_many(rows).exec_without_returning(txn).await?;
    Ok(())
}

/// The parts of all segments, in their order.
pub(super) async fn all(
    txn: &impl ConnectionTrait,
) -> Result<HashMap<SegmentId, Vec<SegmentId>>, DbErr> {
    let rows: Vec<(SegmentId, SegmentId)> = Entity::find()
        .select_only()
        .columns([Column::SegmentId, Column::PartId])
        .order_by_asc(Column::SegmentId)
        .order_by_asc(Column::Place)
        .into_tuple()
        .all(txn)
        .await?;
    let mut parts = HashMap::<_, Vec<_>>::new();
    for (whole, part) in rows {
        parts.entry(whole).or_default().push(part);
    }
    Ok(parts)
}

/// The first of `parts` that is made of `whole`, however deep, or is it.
fn circle(
    known: &HashMap<SegmentId, Vec<SegmentId>>,
    whole: SegmentId,
    parts: &[SegmentId],
) -> Option<SegmentId> {
    parts.iter().copied().find(|part| {
        let (mut pending, mut seen) = (vec![*part], HashSet::new());
        while let Some(one) = pending.pop() {
            if one == whole {
                return true;
            }
            if seen.insert(one) {
                pending.extend(known.get(&one).into_iter().flatten());
            }
        }
        false
    })
}

/// Sets in the order in which they can be found out, together with those of the same depth.
pub(super) fn layers(
    sets: &[SegmentId],
    parts: &HashMap<SegmentId, Vec<SegmentId>>,
) -> Vec<Vec<SegmentId>> {
    let (mut pending, mut layers) = (sets.to_vec(), Vec::new());
    while !pending.is_empty() {
        let waits = |set: &SegmentId| {
            parts.get(set).into_iter().flatten().any(|part| pending.contains(part))
        };
        let (later, now): (Vec<_>, Vec<_>) = pending.iter().copied().partition(waits);
        if now.is_empty() {
            break;
        }
        layers.push(now);
        pending = later;
    }
    layers
}

/// Which customers belong to `parts` as `operation` says.
pub(super) fn passes(operation: Operation, parts: &[SegmentId]) -> Condition {
    let id = || Expr::col((customer::Entity, customer::Column::Id));
    let (first, others) = parts.split_at(parts.len().min(1));
    match operation {
        Operation::Union => Condition::all().add(id().in_subquery(members(parts))),
        Operation::Intersection => parts.iter().fold(Condition::all(), |all, part| {
            all.add(id().in_subquery(members(std::slice::from_ref(part))))
        }),
        Operation::Difference => {
            let mut known = members(others);
            known.and_where(Expr::col((member::Entity, member::Column::CustomerId)).eq(id()));
            Condition::all().add(id().in_subquery(members(first))).add(Expr::exists(known).not())
        }
    }
}

/// The customers who belong to one of the segments.
fn members(segments: &[SegmentId]) -> SelectStatement {
    let of = |column: member::Column| (member::Entity, column);
    let mut members = Query::select();
    members
        .column(of(member::Column::CustomerId))
        .from(member::Entity)
        .and_where(Expr::col(of(member::Column::SegmentId)).is_in(segments.iter().map(|id| id.0)));
    members
}

/// That it is known who belongs to all parts of a segment.
pub(super) fn are_filled() -> Expr {
    let mut unknown = Query::select();
    unknown
        .expr(Expr::val(1))
        .from(Entity)
        .and_where(
            Expr::col((Entity, Column::SegmentId))
                .eq(Expr::col((super::Entity, super::Column::Id))),
        )
        .and_where(Expr::col((Entity, Column::PartId)).in_subquery({
            let mut unfilled = Query::select();
            unfilled
                .expr(Expr::col(("unfilled", super::Column::Id)))
                .from_as(super::Entity, "unfilled")
                .and_where(Expr::col(("unfilled", super::Column::FilledAt)).is_null());
            unfilled
        }));
    Expr::exists(unknown).not()
}

/// The name of a segment that is made of the one with the id.
pub(super) async fn made_of(
    txn: &impl ConnectionTrait,
    part: SegmentId,
) -> Result<Option<String>, DbErr> {
    let wholes = Entity::find().filter(Column::PartId.eq(part)).all(txn).await?;
    let wholes = wholes.into_iter().map(|row| row.segment_id);
    let whole = super::Entity::find().filter(super::Column::Id.is_in(wholes)).one(txn).await?;
    Ok(whole.map(|whole| whole.name))
}

/// Lets the sets that are made of a segment be found out soon, since others belong to it now.
pub(super) async fn stir(
    txn: &impl ConnectionTrait,
    part: SegmentId,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    let mut wholes = Query::select();
    wholes.column(Column::SegmentId).from(Entity).and_where(Column::PartId.eq(part));
    super::Entity::update_many()
        .col_expr(super::Column::LookAt, Expr::val(now))
        .filter(super::Column::Kind.eq(Kind::Set))
        .filter(super::Column::Id.in_subquery(wholes))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets who belongs to the sets that are made of a segment, however deep, since what it says is another thing now.
pub(super) async fn unfill_above(
    txn: &impl ConnectionTrait,
    part: SegmentId,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    let parts = all(txn).await?;
    let (mut pending, mut above) = (vec![part], HashSet::new());
    while let Some(one) = pending.pop() {
        let wholes = parts.iter().filter(|(_, parts)| parts.contains(&one));
        pending.extend(wholes.map(|(whole, _)| *whole).filter(|whole| above.insert(*whole)));
    }
    if above.is_empty() {
        return Ok(());
    }
    super::Entity::update_many()
        .col_expr(super::Column::FilledAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(super::Column::LookAt, Expr::val(now))
        .filter(super::Column::Kind.eq(Kind::Set))
        .filter(super::Column::Id.is_in(above))
        .exec(txn)
        .await?;
    Ok(())
}

/// Forgets of which segment a list was made.
pub(super) async fn forget(txn: &impl ConnectionTrait, whole: SegmentId) -> Result<(), DbErr> {
    Entity::delete_many().filter(Column::SegmentId.eq(whole)).exec(txn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> SegmentId {
        SegmentId(Uuid::from_u128(number.into()))
    }

    proptest! {
        /// Parts that are taken one after the other, where none closes a circle, can always be found out in layers.
        #[test]
        fn what_has_no_circle_has_an_order(edges in prop::collection::vec((0..8_u8, 0..8_u8), 0..40)) {
            let mut parts = HashMap::<SegmentId, Vec<SegmentId>>::new();
            for (whole, part) in edges {
                if circle(&parts, id(whole), &[id(part)]).is_none() {
                    parts.entry(id(whole)).or_default().push(id(part));
                }
            }
            let sets: Vec<_> = parts.keys().copied().collect();
            let layers = layers(&sets, &parts);
            let order: Vec<_> = layers.iter().flatten().copied().collect();
            prop_assert_eq!(order.len(), sets.len());
            for (place, set) in order.iter().enumerate() {
                prop_assert!(!parts[set].iter().any(|part| order[place..].contains(part)));
            }
        }
    }

    #[test]
    fn a_segment_is_no_part_of_itself() {
        let parts = HashMap::from([(id(2), vec![id(1)]), (id(3), vec![id(2)])]);
        assert_eq!(circle(&parts, id(1), &[id(4), id(3)]), Some(id(3)));
        assert_eq!(circle(&parts, id(1), &[id(1)]), Some(id(1)));
        assert_eq!(circle(&parts, id(4), &[id(3), id(1)]), None);
    }
}
