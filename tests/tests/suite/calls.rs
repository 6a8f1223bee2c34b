//! Calls: whom somebody has to call, what came of it, and when it is tried again.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::{CallId, Id, UserId};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{self, COMPLETE_CALL, CREATE_CALL};

const UPDATE: &str = "mutation ($id: ID!, $input: UpdateCallInput!, $version: Int) {
  updateCall(id: $id, input: $input, expectedVersion: $version) {
    call { version subject plannedAt say contact { name } } userErrors { code field } } }";

/// A mutation that takes an id alone.
fn by_id(field: &str) -> String {
    format!(
        "mutation ($id: ID!, $version: Int) {{ {field}(id: $id, expectedVersion: $version) {{
  call {{ version state dialledUntil caller {{ name }} deletedAt }} userErrors {{ code field }} }} }}"
    )
}

/// Sends a mutation; gives its payload.
async fn change_as(app: &App, token: &str, query: &str, variables: Value) -> Value {
    let reply = app.send_as(Some(token), query, variables).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let payload = reply.data.as_object().and_then(|data| data.values().next()).cloned();
    payload.expect("a payload")
}

async fn change_by(app: &App, user: UserId, query: &str, variables: Value) -> Value {
    change_as(app, &app.token_for(user).await, query, variables).await
}

async fn change(app: &App, query: &str, variables: Value) -> Value {
    change_as(app, &app.token(), query, variables).await
}

/// A call to a customer, planned in an hour, with these fields; gives its id.
async fn call(app: &App, customer: &str, subject: &str, fields: Value) -> Value {
    let mut input = fields;
    input["subject"] = json!(subject);
    if input["plannedAt"].is_null() {
        input["plannedAt"] = json!(app.clock.now() + TimeDelta::hours(1));
    }
    if input["purpose"].is_null() {
        input["purpose"] = json!("SALES");
    }
    let made = change(app, CREATE_CALL, json!({ "customer": customer, "input": input })).await;
    assert_eq!(made["userErrors"], json!([]));
    made["call"]["id"].clone()
}

/// Says what came of a call; gives the payload.
async fn complete(app: &App, id: &Value, outcome: Value) -> Value {
    change(app, COMPLETE_CALL, json!({ "id": id, "input": outcome })).await
}

/// The subjects of the calls that a filter finds, in the order in which they are to be made.
async fn found_as(app: &App, token: &str, filter: Value) -> Vec<String> {
    let query = "query ($filter: CallFilter) {
      calls(filter: $filter, orderBy: [{ field: PLANNED_AT }]) { nodes { subject } } }";
    let reply = app.send_as(Some(token), query, json!({ "filter": filter })).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let nodes = reply.data["calls"]["nodes"].as_array().expect("nodes").clone();
    nodes.iter().map(|node| node["subject"].as_str().expect("a subject").to_owned()).collect()
}

async fn found(app: &App, filter: Value) -> Vec<String> {
    found_as(app, &app.token(), filter).await
}

/// How many events of this kind there were.
async fn events(app: &App, kind: &str) -> i64 {
    app.number(&format!("SELECT count(*) AS n FROM event WHERE kind = '{kind}'")).await
}

/// A company with two people there; gives its id and theirs.
async fn company(app: &App) -> (String, Value, Value) {
    let input = json!({
        "kind": "ORGANISATION", "displayName": "Ánh Dương", "currency": "VND", "timeZone": "Asia/Ho_Chi_Minh",
        "contacts": [{ "name": "Hoa" }, { "name": "Lan" }],
    });
    let made = app.make("customer", given::CREATE_CUSTOMER, json!({ "input": input })).await;
    let query = "query ($id: ID!) { customer(id: $id) { contacts { id name } } }";
    let data = app.ask(query, json!({ "id": made["id"] })).await;
    let contacts = data["customer"]["contacts"].as_array().expect("contacts");
    let of = |name| contacts.iter().find(|one| one["name"] == name).expect("them")["id"].clone();
    (made["id"].as_str().expect("an id").to_owned(), of("Hoa"), of("Lan"))
}

/// Somebody who reaches their own records alone.
async fn seller(app: &App) -> (UserId, String) {
    let own = [
        ("READ_CUSTOMERS", "OWN"),
        ("WRITE_CUSTOMERS", "OWN"),
        ("READ_CALLS", "OWN"),
        ("WRITE_CALLS", "OWN"),
    ];
    app.user(given::role(app, &own).await).await
}

