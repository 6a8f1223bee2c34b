//! Workflows that Rapport brings along: what they do once a manager has copied and published them as they are.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::access::scopes::{CREATE_POSITION, UPDATE_USER};
use crate::given::{
    COMPLETE_CALL, CREATE_APPOINTMENT, CREATE_CALL, PUBLISH_WORKFLOW, document, mails,
};
use crate::workflows::{ask, change, customer, runs, steps};

const SIMULATE: &str =
    "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
  forecast { runs sent effects sample { at text } } userErrors { code field message } } }";

/// Copies what is brought along under a key, and publishes it; gives the id of the copy.
async fn copied(app: &App, chief: UserId, key: &str) -> String {
    let query =
        "query ($key: String!) { workflows(filter: { preset: { eq: $key } }) { nodes { id } } }";
    let preset = ask(app, chief, query, json!({ "key": key })).await;
    let copy = "mutation ($id: ID!) { copyWorkflow(id: $id, name: \"Ours\") { workflow { id } userErrors { code } } }";
    let made =
        change(app, chief, copy, json!({ "id": preset["workflows"]["nodes"][0]["id"] })).await;
    let id = made["workflow"]["id"].as_str().expect("an id").to_owned();
    let published = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": id })).await;
    assert_eq!(published["userErrors"], json!([]));
    id
}

/// What would come of a workflow within some days.
async fn forecast(app: &App, chief: UserId, id: &str, days: i64) -> Value {
    let now = app.clock.now();
    let input = json!({ "from": now, "until": now + TimeDelta::days(days) });
    let data = ask(app, chief, SIMULATE, json!({ "id": id, "input": input })).await;
    assert_eq!(data["simulateWorkflow"]["userErrors"], json!([]));
    data["simulateWorkflow"]["forecast"].clone()
}

/// Turns the clock, and lets what is due then be done.
async fn come(app: &App, by: TimeDelta) {
    app.advance(by);
    // Workers look at their own pace whether a time has come.
    tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
    app.drain().await;
}

