//! Reminders: who has to do something is told of it some time before, once, whatever becomes of it meanwhile.

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{self, CREATE_CALL, CREATE_TASK, SET_TASK_REMINDERS};

const UPDATE_TASK: &str = "mutation ($id: ID!, $input: UpdateTaskInput!) {
  updateTask(id: $id, input: $input) { task { id } userErrors { code field } } }";

const SNOOZE: &str =
    "mutation ($id: ID!, $input: SnoozeInput!) { snoozeReminder(id: $id, input: $input) {
  reminder { dueAt snoozes } userErrors { code field } } }";

const DISMISS: &str = "mutation ($id: ID!) { dismissReminder(id: $id) {
  reminder { dueAt dismissedAt } userErrors { code field } } }";

/// Sends a mutation; gives its payload.
async fn change(app: &App, query: &str, variables: Value) -> Value {
    change_by(app, None, query, variables).await
}

/// The same as a user.
async fn change_by(app: &App, user: Option<UserId>, query: &str, variables: Value) -> Value {
    let token = match user {
        Some(user) => app.token_for(user).await,
        None => app.token(),
    };
    let reply = app.send_as(Some(&token), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let payload = reply.data.as_object().and_then(|data| data.values().next()).cloned();
    payload.expect("a payload")
}

/// A task of a user's that is due then, of which they are reminded so long before; gives its id and its reminders.
async fn task(app: &App, user: UserId, due: DateTime<Utc>, before: &[&str]) -> (Value, Value) {
    let input = json!({ "title": "A", "assigneeId": user.global(), "dueAt": due });
    let id = change(app, CREATE_TASK, json!({ "input": input })).await["task"]["id"].clone();
    let set = change(app, SET_TASK_REMINDERS, json!({ "id": id, "before": before })).await;
    assert_eq!(set["userErrors"], json!([]));
    (id, set["task"]["reminders"].clone())
}

/// What a user was reminded of, the first first: how, and of which record.
async fn told(app: &App, user: UserId) -> Vec<(String, Value)> {
    app.drain().await;
    let query =
        "{ notifications(filter: { kind: { eq: REMINDER } }, orderBy: [{ field: HAPPENED_AT }]) {
      nodes { detail subjectId } } }";
    let reply = app.send_as(Some(&app.token_for(user).await), query, json!({})).await;
    let nodes = reply.data["notifications"]["nodes"].as_array().expect("nodes").clone();
    let each = nodes.into_iter().map(|node| {
        (node["detail"].as_str().expect("a detail").to_owned(), node["subjectId"].clone())
    });
    each.collect()
}

/// How often a user was reminded in time, and how often late.
async fn count(app: &App, user: UserId) -> (usize, usize) {
    let told = told(app, user).await;
    let late = told.iter().filter(|(detail, _)| detail == "LATE").count();
    (told.len() - late, late)
}

