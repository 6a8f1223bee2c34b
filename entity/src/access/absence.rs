//! Absences: while a user is away, a deputy looks after what is theirs.

use std::collections::HashMap;

use sea_orm::ActiveValue::Set;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use super::{Viewer, grant, user};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{AbsenceId, Id, UserId};

/// An absence.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "absence")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AbsenceId,
    /// Who is away.
    pub user_id: UserId,
    /// Who stands in.
    pub deputy_id: UserId,
    /// From when.
    pub starts_at: DateTimeUtc,
    /// Until when.
    pub ends_at: DateTimeUtc,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A time in which a user is away. Their deputy sees and does meanwhile what the deputy's own role lets
    /// them, with the records of both.
    Absence (absence, absences) of Entity;
    /// Who is away.
    user: one::<user::Entity>(Column::UserId),
    /// Who stands in.
    deputy: one::<user::Entity>(Column::DeputyId),
    /// From when.
    starts_at: instant(Column::StartsAt).filtered().ordered(),
    /// Until when.
    ends_at: instant(Column::EndsAt).filtered().ordered(),
}

/// Plans an absence.
///
/// # Errors
/// `Invalid` unless it ends after it starts and somebody else stands in, [`super::AccessError::NoSuchUser`];
/// [`super::AccessError::BeyondYourReach`] for another user's.
pub async fn create(
    txn: &impl ConnectionTrait,
    (user, deputy): (UserId, UserId),
    (starts_at, ends_at): (DateTimeUtc, DateTimeUtc),
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if ends_at <= starts_at {
        return Err(Error::invalid("endsAt", "an absence ends after it starts"));
    }
    if user == deputy {
        return Err(Error::invalid("deputyId", "somebody else has to stand in"));
    }
    if user != viewer.user {
        grant::ensure_all(txn, viewer).await?;
    }
    user::ensure_all(txn, &[user, deputy]).await?;
    let row = ActiveModel {
        id: Set(AbsenceId::new(now)),
        user_id: Set(user),
        deputy_id: Set(deputy),
        starts_at: Set(starts_at),
        ends_at: Set(ends_at),
        created_at: Set(now),
        created_by: Set(Some(viewer.user)),
    };
    Ok(row.insert(txn).await?)
}

/// The absence, if there is one.
///
/// # Errors
/// The database.
pub async fn find(db: &impl ConnectionTrait, id: AbsenceId) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(id).one(db).await
}

/// Takes an absence back.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn delete(txn: &impl ConnectionTrait, id: AbsenceId) -> Result<(), Error> {
    match Entity::delete_by_id(id).exec(txn).await?.rows_affected {
        0 => Err(Error::no_such::<Entity>()),
        _ => Ok(()),
    }
}

/// Who stands in for those of the users who are away.
///
/// # Errors
/// The database.
pub(crate) async fn deputies(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = UserId>,
    now: DateTimeUtc,
) -> Result<HashMap<UserId, Vec<UserId>>, DbErr> {
    let away = Entity::find()
        .select_only()
        .columns([Column::UserId, Column::DeputyId])
        .filter(Column::UserId.is_in(users))
        .filter(Column::StartsAt.lte(now))
        .filter(Column::EndsAt.gt(now));
    let mut deputies = HashMap::<_, Vec<_>>::new();
    for (user, deputy) in away.into_tuple::<(UserId, UserId)>().all(db).await? {
        deputies.entry(user).or_default().push(deputy);
    }
    Ok(deputies)
}
