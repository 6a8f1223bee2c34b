//! Customers that are one and the same.

use proptest::collection::vec;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use super::removal::DELETE;
use crate::given::{CREATE_CUSTOMER, RECORD_PAYMENT, customer, invoice, payment};

const MERGE: &str = "mutation ($input: MergeCustomersInput!, $version: Int) { mergeCustomers(input: $input, expectedVersion: $version) {
  customer { id number displayName email phone version invoices { totalCount } contacts { name } balances { amount currency } }
  userErrors { code field message } } }";

const SEEN: &str = "query ($id: ID!, $ids: [ID!]!) {
  customer(id: $id) { id displayName } node(id: $id) { id } nodes(ids: $ids) { id } }";

async fn created(app: &App, input: Value) -> String {
    let mut whole = json!({ "kind": "PERSON", "displayName": "Lan" });
    for (name, value) in input.as_object().expect("fields") {
        whole[name] = value.clone();
    }
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": whole })).await;
    made["id"].as_str().expect("an id").to_owned()
}

async fn balance(app: &App, id: &str, as_of: Option<&str>) -> Value {
    let query = "query ($id: ID!, $on: Date) { customer(id: $id) { balances(asOf: $on) { amount currency } } }";
    app.ask(query, json!({ "id": id, "on": as_of })).await["customer"]["balances"].clone()
}

