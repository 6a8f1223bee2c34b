//! Statements of account: what they say, how they follow one another, and who gets them.

pub mod delivery;
mod many;
mod schedules;

use chrono::TimeDelta;
use entity::access::{Actor, Role};
use entity::finance::statement::{self, Kind, NewStatement};
use entity::finance::{ledger, statement as table};
use entity::id::{CustomerId, Id};
use entity::money::Currency;
use futures::FutureExt;
use http_body_util::Full;
use hyper::Request;
use proptest::prelude::any;
use proptest::test_runner::{Config, TestRunner};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::app::App;
use tests::{graphql, on_both_stacks, pdf};
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::access::scopes::{customer_of, refusal};
use crate::changing::removal::DELETE;
use crate::given::{ISSUE_INVOICE, RECORD_PAYMENT, customer, payment, role};
use crate::histories::{Deed, customers, deeds, happen};

pub const CREATE: &str = "mutation ($input: CreateStatementInput!, $key: String!) {
  createStatement(input: $input, idempotencyKey: $key) {
    statement { id kind fromOn untilOn revision previous { id } opening { amount } adjustment { amount } closing { amount }
      overdue { amount } }
    userErrors { code field message } } }";

const SHARE: &str = "mutation ($id: ID!, $days: Int!) { shareStatement(id: $id, days: $days) {
  link { url expiresAt } userErrors { code field } } }";

/// An invoice of one line without tax.
pub async fn owed(app: &App, customer: &str, amount: (&str, &str), days: (&str, &str)) -> Value {
    let line = json!({ "description": "Consulting", "unitPrice": amount.0 });
    let input = json!({
        "customerId": customer, "currency": amount.1, "issuedOn": days.0, "dueOn": days.1, "lines": [line],
    });
    app.make("invoice", ISSUE_INVOICE, json!({ "input": input })).await
}

/// A payment that came in on a day.
async fn paid(app: &App, customer: &str, amount: (&str, &str), on: &str) {
    let mut request = payment(customer, amount.0, amount.1, &format!("{customer} {amount:?} {on}"));
    request["input"]["receivedOn"] = json!(on);
    app.make("payment", RECORD_PAYMENT, request).await;
}

/// What a statement is asked for with.
fn asked(customer: &str, currency: &str, kind: &str, until: &str) -> Value {
    json!({ "input": { "customerId": customer, "currency": currency, "kind": kind, "until": until }, "key": until })
}

/// The status and the bytes that a link leads to.
async fn fetched(app: &App, link: &Value) -> (u16, Vec<u8>) {
    let request = Request::get(link["url"].as_str().expect("a link"))
        .header("host", &app.address)
        .body(Full::default())
        .expect("a request");
    let (status, bytes) =
        graphql::exchange(&app.address, request, graphql::PATIENCE).await.expect("an answer");
    (status.as_u16(), bytes.to_vec())
}

/// What the PDF of a statement says, which is the one whose hash the API tells.
async fn said(app: &App, id: &Value) -> String {
    app.drain().await;
    let query = "query ($id: ID!) { statement(id: $id) { sha256 } downloadLink(id: $id) { url } }";
    let told = app.ask(query, json!({ "id": id })).await;
    let (status, bytes) = fetched(app, &told["downloadLink"]).await;
    assert_eq!(status, 200);
    assert_eq!(told["statement"]["sha256"], entity::text::hex(&Sha256::digest(&bytes)));
    pdf::text(&bytes)
}

