//! What is charged for being late.

use chrono::TimeDelta;
use serde_json::json;
use tests::on_both_stacks;

use super::{ask, at, invoice, ladder, level, make, notices, on, pay, publish, subjects};
use crate::given::{self, RECORD_PAYMENT};

on_both_stacks! {
    /// A fee is an invoice of its own, once for a level, and falls away for who pays in time.
    async fn a_fee_is_charged_once_with_its_notice(app: App) {
        let charging = |days, name| {
            let mut level = level(days, name);
            level["fee"] = json!([{ "amount": "50000", "currency": "VND" }, { "amount": "40", "currency": "EUR" }]);
            level["waivedDays"] = json!(5);
            level
        };
        publish(app, &ladder(&json!([charging(3, "Reminder"), charging(10, "Second")]))).await;
        let soon = given::customer(app, "Soon", "en", "VND").await;
        let late = given::customer(app, "Late", "en", "EUR").await;
        let gone = given::customer(app, "Gone", "en", "VND").await;
        invoice(app, &soon, "1000000", "VND", "2026-11-06").await;
        invoice(app, &late, "99.95", "EUR", "2026-11-06").await;
        invoice(app, &gone, "1000000", "VND", "2026-11-06").await;
        at(app, "2026-11-09T09:00").await;
        pay(app, &gone, "1000000", "VND").await;
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        at(app, "2026-11-09T23:00").await;
        let mut sent = subjects(app);
        sent.sort();
        assert_eq!(sent, ["Reminder: ₫1,050,000", "Reminder: €139.95"]);
        let charges = "{ invoices(filter: { kind: { eq: LATE_FEE } }, orderBy: [{ field: NUMBER }]) { nodes {
          number state total { amount } customer { displayName } about { charges { number } } } } }";
        let charged = ask(app, charges, json!({})).await["invoices"]["nodes"].as_array().expect("charges").clone();
        assert_eq!(charged.len(), 2, "nothing for who has paid: {charged:?}");
        assert!(charged.iter().all(|one| one["about"]["charges"][0]["number"] == one["number"] && one["state"] == "OPEN"));
        assert_eq!(charged[0]["number"], "LPC-2026-000001");
        for notice in notices(app).await.iter().filter(|notice| !notice["total"].is_null()) {
            let fee = if notice["currency"] == "EUR" { "40.00" } else { "50000" };
            assert_eq!(notice["charged"]["amount"], fee);
        }

        at(app, "2026-11-12T10:00").await;
        pay(app, &soon, "1000000", "VND").await;
        on(app, "2026-11-16").await;
        pay(app, &late, "99.95", "EUR").await;
        let charged = ask(app, charges, json!({})).await["invoices"]["nodes"].as_array().expect("charges").clone();
        let mut states = charged.iter().map(|one| format!("{} {}", one["customer"]["displayName"], one["state"])).collect::<Vec<_>>();
        states.sort();
        assert_eq!(states, [r#""Late" "OPEN""#, r#""Late" "VOID""#, r#""Soon" "VOID""#], "the first one was charged too long ago");
        assert!(subjects(app).contains(&"Second: €179.95".to_owned()), "{:?}", subjects(app));
    }

    /// Interest is simple and by days, on what was open, and stays when that is paid.
    async fn interest_is_charged_for_the_days_that_have_none_yet(app: App) {
        let charging = |days, name| {
            let mut level = level(days, name);
            level["interest"] = json!({ "agreed": "0.1" });
            level
        };
        publish(app, &ladder(&json!([charging(3, "Reminder"), charging(10, "Second")]))).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let owed = invoice(app, &lan, "3650000", "VND", "2026-11-06").await;
        on(app, "2026-11-09").await;
        assert_eq!(subjects(app), ["Reminder: ₫3,653,000"], "three days at a thousand");
        pay(app, &lan, "1825000", "VND").await;
        on(app, "2026-11-16").await;
        // Seven days at five hundred.
        assert_eq!(subjects(app)[1..], ["Second: ₫1,831,500"]);
        let allocation = json!([{ "invoiceId": owed["id"], "amount": "1825000" }]);
        let amount = json!({ "amount": "1825000", "currency": "VND" });
        let input = json!({ "customerId": lan, "amount": amount, "allocations": allocation });
        make(app, "payment", RECORD_PAYMENT, json!({ "input": input, "key": "rest" })).await;
        let open = ask(app, "query ($id: ID!) { customer(id: $id) { balance { amount } } }", json!({ "id": lan })).await;
        assert_eq!(open["customer"]["balance"]["amount"], "6500");
        assert_eq!(app.number("SELECT count(*) AS n FROM invoice WHERE kind = 'INTEREST'").await, 2);
        let rates = ask(app, "{ interestRates { key most sources rates { from rate } } }", json!({})).await;
        let law = &rates["interestRates"][1];
        assert_eq!((&law["key"], &law["most"], &law["rates"][0]["rate"]), (&json!("vn-civil-code"), &json!("0.2"), &json!("0.1")));
    }
}
