//! Reading: whatever is asked, the answer is the one that goes through everything row by row, and it
//! takes one statement for each relation and level.

mod ask;
mod draw;
mod indexes;
mod naive;
mod rows;

use entity::access::{Role, Viewer, user};
use entity::id::{Id, UserId};
use proptest::collection::vec;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use self::ask::{Choices, Document};
use self::draw::Draw;
use self::naive::{CURSOR, Naive};
use self::rows::Rows;
use crate::given::{
    self, CREATE_CUSTOMER, CREATE_TEAM, ISSUE_INVOICE, RECORD_PAYMENT, REVERSE_PAYMENT,
    SHARE_CUSTOMER, role,
};

/// Customers with all that hangs on them: diacritics, nothing where there can be nothing, several
/// currencies, things paid, part paid, overpaid and reversed.
async fn company(app: &App, owners: &[UserId]) {
    let names = [
        "Nguyễn Đức Anh",
        "SIA Ķīpsala",
        "100% Bánh_mì",
        "Ba'nh \"mi\"",
        "bakery",
        "Bakery",
        "Øl & Brød",
    ];
    for (index, name) in names.into_iter().enumerate() {
        let some = |text: String| (index % 3 != 0).then_some(text);
        let currency = ["VND", "EUR", "KWD"][index % 3];
        let stage = ["PROSPECT", "CUSTOMER", "LAPSED"][index % 3];
        let owner = owners.get(index % (owners.len() + 1)).map(|owner| owner.global());
        let input = json!({
            "ownerId": owner, "kind": if index % 2 == 0 { "ORGANISATION" } else { "PERSON" },
            "stage": stage,
            "displayName": name, "currency": currency, "number": some(format!("K{}", 9 - index)),
            "email": some(format!("{index}@example.vn")), "preferredChannel": some("EMAIL".to_owned()),
            "contacts": (0..index % 3).map(|at| json!({ "name": format!("Lan {at}"), "billing": at == 1,
                "email": (at == 1).then_some("lan@example.vn") })).collect::<Vec<_>>(),
            "addresses": (0..index % 2).map(|_| json!({ "kind": "BILLING", "lines": "1 Hàng Bạc\nHà Nội",
                "city": "Hà Nội" })).collect::<Vec<_>>(),
        });
        let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        for (at, customer) in [Some(&made["id"]), None].into_iter().enumerate() {
            let priority = ["LOW", "NORMAL", "HIGH"][index % 3];
            let assignee = owners.get((index + 3 * at + 1) % (owners.len() + 1));
            let input = json!({
                "title": name, "project": some("Đà Lạt".to_owned()), "assigneeId": assignee.map(|user| user.global()),
                "priority": priority, "spentMin": (at == 1).then_some(index),
                "dueAt": some(format!("2026-12-{:02}T09:00:00Z", 10 + at)),
            });
            let task = json!({ "customer": customer, "input": input });
            let task = app.make("task", given::CREATE_TASK, task).await;
            app.make(
                "task",
                given::SET_TASK_REMINDERS,
                json!({ "id": task["id"], "before": ["PT15M", "P1D"] }),
            )
            .await;
            if index % 3 == 1 {
                app.make("task", given::COMPLETE_TASK, json!({ "id": task["id"] })).await;
            }
        }
        calls(app, &made["id"], index, owners).await;
        appointments(app, &made["id"], index, owners).await;
        for at in 0..index % 2 {
            let contract = given::document(app, &made["id"], "Hợp đồng.pdf", b"%PDF-1.7").await;
            given::document(app, &contract["documentId"], "Phụ lục.html", b"<html>").await;
            let scan =
                given::document(app, &made["id"], "Ảnh.png", format!("{at}").as_bytes()).await;
            app.ask(given::DELETE_DOCUMENT, json!({ "id": scan["documentId"] })).await;
        }
        for at in 0..index % 4 {
            let lines: Vec<_> = (0..=at)
                .map(|at| {
                    json!({ "description": "Consulting", "quantity": "1.5",
                "unitPrice": format!("{}", 1000 * (at + 1)), "taxRate": "0.1" })
                })
                .collect();
            let input = json!({ "customerId": made["id"], "currency": currency, "lines": lines,
                "dueOn": format!("2026-12-{:02}", 10 + at), "reference": some(format!("PO-{at}")) });
            let invoice = app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await;
            given::document(app, &invoice["id"], "Đơn đặt hàng.txt", b"PO").await;
        }
        for at in 0..index % 3 {
            let amount = json!({ "amount": format!("{}", 1500 * (at + 1)), "currency": currency });
            let input = json!({ "customerId": made["id"], "amount": amount, "reference": some("FT".to_owned()) });
            let key = format!("{index} {at}");
            let paid =
                app.make("payment", RECORD_PAYMENT, json!({ "input": input, "key": key })).await;
            given::document(app, &paid["id"], "Sao kê.pdf", b"%PDF-1.7").await;
            if at == 1 {
                app.make(
                    "payment",
                    REVERSE_PAYMENT,
                    json!({ "id": paid["id"], "reason": "bounced" }),
                )
                .await;
            }
        }
    }
    app.drain().await;
}

