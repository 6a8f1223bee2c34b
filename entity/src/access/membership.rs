//! A user's place in a team. Invariant: a user is in a team once.

use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use super::{team, user};
use crate::catalog::catalog;
use crate::id::{MembershipId, TeamId, UserId};

/// A membership.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "team_member")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: MembershipId,
    /// Where.
    pub team_id: TeamId,
    /// Who.
    pub user_id: UserId,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A user's place in a team.
    Membership of Entity;
    /// Its id.
    id: id::<MembershipId>(),
    /// The team.
    team: one::<team::Entity>(Column::TeamId),
    /// Who is in it.
    user: one::<user::Entity>(Column::UserId),
    /// Since when.
    created_at: instant(Column::CreatedAt),
}

/// Who is in one of the teams, each once.
///
/// # Errors
/// The database.
pub async fn users_of(db: &impl ConnectionTrait, teams: &[TeamId]) -> Result<Vec<UserId>, DbErr> {
    if teams.is_empty() {
        return Ok(Vec::new());
    }
    let users = Entity::find()
        .select_only()
        .distinct()
        .column(Column::UserId)
        .filter(Column::TeamId.is_in(teams.iter().copied()));
    users.into_tuple().all(db).await
}
