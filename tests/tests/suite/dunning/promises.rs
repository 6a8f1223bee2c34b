//! What holds levels back: promises, disputes, customers who are left in peace, and money that nobody has assigned yet.

use chrono::TimeDelta;
use serde_json::json;
use tests::on_both_stacks;

use super::{
    CANCEL_PROMISE, OPEN_DISPUTE, RECORD_PROMISE, RESOLVE_DISPUTE, SET_DUNNING, ask, invoice, make,
    notices, on, pay, promises, publish, subjects, usual,
};
use crate::given::{self, RECORD_PAYMENT, REVERSE_PAYMENT};

on_both_stacks! {
    /// Nothing is asked for until a promise is over; a broken one brings the next level on.
    async fn a_promise_holds_levels_back_and_a_broken_one_brings_the_next_on(app: App) {
        publish(app, &usual()).await;
        let kept = given::customer(app, "Kept", "en", "VND").await;
        let broken = given::customer(app, "Broken", "en", "VND").await;
        let partly = given::customer(app, "Partly", "en", "VND").await;
        for customer in [&kept, &broken, &partly] {
            invoice(app, customer, "1000000", "VND", "2026-11-06").await;
        }
        on(app, "2026-11-09").await;
        let mut promised = Vec::new();
        for customer in [&kept, &broken, &partly] {
            promised.push(promises(app, customer, "1000000", "2026-11-12").await);
        }
        assert_eq!(promised[0]["items"][0]["invoice"]["promisedUntil"], "2026-11-13");
        let state = "query ($id: ID!) { promiseToPay(id: $id) { state paid { amount } settledOn } }";
        pay(app, &kept, "1000000", "VND").await;
        let one = ask(app, state, json!({ "id": promised[0]["id"] })).await["promiseToPay"].clone();
        assert_eq!(one, json!({ "state": "KEPT", "paid": { "amount": "1000000" }, "settledOn": "2026-11-09" }));
        pay(app, &partly, "250000", "VND").await;
        on(app, "2026-11-13").await;
        assert_eq!(subjects(app).len(), 3, "the day of grace is not over");
        on(app, "2026-11-14").await;
        let one = ask(app, state, json!({ "id": promised[1]["id"] })).await["promiseToPay"].clone();
        assert_eq!((&one["state"], &one["settledOn"]), (&json!("BROKEN"), &json!("2026-11-14")));
        let one = ask(app, state, json!({ "id": promised[2]["id"] })).await["promiseToPay"].clone();
        assert_eq!((&one["state"], &one["paid"]["amount"]), (&json!("PARTLY_KEPT"), &json!("250000")));
        assert_eq!(subjects(app)[3..], ["Second: ₫1,000,000"], "two days before it would have come");
        on(app, "2026-11-16").await;
        assert_eq!(subjects(app)[4..], ["Second: ₫750,000"]);
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'promise.broken'").await, 2);
    }

    /// There are few promises, for not more than is owed; one can be called off.
    async fn a_promise_says_what_is_wrong(app: App) {
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        let refused = async |amount: &str, day: &str| {
            let input = json!({ "customerId": lan, "amount": { "amount": amount, "currency": "VND" }, "promisedOn": day });
            ask(app, RECORD_PROMISE, json!({ "input": input })).await["recordPromise"]["userErrors"][0].clone()
        };
        assert_eq!(refused("1000001", "2026-11-12").await["field"], json!(["input", "amount"]));
        assert_eq!(refused("1000", "2026-11-02").await["field"], json!(["input", "promisedOn"]));
        assert_eq!(refused("1000", "2027-11-02").await["field"], json!(["input", "promisedOn"]));
        let first = promises(app, &lan, "300000", "2026-11-12").await;
        promises(app, &lan, "300000", "2026-11-12").await;
        assert_eq!(refused("1000", "2026-11-12").await["code"], "INVALID_STATE");
        let cancelled = make(app, "promise", CANCEL_PROMISE, json!({ "id": first["id"] })).await;
        assert_eq!(cancelled["state"], "CANCELLED");
        let again = ask(app, CANCEL_PROMISE, json!({ "id": first["id"] })).await;
        assert_eq!(again["cancelPromise"]["userErrors"][0]["code"], "INVALID_STATE");
        promises(app, &lan, "300000", "2026-11-12").await;
    }

    /// What is disputed is not asked for, the rest is; what the customer is right about is credited.
    async fn a_dispute_holds_back_what_it_is_about(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let owed = invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        let open = async |amount: &str| {
            let amount = json!({ "amount": amount, "currency": "VND" });
            ask(app, OPEN_DISPUTE, json!({ "input": { "invoiceId": owed["id"], "cause": "PRICE", "amount": amount } })).await["openDispute"].clone()
        };
        let part = open("400000").await["dispute"].clone();
        assert_eq!(part["invoice"], json!({ "disputed": true, "disputedAmount": { "amount": "400000" } }));
        assert_eq!(open("600001").await["userErrors"][0]["code"], "EXCEEDS_OPEN");
        on(app, "2026-11-09").await;
        assert_eq!(subjects(app), ["Reminder: ₫600,000"]);
        let rest = open("600000").await["dispute"].clone();
        on(app, "2026-11-16").await;
        assert_eq!(subjects(app).len(), 1, "all of it is disputed");
        let silent = json!({ "id": rest["id"], "input": { "verdict": "REJECTED", "resolution": " " } });
        let silent = ask(app, RESOLVE_DISPUTE, silent).await;
        assert_eq!(silent["resolveDispute"]["userErrors"][0]["field"], json!(["input", "resolution"]));
        let rejected = json!({ "id": rest["id"], "input": { "verdict": "REJECTED", "resolution": "Delivered" }, "version": 1 });
        let rejected = make(app, "dispute", RESOLVE_DISPUTE, rejected).await;
        assert_eq!((&rejected["state"], &rejected["invoice"]["disputed"]), (&json!("REJECTED"), &json!(true)));
        let amount = json!({ "amount": "150000", "currency": "VND" });
        let upheld = json!({ "id": part["id"], "input": { "verdict": "UPHELD", "amount": amount, "resolution": "Two were broken" } });
        let upheld = make(app, "dispute", RESOLVE_DISPUTE, upheld).await;
        assert_eq!(upheld["creditNote"]["total"]["amount"], "150000");
        assert_eq!(upheld["invoice"], json!({ "state": "OPEN", "disputed": false, "open": { "amount": "850000" } }));
        let over = json!({ "id": part["id"], "input": { "verdict": "WITHDRAWN", "resolution": "Again" } });
        let over = ask(app, RESOLVE_DISPUTE, over).await;
        assert_eq!(over["resolveDispute"]["userErrors"][0]["code"], "INVALID_STATE");
        on(app, "2026-11-18").await;
        assert_eq!(subjects(app).len(), 1, "there are three days after a dispute");
        on(app, "2026-11-19").await;
        assert_eq!(subjects(app)[1..], ["Second: ₫850,000"]);
    }

    /// A customer is asked for nothing until a day, and then goes on where it was.
    async fn a_customer_is_left_in_peace_for_a_while(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        let pause = json!({ "id": lan, "input": { "pausedUntil": "2026-11-11" } });
        let paused = make(app, "customer", SET_DUNNING, pause).await;
        assert_eq!((&paused["dunningExcluded"], &paused["dunningPausedUntil"]), (&json!(false), &json!("2026-11-11")));
        on(app, "2026-11-11").await;
        assert!(subjects(app).is_empty());
        on(app, "2026-11-12").await;
        assert_eq!(subjects(app), ["Reminder: ₫1,000,000"]);
        let exclude = json!({ "id": lan, "input": { "excluded": true, "pausedUntil": null } });
        make(app, "customer", SET_DUNNING, exclude).await;
        on(app, "2026-11-26").await;
        assert_eq!(subjects(app).len(), 1);
        let include = json!({ "id": lan, "input": { "excluded": false } });
        make(app, "customer", SET_DUNNING, include).await;
        app.drain().await;
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        assert_eq!(subjects(app)[1..], ["Second: ₫1,000,000"]);
        let late = json!({ "id": lan, "input": { "pausedUntil": "2026-11-01" } });
        let late = ask(app, SET_DUNNING, late).await;
        assert_eq!(late["setDunning"]["userErrors"][0]["code"], "INVALID");
    }

    /// Money that nobody has said the purpose of yet holds a notice back for a day of business.
    async fn money_that_settles_nothing_yet_is_waited_for(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-10").await;
        let amount = json!({ "amount": "1000000", "currency": "VND" });
        let input = json!({ "customerId": lan, "amount": amount, "allocations": [] });
        let paid = make(app, "payment", RECORD_PAYMENT, json!({ "input": input, "key": "advance" })).await;
        // Friday.
        on(app, "2026-11-13").await;
        let message = notices(app).await[0]["messages"][0].clone();
        assert_eq!((&message["state"], &message["reason"]), (&json!("DEFERRED"), &json!("PENDING_RECEIPT")));
        on(app, "2026-11-15").await;
        assert!(subjects(app).is_empty());
        make(app, "payment", REVERSE_PAYMENT, json!({ "id": paid["id"], "reason": "Returned by the bank" })).await;
        on(app, "2026-11-16").await;
        assert!(subjects(app).contains(&"Reminder: ₫1,000,000".to_owned()), "{:?}", subjects(app));
    }
}
