//! Who users are right now: what they may do, and what they reach.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Query;
use sea_orm::{Condition, FromQueryResult, Iterable, JoinType, QuerySelect, RelationDef};

use super::{Column, Entity};
use crate::access::role::Grants;
use crate::access::viewer::{Calendar, Reach};
use crate::access::{
    Permission, Role, Scope, Viewer, grant, organisation, position, role, session,
};
use crate::catalog::among;
use crate::id::{RoleId, SessionId, UserId};

/// Who `id` is right now; `None` for a user who is gone or disabled. One statement, and another one for
/// those whose role does not reach all records.
///
/// # Errors
/// The database.
pub async fn viewer(
    db: &impl ConnectionTrait,
    id: UserId,
    now: DateTimeUtc,
) -> Result<Option<Viewer>, DbErr> {
    known_by(db, id, None, now).await
}

/// Who `id` is right now, by a session of theirs; `None` when it has ended, too. As many statements as
/// for [`viewer`].
///
/// # Errors
/// The database.
pub async fn viewer_in(
    db: &impl ConnectionTrait,
    id: UserId,
    session: SessionId,
    now: DateTimeUtc,
) -> Result<Option<Viewer>, DbErr> {
    known_by(db, id, Some(session), now).await
}

async fn known_by(
    db: &impl ConnectionTrait,
    id: UserId,
    session: Option<SessionId>,
    now: DateTimeUtc,
) -> Result<Option<Viewer>, DbErr> {
    let going_on = session.map(|session| Column::Id.in_subquery(session::user_of(session, now)));
    let which = Condition::all().add(Column::Id.eq(id)).add_option(going_on);
    Ok(known(db, which, now).await?.pop())
}

/// Who `ids` are right now, without those who are gone or disabled. One statement, and another one for
/// those whose roles do not reach all records.
///
/// # Errors
/// The database.
pub async fn viewers(
    db: &impl ConnectionTrait,
    ids: &[UserId],
    now: DateTimeUtc,
) -> Result<Vec<Viewer>, DbErr> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let among = among(db.get_database_backend(), Expr::col((Entity, Column::Id)), &ids);
    known(db, Condition::all().add(among), now).await
}

async fn known(
    db: &impl ConnectionTrait,
    which: Condition,
    now: DateTimeUtc,
) -> Result<Vec<Viewer>, DbErr> {
    #[derive(FromQueryResult)]
    struct Granted {
        id: UserId,
        role_id: RoleId,
        key: Option<Role>,
        permission: Option<Permission>,
        scope: Option<Scope>,
        time_zone: Option<String>,
    }
    let mut zone = Query::select();
    zone.column(organisation::Column::TimeZone).from(organisation::Entity);
    let granted = Entity::find()
        .filter(Column::DisabledAt.is_null())
        .filter(which)
        .select_only()
        .column(Column::Id)
        .column(Column::RoleId)
        .column_as(Expr::col((role::Entity, role::Column::Key)), "key")
        .column_as(Expr::col((grant::Entity, grant::Column::Permission)), "permission")
        .column_as(Expr::col((grant::Entity, grant::Column::Scope)), "scope")
        .column_as(Expr::SubQuery(None, Box::new(zone.into())), "time_zone")
        .join(JoinType::InnerJoin, to(Column::RoleId, role::Entity, role::Column::Id))
        .join(JoinType::LeftJoin, to(Column::RoleId, grant::Entity, grant::Column::RoleId))
        .into_model::<Granted>()
        .all(db)
        .await?;
    let zone = granted.first().and_then(|row| row.time_zone.as_deref()?.parse().ok());
    let calendar = Calendar::at(now, zone.unwrap_or(Tz::UTC));
    let mut found: BTreeMap<Uuid, (RoleId, Grants)> = BTreeMap::new();
    for row in granted {
        let (_, scopes) = found.entry(row.id.0).or_insert_with(|| {
            let all = |role: Role| {
                let allowed = <Permission as Iterable>::iter().filter(move |one| role.allows(*one));
                allowed.map(|permission| (permission, Scope::All)).collect()
            };
            (row.role_id, row.key.map(all).unwrap_or_default())
        });
        if row.key.is_none() {
            scopes.extend(row.permission.zip(row.scope));
        }
    }
    let limited =
        found.iter().filter(|(_, (_, scopes))| scopes.values().any(|scope| *scope < Scope::All));
    let limited: Vec<_> = limited.map(|(id, _)| *id).collect();
    let mut reached = position::reach(db, &limited, now).await?;
    let backend = db.get_database_backend();
    let viewer = |(id, (role, scopes)): (Uuid, (RoleId, Grants))| {
        let (own, team) = reached.remove(&id).unwrap_or_else(|| (vec![id], vec![id]));
        Viewer::new(UserId(id), role, Reach { calendar, backend, scopes, own, team, limits: None })
    };
    Ok(found.into_iter().map(viewer).collect())
}

fn to<E: EntityTrait>(from: Column, table: E, column: E::Column) -> RelationDef {
    Entity::belongs_to(table).from(from).to(column).into()
}
