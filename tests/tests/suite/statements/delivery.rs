//! How customers get their statements: by a mail with a link, with copies for others, or by post.

use std::io::{Cursor, Read};

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::printing::storage_key;
use entity::id::{Id, MessageId};
use entity::text::hex;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use mail_parser::{MessageParser, MimeHeaders};
use object_store::ObjectStoreExt;
use object_store::path::Path;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::app::{App, Home, On};
use tests::{graphql, on_both_stacks, pdf};
use worker::mail::transport::Outcome;

use super::{CREATE, SHARE, asked, owed, paid};
use crate::changing::export::fetch;
use crate::changing::removal::DELETE;
use crate::given::{CREATE_CUSTOMER, customer, role, workflow};

pub const DELIVER: &str = "mutation ($input: SetStatementDeliveryInput!, $version: Int) {
  setStatementDelivery(input: $input, expectedVersion: $version) {
    customer { version statementChannel statementCc } userErrors { code message field } } }";

const SUPPRESS: &str = "mutation ($input: SuppressAddressInput!) {
  suppressAddress(input: $input) { suppression { id } userErrors { code } } }";

const ANONYMISE: &str = "mutation ($id: ID!) {
  anonymiseCustomer(id: $id) { customer { statementChannel statementCc } userErrors { code message } } }";

const MESSAGES: &str =
    "{ messages(filter: { kind: { eq: STATEMENT } }, orderBy: [{ field: CREATED_AT }]) {
  nodes { id channel state reason recipient subject createdAt } } }";

/// Makes a statement that the customer gets; gives what the API tells of it once it has left.
async fn sent(app: &App, customer: &str, currency: &str) -> Value {
    let mut request = asked(customer, currency, "BALANCE_FORWARD", "2026-10-31");
    request["input"]["send"] = json!(true);
    request["key"] = json!(customer);
    let made = app.make("statement", CREATE, request).await;
    app.drain().await;
    let query = "query ($id: ID!) { statement(id: $id) { id sha256 } }";
    app.ask(query, json!({ "id": made["id"] })).await["statement"].clone()
}

/// The path of the link in the latest mail, which its HTML has, too.
fn link(app: &App) -> String {
    let mails = app.mailbox.mails();
    let mail = MessageParser::default().parse(&*mails.last().expect("a mail").raw).expect("a mail");
    let text = mail.body_text(0).expect("text");
    let link = text.lines().find(|line| line.contains("/statements/")).expect("a link");
    let html = mail.body_html(0).expect("HTML").replace("&#x2f;", "/");
    assert!(html.contains(&format!("href=\"{link}\"")), "{html}");
    link.strip_prefix("http://localhost:8000").expect("below PUBLIC_URL").to_owned()
}

async fn get(app: &App, path: &str, headers: &[(&str, &str)]) -> Response<Bytes> {
    let mut request = Request::get(path).header("host", &app.address);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::default()).expect("a request");
    graphql::respond(&app.address, request, graphql::PATIENCE).await.expect("an answer")
}

async fn set(app: &App, input: Value) -> Value {
    let token = app.token_of(Role::Administrator).await;
    app.make_as(&token, "customer", DELIVER, json!({ "input": input })).await
}

fn header<'a>(answer: &'a Response<Bytes>, name: &str) -> &'a str {
    answer.headers().get(name).map_or("", |value| value.to_str().expect("text"))
}

async fn messages(app: &App) -> Vec<Value> {
    app.drain().await;
    app.ask(MESSAGES, json!({})).await["messages"]["nodes"].as_array().expect("messages").clone()
}

