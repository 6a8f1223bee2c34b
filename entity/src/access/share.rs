//! Shares: single records that somebody is let see, or change, who could not by their role's scope.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{
    Alias, ExprTrait, Order, OverStatement, Query, SelectStatement, WindowStatement,
};

use super::{Actor, Scope, Viewer, membership, team, user};
use crate::catalog::{Record, catalog};
use crate::collaboration::notification;
use crate::error::Error;
use crate::id::{Id, ShareId, TeamId, UserId};

/// A share.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "share")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ShareId,
    /// What is shared.
    pub record_id: Uuid,
    /// With which user.
    pub user_id: Option<UserId>,
    /// With which team.
    pub team_id: Option<TeamId>,
    /// Whether they may change it too.
    pub writable: bool,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A record that is shared with a user or a team, who then reach it whatever the scope of their role.
    Share of Entity;
    /// Its id.
    id: id::<ShareId>(),
    /// With which user; null when it is shared with a team.
    user: one::<user::Entity>(Column::UserId),
    /// With which team; null when it is shared with a user.
    team: one::<team::Entity>(Column::TeamId),
    /// Whether they may change it too, where their role lets them change such records.
    writable: truth(Column::Writable),
    /// Since when.
    created_at: instant(Column::CreatedAt),
}

/// With whom a record is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum With {
    /// With a user.
    User(UserId),
    /// With all who are in a team.
    Team(TeamId),
}

/// Shares a record, and tells with whom; or changes whether it may be changed by those it is shared with already.
///
/// # Errors
/// [`super::AccessError::NoSuchUser`], [`Error::NoSuch`].
pub async fn create(
    txn: &impl ConnectionTrait,
    record: (&'static Record, Uuid),
    with: With,
    writable: bool,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let (user_id, team_id) = match with {
        With::User(user) => (Some(user), None),
        With::Team(team) => (None, Some(team)),
    };
    user::ensure_all(txn, user_id.as_slice()).await?;
    if let Some(team) = team_id {
        let found = team::Entity::find_by_id(team).one(txn).await?;
        found.ok_or_else(|| Error::no_such::<team::Entity>().at(&["input", "teamId"]))?;
    }
    let same = Entity::find().filter(Column::RecordId.eq(record.1));
    let same = match with {
        With::User(user) => same.filter(Column::UserId.eq(user)),
        With::Team(team) => same.filter(Column::TeamId.eq(team)),
    };
    if let Some(known) = same.one(txn).await? {
        let known = ActiveModel { writable: Set(writable), ..known.into() };
        return Ok(known.update(txn).await?);
    }
    let row = ActiveModel {
        id: Set(ShareId::new(now)),
        record_id: Set(record.1),
        user_id: Set(user_id),
        team_id: Set(team_id),
        writable: Set(writable),
        created_at: Set(now),
        created_by: Set(actor.user()),
    };
    let row = row.insert(txn).await?;
    notification::shared(txn, row.id, record, with, actor, now).await?;
    Ok(row)
}

/// Ends a share.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn delete(txn: &impl ConnectionTrait, record: Uuid, id: ShareId) -> Result<(), Error> {
    let share = Entity::delete_by_id(id).filter(Column::RecordId.eq(record));
    match share.exec(txn).await?.rows_affected {
        0 => Err(Error::no_such::<Entity>()),
        _ => Ok(()),
    }
}

/// Shares a record with all with whom `from` were shared; for changing, where one of these was.
///
/// # Errors
/// The database.
pub(crate) async fn carry_over(
    txn: &impl ConnectionTrait,
    from: &[Uuid],
    to: Uuid,
) -> Result<(), Error> {
    let these = |column: Expr| column.is_in(from.iter().copied().chain([to]));
    let twin = |column| Expr::col((Alias::new("twin"), column));
    let same = |column: Column| twin(column).eq(Expr::col((Entity, column)));
    let mut writable = Query::select();
    writable
        .expr(Expr::val(1))
        .from_as(Entity, Alias::new("twin"))
        .and_where(these(twin(Column::RecordId)))
        .and_where(twin(Column::Writable).eq(true))
        .and_where(same(Column::UserId).or(same(Column::TeamId)));
    Entity::update_many()
        .col_expr(Column::Writable, Expr::val(true))
        .filter(these(Column::RecordId.into_expr()))
        .filter(Column::Writable.eq(false))
        .filter(Expr::exists(writable))
        .exec(txn)
        .await?;
    let mut each = WindowStatement::partition_by(Column::UserId);
    each.add_partition_by(Expr::col(Column::TeamId)).order_by(Column::Id, Order::Asc);
    let mut placed = Query::select();
    placed
        .column(Column::Id)
        .expr_window_as(Expr::cust("row_number()"), each, Alias::new("place"))
        .from(Entity)
        .and_where(these(Column::RecordId.into_expr()));
    let mut doubled = Query::select();
    doubled
        .column(Column::Id)
        .from_subquery(placed, Alias::new("placed"))
        .and_where(Expr::col(Alias::new("place")).gt(1));
    Entity::delete_many().filter(Column::Id.in_subquery(doubled)).exec(txn).await?;
    Entity::update_many()
        .col_expr(Column::RecordId, Expr::val(to))
        .filter(Column::RecordId.is_in(from.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}

/// The ids of what is shared with the viewer or their teams, for changing where `writing`.
pub(crate) fn with(viewer: &Viewer, writing: bool) -> SelectStatement {
    let mut teams = Query::select();
    teams
        .column(membership::Column::TeamId)
        .from(membership::Entity)
        .and_where(viewer.is_theirs(membership::Column::UserId.into_expr(), Scope::Own));
    let mut shared = Query::select();
    let directly = viewer.is_theirs(Column::UserId.into_expr(), Scope::Own);
    shared
        .column(Column::RecordId)
        .from(Entity)
        .and_where(directly.or(Column::TeamId.in_subquery(teams)));
    if writing {
        shared.and_where(Column::Writable.eq(true));
    }
    shared
}