on_both_stacks! {
    async fn everything_moves_to_the_kept_one_and_the_others_lead_to_it(app: App) {
        let lan = created(app, json!({ "displayName": "Nguyễn Lan", "currency": "VND" })).await;
        let other = created(app, json!({
            "displayName": "Nguyen Lan", "number": "K-7", "email": "lan@example.vn", "currency": "VND",
            "contacts": [{ "name": "Hoa" }], "addresses": [{ "lines": "1 Lê Lợi" }],
        })).await;
        let third = created(app, json!({ "displayName": "Lan N.", "phone": "0901", "currency": "EUR" })).await;
        invoice(app, &lan, "1000", "VND").await;
        invoice(app, &other, "500", "VND").await;
        invoice(app, &third, "9.50", "EUR").await;
        app.make("payment", RECORD_PAYMENT, payment(&other, "700", "VND", "p")).await;
        app.drain().await;
        let receivables = app.ask("{ openReceivables { amount currency } }", json!({})).await;

        let input = json!({ "keepId": lan, "mergeIds": [other, third], "take": [{ "field": "DISPLAY_NAME", "from": third }] });
        assert_eq!(app.refusal(MERGE, json!({ "input": input, "version": 9 })).await.0, "STALE_VERSION");
        let kept = app.make("customer", MERGE, json!({ "input": input, "version": 1 })).await;
        assert_eq!(kept, json!({
            "id": lan, "number": "K-7", "displayName": "Lan N.", "email": "lan@example.vn", "phone": "0901", "version": 2,
            "invoices": { "totalCount": 3 }, "contacts": [{ "name": "Hoa" }],
            "balances": [{ "amount": "9.50", "currency": "EUR" }, { "amount": "800", "currency": "VND" }],
        }));
        assert_eq!(app.ask("{ openReceivables { amount currency } }", json!({})).await, receivables);
        for (table, count) in [("payment", 1), ("address", 1), ("message", 1), ("contact", 1)] {
            let sql = format!("SELECT COUNT(DISTINCT customer_id) AS n FROM {table}");
            assert_eq!(app.number(&sql).await, count, "{table}");
        }
        let listed = app.ask("{ customers { totalCount } }", json!({})).await;
        assert_eq!(listed["customers"]["totalCount"], 1);
        let gone = "{ customers(filter: { deletedAt: { isNull: false } }) { nodes { number mergedInto { displayName } } } }";
        let part = json!({ "number": null, "mergedInto": { "displayName": "Lan N." } });
        assert_eq!(app.ask(gone, json!({})).await["customers"]["nodes"], json!([part, part]));
        let seen = app.ask(SEEN, json!({ "id": other, "ids": [third, lan, other] })).await;
        assert_eq!(seen, json!({
            "customer": { "id": lan, "displayName": "Lan N." }, "node": { "id": lan },
            "nodes": [{ "id": lan }, { "id": lan }, { "id": lan }],
        }));

        // And when the kept one becomes part of another in its turn, all of them lead there.
        let last = created(app, json!({ "displayName": "Lan" })).await;
        app.make("customer", MERGE, json!({ "input": { "keepId": last, "mergeIds": [lan] } })).await;
        let seen = app.ask(SEEN, json!({ "id": third, "ids": [other] })).await;
        assert_eq!((&seen["customer"]["id"], &seen["nodes"][0]["id"]), (&json!(last), &json!(last)));
        let restore = "mutation ($id: ID!) { restoreCustomer(id: $id) { customer { id } userErrors { code field message } } }";
        assert_eq!(app.refusal(restore, json!({ "id": lan })).await.0, "INVALID_STATE");
        // What is paid for an invoice that has moved is the kept one's.
        app.make("payment", RECORD_PAYMENT, payment(&last, "800", "VND", "q")).await;
        let left = json!([{ "amount": "9.50", "currency": "EUR" }, { "amount": "0", "currency": "VND" }]);
        assert_eq!(balance(app, &last, None).await, left);
    }

    async fn what_makes_no_sense_is_refused(app: App) {
        let (lan, minh, gone) = (customer(app, "Lan", "vi", "VND").await, customer(app, "Minh", "vi", "VND").await, customer(app, "Hoa", "vi", "VND").await);
        app.make("customer", DELETE, json!({ "id": gone })).await;
        let refused = async |keep: &str, merge: Value, take: Value| app.refusal(MERGE, json!({ "input": { "keepId": keep, "mergeIds": merge, "take": take } })).await;
        assert_eq!(refused(&lan, json!([lan]), json!([])).await, ("INVALID".into(), "input.mergeIds".into()));
        assert_eq!(refused(&lan, json!([minh, minh]), json!([])).await, ("INVALID".into(), "input.mergeIds".into()));
        assert_eq!(refused(&lan, json!([gone]), json!([])).await.0, "NOT_FOUND");
        assert_eq!(refused(&gone, json!([lan]), json!([])).await.0, "NOT_FOUND");
        assert_eq!(refused("cus_x", json!([lan]), json!([])).await, ("NOT_FOUND".into(), "input.keepId".into()));
        let take = json!([{ "field": "EMAIL", "from": gone }]);
        assert_eq!(refused(&lan, json!([minh]), take).await, ("INVALID".into(), "input.take".into()));
    }

    async fn balances_add_up_on_every_day_whatever_is_merged(app: App) {
        let handle = Handle::current();
        let config = Config { cases: 8, failure_persistence: None, ..Config::default() };
        // Of each of three customers: what it is invoiced, and what it pays.
        let books = vec((vec(1..5_000_u32, 0..4), vec(1..5_000_u32, 0..3)), 3);
        let outcome = block_in_place(|| {
            TestRunner::new(config).run(&(books, 0..3_usize), |(books, keep)| {
                handle.block_on(adds_up(app, &books, keep));
                Ok(())
            })
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }

    async fn customers_that_look_alike_are_found(app: App) {
        let lan = created(app, json!({ "displayName": "Nguyễn Lan", "email": "Lan@example.vn", "phone": "+84 901 234 567", "taxNumber": "0401-234567" })).await;
        let typed = created(app, json!({ "displayName": "NGUYEN  LAN", "phone": "0901.234.567" })).await;
        let same = created(app, json!({ "displayName": "Cty Lan", "email": "lan@EXAMPLE.vn", "taxNumber": "0401 234 567" })).await;
        let gone = created(app, json!({ "displayName": "Nguyen Lan" })).await;
        created(app, json!({ "displayName": "Minh" })).await;
        app.make("customer", DELETE, json!({ "id": gone })).await;
        let query = "query ($id: ID!) { customerDuplicates(id: $id) { customer { id } reasons score } }";
        let found = app.ask(query, json!({ "id": lan })).await;
        assert_eq!(found["customerDuplicates"], json!([
            { "customer": { "id": same }, "reasons": ["TAX_NUMBER", "EMAIL"], "score": 100 },
            { "customer": { "id": typed }, "reasons": ["PHONE", "NAME"], "score": 65 },
        ]));
        assert_eq!(app.ask(query, json!({ "id": "cus_x" })).await["customerDuplicates"], json!([]));
        let groups = "query ($reason: DuplicateReason!) { duplicateCustomers(reason: $reason) { value count customers { displayName } } }";
        let names = app.ask(groups, json!({ "reason": "NAME" })).await;
        let group = json!({ "value": "nguyen lan", "count": 2, "customers": [{ "displayName": "Nguyễn Lan" }, { "displayName": "NGUYEN LAN" }] });
        assert_eq!(names["duplicateCustomers"], json!([group]));
    }
}

/// Merges three customers with these books, and compares what they owe before and after.
async fn adds_up(app: &App, books: &[(Vec<u32>, Vec<u32>)], keep: usize) {
    let mut ids = Vec::new();
    for (invoices, payments) in books {
        let id = created(app, json!({ "currency": "VND" })).await;
        for amount in invoices {
            invoice(app, &id, &amount.to_string(), "VND").await;
        }
        for (index, amount) in payments.iter().enumerate() {
            let paid = payment(&id, &amount.to_string(), "VND", &format!("{id} {index}"));
            app.make("payment", RECORD_PAYMENT, paid).await;
        }
        ids.push(id);
    }
    let owed: i64 = books
        .iter()
        .flat_map(|(invoices, payments)| {
            let owed = invoices.iter().map(|amount| i64::from(*amount));
            owed.chain(payments.iter().map(|amount| -i64::from(*amount)))
        })
        .sum();
    let is_empty =
        books.iter().all(|(invoices, payments)| invoices.is_empty() && payments.is_empty());
    let kept = ids.remove(keep);
    app.make("customer", MERGE, json!({ "input": { "keepId": kept, "mergeIds": ids } })).await;
    let expected = match is_empty {
        true => json!([]),
        false => json!([{ "amount": owed.to_string(), "currency": "VND" }]),
    };
    assert_eq!(balance(app, &kept, None).await, expected);
    assert_eq!(balance(app, &kept, Some("2027-01-01")).await, expected);
    let before = balance(app, &kept, Some("2020-01-01")).await;
    assert_eq!(before, json!([]), "nothing was owed before");
    let left = "SELECT COUNT(*) AS n FROM (SELECT l.customer_id FROM ledger_entry l JOIN customer c ON c.id = l.customer_id \
         WHERE c.merged_into_id IS NOT NULL GROUP BY l.customer_id, l.account, l.currency, l.booked_on \
         HAVING SUM(l.amount) <> 0) AS left_behind";
    assert_eq!(app.number(left).await, 0, "nothing is left with those that were merged");
}
