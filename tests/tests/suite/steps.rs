//! What steps of workflows do, and where that ends.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::CREATE_TASK;
use crate::workflows::{ask, change, customer, published, runs, steps};

mod planning;
mod presets;
mod waiting;

const TASKS: &str = "{ tasks(orderBy: [{ field: CREATED_AT }]) { nodes {
  title description priority state dueAt createdBy { name } assignee { id } customer { displayName } version } } }";

/// Something that is done for each new customer.
fn for_new_customers(steps: &Value) -> Value {
    json!({ "record": "Customer", "trigger": { "event": { "kinds": ["customer.created"] } }, "steps": steps })
}

/// A task that follows from a task.
fn after_a_task(own: bool) -> Value {
    json!({
        "record": "Task", "reentry": "ALWAYS",
        "trigger": { "event": { "kinds": ["task.created"], "own": own } },
        "steps": [{ "key": "next", "action": { "createTask": { "title": "Next" } } }],
    })
}

async fn task(app: &App, chief: UserId) {
    let made = change(app, chief, CREATE_TASK, json!({ "input": { "title": "First" } })).await;
    assert_eq!(made["userErrors"], json!([]));
}

/// How far the runs of a workflow came, and how many runs came before each.
async fn depths(app: &App, chief: UserId, id: &str) -> Vec<(String, i64)> {
    app.drain().await;
    let query = "query ($id: ID!) { workflow(id: $id) { runs(first: 100) { nodes { state depth detail } } } }";
    let data = ask(app, chief, query, json!({ "id": id })).await;
    let runs = data["workflow"]["runs"]["nodes"].as_array().expect("runs").clone();
    let mut depths = runs
        .iter()
        .map(|run| {
            let state = run["state"].as_str().expect("a state").to_owned();
            let is_guarded =
                run["detail"].as_str().is_some_and(|why| why.starts_with("LOOP_GUARD"));
            assert_eq!(is_guarded, state == "CANCELLED", "{run}");
            (state, run["depth"].as_i64().expect("a number"))
        })
        .collect::<Vec<_>>();
    depths.sort_by_key(|(_, depth)| *depth);
    depths
}

