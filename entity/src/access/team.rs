//! Teams: users who look after each other's customers.

use sea_orm::ActiveValue::Set;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;

use super::{Actor, Viewer, grant, membership, share, user};
use crate::catalog::catalog;
use crate::customers::parse_required;
use crate::edit::{edited, lock, save};
use crate::error::Error;
use crate::id::{Id, MembershipId, TeamId, UserId};

/// A team.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "team")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TeamId,
    /// What it is called.
    pub name: String,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<UserId>,
    /// Counts up with every change.
    pub version: i32,
}

edited!();

catalog! {
    /// A team: users who look after each other's customers.
    Team (team, teams) of Entity, versioned by Column::Version;
    /// What it is called.
    name: text(Column::Name).filtered().ordered().unique(),
    /// Who is in it.
    members: list::<membership::Entity, _>(membership::Column::TeamId, membership::Column::Id, 10)
        .filtered(),
}

/// Adds a team with its members.
///
/// # Errors
/// `Invalid`, [`Error::NotUnique`], [`super::AccessError::NoSuchUser`], [`super::AccessError::BeyondYourReach`].
pub async fn create(
    txn: &impl ConnectionTrait,
    name: &str,
    members: &[UserId],
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let actor = Actor::from(viewer);
    let row = Model {
        id: TeamId::new(now),
        name: parse_required("name", name, 100)?,
        created_at: now,
        created_by: actor.user(),
        updated_at: now,
        updated_by: actor.user(),
        version: 1,
    };
    let row = row.into_active_model().reset_all().insert(txn).await?;
    enter(txn, row.id, members, viewer, now).await?;
    Ok(row)
}

/// Renames a team, and replaces its members where some are given.
///
/// # Errors
/// [`Error::NoSuch`], [`Error::StaleVersion`], `Invalid`, [`super::AccessError::NoSuchUser`],
/// [`super::AccessError::BeyondYourReach`].
pub async fn update(
    txn: &impl ConnectionTrait,
    id: TeamId,
    name: Option<String>,
    members: Option<Vec<UserId>>,
    expected_version: Option<i32>,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let mut row = lock::<Entity>(txn, id, expected_version).await?;
    if let Some(name) = name {
        row.name = parse_required("name", &name, 100)?;
    }
    if let Some(members) = members {
        let others = membership::Entity::delete_many().filter(membership::Column::TeamId.eq(id));
        let leaving = membership::Column::UserId.is_not_in(members.iter().copied());
        others.filter(leaving).exec(txn).await?;
        enter(txn, id, &members, viewer, now).await?;
    }
    save::<Entity>(txn, row, viewer.into(), now).await
}

/// Dissolves a team. What was shared with it is no longer.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn delete(txn: &impl ConnectionTrait, id: TeamId) -> Result<(), Error> {
    membership::Entity::delete_many().filter(membership::Column::TeamId.eq(id)).exec(txn).await?;
    share::Entity::delete_many().filter(share::Column::TeamId.eq(id)).exec(txn).await?;
    match Entity::delete_by_id(id).exec(txn).await?.rows_affected {
        0 => Err(Error::no_such::<Entity>()),
        _ => Ok(()),
    }
}

/// Adds members; who is one already stays it.
async fn enter(
    txn: &impl ConnectionTrait,
    team: TeamId,
    members: &[UserId],
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if members.is_empty() {
        return Ok(());
    }
    grant::ensure_all(txn, viewer).await?;
    user::ensure_all(txn, members).await?;
    let rows = members.iter().map(|user| membership::ActiveModel {
        id: Set(MembershipId::new(now)),
        team_id: Set(team),
        user_id: Set(*user),
        created_at: Set(now),
        created_by: Set(Some(viewer.user)),
    });
    let known = [membership::Column::TeamId, membership::Column::UserId];
    let ignore = OnConflict::columns(known).do_nothing().to_owned();
    membership::Entity::insert_many(rows).on_conflict(ignore).exec_without_returning(txn).await?;
    Ok(())
}
