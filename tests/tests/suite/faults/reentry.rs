//! One run, whoever starts it how often: events that come again, and several that start at once.

use chrono::TimeDelta;
use entity::access::Role;
use futures::future::join_all;
use serde_json::{Value, json};
use tests::app::kill;
use tests::on_both_stacks;

use super::{newcomers, quiet_customers, start};
use crate::workflows::{change, published};

const RUNS: &str = "SELECT count(*) AS n FROM workflow_run";

/// Waits a day, and adds a task.
fn a_task_tomorrow(trigger: &Value, reentry: &str) -> Value {
    json!({
        "record": "Customer", "reentry": reentry, "trigger": trigger,
        "steps": [
            { "key": "wait", "action": { "wait": { "for": "P1D" } } },
            { "key": "task", "action": { "createTask": { "title": "Call" } } },
        ],
    })
}

on_both_stacks! {
    /// Whether its run goes on or has ended, and although the worker dies that starts it, an event that is delivered again
    /// starts no other one.
    async fn an_event_that_comes_again_starts_nothing_again(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let comes = json!({ "event": { "kinds": ["customer.created"] } });
        for reentry in ["ONCE", "AFTER_END", "ALWAYS"] {
            published(app, chief, &a_task_tomorrow(&comes, reentry)).await;
        }
        newcomers(app, chief, 0..40).await;
        let mut other = app.more_workers();
        for _ in 0..2 {
            for _ in 0..4 {
                app.drain().await;
                app.execute("UPDATE event SET relayed_at = NULL WHERE kind = 'customer.created'").await;
                app.signal.raise();
                app.kill_workers().await;
                app.start_workers();
            }
            app.drain().await;
            assert_eq!(app.number(RUNS).await, 3 * 40);
            app.advance(TimeDelta::days(1));
        }
        kill(&mut other).await;
        app.drain().await;
        assert_eq!(app.number("SELECT count(*) AS n FROM task").await, 3 * 40);
    }

    /// Several who start a workflow for the same records at once, and several workers to whom the same thing happens at
    /// once: one run is under way for each record, and after its end there may be another one.
    async fn who_starts_the_same_at_once_starts_one_run(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let customers = quiet_customers(app, 200).await;
        for reentry in ["ONCE", "AFTER_END"] {
            let by_hand = published(app, chief, &a_task_tomorrow(&json!({ "manual": true }), reentry)).await;
            let keys = (0..6).map(|number| format!("{reentry} {number}")).collect::<Vec<_>>();
            let begun = join_all(keys.iter().map(|key| start(app, chief, &by_hand, &customers, key))).await;
            assert_eq!(begun.into_iter().sum::<i64>(), 200, "{reentry}");
        }
        assert_eq!(app.number(RUNS).await, 400);
        published(app, chief, &a_task_tomorrow(&json!({ "event": { "kinds": ["note.created"] } }), "AFTER_END")).await;
        let note = "mutation ($id: ID!) { createNote(customerId: $id, input: { body: \"Called\" }) { userErrors { message } } }";
        let mut others = [app.more_workers(), app.more_workers()];
        for day in 1..=2 {
            let notes = customers.iter().take(5).cycle().take(60);
            join_all(notes.map(|id| change(app, chief, note, json!({ "id": id })))).await;
            app.kill_workers().await;
            app.start_workers();
            app.drain().await;
            assert_eq!(app.number(RUNS).await, 400 + 5 * day);
            app.advance(TimeDelta::days(1));
            app.drain().await;
        }
        for other in &mut others {
            kill(other).await;
        }
        assert_eq!(app.number("SELECT count(*) AS n FROM task").await, 400 + 10);
    }
}
