//! A user's place in a team. Invariant: a user is in a team once.

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
