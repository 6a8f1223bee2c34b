//! Statements of many customers at once, and of many lines.

use entity::access::Actor;
use entity::finance::invoice;
use entity::finance::ledger::{self, Account, Source};
use entity::id::{CustomerId, Id, InvoiceId};
use entity::money::Currency;
use futures::FutureExt;
use sea_orm::{ActiveModelTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use super::owed;
use crate::given::{CREATE_CUSTOMER, RECORD_PAYMENT, customer, payment};

const CREATE_MANY: &str = "mutation ($input: CreateStatementsInput!, $key: String!) {
  createStatements(input: $input, idempotencyKey: $key) { job { id state total } userErrors { code field message } } }";

/// Posts invoices of 1, 2, 3 and more minor units for a customer, all of today.
pub async fn post(app: &App, customer: CustomerId, count: i64) {
    let (now, today) = (app.clock.now(), app.clock.today(chrono_tz::Asia::Ho_Chi_Minh));
    for from in (1..=count).step_by(500) {
        let posted = app.db.write(move |txn| {
            async move {
                let numbers = from..(from + 500).min(count + 1);
                let row = |number: i64| {
                    let (id, named) = (InvoiceId::new(now), format!("X-{number:06}"));
                    let (amounts, days) = ((Currency::VND, number, 0), (today, today));
                    invoice::Model::open_for(
                        (id, customer),
                        named,
                        amounts,
                        days,
                        Actor::System,
                        now,
                    )
                };
                let rows: Vec<_> = numbers.map(row).collect();
                let source = Source {
                    customer,
                    currency: Currency::VND,
                    payment: None,
                    credit_note: None,
                    booked_on: today,
                };
                let entries = rows.iter().flat_map(|row| {
                    let about = Some(row.id);
                    let sides = [
                        (Account::Receivable, about, row.total),
                        (Account::Revenue, about, -row.total),
                    ];
                    ledger::entries(source, &sides, entity::access::Actor::System, now)
                });
                let entries: Vec<_> = entries.collect();
                let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
                invoice::Entity::insert_many(rows).exec_without_returning(txn).await?;
                ledger::Entity::insert_many(entries).exec_without_returning(txn).await?;
                Ok(())
            }
            .boxed()
        });
        posted.await.expect("invoices");
    }
}

on_both_stacks! {
    async fn each_customer_gets_theirs_whatever_is_wrong_with_another(app: App) {
        let mut ids = Vec::new();
        for (name, amount) in [("A", "100"), ("B", "5"), ("C", "300")] {
            let id = customer(app, name, "vi", "VND").await;
            owed(app, &id, (amount, "VND"), ("2026-10-01", "2026-10-20")).await;
            ids.push(id);
        }
        owed(app, &ids[0], ("7.50", "EUR"), ("2026-10-01", "2026-12-20")).await;
        let unreachable = json!({ "kind": "PERSON", "displayName": "D", "currency": "VND" });
        let unreachable = app.make("customer", CREATE_CUSTOMER, json!({ "input": unreachable })).await["id"].clone();
        owed(app, unreachable.as_str().expect("an id"), ("50", "VND"), ("2026-10-01", "2026-10-20")).await;
        let settled = customer(app, "E", "vi", "VND").await;
        owed(app, &settled, ("70", "VND"), ("2026-09-01", "2026-10-20")).await;
        let mut request = payment(&settled, "70", "VND", "k");
        request["input"]["receivedOn"] = json!("2026-09-05");
        app.make("payment", RECORD_PAYMENT, request).await;
        customer(app, "F", "vi", "VND").await;
        app.drain().await;
        let before = app.mailbox.mails().len();

        let minimum = json!([{ "amount": "10", "currency": "VND" }]);
        let mut input = json!({ "filter": {}, "until": "2026-10-31", "send": true, "minimum": minimum });
        let job = app.make("job", CREATE_MANY, json!({ "input": input, "key": "many" })).await;
        assert_eq!((&job["state"], &job["total"]), (&json!("QUEUED"), &json!(6)));
        app.drain().await;
        let report = "query ($id: ID!) { job(id: $id) { state done report } }";
        let ended = app.ask(report, json!({ "id": job["id"] })).await["job"].clone();
        assert_eq!(ended, json!({ "state": "SUCCEEDED", "done": 6, "report": { "made": 4, "skipped": 2 } }));
        let query = "{ statements { nodes { customer { displayName } currency closing { amount } messages { state reason } } } }";
        let made = app.ask(query, json!({})).await["statements"]["nodes"].clone();
        let mut told: Vec<String> = made.as_array().expect("statements").iter().map(|one| {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let message = &one["messages"][0];
            [&one["customer"]["displayName"], &one["closing"]["amount"], &message["state"], &message["reason"]].map(text).join(" ")
        }).collect();
        told.sort();
        assert_eq!(told, ["A 100 ACCEPTED ", "A 7.50 ACCEPTED ", "C 300 ACCEPTED ", "D 50 SUPPRESSED NO_ADDRESS"]);
        assert_eq!(app.mailbox.mails().len(), before + 3);

        // Who has one for the day keeps that; who was left out by other rules gets one.
        input["minimum"] = json!([]);
        app.make("job", CREATE_MANY, json!({ "input": input, "key": "more" })).await;
        app.drain().await;
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM statement").await, 5);
        input["minimum"] = json!([{ "amount": "0", "currency": "VND" }]);
        assert_eq!(app.refusal(CREATE_MANY, json!({ "input": input, "key": "none" })).await.1, "input.minimum");
    }
}
