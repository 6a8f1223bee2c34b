//! Receivables by age, the figures of collecting them, and how well a customer pays.

use chrono::{NaiveDate, TimeDelta};
use entity::access::{Role, Viewer, user};
use entity::finance::ageing::{Aged, Buckets, Question};
use entity::finance::ledger;
use entity::id::CustomerId;
use entity::money::Currency;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::access::scopes::customer_of;
use crate::given::{
    ISSUE_INVOICE, RECORD_PAYMENT, REVERSE_PAYMENT, customer, invoice, payment, role,
};
use crate::histories::{Deed, Documents, customers, deeds, happen};

const AGEING: &str = "query ($on: Date, $buckets: [Int!], $filter: CustomerFilter, $currency: CurrencyCode, $first: Int, $after: String) {
  ageing(asOf: $on, buckets: $buckets, filter: $filter, currency: $currency, first: $first, after: $after) {
    asOf buckets { firstDay lastDay }
    totals { currency buckets { amount } overdue { amount } unapplied { amount } balance { amount } }
    edges { cursor node { customer { displayName } currency buckets { amount } unapplied { amount } balance { amount } } }
    pageInfo { hasNextPage endCursor } } }";

/// An invoice of one line without tax.
async fn owed(
    app: &App,
    customer: &str,
    amount: &str,
    currency: &str,
    days: (&str, &str),
) -> Value {
    let line = json!({ "description": "Consulting", "unitPrice": amount });
    let input = json!({
        "customerId": customer, "currency": currency, "issuedOn": days.0, "dueOn": days.1, "lines": [line],
    });
    app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await
}

/// A payment that came in on a day.
async fn paid(app: &App, customer: &str, amount: &str, currency: &str, on: &str) -> Value {
    let mut request = payment(customer, amount, currency, &format!("{customer} {amount} {on}"));
    request["input"]["receivedOn"] = json!(on);
    app.make("payment", RECORD_PAYMENT, request).await
}

fn amounts(of: &Value) -> Vec<&str> {
    let amounts = of.as_array().expect("amounts").iter();
    amounts.filter_map(|amount| amount["amount"].as_str()).collect()
}

