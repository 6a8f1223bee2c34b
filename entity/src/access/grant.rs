//! What a role lets its users do in one respect.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Query, SelectStatement};
use sea_orm::{Condition, Iterable, QuerySelect, QueryTrait};

use super::role::Grants;
use super::{AccessError, Permission, Role, Scope, Viewer, role};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{GrantId, RoleId, UserId};

/// A grant.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "role_grant")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GrantId,
    /// Whose.
    pub role_id: RoleId,
    /// What.
    pub permission: Permission,
    /// With whose records.
    pub scope: Scope,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// What a role lets its users do in one respect.
    Grant of Entity;
    /// Its id.
    id: id::<GrantId>(),
    /// The role that it is of.
    role: one::<role::Entity>(Column::RoleId),
    /// What its users may do.
    permission: choice::<Permission>("Permission", Column::Permission),
    /// With whose records.
    scope: choice::<super::Scope>("Scope", Column::Scope),
}

/// Makes sure that the viewer may decide who reaches whose records, which teams, positions, deputies and the
/// addresses that users log in with do.
///
/// # Errors
/// [`AccessError::BeyondYourReach`] unless they reach all records with each permission that any role gives
/// with a part of them.
pub(super) async fn ensure_all(txn: &impl ConnectionTrait, viewer: &Viewer) -> Result<(), Error> {
    let partial = Entity::find()
        .select_only()
        .column(Column::Permission)
        .distinct()
        .filter(Column::Scope.is_in([Scope::Own, Scope::Team]))
        .into_tuple::<Permission>()
        .all(txn)
        .await?;
    match partial.iter().all(|permission| viewer.scope(*permission) == Scope::All) {
        true => Ok(()),
        false => Err(AccessError::BeyondYourReach.into()),
    }
}

/// The ids of the roles that let their users do something, if only with their own records.
pub(crate) fn roles_with(permission: Permission) -> SelectStatement {
    let brought = <Role as Iterable>::iter().filter(|role| role.allows(permission));
    let mut granted = Query::select();
    granted
        .column(Column::RoleId)
        .from(Entity)
        .and_where(Column::Permission.eq(permission))
        .and_where(Column::Scope.ne(Scope::None));
    let own = Condition::all()
        .add(role::Column::Key.is_null())
        .add(role::Column::Id.in_subquery(granted));
    role::Entity::find()
        .select_only()
        .column(role::Column::Id)
        .filter(Condition::any().add(role::Column::Key.is_in(brought)).add(own))
        .into_query()
}

/// What a role lets its users do.
///
/// # Errors
/// The database.
pub async fn of(db: &impl ConnectionTrait, role: RoleId) -> Result<Grants, DbErr> {
    let rows = Entity::find().filter(Column::RoleId.eq(role)).all(db).await?;
    Ok(rows.into_iter().map(|row| (row.permission, row.scope)).collect())
}
