//! Levels: which come, when, with what, and what becomes of them on the way.

use chrono::TimeDelta;
use entity::access::Role;
use serde_json::{Value, json};
use tests::on_both_stacks;

use super::{
    EXPLAIN, OPEN_DISPUTE, SET_DUNNING, ask, at, invoice, ladder, level, make, notices, on, pay,
    promises, publish, subjects, usual,
};
use crate::given::{self, REVERSE_PAYMENT};

on_both_stacks! {
    /// Each level once, with what is open at the moment, until it is paid; the mail has the notice as a file.
    async fn an_invoice_goes_from_level_to_level_until_it_is_paid(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-10").await;
        on(app, "2026-11-06").await;
        assert!(subjects(app).is_empty());
        on(app, "2026-11-07").await;
        on(app, "2026-11-08").await;
        assert_eq!(subjects(app), ["Courtesy: ₫1,000,000"]);
        on(app, "2026-11-13").await;
        pay(app, &lan, "400000", "VND").await;
        on(app, "2026-11-20").await;
        on(app, "2026-11-21").await;
        assert_eq!(subjects(app), ["Courtesy: ₫1,000,000", "Reminder: ₫1,000,000", "Second: ₫600,000"]);
        let asked = notices(app).await;
        let last = &asked[2];
        assert_eq!((&last["level"], &last["total"]["amount"], &last["invoices"]), (&json!(3), &json!("600000"), &json!(1)));
        assert_eq!(last["firstDueOn"], "2026-11-10");
        assert_eq!((&last["items"][0]["level"], &last["items"][0]["daysLate"]), (&json!(3), &json!(10)));
        assert_eq!(last["items"][0]["invoice"]["dunningLevel"], 3);
        let mail = app.mailbox.mails().last().expect("a mail").raw.clone();
        let mail = mail_parser::MessageParser::default().parse(&mail).expect("a mail");
        let file = mail.attachments().next().expect("a file").contents();
        assert!(file.starts_with(b"%PDF"), "the notice is attached");
        let text = mail.body_text(0).expect("a text");
        assert!(text.contains("Days overdue: 10") && text.contains("To pay: ₫600,000"), "{text}");

        pay(app, &lan, "600000", "VND").await;
        app.drain().await;
        on(app, "2026-12-20").await;
        assert_eq!(notices(app).await.len(), 3);
        let ended = "SELECT count(*) AS n FROM workflow_run AS r JOIN invoice AS i ON i.id = r.record_id WHERE r.state = 'COMPLETED'";
        assert_eq!(app.number(ended).await, 1);
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'invoice.settled'").await, 1);
    }

    /// Two ladders over one invoice ask once for each level, and both go on.
    async fn a_level_that_another_ladder_has_asked_for_is_not_asked_for_again(app: App) {
        publish(app, &usual()).await;
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-10").await;
        on(app, "2026-11-13").await;
        on(app, "2026-11-20").await;
        assert_eq!(subjects(app), ["Reminder: ₫1,000,000", "Second: ₫1,000,000"]);
        pay(app, &lan, "1000000", "VND").await;
        app.drain().await;
        on(app, "2026-12-20").await;
        let ended = "SELECT count(*) AS n FROM workflow_run AS r JOIN invoice AS i ON i.id = r.record_id WHERE r.state = 'COMPLETED'";
        assert_eq!(app.number(ended).await, 2);
    }

    /// A payment, a dispute or a promise that comes between planning and sending is seen.
    async fn what_is_owed_is_looked_at_when_a_notice_leaves(app: App) {
        publish(app, &usual()).await;
        let mut customers = Vec::new();
        for name in ["Paid", "Partly", "Disputed", "Promised", "Excluded", "Voided", "Kept"] {
            let customer = given::customer(app, name, "en", "VND").await;
            let owed = invoice(app, &customer, "1000000", "VND", "2026-11-10").await;
            customers.push((customer, owed["id"].clone()));
        }
        at(app, "2026-11-13T09:00").await;
        assert_eq!(notices(app).await.len(), 7, "what is due already begins with the reminder");
        assert!(subjects(app).is_empty(), "they wait for others");
        pay(app, &customers[0].0, "1000000", "VND").await;
        pay(app, &customers[1].0, "300000", "VND").await;
        let dispute = json!({ "input": { "invoiceId": customers[2].1, "cause": "QUALITY" } });
        make(app, "dispute", OPEN_DISPUTE, dispute).await;
        promises(app, &customers[3].0, "1000000", "2026-11-20").await;
        let excluded = json!({ "id": customers[4].0, "input": { "excluded": true } });
        make(app, "customer", SET_DUNNING, excluded).await;
        let void = "mutation ($id: ID!) { voidInvoice(id: $id, input: { reason: \"Wrong\" }) { invoice { id } userErrors { code } } }";
        make(app, "invoice", void, json!({ "id": customers[5].1 })).await;
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        let mut sent = subjects(app);
        sent.sort();
        assert_eq!(sent, ["Reminder: ₫1,000,000", "Reminder: ₫700,000"]);
        for (name, reason) in [("Paid", "PAID"), ("Disputed", "DISPUTED"), ("Promised", "PROMISED"), ("Excluded", "EXCLUDED"), ("Voided", "VOIDED")] {
            let notices = notices(app).await;
            let notice = notices.iter().find(|notice| notice["customer"]["displayName"] == name).expect(name);
            let message = &notice["messages"][0];
            assert_eq!((&message["state"], &message["reason"]), (&json!("SUPPRESSED"), &json!(reason)), "{name}");
            assert_eq!(notice["total"], Value::Null);
            let why = ask(app, EXPLAIN, json!({ "id": message["id"] })).await["explainMessage"]["explanation"].clone();
            assert_eq!((&why["checks"][0]["rule"], &why["checks"][0]["reason"]), (&json!("DEBT"), &json!(reason)), "{why}");
        }
    }

    /// All that a customer owes in a currency goes together, each invoice with its own level; currencies never do.
    async fn a_customer_is_asked_once_for_all_of_a_currency(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let minh = given::customer(app, "Minh", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        on(app, "2026-11-09").await;
        assert_eq!(subjects(app), ["Reminder: ₫1,000,000"]);
        invoice(app, &lan, "2000000", "VND", "2026-11-13").await;
        invoice(app, &lan, "3000000", "VND", "2026-11-13").await;
        invoice(app, &lan, "99.95", "EUR", "2026-11-13").await;
        invoice(app, &minh, "4000000", "VND", "2026-11-13").await;
        on(app, "2026-11-10").await;
        on(app, "2026-11-16").await;
        let notices = notices(app).await;
        let of = |name: &str, currency: &str| {
            let of = notices.iter().filter(|one| one["customer"]["displayName"] == name && one["currency"] == currency);
            of.cloned().collect::<Vec<_>>()
        };
        let lans = of("Lan", "VND");
        let together = lans.last().expect("a notice");
        assert_eq!((&together["level"], &together["total"]["amount"]), (&json!(3), &json!("6000000")));
        assert_eq!(together["invoices"], 3);
        let mut levels = together["items"].as_array().expect("items").iter().map(|item| item["level"].as_i64()).collect::<Vec<_>>();
        levels.sort();
        assert_eq!(levels, [Some(2), Some(2), Some(3)]);
        assert_eq!(of("Lan", "EUR").last().expect("a notice")["total"]["amount"], "99.95");
        assert_eq!(of("Minh", "VND").len(), 2);
        let twice = "SELECT count(*) AS n FROM (SELECT invoice_id FROM dunning_item GROUP BY invoice_id, level HAVING count(*) > 1) AS twice";
        assert_eq!(app.number(twice).await, 0);
    }

    /// A payment that is taken back opens the invoice again, which goes on where it was.
    async fn an_invoice_that_is_open_again_goes_on_where_it_was(app: App) {
        publish(app, &usual()).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        on(app, "2026-11-09").await;
        let paid = pay(app, &lan, "1000000", "VND").await;
        app.drain().await;
        on(app, "2026-11-20").await;
        assert_eq!(notices(app).await.len(), 1);
        make(app, "payment", REVERSE_PAYMENT, json!({ "id": paid["id"], "reason": "Returned by the bank" })).await;
        on(app, "2026-11-21").await;
        on(app, "2026-11-22").await;
        let notices = notices(app).await;
        assert_eq!(notices.len(), 2);
        assert_eq!(notices[1]["level"], 3);
        assert_eq!(app.number("SELECT count(*) AS n FROM event WHERE kind = 'invoice.reopened'").await, 1);
    }

    /// The last level plans a call, which is a notice of its own kind.
    async fn a_level_plans_a_call(app: App) {
        let call = json!({ "subject": "Unpaid", "purpose": "COLLECTION", "planned": { "on": { "at": "10:00" } } });
        publish(app, &ladder(&json!([level(3, "Reminder"), { "days": 6, "call": call }]))).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        invoice(app, &lan, "1000000", "VND", "2026-11-06").await;
        on(app, "2026-11-09").await;
        on(app, "2026-11-12").await;
        let calls = ask(app, "{ calls { nodes { subject purpose plannedAt customer { displayName } } } }", json!({})).await;
        let call = &calls["calls"]["nodes"][0];
        assert_eq!((&call["subject"], &call["plannedAt"]), (&json!("Unpaid"), &json!("2026-11-13T03:00:00+00:00")));
        let last = notices(app).await.pop().expect("a notice");
        assert_eq!((&last["channel"], &last["level"], &last["messages"]), (&json!("PHONE"), &json!(2), &json!([])));
        on(app, "2026-12-20").await;
        assert_eq!(notices(app).await.len(), 2);
    }

    /// What a forecast says is what comes when the clock is turned.
    async fn a_ladder_is_foreseen_as_it_comes(app: App) {
        for (name, due) in [("Lan", "2026-11-06"), ("Lan", "2026-11-06"), ("Minh", "2026-11-12"), ("Đạt", "2026-12-30")] {
            let customer = given::customer(app, name, "en", "VND").await;
            invoice(app, &customer, "1000000", "VND", due).await;
        }
        let token = app.token_of(Role::Administrator).await;
        let made = json!({ "input": { "name": "Ladder", "definition": usual() } });
        let made = app.make_as(&token, "workflow", given::CREATE_WORKFLOW, made).await;
        let simulate = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
          forecast { runs sent messages { at subject text problem recipient } } userErrors { code message } } }";
        let input = json!({ "from": "2026-11-03T02:00:00Z", "until": "2026-11-24T00:00:00Z" });
        let foreseen = app.send_as(Some(&token), simulate, json!({ "id": made["id"], "input": input })).await;
        assert!(foreseen.errors.is_empty(), "{:?}", foreseen.errors);
        let forecast = foreseen.data["simulateWorkflow"]["forecast"].clone();
        assert_eq!((&forecast["runs"], &forecast["sent"]), (&json!(4), &json!(9)), "{forecast}");
        let last = forecast["messages"].as_array().expect("messages").last().expect("a message");
        assert_eq!((&last["subject"], &last["problem"]), (&json!("Second: ₫1,000,000"), &Value::Null));
        assert!(last["text"].as_str().expect("a text").contains("Days overdue: 10"), "{last}");
        assert_eq!(app.number("SELECT count(*) AS n FROM message").await, 0);

        app.make_as(&token, "workflow", given::PUBLISH_WORKFLOW, json!({ "id": made["id"] })).await;
        for day in 3..24 {
            on(app, &format!("2026-11-{day:02}")).await;
        }
        assert_eq!(subjects(app).len(), 9);
    }

    /// Who wants to be called comes first, then who has broken a promise, then for whom a call is due.
    async fn a_collector_calls_the_most_urgent_first(app: App) {
        let mut ids = std::collections::HashMap::new();
        let days = ["Fresh", "Longer", "Broken", "Due", "Callback", "Promised", "Disputed", "Excluded", "Not due"];
        for name in days {
            let customer = given::customer(app, name, "en", "VND").await;
            let due = match name { "Not due" => "2026-12-20", "Longer" => "2026-11-03", _ => "2026-11-04" };
            let owed = invoice(app, &customer, "1000000", "VND", due).await;
            ids.insert(name, (customer, owed["id"].clone()));
        }
        let call = async |name: &str| {
            let input = json!({ "subject": "Unpaid", "purpose": "COLLECTION", "plannedAt": "2026-11-09T03:00:00Z" });
            let made = make(app, "call", given::CREATE_CALL, json!({ "customer": ids[name].0, "input": input }));
            made.await["id"].clone()
        };
        let complete = async |id: &Value, input: Value| {
            make(app, "call", given::COMPLETE_CALL, json!({ "id": id, "input": input })).await
        };
        promises(app, &ids["Broken"].0, "1000000", "2026-11-05").await;
        call("Due").await;
        let first = call("Callback").await;
        complete(&first, json!({ "outcome": "CALLBACK", "callbackAt": "2026-11-09T04:00:00Z" })).await;
        at(app, "2026-11-09T12:00").await;
        let promised = call("Promised").await;
        let amount = json!({ "amount": "600000", "currency": "VND" });
        complete(&promised, json!({ "outcome": "PROMISE_TO_PAY", "promised": amount, "promisedOn": "2026-11-20" })).await;
        let disputed = call("Disputed").await;
        let input = json!({ "outcome": "DISPUTE", "disputedInvoiceId": ids["Disputed"].1, "note": "Two are missing" });
        complete(&disputed, input).await;
        make(app, "customer", SET_DUNNING, json!({ "id": ids["Excluded"].0, "input": { "excluded": true } })).await;

        let list = "query ($first: Int, $after: String) { collectionWorklist(first: $first, after: $after) {
          nodes { reason firstDueOn invoices level customer { displayName } call { subject } } pageInfo { hasNextPage endCursor } } }";
        let (mut after, mut all) = (Value::Null, Vec::new());
        loop {
            let page = ask(app, list, json!({ "first": 2, "after": after })).await["collectionWorklist"].clone();
            all.extend(page["nodes"].as_array().expect("nodes").clone());
            after = page["pageInfo"]["endCursor"].clone();
            if page["pageInfo"]["hasNextPage"] == false {
                break;
            }
        }
        let shown = all.iter().map(|one| format!("{} {}", one["customer"]["displayName"], one["reason"])).collect::<Vec<_>>();
        assert_eq!(shown, [r#""Callback" "CALLBACK""#, r#""Broken" "BROKEN_PROMISE""#, r#""Due" "OVERDUE""#, r#""Longer" "FRESH""#, r#""Fresh" "FRESH""#]);
        assert_eq!((&all[0]["call"]["subject"], &all[1]["call"]), (&json!("Unpaid"), &Value::Null));
        let profile = "query ($id: ID!) { creditProfile(customerId: $id) { promisesKept promisesBroken promisesOpen } }";
        let profile = ask(app, profile, json!({ "id": ids["Broken"].0 })).await["creditProfile"].clone();
        assert_eq!(profile, json!({ "promisesKept": 0, "promisesBroken": 1, "promisesOpen": 0 }));
        let said = ask(app, "{ promisesToPay(filter: { state: { eq: OPEN } }) { nodes { amount { amount } call { id } } } disputes { nodes { detail } } }", json!({})).await;
        assert_eq!(said["promisesToPay"]["nodes"], json!([{ "amount": { "amount": "600000" }, "call": { "id": promised } }]));
        assert_eq!(said["disputes"]["nodes"], json!([{ "detail": "Two are missing" }]));
    }

    /// What cannot be a ladder is refused with what to do.
    async fn a_ladder_says_what_is_wrong(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let refused = async |definition: Value| {
            let made = json!({ "input": { "name": "Ladder", "definition": definition } });
            let made = app.make_as(&token, "workflow", given::CREATE_WORKFLOW, made).await;
            let publish = json!({ "id": made["id"] });
            let reply = app.send_as(Some(&token), given::PUBLISH_WORKFLOW, publish).await;
            reply.data["publishWorkflow"]["userErrors"].clone()
        };
        let levels = json!([level(3, "Reminder"), level(3, "Second"), { "days": 5 }]);
        let errors = refused(ladder(&levels)).await;
        let fields = errors.as_array().expect("errors").iter().map(|error| error["field"].to_string()).collect::<Vec<_>>();
        assert!(fields[0].ends_with(r#""levels","1","days"]"#), "{fields:?}");
        assert!(fields[1].ends_with(r#""levels","2","notices"]"#), "{fields:?}");
        let mut wrong = level(3, "Reminder");
        wrong["notices"][0]["contents"][0]["text"] = json!("{{ record.number }}");
        let errors = refused(ladder(&json!([wrong]))).await;
        assert!(errors[0]["message"].as_str().expect("a message").starts_with("there is no record.number; there are"), "{errors}");
        let mut of_customers = usual();
        of_customers["record"] = json!("Customer");
        of_customers["condition"] = Value::Null;
        assert_eq!(refused(of_customers).await[0]["message"], "only invoices are asked for");
    }
}
