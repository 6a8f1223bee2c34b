//! Steps that plan something for somebody to do: calls and appointments.

use entity::access::Role;
use entity::id::{Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::for_new_customers;
use crate::given::{COMPLETE_CALL, CREATE_CALL, CREATE_WORKFLOW, PUBLISH_WORKFLOW};
use crate::workflows::{ask, change, customer, published, runs, steps};

const CALLS: &str = "{ calls(orderBy: [{ field: CREATED_AT }]) { nodes {
  subject purpose direction priority state attempt plannedAt plannedMin needs say avoid offer createdBy { name }
  assignee { id } customer { displayName } contact { name } reminders { dueAt user { id } } } } }";

const APPOINTMENTS: &str = "{ appointments { nodes {
  subject description location state startsAt endsAt timeZone allDay createdBy { name } organizer { id }
  customer { displayName } attendees { response user { id } } reminders { dueAt user { id } } } } }";

/// Why the first step of the first run was not done.
async fn skipped(app: &App, chief: UserId, id: &str) -> Vec<String> {
    let runs = runs(app, chief, id).await;
    let details = runs.iter().map(|run| run["steps"]["nodes"][0]["detail"].as_str());
    details.map(|detail| detail.unwrap_or("done").to_owned()).collect()
}

/// Says that somebody does not want to be called, in a call to the customer or to one of its people.
async fn refuse(app: &App, chief: UserId, customer: &str, contact: &Value) {
    let call = json!({ "subject": "Hello", "purpose": "SALES", "plannedAt": app.clock.now(), "contactId": contact });
    let made =
        change(app, chief, CREATE_CALL, json!({ "customer": customer, "input": call })).await;
    let ended = json!({ "id": made["call"]["id"], "input": { "outcome": "DO_NOT_CALL" } });
    assert_eq!(change(app, chief, COMPLETE_CALL, ended).await["userErrors"], json!([]));
}