on_both_stacks! {
    async fn the_link_of_a_mail_opens_the_very_bytes_that_are_kept_for_ninety_days(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        owed(app, &lan, ("100", "VND"), ("2026-10-05", "2026-11-05")).await;
        let statement = sent(app, &lan, "VND").await;
        let path = link(app);
        let opened = get(app, &path, &[]).await;
        assert_eq!(opened.status(), 200);
        assert_eq!(statement["sha256"], hex(&Sha256::digest(opened.body())));
        for (name, value) in [
            ("content-type", "application/pdf"), ("cache-control", "private, no-store"), ("x-content-type-options", "nosniff"),
            ("content-security-policy", "default-src 'none'; sandbox"), ("referrer-policy", "no-referrer"),
        ] {
            assert_eq!(header(&opened, name), value);
        }
        assert!(header(&opened, "content-disposition").starts_with("attachment; "));
        let part = get(app, &path, &[("range", "bytes=0-3")]).await;
        assert_eq!((part.status().as_u16(), part.body().as_ref()), (206, &b"%PDF"[..]));

        // Another customer's link opens theirs; what is not as it was signed opens nothing.
        let minh = customer(app, "Minh", "en", "EUR").await;
        owed(app, &minh, ("7.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let other = sent(app, &minh, "EUR").await;
        let others = link(app);
        assert_eq!(other["sha256"], hex(&Sha256::digest(get(app, &others, &[]).await.body())));
        assert_ne!(other["sha256"], statement["sha256"]);
        let shared = app.make("link", SHARE, json!({ "id": statement["id"], "days": 7 })).await;
        let of_a_user = shared["url"].as_str().expect("a link").replace("/files/", "/statements/");
        let at = path.len() - 20;
        let changed = if &path[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{changed}{}", &path[..at], &path[at + 1..]);
        let mixed = format!("{}{}", &path[..path.len() - 40], &others[others.len() - 40..]);
        let as_file = path.replace("/statements/", "/files/");
        assert_eq!(get(app, &as_file, &[]).await.status(), 404);
        for wrong in [&changed, &mixed, &of_a_user, "/statements/x", "/statements/%00"] {
            let answer = get(app, wrong, &[("accept-language", "fr, vi-VN;q=0.9")]).await;
            let page = String::from_utf8_lossy(answer.body()).into_owned();
            assert_eq!((answer.status().as_u16(), header(&answer, "content-type")), (404, "text/html; charset=utf-8"), "{wrong}");
            assert!(page.contains("<html lang=\"vi\">") && page.contains("Liên kết không hoạt động"), "{page}");
            assert!(!page.contains("<script"), "{page}");
        }

        app.advance(TimeDelta::days(89));
        assert_eq!(get(app, &path, &[]).await.status(), 200);
        app.advance(TimeDelta::days(1));
        for (path, said) in [(&path, "Liên kết đã hết hạn"), (&others, "This link has expired")] {
            let gone = get(app, path, &[]).await;
            assert_eq!((gone.status().as_u16(), header(&gone, "cache-control")), (410, "private, no-store"));
            assert!(String::from_utf8_lossy(gone.body()).contains(said), "in the customer's language");
        }
    }

    async fn who_is_anonymised_has_no_link_and_nobody_gets_copies(app: App) {
        let lan = customer(app, "Lan", "en", "VND").await;
        owed(app, &lan, ("100", "VND"), ("2026-10-05", "2026-11-05")).await;
        set(app, json!({ "customerId": lan, "channel": "EMAIL", "cc": ["copy@example.vn"] })).await;
        sent(app, &lan, "VND").await;
        let path = link(app);
        assert_eq!(get(app, &path, &[]).await.status(), 200);
        paid(app, &lan, ("100", "VND"), "2026-11-01").await;
        app.make("customer", DELETE, json!({ "id": lan })).await;
        assert_eq!(get(app, &path, &[]).await.status(), 200, "it may be restored");
        let administrator = app.token_of(Role::Administrator).await;
        let gone = app.make_as(&administrator, "customer", ANONYMISE, json!({ "id": lan })).await;
        assert_eq!(gone, json!({ "statementChannel": "EMAIL", "statementCc": [] }));
        assert_eq!(get(app, &path, &[]).await.status(), 404);
        let left = "SELECT COUNT(*) AS n FROM customer WHERE statement_cc IS NOT NULL";
        assert_eq!(app.number(left).await, 0);
        let left = "SELECT COUNT(*) AS n FROM message WHERE CAST(facts AS text) LIKE '%copy@%'";
        assert_eq!(app.number(left).await, 0);
        let said = "SELECT COUNT(*) AS n FROM audit_entry WHERE CAST(after AS text) LIKE '%copy@%'";
        assert_eq!(app.number(said).await, 0);
    }

    async fn copies_go_to_whom_they_may_each_time_the_mail_does(app: App) {
        let lan = customer(app, "Lan", "en", "EUR").await;
        owed(app, &lan, ("7.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let administrator = app.token_of(Role::Administrator).await;
        let held = json!({ "channel": "EMAIL", "address": "Gone@example.vn", "cause": "COMPLAINED" });
        app.make_as(&administrator, "suppression", SUPPRESS, json!({ "input": held })).await;
        let cc = ["a@example.vn", "gone@example.vn", "customer@example.vn", "A@example.vn", "b@example.vn"];
        let known = set(app, json!({ "customerId": lan, "cc": cc })).await;
        let each_once = ["a@example.vn", "gone@example.vn", "customer@example.vn", "b@example.vn"];
        assert_eq!((&known["statementChannel"], &known["statementCc"]), (&json!("EMAIL"), &json!(each_once)));
        app.mailbox.answer([Outcome::Temporary { reply: "450 greylisted".to_owned() }]);
        sent(app, &lan, "EUR").await;
        assert_eq!(app.mailbox.mails().len(), 0);
        app.advance(TimeDelta::minutes(2));
        app.drain().await;
        let mail = app.mailbox.mails().pop().expect("a mail");
        let copies: Vec<_> = mail.copies.iter().map(ToString::to_string).collect();
        assert_eq!((mail.to.to_string().as_str(), copies), ("customer@example.vn", vec!["a@example.vn".to_owned(), "b@example.vn".to_owned()]));
        let read = MessageParser::default().parse(&*mail.raw).expect("a mail");
        let seen: Vec<_> = read.cc().expect("copies").iter().filter_map(|one| one.address()).collect();
        assert_eq!(seen, ["a@example.vn", "b@example.vn"]);
    }

    async fn what_cannot_be_said_of_deliveries_is_refused(app: App) {
        let lan = customer(app, "Lan", "en", "EUR").await;
        let administrator = app.token_of(Role::Administrator).await;
        let refused = async |input: Value, version: Option<i32>| {
            let reply = app.send_as(Some(&administrator), DELIVER, json!({ "input": input, "version": version })).await;
            reply.data["setStatementDelivery"]["userErrors"][0]["code"].clone()
        };
        let many: Vec<_> = (0..6).map(|number| format!("{number}@example.vn")).collect();
        for cc in [json!(many), json!(["a@example.vn\r\nBcc: x@example.vn"]), json!(["lan"])] {
            assert_eq!(refused(json!({ "customerId": lan, "cc": cc }), None).await, "INVALID");
        }
        assert_eq!(refused(json!({ "customerId": "cus_x", "channel": "LETTER" }), None).await, "NOT_FOUND");
        let known = set(app, json!({ "customerId": lan, "channel": "LETTER", "cc": ["a@example.vn"] })).await;
        assert_eq!(known, json!({ "version": 2, "statementChannel": "LETTER", "statementCc": ["a@example.vn"] }));
        assert_eq!(set(app, json!({ "customerId": lan })).await, known, "what is absent stays");
        assert_eq!(refused(json!({ "customerId": lan, "cc": [] }), Some(1)).await, "STALE_VERSION");
        assert_eq!(set(app, json!({ "customerId": lan, "cc": [] })).await["statementCc"], json!([]));
        let narrow = role(app, &[("READ_CUSTOMERS", "ALL"), ("READ_FINANCE", "ALL"), ("WRITE_PAYMENTS", "ALL")]).await;
        let (_, clerk) = app.user(narrow).await;
        let input = json!({ "input": { "customerId": lan, "channel": "EMAIL" } });
        assert_eq!(app.send_as(Some(&clerk), DELIVER, input).await.error_code(), Some("FORBIDDEN"));
        let letters = "{ customers(filter: { statementChannel: { eq: LETTER } }) { totalCount } }";
        assert_eq!(app.ask(letters, json!({})).await["customers"]["totalCount"], 1);
    }

    async fn by_post_a_statement_has_all_of_its_pages_behind_the_window(app: App) {
        let input = json!({
            "kind": "ORGANISATION", "displayName": "Sông Hàn", "language": "vi", "currency": "VND", "email": "customer@example.vn",
            "addresses": [{ "lines": "48 Đồng Khởi", "city": "Huế", "postcode": "70000", "country": "VN", "kind": "BILLING" }],
        });
        let han = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        let han = han["id"].as_str().expect("an id").to_owned();
        for _ in 0..40 {
            owed(app, &han, ("1000", "VND"), ("2026-10-05", "2026-11-05")).await;
        }
        let nowhere = customer(app, "Không", "vi", "VND").await;
        owed(app, &nowhere, ("1000", "VND"), ("2026-10-05", "2026-11-05")).await;
        for id in [&han, &nowhere] {
            set(app, json!({ "customerId": id, "channel": "LETTER", "cc": ["a@example.vn"] })).await;
        }
        let statement = sent(app, &han, "VND").await;
        sent(app, &nowhere, "VND").await;
        assert_eq!(app.mailbox.mails().len(), 0);
        let all = messages(app).await;
        let told = |one: &Value| (one["channel"].clone(), one["state"].clone(), one["reason"].clone(), one["recipient"].clone());
        assert_eq!(told(&all[0]), (json!("LETTER"), json!("ACCEPTED"), Value::Null, json!("48 Đồng Khởi, 70000 Huế, VN")));
        assert_eq!(told(&all[1]), (json!("LETTER"), json!("SUPPRESSED"), json!("NO_ADDRESS"), Value::Null));

        let query = "query ($id: ID!) { downloadLink(id: $id) { url } }";
        let path = app.ask(query, json!({ "id": statement["id"] })).await["downloadLink"]["url"].clone();
        let kept = get(app, path.as_str().expect("a link"), &[]).await;
        let kept = pdf::pages(kept.body());
        assert!(kept.len() > 1, "it takes several pages");
        let letter = pdf::pages(&stored(app, &all[0]).await);
        let window = letter[0].join("\n");
        for part in ["Sông Hàn", "48 Đồng Khởi", "70000 Huế", "gửi kèm"] {
            assert!(window.contains(part), "{part}: {window}");
        }
        assert_eq!(letter[1..], kept, "all pages as they are kept");

        let print = "mutation { printLetters { job { id total } userErrors { code } } }";
        let job = app.make("job", print, json!({})).await;
        assert_eq!(job["total"], 1);
        app.drain().await;
        let (status, body) = fetch(app, Some(&app.token()), &job["id"]).await;
        assert_eq!(status, 200);
        let mut archive = zip::ZipArchive::new(Cursor::new(body.to_vec())).expect("an archive");
        let mut printed = Vec::new();
        archive.by_name("letters.pdf").expect("letters").read_to_end(&mut printed).expect("bytes");
        assert_eq!(pdf::pages(&printed), letter, "and as they are printed");
    }

    async fn what_is_foreseen_and_explained_of_statements_by_post_is_what_comes(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let input = json!({
            "kind": "PERSON", "displayName": "Lan", "language": "en", "currency": "EUR", "timeZone": "Asia/Ho_Chi_Minh",
            "addresses": [{ "lines": "7 Kho", "city": "Vinh" }],
        });
        let lan = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        let lan = lan["id"].as_str().expect("an id").to_owned();
        owed(app, &lan, ("100.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        let minh = customer(app, "Minh", "en", "EUR").await;
        owed(app, &minh, ("9.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        for id in [&lan, &minh] {
            set(app, json!({ "customerId": id, "channel": "LETTER" })).await;
        }
        let action = json!({ "sendStatement": { "kind": "BALANCE_FORWARD", "period": "MONTH" } });
        let definition = json!({
            "record": "Customer", "trigger": { "schedule": { "cron": "0 6 1 * *" } }, "reentry": "ALWAYS",
            "steps": [{ "key": "statement", "action": action }],
        });
        let id = workflow(app, &administrator, &definition).await;
        let query = "query ($id: ID!, $input: SimulateWorkflowInput!) { simulateWorkflow(id: $id, input: $input) {
          forecast { runs sent suppressed { reason times } messages { channel customer { displayName } recipient suppressed subject text html problem } }
          userErrors { code field message } } }";
        let now = app.clock.now();
        let input = json!({ "from": now, "until": now + TimeDelta::days(40) });
        let told = app.send_as(Some(&administrator), query, json!({ "id": id, "input": input })).await;
        assert_eq!(told.errors, Vec::<Value>::new());
        let forecast = &told.data["simulateWorkflow"]["forecast"];
        assert_eq!((&forecast["sent"], &forecast["suppressed"]), (&json!(1), &json!([{ "reason": "NO_ADDRESS", "times": 1 }])), "{forecast}");
        let subject = "Statement of account 1 November 2026 – 30 November 2026: €100.00";
        let messages = forecast["messages"].as_array().expect("messages");
        let foreseen = messages.iter().find(|one| one["customer"]["displayName"] == "Lan").expect("hers");
        assert_eq!((&foreseen["channel"], &foreseen["recipient"], &foreseen["subject"]), (&json!("LETTER"), &json!("7 Kho, Vinh"), &json!(subject)));
        assert_eq!((&foreseen["html"], &foreseen["problem"]), (&Value::Null, &Value::Null));
        assert!(foreseen["text"].as_str().expect("text").contains("Please find enclosed"), "{foreseen}");

        sent(app, &lan, "EUR").await;
        sent(app, &minh, "EUR").await;
        let query = "query ($id: ID!) { explainMessage(about: { message: $id }) { explanation { verdict reason } userErrors { code } } }";
        let mut verdicts = Vec::new();
        for message in self::messages(app).await {
            let told = app.send_as(Some(&administrator), query, json!({ "id": message["id"] })).await;
            verdicts.push(told.data["explainMessage"]["explanation"].clone());
        }
        assert_eq!(verdicts, [
            json!({ "verdict": "PASSED", "reason": null }), json!({ "verdict": "SUPPRESSED", "reason": "NO_ADDRESS" }),
        ]);
    }

    async fn a_statement_that_waits_is_explained_by_where_bills_go(app: App) {
        let input = json!({
            "kind": "ORGANISATION", "displayName": "Sông Hàn", "language": "en", "currency": "EUR",
            "contacts": [{ "name": "Lan", "email": "bills@example.vn", "billing": true }],
        });
        let han = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        let han = han["id"].as_str().expect("an id").to_owned();
        owed(app, &han, ("100.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
        app.mailbox.answer([Outcome::Temporary { reply: "450 greylisted".to_owned() }]);
        sent(app, &han, "EUR").await;
        let waits = self::messages(app).await.remove(0);
        assert_eq!(waits["state"], "DEFERRED");
        let query = "query ($id: ID!) { explainMessage(about: { message: $id }) { explanation { foreseen verdict } } }";
        let told = app.ask(query, json!({ "id": waits["id"] })).await["explainMessage"]["explanation"].clone();
        assert_eq!(told, json!({ "foreseen": true, "verdict": "PASSED" }));
        app.advance(TimeDelta::minutes(2));
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
    }
}

/// What the file store has of a letter.
async fn stored(app: &App, letter: &Value) -> Vec<u8> {
    let id = MessageId::parse(letter["id"].as_str().expect("an id")).expect("an id");
    let day = letter["createdAt"].as_str().expect("an instant").split('T').next().expect("a day");
    let key = Path::from(storage_key(day.parse().expect("a day"), id));
    app.files.get(&key).await.expect("a letter").bytes().await.expect("bytes").to_vec()
}

mod a_large_statement_is_linked_and_not_attached {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn embedded() {
        test(On::Embedded).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "the production half runs by tests/run"]
    async fn production() {
        test(On::Production).await;
    }

    async fn test(on: On) {
        let home = Home::fresh(on).await.expect("a home");
        let mut arguments = home.arguments.clone();
        arguments.extend(["--mail-attachment-max", "1000"].map(str::to_owned));
        App::run_in(arguments, async |app| {
            let lan = customer(app, "Lan", "en", "EUR").await;
            owed(app, &lan, ("100.00", "EUR"), ("2026-10-05", "2026-11-05")).await;
            let statement = sent(app, &lan, "EUR").await;
            let mails = app.mailbox.mails();
            let mail = MessageParser::default().parse(&*mails[0].raw).expect("a mail");
            assert_eq!(mail.attachment(0).and_then(MimeHeaders::attachment_name), None);
            let text = mail.body_text(0).expect("text");
            assert!(
                text.contains("too large for an e-mail") && !text.contains("attached"),
                "{text}"
            );
            let opened = get(app, &link(app), &[]).await;
            assert_eq!(statement["sha256"], hex(&Sha256::digest(opened.body())));
        })
        .await;
    }
}
