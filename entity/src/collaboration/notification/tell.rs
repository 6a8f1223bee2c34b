//! Telling users, in the transaction of what they are told of.
//!
//! Invariant: one statement for however many users and records, and each passes the same door: who has
//! done it themselves, who may not log in and who does not want to know is not told.

use chrono::TimeDelta;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, CaseStatement, Expr, ExprTrait, Func, OnConflict, Query, SelectStatement,
};
use sea_orm::{ActiveEnum, Condition, JoinType};

use super::setting::{self, Delivery};
use super::{Column, Entity, Kind};
use crate::access::share::With;
use crate::access::{Actor, Permission, absence, grant, membership, user};
use crate::automation::workflow::{forecast, version};
use crate::automation::{job, workflow};
use crate::catalog::Record;
use crate::customers::customer;
use crate::error::Error;
use crate::id::{CustomerId, Id, JobId, ShareId, UserId, WorkflowId, fresh_by_row};

/// After which the beginning of an absence is no news any more.
const LATE: TimeDelta = TimeDelta::days(7);

/// The names of what a source selects, in their order.
pub(super) const GIVEN: [&str; 7] =
    ["user_id", "cause_id", "subject_kind", "subject_id", "actor_id", "detail", "times"];

/// What becomes of a notification whose cause the user has been told of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It stays as it is.
    Once,
    /// It counts.
    Count,
}

/// What is told: the values of [`GIVEN`].
pub(super) struct Told {
    pub user: Expr,
    pub cause: Expr,
    pub subject: Option<(&'static str, Expr)>,
    pub actor: Expr,
    pub detail: Expr,
    pub times: Expr,
}

impl Told {
    /// Adds it to what `source` selects.
    pub fn select(self, source: &mut SelectStatement) {
        let (kind, subject) = match self.subject {
            Some((kind, subject)) => (Expr::val(kind), subject),
            None => (Expr::val(None::<String>), Expr::val(None::<Uuid>)),
        };
        let values = [self.user, self.cause, kind, subject, self.actor, self.detail, self.times];
        for (name, value) in GIVEN.into_iter().zip(values) {
            source.expr_as(value, Alias::new(name));
        }
    }

