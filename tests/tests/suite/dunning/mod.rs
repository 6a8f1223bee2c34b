//! Asking for what is owed: ladders, what holds them back, and what becomes of debts in the end.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use entity::access::Role;
use entity::automation::workflow;
use entity::finance::promise;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::app::App;

use crate::given::{self, ISSUE_INVOICE, RECORD_PAYMENT, mails};

mod charges;
mod collecting;
mod levels;
mod own;
mod promises;

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
  customer { id dunningExcluded dunningPausedUntil dunningLadder { id } } userErrors { code message field } } }";

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

/// What somebody does who may manage credit.
pub async fn manage(app: &App, field: &str, query: &str, variables: Value) -> Value {
    app.make_as(&app.token_of(Role::Administrator).await, field, query, variables).await
}

/// Why a mutation of who may manage credit is refused.
pub async fn refused(app: &App, query: &str, variables: Value) -> Value {
    let reply = app.send_as(Some(&app.token_of(Role::Administrator).await), query, variables).await;
    let answers = reply.data.as_object().and_then(|data| data.values().next().cloned());
    answers.expect("an answer")["userErrors"][0].clone()
}
