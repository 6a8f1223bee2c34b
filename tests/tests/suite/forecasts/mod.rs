//! Forecasts: what a workflow would do is what it does, and finding out does nothing.

mod kept;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use entity::access::Role;
use entity::id::{Id, UserId};
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{CREATE_WORKFLOW, customer, invoice, workflow};

const SIMULATE: &str = "query ($id: ID!, $input: SimulateWorkflowInput!) {
  simulateWorkflow(id: $id, input: $input) {
    forecast { runs more effects states { state runs } steps { step outcome times }
      hours { at effects } users { user { id } effects } sample { at recordId text user { id } } }
    userErrors { code field message } } }";

/// What would come of a workflow.
async fn forecast(app: &App, token: &str, id: &str, input: Value) -> Value {
    let variables = json!({ "id": id, "input": input });
    let reply = app.send_as(Some(token), SIMULATE, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    assert_eq!(reply.data["simulateWorkflow"]["userErrors"], json!([]));
    reply.data["simulateWorkflow"]["forecast"].clone()
}

/// For each table, all that is in it; the audit log is sealed meanwhile, and sessions are noted to be in use.
async fn everything(app: &App) -> BTreeMap<String, i64> {
    let reader = app.db.reader();
    let backend = reader.get_database_backend();
    let tables = match backend {
        DbBackend::Postgres => {
            "SELECT CAST(table_name AS text) AS t FROM information_schema.tables \
                                WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'"
        }
        _ => {
            "SELECT name AS t FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%search%'"
        }
    };
    let rows = reader.query_all_raw(Statement::from_string(backend, tables)).await.expect("tables");
    let mut found = BTreeMap::new();
    for row in rows {
        let table: String = row.try_get("", "t").expect("a name");
        if table.starts_with("audit") || table == "session" {
            continue;
        }
        let sql = match backend {
            DbBackend::Postgres => format!(
                "SELECT COALESCE(sum(('x' || substr(md5(CAST(t AS text)), 1, 10))::bit(40)::bigint), 0)::bigint + count(*) AS n FROM \"{table}\" AS t"
            ),
            _ => format!("SELECT count(*) AS n FROM \"{table}\""),
        };
        found.insert(table, app.number(&sql).await);
    }
    found
}

/// What users were told by workflows: whom, about what, and when.
async fn told(app: &App) -> Vec<(String, DateTime<Utc>)> {
    use entity::collaboration::notification::{Column, Entity, Kind};
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    let rows = Entity::find().filter(Column::Kind.eq(Kind::Workflow)).all(app.db.reader()).await;
    let mut told = rows
        .expect("notifications")
        .into_iter()
        .map(|row| {
            let subject = row.subject_id.expect("a record");
            (entity::id::InvoiceId(subject).global(), row.created_at)
        })
        .collect::<Vec<_>>();
    told.sort();
    told
}

/// Two days before an invoice is due, and, where it is still open, three days after it.
fn reminding(chief: UserId) -> Value {
    let chief = chief.global();
    json!({
        "record": "Invoice",
        "trigger": { "date": { "field": "dueOn", "days": -2, "at": "09:00" } },
        "condition": { "invoice": { "state": { "eq": "OPEN" } } },
        "steps": [
            { "key": "soon", "action": { "notify": { "text": "Due soon", "userId": chief } } },
            { "key": "wait", "action": { "wait": { "date": { "field": "dueOn", "days": 3, "at": "10:30" } } } },
            { "key": "some", "action": { "split": { "ways": [{ "to": "late", "weight": 1 }, { "to": "end", "weight": 1 }] } } },
            { "key": "late", "action": { "notify": { "text": "Not paid", "userId": chief } } },
            { "key": "end", "action": { "end": true } },
        ],
    })
}

on_both_stacks! {
    /// The forecast names each message, and when the clock is turned for real, those are the messages that come.
    async fn what_is_forecast_is_what_happens(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let customers = [customer(app, "Hà Nội", "vi", "EUR").await, customer(app, "Huế", "vi", "EUR").await];
        for number in 0..12 {
            invoice(app, &customers[number % 2], "100", "EUR").await;
        }
        app.drain().await;
        let from = app.clock.now();
        let id = workflow(app, &token, &reminding(chief)).await;
        let (until, before) = (from + TimeDelta::days(60), everything(app).await);
        let seen = forecast(app, &token, &id, json!({ "from": from, "until": until })).await;
        assert_eq!((&seen["runs"], &seen["states"]), (&json!(12), &json!([{ "state": "COMPLETED", "runs": 12 }])));
        assert_eq!(everything(app).await, before, "nothing was written");
        let late = seen["effects"].as_i64().expect("a number") - 12;
        assert!((1..12).contains(&late), "some of them go each way");
        assert_eq!(seen["users"], json!([{ "user": { "id": chief.global() }, "effects": 12 + late }]));

        let mut expected = seen["sample"].as_array().expect("a sample").iter().map(|effect| {
            let at = effect["at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
            (effect["recordId"].as_str().expect("an id").to_owned(), at.expect("an instant"))
        }).collect::<Vec<_>>();
        expected.sort();
        let hours = seen["hours"].as_array().expect("hours");
        assert_eq!(hours.iter().map(|hour| hour["effects"].as_i64().expect("a number")).sum::<i64>(), 12 + late);
        for hour in hours {
            let at: DateTime<Utc> = hour["at"].as_str().and_then(|at| at.parse().ok()).expect("an instant");
            let instants = expected.iter().map(|(_, instant)| *instant);
            let next = instants.filter(|instant| *instant >= at).min().expect("an instant");
            app.advance(next - app.clock.now());
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            app.drain().await;
        }
        assert_eq!(told(app).await, expected);
    }

    /// A draft is simulated before it is published, for records that somebody chooses.
    async fn a_draft_is_simulated_for_chosen_records(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        let chosen = customer(app, "A", "vi", "EUR").await;
        customer(app, "B", "vi", "EUR").await;
        let definition = json!({
            "record": "Customer", "trigger": { "event": { "kinds": ["customer.created"] } },
            "steps": [
                { "key": "note", "action": { "waitForEvent": { "kinds": ["note.created"], "within": "P2D" } } },
                { "key": "tell", "action": { "notify": { "text": "Hello" } } },
            ],
        });
        let input = json!({ "name": "Draft", "definition": definition });
        let made = app.make_as(&token, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
        let id = made["id"].as_str().expect("an id");
        let from = app.clock.now();
        let times = |days| json!({ "from": from, "until": from + TimeDelta::days(days) });
        let all = forecast(app, &token, id, times(3)).await;
        assert_eq!((&all["runs"], &all["effects"]), (&json!(2), &json!(0)));
        assert_eq!(all["steps"], json!([{ "step": "note", "outcome": "TURNED", "times": 2 }]));
        let mut input = times(1);
        input["recordIds"] = json!([chosen]);
        let one = forecast(app, &token, id, input).await;
        assert_eq!(one["states"], json!([{ "state": "WAITING", "runs": 1 }]));
        let refused = json!({ "id": id, "input": times(400) });
        let reply = app.send_as(Some(&token), SIMULATE, refused).await;
        assert_eq!(reply.data["simulateWorkflow"]["userErrors"][0]["field"], json!(["input", "until"]));
    }

    /// One workflow that cannot be carried out any more stands still and says why; the others go on.
    async fn a_workflow_whose_field_is_gone_stops_nobody(app: App) {
        let (_, token) = app.user(Role::Administrator.id()).await;
        let define = "mutation { createCustomField(input: { key: \"vip\", label: \"VIP\", type: BOOLEAN, purpose: \"Service\" }) {
          customField { id } userErrors { message } } }";
        let field = app.make_as(&token, "customField", define, json!({})).await;
        let end = json!([{ "key": "end", "action": { "end": true } }]);
        let trigger = json!({ "event": { "kinds": ["customer.created"] } });
        let vip = json!({ "customer": { "customFields": [{ "field": "vip", "eq": true }] } });
        let broken = json!({ "record": "Customer", "trigger": trigger, "condition": vip, "steps": end });
        let broken = workflow(app, &token, &broken).await;
        let good = workflow(app, &token, &json!({ "record": "Customer", "trigger": trigger, "steps": end })).await;
        let archive = "mutation ($id: ID!) { archiveCustomField(id: $id) { customField { id } userErrors { message } } }";
        app.make_as(&token, "customField", archive, json!({ "id": field["id"] })).await;
        customer(app, "A", "vi", "EUR").await;
        app.drain().await;
        let query = "query ($id: ID!) { workflow(id: $id) { state problem runs { totalCount } } }";
        let seen = async |id: &str| app.send_as(Some(&token), query, json!({ "id": id })).await.data["workflow"].clone();
        let stopped = seen(&broken).await;
        assert_eq!(stopped["state"], "PAUSED");
        assert!(stopped["problem"].as_str().is_some_and(|problem| problem.contains("vip")), "{stopped}");
        assert_eq!(seen(&good).await, json!({ "state": "ACTIVE", "problem": null, "runs": { "totalCount": 1 } }));
    }
}