    /// Selects it from a source of its own, with another column for how often.
    pub fn columns_of(select: &mut SelectStatement, times: &'static str) {
        for name in GIVEN {
            let column = if name == "times" { times } else { name };
            select.expr_as(Expr::col(Alias::new(column)), Alias::new(name));
        }
    }
}

/// Tells users of what `source` selects.
///
/// # Errors
/// The database.
pub(super) async fn tell(
    txn: &impl ConnectionTrait,
    kind: Kind,
    source: SelectStatement,
    again: Again,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let told = Alias::new("told");
    let given = |name: &'static str| Expr::col((told.clone(), Alias::new(name)));
    let delivery = Func::coalesce([
        Expr::col((setting::Entity, setting::Column::Delivery)),
        Expr::val(Delivery::InApp.to_value()),
    ]);
    let delivery: Expr = delivery.into();
    let by_mail = [Delivery::Email, Delivery::Digest].map(|delivery| delivery.to_value());
    let by_mail = CaseStatement::new()
        .case(delivery.clone().is_in(by_mail), Expr::val(true))
        .finally(Expr::val(false));
    let backend = txn.get_database_backend();
    let mut select = Query::select();
    select.expr(fresh_by_row(backend, now)).expr(Expr::val(kind.to_value()));
    for name in GIVEN {
        select.expr(given(name));
    }
    select
        .expr(by_mail)
        .expr(Expr::val(now))
        .expr(Expr::val(now))
        .from_subquery(source, told.clone())
        .join(
            JoinType::InnerJoin,
            user::Entity,
            Expr::col((user::Entity, user::Column::Id)).eq(given("user_id")),
        )
        .join(
            JoinType::LeftJoin,
            setting::Entity,
            Condition::all()
                .add(Expr::col((setting::Entity, setting::Column::UserId)).eq(given("user_id")))
                .add(Expr::col((setting::Entity, setting::Column::Kind)).eq(kind.to_value())),
        )
        .and_where(Expr::col((user::Entity, user::Column::DisabledAt)).is_null())
        .and_where(delivery.ne(Delivery::Off.to_value()))
        .cond_where(
            Condition::any()
                .add(given("actor_id").is_null())
                .add(given("actor_id").ne(given("user_id"))),
        );
    let mut insert = Query::insert();
    insert.into_table(Entity).columns([
        Column::Id,
        Column::Kind,
        Column::UserId,
        Column::CauseId,
        Column::SubjectKind,
        Column::SubjectId,
        Column::ActorId,
        Column::Detail,
        Column::Times,
        Column::Mailed,
        Column::CreatedAt,
        Column::HappenedAt,
    ]);
    let mut conflict = OnConflict::columns([Column::UserId, Column::Kind, Column::CauseId]);
    match again {
        Again::Once => conflict.do_nothing(),
        Again::Count => {
            let excluded = Expr::col((Alias::new("excluded"), Column::Times));
            conflict
                .update_columns([Column::ActorId, Column::Detail, Column::HappenedAt])
                .value(Column::Times, Expr::col((Entity, Column::Times)).add(excluded))
                .value(Column::RelayedAt, Expr::val(None::<DateTimeUtc>))
        }
    };
    let insert = insert.select_from(select).map_err(|error| DbErr::Custom(error.to_string()))?;
    insert.on_conflict(conflict);
    Ok(txn.execute(insert).await?.rows_affected())
}

/// Tells who asked for a job that it has ended, unless somebody called it off.
///
/// # Errors
/// The database.
pub(crate) async fn job_ended(
    txn: &impl ConnectionTrait,
    id: JobId,
    state: job::State,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let kind = match state {
        job::State::Succeeded => Kind::JobSucceeded,
        job::State::Failed => Kind::JobFailed,
        _ => return Ok(()),
    };
    let column = |column| Expr::col((job::Entity, column));
    let mut source = Query::select();
    source
        .from(job::Entity)
        .and_where(column(job::Column::Id).eq(id))
        .and_where(column(job::Column::State).eq(state.to_value()))
        .and_where(column(job::Column::CreatedBy).is_not_null());
    let told = Told {
        user: column(job::Column::CreatedBy),
        cause: column(job::Column::Id),
        subject: Some((JobId::PREFIX, column(job::Column::Id))),
        actor: Expr::val(None::<Uuid>),
        detail: column(job::Column::Kind),
        times: Expr::val(1),
    };
    told.select(&mut source);
    tell(txn, kind, source, Again::Once, now).await.map(|_| ())
}

/// Tells with whom a record was shared.
///
/// # Errors
/// The database.
pub(crate) async fn shared(
    txn: &impl ConnectionTrait,
    share: ShareId,
    (record, id): (&'static Record, Uuid),
    with: With,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut source = Query::select();
    let user = match with {
        With::User(user) => {
            source
                .from(user::Entity)
                .and_where(Expr::col((user::Entity, user::Column::Id)).eq(user));
            Expr::col((user::Entity, user::Column::Id))
        }
        With::Team(team) => {
            source
                .from(membership::Entity)
                .and_where(Expr::col((membership::Entity, membership::Column::TeamId)).eq(team));
            Expr::col((membership::Entity, membership::Column::UserId))
        }
    };
    let told = Told {
        user,
        cause: Expr::val(share.0),
        subject: Some((record.prefix, Expr::val(id))),
        actor: Expr::val(actor.user().map(|user| user.0)),
        detail: Expr::val(None::<String>),
        times: Expr::val(1),
    };
    told.select(&mut source);
    tell(txn, Kind::Shared, source, Again::Once, now).await.map(|_| ())
}

/// Tells the owners of `customers`, which have just become theirs. What has one `cause`, such as a job, is
/// told together.
///
/// # Errors
/// The database.
pub(crate) async fn owned(
    txn: &impl ConnectionTrait,
    customers: &[CustomerId],
    cause: Uuid,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if customers.is_empty() {
        return Ok(());
    }
    let backend = txn.get_database_backend();
    let column = |column| Expr::col((customer::Entity, column));
    let mut source = Query::select();
    source
        .from(customer::Entity)
        .and_where(crate::catalog::among(
            backend,
            column(customer::Column::Id),
            &customers.iter().map(|id| id.0).collect::<Vec<_>>(),
        ))
        .and_where(column(customer::Column::OwnerId).is_not_null())
        .add_group_by([column(customer::Column::OwnerId)]);
    let subject = match customers {
        [only] => Some((CustomerId::PREFIX, Expr::val(only.0))),
        _ => None,
    };
    let told = Told {
        user: column(customer::Column::OwnerId),
        cause: Expr::val(cause),
        subject,
        actor: Expr::val(actor.user().map(|user| user.0)),
        detail: Expr::val(None::<String>),
        times: column(customer::Column::Id).count(),
    };
    told.select(&mut source);
    tell(txn, Kind::Owned, source, Again::Count, now).await.map(|_| ())
}

/// Tells users whose absence has begun who stands in for them. Gives how many.
///
/// # Errors
/// The database.
pub async fn deputies_begun(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<u64, Error> {
    let column = |column| Expr::col((absence::Entity, column));
    let mut source = Query::select();
    source
        .from(absence::Entity)
        .and_where(column(absence::Column::StartsAt).lte(now))
        .and_where(column(absence::Column::StartsAt).gt(now - LATE))
        .and_where(column(absence::Column::EndsAt).gt(now));
    let told = Told {
        user: column(absence::Column::UserId),
        cause: column(absence::Column::Id),
        subject: None,
        actor: column(absence::Column::DeputyId),
        detail: Expr::val(None::<String>),
        times: Expr::val(1),
    };
    told.select(&mut source);
    tell(txn, Kind::DeputyBegan, source, Again::Once, now).await
}

/// Tells who published a workflow that it stands still, since it had more for customers than its forecast lets through.
///
/// # Errors
/// The database.
pub(crate) async fn workflow_held(
    txn: &impl ConnectionTrait,
    exceeded: &forecast::Model,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let column = |column| Expr::col((version::Entity, column));
    let name = Expr::col((workflow::Entity, workflow::Column::Name));
    let mut source = Query::select();
    source
        .from(version::Entity)
        .inner_join(
            workflow::Entity,
            column(version::Column::WorkflowId)
                .eq(Expr::col((workflow::Entity, workflow::Column::Id))),
        )
        .and_where(column(version::Column::ForecastId).eq(exceeded.id));
    let told = Told {
        user: column(version::Column::CreatedBy),
        cause: Expr::val(exceeded.id.0),
        subject: Some((WorkflowId::PREFIX, Expr::val(exceeded.workflow_id.0))),
        actor: Expr::val(None::<Uuid>),
        detail: name,
        times: Expr::val(1),
    };
    told.select(&mut source);
    tell(txn, Kind::WorkflowHeld, source, Again::Once, now).await.map(|_| ())
}

/// Tells a user that somebody has taken their second factor away.
///
/// # Errors
/// The database.
pub(crate) async fn second_factor_reset(
    txn: &impl ConnectionTrait,
    user: UserId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let backend = txn.get_database_backend();
    let mut source = Query::select();
    source.from(user::Entity).and_where(Expr::col((user::Entity, user::Column::Id)).eq(user));
    let told = Told {
        user: Expr::col((user::Entity, user::Column::Id)),
        cause: fresh_by_row(backend, now),
        subject: None,
        actor: Expr::val(actor.user().map(|user| user.0)),
        detail: Expr::val(None::<String>),
        times: Expr::val(1),
    };
    told.select(&mut source);
    tell(txn, Kind::SecondFactorReset, source, Again::Once, now).await.map(|_| ())
}

/// Tells those who may let it go on that sending is on hold.
///
/// # Errors
/// The database.
pub(crate) async fn sending_held(
    txn: &impl ConnectionTrait,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let backend = txn.get_database_backend();
    let column = |column| Expr::col((user::Entity, column));
    let mut source = Query::select();
    source.from(user::Entity).and_where(
        column(user::Column::RoleId).in_subquery(grant::roles_with(Permission::WriteContactRules)),
    );
    let told = Told {
        user: column(user::Column::Id),
        cause: fresh_by_row(backend, now),
        subject: None,
        actor: Expr::val(None::<Uuid>),
        detail: Expr::val(None::<String>),
        times: Expr::val(1),
    };
    told.select(&mut source);
    tell(txn, Kind::SendingHeld, source, Again::Once, now).await.map(|_| ())
}
