//! Which ladder asks a customer: its own if it was given one, and otherwise every one that asks who has none.

use std::collections::HashSet;

use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;

use super::Ladder;
use crate::automation::workflow::{self, State};
use crate::id::WorkflowId;

/// The ladders among `given` that are at work: one that was retired, or never published, is nobody's own.
///
/// # Errors
/// The database.
pub(super) async fn at_work(
    db: &impl ConnectionTrait,
    given: impl IntoIterator<Item = WorkflowId>,
) -> Result<HashSet<WorkflowId>, DbErr> {
    let given = given.into_iter().collect::<HashSet<_>>();
    if given.is_empty() {
        return Ok(given);
    }
    let at_work = workflow::Entity::find()
        .select_only()
        .column(workflow::Column::Id)
        .filter(workflow::Column::Id.is_in(given))
        .filter(workflow::Column::State.is_in([State::Active, State::Held, State::Paused]))
        .into_tuple::<WorkflowId>();
    Ok(at_work.all(db).await?.into_iter().collect())
}

/// Who asks a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asks {
    /// The ladder does.
    This,
    /// The customer's own ladder does, which is another one.
    Other,
    /// Others do: the ladder asks only customers whose own it is.
    Others,
}

impl Ladder {
    /// Whether it asks a customer with this ladder of its own, as a step of `workflow`.
    pub(super) fn asks(&self, workflow: WorkflowId, own: Option<WorkflowId>) -> Asks {
        match own {
            Some(own) if own == workflow => Asks::This,
            Some(_) => Asks::Other,
            None if self.own_only => Asks::Others,
            None => Asks::This,
        }
    }
}
