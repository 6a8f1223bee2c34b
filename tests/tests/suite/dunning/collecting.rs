//! What becomes of debts that are not simply paid: payment plans, write-offs, lawyers, and notices that somebody approves.

use chrono::TimeDelta;
use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::{
    EXPLAIN, ask, at, invoice, ladder, level, make, manage, notices, on, pay, publish, refused,
    subjects, usual,
};
use crate::given;

const PLAN: &str = "mutation ($input: AgreePaymentPlanInput!) { agreePaymentPlan(input: $input) {
  promise { id kind state amount { amount } paid { amount } promisedOn instalments { dueOn amount { amount } }
    items { invoice { promisedUntil } } } userErrors { code message field } } }";

const PLANNED: &str =
    "query ($id: ID!) { promiseToPay(id: $id) { kind state paid { amount } promisedOn settledOn
  items { invoice { promisedUntil } } } }";

const FIGURES: &str = "{ receivablesFigures(from: \"2026-11-01\", until: \"2026-11-09\") {
  sales { amount } credited { amount } writtenOff { amount } collected { amount } collectionEffectiveness } }";

const WRITE_OFF: &str = "mutation ($id: ID!) { writeOffInvoice(id: $id, input: { reason: \"Insolvent\" }) {
  invoice { state open { amount } credited { amount } creditNotes { kind number total { amount } reason } }
  userErrors { code message field } } }";

const REINSTATE: &str = "mutation ($id: ID!) { reinstateInvoice(id: $id, input: { reason: \"Paid after all\" }) {
  invoice { state open { amount } creditNotes { kind total { amount } } } userErrors { code message } } }";

const HAND_OVER: &str =
    "mutation ($id: ID!, $to: String!) { handOverInvoice(id: $id, input: { to: $to }) {
  invoice { handedOverOn handedOverTo } userErrors { code message field } } }";

const TAKE_BACK: &str = "mutation ($id: ID!) { takeBackInvoice(id: $id) {
  invoice { handedOverOn handedOverTo } userErrors { code message } } }";

const WAITING: &str =
    "{ dunningNotices(filter: { approval: { eq: WAITING } }) { nodes { id approval } } }";

fn decision(what: &str) -> String {
    format!(
        "mutation ($id: ID!) {{ {what}(id: $id) {{
           notice {{ approval approvedAt approvedBy {{ email }} }} userErrors {{ code message }} }} }}"
    )
}

fn instalments(of: &[(&str, &str)]) -> Value {
    let instalment = |(day, amount): &(&str, &str)| json!({ "dueOn": day, "amount": { "amount": amount, "currency": "VND" } });
    of.iter().map(instalment).collect()
}

fn last_three(app: &App) -> Vec<String> {
    let all = subjects(app);
    all[all.len().saturating_sub(3)..].to_vec()
}