/// When the call after this one is planned, and which one it is.
fn next(payload: &Value) -> (&str, i64) {
    let next = &payload["call"]["nextCall"];
    (next["plannedAt"].as_str().expect("a next call"), next["attempt"].as_i64().expect("a number"))
}

on_both_stacks! {
    /// Its fields are stored as they are meant; a repeated request adds nothing.
    async fn a_call_is_planned_and_found(app: App) {
        let (customer, hoa, _) = company(app).await;
        let (user, _) = app.user(Role::Sales.id()).await;
        let input = json!({
            "subject": " Báo  giá cà phê ", "purpose": "SALES", "plannedAt": "2026-11-04T03:00:00Z", "plannedMin": 20,
            "priority": "HIGH", "contactId": hoa, "assigneeId": user.global(), "needs": "10 kg\n", "say": "Giá mới",
            "avoid": " ", "offer": "Giảm 5 %",
        });
        let variables = json!({ "customer": customer, "input": input, "key": "call" });
        let made = change(app, CREATE_CALL, variables.clone()).await;
        assert_eq!(made["userErrors"], json!([]));
        let mut call = made["call"].clone();
        let id = call["id"].take();
        assert!(call["assignee"].take()["name"].is_string());
        assert_eq!(call, json!({
            "id": null, "version": 1, "subject": "Báo giá cà phê", "direction": "OUTBOUND", "purpose": "SALES",
            "priority": "HIGH", "plannedAt": "2026-11-04T03:00:00+00:00", "plannedMin": 20,
            "forgottenAt": "2026-11-04T03:35:00+00:00", "needs": "10 kg", "say": "Giá mới", "avoid": null,
            "offer": "Giảm 5 %", "state": "PLANNED", "outcome": null, "attempt": 1,
            "customer": { "displayName": "Ánh Dương" }, "contact": { "name": "Hoa" }, "assignee": null, "caller": null,
        }));
        assert_eq!(change(app, CREATE_CALL, variables).await["call"]["id"], id);
        assert_eq!(found(app, json!({ "search": "bao gia" })).await, ["Báo giá cà phê"]);
        let query = "query ($id: ID!) { customer(id: $id) { calls { totalCount }
          timeline(types: [CALL]) { nodes { ... on Call { subject } } } } }";
        let data = app.ask(query, json!({ "id": customer })).await["customer"].clone();
        let expected = json!({ "calls": { "totalCount": 1 }, "timeline": { "nodes": [{ "subject": "Báo giá cà phê" }] } });
        assert_eq!(data, expected);
    }

    /// A form shows all that is wrong with it; who is called is at the customer.
    async fn all_fields_of_a_call_that_are_wrong_are_told_at_once(app: App) {
        let (customer, hoa, _) = company(app).await;
        let other = given::customer(app, "Minh", "vi", "VND").await;
        let planned = app.clock.now();
        let input = json!({
            "subject": " ", "purpose": "SALES", "plannedAt": planned, "plannedMin": 0, "needs": "n".repeat(2_001),
            "say": "s".repeat(2_001),
        });
        let refused = change(app, CREATE_CALL, json!({ "customer": customer, "input": input })).await;
        let fields: Vec<_> = refused["userErrors"].as_array().expect("errors").iter()
            .map(|error| error["field"][1].as_str().expect("a field").to_owned()).collect();
        assert_eq!(fields, ["subject", "needs", "say", "plannedMin"]);
        let input = json!({ "subject": "A", "purpose": "SALES", "plannedAt": planned, "contactId": hoa });
        let refused = change(app, CREATE_CALL, json!({ "customer": other, "input": input })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["input", "contactId"]));
        let id = call(app, &other, "B", json!({})).await;
        let refused = change(app, UPDATE, json!({ "id": id, "input": { "contactId": hoa } })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["input", "contactId"] }]));
        let wrong = [
            (json!({ "outcome": "CALLBACK" }), "callbackAt"),
            (json!({ "outcome": "CALLBACK", "callbackAt": planned }), "callbackAt"),
            (json!({ "outcome": "BUSY", "callbackAt": "2027-01-01T00:00:00Z" }), "callbackAt"),
            (json!({ "outcome": "ANSWERED", "promisedOn": "2026-12-01" }), "promisedOn"),
            (json!({ "outcome": "ANSWERED", "durationS": -1 }), "durationS"),
            (json!({ "outcome": "ANSWERED", "startedAt": "2027-01-01T00:00:00Z" }), "startedAt"),
            (json!({ "outcome": "PROMISE_TO_PAY", "promised": { "amount": "0", "currency": "VND" } }), "promised"),
            (json!({ "outcome": "PROMISE_TO_PAY", "promised": { "amount": "1.5", "currency": "VND" } }), "promised"),
        ];
        for (outcome, field) in wrong {
            let refused = complete(app, &id, outcome).await;
            assert_eq!(refused["userErrors"], json!([{ "code": "INVALID", "field": ["input", field] }]));
        }
    }

    /// While somebody calls a person nobody else does; that ends with the call, or by itself.
    async fn two_never_call_one_person(app: App) {
        let (customer, hoa, lan) = company(app).await;
        let (one, other) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        let to_hoa = call(app, &customer, "A", json!({ "contactId": hoa })).await;
        let again = call(app, &customer, "B", json!({ "contactId": hoa, "purpose": "COLLECTION" })).await;
        let to_lan = call(app, &customer, "C", json!({ "contactId": lan })).await;
        let to_company = call(app, &customer, "D", json!({})).await;
        let start = by_id("startCall");
        let started = change_by(app, one, &start, json!({ "id": to_hoa })).await["call"].clone();
        assert_eq!((&started["state"], &started["version"]), (&json!("PLANNED"), &json!(2)));
        assert!(started["caller"]["name"].is_string());
        let busy = json!([{ "code": "CALL_IN_PROGRESS", "field": ["id"] }]);
        for id in [&to_hoa, &again, &to_company] {
            assert_eq!(change_by(app, other, &start, json!({ "id": id })).await["userErrors"], busy);
        }
        let outcome = json!({ "id": to_hoa, "input": { "outcome": "ANSWERED" } });
        assert_eq!(change_by(app, other, COMPLETE_CALL, outcome.clone()).await["userErrors"], busy);
        assert_eq!(change_by(app, other, &by_id("cancelCall"), json!({ "id": to_hoa })).await["userErrors"], busy);
        assert_eq!(change_by(app, other, &start, json!({ "id": to_lan })).await["userErrors"], json!([]));
        app.advance(TimeDelta::minutes(10));
        assert_eq!(change_by(app, one, &start, json!({ "id": to_hoa })).await["userErrors"], json!([]));
        app.advance(TimeDelta::minutes(10));
        assert_eq!(change_by(app, other, &start, json!({ "id": again })).await["userErrors"], busy, "it was lengthened");
        let answered = change_by(app, one, COMPLETE_CALL, outcome).await["call"].clone();
        assert_eq!((&answered["durationS"], &answered["nextCall"]), (&json!(1_200), &Value::Null));
        assert_eq!(change_by(app, other, &start, json!({ "id": again })).await["userErrors"], json!([]));
        app.advance(TimeDelta::minutes(15));
        assert_eq!(change_by(app, one, &start, json!({ "id": to_company })).await["userErrors"], json!([]), "it ended by itself");
    }

    /// What the law says of asking for debts counts for calls, too, together with what was sent.
    async fn a_call_about_debts_is_made_when_the_law_lets_it(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let packs = json!({ "packs": [{ "key": "vn-collection", "mode": "ENFORCE" }] });
        crate::gate::policy(app, &administrator, 0, packs).await;
        let fields = json!({ "kind": "PERSON", "displayName": "Lan", "phone": "0901234567", "timeZone": "Asia/Ho_Chi_Minh",
            "addresses": [{ "lines": "1 Lê Lợi", "country": "VN" }] });
        let made = app.make("customer", given::CREATE_CUSTOMER, json!({ "input": fields, "key": "lan" })).await;
        let customer = made["id"].as_str().expect("an id").to_owned();
        let start = by_id("startCall");
        let collection = || call(app, &customer, "Pay", json!({ "purpose": "COLLECTION" }));
        for _ in 0..5 {
            let id = collection().await;
            assert_eq!(change(app, &start, json!({ "id": id })).await["userErrors"], json!([]));
            complete(app, &id, json!({ "outcome": "NO_ANSWER" })).await;
        }
        let sixth = collection().await;
        let refused = json!([{ "code": "NOT_TO_BE_CALLED", "field": ["id"] }]);
        assert_eq!(change(app, &start, json!({ "id": sixth })).await["userErrors"], refused, "five a day are enough");
        let sale = call(app, &customer, "Offer", json!({})).await;
        assert_eq!(change(app, &start, json!({ "id": sale })).await["userErrors"], json!([]));
        complete(app, &sale, json!({ "outcome": "ANSWERED" })).await;
        app.advance(TimeDelta::hours(25));
        assert_eq!(change(app, &start, json!({ "id": sixth })).await["userErrors"], json!([]));
        complete(app, &sixth, json!({ "outcome": "ANSWERED" })).await;
        app.advance(TimeDelta::hours(12));
        let late = collection().await;
        assert_eq!(change(app, &start, json!({ "id": late })).await["userErrors"], refused, "it is ten in the evening");
    }

    /// Two who start at the same instant do not both get through.
    async fn of_two_who_start_at_once_one_calls(app: App) {
        let customer = given::customer(app, "Lan", "vi", "VND").await;
        let (one, other) = (app.user(Role::Sales.id()).await.0, app.user(Role::Sales.id()).await.0);
        for _ in 0..5 {
            let (first, second) = (call(app, &customer, "A", json!({})).await, call(app, &customer, "B", json!({})).await);
            let start = by_id("startCall");
            let (left, right) = tokio::join!(
                change_by(app, one, &start, json!({ "id": first })),
                change_by(app, other, &start, json!({ "id": second })),
            );
            let refused = [left, right].iter().filter(|payload| payload["userErrors"] != json!([])).count();
            assert_eq!(refused, 1);
            app.advance(TimeDelta::minutes(16));
        }
    }

    /// Who does not answer is called again as the cadence says, by the same person, at times at which there are calls.
    async fn who_does_not_answer_is_called_again(app: App) {
        // It is Tuesday, 9:00 in Hanoi.
        let (customer, hoa, _) = company(app).await;
        let (user, _) = app.user(Role::Sales.id()).await;
        let fields = json!({ "contactId": hoa, "assigneeId": user.global(), "say": "Hello", "purpose": "FOLLOW_UP" });
        let first = call(app, &customer, "A", fields).await;
        let payload = complete(app, &first, json!({ "outcome": "NO_ANSWER", "durationS": 25, "note": " Reo mãi " })).await;
        let ended = &payload["call"];
        let known = ["version", "state", "outcome", "durationS", "note", "startedAt"].map(|field| ended[field].clone());
        let expected = [json!(2), json!("COMPLETED"), json!("NO_ANSWER"), json!(25), json!("Reo mãi"),
            json!("2026-11-03T01:59:35+00:00")];
        assert_eq!(known, expected);
        assert_eq!(next(&payload), ("2026-11-03T04:00:00+00:00", 2));
        assert!(payload["call"]["nextCall"]["assignee"]["name"].is_string());
        let mut id = payload["call"]["nextCall"]["id"].clone();
        let query = "query ($id: ID!) { call(id: $id) { say purpose direction contact { name } firstCall { id } } }";
        let seen = app.ask(query, json!({ "id": id })).await["call"].clone();
        assert_eq!(seen, json!({ "say": "Hello", "purpose": "FOLLOW_UP", "direction": "OUTBOUND",
            "contact": { "name": "Hoa" }, "firstCall": { "id": first } }));
        let again = complete(app, &first, json!({ "outcome": "NO_ANSWER" })).await;
        assert_eq!(again["call"]["nextCall"]["id"], id, "saying it again plans nothing");
        let refused = complete(app, &first, json!({ "outcome": "BUSY" })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID_STATE", "field": ["id"] }]));
        for (attempt, planned) in [(3, "2026-11-04T05:00:00+00:00"), (4, "2026-11-06T02:00:00+00:00")] {
            let payload = complete(app, &id, json!({ "outcome": "NO_ANSWER" })).await;
            assert_eq!(next(&payload), (planned, attempt));
            id = payload["call"]["nextCall"]["id"].clone();
        }
        let payload = complete(app, &id, json!({ "outcome": "ANSWERED" })).await;
        assert_eq!(payload["call"]["nextCall"], Value::Null);
        assert_eq!((events(app, "call.created").await, events(app, "call.completed").await), (4, 4));
    }

    /// What they ask for is done, and what they do not want is not done any more.
    async fn what_they_say_is_what_follows(app: App) {
        let (customer, hoa, lan) = company(app).await;
        let other = call(app, &customer, "Other", json!({ "contactId": hoa, "purpose": "COLLECTION" })).await;
        let to_lan = call(app, &customer, "Lan", json!({ "contactId": lan })).await;
        let id = call(app, &customer, "A", json!({ "contactId": hoa })).await;
        let asked = json!({ "outcome": "CALLBACK", "callbackAt": "2026-11-07T03:00:00Z" });
        let payload = complete(app, &id, asked).await;
        assert_eq!(next(&payload), ("2026-11-09T01:00:00+00:00", 2), "nobody is called on a Saturday");
        let id = payload["call"]["nextCall"]["id"].clone();
        call(app, &customer, "Sell", json!({ "contactId": hoa })).await;
        complete(app, &id, json!({ "outcome": "NOT_INTERESTED" })).await;
        assert_eq!(found(app, json!({ "state": { "eq": "PLANNED" } })).await, ["Other", "Lan"], "of that purpose there are none");
        let promise = json!({ "outcome": "PROMISE_TO_PAY", "promised": { "amount": "500000", "currency": "VND" },
            "promisedOn": "2026-11-20" });
        let promised = complete(app, &other, promise).await["call"].clone();
        assert_eq!((&promised["promised"], &promised["promisedOn"]),
            (&json!({ "amount": "500000", "currency": "VND" }), &json!("2026-11-20")));
        call(app, &customer, "Pay", json!({ "contactId": hoa, "purpose": "COLLECTION" })).await;
        let last = call(app, &customer, "Help", json!({ "contactId": hoa, "purpose": "SERVICE" })).await;
        complete(app, &last, json!({ "outcome": "DO_NOT_CALL" })).await;
        assert_eq!(found(app, json!({ "state": { "eq": "PLANNED" } })).await, ["Lan"], "somebody else is called as ever");
        let wrong = complete(app, &to_lan, json!({ "outcome": "WRONG_NUMBER" })).await;
        assert_eq!(wrong["call"]["nextCall"], Value::Null);
        let query = "query ($id: ID!) { customer(id: $id) { tasks { nodes { title description state } } } }";
        let tasks = app.ask(query, json!({ "id": customer })).await["customer"]["tasks"]["nodes"].clone();
        assert_eq!(tasks, json!([{ "title": "Tìm số điện thoại đúng", "description": "Lan", "state": "OPEN" }]));
    }

    /// A call is changed, called off, deleted and restored; calling off twice is calling off once.
    async fn a_call_is_changed_and_called_off(app: App) {
        let (customer, hoa, _) = company(app).await;
        let id = call(app, &customer, "A", json!({ "say": "Hello" })).await;
        let input = json!({ "subject": "B", "contactId": hoa, "say": null, "plannedAt": "2026-12-01T03:00:00Z" });
        let changed = change(app, UPDATE, json!({ "id": id, "input": input, "version": 1 })).await["call"].clone();
        assert_eq!(changed, json!({ "version": 2, "subject": "B", "plannedAt": "2026-12-01T03:00:00+00:00", "say": null,
            "contact": { "name": "Hoa" } }));
        for (query, version) in [(UPDATE.to_owned(), 1), (by_id("startCall"), 1), (by_id("cancelCall"), 1)] {
            let stale = change(app, &query, json!({ "id": id, "input": {}, "version": version })).await;
            assert_eq!(stale["userErrors"][0]["code"], "STALE_VERSION");
        }
        let delete = "mutation ($id: ID!) { deleteContact(id: $id) { userErrors { code } } }";
        change(app, delete, json!({ "id": hoa })).await;
        let query = "query ($id: ID!) { call(id: $id) { contact { name } } }";
        assert_eq!(app.ask(query, json!({ "id": id })).await["call"]["contact"], Value::Null);
        for (field, version) in [("deleteCall", 3), ("restoreCall", 4), ("cancelCall", 5), ("cancelCall", 5)] {
            let turned = change(app, &by_id(field), json!({ "id": id })).await;
            assert_eq!((&turned["call"]["version"], &turned["userErrors"]), (&json!(version), &json!([])), "{field}");
        }
        let refused = complete(app, &id, json!({ "outcome": "ANSWERED" })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "INVALID_STATE", "field": ["id"] }]));
        let absent = json!(CallId::new(app.clock.now()).global());
        let refused = complete(app, &absent, json!({ "outcome": "ANSWERED" })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    }

    /// What nobody has made in time is found, and said once; what is being made is not forgotten meanwhile.
    async fn a_forgotten_call_is_said_once(app: App) {
        let customer = given::customer(app, "Lan", "vi", "VND").await;
        let forgotten = call(app, &customer, "Forgotten", json!({})).await;
        let dialled = call(app, &customer, "Dialled", json!({})).await;
        let done = call(app, &customer, "Done", json!({})).await;
        complete(app, &done, json!({ "outcome": "ANSWERED" })).await;
        let past = |app: &App| json!({ "state": { "eq": "PLANNED" }, "forgottenAt": { "lt": app.clock.now() } });
        app.advance(TimeDelta::minutes(89));
        change(app, &by_id("startCall"), json!({ "id": dialled })).await;
        app.drain().await;
        assert_eq!(events(app, "call.forgotten").await, 0);
        app.advance(TimeDelta::minutes(2));
        app.drain().await;
        assert_eq!((events(app, "call.forgotten").await, found(app, past(app)).await), (1, vec!["Forgotten".to_owned()]));
        app.advance(TimeDelta::minutes(30));
        app.drain().await;
        assert_eq!(events(app, "call.forgotten").await, 2, "nobody has said what came of it");
        let later = json!({ "plannedAt": app.clock.now() + TimeDelta::hours(1) });
        change(app, UPDATE, json!({ "id": forgotten, "input": later })).await;
        app.drain().await;
        assert_eq!((events(app, "call.forgotten").await, found(app, past(app)).await), (2, vec!["Dialled".to_owned()]));
        app.advance(TimeDelta::hours(2));
        app.drain().await;
        assert_eq!(events(app, "call.forgotten").await, 3);
    }

    /// A call is theirs who has to make it, and theirs who looks after its customer.
    async fn who_does_not_see_a_customer_does_not_see_its_calls(app: App) {
        let ((_, token), (other, others)) = (seller(app).await, seller(app).await);
        let input = json!({ "kind": "PERSON", "displayName": "Lan", "currency": "VND" });
        let lan = app.make_as(&token, "customer", given::CREATE_CUSTOMER, json!({ "input": input })).await["id"].clone();
        let lan = lan.as_str().expect("an id");
        let id = call(app, lan, "Lan's", json!({})).await;
        let to_make = call(app, lan, "To make", json!({ "assigneeId": other.global() })).await;
        assert_eq!(found_as(app, &token, json!({})).await, ["Lan's", "To make"]);
        assert_eq!(found_as(app, &others, json!({})).await, ["To make"]);
        for field in ["startCall", "cancelCall", "deleteCall", "restoreCall"] {
            let refused = change_as(app, &others, &by_id(field), json!({ "id": id })).await;
            assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]), "{field}");
        }
        let outcome = json!({ "outcome": "NO_ANSWER" });
        let refused = change_as(app, &others, COMPLETE_CALL, json!({ "id": id, "input": outcome })).await;
        assert_eq!(refused["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
        let made = change_as(app, &others, COMPLETE_CALL, json!({ "id": to_make, "input": outcome })).await;
        assert_eq!(made["call"]["state"], "COMPLETED");
        let input = json!({ "subject": "X", "purpose": "SALES", "plannedAt": app.clock.now() });
        let refused = change_as(app, &others, CREATE_CALL, json!({ "customer": lan, "input": input })).await;
        assert_eq!(refused["userErrors"][0]["field"], json!(["customerId"]));
        let auditor = app.token_of(Role::Auditor).await;
        assert_eq!(found_as(app, &auditor, json!({})).await.len(), 3);
        let refused = app.send_as(Some(&auditor), &by_id("startCall"), json!({ "id": id })).await;
        assert_eq!(refused.error_code(), Some("FORBIDDEN"));
    }

    /// What happens to calls starts workflows, so that somebody hears of a forgotten one.
    async fn a_workflow_begins_with_a_forgotten_call(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        let definition = json!({
            "record": "Call",
            "trigger": { "event": { "kinds": ["call.forgotten"] } },
            "condition": { "call": { "purpose": { "eq": "COLLECTION" } } },
            "steps": [{ "key": "tell", "action": { "notify": { "text": "Quên gọi", "userId": chief.global() } } }],
        });
        given::workflow(app, &token, &definition).await;
        let customer = given::customer(app, "Lan", "vi", "VND").await;
        let forgotten = call(app, &customer, "Debt", json!({ "purpose": "COLLECTION" })).await;
        call(app, &customer, "Offer", json!({})).await;
        app.advance(TimeDelta::hours(2));
        app.drain().await;
        let token = app.token_for(chief).await;
        let query = "{ notifications { nodes { kind text subjectId } } }";
        let told = app.send_as(Some(&token), query, json!({})).await.data;
        let expected = json!([{ "kind": "WORKFLOW", "text": "Quên gọi", "subjectId": forgotten }]);
        assert_eq!(told["notifications"]["nodes"], expected);
    }
}