on_both_stacks! {
    /// It is theirs who looks after the customer, at a time on the customer's clock at which there are calls.
    async fn a_step_plans_a_call(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "first", "action": { "createCall": {
                "subject": "Gọi cho khách", "purpose": "SALES", "priority": "HIGH", "plannedMin": 30, "reminders": ["PT15M"],
                "needs": "Vay mua nhà", "say": "Lãi suất mới", "avoid": "Giá cũ", "offer": "Giảm phí",
                "planned": { "on": { "days": 2, "at": "18:00" } } } } },
            { "key": "second", "action": { "createCall": {
                "subject": "Again", "assigneeId": chief.global(), "planned": { "after": "P1D" } } } },
        ]))).await;
        customer(app, chief, "Anne", json!({ "ownerId": seller.global(), "timeZone": "Europe/Paris" })).await;
        let done = runs(app, chief, &id).await;
        assert_eq!(steps(&done[0]), [("first", "DONE"), ("second", "DONE")]);
        let calls = ask(app, chief, CALLS, json!({})).await;
        let anne = json!({ "displayName": "Anne" });
        // Thursday at 18:00 is too late for a call in Paris, and Wednesday at 3:00 too early.
        assert_eq!(calls["calls"]["nodes"], json!([
            { "subject": "Gọi cho khách", "purpose": "SALES", "direction": "OUTBOUND", "priority": "HIGH", "state": "PLANNED",
              "attempt": 1, "plannedAt": "2026-11-06T07:00:00+00:00", "plannedMin": 30, "needs": "Vay mua nhà",
              "say": "Lãi suất mới", "avoid": "Giá cũ", "offer": "Giảm phí", "createdBy": null, "assignee": { "id": seller.global() },
              "customer": anne, "contact": null,
              "reminders": [{ "dueAt": "2026-11-06T06:45:00+00:00", "user": { "id": seller.global() } }] },
            { "subject": "Again", "purpose": "FOLLOW_UP", "direction": "OUTBOUND", "priority": "NORMAL", "state": "PLANNED",
              "attempt": 1, "plannedAt": "2026-11-04T07:00:00+00:00", "plannedMin": 15, "needs": null, "say": null, "avoid": null,
              "offer": null, "createdBy": null, "assignee": { "id": chief.global() }, "customer": anne, "contact": null,
              "reminders": [] },
        ]));
        let noted = "SELECT count(*) AS n FROM event WHERE kind = 'call.created' AND depth = 1 AND workflow_id IS NOT NULL";
        assert_eq!(app.number(noted).await, 2);
    }

    /// Who does not want to be called is not called by workflows either; the others of a company still are.
    async fn no_step_plans_a_call_to_who_refused(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &json!({
            "record": "Customer", "trigger": { "event": { "kinds": ["customer.updated"] } }, "reentry": "ALWAYS",
            "steps": [{ "key": "call", "action": { "createCall": { "subject": "Call", "planned": { "after": "PT1H" } } } }],
        })).await;
        let company = customer(app, chief, "Ánh Dương", json!({ "kind": "ORGANISATION", "contacts": [{ "name": "Hoa" }] })).await;
        let query = "query ($id: ID!) { customer(id: $id) { contacts { id } } }";
        let hoa = ask(app, chief, query, json!({ "id": company })).await["customer"]["contacts"][0]["id"].clone();
        let update = "mutation ($id: ID!, $name: String!) { updateCustomer(id: $id, input: { displayName: $name }) { userErrors { code } } }";
        refuse(app, chief, &company, &hoa).await;
        change(app, chief, update, json!({ "id": company, "name": "One" })).await;
        assert_eq!(skipped(app, chief, &id).await, ["done"]);
        refuse(app, chief, &company, &Value::Null).await;
        change(app, chief, update, json!({ "id": company, "name": "Two" })).await;
        let mut outcomes = skipped(app, chief, &id).await;
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["done", "they do not want to be called"]);
    }

    /// What follows on a call is a call to the same person.
    async fn a_step_of_a_call_calls_the_same_person(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let id = published(app, chief, &json!({
            "record": "Call", "trigger": { "event": { "kinds": ["call.completed"] } },
            "steps": [{ "key": "call", "action": { "createCall": { "subject": "Next", "planned": { "on": { "days": 7, "at": "09:30" } } } } }],
        })).await;
        let company = customer(app, chief, "Ánh Dương", json!({
            "kind": "ORGANISATION", "timeZone": "Asia/Ho_Chi_Minh", "contacts": [{ "name": "Hoa" }] })).await;
        let query = "query ($id: ID!) { customer(id: $id) { contacts { id } } }";
        let hoa = ask(app, chief, query, json!({ "id": company })).await["customer"]["contacts"][0]["id"].clone();
        let call = json!({ "subject": "Hello", "purpose": "SALES", "plannedAt": app.clock.now(), "contactId": hoa });
        let made = change(app, chief, CREATE_CALL, json!({ "customer": company, "input": call })).await;
        let ended = json!({ "id": made["call"]["id"], "input": { "outcome": "ANSWERED" } });
        change(app, chief, COMPLETE_CALL, ended).await;
        assert_eq!(steps(&runs(app, chief, &id).await[0]), [("call", "DONE")]);
        let calls = ask(app, chief, CALLS, json!({})).await["calls"]["nodes"].clone();
        let next = calls.as_array().expect("calls").iter().find(|call| call["subject"] == "Next").expect("a call");
        assert_eq!((&next["contact"]["name"], &next["plannedAt"]), (&json!("Hoa"), &json!("2026-11-10T02:30:00+00:00")));
    }

    /// Who looks after the customer invites to it and takes part; where nobody does, there is none.
    async fn a_step_makes_an_appointment(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let (seller, _) = app.user(Role::Sales.id()).await;
        let id = published(app, chief, &for_new_customers(&json!([
            { "key": "meet", "action": { "createAppointment": {
                "subject": "Gặp khách", "description": "Làm quen", "location": "12 Nguyễn Huệ", "durationMin": 90,
                "reminders": ["P1D", "PT1H"], "planned": { "on": { "days": 3, "at": "14:00" } } } } },
        ]))).await;
        customer(app, chief, "Lan", json!({ "ownerId": seller.global(), "timeZone": "Asia/Ho_Chi_Minh" })).await;
        customer(app, chief, "Minh", json!({})).await;
        let mut outcomes = skipped(app, chief, &id).await;
        outcomes.sort_unstable();
        assert_eq!(outcomes, ["done", "nobody looks after the customer"]);
        let seller = json!({ "id": seller.global() });
        let made = ask(app, chief, APPOINTMENTS, json!({})).await;
        assert_eq!(made["appointments"]["nodes"], json!([
            { "subject": "Gặp khách", "description": "Làm quen", "location": "12 Nguyễn Huệ", "state": "PLANNED",
              "startsAt": "2026-11-06T07:00:00+00:00", "endsAt": "2026-11-06T08:30:00+00:00", "timeZone": "Asia/Ho_Chi_Minh",
              "allDay": false, "createdBy": null, "organizer": seller, "customer": { "displayName": "Lan" },
              "attendees": [{ "response": "ACCEPTED", "user": seller }],
              "reminders": [{ "dueAt": "2026-11-06T06:00:00+00:00", "user": seller }, { "dueAt": "2026-11-05T07:00:00+00:00", "user": seller }] },
        ]));
    }

    /// What cannot be planned cannot be published, and the refusal says where it is.
    async fn what_a_step_plans_is_checked(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let definition = for_new_customers(&json!([
            { "key": "call", "action": { "createCall": {
                "subject": " ", "plannedMin": 0, "assigneeId": "usr_x", "planned": { "on": { "days": 9000, "at": "09:00" } } } } },
            { "key": "meet", "action": { "createAppointment": {
                "subject": "Meet", "durationMin": 0, "reminders": ["P400D"], "planned": { "after": "PT1H" } } } },
        ]));
        let draft = json!({ "input": { "name": "Plan", "definition": definition } });
        let id = change(app, chief, CREATE_WORKFLOW, draft).await["workflow"]["id"].clone();
        let made = change(app, chief, PUBLISH_WORKFLOW, json!({ "id": id })).await;
        let refused = made["userErrors"].as_array().expect("refusals").iter();
        let refused = refused.map(|one| {
            let path = one["field"].as_array().expect("a path");
            path.iter().skip(1).map(|part| part.as_str().expect("text")).collect::<Vec<_>>().join(".")
        });
        let mut refused = refused.collect::<Vec<_>>();
        refused.sort_unstable();
        assert_eq!(refused, [
            "steps.0.assigneeId", "steps.0.planned", "steps.0.plannedMin", "steps.0.subject",
            "steps.1.before", "steps.1.durationMin",
        ]);
    }
}