on_both_stacks! {
    /// As long as each instalment comes by its day nothing is asked for; the first one that does not ends the plan.
    async fn a_payment_plan_takes_the_place_of_due_days_until_it_is_missed(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "900000", "VND", "2026-11-06").await;
        on(app, "2026-11-09").await;
        assert_eq!(subjects(app), ["Reminder: ₫900,000"]);
        let plan = [("2026-11-20", "300000"), ("2026-12-20", "300000"), ("2027-01-20", "300000")];
        let input = json!({ "customerId": lan, "instalments": instalments(&plan) });
        let made = make(app, "promise", PLAN, json!({ "input": input })).await;
        assert_eq!((&made["kind"], &made["state"], &made["amount"]["amount"]), (&json!("PLAN"), &json!("OPEN"), &json!("900000")));
        assert_eq!(made["instalments"].as_array().expect("instalments").len(), 3);
        assert_eq!(made["items"][0]["invoice"]["promisedUntil"], "2026-11-21");
        let of = async || ask(app, PLANNED, json!({ "id": made["id"] })).await["promiseToPay"].clone();

        on(app, "2026-11-19").await;
        pay(app, &lan, "200000", "VND").await;
        assert_eq!((&of().await["promisedOn"], &of().await["paid"]["amount"]), (&json!("2026-11-20"), &json!("200000")));
        pay(app, &lan, "100000", "VND").await;
        let kept = of().await;
        assert_eq!((&kept["promisedOn"], &kept["state"]), (&json!("2026-12-20"), &json!("OPEN")));
        assert_eq!(kept["items"][0]["invoice"]["promisedUntil"], "2026-12-21");
        on(app, "2026-12-21").await;
        assert_eq!(subjects(app).len(), 1, "nothing is asked for while the plan is kept");

        on(app, "2026-12-22").await;
        let missed = of().await;
        assert_eq!((&missed["state"], &missed["settledOn"]), (&json!("PARTLY_KEPT"), &json!("2026-12-22")));
        assert_eq!(missed["items"][0]["invoice"]["promisedUntil"], Value::Null);
        assert_eq!(subjects(app)[1..], ["Second: ₫600,000"]);
    }

    async fn a_payment_plan_that_is_paid_is_kept_and_one_that_makes_no_sense_is_refused(app: App) {
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "500000", "VND", "2026-11-06").await;
        let no = async |of: &[(&str, &str)]| {
            refused(app, PLAN, json!({ "input": { "customerId": lan, "instalments": instalments(of) } })).await
        };
        let field = json!(["input", "instalments"]);
        assert_eq!(no(&[("2026-11-20", "500000")]).await["field"], field);
        assert_eq!(no(&[("2026-11-20", "1"), ("2026-11-20", "2")]).await["field"], field);
        assert_eq!(no(&[("2026-11-02", "1"), ("2026-11-20", "2")]).await["field"], field);
        assert_eq!(no(&[("2026-11-04", "1"), ("2036-11-20", "2")]).await["field"], field);
        assert_eq!(no(&[("2026-11-04", "0"), ("2026-11-20", "2")]).await["code"], "INVALID");
        assert_eq!(no(&[("2026-11-04", "500000"), ("2026-11-20", "1")]).await["field"], json!(["input", "amount"]));
        let plan = instalments(&[("2026-11-10", "200000"), ("2026-11-17", "300000")]);
        let input = json!({ "customerId": lan, "instalments": plan });
        let made = make(app, "promise", PLAN, json!({ "input": input })).await;
        pay(app, &lan, "500000", "VND").await;
        let kept = ask(app, PLANNED, json!({ "id": made["id"] })).await["promiseToPay"].clone();
        assert_eq!((&kept["state"], &kept["paid"]["amount"]), (&json!("KEPT"), &json!("500000")));
    }

    /// What is written off is not asked for; when money comes in after all it is owed again, and the ledger balances all along.
    async fn what_is_written_off_is_given_up_until_it_is_owed_again(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let owed = invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        pay(app, &lan, "300000", "VND").await;
        let id = json!({ "id": owed["id"] });
        let forbidden = app.send_as(Some(&app.token_of(Role::Sales).await), WRITE_OFF, id.clone()).await;
        assert_eq!(forbidden.error_code(), Some("FORBIDDEN"));
        at(app, "2026-11-09T09:00").await;
        let off = manage(app, "invoice", WRITE_OFF, id.clone()).await;
        assert_eq!((&off["state"], &off["open"]["amount"], &off["credited"]["amount"]), (&json!("WRITTEN_OFF"), &json!("0"), &json!("700000")));
        let note = &off["creditNotes"][0];
        assert_eq!((&note["kind"], &note["number"], &note["reason"]), (&json!("WRITE_OFF"), &json!("WOF-2026-000001"), &json!("Insolvent")));
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        assert!(subjects(app).is_empty(), "{:?}", subjects(app));
        let message = notices(app).await[0]["messages"][0].clone();
        assert_eq!((&message["state"], &message["reason"]), (&json!("SUPPRESSED"), &json!("WRITTEN_OFF")));
        assert_eq!(refused(app, WRITE_OFF, id.clone()).await["code"], "INVALID_STATE");
        let booked = "SELECT CAST(coalesce(sum(amount), 0) AS bigint) AS n FROM ledger_entry WHERE account = ";
        assert_eq!(app.number(&format!("{booked}'BAD_DEBT'")).await, 700_000);
        assert_eq!(app.number(&format!("{booked}'RECEIVABLE'")).await, 0);
        let figures = ask(app, FIGURES, json!({})).await["receivablesFigures"][0].clone();
        let amount = |amount: &str| json!({ "amount": amount });
        assert_eq!(figures, json!({
            "sales": amount("1000000"), "credited": amount("0"), "writtenOff": amount("700000"), "collected": amount("300000"),
            "collectionEffectiveness": "30",
        }));

        let again = manage(app, "invoice", REINSTATE, id.clone()).await;
        assert_eq!((&again["state"], &again["open"]["amount"]), (&json!("OPEN"), &json!("700000")));
        assert_eq!(again["creditNotes"][1], json!({ "kind": "REINSTATEMENT", "total": { "amount": "700000" } }));
        assert_eq!(refused(app, REINSTATE, id.clone()).await["code"], "INVALID_STATE");
        assert_eq!(app.number(&format!("{booked}'BAD_DEBT'")).await, 0);
        pay(app, &lan, "700000", "VND").await;
        assert_eq!(app.number("SELECT count(*) AS n FROM invoice WHERE state = 'PAID'").await, 1);
        assert_eq!(app.number("SELECT CAST(sum(amount) AS bigint) AS n FROM ledger_entry").await, 0);
    }

    /// A promise is not kept by giving up what it is about.
    async fn a_promise_about_what_is_written_off_is_not_kept(app: App) {
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let owed = invoice(app, &lan, "500000", "VND", "2026-11-06").await;
        let plan = instalments(&[("2026-11-10", "200000"), ("2026-11-17", "300000")]);
        let input = json!({ "customerId": lan, "instalments": plan });
        let made = make(app, "promise", PLAN, json!({ "input": input })).await;
        manage(app, "invoice", WRITE_OFF, json!({ "id": owed["id"] })).await;
        on(app, "2026-11-12").await;
        let broken = ask(app, PLANNED, json!({ "id": made["id"] })).await["promiseToPay"].clone();
        assert_eq!(broken["state"], "BROKEN");
    }

    /// What a lawyer asks for nobody here asks for, until it is taken back.
    async fn what_was_handed_over_is_asked_for_by_nobody_here(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let owed = invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        at(app, "2026-11-09T09:00").await;
        let to = json!({ "id": owed["id"], "to": "Luật sư Trần" });
        let over = manage(app, "invoice", HAND_OVER, to.clone()).await;
        assert_eq!(over, json!({ "handedOverOn": "2026-11-09", "handedOverTo": "Luật sư Trần" }));
        assert_eq!(refused(app, HAND_OVER, to).await["code"], "INVALID_STATE");
        let nobody = refused(app, HAND_OVER, json!({ "id": owed["id"], "to": " " })).await;
        assert_eq!(nobody["code"], "INVALID_STATE");
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        let message = notices(app).await[0]["messages"][0].clone();
        assert_eq!((&message["state"], &message["reason"]), (&json!("SUPPRESSED"), &json!("HANDED_OVER")));
        on(app, "2026-11-20").await;
        assert!(subjects(app).is_empty());
        let worklist = "{ collectionWorklist(first: 10) { edges { cursor } } }";
        assert_eq!(ask(app, worklist, json!({})).await["collectionWorklist"]["edges"], json!([]));
        let back = manage(app, "invoice", TAKE_BACK, json!({ "id": owed["id"] })).await;
        assert_eq!(back["handedOverOn"], Value::Null);
        assert_eq!(refused(app, TAKE_BACK, json!({ "id": owed["id"] })).await["code"], "INVALID_STATE");
        on(app, "2026-11-21").await;
        assert_eq!(subjects(app), ["Second: ₫1,000,000"]);
    }

    /// Who has paid all, the day after it was asked, is told not to mind; who still owes something is not.
    async fn a_payment_that_crosses_with_a_notice_is_thanked_for(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let preset = "{ workflows(filter: { preset: { eq: \"payment-crossed\" } }) { nodes { id } } }";
        let preset = app.send_as(Some(&token), preset, json!({})).await.data["workflows"]["nodes"][0]["id"].clone();
        let copy = "mutation ($id: ID!) { copyWorkflow(id: $id, name: \"Thanks\") { workflow { id } userErrors { code } } }";
        let copied = manage(app, "workflow", copy, json!({ "id": preset })).await;
        manage(app, "workflow", given::PUBLISH_WORKFLOW, json!({ "id": copied["id"] })).await;
        publish(app, &ladder(&json!([level(3, "Reminder")]))).await;
        let mut customers = Vec::new();
        for (name, language) in [("All", "en"), ("Part", "en"), ("Late", "en"), ("Tất cả", "vi")] {
            let customer = given::customer(app, name, language, "VND").await;
            invoice(app, &customer, "1000000", "VND", "2026-11-06").await;
            customers.push(customer);
        }
        on(app, "2026-11-09").await;
        pay(app, &customers[1], "999999", "VND").await;
        on(app, "2026-11-10").await;
        pay(app, &customers[0], "1000000", "VND").await;
        pay(app, &customers[3], "1000000", "VND").await;
        app.drain().await;
        on(app, "2026-11-13").await;
        pay(app, &customers[2], "1000000", "VND").await;
        app.drain().await;
        let mut thanks = subjects(app);
        thanks.retain(|subject| subject.contains("Thank you") || subject.contains("Cảm ơn"));
        thanks.sort();
        assert_eq!(thanks, ["Cảm ơn Quý khách đã thanh toán", "Thank you for your payment"]);
    }

    /// A level that has to be approved waits until somebody has; who says no stops that notice and not the ladder.
    async fn a_notice_that_has_to_be_approved_waits_for_it(app: App) {
        let mut second = level(10, "Second");
        second["approval"] = json!(true);
        publish(app, &ladder(&json!([level(3, "Reminder"), second, level(20, "Third")]))).await;
        for name in ["Yes", "No", "Never"] {
            let customer = given::customer(app, name, "en", "VND").await;
            invoice(app, &customer, "1000000", "VND", "2026-11-06").await;
        }
        on(app, "2026-11-09").await;
        assert_eq!(subjects(app).len(), 3);
        on(app, "2026-11-16").await;
        assert_eq!(subjects(app).len(), 3);
        let waiting = ask(app, WAITING, json!({})).await["dunningNotices"]["nodes"].clone();
        assert_eq!(waiting.as_array().map(Vec::len), Some(3));
        let of = async |name: &str| {
            let all = notices(app).await;
            let mut of = all.into_iter().filter(|one| one["customer"]["displayName"] == name && one["level"] == 2);
            of.next().expect(name)
        };
        let message = of("Yes").await["messages"][0].clone();
        assert_eq!((&message["state"], &message["reason"]), (&json!("DEFERRED"), &json!("UNAPPROVED")));
        let why = ask(app, EXPLAIN, json!({ "id": message["id"] })).await["explainMessage"]["explanation"].clone();
        let checks = why["checks"].as_array().expect("checks");
        assert!(checks.iter().any(|check| check["reason"] == "UNAPPROVED" && check["rule"] == "DEBT"), "{why}");

        let yes = of("Yes").await["id"].clone();
        let forbidden = app.send_as(Some(&app.token_of(Role::Sales).await), &decision("approveDunningNotice"), json!({ "id": yes })).await;
        assert_eq!(forbidden.error_code(), Some("FORBIDDEN"));
        let decided = manage(app, "notice", &decision("approveDunningNotice"), json!({ "id": yes })).await;
        assert_eq!(decided["approval"], "APPROVED");
        assert!(decided["approvedBy"]["email"].is_string() && decided["approvedAt"].is_string(), "{decided}");
        let no = of("No").await["id"].clone();
        manage(app, "notice", &decision("rejectDunningNotice"), json!({ "id": no })).await;
        assert_eq!(refused(app, &decision("approveDunningNotice"), json!({ "id": no })).await["code"], "INVALID_STATE");
        app.drain().await;
        assert_eq!(subjects(app)[3..], ["Second: ₫1,000,000"], "at once, and that one alone");
        on(app, "2026-11-17").await;
        let message = of("No").await["messages"][0].clone();
        assert_eq!((&message["state"], &message["reason"]), (&json!("SUPPRESSED"), &json!("REJECTED")));
        on(app, "2026-11-26").await;
        assert_eq!(last_three(app), ["Third: ₫1,000,000", "Third: ₫1,000,000", "Third: ₫1,000,000"]);
        on(app, "2026-11-27").await;
        let message = of("Never").await["messages"][0].clone();
        assert_eq!((&message["state"], &message["reason"]), (&json!("SUPPRESSED"), &json!("SUPERSEDED")));
    }
}
