//! Statements that schedules send: of the last month that is over, once each, whatever happens meanwhile.

use chrono::TimeDelta;
use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::owed;
use crate::given::{
    CREATE_WORKFLOW, PUBLISH_WORKFLOW, RECORD_PAYMENT, customer, mails, payment, workflow,
};

/// A workflow that sends everybody statements early on the first of each month.
fn monthly(rules: &Value) -> Value {
    let mut statement = json!({ "kind": "BALANCE_FORWARD", "period": "MONTH" });
    for (name, value) in rules.as_object().expect("rules") {
        statement[name] = value.clone();
    }
    json!({
        "record": "Customer", "trigger": { "schedule": { "cron": "0 6 1 * *" } }, "reentry": "ALWAYS",
        "steps": [{ "key": "statement", "action": { "sendStatement": statement } }],
    })
}

/// Turns the clock, and lets what is due then be done.
async fn come(app: &App, by: TimeDelta) {
    app.advance(by);
    // Workers look at their own pace whether a time has come.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    app.drain().await;
}

/// The statements that there are: their days and balances.
async fn made(app: &App, token: &str) -> Vec<String> {
    let query = "{ statements(orderBy: [{ field: UNTIL_ON }]) { nodes { fromOn untilOn opening { amount } closing { amount } } } }";
    let found = app.send_as(Some(token), query, json!({})).await;
    let nodes = found.data["statements"]["nodes"].as_array().expect("statements").clone();
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let line = |one: &Value| {
        [&one["fromOn"], &one["untilOn"], &one["opening"]["amount"], &one["closing"]["amount"]]
            .map(text)
            .join(" ")
    };
    nodes.iter().map(line).collect()
}

on_both_stacks! {
    async fn a_month_is_told_once_though_the_schedule_is_changed_and_workers_die(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let lan = customer(app, "Lan", "en", "EUR").await;
        owed(app, &lan, ("100.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let id = workflow(app, &administrator, &monthly(&json!({}))).await;
        // It is changed before it comes, and workers die when it does.
        let update = "mutation ($id: ID!, $definition: WorkflowDefinitionInput!) {
          updateWorkflowDraft(id: $id, input: { definition: $definition }) { workflow { id } userErrors { code } } }";
        let changed = json!({ "id": id, "definition": monthly(&json!({ "skipWhenZero": false })) });
        app.make_as(&administrator, "workflow", update, changed).await;
        app.make_as(&administrator, "workflow", PUBLISH_WORKFLOW, json!({ "id": id })).await;
        app.kill_workers().await;
        // It is 09:00 on 3 November in Vietnam; 1 December, 07:00, is 27 days and 22 hours away.
        app.advance(TimeDelta::days(27) + TimeDelta::hours(22));
        app.start_workers();
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        app.kill_workers().await;
        app.start_workers();
        come(app, TimeDelta::minutes(2)).await;
        come(app, TimeDelta::minutes(2)).await;
        let administrator = app.token_of(Role::Administrator).await;
        assert_eq!(made(app, &administrator).await, ["2026-11-01 2026-11-30 100.00 100.00"]);
        let subjects: Vec<_> = mails(app).into_iter().map(|(subject, _)| subject).collect();
        assert_eq!(subjects, ["Statement of account 1 November 2026 – 30 November 2026: €100.00"]);
        // The next one begins where it ended.
        come(app, TimeDelta::days(31)).await;
        let administrator = app.token_of(Role::Administrator).await;
        assert_eq!(made(app, &administrator).await, [
            "2026-11-01 2026-11-30 100.00 100.00", "2026-12-01 2026-12-31 100.00 100.00",
        ]);
        assert_eq!(app.mailbox.mails().len(), 2);
    }

    async fn rules_leave_statements_out(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let owing = customer(app, "Owing", "en", "EUR").await;
        owed(app, &owing, ("100.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let settled = customer(app, "Settled", "en", "EUR").await;
        owed(app, &settled, ("10.00", "EUR"), ("2026-09-05", "2026-10-05")).await;
        let mut request = payment(&settled, "10", "EUR", "k");
        request["input"]["receivedOn"] = json!("2026-09-10");
        app.make("payment", RECORD_PAYMENT, request).await;
        let small = customer(app, "Small", "en", "EUR").await;
        owed(app, &small, ("2.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let early = customer(app, "Early", "en", "EUR").await;
        owed(app, &early, ("500.00", "EUR"), ("2026-11-02", "2026-12-20")).await;
        app.drain().await;
        let rules = json!({ "minimum": [{ "amount": "5", "currency": "EUR" }], "onlyWhenOverdue": true });
        workflow(app, &administrator, &monthly(&rules)).await;
        come(app, TimeDelta::days(27) + TimeDelta::hours(22)).await;
        let administrator = app.token_of(Role::Administrator).await;
        assert_eq!(made(app, &administrator).await, ["2026-11-01 2026-11-30 100.00 100.00"]);
    }

    async fn a_forecast_tells_what_would_be_sent_and_writes_nothing(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let lan = customer(app, "Lan", "en", "EUR").await;
        owed(app, &lan, ("100.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let id = workflow(app, &administrator, &monthly(&json!({}))).await;
        let query = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
          forecast { runs sent messages { subject text } } userErrors { code field message } } }";
        let now = app.clock.now();
        let input = json!({ "from": now, "until": now + TimeDelta::days(40) });
        let told = app.send_as(Some(&administrator), query, json!({ "id": id, "input": input })).await;
        assert_eq!(told.errors, Vec::<Value>::new());
        let forecast = told.data["simulateWorkflow"]["forecast"].clone();
        assert_eq!((&forecast["runs"], &forecast["sent"]), (&json!(1), &json!(1)), "{forecast}");
        let subject = "Statement of account 1 November 2026 – 30 November 2026: €100.00";
        assert_eq!(forecast["messages"][0]["subject"], subject, "{forecast}");
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM statement").await, 0);
    }

    async fn only_workflows_about_customers_send_statements(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let created = async |definition: &Value| {
            let input = json!({ "input": { "name": "Monthly", "definition": definition } });
            app.send_as(Some(&administrator), CREATE_WORKFLOW, input).await.data["createWorkflow"].clone()
        };
        let tenths = monthly(&json!({ "minimum": [{ "amount": "0.001", "currency": "EUR" }] }));
        assert_eq!(created(&tenths).await["userErrors"][0]["code"], "INVALID");
        let mut definition = monthly(&json!({}));
        definition["record"] = json!("Invoice");
        let made = created(&definition).await;
        let publish = json!({ "id": made["workflow"]["id"] });
        let refused = app.send_as(Some(&administrator), PUBLISH_WORKFLOW, publish).await;
        let errors = refused.data["publishWorkflow"]["userErrors"].clone();
        assert!(errors.to_string().contains("statements are sent to customers"), "{errors}");
    }
}