/// Calls to a customer: planned, promised to be paid for, and to be made again.
async fn calls(app: &App, customer: &Value, index: usize, owners: &[UserId]) {
    for at in 0..index % 3 {
        let assignee = owners.get((index + at) % (owners.len() + 1));
        let input = json!({
            "subject": "Đơn hàng", "purpose": if at == 0 { "SALES" } else { "SERVICE" }, "plannedAt": "2026-11-03T03:00:00Z",
            "assigneeId": assignee.map(|user| user.global()), "needs": (at == 1).then_some("Cà phê"),
        });
        let call = json!({ "customer": customer, "input": input });
        let call = app.make("call", given::CREATE_CALL, call).await;
        let promised = json!({ "amount": "1500", "currency": "VND" });
        let outcome = match index % 2 {
            0 => json!({ "outcome": "NO_ANSWER", "durationS": 20 }),
            _ => json!({ "outcome": "PROMISE_TO_PAY", "promised": promised }),
        };
        if at == 1 {
            app.make("call", given::COMPLETE_CALL, json!({ "id": call["id"], "input": outcome }))
                .await;
        }
    }
}

/// Appointments with a customer: alone or with others, once, again and again, and for a day.
async fn appointments(app: &App, customer: &Value, index: usize, owners: &[UserId]) {
    for at in 0..index % 3 {
        let others: Vec<_> =
            owners.iter().skip(index % 2).take(at).map(|user| user.global()).collect();
        let when = match index % 2 {
            0 => {
                json!({ "at": { "startsAt": format!("2026-11-{:02}T03:00:00Z", 9 + at), "durationMin": 45 } })
            }
            _ => json!({ "days": { "first": "2026-11-20" } }),
        };
        let input = json!({
            "subject": "Gặp mặt", "location": (at == 1).then_some("Hà Nội"), "customerId": customer, "when": when,
            "repeats": (at == 1).then_some("FREQ=DAILY;COUNT=3"), "userIds": others, "reminders": ["PT15M"],
        });
        app.make("appointment", given::CREATE_APPOINTMENT, json!({ "input": input })).await;
    }
}

/// Whether an answer is the expected one, whatever its cursors are.
fn is_like(found: &Value, expected: &Value) -> bool {
    match (found, expected) {
        (Value::Object(found), Value::Object(expected)) => {
            found.len() == expected.len()
                && expected
                    .iter()
                    .all(|(key, value)| found.get(key).is_some_and(|found| is_like(found, value)))
        }
        (Value::Array(found), Value::Array(expected)) => {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(found, expected)| is_like(found, expected))
        }
        (Value::String(found), Value::String(expected)) if expected == CURSOR => !found.is_empty(),
        _ => found == expected,
    }
}

