//! Ladders that customers have of their own, and what goes with a notice beside itself.

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message;
use entity::customers::customer::Channel;
use mail_parser::MimeHeaders;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::app::App;
use tests::{on_both_stacks, pdf};

use super::{
    SET_DUNNING, ask, at, invoice, ladder, level, manage, notices, on, pay, publish, subjects,
    usual,
};
use crate::given;

const RETIRE: &str = "mutation ($id: ID!) { retireWorkflow(id: $id) { workflow { id } userErrors { code message } } }";

const CREATE_ADDRESS: &str = "mutation ($id: ID!, $input: AddressInput!) {
  createAddress(customerId: $id, input: $input) { address { id } userErrors { code message } } }";

/// The files of the last mail, by their names.
fn attached(app: &App) -> Vec<(String, Vec<u8>)> {
    let mail = app.mailbox.mails().last().expect("a mail").raw.clone();
    let mail = mail_parser::MessageParser::default().parse(&mail).expect("a mail");
    let name =
        |file: &mail_parser::MessagePart| file.attachment_name().unwrap_or_default().to_owned();
    mail.attachments().map(|file| (name(file), file.contents().to_vec())).collect()
}

/// By somebody who may also see workflows.
async fn give(app: &App, customer: &str, ladder: &Value) -> Value {
    let input = json!({ "id": customer, "input": { "ladderId": ladder } });
    manage(app, "customer", SET_DUNNING, input).await
}

on_both_stacks! {
    /// Who was given a ladder is asked by it alone, also for what the others were about to ask for; when it is retired they
    /// ask again, and go on where it ended.
    async fn a_customer_is_asked_by_its_own_ladder_alone(app: App) {
        publish(app, &usual()).await;
        let mut gentle = ladder(&json!([level(-3, "Friendly"), level(6, "Gentle"), level(60, "Gentle again")]));
        gentle["steps"][0]["action"]["dun"]["ownOnly"] = json!(true);
        let gentle = json!(publish(app, &gentle).await);
        let mut customers = Vec::new();
        for (name, amount) in [("Lan", "1000000"), ("Minh", "2000000"), ("Hoa", "3000000")] {
            let customer = given::customer(app, name, "en", "VND").await;
            invoice(app, &customer, amount, "VND", "2026-11-10").await;
            customers.push(customer);
        }
        let given = give(app, &customers[2], &gentle).await;
        assert_eq!(given["dunningLadder"]["id"], gentle);
        at(app, "2026-11-13T09:00").await;
        assert_eq!(notices(app).await.len(), 2, "Lan and Minh are about to be asked");
        give(app, &customers[0], &gentle).await;
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        assert_eq!(subjects(app), ["Reminder: ₫2,000,000"]);
        let theirs = notices(app).await;
        let kept = theirs.iter().find(|notice| notice["customer"]["displayName"] == "Lan").expect("hers");
        assert_eq!(kept["messages"][0]["reason"], "OTHER_LADDER");
        on(app, "2026-11-16").await;
        assert_eq!(subjects(app).split_off(1), ["Gentle: ₫3,000,000"]);
        on(app, "2026-11-20").await;
        assert_eq!(subjects(app).split_off(2), ["Second: ₫2,000,000"]);
        let token = app.token_of(Role::Administrator).await;
        app.make_as(&token, "workflow", RETIRE, json!({ "id": gentle })).await;
        on(app, "2026-11-22").await;
        let mut sent = subjects(app).split_off(3);
        sent.sort();
        assert_eq!(sent, ["Second: ₫1,000,000", "Second: ₫3,000,000"]);
    }

    /// Copies of the invoices and a statement go with the notice where its level says so: attached to the mail, and as
    /// further pages of the letter; what they say is what the ledger says, with the fee that the notice charges.
    async fn what_goes_with_a_notice_says_what_the_ledger_says(app: App) {
        let mut asking = level(3, "Last");
        let mut letter = asking["notices"][0].clone();
        letter["channel"] = json!("LETTER");
        asking["notices"].as_array_mut().expect("notices").push(letter);
        asking["fee"] = json!([{ "amount": "50000", "currency": "VND" }]);
        asking["enclose"] = json!(["INVOICES", "STATEMENT"]);
        publish(app, &ladder(&json!([asking]))).await;
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let address = json!({ "kind": "BILLING", "lines": "12 Nguyễn Huệ", "city": "Huế", "country": "VN" });
        app.make("address", CREATE_ADDRESS, json!({ "id": lan, "input": address })).await;
        let first = invoice(app, &lan, "1000000", "VND", "2026-11-10").await;
        let second = invoice(app, &lan, "2345678", "VND", "2026-11-10").await;
        let later = invoice(app, &lan, "700000", "VND", "2026-12-31").await;
        pay(app, &lan, "400000", "VND").await;
        on(app, "2026-11-13").await;
        let files = attached(app);
        let names: Vec<_> = files.iter().map(|(name, _)| name.as_str()).collect();
        let number = |invoice: &Value| invoice["number"].as_str().expect("a number").to_owned();
        let [notice, one, two, statement] = &names[..] else { panic!("{names:?}") };
        assert!(notice.starts_with("Last"), "{names:?}");
        assert_eq!((*one, *two), (&*format!("Invoice {}.pdf", number(&first)), &*format!("Invoice {}.pdf", number(&second))));
        assert!(statement.starts_with("Statement 2026-11-13"), "{names:?}");
        let copy = pdf::text(&files[1].1);
        for said in [number(&first), "Consulting".to_owned(), "₫1,000,000".to_owned(), "₫400,000".to_owned(), "₫600,000".to_owned()] {
            assert!(copy.contains(&said), "{said}: {copy}");
        }
        let told = pdf::text(&files[3].1);
        for said in [number(&first), number(&second), number(&later), "₫3,745,678".to_owned(), "₫50,000".to_owned()] {
            assert!(told.contains(&said), "{said}: {told}");
        }
        let letters = message::Entity::find().filter(message::Column::Channel.eq(Channel::Letter));
        let letter = letters.one(app.db.reader()).await.expect("a database").expect("a letter");
        assert_eq!(pdf::pages(&letter.body.expect("a letter that was written")).len(), 4);
        let owed = ask(app, "query ($id: ID!) { customer(id: $id) { balance(currency: \"VND\") { amount } } }", json!({ "id": lan })).await;
        assert_eq!(owed["customer"]["balance"]["amount"], "3745678", "one fee for each invoice");
    }

    /// What is no ladder, or asks nobody yet, is nobody's own.
    async fn only_a_ladder_that_is_at_work_is_given(app: App) {
        let lan = given::customer(app, "Lan", "en", "VND").await;
        let tasks = json!({
            "record": "Customer", "trigger": { "event": { "kinds": ["customer.created"] } },
            "steps": [{ "key": "task", "action": { "createTask": { "title": "Call them" } } }],
        });
        let none = json!(publish(app, &tasks).await);
        let id = uuid::Uuid::from_u128(7);
        let unknown = json!(entity::id::Id::global(entity::id::WorkflowId(id)));
        for (wrong, says) in [(none, "no ladder"), (unknown, "at work"), (lan.clone().into(), "")] {
            let input = json!({ "id": lan, "input": { "ladderId": wrong } });
            let reply = app.send_as(Some(&app.token_of(Role::Accountant).await), SET_DUNNING, input).await;
            let error = &reply.data["setDunning"]["userErrors"][0];
            assert!(error["message"].as_str().is_some_and(|message| message.contains(says)), "{error}");
            assert_eq!(error["field"].as_array().and_then(|path| path.last()), Some(&json!("ladderId")), "{error}");
        }
    }
}
