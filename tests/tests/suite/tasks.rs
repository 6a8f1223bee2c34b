//! Tasks: what somebody has to do, by when, and whether it was done.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, TaskId, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{self, COMPLETE_TASK, CREATE_TASK};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateTaskInput!, $version: Int) {
  updateTask(id: $id, input: $input, expectedVersion: $version) {
    task { version title priority project assignee { name } } userErrors { code field } } }";

/// A mutation that takes an id alone.
fn by_id(field: &str) -> String {
    format!(
        "mutation ($id: ID!) {{ {field}(id: $id) {{
  task {{ version state doneAt deletedAt }} userErrors {{ code field }} }} }}"
    )
}

/// Sends a mutation; gives its payload.
async fn change_as(app: &App, token: &str, query: &str, variables: Value) -> Value {
    let reply = app.send_as(Some(token), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let payload = reply.data.as_object().and_then(|data| data.values().next()).cloned();
    payload.expect("a payload")
}

async fn change(app: &App, query: &str, variables: Value) -> Value {
    change_as(app, &app.token(), query, variables).await
}

/// A task with this title and these fields; gives its id.
async fn task(app: &App, title: &str, customer: Option<&str>, fields: Value) -> Value {
    let mut input = fields;
    input["title"] = json!(title);
    let made = change(app, CREATE_TASK, json!({ "customer": customer, "input": input })).await;
    assert_eq!(made["userErrors"], json!([]));
    made["task"]["id"].clone()
}

async fn found_as(app: &App, token: &str, filter: Value) -> Vec<String> {
    let query = "query ($filter: TaskFilter) {
      tasks(filter: $filter, orderBy: [{ field: TITLE }]) { nodes { title } } }";
    let reply = app.send_as(Some(token), query, json!({ "filter": filter })).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let nodes = reply.data["tasks"]["nodes"].as_array().expect("nodes").clone();
    nodes.iter().map(|node| node["title"].as_str().expect("a title").to_owned()).collect()
}

async fn found(app: &App, filter: Value) -> Vec<String> {
    found_as(app, &app.token(), filter).await
}

/// How many events of this kind there were.
async fn events(app: &App, kind: &str) -> i64 {
    app.number(&format!("SELECT count(*) AS n FROM event WHERE kind = '{kind}'")).await
}

/// Somebody who reaches their own records alone.
async fn seller(app: &App) -> (UserId, String) {
    let own = [
        ("READ_CUSTOMERS", "OWN"),
        ("WRITE_CUSTOMERS", "OWN"),
        ("READ_TASKS", "OWN"),
        ("WRITE_TASKS", "OWN"),
    ];
    app.user(given::role(app, &own).await).await
}

/// Who deletes, restores, completes, cancels, reopens or changes a task that they do not see is told that there is
/// none.
async fn is_out_of_reach(app: &App, token: &str, id: &Value) {
    for field in ["deleteTask", "restoreTask", "completeTask", "cancelTask", "reopenTask"] {
        let refused = change_as(app, token, &by_id(field), json!({ "id": id })).await;
        assert_eq!(
            refused["userErrors"],
            json!([{ "code": "NOT_FOUND", "field": ["id"] }]),
            "{field}"
        );
    }
    let refused = change_as(app, token, UPDATE, json!({ "id": id, "input": {} })).await;
    assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    let query = "query ($id: ID!) { task(id: $id) { title } }";
    let reply = app.send_as(Some(token), query, json!({ "id": id })).await;
    assert_eq!(reply.data["task"], Value::Null);
}

