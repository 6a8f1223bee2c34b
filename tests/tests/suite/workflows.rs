//! Workflows: set up once, carried out for every record, step by step.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::UserId;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{CREATE_WORKFLOW, PUBLISH_WORKFLOW, workflow};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateWorkflowDraftInput!) {
  updateWorkflowDraft(id: $id, input: $input) {
    workflow { id state } userErrors { code message field } } }";

const RUNS: &str =
    "query ($id: ID!) { workflow(id: $id) { runs(orderBy: [{ field: STARTED_AT }]) { nodes {
  id state step detail dueAt endedAt customer { displayName } workflowVersion { number }
  steps { nodes { step outcome detail } } } } } }";

/// The answer to a query.
pub async fn ask(app: &App, chief: UserId, query: &str, variables: Value) -> Value {
    let token = app.token_for(chief).await;
    let reply = app.send_as(Some(&token), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    reply.data
}

/// Sends a mutation; gives its payload.
pub async fn change(app: &App, chief: UserId, query: &str, variables: Value) -> Value {
    let data = ask(app, chief, query, variables).await;
    let payload = data.as_object().and_then(|data| data.values().next()).cloned();
    payload.expect("a payload")
}

/// A customer with these fields; gives the id.
pub async fn customer(app: &App, chief: UserId, name: &str, fields: Value) -> String {
    let mut input = json!({ "kind": "PERSON", "displayName": name });
    for (field, value) in fields.as_object().expect("fields") {
        input[field] = value.clone();
    }
    let query = "mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) {
      customer { id } userErrors { message } } }";
    let made = change(app, chief, query, json!({ "input": input })).await;
    made["customer"]["id"].as_str().expect("an id").to_owned()
}

/// Publishes a workflow; gives its id.
pub async fn published(app: &App, chief: UserId, definition: &Value) -> String {
    workflow(app, &app.token_for(chief).await, definition).await
}

/// The runs of a workflow.
pub async fn runs(app: &App, chief: UserId, id: &str) -> Vec<Value> {
    app.drain().await;
    let data = ask(app, chief, RUNS, json!({ "id": id })).await;
    data["workflow"]["runs"]["nodes"].as_array().expect("runs").clone()
}

/// The run for the customer with the name.
pub fn of<'a>(runs: &'a [Value], name: &str) -> &'a Value {
    let found = runs.iter().find(|run| run["customer"]["displayName"] == name);
    found.expect("a run for the customer")
}

/// What happened in the steps of a run.
pub fn steps(run: &Value) -> Vec<(&str, &str)> {
    let steps = run["steps"]["nodes"].as_array().expect("steps");
    steps
        .iter()
        .map(|step| (step["step"].as_str().expect("text"), step["outcome"].as_str().expect("text")))
        .collect()
}

/// How many notifications of workflows there are.
async fn told(app: &App) -> i64 {
    app.number("SELECT count(*) AS n FROM notification WHERE kind = 'WORKFLOW'").await
}

pub async fn me(app: &App, chief: UserId) -> String {
    let data = ask(app, chief, "{ me { id } }", json!({})).await;
    data["me"]["id"].as_str().expect("an id").to_owned()
}

/// A welcome: wait three days, and tell somebody about those that are still prospects.
async fn welcome(app: &App, chief: UserId) -> Value {
    json!({
        "record": "Customer",
        "trigger": { "event": { "kinds": ["customer.created"] } },
        "steps": [
            { "key": "settle", "action": { "wait": { "for": "P3D" } } },
            { "key": "fresh", "action": { "branch": {
                "filter": { "customer": { "stage": { "eq": "PROSPECT" } } }, "otherwise": "done" } } },
            { "key": "tell", "action": { "notify": { "text": "Gọi cho khách", "userId": me(app, chief).await } } },
            { "key": "done", "action": { "end": true } },
        ],
    })
}