/// Asks one random request and compares the answer.
async fn compare(
    app: &App,
    rows: &Rows,
    viewers: &[(String, Viewer)],
    choices: &[u16],
) -> Result<(), TestCaseError> {
    let mut choices = Choices(choices);
    let (token, viewer) = choices.pick(viewers);
    let query = Draw { choices, rows, viewer, aliases: 0 }.query();
    let (document, variables) = Document::of(&query);
    let reply = app.send_as(Some(token), &document, variables.clone()).await;
    if reply.error_code() == Some("TOO_COMPLEX") {
        return Err(TestCaseError::reject("it costs too much"));
    }
    let mut naive = Naive::new(rows, viewer);
    let data = naive.query(&query);
    let errors: Vec<_> = reply
        .errors
        .iter()
        .map(|error| json!([error["path"], error["extensions"]["code"]]))
        .collect();
    let expected: Vec<_> = naive.errors.iter().map(|(path, code)| json!([path, code])).collect();
    // Once a field is null, what else has failed in it need not be told.
    let is_right = errors.iter().all(|error| expected.contains(error))
        && errors.is_empty() == expected.is_empty();
    if is_right && is_like(&reply.data, &data) {
        return Ok(());
    }
    Err(TestCaseError::fail(format!(
        "as {:?}: {document}\nwith {variables}\nanswers {:#}\nwith errors {:#?}\ninstead of {data:#}\nwith errors {expected:#?}",
        viewer, reply.data, reply.errors
    )))
}