on_both_stacks! {
    /// Its fields are stored as they are meant, and it is found without diacritics; a repeated request adds nothing.
    async fn a_task_is_added_and_found(app: App) {
        let lan = given::customer(app, "Lan", "vi", "VND").await;
        let (user, _) = app.user(Role::Sales.id()).await;
        let input = json!({
            "title": " Gửi  báo giá ", "description": " Cà phê\n\nrang mộc \n", "project": "Đà Lạt 2026", "priority": "HIGH",
            "dueAt": "2026-12-01T09:00:00Z", "estimateMin": 45, "assigneeId": user.global(),
        });
        let variables = json!({ "customer": lan, "input": input, "key": "task" });
        let made = change(app, CREATE_TASK, variables.clone()).await;
        let mut task = made["task"].clone();
        assert_eq!(made["userErrors"], json!([]));
        let id = task["id"].take();
        let name = task["assignee"]["name"].take();
        assert!(name.is_string());
        assert_eq!(task, json!({
            "id": null, "version": 1, "title": "Gửi báo giá", "description": "Cà phê\n\nrang mộc", "project": "Đà Lạt 2026",
            "priority": "HIGH", "state": "OPEN", "dueAt": "2026-12-01T09:00:00+00:00", "estimateMin": 45,
            "spentMin": null, "doneAt": null, "customer": { "displayName": "Lan" }, "assignee": { "name": null },
        }));
        assert_eq!(change(app, CREATE_TASK, variables).await["task"]["id"], id);
        assert_eq!(found(app, json!({ "search": "gia bao" })).await, ["Gửi báo giá"]);
        assert_eq!(found(app, json!({ "search": "da lat" })).await, ["Gửi báo giá"]);
        assert_eq!(found(app, json!({ "search": "hop dong" })).await, [] as [&str; 0]);
        let plain = change(app, CREATE_TASK, json!({ "input": { "title": "Dọn kho" } })).await;
        let fields = ["priority", "customer", "assignee", "dueAt"].map(|field| plain["task"][field].clone());
        assert_eq!(fields, [json!("NORMAL"), Value::Null, Value::Null, Value::Null]);
        let query = "query ($id: ID!) { customer(id: $id) { tasks { totalCount nodes { title } }
          timeline(types: [TASK]) { nodes { ... on Task { title } } } } }";
        let data = app.ask(query, json!({ "id": lan })).await;
        let one = json!([{ "title": "Gửi báo giá" }]);
        assert_eq!(data["customer"]["tasks"], json!({ "totalCount": 1, "nodes": one }));
        assert_eq!(data["customer"]["timeline"]["nodes"], one);
    }

    /// A form shows all that is wrong with it.
    async fn all_fields_of_a_task_that_are_wrong_are_told_at_once(app: App) {
        let input = json!({
            "title": " ", "description": "d".repeat(5_001), "project": "p".repeat(101), "estimateMin": -1, "spentMin": -1,
        });
        let refused = change(app, CREATE_TASK, json!({ "input": input })).await;
        let fields: Vec<_> = refused["userErrors"].as_array().expect("errors").iter()
            .map(|error| error["field"][1].as_str().expect("a field").to_owned()).collect();
        assert_eq!(fields, ["title", "description", "project", "estimateMin", "spentMin"]);
        let nobody = UserId::new(app.clock.now()).global();
        for assignee in [nobody.as_str(), "x"] {
            let input = json!({ "title": "A", "assigneeId": assignee });
            let refused = change(app, CREATE_TASK, json!({ "input": input })).await;
            assert_eq!(refused["userErrors"][0]["code"], "NOT_FOUND");
            assert_eq!(refused["userErrors"][0]["field"], json!(["input", "assigneeId"]));
        }
        let refused = change(app, CREATE_TASK, json!({ "customer": "cus_x", "input": { "title": "A" } })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["customerId"]));
        assert_eq!(found(app, json!({})).await, [] as [&str; 0]);
    }

    /// What is absent stays, what is null is cleared, another version is refused.
    async fn a_task_is_changed(app: App) {
        let id = task(app, "A", None, json!({ "project": "P" })).await;
        let (user, _) = app.user(Role::Sales.id()).await;
        let input = json!({ "title": "B", "priority": "LOW", "assigneeId": user.global() });
        let changed = change(app, UPDATE, json!({ "id": id, "input": input, "version": 1 })).await["task"].clone();
        assert_eq!((&changed["title"], &changed["priority"], &changed["project"]), (&json!("B"), &json!("LOW"), &json!("P")));
        assert!(changed["assignee"]["name"].is_string());
        let again = change(app, UPDATE, json!({ "id": id, "input": {}, "version": 1 })).await;
        assert_eq!(again["userErrors"][0]["code"], "STALE_VERSION");
        let nobody = UserId::new(app.clock.now()).global();
        let refused = change(app, UPDATE, json!({ "id": id, "input": { "assigneeId": nobody } })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["input", "assigneeId"] }]));
        let cleared = json!({ "id": id, "input": { "assigneeId": null, "project": null } });
        let cleared = change(app, UPDATE, cleared).await["task"].clone();
        assert_eq!((&cleared["assignee"], &cleared["project"]), (&Value::Null, &Value::Null));
    }

    /// Whoever can no longer log in gets no task, and keeps what they have.
    async fn somebody_who_has_left_gets_no_task(app: App) {
        let (user, _) = app.user(Role::Sales.id()).await;
        let id = task(app, "A", None, json!({ "assigneeId": user.global() })).await;
        let disable = "mutation ($id: ID!) { updateUser(id: $id, input: { enabled: false }) { userErrors { code } } }";
        let admin = app.token_of(Role::Administrator).await;
        let disabled = change_as(app, &admin, disable, json!({ "id": user.global() })).await;
        assert_eq!(disabled["userErrors"], json!([]));
        let kept = json!({ "id": id, "input": { "title": "B", "assigneeId": user.global() } });
        assert_eq!(change(app, UPDATE, kept).await["task"]["title"], "B");
        let input = json!({ "title": "C", "assigneeId": user.global() });
        assert_eq!(change(app, CREATE_TASK, json!({ "input": input })).await["userErrors"][0]["code"], "NOT_FOUND");
    }

    /// The lists that a frontend shows are filters.
    async fn my_overdue_tasks_are_a_filter(app: App) {
        let (user, token) = app.user(Role::Sales.id()).await;
        let mine = |due: TimeDelta| json!({ "assigneeId": user.global(), "dueAt": app.clock.now() + due });
        task(app, "Late", None, mine(TimeDelta::days(-1))).await;
        task(app, "Later", None, mine(TimeDelta::days(1))).await;
        task(app, "Others'", None, json!({ "dueAt": app.clock.now() - TimeDelta::days(1) })).await;
        task(app, "Some day", None, json!({ "assigneeId": user.global() })).await;
        let done = task(app, "Done", None, mine(TimeDelta::days(-1))).await;
        change(app, COMPLETE_TASK, json!({ "id": done })).await;
        let open = json!({ "assigneeId": { "eq": user.global() }, "state": { "eq": "OPEN" } });
        assert_eq!(found_as(app, &token, open.clone()).await, ["Late", "Later", "Some day"]);
        let mut overdue = open;
        overdue["dueAt"] = json!({ "lt": app.clock.now() });
        assert_eq!(found_as(app, &token, overdue).await, ["Late"]);
        assert_eq!(found_as(app, &token, json!({ "assigneeId": { "isNull": true } })).await, ["Others'"]);
        let query = "{ taskGroups(by: [{ field: STATE }]) { count } }";
        let groups = app.send_as(Some(&token), query, json!({})).await;
        let mut counts: Vec<_> = groups.data["taskGroups"].as_array().expect("groups").iter()
            .map(|group| group["count"].as_i64().expect("a count")).collect();
        counts.sort_unstable();
        assert_eq!(counts, [1, 4]);
    }

    /// Completing twice is completing once; what is done has to be reopened before anything else becomes of it.
    async fn a_task_is_completed_once(app: App) {
        let id = task(app, "A", None, json!({ "spentMin": 5 })).await;
        let refused = change(app, COMPLETE_TASK, json!({ "id": id, "spent": -1 })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["spentMin"] }]));
        let stale = change(app, COMPLETE_TASK, json!({ "id": id, "version": 7 })).await;
        assert_eq!(stale["userErrors"][0]["code"], "STALE_VERSION");
        let done = change(app, COMPLETE_TASK, json!({ "id": id, "spent": 30, "version": 1 })).await["task"].clone();
        assert_eq!((&done["version"], &done["state"], &done["spentMin"]), (&json!(2), &json!("DONE"), &json!(30)));
        assert!(done["doneAt"].is_string());
        app.advance(TimeDelta::hours(1));
        let again = change(app, COMPLETE_TASK, json!({ "id": id, "spent": 90 })).await;
        assert_eq!((&again["task"], &again["userErrors"]), (&done, &json!([])));
        assert_eq!(events(app, "task.completed").await, 1);
        let refused = change(app, &by_id("cancelTask"), json!({ "id": id })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID_STATE", "field": ["id"] }]));
        let absent = TaskId::new(app.clock.now()).global();
        let refused = change(app, COMPLETE_TASK, json!({ "id": absent })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    }

    /// What is reopened is to be done again, whether it was done or called off.
    async fn a_task_is_reopened(app: App) {
        let id = task(app, "A", None, json!({})).await;
        for end in ["completeTask", "cancelTask"] {
            change(app, &by_id(end), json!({ "id": id })).await;
            for _ in 0..2 {
                let open = change(app, &by_id("reopenTask"), json!({ "id": id })).await["task"].clone();
                assert_eq!((&open["state"], &open["doneAt"]), (&json!("OPEN"), &Value::Null));
            }
        }
        assert_eq!(change(app, COMPLETE_TASK, json!({ "id": id })).await["task"]["version"], 6);
        assert_eq!((events(app, "task.completed").await, events(app, "task.updated").await), (2, 3));
    }

    /// A task is theirs who has to do it, and theirs who looks after its customer; to anybody else who does not see
    /// all it does not exist.
    async fn who_does_not_see_a_customer_does_not_see_its_tasks(app: App) {
        let ((_, token), (other, others)) = (seller(app).await, seller(app).await);
        let input = json!({ "kind": "PERSON", "displayName": "Lan", "currency": "VND", "language": "vi" });
        let lan = app.make_as(&token, "customer", given::CREATE_CUSTOMER, json!({ "input": input })).await["id"].clone();
        let about = lan.as_str();
        let id = task(app, "Lan's", about, json!({})).await;
        let to_do = task(app, "To do", about, json!({ "assigneeId": other.global() })).await;
        task(app, "Nobody's", None, json!({})).await;
        assert_eq!(found_as(app, &token, json!({})).await, ["Lan's", "To do"]);
        assert_eq!(found_as(app, &others, json!({})).await, ["To do"]);
        is_out_of_reach(app, &others, &id).await;
        let done = change_as(app, &others, COMPLETE_TASK, json!({ "id": to_do })).await;
        assert_eq!(done["task"]["state"], "DONE");
        let query = "query ($id: ID!) { task(id: $id) { customer { id } viewerCanUpdate } }";
        let seen = app.send_as(Some(&others), query, json!({ "id": to_do })).await;
        assert_eq!(seen.data["task"], json!({ "customer": null, "viewerCanUpdate": true }));
        let refused = change_as(app, &others, CREATE_TASK, json!({ "customer": lan, "input": { "title": "X" } })).await;
        assert_eq!((&refused["userErrors"][0]["code"], &refused["userErrors"][0]["field"]), (&json!("NOT_FOUND"), &json!(["customerId"])));
        let own = change_as(app, &others, CREATE_TASK, json!({ "input": { "title": "Mine" } })).await;
        assert!(own["task"]["assignee"]["name"].is_string());
        assert_eq!(found_as(app, &others, json!({})).await, ["Mine", "To do"]);
        let auditor = app.token_of(Role::Auditor).await;
        assert_eq!(found_as(app, &auditor, json!({})).await.len(), 4);
        let refused = app.send_as(Some(&auditor), COMPLETE_TASK, json!({ "id": id })).await;
        assert_eq!(refused.error_code(), Some("FORBIDDEN"));
    }

    /// Deleting twice is deleting once, and so is restoring; nothing becomes of what is deleted.
    async fn a_task_is_deleted_and_restored(app: App) {
        let id = task(app, "A", None, json!({})).await;
        for _ in 0..2 {
            let deleted = change(app, &by_id("deleteTask"), json!({ "id": id })).await;
            assert_eq!((&deleted["task"]["version"], &deleted["userErrors"]), (&json!(2), &json!([])));
        }
        assert_eq!(found(app, json!({})).await, [] as [&str; 0]);
        assert_eq!(found(app, json!({ "deletedAt": { "isNull": false } })).await, ["A"]);
        let refused = change(app, COMPLETE_TASK, json!({ "id": id })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
        for _ in 0..2 {
            let restored = change(app, &by_id("restoreTask"), json!({ "id": id })).await;
            assert_eq!((&restored["task"]["version"], &restored["task"]["deletedAt"]), (&json!(3), &Value::Null));
        }
        assert_eq!(found(app, json!({})).await, ["A"]);
        let query = "query ($id: ID!) { task(id: $id) { history { totalCount } } }";
        let admin = app.token_of(Role::Administrator).await;
        let history = app.send_as(Some(&admin), query, json!({ "id": id })).await.data;
        assert_eq!(history["task"]["history"]["totalCount"], 3);
    }

    /// Nobody is told twice of the same day, nor of what was done in time; another day counts anew.
    async fn a_task_that_is_not_done_in_time_is_said_to_be_overdue_once(app: App) {
        let due = |hours: i64| json!({ "dueAt": app.clock.now() + TimeDelta::hours(hours) });
        let late = task(app, "Late", None, due(1)).await;
        let done = task(app, "Done", None, due(1)).await;
        let gone = task(app, "Gone", None, due(1)).await;
        task(app, "Later", None, due(30)).await;
        change(app, COMPLETE_TASK, json!({ "id": done })).await;
        change(app, &by_id("deleteTask"), json!({ "id": gone })).await;
        app.drain().await;
        assert_eq!(events(app, "task.overdue").await, 0);
        let another = due(2);
        app.advance(TimeDelta::hours(1));
        app.drain().await;
        assert_eq!(events(app, "task.overdue").await, 1);
        change(app, UPDATE, json!({ "id": late, "input": { "title": "Still late" } })).await;
        app.drain().await;
        assert_eq!(events(app, "task.overdue").await, 1, "its day is the same");
        change(app, UPDATE, json!({ "id": late, "input": another })).await;
        app.advance(TimeDelta::hours(2));
        app.drain().await;
        assert_eq!(events(app, "task.overdue").await, 2);
        let left = app.number("SELECT count(*) AS n FROM audit_entry WHERE user_id IS NULL AND record_table = 'task'").await;
        assert_eq!(left, 0, "looking changes nothing");
        let query = "query ($id: ID!) { task(id: $id) { version } }";
        assert_eq!(app.ask(query, json!({ "id": late })).await["task"]["version"], 3);
    }

    /// What happens to tasks starts workflows, those of which a filter is about.
    async fn a_workflow_begins_with_a_task(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Task",
            "trigger": { "event": { "kinds": ["task.created"] } },
            "condition": { "task": { "priority": { "eq": "HIGH" } } },
            "steps": [{ "key": "tell", "action": { "notify": { "text": "Việc gấp", "userId": chief.global() } } }],
        });
        given::workflow(app, &token, &definition).await;
        let urgent = task(app, "Urgent", None, json!({ "priority": "HIGH" })).await;
        task(app, "Usual", None, json!({})).await;
        app.drain().await;
        let query = "{ notifications { nodes { kind text subjectId } } }";
        let told = app.send_as(Some(&token), query, json!({})).await.data;
        let expected = json!([{ "kind": "WORKFLOW", "text": "Việc gấp", "subjectId": urgent }]);
        assert_eq!(told["notifications"]["nodes"], expected);
    }
}