on_both_stacks! {
    async fn a_balance_is_carried_forward_and_the_pdf_says_what_the_ledger_says(app: App) {
        let lan = customer(app, "Nguyễn Thị Ánh Tuyết", "vi", "VND").await;
        owed(app, &lan, ("1000000", "VND"), ("2026-08-20", "2026-09-20")).await;
        owed(app, &lan, ("5000000", "VND"), ("2026-09-10", "2026-10-10")).await;
        paid(app, &lan, ("2500000", "VND"), "2026-09-25").await;
        let first = app.make("statement", CREATE, asked(&lan, "VND", "BALANCE_FORWARD", "2026-09-30")).await;
        let amount = |amount: &str| json!({ "amount": amount });
        assert_eq!(first, json!({
            "id": first["id"], "kind": "BALANCE_FORWARD", "fromOn": "2026-09-01", "untilOn": "2026-09-30", "revision": 1,
            "previous": null, "opening": amount("1000000"), "adjustment": amount("0"), "closing": amount("3500000"),
            "overdue": amount("0"),
        }));
        let text = said(app, &first["id"]).await;
        for part in ["Bảng kê công nợ", "01/09/2026 – 30/09/2026", "Nguyễn Thị Ánh Tuyết", "INV-2026-000002", "REC-2026-000001",
            "Số dư đầu kỳ", "1.000.000 ₫", "5.000.000 ₫", "6.000.000 ₫", "2.500.000 ₫", "3.500.000 ₫", "Trang 1/1"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("INV-2026-000001"), "what was before is in the opening balance: {text}");

        // An invoice is dated back into September after its statement was made.
        owed(app, &lan, ("700000", "VND"), ("2026-09-15", "2026-10-15")).await;
        paid(app, &lan, ("200000", "VND"), "2026-10-02").await;
        let second = app.make("statement", CREATE, asked(&lan, "VND", "BALANCE_FORWARD", "2026-10-31")).await;
        assert_eq!(second["previous"]["id"], first["id"]);
        assert_eq!((&second["fromOn"], &second["opening"]), (&json!("2026-10-01"), &first["closing"]));
        assert_eq!((&second["adjustment"], &second["closing"], &second["overdue"]), (&amount("700000"), &amount("4000000"), &amount("4000000")));
        let text = said(app, &second["id"]).await;
        for part in ["Điều chỉnh các kỳ trước", "700.000 ₫", "4.200.000 ₫", "4.000.000 ₫", "Quá hạn: 4.000.000 ₫"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        let balance = "query ($id: ID!) { customer(id: $id) { balance(asOf: \"2026-10-31\") { amount } statements { totalCount } } }";
        let told = app.ask(balance, json!({ "id": lan })).await;
        assert_eq!(told["customer"], json!({ "balance": second["closing"], "statements": { "totalCount": 2 } }));
    }

    async fn open_items_leave_out_what_was_voided_and_mark_what_is_disputed(app: App) {
        let lan = customer(app, "Lan", "en", "EUR").await;
        let disputed = owed(app, &lan, ("100.00", "EUR"), ("2026-08-01", "2026-08-31")).await;
        owed(app, &lan, ("30.50", "EUR"), ("2026-09-20", "2026-10-20")).await;
        let wrong = owed(app, &lan, ("77.77", "EUR"), ("2026-09-21", "2026-10-21")).await;
        owed(app, &lan, ("900000", "VND"), ("2026-09-20", "2026-10-20")).await;
        app.execute(&format!("UPDATE invoice SET disputed = TRUE WHERE number = '{}'", disputed["number"].as_str().expect("a number"))).await;
        let void = "mutation ($id: ID!) { voidInvoice(id: $id, input: { reason: \"Twice\" }) { invoice { state } userErrors { code } } }";
        app.make("invoice", void, json!({ "id": wrong["id"] })).await;

        let made = app.make("statement", CREATE, asked(&lan, "EUR", "OPEN_ITEM", "2026-09-30")).await;
        let amount = |amount: &str| json!({ "amount": amount });
        assert_eq!((&made["opening"], &made["fromOn"]), (&Value::Null, &Value::Null));
        assert_eq!((&made["adjustment"], &made["closing"], &made["overdue"]), (&amount("-77.77"), &amount("130.50"), &amount("100.00")));
        let text = said(app, &made["id"]).await;
        for part in ["INV-2026-000001", "(disputed)", "INV-2026-000002", "€130.50", "days overdue: 30", "As of", "30 September 2026"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        for part in ["INV-2026-000003", "77.77", "900,000"] {
            assert!(!text.contains(part), "{part}: {text}");
        }
        // Carried forward, an invoice and what voids it make up for one another.
        let forward = app.make("statement", CREATE, asked(&lan, "EUR", "BALANCE_FORWARD", "2026-11-03")).await;
        assert_eq!(forward["closing"], amount("130.50"));
        let other = app.make("statement", CREATE, json!({ "input": asked(&lan, "VND", "OPEN_ITEM", "2026-09-30")["input"], "key": "k" })).await;
        assert_eq!(other["closing"], amount("900000"), "a statement has one currency");
    }

    async fn a_statement_is_sent_once_with_the_bytes_that_are_kept(app: App) {
        let lan = customer(app, "Lan", "en", "EUR").await;
        owed(app, &lan, ("100.00", "EUR"), ("2026-09-01", "2026-10-01")).await;
        let mut request = asked(&lan, "EUR", "BALANCE_FORWARD", "2026-10-31");
        request["input"]["send"] = json!(true);
        let made = app.make("statement", CREATE, request.clone()).await;
        assert_eq!(app.make("statement", CREATE, request.clone()).await, made, "twice is once");
        app.drain().await;
        let mails = app.mailbox.mails();
        let mails: Vec<_> = mails.iter().map(|mail| mail_parser::MessageParser::default().parse(&*mail.raw).expect("a mail")).collect();
        assert_eq!(mails.len(), 1);
        assert_eq!(mails[0].subject(), Some("Statement of account 1 October 2026 – 31 October 2026: €100.00"));
        let file = mail_parser::MimeHeaders::attachment_name(mails[0].attachment(0).expect("a file")).map(str::to_owned);
        assert_eq!(file.as_deref(), Some("Statement 2026-10-31 EUR.pdf"));
        let query = "query ($id: ID!) { statement(id: $id) { sha256 messages { kind class state } } }";
        let told = app.ask(query, json!({ "id": made["id"] })).await["statement"].clone();
        assert_eq!(told["sha256"], entity::text::hex(&Sha256::digest(mails[0].attachment(0).expect("a file").contents())));
        assert_eq!(told["messages"], json!([{ "kind": "STATEMENT", "class": "SERVICE", "state": "ACCEPTED" }]));
        // What was wrong is right in another revision.
        request["key"] = json!("again");
        assert_eq!(app.make("statement", CREATE, request).await["revision"], 2);
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 2);
    }

    async fn a_statement_of_nothing_says_so_and_nobody_fetches_who_somebody_was(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        owed(app, &lan, ("100", "VND"), ("2026-09-05", "2026-09-20")).await;
        paid(app, &lan, ("100", "VND"), "2026-09-10").await;
        let made = app.make("statement", CREATE, asked(&lan, "VND", "BALANCE_FORWARD", "2026-10-31")).await;
        assert_eq!((&made["opening"]["amount"], &made["closing"]["amount"]), (&json!("0"), &json!("0")));
        let text = said(app, &made["id"]).await;
        assert!(text.contains("Không có phát sinh trong kỳ."), "{text}");
        let open = json!({ "input": asked(&lan, "VND", "OPEN_ITEM", "2026-10-31")["input"], "key": "open" });
        let open = app.make("statement", CREATE, open).await;
        let text = said(app, &open["id"]).await;
        assert!(text.contains("Không có hóa đơn nào chưa thanh toán."), "{text}");

        app.make("customer", DELETE, json!({ "id": lan })).await;
        let administrator = app.token_of(Role::Administrator).await;
        let anonymise = "mutation ($id: ID!) { anonymiseCustomer(id: $id) { customer { id } userErrors { code message } } }";
        app.make_as(&administrator, "customer", anonymise, json!({ "id": lan })).await;
        let query = "query ($id: ID!) { statement(id: $id) { closing { amount } } downloadLink(id: $id) { url } }";
        let told = app.ask(query, json!({ "id": made["id"] })).await;
        assert_eq!(told, json!({ "statement": { "closing": { "amount": "0" } }, "downloadLink": null }));
    }

    async fn what_cannot_be_is_refused_with_its_field(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        owed(app, &lan, ("100", "VND"), ("2026-10-05", "2026-10-20")).await;
        let with = |change: &dyn Fn(&mut Value)| {
            let mut request = asked(&lan, "VND", "BALANCE_FORWARD", "2026-10-31");
            change(&mut request["input"]);
            request
        };
        let cases = [
            (with(&|input| input["until"] = json!("2026-11-04")), "INVALID", "input.until"),
            (with(&|input| input["from"] = json!("2026-11-01")), "INVALID", "input.from"),
            (with(&|input| { input["kind"] = json!("OPEN_ITEM"); input["from"] = json!("2026-10-01") }), "INVALID", "input.from"),
            (with(&|input| input["currency"] = json!("EUR")), "INVALID_STATE", "input.currency"),
            (with(&|input| input["until"] = json!("2026-10-04")), "INVALID_STATE", "input.currency"),
            (with(&|input| input["customerId"] = json!("cus_x")), "NOT_FOUND", "input.customerId"),
        ];
        for (request, code, path) in cases {
            let refused = app.refusal(CREATE, request.clone()).await;
            assert_eq!(refused, (code.to_owned(), path.to_owned()), "{request}");
        }
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM statement").await, 0);
    }

    async fn a_statement_is_for_those_alone_who_see_the_books_and_for_whom_they_pass_it_on_to(app: App) {
        let narrow = role(app, &[("READ_CUSTOMERS", "OWN"), ("READ_FINANCE", "OWN"), ("WRITE_PAYMENTS", "OWN")]).await;
        let (lan, lans) = app.user(narrow).await;
        let (minh, _) = app.user(narrow).await;
        let (mine, theirs) = (customer_of(app, lan, "Mine").await, customer_of(app, minh, "Theirs").await);
        let mut ids = Vec::new();
        for id in [&mine, &theirs] {
            owed(app, id, ("10", "VND"), ("2026-10-01", "2026-10-20")).await;
            let request = json!({ "input": asked(id, "VND", "OPEN_ITEM", "2026-10-31")["input"], "key": id });
            ids.push(app.make("statement", CREATE, request).await["id"].clone());
        }
        app.drain().await;
        let query = "query ($id: ID!) { statements { nodes { id } } statement(id: $id) { id } downloadLink(id: $id) { url } }";
        let seen = app.send_as(Some(&lans), query, json!({ "id": ids[1] })).await.data;
        assert_eq!(seen, json!({ "statements": { "nodes": [{ "id": ids[0] }] }, "statement": null, "downloadLink": null }));
        let (code, _) = refusal(app, &lans, CREATE, asked(&theirs, "VND", "OPEN_ITEM", "2026-10-31")).await;
        assert_eq!(code, "NOT_FOUND");
        let (code, field) = refusal(app, &lans, SHARE, json!({ "id": ids[1], "days": 7 })).await;
        assert_eq!((code, field), (json!("NOT_FOUND"), json!(["id"])));
        let (code, field) = refusal(app, &lans, SHARE, json!({ "id": ids[0], "days": 31 })).await;
        assert_eq!((code, field), (json!("INVALID"), json!(["days"])));

        let link = app.make_as(&lans, "link", SHARE, json!({ "id": ids[0], "days": 7 })).await;
        let (status, bytes) = fetched(app, &link).await;
        assert!(status == 200 && bytes.starts_with(b"%PDF"));
        app.advance(TimeDelta::days(6));
        assert_eq!(fetched(app, &link).await.0, 200);
        app.advance(TimeDelta::days(1));
        assert_eq!(fetched(app, &link).await.0, 410, "a link expires");
    }

    async fn statements_follow_one_another_whatever_happens(app: App) {
        let handle = Handle::current();
        let config = Config { cases: 5, failure_persistence: None, ..Config::default() };
        let outcome = block_in_place(|| {
            TestRunner::new(config).run(&(deeds(30), any::<u8>()), |(deeds, seed)| {
                handle.block_on(reconciles(app, &deeds, usize::from(seed)));
                Ok(())
            })
        });
        if let Err(failure) = outcome {
            panic!("{failure}");
        }
    }

    async fn five_thousand_lines_are_one_statement(app: App) {
        let id = customer(app, "Lan", "vi", "VND").await;
        many::post(app, CustomerId::parse(&id).expect("an id"), 5_000).await;
        let now = app.clock.now();
        let new = NewStatement {
            customer: CustomerId::parse(&id).expect("an id"), currency: Currency::VND, kind: Kind::BalanceForward, from: None,
            until: app.clock.today(chrono_tz::Asia::Ho_Chi_Minh), send: true,
        };
        // Nothing of it stays, since setting so many lines takes a while where nothing is optimised.
        let tried = app.db.write(move |txn| {
            let new = new.clone();
            async move {
                let made = statement::issue(txn, new, Actor::System, now).await?;
                let made = table::Entity::find_by_id(made).one(txn).await?.expect("a statement");
                let content = made.content();
                let moved: i64 = content.movements.iter().map(|movement| movement.amount).sum();
                assert_eq!(content.movements.len(), 5_000);
                assert_eq!((made.opening, moved, made.closing), (Some(0), 12_502_500, 12_502_500));
                assert_eq!(content.ageing.iter().sum::<i64>(), made.closing);
                Err::<(), _>(entity::Error::Closed)
            }
            .boxed()
        });
        assert!(matches!(tried.await, Err(entity::Error::Closed)));
    }
}

/// Plays a history with a statement now and then, and looks whether each opens as the one before closed, and closes with
/// what the ledger says.
async fn reconciles(app: &App, deeds: &[Deed], seed: usize) {
    let customers = customers(app).await;
    for (index, deed) in deeds.iter().enumerate() {
        happen(app, &customers, deed).await;
        if (index + seed).is_multiple_of(4) {
            make(app, &customers, (index + seed) % 7).await;
        }
    }
    make(app, &customers, 0).await;
    let db = app.db.reader();
    for customer in customers {
        let made = table::Entity::find()
            .filter(table::Column::CustomerId.eq(customer))
            .order_by_asc(table::Column::Id)
            .all(db)
            .await
            .expect("statements");
        for statement in &made {
            let content = statement.content();
            let moved: i64 = content.movements.iter().map(|movement| movement.amount).sum();
            let opening = statement.opening.expect("an opening balance");
            assert_eq!(opening + statement.adjustment + moved, statement.closing);
            assert_eq!(content.ageing.iter().sum::<i64>() + content.unapplied, statement.closing);
            let Some(previous) = statement.previous_id else {
                assert_eq!(statement.adjustment, 0);
                continue;
            };
            let previous = made.iter().find(|one| one.id == previous).expect("the one before");
            assert_eq!(opening, previous.closing);
            assert_eq!(statement.from_on, previous.until_on.succ_opt());
        }
    }
}

/// Makes a statement for each of the customers until some days ago, and compares it with the ledger.
async fn make(app: &App, customers: &[CustomerId], days_ago: usize) {
    let days_ago = TimeDelta::days(i64::try_from(days_ago).expect("few days"));
    let until = app.clock.today(chrono_tz::Asia::Ho_Chi_Minh) - days_ago;
    let now = app.clock.now();
    for customer in customers {
        let customer = *customer;
        let new = NewStatement {
            customer,
            currency: Currency::VND,
            kind: Kind::BalanceForward,
            from: None,
            until,
            send: false,
        };
        let made = app.db.write(move |txn| {
            let new = new.clone();
            async move { statement::issue(txn, new, Actor::System, now).await }.boxed()
        });
        let balances = ledger::balances(app.db.reader(), &[customer], Some(until)).await;
        let balance = balances.expect("balances").first().map(|balance| balance.amount);
        let closing = match made.await {
            Ok(id) => {
                let made = table::Entity::find_by_id(id).one(app.db.reader()).await;
                Some(made.expect("a row").expect("a statement").closing)
            }
            Err(_) => None,
        };
        assert_eq!(closing, balance);
    }
}
