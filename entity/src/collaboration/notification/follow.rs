//! Telling followers what happened to the records that they follow.
//!
//! Invariant: one statement for a batch of events, whatever the number of followers (another one for each
//! [`TOGETHER`] of them who do not see all records); and nobody is told of a record that they may not see
//! at that moment.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, CaseStatement, Expr, ExprTrait, Order, OverStatement, Query, SelectStatement,
    WindowStatement,
};
use sea_orm::{ActiveEnum, Condition, DbBackend, JoinType};

use super::Kind;
use super::tell::{Again, Told, tell};
use crate::access::{Scope, Viewer, user};
use crate::automation::event::{self, Kind as Event};
use crate::catalog::{Belongs, Cataloged, Record, among};
use crate::collaboration::mark;
use crate::customers::customer;
use crate::error::Error;
use crate::finance::{invoice, payment};
use crate::id::UserId;

/// How many followers who do not see all records are told by one statement. Each adds a condition, and
/// SQLite takes a thousand.
const TOGETHER: usize = 100;

/// What an event tells those who follow the record.
const TOLD: [(Event, &str); 14] = [
    (Event::CustomerUpdated, "CHANGED"),
    (Event::CustomerRestored, "CHANGED"),
    (Event::ContactCreated, "CHANGED"),
    (Event::ContactUpdated, "CHANGED"),
    (Event::ContactDeleted, "CHANGED"),
    (Event::AddressCreated, "CHANGED"),
    (Event::AddressUpdated, "CHANGED"),
    (Event::AddressDeleted, "CHANGED"),
    (Event::CustomerDeleted, "DELETED"),
    (Event::CustomerMerged, "MERGED"),
    (Event::InvoiceVoided, "CHANGED"),
    (Event::CreditNoteIssued, "CHANGED"),
    (Event::PaymentAllocated, "CHANGED"),
    (Event::PaymentReversed, "CHANGED"),
];

/// The kind of record that an event's followers follow.
fn followed(kind: Event) -> Option<&'static Record> {
    let is_told = TOLD.iter().any(|(told, _)| *told == kind);
    is_told.then(|| match kind {
        Event::InvoiceVoided | Event::CreditNoteIssued => invoice::Entity::record(),
        Event::PaymentAllocated | Event::PaymentReversed => payment::Entity::record(),
        _ => customer::Entity::record(),
    })
}

/// Tells those who follow the records that `events` are about, in the transaction in which the events are
/// relayed.
///
/// # Errors
/// The database.
pub async fn tell_followers(
    txn: &impl ConnectionTrait,
    events: &[event::Model],
    now: DateTimeUtc,
) -> Result<(), Error> {
    for record in [customer::Entity::record(), invoice::Entity::record(), payment::Entity::record()]
    {
        let of_record = |event: &&event::Model| {
            followed(event.kind).is_some_and(|followed| followed.prefix == record.prefix)
        };
        let ids: Vec<_> = events.iter().filter(of_record).map(|event| event.id.0).collect();
        if !ids.is_empty() {
            tell_of(txn, record, &ids, now).await?;
        }
    }
    Ok(())
}

async fn tell_of(
    txn: &impl ConnectionTrait,
    record: &'static Record,
    events: &[Uuid],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let backend = txn.get_database_backend();
    let mut whose = joined(backend, events);
    whose.distinct().expr(Expr::col((mark::Entity, mark::Column::UserId)));
    let rows = txn.query_all(&whose).await?;
    let users = rows.iter().map(|row| row.try_get_by_index(0)).collect::<Result<Vec<UserId>, _>>();
    let viewers = user::viewers(txn, &users?, now).await?;
    let (all, some): (Vec<_>, Vec<_>) = viewers.iter().partition(|viewer| sees_all(record, viewer));
    let all: Vec<_> = all.into_iter().map(|viewer| viewer.user.0).collect();
    let user = || Expr::col((mark::Entity, mark::Column::UserId));
    let mut chunks = some.chunks(TOGETHER);
    let mut first = (!all.is_empty()).then(|| among(backend, user(), &all));
    loop {
        let chunk = chunks.next();
        let (None, None) = (&first, chunk) else {
            let mut see = Condition::any().add_option(first.take());
            for viewer in chunk.into_iter().flatten() {
                see = see
                    .add(Condition::all().add(user().eq(viewer.user)).add(record.visible(viewer)));
            }
            let source = source(backend, record, events, see);
            tell(txn, Kind::Followed, source, Again::Count, now).await?;
            continue;
        };
        return Ok(());
    }
}