on_both_stacks! {
    /// Each reminder is told at its time, once, to who has to do it, and in their words.
    async fn who_has_to_do_something_is_reminded_of_it(app: App) {
        let (user, other) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        let due = app.clock.now() + TimeDelta::days(2);
        let (id, reminders) = task(app, user, due, &["P1D", "PT15M", "PT15M"]).await;
        let times: Vec<_> = reminders.as_array().expect("reminders").iter()
            .map(|one| (one["beforeS"].as_i64().expect("seconds"), one["dueAt"].as_str().expect("a time"))).collect();
        assert_eq!(times, [(900, "2026-11-05T01:45:00+00:00"), (86_400, "2026-11-04T02:00:00+00:00")]);
        app.advance(TimeDelta::hours(23));
        assert_eq!(count(app, user).await, (0, 0));
        app.advance(TimeDelta::hours(1));
        assert_eq!(told(app, user).await, [("DUE".to_owned(), id.clone())]);
        app.advance(TimeDelta::hours(24) - TimeDelta::minutes(15));
        assert_eq!(count(app, user).await, (2, 0));
        app.advance(TimeDelta::days(2));
        assert_eq!((count(app, user).await, count(app, other).await), ((2, 0), (0, 0)));
        let query = "{ notifications(first: 1) { nodes { text } } }";
        let text = app.send_as(Some(&app.token_for(user).await), query, json!({})).await.data;
        assert_eq!(text["notifications"]["nodes"][0]["text"], "Nhắc việc: bạn có một công việc cần làm.");
        let set = change(app, SET_TASK_REMINDERS, json!({ "id": id, "before": [] })).await;
        assert_eq!(set["task"]["reminders"], json!([]));
    }

    /// What gets a time that is nearer than its reminder is reminded of at once, and that is said; what gets a later
    /// one is reminded of then.
    async fn reminders_follow_the_time_of_their_record(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let now = app.clock.now();
        let (id, _) = task(app, user, now + TimeDelta::days(3), &["P1D"]).await;
        let due = |at: DateTime<Utc>| json!({ "id": id, "input": { "dueAt": at } });
        change(app, UPDATE_TASK, due(now + TimeDelta::hours(5))).await;
        assert_eq!(count(app, user).await, (0, 1));
        change(app, UPDATE_TASK, due(now + TimeDelta::hours(5))).await;
        assert_eq!(count(app, user).await, (0, 1), "it is the same time");
        change(app, UPDATE_TASK, due(now + TimeDelta::days(9))).await;
        app.advance(TimeDelta::days(7));
        assert_eq!(count(app, user).await, (0, 1));
        app.advance(TimeDelta::days(1));
        assert_eq!(count(app, user).await, (1, 1));
        change(app, UPDATE_TASK, due(now)).await;
        assert_eq!(count(app, user).await, (1, 1), "nobody is reminded of what is over");
    }

    /// What a workflow gives to somebody else, or another time, is reminded of as if a person had.
    async fn reminders_follow_what_workflows_do(app: App) {
        let (user, other) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        let token = app.token_of(Role::Administrator).await;
        let give = json!({ "updateTask": { "assigneeId": other.global(), "dueIn": "PT2H" } });
        let giving = json!({
            "record": "Task", "trigger": { "manual": true }, "steps": [{ "key": "give", "action": give }],
        });
        let workflow = given::workflow(app, &token, &giving).await;
        let (id, _) = task(app, user, app.clock.now() + TimeDelta::days(3), &["PT1H"]).await;
        let start = "mutation ($id: ID!, $records: [ID!]!) {
          startWorkflow(id: $id, recordIds: $records, idempotencyKey: \"one\") { started userErrors { message } } }";
        app.send_as(Some(&token), start, json!({ "id": workflow, "records": [id] })).await;
        app.drain().await;
        app.advance(TimeDelta::minutes(61));
        assert_eq!((count(app, user).await, count(app, other).await), ((0, 0), (1, 0)));
    }

    /// Nobody is reminded of what is done, called off or deleted, nor of what is somebody else's by now.
    async fn reminders_end_with_their_record(app: App) {
        let (user, other) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        let due = app.clock.now() + TimeDelta::days(2);
        for field in ["completeTask", "cancelTask", "deleteTask"] {
            let (id, _) = task(app, user, due, &["P1D"]).await;
            let end = format!("mutation ($id: ID!) {{ {field}(id: $id) {{ userErrors {{ code }} }} }}");
            assert_eq!(change(app, &end, json!({ "id": id })).await["userErrors"], json!([]));
        }
        let (moved, _) = task(app, user, due, &["P1D", "PT1H"]).await;
        let (back, _) = task(app, user, due, &["P1D"]).await;
        for field in ["completeTask", "reopenTask"] {
            let turn = format!("mutation ($id: ID!) {{ {field}(id: $id) {{ userErrors {{ code }} }} }}");
            change(app, &turn, json!({ "id": back })).await;
        }
        app.advance(TimeDelta::days(1));
        assert_eq!(count(app, user).await, (2, 0), "of what moves later, and of what was reopened");
        app.advance(TimeDelta::minutes(10));
        let given = json!({ "id": moved, "input": { "assigneeId": other.global() } });
        change(app, UPDATE_TASK, given).await;
        assert_eq!(told(app, other).await, [("LATE".to_owned(), moved.clone())]);
        app.advance(TimeDelta::hours(23) - TimeDelta::minutes(10));
        assert_eq!((count(app, user).await, count(app, other).await), ((2, 0), (1, 1)));
    }

    /// What came due while nobody told anything is told late, once.
    async fn reminders_come_late_and_are_not_lost(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        task(app, user, app.clock.now() + TimeDelta::days(2), &["P1D", "PT1H"]).await;
        app.drain().await;
        app.kill_workers().await;
        app.advance(TimeDelta::days(3));
        app.start_workers();
        assert_eq!(count(app, user).await, (0, 2));
    }

    /// Who is reminded puts a reminder off or away; nobody else does.
    async fn a_reminder_is_put_off_and_away(app: App) {
        let (user, other) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        let (id, reminders) = task(app, user, app.clock.now() + TimeDelta::days(1), &["PT1H"]).await;
        let reminder = reminders[0]["id"].clone();
        let snooze = |input: Value| json!({ "id": reminder, "input": input });
        app.advance(TimeDelta::hours(23));
        assert_eq!(count(app, user).await, (1, 0));
        for (query, variables) in [(SNOOZE, snooze(json!({ "for": "PT5M" }))), (DISMISS, json!({ "id": reminder }))] {
            let refused = change_by(app, Some(other), query, variables).await;
            assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
        }
        let refused = change_by(app, Some(user), SNOOZE, snooze(json!({ "for": "PT4M" }))).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", "until"] }]));
        for times in 1..=10 {
            let snoozed = change_by(app, Some(user), SNOOZE, snooze(json!({ "for": "PT5M" }))).await;
            assert_eq!(snoozed["reminder"]["snoozes"], times);
            app.advance(TimeDelta::minutes(5));
            app.drain().await;
        }
        assert_eq!(count(app, user).await, (11, 0));
        let enough = change_by(app, Some(user), SNOOZE, snooze(json!({ "for": "PT5M" }))).await;
        assert_eq!(enough["userErrors"][0]["code"], "INVALID_STATE");
        let until = app.clock.now() + TimeDelta::days(4);
        change(app, UPDATE_TASK, json!({ "id": id, "input": { "dueAt": until } })).await;
        for _ in 0..2 {
            let dismissed = change_by(app, Some(user), DISMISS, json!({ "id": reminder })).await;
            assert_eq!(dismissed["reminder"]["dueAt"], Value::Null);
            assert!(dismissed["reminder"]["dismissedAt"].is_string());
        }
        app.advance(TimeDelta::days(5));
        assert_eq!(count(app, user).await, (11, 0));
        let done = "mutation ($id: ID!) { completeTask(id: $id) { userErrors { code } } }";
        change(app, done, json!({ "id": id })).await;
        let refused = change_by(app, Some(user), SNOOZE, snooze(json!({ "for": "PT5M" }))).await;
        assert_eq!(refused["userErrors"][0]["code"], "INVALID_STATE");
    }

    /// Calls are reminded of as tasks are, and those that are called off with others are not.
    async fn who_has_to_make_a_call_is_reminded_of_it(app: App) {
        let user = app.user(Role::Sales.id()).await.0;
        let customer = given::customer(app, "Lan", "vi", "VND").await;
        let set = "mutation ($id: ID!, $before: [Duration!]!) { setCallReminders(id: $id, input: { before: $before }) {
          call { reminders { beforeS user { id } } } userErrors { code field } } }";
        let mut calls = Vec::new();
        for hours in [1, 5, 6] {
            let planned = app.clock.now() + TimeDelta::hours(hours);
            let input = json!({ "subject": "A", "purpose": "SALES", "plannedAt": planned, "assigneeId": user.global() });
            let call = change(app, CREATE_CALL, json!({ "customer": customer, "input": input })).await["call"]["id"].clone();
            let set = change(app, set, json!({ "id": call, "before": ["PT15M"] })).await;
            assert_eq!(set["call"]["reminders"], json!([{ "beforeS": 900, "user": { "id": user.global() } }]));
            calls.push(call);
        }
        app.advance(TimeDelta::minutes(45));
        assert_eq!(told(app, user).await, [("DUE".to_owned(), calls[0].clone())]);
        let refusal = json!({ "id": calls[1], "input": { "outcome": "DO_NOT_CALL" } });
        change(app, given::COMPLETE_CALL, refusal).await;
        app.advance(TimeDelta::hours(6));
        assert_eq!(count(app, user).await, (1, 0));
        let many: Vec<_> = (0..11).map(|minutes| format!("PT{minutes}M")).collect();
        for before in [json!(["P367D"]), json!(many)] {
            let refused = change(app, set, json!({ "id": calls[0], "before": before })).await;
            assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", "before"] }]));
        }
    }
}
