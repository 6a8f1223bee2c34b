//! Lists: segments of customers whom somebody has put together.
//!
//! Invariant: a list is changed by somebody alone, and each change says by whom, by what, and how many it was. Customers
//! come to it from ids, from what passes a filter or belongs to a segment at the time, or from a file; nothing of that says
//! anything about whether they may be written to.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, Query};
use sea_orm::{Condition, IntoActiveModel, QuerySelect};
use serde_json::{Value, json};

use super::refresh::{Cause, leave, passing, present, put};
use super::sample::Sample;
use super::{Entity, Kind, Model, Operation, checked, member, part};
use crate::access::{Actor, Viewer};
use crate::catalog::{Cataloged, Scope, among};
use crate::customers::custom::CustomFields;
use crate::customers::customer;
use crate::edit::{lock, save};
use crate::error::Error;
use crate::id::{CustomerId, SegmentId};

/// How many customers somebody adds or removes by their ids at once.
pub const MOST_IDS: usize = 1_000;

/// How many customers enter or leave a list at once.
const MOST: u64 = 50_000;

/// What a list is made of.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// These customers.
    pub customers: Option<Vec<CustomerId>>,
    /// Those that pass a filter when it is made.
    pub filter: Option<Value>,
    /// Those that belong to a segment when it is made.
    pub segment: Option<SegmentId>,
    /// A sample of these.
    pub sample: Option<Sample>,
}

/// Whom somebody adds to a list or removes from it.
#[derive(Clone, Debug)]
pub enum Who {
    /// These customers.
    Ids(Vec<CustomerId>),
    /// Those that pass a filter now.
    Filter(Value),
    /// Those that belong to a segment now.
    Segment(SegmentId),
}

impl Who {
    fn name(&self) -> &'static str {
        match self {
            Self::Ids(_) => "IDS",
            Self::Filter(_) => "FILTER",
            Self::Segment(_) => "SEGMENT",
        }
    }

    /// The customers that can be on a list and are meant.
    ///
    /// # Errors
    /// [`Error::NoSuch`] for an id that names none, `Invalid` for a filter that the customers' list does not take.
    async fn passes(
        &self,
        txn: &impl ConnectionTrait,
        viewer: &Viewer,
        scope: Scope<'_>,
    ) -> Result<Condition, Error> {
        match self {
            Self::Ids(ids) => {
                if ids.len() > MOST_IDS {
                    let message = format!("name at most {MOST_IDS} customers at once");
                    return Err(Error::invalid("customerIds", message));
                }
                let present = present(&Value::Null, scope).add(these(ids, scope));
                let seen = customer::Entity::record().visible(viewer);
                let known = customer::Entity::find().filter(present.clone()).filter(seen);
                let wanted = ids.iter().collect::<std::collections::HashSet<_>>().len();
                if known.count(txn).await? < wanted as u64 {
                    let missing = Error::no_such::<customer::Entity>();
                    return Err(missing.at(&["input", "customerIds"]));
                }
                Ok(present)
            }
            Self::Filter(filter) => {
                checked(txn, filter, "filter", viewer).await?;
                Ok(passing(filter, scope)?)
            }
            Self::Segment(segment) => {
                let there = Entity::find_by_id(*segment).one(txn).await?;
                there.ok_or_else(|| Error::no_such::<Entity>().at(&["input", "segmentId"]))?;
                let belongs = part::passes(Operation::Union, &[*segment]);
                Ok(present(&Value::Null, scope).add(belongs))
            }
        }
    }
}

fn these(ids: &[CustomerId], scope: Scope<'_>) -> Expr {
    let ids = ids.iter().map(|id| id.0).collect::<Vec<_>>();
    among(scope.backend, Expr::col((customer::Entity, customer::Column::Id)), &ids)
}

/// Makes a list. Of customers with ids it is known at once, of others a moment later, who belongs to it.
pub(super) async fn create(
    txn: &impl ConnectionTrait,
    mut row: Model,
    source: Source,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let Source { customers, filter, segment, sample } = source;
    let is_drawn_from = filter.is_some() || segment.is_some();
    if customers.is_some() && is_drawn_from {
        let message = "a list is made of ids, or of a filter or a segment";
        return Err(Error::invalid("list", message));
    }
    if let Some(sample) = &sample {
        if !is_drawn_from {
            let message = "a sample is drawn of a filter's or a segment's customers; name one";
            return Err(Error::invalid("list", message));
        }
        sample.check()?;
        row.sample = serde_json::to_value(sample).ok();
    }
    if let Some(filter) = filter {
        checked(txn, &filter, "list", viewer).await?;
        row.source = Some(filter);
    }
    row.filled_at = (!is_drawn_from).then_some(now);
    let row = row.into_active_model().reset_all().insert(txn).await?;
    if let Some(segment) = segment {
        let there = Entity::find_by_id(segment).one(txn).await?;
        there.ok_or_else(|| Error::no_such::<Entity>().at(&["input", "list", "segmentId"]))?;
        part::add(txn, row.id, &[segment], viewer.into(), now).await?;
    }
    if let Some(ids) = customers {
        let (custom, anybody) = everything(txn).await?;
        let scope = Scope::of(txn, &anybody, &custom);
        let passes = Who::Ids(ids).passes(txn, viewer, scope).await?;
        put(txn, row.id, passes, (MOST, true), scope, (viewer.into(), now)).await?;
    }
    Ok(row)
}