on_both_stacks! {
    async fn whatever_is_asked_the_answer_is_that_of_the_naive_reader(app: App) {
        let mut viewers = Vec::new();
        for role in [Role::Administrator, Role::Sales, Role::Auditor, Role::Accountant] {
            viewers.push(app.user(role.id()).await);
        }
        let scopes = ["OWN", "TEAM"].into_iter().flat_map(|one| ["OWN", "TEAM", "ALL"].map(|other| (one, other)));
        for (customers, finance) in scopes {
            let grants = [
                ("READ_CUSTOMERS", customers), ("READ_FINANCE", finance), ("IMPORT", "ALL"),
                ("READ_TASKS", finance), ("WRITE_TASKS", customers), ("READ_CALLS", finance), ("WRITE_CALLS", customers),
                ("READ_APPOINTMENTS", finance), ("WRITE_APPOINTMENTS", customers),
            ];
            viewers.push(app.user(role(app, &grants).await).await);
        }
        let owners: Vec<_> = viewers.iter().skip(4).map(|(user, _)| *user).collect();
        company(app, &owners).await;
        let team = json!({ "name": "South", "userIds": [owners[0].global(), owners[3].global(), owners[5].global()] });
        let team = app.make_as(&viewers[0].1, "team", CREATE_TEAM, json!({ "input": team })).await;
        let data = app.ask("{ customers(first: 3) { nodes { id } } }", Value::Null).await;
        for (index, with) in [json!({ "userId": owners[1].global() }), json!({ "teamId": team["id"] })].into_iter().enumerate() {
            let customer = &data["customers"]["nodes"][index + 1]["id"];
            let input = json!({ "customerId": customer, "with": with });
            app.make("share", SHARE_CUSTOMER, json!({ "input": input })).await;
        }
        let delete = "UPDATE customer SET deleted_at = created_at WHERE number = 'K4'";
        app.db.reader().execute_unprepared(delete).await.expect("a deleted customer");
        // What is sealed does not change any more.
        crate::audit::seal(app).await;
        let mut known = Vec::new();
        for (user, token) in viewers {
            let viewer = user::viewer(app.db.reader(), user, app.clock.now()).await.expect("a viewer");
            known.push((token, viewer.expect("a viewer")));
        }
        let viewers = known;
        let rows = Rows::load(app.db.reader()).await;
        let handle = Handle::current();
        let config = Config { cases: 600, max_global_rejects: 200, failure_persistence: None, ..Config::default() };
        let outcome = block_in_place(|| {
            TestRunner::new(config).run(&vec(any::<u16>(), 0..300), |choices| {
                handle.block_on(compare(app, &rows, &viewers, &choices))
            })
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }

    async fn a_request_takes_one_statement_for_each_relation_and_level(app: App) {
        company(app, &[]).await;
        let query = "query ($first: Int) { customers(first: $first) { totalCount nodes {
            owner { name } contacts { name } balance { amount }
            invoices(first: 2, orderBy: [{ field: TOTAL, direction: DESC }]) { totalCount nodes { number
              lines { description } allocations { payment { receipt { number } customer { displayName } } } } }
            payments { edges { cursor node { amount { amount } } } } } } }";
        let mut answers = Vec::new();
        for first in [1, 3, 7, 40] {
            let reply = app.send(query, json!({ "first": first })).await;
            assert_eq!(reply.errors, Vec::<Value>::new());
            answers.push(reply.extensions["cost"]["statements"].clone());
        }
        // The first customer has no invoice, and nobody an owner: what there is nothing of is not read.
        // customers, their count, contacts, balances and own currencies, invoices, their counts, payments;
        // and further on lines, allocations, payments, receipts, customers.
        assert_eq!(answers, [json!(7), json!(12), json!(12), json!(12)]);
    }

    async fn lists_within_records_are_paged_for_each_of_them(app: App) {
        company(app, &[]).await;
        let query = "query ($after: String, $id: ID!) { customer(id: $id) { invoices(first: 2, after: $after,
            orderBy: [{ field: TOTAL, direction: DESC }]) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } } }";
        let all = "{ customers { nodes { id invoices(orderBy: [{ field: TOTAL, direction: DESC }]) { nodes { id } } } } }";
        let data = app.ask(all, Value::Null).await;
        for customer in data["customers"]["nodes"].as_array().expect("nodes") {
            let (mut after, mut found) = (Value::Null, Vec::new());
            loop {
                let page = app.ask(query, json!({ "id": customer["id"], "after": after })).await;
                let page = &page["customer"]["invoices"];
                found.extend(page["nodes"].as_array().expect("nodes").clone());
                let whole = customer["invoices"]["nodes"].as_array().map(Vec::len);
                assert_eq!(page["totalCount"].as_u64(), whole.map(|whole| whole as u64));
                after = page["pageInfo"]["endCursor"].clone();
                if page["pageInfo"]["hasNextPage"] == json!(false) {
                    break;
                }
            }
            assert_eq!(json!(found), customer["invoices"]["nodes"]);
        }
    }

    async fn what_a_role_may_not_see_is_null_with_a_reason_and_cannot_be_compared(app: App) {
        company(app, &[]).await;
        let sales = app.token_of(Role::Sales).await;
        let data = app.ask("{ customers(first: 1) { nodes { id } } }", Value::Null).await;
        let id = &data["customers"]["nodes"][0]["id"];
        let query = "query ($id: ID!) { one: customer(id: $id) { displayName balance { amount } }
            other: customer(id: $id) { displayName invoices { totalCount nodes { id } } } }";
        let reply = app.send_as(Some(&sales), query, json!({ "id": id })).await;
        assert_eq!(reply.data, json!({ "one": null, "other": { "displayName": "Nguyễn Đức Anh",
            "invoices": { "totalCount": 0, "nodes": [] } } }));
        assert_eq!(reply.error_code(), Some("FORBIDDEN"));
        assert_eq!(reply.errors[0]["path"], json!(["one", "balance"]));
        for filter in [json!({ "invoices": { "some": {} } }), json!({ "not": { "payments": { "none": {} } } })] {
            let query = "query ($filter: CustomerFilter) { customers(filter: $filter) { nodes { id } } }";
            let reply = app.send_as(Some(&sales), query, json!({ "filter": filter })).await;
            assert_eq!(reply.error_code(), Some("FORBIDDEN"), "{filter}");
            assert_eq!(reply.data, Value::Null);
        }
    }

    async fn a_key_that_stands_in_several_fragments_is_one_field(app: App) {
        company(app, &[]).await;
        let query = "query { ...A ...B me { name } me { email } } fragment A on Query { customers(first: 1) { nodes { displayName } } }
            fragment B on Query { customers(first: 1) { nodes { kind } totalCount } }";
        let data = app.ask(query, Value::Null).await;
        assert_eq!(data, json!({
            "customers": { "nodes": [{ "displayName": "Nguyễn Đức Anh", "kind": "ORGANISATION" }], "totalCount": 7 },
            "me": { "name": "Lê Minh Châu", "email": "accountant@rapport.example" },
        }));
    }
}