on_both_stacks! {
    /// Customers are reminded in their language, with the time on their clock, the day before; not of what was called off.
    async fn customers_are_reminded_of_appointments(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = copied(app, chief, "appointment-soon").await;
        let people = [("Lan", "vi", "Asia/Ho_Chi_Minh"), ("Anne", "en", "Europe/Paris"), ("Minh", "vi", "Asia/Ho_Chi_Minh")];
        let mut made = Vec::new();
        for (name, language, zone) in people {
            let fields = json!({ "language": language, "timeZone": zone, "email": format!("{name}@example.com") });
            let customer = customer(app, chief, name, fields).await;
            let input = json!({
                "subject": "Tư vấn", "customerId": customer, "location": if name == "Lan" { json!("12 Nguyễn Huệ") } else { Value::Null },
                "when": { "at": { "startsAt": "2026-11-05T07:00:00Z", "durationMin": 60 } },
            });
            made.push(change(app, chief, CREATE_APPOINTMENT, json!({ "input": input })).await["appointment"]["id"].clone());
        }
        let cancel = "mutation ($id: ID!) { cancelAppointment(id: $id) { userErrors { code } } }";
        assert_eq!(change(app, chief, cancel, json!({ "id": made[2] })).await["userErrors"], json!([]));
        app.drain().await;
        let seen = forecast(app, chief, &id, 3).await;
        assert_eq!((&seen["runs"], &seen["sent"]), (&json!(2), &json!(2)));
        assert!(mails(app).is_empty(), "it is not the day before yet");
        come(app, TimeDelta::days(1)).await;
        come(app, TimeDelta::hours(7)).await;
        let mut sent = mails(app);
        sent.sort();
        let subjects = sent.iter().map(|(subject, _)| subject.as_str()).collect::<Vec<_>>();
        assert_eq!(subjects, ["Nhắc lịch hẹn: Tư vấn", "Your appointment: Tư vấn"]);
        assert!(sent[0].1.contains("05/11/2026 14:00, tại 12 Nguyễn Huệ."), "{}", sent[0].1);
        assert!(sent[1].1.contains("08:00. If you cannot come"), "{}", sent[1].1);
    }

    /// When the cadence has given up there is a call two weeks later, and one on the day after a promise.
    async fn there_is_a_next_call(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let id = copied(app, chief, "next-call").await;
        let fields = json!({ "ownerId": seller.global(), "timeZone": "Asia/Ho_Chi_Minh" });
        let lan = customer(app, chief, "Lan", fields).await;
        let call = json!({ "subject": "Hello", "purpose": "SALES", "plannedAt": app.clock.now() });
        let plan = async || change(app, chief, CREATE_CALL, json!({ "customer": lan, "input": call })).await["call"]["id"].clone();
        let complete = async |id: &Value, ended: Value| {
            let made = change(app, chief, COMPLETE_CALL, json!({ "id": id, "input": ended })).await;
            assert_eq!(made["userErrors"], json!([]));
            made["call"]["nextCall"]["id"].clone()
        };
        let again = complete(&plan().await, json!({ "outcome": "VOICEMAIL" })).await;
        complete(&plan().await, json!({ "outcome": "ANSWERED" })).await;
        assert!(runs(app, chief, &id).await.is_empty(), "the cadence has planned a call, and who was reached needs none");
        assert_eq!(complete(&again, json!({ "outcome": "VOICEMAIL" })).await, Value::Null);
        complete(&plan().await, json!({ "outcome": "PROMISE_TO_PAY", "promisedOn": "2026-11-05" })).await;
        assert_eq!(runs(app, chief, &id).await.len(), 2);
        let seen = forecast(app, chief, &id, 5).await;
        assert_eq!((&seen["runs"], &seen["effects"]), (&json!(2), &json!(2)), "{seen}");
        come(app, TimeDelta::days(3)).await;
        let done = runs(app, chief, &id).await;
        assert!(done.iter().all(|run| run["state"] == "COMPLETED"), "{done:#?}");
        assert!(done.iter().any(|run| steps(run).contains(&("pay", "DONE"))), "{done:#?}");
        let query = "{ calls(filter: { state: { eq: PLANNED } }, orderBy: [{ field: PLANNED_AT }]) {
          nodes { subject purpose plannedAt assignee { id } } } }";
        let planned = ask(app, chief, query, json!({})).await["calls"]["nodes"].clone();
        let seller = json!({ "id": seller.global() });
        assert_eq!(planned, json!([
            { "subject": "Has it been paid?", "purpose": "COLLECTION", "plannedAt": "2026-11-06T02:00:00+00:00", "assignee": seller },
            { "subject": "Not reached before", "purpose": "FOLLOW_UP", "plannedAt": "2026-11-17T02:00:00+00:00", "assignee": seller },
        ]));
    }

    /// Who looks after the customer is told a month before a contract ends, and has something to do; a week before, their
    /// lead, unless it was renewed meanwhile.
    async fn a_contract_is_renewed_before_it_ends(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        copied(app, chief, "contract-renewal").await;
        let mut line = Vec::new();
        let mut above = Value::Null;
        for title in ["Trưởng nhóm", "Nhân viên"] {
            let input = json!({ "title": title, "reportsToId": above });
            above = change(app, chief, CREATE_POSITION, json!({ "input": input })).await["position"]["id"].clone();
            let (user, _) = app.user(Role::Sales.id()).await;
            let place = json!({ "id": user.global(), "input": { "positionId": above } });
            assert_eq!(change(app, chief, UPDATE_USER, place).await["userErrors"], json!([]));
            line.push(user);
        }
        let [lead, seller] = <[_; 2]>::try_from(line).expect("two");
        let until = "mutation ($id: ID!, $day: Date) { updateDocument(id: $id, input: { validUntil: $day }) {
          document { validUntil } userErrors { code } } }";
        let mut contracts = Vec::new();
        for name in ["Lan", "Minh"] {
            let customer = customer(app, chief, name, json!({ "ownerId": seller.global() })).await;
            let document = document(app, &json!(customer), "contract.txt", b"Contract").await;
            let set = change(app, chief, until, json!({ "id": document["documentId"], "day": "2026-12-10" })).await;
            assert_eq!(set["document"]["validUntil"], "2026-12-10");
            contracts.push(document["documentId"].clone());
        }
        let told = async |user| {
            let query = "{ notifications(filter: { kind: { eq: WORKFLOW } }) { nodes { text subjectId } } }";
            let told = ask(app, user, query, json!({})).await["notifications"]["nodes"].clone();
            told.as_array().expect("notifications").clone()
        };
        // The tenth of November at nine, thirty days before.
        come(app, TimeDelta::days(7)).await;
        assert_eq!(told(seller).await.len(), 2);
        let query = "{ tasks { nodes { title assignee { id } customer { displayName } } } }";
        let tasks = ask(app, chief, query, json!({})).await["tasks"]["nodes"].clone();
        assert_eq!(tasks.as_array().map(Vec::len), Some(2));
        assert_eq!(tasks[0]["assignee"]["id"], seller.global());
        let renewed = change(app, chief, until, json!({ "id": contracts[0], "day": "2027-12-10" })).await;
        assert_eq!(renewed["userErrors"], json!([]));
        come(app, TimeDelta::days(23)).await;
        let lead = told(lead).await;
        assert_eq!(lead.len(), 1, "{lead:#?}");
        assert_eq!(lead[0]["subjectId"], contracts[1]);
    }

    /// Who has forgotten a call is told, a day later who is above, then who is above them, past a position that nobody
    /// holds; until somebody touches it.
    async fn a_forgotten_call_is_told_of_further_and_further_up(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        copied(app, chief, "forgotten-call").await;
        let mut above = Value::Null;
        let mut line = Vec::new();
        for title in ["Giám đốc", "Vacant", "Trưởng nhóm", "Nhân viên"] {
            let input = json!({ "title": title, "reportsToId": above });
            above = change(app, chief, CREATE_POSITION, json!({ "input": input })).await["position"]["id"].clone();
            if title != "Vacant" {
                let (user, _) = app.user(Role::Sales.id()).await;
                let place = json!({ "id": user.global(), "input": { "positionId": above } });
                assert_eq!(change(app, chief, UPDATE_USER, place).await["userErrors"], json!([]));
                line.push(user);
            }
        }
        let [manager, lead, seller] = <[_; 3]>::try_from(line).expect("three");
        let lan = customer(app, chief, "Lan", json!({ "ownerId": seller.global() })).await;
        let plan = async |assignee: Option<UserId>| {
            let call = json!({
                "subject": "Hello", "purpose": "SALES", "plannedAt": app.clock.now() + TimeDelta::minutes(5),
                "assigneeId": assignee.map(Id::global),
            });
            change(app, chief, CREATE_CALL, json!({ "customer": lan, "input": call })).await["call"]["id"].clone()
        };
        let forgotten = plan(Some(seller)).await;
        let all_told = async |user| {
            let query = "{ notifications(filter: { kind: { eq: WORKFLOW } }) { nodes { text subjectId } } }";
            let told = ask(app, user, query, json!({})).await["notifications"]["nodes"].clone();
            told.as_array().expect("notifications").clone()
        };
        let told = async |user| all_told(user).await.iter().filter(|one| one["subjectId"] == forgotten).count();
        let all = async || [told(seller).await, told(lead).await, told(manager).await];
        app.drain().await;
        assert_eq!(all().await, [0, 0, 0]);
        come(app, TimeDelta::hours(3)).await;
        assert_eq!(all().await, [1, 0, 0]);
        come(app, TimeDelta::days(1)).await;
        assert_eq!(all().await, [1, 1, 0]);
        let day = TimeDelta::days(1);
        let absence = json!({
            "userId": manager.global(), "deputyId": chief.global(), "startsAt": app.clock.now() - day, "endsAt": app.clock.now() + day * 9,
        });
        let away = "mutation ($input: CreateAbsenceInput!) { createAbsence(input: $input) { userErrors { code } } }";
        assert_eq!(change(app, chief, away, json!({ "input": absence })).await["userErrors"], json!([]));
        come(app, day * 2).await;
        assert_eq!(all().await, [1, 1, 1]);
        assert_eq!(told(chief).await, 1, "who stands in for the manager is told, too");

        let touched = plan(Some(seller)).await;
        come(app, TimeDelta::hours(3)).await;
        let update = "mutation ($id: ID!) { updateCall(id: $id, input: { priority: HIGH }) { userErrors { code } } }";
        assert_eq!(change(app, chief, update, json!({ "id": touched })).await["userErrors"], json!([]));
        app.drain().await;
        come(app, day * 4).await;
        assert_eq!(all().await, [1, 1, 1]);
        assert_eq!(all_told(lead).await.len(), 1, "of what was touched the lead hears nothing");
    }

    /// A step tells a user, or somebody who has to do with the record; not both, and nobody where there is nobody.
    async fn a_step_tells_whom_it_says(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = |notify: Value| json!({
            "record": "Customer",
            "trigger": { "event": { "kinds": ["customer.created"] } },
            "steps": [{ "key": "tell", "action": { "notify": notify } }],
        });
        let create = "mutation ($input: CreateWorkflowInput!) { createWorkflow(input: $input) { workflow { id } userErrors { code field message } } }";
        let draft = async |notify| {
            let input = json!({ "name": "Tell", "definition": definition(notify) });
            change(app, chief, create, json!({ "input": input })).await
        };
        let both = draft(json!({ "text": "Hello", "to": "LEAD", "userId": chief.global() })).await;
        let id = json!({ "id": both["workflow"]["id"] });
        let refused = change(app, chief, PUBLISH_WORKFLOW, id).await["userErrors"][0].clone();
        assert_eq!(refused["code"], "INVALID");
        assert_eq!(refused["message"], "name a user, or say to whom, not both");
        let lead = draft(json!({ "text": "Hello", "to": "LEAD" })).await["workflow"]["id"].clone();
        assert_eq!(change(app, chief, PUBLISH_WORKFLOW, json!({ "id": lead })).await["userErrors"], json!([]));
        customer(app, chief, "Lan", json!({})).await;
        app.drain().await;
        let done = runs(app, chief, lead.as_str().expect("an id")).await;
        assert_eq!(done[0]["steps"]["nodes"][0]["detail"], "nobody is above who has to do it");
    }
}