on_both_stacks! {
    async fn what_is_owed_is_told_apart_by_how_long_it_has_been_due(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        // Today is 3 November.
        owed(app, &lan, "1000", "VND", ("2026-07-01", "2026-08-04")).await;
        owed(app, &lan, "200", "VND", ("2026-09-01", "2026-10-03")).await;
        owed(app, &lan, "30", "VND", ("2026-09-01", "2026-10-04")).await;
        owed(app, &lan, "4", "VND", ("2026-11-03", "2026-11-03")).await;
        owed(app, &lan, "9.50", "EUR", ("2026-11-03", "2026-12-01")).await;
        paid(app, &lan, "400", "VND", "2026-10-10").await;

        let aged = app.ask(AGEING, json!({})).await["ageing"].clone();
        assert_eq!(aged["asOf"], "2026-11-03");
        assert_eq!(aged["buckets"][1], json!({ "firstDay": 1, "lastDay": 30 }));
        assert_eq!(amounts(&aged["totals"][0]["buckets"]), ["9.50", "0.00", "0.00", "0.00", "0.00"]);
        // A payment in part leaves the rest of the oldest as old as it is: 91 days; the others are 31 and 30.
        assert_eq!(amounts(&aged["totals"][1]["buckets"]), ["4", "30", "200", "0", "600"]);
        assert_eq!(aged["totals"][1]["overdue"]["amount"], "830");
        let edges = aged["edges"].as_array().expect("edges");
        assert_eq!(edges.len(), 2, "a row for each currency");
        assert_eq!(edges[1]["node"]["balance"]["amount"], "834");

        let buckets = json!({ "buckets": [-1, 0, 60], "currency": "VND" });
        let aged = app.ask(AGEING, buckets).await["ageing"].clone();
        assert_eq!(amounts(&aged["totals"][0]["buckets"]), ["0", "4", "230", "600"]);
        for wrong in [json!([]), json!([30, 0]), json!([0, 0]), json!((0..12).collect::<Vec<_>>())] {
            let reply = app.send(AGEING, json!({ "buckets": wrong })).await;
            assert_eq!(reply.error_code(), Some("BAD_REQUEST"), "{wrong}");
        }
    }

    async fn a_past_day_looks_as_it_did(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        owed(app, &lan, "1000", "VND", ("2026-09-01", "2026-09-15")).await;
        let money = paid(app, &lan, "1300", "VND", "2026-10-01").await;
        app.make("payment", REVERSE_PAYMENT, json!({ "id": money["id"], "reason": "It bounced" })).await;
        let on = async |day: &str| {
            let aged = app.ask(AGEING, json!({ "on": day })).await["ageing"].clone();
            let total = aged["totals"].as_array().expect("totals").first().cloned().unwrap_or_default();
            let amount = |name: &str| total[name]["amount"].as_str().unwrap_or_default().to_owned();
            [amount("overdue"), amount("unapplied"), amount("balance")]
        };
        assert_eq!(on("2026-08-31").await, ["", "", ""]);
        assert_eq!(on("2026-09-15").await, ["0", "0", "1000"]);
        assert_eq!(on("2026-09-16").await, ["1000", "0", "1000"]);
        assert_eq!(on("2026-10-01").await, ["0", "-300", "-300"]);
        assert_eq!(on("2026-11-03").await, ["1000", "0", "1000"]);
    }

    async fn whoever_owes_most_that_is_overdue_comes_first_page_by_page(app: App) {
        for (name, overdue, later) in [("A", "100", "1"), ("B", "300", "1"), ("C", "100", "5"), ("D", "200", "1"), ("E", "", "9")] {
            let id = customer(app, name, "vi", "VND").await;
            if !overdue.is_empty() {
                owed(app, &id, overdue, "VND", ("2026-09-01", "2026-10-01")).await;
            }
            owed(app, &id, later, "VND", ("2026-11-01", "2026-12-01")).await;
        }
        let settled = customer(app, "F", "vi", "VND").await;
        invoice(app, &settled, "70", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&settled, "70", "VND", "k")).await;
        let (mut names, mut after) = (Vec::new(), Value::Null);
        loop {
            let page = app.ask(AGEING, json!({ "first": 2, "after": after })).await["ageing"].clone();
            let edges = page["edges"].as_array().expect("edges").clone();
            names.extend(edges.iter().map(|edge| edge["node"]["customer"]["displayName"].clone()));
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        assert_eq!(names, ["B", "D", "A", "C", "E"], "and who owes nothing is not in it");
        let other = app.send(AGEING, json!({ "on": "2026-10-01", "after": after })).await;
        assert_eq!(other.error_code(), Some("BAD_REQUEST"), "a cursor belongs to its day");
        let filter = json!({ "displayName": { "in": ["A", "C"] } });
        let some = app.ask(AGEING, json!({ "filter": filter })).await["ageing"].clone();
        assert_eq!((&some["totals"][0]["overdue"]["amount"], some["edges"].as_array().map(Vec::len)), (&json!("200"), Some(2)));
        for first in [-1, 101] {
            assert_eq!(app.send(AGEING, json!({ "first": first })).await.error_code(), Some("BAD_REQUEST"));
        }
    }

    async fn ageing_tells_of_nobody_whose_books_one_does_not_see(app: App) {
        let narrow = role(app, &[("READ_CUSTOMERS", "OWN"), ("READ_FINANCE", "OWN")]).await;
        let blind = role(app, &[("READ_CUSTOMERS", "OWN"), ("READ_FINANCE", "ALL")]).await;
        let (lan, lans) = app.user(narrow).await;
        let (minh, _) = app.user(narrow).await;
        let (_, blinds) = app.user(blind).await;
        let (mine, theirs) = (customer_of(app, lan, "Mine").await, customer_of(app, minh, "Theirs").await);
        for (id, amount) in [(&mine, "10"), (&theirs, "500")] {
            owed(app, id, amount, "VND", ("2026-09-01", "2026-10-01")).await;
        }
        let figures = "query ($id: ID!) { receivablesFigures(from: \"2026-09-01\", until: \"2026-11-03\") { closing { amount } }
          creditProfile(customerId: $id) { customer { displayName } } }";
        let asked = app.send_as(Some(&lans), AGEING, json!({})).await.data["ageing"].clone();
        assert_eq!(asked["totals"][0]["balance"]["amount"], "10");
        assert_eq!(asked["edges"].as_array().map(Vec::len), Some(1));
        let told = app.send_as(Some(&lans), figures, json!({ "id": theirs })).await.data;
        assert_eq!(told, json!({ "receivablesFigures": [{ "closing": { "amount": "10" } }], "creditProfile": null }));
        // Whoever sees the books but not the customers is told amounts, and cannot find out names by a filter.
        let asked = app.send_as(Some(&blinds), AGEING, json!({})).await.data["ageing"].clone();
        assert_eq!((&asked["totals"][0]["balance"]["amount"], &asked["edges"][0]["node"]["customer"]), (&json!("510"), &Value::Null));
        let filter = json!({ "filter": { "displayName": { "eq": "Theirs" } } });
        let asked = app.send_as(Some(&blinds), AGEING, filter).await.data["ageing"].clone();
        assert_eq!((&asked["totals"], &asked["edges"]), (&json!([]), &json!([])));
        let sales = app.token_of(Role::Sales).await;
        assert_eq!(app.send_as(Some(&sales), AGEING, json!({})).await.error_code(), Some("FORBIDDEN"));
    }

    async fn figures_come_with_what_they_are_derived_from(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        owed(app, &lan, "2000", "VND", ("2026-08-01", "2026-08-31")).await;
        owed(app, &lan, "5000", "VND", ("2026-09-10", "2026-10-15")).await;
        paid(app, &lan, "4000", "VND", "2026-09-20").await;
        let query = "{ receivablesFigures(from: \"2026-09-01\", until: \"2026-09-30\", currency: \"VND\") {
          days opening { amount } invoiced { amount } credited { amount } writtenOff { amount } sales { amount } collected { amount }
          closing { amount } closingCurrent { amount } daysSalesOutstanding collectionEffectiveness } }";
        let figures = app.ask(query, json!({})).await["receivablesFigures"].clone();
        let amount = |amount: &str| json!({ "amount": amount });
        assert_eq!(figures, json!([{
            "days": 30, "opening": amount("2000"), "invoiced": amount("5000"), "credited": amount("0"),
            "writtenOff": amount("0"), "sales": amount("5000"), "collected": amount("4000"), "closing": amount("3000"), "closingCurrent": amount("3000"),
            "daysSalesOutstanding": "18", "collectionEffectiveness": "100",
        }]));
        let backwards = "{ receivablesFigures(from: \"2026-09-30\", until: \"2026-09-01\") { days } }";
        assert_eq!(app.send(backwards, json!({})).await.error_code(), Some("BAD_REQUEST"));
    }

    async fn how_well_a_customer_pays_follows_from_the_ledger(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        owed(app, &lan, "1000", "VND", ("2026-05-01", "2026-06-01")).await;
        paid(app, &lan, "1000", "VND", "2026-06-11").await;
        owed(app, &lan, "3000", "VND", ("2026-09-01", "2026-10-01")).await;
        paid(app, &lan, "2000", "VND", "2026-09-15").await;
        paid(app, &lan, "1000", "VND", "2026-10-01").await;
        owed(app, &lan, "500", "VND", ("2026-09-01", "2026-10-04")).await;
        owed(app, &lan, "700", "VND", ("2026-11-03", "2026-12-01")).await;
        let query = "query ($id: ID!) { creditProfile(customerId: $id) { customer { displayName } asOf currencies {
          currency settledCount settledAmount { amount } onTimeCount onTimeShare weightedDaysLate averageDaysLate medianDaysLate
          recentDaysLate earlierDaysLate trendDays openCount exposure { amount } overdue { amount } oldestOverdueDays
          largestOpen { amount } score { value parts { part points most } } } } }";
        let profile = app.ask(query, json!({ "id": lan })).await["creditProfile"].clone();
        let part = |part: &str, points: &str, most: i32| json!({ "part": part, "points": points, "most": most });
        assert_eq!(profile, json!({ "customer": { "displayName": "Lan" }, "asOf": "2026-11-03", "currencies": [{
            "currency": "VND", "settledCount": 2, "settledAmount": { "amount": "4000" }, "onTimeCount": 1, "onTimeShare": "0.5",
            "weightedDaysLate": "2.5", "averageDaysLate": "5", "medianDaysLate": "5", "recentDaysLate": "0",
            "earlierDaysLate": "10", "trendDays": "-10", "openCount": 2, "exposure": { "amount": "1200" },
            "overdue": { "amount": "500" }, "oldestOverdueDays": 30, "largestOpen": { "amount": "700" },
            "score": { "value": 73, "parts": [part("PUNCTUALITY", "20", 40), part("DELAY", "28.8", 30),
                part("TREND", "6.7", 10), part("OVERDUE", "17.9", 20)] },
        }] }));
        let nothing = json!({ "creditProfile": null });
        assert_eq!(app.ask(query, json!({ "id": "cus_x" })).await, nothing);
    }

    async fn buckets_and_unapplied_cash_are_the_balance_whatever_happens(app: App) {
        let handle = Handle::current();
        let config = Config { cases: 8, failure_persistence: None, ..Config::default() };
        let outcome = block_in_place(|| {
            TestRunner::new(config).run(&(deeds(14), any::<u16>()), |(deeds, days)| {
                handle.block_on(adds_up(app, &deeds, i64::from(days % 200)));
                Ok(())
            })
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }
}

/// Plays a history, and compares the ageing of a day with what its documents come to.
async fn adds_up(app: &App, deeds: &[Deed], days_ago: i64) {
    let customers = customers(app).await;
    for deed in deeds {
        happen(app, &customers, deed).await;
    }
    let today = app.clock.today(chrono_tz::Asia::Ho_Chi_Minh);
    let documents = Documents::load(app).await;
    for as_of in [today, today - TimeDelta::days(days_ago)] {
        compare(app, &documents, &customers, as_of).await;
    }
}

async fn compare(app: &App, documents: &Documents, customers: &[CustomerId], as_of: NaiveDate) {
    let db = app.db.reader();
    let viewer = viewer(app).await;
    let buckets = Buckets::new(vec![-10, 0, 7, 40]).expect("buckets");
    let question =
        Question { viewer: &viewer, as_of, buckets: &buckets, filter: None, currency: None };
    let rows = question.page(db, 10_000, None).await.expect("a page").rows;
    let balances = ledger::balances(db, customers, Some(as_of)).await.expect("balances");
    for customer in customers {
        let owed = documents.owed(*customer, as_of);
        let row = rows.iter().find(|row| row.customer == *customer);
        let aged = row.map(|row| (row.aged.buckets.clone(), row.aged.unapplied));
        let expected = buckets.ranges().into_iter().map(|range| {
            let days = |due_on: NaiveDate| (as_of - due_on).num_days();
            let within = owed.open.iter().filter(|(due_on, _)| range.contains(days(*due_on)));
            within.map(|(_, amount)| amount).sum::<i64>()
        });
        let expected = (expected.collect::<Vec<_>>(), owed.unapplied);
        assert_eq!(aged.unwrap_or((vec![0; 5], 0)), expected, "as of {as_of}");
        let balance = balances.iter().find(|balance| balance.customer_id == *customer);
        let aged = row.map_or(0, |row| row.aged.balance());
        assert_eq!(aged, balance.map_or(0, |balance| balance.amount), "as of {as_of}");
    }
    let totals = question.totals(db).await.expect("totals");
    let total = totals.iter().find(|total| total.currency == Currency::VND);
    let sum: i64 = rows.iter().map(|row| row.aged.balance()).sum();
    assert_eq!(total.map_or(0, Aged::balance), sum, "as of {as_of}");
}

/// Somebody who sees all.
async fn viewer(app: &App) -> Viewer {
    let (user, _) = app.user(Role::Administrator.id()).await;
    let viewer = user::viewer(app.db.reader(), user, app.clock.now()).await.expect("a viewer");
    viewer.expect("somebody who may log in")
}