/// Whether the viewer sees every record of the kind.
fn sees_all(record: &Record, viewer: &Viewer) -> bool {
    let is_private = matches!(record.belongs, Belongs::OnlyTo(..));
    !is_private && record.read.is_none_or(|needed| viewer.scope(needed) == Scope::All)
}

/// Events with the marks of those who follow what they are about: the record itself, or the one that it is
/// part of or became part of.
fn joined(backend: DbBackend, events: &[Uuid]) -> SelectStatement {
    let column = |column| Expr::col((event::Entity, column));
    let of_customer = [
        Event::CustomerMerged,
        Event::ContactCreated,
        Event::ContactUpdated,
        Event::ContactDeleted,
        Event::AddressCreated,
        Event::AddressUpdated,
        Event::AddressDeleted,
    ];
    let of_customer = of_customer.map(|kind| kind.to_value());
    let whole = CaseStatement::new()
        .case(column(event::Column::Kind).is_in(of_customer), column(event::Column::CustomerId))
        .finally(column(event::Column::SubjectId));
    let whole: Expr = whole.into();
    let marked = Expr::col((mark::Entity, mark::Column::SubjectId));
    let mut select = Query::select();
    select
        .from(event::Entity)
        .join(
            JoinType::InnerJoin,
            mark::Entity,
            Condition::any()
                .add(marked.clone().eq(column(event::Column::SubjectId)))
                .add(marked.eq(whole)),
        )
        .and_where(among(backend, column(event::Column::Id), events))
        .and_where(Expr::col((mark::Entity, mark::Column::Kind)).eq(mark::Kind::Follow.to_value()))
        .cond_where(Condition::any().add(column(event::Column::ActorId).is_null()).add(
            column(event::Column::ActorId).ne(Expr::col((mark::Entity, mark::Column::UserId))),
        ));
    select
}

/// For each follower and record the last of the events, and how many there were.
fn source(
    backend: DbBackend,
    record: &'static Record,
    events: &[Uuid],
    see: Condition,
) -> SelectStatement {
    let mark = |column| Expr::col((mark::Entity, column));
    let mut detail = CaseStatement::new();
    for (kind, what) in TOLD {
        detail = detail.case(
            Expr::col((event::Entity, event::Column::Kind)).eq(kind.to_value()),
            Expr::val(what),
        );
    }
    let mut each = joined(backend, events);
    let seen = Expr::col((Alias::new(record.table), Alias::new("id")));
    each.join(
        JoinType::InnerJoin,
        Alias::new(record.table),
        seen.eq(mark(mark::Column::SubjectId)),
    )
    .cond_where(see);
    let told = Told {
        user: mark(mark::Column::UserId),
        cause: mark(mark::Column::SubjectId),
        subject: Some((record.prefix, mark(mark::Column::SubjectId))),
        actor: Expr::col((event::Entity, event::Column::ActorId)),
        detail: detail.into(),
        times: Expr::cust("1"),
    };
    told.select(&mut each);
    let of_one = || {
        let mut window = WindowStatement::partition_by((mark::Entity, mark::Column::UserId));
        window.add_partition_by(mark(mark::Column::SubjectId));
        window
    };
    let mut newest = of_one();
    newest.order_by((event::Entity, event::Column::Id), Order::Desc);
    each.expr_window_as(Expr::cust("row_number()"), newest, Alias::new("place"));
    each.expr_window_as(Expr::cust("count(*)"), of_one(), Alias::new("events"));
    let mut last = Query::select();
    Told::columns_of(&mut last, "events");
    last.from_subquery(each, Alias::new("each_event"))
        .and_where(Expr::col(Alias::new("place")).eq(1));
    last
}
