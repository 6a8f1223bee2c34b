//! Asking for what is owed: ladders, promises, disputes, and the last look before a notice leaves.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use entity::access::Role;
use entity::automation::workflow;
use entity::finance::promise;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{self, ISSUE_INVOICE, RECORD_PAYMENT, REVERSE_PAYMENT, mails};

const NOTICES: &str = "{ dunningNotices(orderBy: [{ field: CREATED_AT }], first: 100) { nodes { id level channel currency
  total { amount } charged { amount } invoices firstDueOn customer { displayName }
  items { level daysLate open { amount } invoice { number dunningLevel } } messages { id state reason recipient } } } }";

const RECORD_PROMISE: &str = "mutation ($input: RecordPromiseInput!) { recordPromise(input: $input) {
  promise { id version state amount { amount currency } promisedOn graceDays items { open { amount } invoice { promisedUntil } } }
  userErrors { code message field } } }";

const CANCEL_PROMISE: &str =
    "mutation ($id: ID!) { cancelPromise(id: $id) { promise { id state } userErrors { code } } }";

const OPEN_DISPUTE: &str = "mutation ($input: OpenDisputeInput!) { openDispute(input: $input) {
  dispute { id version state amount { amount } invoice { disputed disputedAmount { amount } } } userErrors { code message field } } }";

const RESOLVE_DISPUTE: &str = "mutation ($id: ID!, $input: ResolveDisputeInput!, $version: Int) {
  resolveDispute(id: $id, input: $input, expectedVersion: $version) {
    dispute { id state resolution creditNote { total { amount } } invoice { state disputed open { amount } } }
    userErrors { code message field } } }";

const SET_DUNNING: &str =
    "mutation ($id: ID!, $input: SetDunningInput!) { setDunning(customerId: $id, input: $input) {
  customer { id dunningExcluded dunningPausedUntil } userErrors { code message field } } }";

pub const EXPLAIN: &str = "query ($id: ID!) { explainMessage(about: { message: $id }) {
  explanation { verdict reason checks { rule finding reason } } } }";

/// A ladder of three levels for all open invoices, which is looked for every hour.
pub fn ladder(levels: &Value) -> Value {
    json!({
        "record": "Invoice",
        "trigger": { "schedule": { "cron": "0 * * * *" } },
        "condition": { "invoice": { "state": { "eq": "OPEN" } } },
        "reentry": "AFTER_END",
        "steps": [{ "key": "dun", "action": { "dun": { "at": "09:00", "betweenDays": 3, "levels": levels } } }],
    })
}

pub fn level(days: i32, name: &str) -> Value {
    let text = "{{ addressee }} owes {{ record.total }}.\n\nThank you";
    let contents = [
        json!({ "language": "en", "subject": format!("{name}: {{{{ record.total }}}}"), "text": text }),
    ];
    json!({ "days": days, "notices": [{ "contents": contents }] })
}

pub fn usual() -> Value {
    ladder(&json!([level(-3, "Courtesy"), level(3, "Reminder"), level(10, "Second")]))
}

/// What an accountant is answered who has just logged in.
pub async fn ask(app: &App, query: &str, variables: Value) -> Value {
    let token = app.token_of(Role::Accountant).await;
    let reply = app.send_as(Some(&token), query, variables).await;
    assert!(reply.errors.is_empty(), "{query}: {:#?}", reply.errors);
    reply.data
}

pub async fn make(app: &App, field: &str, query: &str, variables: Value) -> Value {
    app.make_as(&app.token_of(Role::Accountant).await, field, query, variables).await
}

pub async fn publish(app: &App, definition: &Value) -> String {
    given::workflow(app, &app.token_of(Role::Administrator).await, definition).await
}

pub async fn invoice(
    app: &App,
    customer: &str,
    amount: &str,
    currency: &str,
    due_on: &str,
) -> Value {
    let line = json!({ "description": "Consulting", "unitPrice": amount });
    let input =
        json!({ "customerId": customer, "currency": currency, "dueOn": due_on, "lines": [line] });
    make(app, "invoice", ISSUE_INVOICE, json!({ "input": input })).await
}

/// Turns the clock to a time in Hanoi, and lets everything happen that is due by then.
pub async fn at(app: &App, time: &str) {
    let then: DateTime<Utc> = format!("{time}:00+07:00").parse().expect("a time");
    app.advance(then - app.clock.now());
    // Schedules, and promises whose time is over, are looked at by clocks of their own.
    let minute = app.clock.now().duration_trunc(TimeDelta::minutes(1)).expect("a minute");
    let schedules = workflow::Entity::find()
        .filter(workflow::Column::State.eq(workflow::State::Active))
        .filter(workflow::Column::LookedAt.lt(minute));
    let promises = promise::Entity::find()
        .filter(promise::Column::State.eq(promise::State::Open))
        .filter(promise::Column::UntilOn.lt(app.clock.today(chrono_tz::Asia::Ho_Chi_Minh)));
    let (db, mut looks) = (app.db.reader(), 0);
    while schedules.clone().one(db).await.expect("workflows").is_some()
        || promises.clone().one(db).await.expect("promises").is_some()
    {
        looks += 1;
        assert!(looks < 300, "nobody looks at what comes with time");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    app.drain().await;
}

/// The same at nine, when levels come, until what was planned has left.
pub async fn on(app: &App, day: &str) {
    at(app, &format!("{day}T09:00")).await;
    app.advance(TimeDelta::minutes(3));
    app.drain().await;
}

pub async fn notices(app: &App) -> Vec<Value> {
    ask(app, NOTICES, json!({})).await["dunningNotices"]["nodes"]
        .as_array()
        .expect("notices")
        .clone()
}

pub async fn pay(app: &App, customer: &str, amount: &str, currency: &str) -> Value {
    let key = uuid::Uuid::new_v4().to_string();
    make(app, "payment", RECORD_PAYMENT, given::payment(customer, amount, currency, &key)).await
}

async fn promises(app: &App, customer: &str, amount: &str, day: &str) -> Value {
    let input = json!({ "customerId": customer, "amount": { "amount": amount, "currency": "VND" }, "promisedOn": day });
    make(app, "promise", RECORD_PROMISE, json!({ "input": input })).await
}

pub fn subjects(app: &App) -> Vec<String> {
    mails(app)
        .into_iter()
        .map(|(subject, _)| subject)
        .filter(|subject| !subject.contains("Receipt"))
        .collect()
}

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