/// Who compares customers with segments: somebody who sees all of them.
async fn everything(txn: &impl ConnectionTrait) -> Result<(CustomFields, Viewer), Error> {
    let custom = CustomFields::loaded(txn).await?;
    Ok((custom, Viewer::of_all(txn.get_database_backend())))
}

/// What becomes of customers and a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// They enter it; who is on it already stays.
    Enter,
    /// They leave it; who is not on it stays away.
    Leave,
}

/// Lets customers enter a list or leave it.
///
/// # Errors
/// [`Error::NoSuch`], `Invalid` for what is no list, or for more than can be changed at once.
pub async fn change(
    txn: &impl ConnectionTrait,
    id: SegmentId,
    turn: Turn,
    who: &Who,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let list = held(txn, id).await?;
    let (custom, anybody) = everything(txn).await?;
    let scope = Scope::of(txn, &anybody, &custom);
    let passes = who.passes(txn, viewer, scope).await?;
    let actor = Actor::from(viewer);
    let turned = match turn {
        Turn::Enter => put(txn, id, passes, (MOST + 1, false), scope, (actor, now)).await?,
        Turn::Leave => {
            let which = on(id, passes);
            leave(txn, which, Some(MOST + 1), Cause::Somebody(actor), now).await?
        }
    };
    few(turned)?;
    let turned = match turn {
        Turn::Enter => (turned, 0),
        Turn::Leave => (0, turned),
    };
    note(txn, list, turned, who.name(), actor, now).await
}

/// Who is on a list and passes a condition.
fn on(list: SegmentId, passes: Condition) -> Condition {
    let mut meant = Query::select();
    meant
        .column((customer::Entity, customer::Column::Id))
        .from(customer::Entity)
        .cond_where(passes);
    let of = |column: member::Column| Expr::col((member::Entity, column));
    Condition::all()
        .add(of(member::Column::SegmentId).eq(list.0))
        .add(of(member::Column::CustomerId).in_subquery(meant))
}

fn few(changed: u64) -> Result<(), Error> {
    if changed <= MOST {
        return Ok(());
    }
    let message = format!(
        "these are more than {MOST} customers, which is the most at once; make another list of them, and a set of both"
    );
    Err(Error::invalid("filter", message))
}

/// Adds customers from a file.
pub(super) async fn add_matched(
    txn: &impl ConnectionTrait,
    id: SegmentId,
    customers: &[CustomerId],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let list = held(txn, id).await?;
    let (custom, anybody) = everything(txn).await?;
    let scope = Scope::of(txn, &anybody, &custom);
    let passes = present(&Value::Null, scope).add(these(customers, scope));
    let added = put(txn, id, passes, (MOST, false), scope, (actor, now)).await?;
    if added > 0 {
        note(txn, list, (added, 0), "FILE", actor, now).await?;
    }
    Ok(added)
}

/// Makes sure that customers can be added to a segment.
///
/// # Errors
/// [`Error::NoSuch`], `Invalid` for a segment that is no list, or not yet.
pub async fn ensure(txn: &impl ConnectionTrait, id: SegmentId) -> Result<(), Error> {
    held(txn, id).await.map(drop)
}

/// The list, locked, once it is known who belongs to it.
///
/// # Errors
/// [`Error::NoSuch`], `Invalid` for a segment that is no list, or not yet.
async fn held(txn: &impl ConnectionTrait, id: SegmentId) -> Result<Model, Error> {
    let row = lock::<Entity>(txn, id, None).await?;
    if row.kind != Kind::Static {
        let message = "customers are added to lists and removed from them; others follow from what they are made of";
        return Err(Error::invalid("id", message));
    }
    if row.filled_at.is_none() {
        let message = "the list is just being made; try again in a moment";
        return Err(Error::invalid("id", message));
    }
    Ok(row)
}

/// Writes down how a list was changed, if it was.
async fn note(
    txn: &impl ConnectionTrait,
    mut list: Model,
    (added, removed): (u64, u64),
    by: &str,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if added + removed == 0 {
        return Ok(list);
    }
    part::stir(txn, list.id, now).await?;
    list.last_change = Some(json!({ "at": now, "added": added, "removed": removed, "by": by }));
    save::<Entity>(txn, list, actor, now).await
}

/// Lets the lists on which one of `from` is have another customer in its place, which becomes all of them.
///
/// # Errors
/// The database.
pub(crate) async fn carry_over(
    txn: &impl ConnectionTrait,
    from: &[CustomerId],
    to: CustomerId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut lists = Query::select();
    lists.column(super::Column::Id).from(Entity).and_where(super::Column::Kind.eq(Kind::Static));
    let lists: Vec<SegmentId> = member::Entity::find()
        .select_only()
        .distinct()
        .column(member::Column::SegmentId)
        .filter(member::Column::SegmentId.in_subquery(lists))
        .filter(member::Column::CustomerId.is_in(from.iter().copied()))
        .into_tuple()
        .all(txn)
        .await?;
    let (custom, anybody) = everything(txn).await?;
    let scope = Scope::of(txn, &anybody, &custom);
    for list in lists {
        let passes = present(&Value::Null, scope).add(these(&[to], scope));
        put(txn, list, passes, (1, false), scope, (actor, now)).await?;
        part::stir(txn, list, now).await?;
    }
    Ok(())
}
