//! Whom workflows tell something about a record.
//!
//! Invariant: of who is away whoever stands in is told, too. Nobody who may not log in counts: without somebody who can do
//! it, it is the business of who looks after the customer, and without a lead, of who is above.

use std::collections::{HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::{QuerySelect, Select};
use serde::{Deserialize, Serialize};

use crate::access::{absence, position, user};
use crate::automation::workflow::performer::Turn;
use crate::catalog::Record;
use crate::collaboration::{appointment, call, task};
use crate::customers::customer;
use crate::error::Error;
use crate::id::{AppointmentId, CallId, Id, TaskId, UserId};

/// Whom.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum To {
    /// Who looks after the customer.
    #[default]
    Owner,
    /// Who has to do what the record is; who looks after the customer where it is nobody's.
    Responsible,
    /// To whom they report.
    Lead,
    /// To whom their lead reports.
    Manager,
}

impl To {
    /// Why nobody is told.
    pub(super) fn nobody(self) -> &'static str {
        match self {
            Self::Owner => "nobody looks after the customer",
            Self::Responsible => "nobody has to do it, and nobody looks after the customer",
            Self::Lead => "nobody is above who has to do it",
            Self::Manager => "nobody is above the lead of who has to do it",
        }
    }

    /// How many levels above who has to do it.
    fn level(self) -> Option<usize> {
        match self {
            Self::Owner | Self::Responsible => None,
            Self::Lead => Some(0),
            Self::Manager => Some(1),
        }
    }
}

/// Whom, for each of the turns in their order.
///
/// # Errors
/// The database.
pub(super) async fn audience(
    db: &impl ConnectionTrait,
    record: &Record,
    to: To,
    turns: &[Turn<'_>],
) -> Result<Vec<Vec<UserId>>, Error> {
    let Some(now) = turns.first().map(|turn| turn.now) else { return Ok(Vec::new()) };
    let owners = customer::owners(db, turns.iter().filter_map(|turn| turn.run.customer_id)).await?;
    let owner = |turn: &Turn| *owners.get(&turn.run.customer_id?)?;
    let given = match to {
        To::Owner => HashMap::new(),
        _ => given(db, record, turns.iter().map(|turn| turn.run.record_id)).await?,
    };
    let responsible = |turn: &Turn| given.get(&turn.run.record_id).copied().or_else(|| owner(turn));
    let responsible: Vec<Option<UserId>> = turns.iter().map(responsible).collect();
    let meant: Vec<Vec<UserId>> = match to.level() {
        None => responsible.into_iter().map(|user| user.into_iter().collect()).collect(),
        Some(level) => {
            let users: HashSet<_> = responsible.iter().flatten().copied().collect();
            let above = position::above(db, users).await?;
            let level = |user: Option<UserId>| above.get(&user?)?.values().nth(level).cloned();
            responsible.into_iter().map(|user| level(user).unwrap_or_default()).collect()
        }
    };
    let users: HashSet<_> = meant.iter().flatten().copied().collect();
    let deputies = absence::deputies(db, users, now).await?;
    let with_deputies = |users: Vec<UserId>| {
        let deputies = users.iter().filter_map(|user| deputies.get(user)).flatten();
        let all: HashSet<_> = users.iter().chain(deputies).copied().collect();
        all.into_iter().collect()
    };
    Ok(meant.into_iter().map(with_deputies).collect())
}

/// Who has to do what records are, of those that somebody has to do.
async fn given(
    db: &impl ConnectionTrait,
    record: &Record,
    ids: impl Iterator<Item = Uuid>,
) -> Result<HashMap<Uuid, UserId>, DbErr> {
    async fn of<E: EntityTrait>(
        db: &impl ConnectionTrait,
        rows: Select<E>,
        (id, user): (E::Column, E::Column),
        ids: impl Iterator<Item = Uuid>,
    ) -> Result<HashMap<Uuid, UserId>, DbErr> {
        let rows = rows.select_only().columns([id, user]);
        let rows = rows.filter(id.is_in(ids)).filter(user.in_subquery(user::active()));
        Ok(rows.into_tuple::<(Uuid, UserId)>().all(db).await?.into_iter().collect())
    }
    match record.prefix {
        TaskId::PREFIX => {
            let columns = (task::Column::Id, task::Column::AssigneeId);
            of(db, task::Entity::find(), columns, ids).await
        }
        CallId::PREFIX => {
            let columns = (call::Column::Id, call::Column::AssigneeId);
            of(db, call::Entity::find(), columns, ids).await
        }
        AppointmentId::PREFIX => {
            let columns = (appointment::Column::Id, appointment::Column::OrganizerId);
            of(db, appointment::Entity::find(), columns, ids).await
        }
        _ => Ok(HashMap::new()),
    }
}