on_both_stacks! {
    /// It is theirs who looks after the customer, or whose the manager said it is.
    async fn a_step_adds_a_task(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "call", "action": { "createTask": {
                "title": "Gọi cho khách", "description": "Hỏi thăm", "priority": "HIGH", "dueIn": "P2D" } } },
            { "key": "write", "action": { "createTask": { "title": "Gửi thư", "assigneeId": chief.global() } } },
        ]))).await;
        customer(app, chief, "Lan", json!({ "ownerId": seller.global() })).await;
        let done = runs(app, chief, &id).await;
        assert_eq!(steps(&done[0]), [("call", "DONE"), ("write", "DONE")]);
        let tasks = ask(app, chief, TASKS, json!({})).await;
        let lan = json!({ "displayName": "Lan" });
        assert_eq!(tasks["tasks"]["nodes"], json!([
            { "title": "Gọi cho khách", "description": "Hỏi thăm", "priority": "HIGH", "state": "OPEN", "version": 1,
              "dueAt": tasks["tasks"]["nodes"][0]["dueAt"], "createdBy": null, "assignee": { "id": seller.global() }, "customer": lan },
            { "title": "Gửi thư", "description": null, "priority": "NORMAL", "state": "OPEN", "version": 1,
              "dueAt": null, "createdBy": null, "assignee": { "id": chief.global() }, "customer": lan },
        ]));
        let due = tasks["tasks"]["nodes"][0]["dueAt"].as_str().expect("an instant");
        assert!(due.starts_with("2026-11-05T02:00"), "{due}");
        let noted = "SELECT count(*) AS n FROM event WHERE kind = 'task.created' AND depth = 1 AND workflow_id IS NOT NULL";
        assert_eq!(app.number(noted).await, 2);
    }

    /// A customer is changed with its version, its history and its event; what is so already stays as it is.
    async fn a_step_changes_the_customer(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, token) = app.user(Role::Sales.id()).await;
        let change_it = json!({ "updateCustomer": { "stage": "REGULAR", "ownerId": seller.global(), "language": "en" } });
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "first", "action": change_it }, { "key": "again", "action": change_it },
            { "key": "seen", "action": { "branch": { "filter": { "customer": { "stage": { "eq": "REGULAR" } } } } } },
        ]))).await;
        let lan = customer(app, chief, "Lan", json!({})).await;
        let done = runs(app, chief, &id).await;
        assert_eq!(steps(&done[0]), [("first", "DONE"), ("again", "SKIPPED"), ("seen", "DONE")]);
        let query = "query ($id: ID!) { customer(id: $id) { stage language version owner { id }
          history { nodes { user { name } changes } } } }";
        let found = ask(app, chief, query, json!({ "id": lan })).await["customer"].clone();
        assert_eq!((&found["stage"], &found["language"]), (&json!("REGULAR"), &json!("en")));
        assert_eq!((&found["version"], &found["owner"]["id"]), (&json!(2), &json!(seller.global())));
        let changes = found["history"]["nodes"].as_array().expect("changes");
        let users = changes.iter().map(|change| change["user"]["name"].as_str()).collect::<Vec<_>>();
        assert_eq!(users, [Some("Somebody"), None], "nobody changed it but Rapport");
        let updated = "SELECT count(*) AS n FROM event WHERE kind = 'customer.updated' AND depth = 1";
        assert_eq!(app.number(updated).await, 1);
        let query = "{ notifications { nodes { kind subjectId } } }";
        let told = app.send_as(Some(&token), query, json!({})).await.data;
        assert_eq!(told["notifications"]["nodes"], json!([{ "kind": "OWNED", "subjectId": lan }]));
    }

    /// Whoever may not have customers gets none: the run fails and says why, and what was tried.
    async fn a_step_hands_no_customer_to_who_is_gone(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "hand", "action": { "updateCustomer": { "ownerId": seller.global() } } },
        ]))).await;
        let disable = "mutation ($id: ID!) { updateUser(id: $id, input: { enabled: false }) { userErrors { code } } }";
        change(app, chief, disable, json!({ "id": seller.global() })).await;
        customer(app, chief, "Lan", json!({})).await;
        let failed = runs(app, chief, &id).await;
        assert_eq!(failed[0]["state"], "FAILED");
        assert_eq!(failed[0]["detail"], failed[0]["steps"]["nodes"][0]["detail"]);
        app.advance(TimeDelta::minutes(1));
        let again = "mutation ($id: ID!) { retryWorkflowRun(id: $id) { userErrors { code } } }";
        change(app, chief, again, json!({ "id": failed[0]["id"] })).await;
        runs(app, chief, &id).await;
        let query = "query ($id: ID!) { node(id: $id) { ... on WorkflowRun { steps { nodes { attempt outcome input } } } } }";
        let tried = ask(app, chief, query, json!({ "id": failed[0]["id"] })).await["node"]["steps"]["nodes"].clone();
        let tried = tried.as_array().expect("steps");
        assert_eq!(tried.iter().map(|step| &step["attempt"]).collect::<Vec<_>>(), [1, 2], "{tried:#?}");
        assert!(tried.iter().all(|step| step["input"]["do"]["what"] == "updateCustomer"), "{tried:#?}");
    }

    /// A task is changed as the manager said, once.
    async fn a_step_changes_the_task(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &json!({
            "record": "Task", "trigger": { "event": { "kinds": ["task.created"] } },
            "steps": [
                { "key": "raise", "action": { "updateTask": { "priority": "HIGH", "assigneeId": chief.global(), "dueIn": "P1D" } } },
                { "key": "again", "action": { "updateTask": { "priority": "HIGH" } } },
            ],
        })).await;
        task(app, chief).await;
        let done = runs(app, chief, &id).await;
        assert_eq!(steps(&done[0]), [("raise", "DONE"), ("again", "SKIPPED")]);
        let found = ask(app, chief, TASKS, json!({})).await["tasks"]["nodes"][0].clone();
        assert_eq!((&found["priority"], &found["version"]), (&json!("HIGH"), &json!(2)));
        assert_eq!(found["assignee"]["id"], json!(chief.global()));
        assert!(found["dueAt"].as_str().is_some_and(|due| due.starts_with("2026-11-04T02:00")), "{found}");
    }

    /// A step says what a task is and what has become of it; it is found by its new words, is overdue no more when it is
    /// done, and one that has ended is not ended in another way.
    async fn a_step_says_what_becomes_of_the_task(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &json!({
            "record": "Task", "trigger": { "event": { "kinds": ["task.created"] } },
            "steps": [
                { "key": "say", "action": { "updateTask": {
                    "title": "Gọi lại", "description": "Hai dòng", "project": "Hè 2027", "estimateMin": 30, "dueIn": "PT1H" } } },
                { "key": "done", "action": { "updateTask": { "becomes": "DONE" } } },
                { "key": "again", "action": { "updateTask": { "becomes": "DONE", "priority": "HIGH" } } },
                { "key": "cancel", "action": { "updateTask": { "becomes": "CANCELLED" } } },
            ],
        })).await;
        task(app, chief).await;
        let ended = runs(app, chief, &id).await;
        assert_eq!(steps(&ended[0]), [("say", "DONE"), ("done", "DONE"), ("again", "DONE"), ("cancel", "FAILED")]);
        assert_eq!(ended[0]["detail"], "the task is not open any more");
        let query = "{ tasks(filter: { search: \"goi lai he\" }) { nodes { title description project estimateMin state doneAt } } }";
        let found = ask(app, chief, query, json!({})).await["tasks"]["nodes"].clone();
        let done_at = found[0]["doneAt"].clone();
        assert!(done_at.is_string(), "{found}");
        assert_eq!(found, json!([{
            "title": "Gọi lại", "description": "Hai dòng", "project": "Hè 2027", "estimateMin": 30, "state": "DONE",
            "doneAt": done_at,
        }]));
        app.advance(TimeDelta::hours(2));
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'task.completed'").await, 1);
        assert_eq!(app.number("SELECT count(*) AS n FROM task WHERE look_at IS NOT NULL").await, 0);
    }

    /// Two workflows that say at the same time that a task is done have done it once.
    async fn a_task_is_done_once(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let done = json!({
            "record": "Task", "trigger": { "event": { "kinds": ["task.created"] } },
            "steps": [{ "key": "done", "action": { "updateTask": { "becomes": "DONE" } } }],
        });
        for _ in 0..2 {
            published(app, chief, &done).await;
        }
        task(app, chief).await;
        app.drain().await;
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'task.completed'").await, 1);
    }

    /// What a workflow does starts it again only when a manager wants that, and even then not for ever.
    async fn a_workflow_that_starts_itself_ends(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let calm = published(app, chief, &after_a_task(false)).await;
        task(app, chief).await;
        assert_eq!(depths(app, chief, &calm).await, [("COMPLETED".to_owned(), 0)]);
        let retire = "mutation ($id: ID!) { retireWorkflow(id: $id) { userErrors { code } } }";
        change(app, chief, retire, json!({ "id": calm })).await;
        let circle = published(app, chief, &after_a_task(true)).await;
        task(app, chief).await;
        let mut expected = (0..=8).map(|depth| ("COMPLETED".to_owned(), depth)).collect::<Vec<_>>();
        expected.push(("CANCELLED".to_owned(), 9));
        assert_eq!(depths(app, chief, &circle).await, expected);
    }

    /// Two workflows that start one another end as one does that starts itself.
    async fn two_workflows_that_start_one_another_end(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let first = published(app, chief, &after_a_task(false)).await;
        let second = published(app, chief, &after_a_task(false)).await;
        task(app, chief).await;
        for id in [first, second] {
            let depths = depths(app, chief, &id).await;
            assert_eq!(depths.len(), 10);
            assert_eq!(depths.last(), Some(&("CANCELLED".to_owned(), 9)));
        }
        assert_eq!(app.number("SELECT count(*) AS n FROM task").await, 1 + 2 * 9);
    }

    /// Customers that nobody looks after go round, as often as the weights say, past who is away.
    async fn a_step_hands_customers_out_in_turn(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (one, _) = app.user(Role::Sales.id()).await;
        let (two, _) = app.user(Role::Sales.id()).await;
        let (away, _) = app.user(Role::Sales.id()).await;
        let now = app.clock.now();
        let absence = json!({ "input": { "userId": away.global(), "deputyId": chief.global(),
            "startsAt": now - TimeDelta::days(1), "endsAt": now + TimeDelta::days(9) } });
        let plan = "mutation ($input: CreateAbsenceInput!) { createAbsence(input: $input) { userErrors { code } } }";
        change(app, chief, plan, absence).await;
        let among = json!({ "users": [
            { "userId": away.global(), "weight": 5 }, { "userId": one.global(), "weight": 2 }, { "userId": two.global() },
        ], "mostCustomers": 4 });
        let id = published(app, chief, &for_new_customers(&json!([{ "key": "hand", "action": { "assign": among } }]))).await;
        customer(app, chief, "0", json!({ "ownerId": chief.global() })).await;
        for number in 1..=6 {
            customer(app, chief, &number.to_string(), json!({})).await;
            app.drain().await;
        }
        let query = "query ($owner: ID!) { customers(filter: { owner: { id: { eq: $owner } } }) { totalCount } }";
        let mut has = Vec::new();
        for owner in [chief, one, two, away] {
            has.push(ask(app, chief, query, json!({ "owner": owner.global() })).await["customers"]["totalCount"].as_i64());
        }
        assert_eq!((has[0], has[3]), (Some(1), Some(0)), "what is somebody's stays theirs");
        assert_eq!(has[1].zip(has[2]).map(|(one, two)| one + two), Some(6));
        for number in 7..=9 {
            customer(app, chief, &number.to_string(), json!({})).await;
        }
        let all = runs(app, chief, &id).await;
        let outcomes = all.iter().map(|run| steps(run)[0].1).collect::<Vec<_>>();
        let handed = outcomes.iter().filter(|outcome| **outcome == "DONE").count();
        assert_eq!((handed, outcomes.len()), (8, 10), "nobody gets more than four");
    }

    /// Another system gets the record, with the run and the step, signed as events are.
    async fn a_step_posts_the_record(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let add = "mutation ($input: CreateWebhookEndpointInput!) { createWebhookEndpoint(input: $input) {
          webhookEndpoint { id } userErrors { message } } }";
        let input = json!({ "url": "https://example.com/hook", "kinds": ["payment.recorded"] });
        let made = change(app, chief, add, json!({ "input": input })).await;
        let endpoint = made["webhookEndpoint"]["id"].clone();
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "post", "action": { "webhook": { "endpointId": endpoint } } },
        ]))).await;
        let lan = customer(app, chief, "Lan", json!({})).await;
        let done = runs(app, chief, &id).await;
        assert_eq!(steps(&done[0]), [("post", "DONE")]);
        let query = "query ($id: ID!) { webhookEndpoint(id: $id) { deliveries { nodes { kind body } } } }";
        let data = ask(app, chief, query, json!({ "id": endpoint })).await;
        let sent = data["webhookEndpoint"]["deliveries"]["nodes"].as_array().expect("deliveries").clone();
        assert_eq!((sent.len(), &sent[0]["kind"]), (1, &json!("workflow.step")));
        let body: Value = serde_json::from_str(sent[0]["body"].as_str().expect("text")).expect("JSON");
        let data = &body["data"];
        assert_eq!((&data["workflowId"], &data["runId"], &data["step"]), (&json!(id), &done[0]["id"], &json!("post")));
        assert_eq!((&data["recordId"], &data["record"]["displayName"]), (&json!(lan), &json!("Lan")));
        let off = "mutation ($id: ID!) { updateWebhookEndpoint(id: $id, input: { active: false }) { userErrors { code } } }";
        change(app, chief, off, json!({ "id": endpoint })).await;
        customer(app, chief, "Minh", json!({})).await;
        let failed = runs(app, chief, &id).await;
        assert_eq!(failed.iter().filter(|run| run["state"] == "FAILED").count(), 1);
    }

    /// A workflow starts another one for its record, and calls off the runs of a third.
    async fn workflows_start_and_stop_one_another(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let by_hand = |steps: Value| json!({ "record": "Customer", "trigger": { "manual": true }, "steps": steps });
        let other = published(app, chief, &by_hand(json!([{ "key": "end", "action": { "end": true } }]))).await;
        let waiting = published(app, chief, &for_new_customers(&json!([{ "key": "wait", "action": { "wait": { "for": "P9D" } } }]))).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "wait", "action": { "wait": { "for": "P1D" } } },
            { "key": "start", "action": { "startWorkflow": { "workflowId": other } } },
            { "key": "stop", "action": { "stopWorkflow": { "workflowId": waiting } } },
        ]))).await;
        customer(app, chief, "Lan", json!({})).await;
        assert_eq!(runs(app, chief, &waiting).await[0]["state"], "WAITING");
        app.advance(TimeDelta::days(1));
        let done = runs(app, chief, &id).await;
        assert_eq!(steps(&done[0])[2..], [("start", "DONE"), ("stop", "DONE")]);
        assert_eq!(depths(app, chief, &other).await, [("COMPLETED".to_owned(), 1)]);
        let stopped = runs(app, chief, &waiting).await;
        assert_eq!((&stopped[0]["state"], &stopped[0]["detail"]), (&json!("CANCELLED"), &json!("another workflow called it off")));
    }
}
