//! Workflows whose steps are changed and deleted while workers carry them out, and die.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::workflow::run::{self, State};
use entity::automation::workflow::version;
use entity::collaboration::task;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::app::{App, kill};
use tests::on_both_stacks;
use tokio::time::sleep;

use super::{done_twice, quiet_customers, start};
use crate::workflows::{change, published};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateWorkflowDraftInput!) {
  updateWorkflowDraft(id: $id, input: $input) { userErrors { message field } } }";

const PUBLISH: &str = "mutation ($id: ID!, $running: WorkflowRunning!, $steps: [StepMoveInput!]!) {
  publishWorkflow(id: $id, running: $running, steps: $steps) { userErrors { message field } } }";

/// For how many records a workflow is started at once.
const COHORT: usize = 80;

/// How often that is; the next version is published while the fifth cohort begins.
const COHORTS: usize = 7;

/// How a run ended: by which version, how, and which tasks came of it.
type Ended = (i32, State, Vec<String>);

/// Steps of a kind each, by their keys: those that have a title add a task, and the others wait a minute.
fn steps(all: &[(&str, Option<&str>)]) -> Value {
    let steps = all.iter().map(|(key, title)| match title {
        Some(title) => json!({ "key": key, "action": { "createTask": { "title": title } } }),
        None => json!({ "key": key, "action": { "wait": { "for": "PT1M" } } }),
    });
    steps.collect()
}

/// Carries a workflow out whose next version has other steps, and is published while runs are in all of its steps and
/// workers die. Gives how the runs ended and how many did so, after looking at what holds however it is published.
async fn ended(app: &mut App, running: &str) -> HashMap<Ended, usize> {
    let (chief, _) = app.user(Role::Administrator.id()).await;
    let mut definition = json!({
        "record": "Customer", "trigger": { "manual": true },
        "steps": steps(&[("first", Some("First")), ("rest", None), ("old", Some("Old")), ("pause", None), ("last", Some("Last"))]),
    });
    let id = published(app, chief, &definition).await;
    definition["steps"] = steps(&[
        ("first", Some("First")),
        ("rest", None),
        ("new", Some("New")),
        ("break", None),
        ("last", Some("Changed")),
    ]);
    let input = json!({ "definition": definition });
    change(app, chief, UPDATE, json!({ "id": id, "input": input })).await;
    let moves = json!([{ "from": "old", "to": "new" }, { "from": "pause", "to": "break" }]);
    let moves = if running == "MIGRATE" { moves } else { json!([]) };
    let publish = json!({ "id": id, "running": running, "steps": moves });

    let customers = quiet_customers(app, COHORT * COHORTS).await;
    let mut other = app.more_workers();
    for (number, records) in customers.chunks(COHORT).enumerate() {
        app.advance(TimeDelta::seconds(25));
        let key = number.to_string();
        let begins = start(app, chief, &id, records, &key);
        if number == 4 {
            let dies = async {
                sleep(Duration::from_millis(40)).await;
                kill(&mut other).await;
            };
            let publishes = change(app, chief, PUBLISH, publish.clone());
            let (_, done, ()) = tokio::join!(begins, publishes, dies);
            assert_eq!(done["userErrors"], json!([]));
            other = app.more_workers();
        } else {
            begins.await;
            if number < 4 {
                // So that runs are in all steps when it is published.
                app.drain().await;
            }
        }
        app.kill_workers().await;
        app.start_workers();
    }
    for _ in 0..4 {
        app.advance(TimeDelta::minutes(1));
        app.drain().await;
    }
    kill(&mut other).await;

    assert_eq!(done_twice(app).await, 0);
    let versions = version::Entity::find().all(app.db.reader()).await.expect("versions");
    let mut tasks = HashMap::<_, Vec<String>>::new();
    for task in task::Entity::find().all(app.db.reader()).await.expect("tasks") {
        tasks.entry(task.customer_id.map(|id| id.0)).or_default().push(task.title);
    }
    let runs = run::Entity::find().all(app.db.reader()).await.expect("runs");
    let records = runs.iter().map(|run| run.record_id).collect::<HashSet<_>>();
    assert_eq!((runs.len(), records.len()), (customers.len(), customers.len()), "none is lost");
    let mut ends = HashMap::new();
    for run in runs {
        let version = versions.iter().find(|version| version.id == run.version_id);
        let version = version.expect("its version");
        let steps = version.definition["steps"].as_array().expect("steps");
        let is_there = steps.iter().any(|step| step["key"].as_str() == run.step.as_deref());
        assert!(is_there || run.step.is_none(), "it is in a step that is not there: {run:?}");
        let mut titles = tasks.remove(&Some(run.record_id)).unwrap_or_default();
        titles.sort();
        *ends.entry((version.number, run.state, titles)).or_default() += 1;
    }
    ends
}

/// An end of a run, without how many there were.
fn end(version: i32, state: State, titles: &[&str]) -> Ended {
    (version, state, titles.iter().map(|title| (*title).to_owned()).collect())
}

on_both_stacks! {
    /// Who began with a version ends with it, and who comes later has the next one.
    async fn a_step_that_is_deleted_is_carried_out_for_those_who_began_with_it(app: App) {
        let ends = ended(app, "RUN_OUT").await;
        let (old, new) = (end(1, State::Completed, &["First", "Last", "Old"]), end(2, State::Completed, &["Changed", "First", "New"]));
        let of = |end: &Ended| ends.get(end).copied().unwrap_or_default();
        assert!(of(&old) >= 4 * COHORT && of(&new) >= 2 * COHORT, "{ends:#?}");
        assert_eq!(of(&old) + of(&new), COHORT * COHORTS, "{ends:#?}");
    }

    /// All go on with the next version, each from where it is.
    async fn runs_in_steps_that_are_deleted_go_on_in_those_that_take_their_place(app: App) {
        let ends = ended(app, "MIGRATE").await;
        let (moved, whole) = (end(2, State::Completed, &["Changed", "First", "Old"]), end(2, State::Completed, &["Changed", "First", "New"]));
        let of = |end: &Ended| ends.get(end).copied().unwrap_or_default();
        assert!(of(&moved) > 0 && of(&whole) >= 2 * COHORT, "{ends:#?}");
        assert_eq!(of(&moved) + of(&whole), COHORT * COHORTS, "{ends:#?}");
    }

    /// Those who began with the version before do nothing more, and those who come later do all of the next one.
    async fn runs_of_the_version_before_end_where_they_are_if_that_is_wanted(app: App) {
        let ends = ended(app, "CANCEL").await;
        for (version, state, titles) in ends.keys() {
            match version {
                1 => assert!(*state == State::Cancelled && !titles.contains(&"Last".to_owned()), "{ends:#?}"),
                _ => assert!(*state == State::Completed && titles.len() == 3, "{ends:#?}"),
            }
        }
        let later = ends.get(&end(2, State::Completed, &["Changed", "First", "New"])).copied().unwrap_or_default();
        assert!((2 * COHORT..=3 * COHORT).contains(&later), "{ends:#?}");
    }
}