on_both_stacks! {
    /// Each step happens when its time has come, and the run says what happened.
    async fn a_workflow_waits_branches_and_tells(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &welcome(app, chief).await).await;
        let prospect = customer(app, chief, "Trần Quốc", json!({ "stage": "PROSPECT" })).await;
        customer(app, chief, "Lê Lan", json!({ "stage": "CUSTOMER" })).await;
        let waiting = runs(app, chief, &id).await;
        assert_eq!(waiting.len(), 2);
        assert!(waiting.iter().all(|run| run["state"] == "WAITING" && run["step"] == "settle"));
        app.advance(TimeDelta::days(3) - TimeDelta::seconds(2));
        assert!(runs(app, chief, &id).await.iter().all(|run| run["state"] == "WAITING"));
        assert_eq!(told(app).await, 0);
        app.advance(TimeDelta::seconds(3));
        let done = runs(app, chief, &id).await;
        assert!(done.iter().all(|run| run["state"] == "COMPLETED" && run["dueAt"].is_null()));
        assert_eq!(steps(of(&done, "Trần Quốc")), [
            ("settle", "WAITING"), ("settle", "PASSED"), ("fresh", "DONE"), ("tell", "DONE"), ("done", "DONE"),
        ]);
        assert_eq!(steps(of(&done, "Lê Lan")), [
            ("settle", "WAITING"), ("settle", "PASSED"), ("fresh", "TURNED"), ("done", "DONE"),
        ]);
        assert_eq!(told(app).await, 1);
        let query = "{ notifications { nodes { kind text subjectId } } }";
        let data = ask(app, chief, query, json!({})).await;
        let told = json!({ "kind": "WORKFLOW", "text": "Gọi cho khách", "subjectId": prospect });
        assert_eq!(data["notifications"]["nodes"], json!([told]));
    }

    /// What was published before is carried out to its end by those who began with it.
    async fn a_run_stays_with_its_version(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let mut definition = welcome(app, chief).await;
        let id = published(app, chief, &definition).await;
        customer(app, chief, "Trần Quốc", json!({ "stage": "PROSPECT" })).await;
        runs(app, chief, &id).await;
        definition["steps"] = json!([{ "key": "done", "action": { "end": true } }]);
        let input = json!({ "definition": definition });
        change(app, chief, UPDATE, json!({ "id": id, "input": input })).await;
        let payload = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": id })).await;
        assert_eq!(payload["workflow"]["active"]["number"], 2);
        customer(app, chief, "Lê Lan", json!({ "stage": "PROSPECT" })).await;
        let both = runs(app, chief, &id).await;
        let run_of = |runs: &[Value], name: &str| {
            let run = of(runs, name);
            (run["state"].clone(), run["workflowVersion"]["number"].clone())
        };
        assert_eq!(run_of(&both, "Trần Quốc"), (json!("WAITING"), json!(1)));
        assert_eq!(run_of(&both, "Lê Lan"), (json!("COMPLETED"), json!(2)));
        app.advance(TimeDelta::days(4));
        assert_eq!(of(&runs(app, chief, &id).await, "Trần Quốc")["state"], "COMPLETED");
        assert_eq!(told(app).await, 1);
    }

    /// Publishing may call the runs of earlier versions off.
    async fn earlier_runs_are_called_off_if_that_is_wanted(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &welcome(app, chief).await).await;
        customer(app, chief, "Trần Quốc", json!({ "stage": "PROSPECT" })).await;
        runs(app, chief, &id).await;
        change(app, chief, PUBLISH_WORKFLOW, json!({ "id": id, "running": "CANCEL" })).await;
        app.advance(TimeDelta::days(4));
        let runs = runs(app, chief, &id).await;
        assert_eq!((&runs[0]["state"], &runs[0]["detail"]), (&json!("CANCELLED"), &json!("another version was published")));
        assert_eq!(told(app).await, 0);
    }

    /// It goes on when what it waits for happens to the customer, or elsewhere when that does not happen in time.
    async fn a_run_waits_for_an_event_or_until_it_is_late(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Customer",
            "trigger": { "event": { "kinds": ["customer.created"] } },
            "steps": [
                { "key": "note", "action": { "waitForEvent": {
                    "kinds": ["note.created"], "within": "P1D", "otherwise": "tell" } } },
                { "key": "done", "action": { "end": true } },
                { "key": "tell", "action": { "notify": { "text": "Nobody wrote", "userId": me(app, chief).await } } },
            ],
        });
        let id = published(app, chief, &definition).await;
        let first = customer(app, chief, "A", json!({})).await;
        customer(app, chief, "B", json!({})).await;
        runs(app, chief, &id).await;
        let note = "mutation ($id: ID!) { createNote(customerId: $id, input: { body: \"Called\" }) {
          userErrors { message } } }";
        change(app, chief, note, json!({ "id": first })).await;
        let waiting = runs(app, chief, &id).await;
        assert_eq!(of(&waiting, "A")["state"], "COMPLETED");
        assert_eq!(steps(of(&waiting, "A")), [("note", "WAITING"), ("note", "PASSED"), ("done", "DONE")]);
        assert_eq!(of(&waiting, "B")["state"], "WAITING");
        app.advance(TimeDelta::days(1));
        let late = runs(app, chief, &id).await;
        assert_eq!(steps(of(&late, "B")), [("note", "WAITING"), ("note", "TURNED"), ("tell", "DONE")]);
        assert_eq!(told(app).await, 1);
    }

    /// What happens just when a run begins to wait for it is not missed.
    async fn a_run_looks_again_for_what_it_waits_for(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Customer",
            "trigger": { "event": { "kinds": ["customer.created"] } },
            "steps": [{ "key": "note", "action": { "waitForEvent": { "kinds": ["note.created"], "within": "P30D" } } }],
        });
        let id = published(app, chief, &definition).await;
        let first = customer(app, chief, "A", json!({})).await;
        customer(app, chief, "B", json!({})).await;
        runs(app, chief, &id).await;
        app.execute("UPDATE workflow_run SET listens = NULL").await;
        let note = "mutation ($id: ID!) { createNote(customerId: $id, input: { body: \"Called\" }) {
          userErrors { message } } }";
        change(app, chief, note, json!({ "id": first })).await;
        assert_eq!(of(&runs(app, chief, &id).await, "A")["state"], "WAITING");
        app.advance(TimeDelta::seconds(6));
        let looked = runs(app, chief, &id).await;
        assert_eq!(of(&looked, "A")["state"], "COMPLETED");
        assert_eq!(steps(of(&looked, "A")), [("note", "WAITING"), ("note", "PASSED")]);
        assert_eq!(of(&looked, "B")["state"], "WAITING");
        assert_eq!(steps(of(&looked, "B")), [("note", "WAITING")]);
    }

    /// Of several things that happen to a record at once, one begins a run, and the next one begins after its end.
    async fn a_workflow_begins_again_after_its_end(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Customer", "reentry": "AFTER_END",
            "trigger": { "event": { "kinds": ["note.created"] } },
            "steps": [{ "key": "wait", "action": { "wait": { "for": "P1D" } } }],
        });
        let id = published(app, chief, &definition).await;
        let first = customer(app, chief, "A", json!({})).await;
        let note = "mutation ($id: ID!) {
          one: createNote(customerId: $id, input: { body: \"1\" }) { userErrors { message } }
          two: createNote(customerId: $id, input: { body: \"2\" }) { userErrors { message } } }";
        change(app, chief, note, json!({ "id": first })).await;
        assert_eq!(runs(app, chief, &id).await.len(), 1);
        change(app, chief, note, json!({ "id": first })).await;
        assert_eq!(runs(app, chief, &id).await.len(), 1);
        app.advance(TimeDelta::days(2));
        runs(app, chief, &id).await;
        change(app, chief, note, json!({ "id": first })).await;
        assert_eq!(runs(app, chief, &id).await.len(), 2);
    }

    /// While a workflow stands still nothing starts and nothing goes on; afterwards what is late is done at once.
    async fn a_workflow_stands_still_and_goes_on(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &welcome(app, chief).await).await;
        customer(app, chief, "A", json!({ "stage": "PROSPECT" })).await;
        runs(app, chief, &id).await;
        let turn = |name: &str| format!("mutation ($id: ID!) {{ {name}(id: $id) {{ workflow {{ state }} userErrors {{ code }} }} }}");
        let paused = change(app, chief, &turn("pauseWorkflow"), json!({ "id": id })).await;
        assert_eq!(paused["workflow"]["state"], "PAUSED");
        customer(app, chief, "B", json!({ "stage": "PROSPECT" })).await;
        app.advance(TimeDelta::days(5));
        let still = runs(app, chief, &id).await;
        assert_eq!((still.len(), &still[0]["state"]), (1, &json!("WAITING")));
        change(app, chief, &turn("resumeWorkflow"), json!({ "id": id })).await;
        assert_eq!(runs(app, chief, &id).await[0]["state"], "COMPLETED");
        assert_eq!(told(app).await, 1);
        change(app, chief, &turn("retireWorkflow"), json!({ "id": id })).await;
        customer(app, chief, "C", json!({ "stage": "PROSPECT" })).await;
        assert_eq!(runs(app, chief, &id).await.len(), 1);
    }

    /// A manager hears of all that cannot be done before it is published, and where.
    async fn what_cannot_be_carried_out_is_not_published(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Customer",
            "trigger": { "date": { "field": "displayName", "at": "09:00" } },
            "steps": [
                { "key": "a", "action": { "split": { "ways": [{ "to": "b", "weight": 1 }] } }, "then": "nowhere" },
                { "key": "b", "action": { "wait": { "for": "PT0S" } }, "then": "a" },
                { "key": "b", "action": { "waitForEvent": { "kinds": ["product.created"], "within": "P1D" } } },
            ],
        });
        let input = json!({ "name": "Bad", "definition": definition });
        let made = change(app, chief, CREATE_WORKFLOW, json!({ "input": input })).await;
        let id = made["workflow"]["id"].clone();
        let payload = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": id })).await;
        let errors = payload["userErrors"].as_array().expect("errors");
        let mut fields: Vec<_> = errors.iter().map(|error| {
            let field = error["field"].as_array().expect("a list");
            field[1..].iter().map(|part| part.as_str().expect("text")).collect::<Vec<_>>().join(".")
        }).collect();
        fields.sort();
        assert_eq!(fields, ["steps.0.then", "steps.0.then", "steps.1.wait", "steps.2.key", "steps.2.kinds", "trigger"]);
        let query = "query ($id: ID!) { validateWorkflow(id: $id) { userErrors { message } } }";
        let data = ask(app, chief, query, json!({ "id": id })).await;
        assert_eq!(data["validateWorkflow"]["userErrors"].as_array().expect("a list").len(), 6);
        let mut other = welcome(app, chief).await;
        other["condition"] = json!({ "invoice": {} });
        let refused = change(app, chief, CREATE_WORKFLOW, json!({ "input": { "name": "Bad", "definition": other } })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "definition", "condition"]));
    }

    /// Whoever starts it twice starts it once, and only for whom it may be carried out.
    async fn somebody_starts_a_workflow_for_records(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let mut definition = welcome(app, chief).await;
        definition["trigger"] = json!({ "manual": true });
        definition["condition"] = json!({ "customer": { "stage": { "eq": "PROSPECT" } } });
        let id = published(app, chief, &definition).await;
        let prospect = customer(app, chief, "A", json!({ "stage": "PROSPECT" })).await;
        let regular = customer(app, chief, "B", json!({ "stage": "REGULAR" })).await;
        let start = "mutation ($id: ID!, $ids: [ID!]!, $key: String!) {
          startWorkflow(id: $id, recordIds: $ids, idempotencyKey: $key) { started userErrors { code } } }";
        let started = |key: &str| json!({ "id": id, "ids": [prospect, regular, "cus_none"], "key": key });
        assert_eq!(change(app, chief, start, started("once")).await["started"], 1);
        assert_eq!(change(app, chief, start, started("again")).await["started"], 0);
        assert_eq!(runs(app, chief, &id).await.len(), 1);
    }

    /// A run that somebody calls off does nothing more, and one whose record is gone ends by itself.
    async fn runs_end_early(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &welcome(app, chief).await).await;
        customer(app, chief, "A", json!({ "stage": "PROSPECT" })).await;
        let gone = customer(app, chief, "B", json!({ "stage": "PROSPECT" })).await;
        let waiting = runs(app, chief, &id).await;
        let cancel = "mutation ($id: ID!) { cancelWorkflowRun(id: $id) { workflowRun { state } userErrors { code } } }";
        let payload = change(app, chief, cancel, json!({ "id": of(&waiting, "A")["id"] })).await;
        assert_eq!(payload["workflowRun"]["state"], "CANCELLED");
        let delete = "mutation ($id: ID!) { deleteCustomer(id: $id) { userErrors { code } } }";
        change(app, chief, delete, json!({ "id": gone })).await;
        app.advance(TimeDelta::days(4));
        let ended = runs(app, chief, &id).await;
        assert_eq!((&of(&ended, "B")["state"], &of(&ended, "B")["detail"]), (&json!("CANCELLED"), &json!("the record is gone")));
        assert_eq!(told(app).await, 0);
    }

    /// A worker that dies in the middle has done nothing; another one does it once.
    async fn a_dead_worker_leaves_nothing_half_done(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &welcome(app, chief).await).await;
        for number in 0..30 {
            customer(app, chief, &format!("K{number}"), json!({ "stage": "PROSPECT" })).await;
        }
        runs(app, chief, &id).await;
        app.advance(TimeDelta::days(4));
        for _ in 0..5 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            app.kill_workers().await;
            app.start_workers();
        }
        assert!(runs(app, chief, &id).await.iter().all(|run| run["state"] == "COMPLETED"));
        assert_eq!(told(app).await, 30);
    }

    /// Some days before an invoice is due, at nine where the customer lives, somebody hears of it; once, also when
    /// nobody looked at nine.
    async fn a_day_starts_a_workflow(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Invoice",
            "trigger": { "date": { "field": "dueOn", "days": -2, "at": "09:00" } },
            "condition": { "invoice": { "state": { "eq": "OPEN" } } },
            "steps": [{ "key": "tell", "action": { "notify": { "text": "Due soon", "userId": me(app, chief).await } } }],
        });
        let id = published(app, chief, &definition).await;
        let here = customer(app, chief, "Hà Nội", json!({ "timeZone": "Asia/Ho_Chi_Minh" })).await;
        let there = customer(app, chief, "Riga", json!({ "timeZone": "Europe/Riga" })).await;
        let today = app.clock.now().date_naive();
        let due = (today + TimeDelta::days(5)).to_string();
        for customer in [&here, &there] {
            let query = "mutation ($input: IssueInvoiceInput!) { issueInvoice(input: $input) {
              userErrors { message field } } }";
            let line = json!({ "description": "Tư vấn", "unitPrice": "100" });
            let input = json!({ "customerId": customer, "currency": "EUR", "dueOn": due, "lines": [line] });
            let made = change(app, chief, query, json!({ "input": input })).await;
            assert_eq!(made["userErrors"], json!([]));
        }
        let at = |time: &str| -> TimeDelta {
            let instant: chrono::DateTime<chrono::Utc> = format!("{}T{time}Z", today + TimeDelta::days(3)).parse().expect("an instant");
            instant - app.clock.now()
        };
        let started = async || {
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            runs(app, chief, &id).await.len()
        };
        app.advance(at("01:59:30"));
        assert_eq!(started().await, 0);
        app.advance(at("02:00:00"));
        assert_eq!(started().await, 1, "it is nine in Hà Nội");
        app.advance(at("06:59:59"));
        assert_eq!(started().await, 1);
        app.advance(at("20:00:00"));
        assert_eq!(started().await, 2, "it was nine in Riga");
        app.advance(TimeDelta::days(1));
        assert_eq!(started().await, 2);
        assert_eq!(told(app).await, 2);
    }

    /// What stands still goes on when another version is published, and a run that is tried again waits for that.
    async fn publishing_lets_go_on_what_stands_still(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let define = "mutation { createCustomField(input: { key: \"vip\", label: \"VIP\", type: BOOLEAN, purpose: \"Service\" }) {
          customField { id } userErrors { message } } }";
        let field = change(app, chief, define, json!({})).await["customField"]["id"].clone();
        let mut definition = welcome(app, chief).await;
        let vip = json!({ "customer": { "customFields": [{ "field": "vip", "eq": true }] } });
        definition["steps"][1]["action"]["branch"]["filter"] = vip;
        let id = published(app, chief, &definition).await;
        customer(app, chief, "A", json!({ "stage": "PROSPECT" })).await;
        runs(app, chief, &id).await;
        let archive = "mutation ($id: ID!) { archiveCustomField(id: $id) { userErrors { message } } }";
        change(app, chief, archive, json!({ "id": field })).await;
        app.advance(TimeDelta::days(4));
        let failed = runs(app, chief, &id).await;
        assert_eq!((&of(&failed, "A")["state"], &of(&failed, "A")["step"]), (&json!("FAILED"), &json!("fresh")));
        customer(app, chief, "B", json!({ "stage": "PROSPECT" })).await;
        runs(app, chief, &id).await;
        let pause = "mutation ($id: ID!) { pauseWorkflow(id: $id) { userErrors { code } } }";
        change(app, chief, pause, json!({ "id": id })).await;
        let retry = "mutation ($id: ID!) { retryWorkflowRun(id: $id) { workflowRun { state } userErrors { code } } }";
        let again = change(app, chief, retry, json!({ "id": of(&failed, "A")["id"] })).await;
        assert_eq!(again["workflowRun"]["state"], "RUNNING");
        app.advance(TimeDelta::days(4));
        let still = runs(app, chief, &id).await;
        assert_eq!((&of(&still, "A")["state"], &of(&still, "B")["state"]), (&json!("RUNNING"), &json!("WAITING")));
        let input = json!({ "definition": welcome(app, chief).await });
        change(app, chief, UPDATE, json!({ "id": id, "input": input })).await;
        change(app, chief, PUBLISH_WORKFLOW, json!({ "id": id })).await;
        let gone_on = runs(app, chief, &id).await;
        assert!(gone_on.iter().all(|run| run["state"] == "FAILED"), "both come to the step that cannot be done: {gone_on:#?}");
    }

    /// A record without a customer has its day on the organisation's clock.
    async fn a_day_comes_for_records_without_a_customer(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Task",
            "trigger": { "date": { "field": "dueAt", "days": 0, "at": "09:00" } },
            "steps": [{ "key": "tell", "action": { "notify": { "text": "Today", "userId": me(app, chief).await } } }],
        });
        let id = published(app, chief, &definition).await;
        let due = app.clock.now() + TimeDelta::days(3);
        let create = "mutation ($input: CreateTaskInput!) { createTask(input: $input) { task { id } userErrors { message } } }";
        app.make_as(&token, "task", create, json!({ "input": { "title": "Order paper", "dueAt": due } })).await;
        let from = app.clock.now();
        let simulate = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
          forecast { runs effects } } }";
        let input = json!({ "from": from, "until": from + TimeDelta::days(9) });
        let seen = ask(app, chief, simulate, json!({ "id": id, "input": input })).await;
        assert_eq!(seen["simulateWorkflow"]["forecast"], json!({ "runs": 1, "effects": 1 }));
        app.advance(TimeDelta::days(4));
        tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
        assert_eq!(runs(app, chief, &id).await.len(), 1);
        assert_eq!(told(app).await, 1);
    }
}
