//! Workflows that Rapport brings along: the receipt is carried out from the start, the others wait as drafts to be
//! copied, changed and published.
//!
//! Invariant: each is brought along once. What somebody has made of one since then is theirs.

use chrono::NaiveTime;
use futures::FutureExt;
use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use serde_json::Value;

use super::definition::{Action, Definition, Step};
use super::{Column, Entity, Model, State, version, written};
use crate::access::Actor;
use crate::access::audit::Origin;
use crate::db::Db;
use crate::error::Error;
use crate::id::{Id, WorkflowId};

mod collection;
mod letters;
mod statements;
mod work;

/// How many seconds a day has.
const DAY_S: i64 = 86_400;

/// A workflow that Rapport brings along.
struct Preset {
    /// What it is known by.
    key: &'static str,
    /// What people call it.
    name: &'static str,
    /// Whether it is carried out from the start.
    active: bool,
    /// What it does.
    definition: Definition,
}

/// Brings along what is not there yet. Changes nothing when all is.
///
/// # Errors
/// The database.
pub async fn install(db: &Db, now: DateTimeUtc) -> Result<(), Error> {
    let origin = Origin::new(Actor::System, now);
    db.write_as(&origin, |txn| {
        async move {
            for preset in presets() {
                add(txn, preset, now).await?;
            }
            Ok(())
        }
        .boxed()
    })
    .await
}

async fn add(txn: &impl ConnectionTrait, preset: Preset, now: DateTimeUtc) -> Result<(), Error> {
    let Preset { key, name, active, definition } = preset;
    let mut row = Model {
        id: WorkflowId::new(now),
        name: name.to_owned(),
        state: State::Draft,
        draft: written(&definition)?,
        active_id: None,
        forecast_id: None,
        looked_at: None,
        problem: None,
        preset: Some(key.to_owned()),
        created_at: now,
        created_by: None,
        updated_at: now,
        updated_by: None,
        version: 1,
    };
    let once = OnConflict::column(Column::Preset).do_nothing().to_owned();
    let added = Entity::insert(row.clone().into_active_model().reset_all()).on_conflict(once);
    if added.exec_without_returning(txn).await? == 0 || !active {
        return Ok(());
    }
    let version = version::add(txn, &row, &definition, Actor::System, now).await?;
    (row.state, row.active_id) = (State::Active, Some(version.id));
    row.into_active_model().reset_all().update(txn).await?;
    Ok(())
}

fn presets() -> [Preset; 12] {
    [
        letters::receipt(),
        letters::welcome(),
        letters::due_soon(),
        letters::appointment_soon(),
        work::next_call(),
        work::overdue_task(),
        work::forgotten_call(),
        work::contract_renewal(),
        collection::viet_nam(),
        collection::european_union(),
        letters::payment_crossed(),
        statements::monthly(),
    ]
}

fn nine() -> NaiveTime {
    NaiveTime::from_hms_opt(9, 0, 0).unwrap_or_default()
}

fn step(key: &str, action: Action) -> Step {
    Step { key: key.to_owned(), action, then: None }
}

fn act(what: &str, with: Value) -> Action {
    Action::Do { what: what.to_owned(), with }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{Calendar, Viewer};
    use crate::automation::workflow::check::check;
    use crate::automation::workflow::performer::performers;

    #[tokio::test]
    async fn whatever_is_brought_along_can_be_published() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}/rapport.db", folder.path().display());
        let db = Db::connect(&url, 1).await.unwrap();
        migration::migrate(db.reader()).await.unwrap();
        for preset in presets() {
            let now = DateTimeUtc::UNIX_EPOCH;
            let viewer = Viewer::rapport(
                db.reader().get_database_backend(),
                Calendar::at(now, chrono_tz::Tz::UTC),
            );
            let checked = check(db.reader(), &preset.definition, &performers(), &viewer).await;
            assert!(checked.is_ok(), "{}: {checked:?}", preset.key);
        }
    }
}
