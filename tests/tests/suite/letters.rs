//! Letters by post: what workflows write, and what is printed of it.

use std::io::{Cursor, Read};

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message;
use entity::automation::printing::storage_key;
use entity::id::{Id, MessageId};
use entity::text::hex;
use futures::future::join_all;
use object_store::ObjectStoreExt;
use object_store::path::Path;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::app::App;
use tests::on_both_stacks;

use crate::changing::export::fetch;
use crate::erasure::purge;
use crate::given::{CREATE_CUSTOMER, CREATE_WORKFLOW, workflow};

const PRINT: &str = "mutation ($duplex: Boolean! = false, $key: String) {
  printLetters(duplex: $duplex, idempotencyKey: $key) { job { id kind state total } userErrors { code message field } } }";

const MESSAGES: &str = "query ($filter: MessageFilter) { messages(filter: $filter, orderBy: [{ field: CREATED_AT }], first: 100) {
  nodes { id channel state reason detail subject recipient printedAt bodySha256 createdAt customer { id displayName } } } }";

const SIMULATE: &str = "query ($id: ID!, $input: SimulateWorkflowInput!) {
  simulateWorkflow(id: $id, input: $input) { forecast { messages { channel customer { displayName }
    suppressed recipient subject text html segments problem } } userErrors { code message } } }";

/// A letter to each customer who comes.
fn writing() -> Value {
    let content = |language: &str, subject: &str, text: &str| json!({ "language": language, "subject": subject, "text": text });
    let contents = [
        content(
            "vi",
            "Chào mừng {{ customer.name }}",
            "Kính gửi {{ addressee }},\n\nChào mừng Quý khách.",
        ),
        content("en", "Welcome {{ customer.name }}", "Dear {{ addressee }},\n\nwelcome."),
    ];
    let send = json!({ "channel": "LETTER", "class": "SERVICE", "contents": contents });
    json!({
        "record": "Customer",
        "trigger": { "event": { "kinds": ["customer.created"] } },
        "steps": [{ "key": "letter", "action": { "send": send } }],
    })
}

async fn customer(app: &App, name: &str, addresses: Value) -> String {
    let input =
        json!({ "kind": "PERSON", "displayName": name, "language": "vi", "addresses": addresses });
    let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    made["id"].as_str().expect("an id").to_owned()
}

/// One with an address that a letter can go to.
async fn reachable(app: &App, name: &str) -> String {
    customer(app, name, json!([{ "lines": format!("1 {name}"), "city": "Huế" }])).await
}

async fn messages(app: &App, filter: Value) -> Vec<Value> {
    app.drain().await;
    let found = app.ask(MESSAGES, json!({ "filter": filter })).await;
    found["messages"]["nodes"].as_array().expect("messages").clone()
}

/// The files in what a job has left.
async fn printed(app: &App, job: &Value) -> (Vec<u8>, Vec<String>) {
    app.drain().await;
    let (status, body) = fetch(app, Some(&app.token()), &job["id"]).await;
    assert_eq!(status, 200, "{job}");
    let mut archive = zip::ZipArchive::new(Cursor::new(body.to_vec())).expect("an archive");
    let mut file = |name: &str| {
        let mut bytes = Vec::new();
        archive.by_name(name).expect(name).read_to_end(&mut bytes).expect("bytes");
        bytes
    };
    let (pdf, table) =
        (file("letters.pdf"), String::from_utf8(file("letters.csv")).expect("UTF-8"));
    let table = table.strip_prefix('\u{feff}').expect("a mark that Excel looks for");
    (pdf, table.split_terminator("\r\n").map(str::to_owned).collect())
}

/// What the file store has of a letter.
async fn stored(app: &App, letter: &Value) -> Option<Vec<u8>> {
    let id: MessageId = MessageId::parse(letter["id"].as_str().expect("an id")).expect("an id");
    let day =
        letter["createdAt"].as_str().expect("an instant").split('T').next().expect("a day").parse();
    let key = Path::from(storage_key(day.expect("a day"), id));
    let found = app.files.get(&key).await.ok()?;
    Some(found.bytes().await.expect("bytes").to_vec())
}

on_both_stacks! {
    /// To where bills go, or else to another address that is complete; each letter is in one batch.
    async fn a_letter_is_written_stored_and_printed_once(app: App) {
        workflow(app, &app.token_of(Role::Administrator).await, &writing()).await;
        customer(app, "=Lan", json!([
            { "lines": "9 Kho", "city": "Huế", "kind": "SHIPPING" },
            { "lines": "48 Đồng Khởi\nPhường 1", "city": "Sài Gòn", "postcode": "70000", "country": "VN" }])).await;
        // Hers is the older letter.
        app.drain().await;
        app.advance(TimeDelta::seconds(1));
        customer(app, "Minh", json!([{ "lines": "7 Kho", "city": "Vinh", "kind": "SHIPPING" }, { "lines": "Đâu đó" }])).await;
        customer(app, "Đâu", json!([{ "lines": "Đâu đó" }])).await;
        customer(app, "Không", json!([])).await;
        let all = messages(app, Value::Null).await;
        let of = |name: &str| all.iter().find(|one| one["customer"]["displayName"] == name).expect("a letter");
        let (lan, minh) = (of("=Lan"), of("Minh"));
        assert_eq!((&lan["channel"], &lan["state"]), (&json!("LETTER"), &json!("ACCEPTED")), "{lan}");
        assert_eq!(lan["recipient"], "48 Đồng Khởi, Phường 1, 70000 Sài Gòn, VN");
        assert_eq!(lan["subject"], "Chào mừng =Lan");
        assert_eq!((&minh["state"], &minh["recipient"]), (&json!("ACCEPTED"), &json!("7 Kho, Vinh")));
        for name in ["Đâu", "Không"] {
            assert_eq!((&of(name)["state"], &of(name)["reason"]), (&json!("SUPPRESSED"), &json!("NO_ADDRESS")));
        }
        let bytes = stored(app, lan).await.expect("the letter");
        assert!(bytes.starts_with(b"%PDF-"));
        assert_eq!(lan["bodySha256"], hex(&Sha256::digest(&bytes)));
        let row = message::Entity::find_by_id(MessageId::parse(lan["id"].as_str().expect("an id")).expect("an id"));
        assert_eq!(row.one(app.db.reader()).await.expect("a row").expect("a row").body, Some(bytes));

        let job = app.make("job", PRINT, json!({ "key": "once" })).await;
        assert_eq!((&job["kind"], &job["total"]), (&json!("PRINT_LETTERS"), &json!(2)));
        assert_eq!(app.make("job", PRINT, json!({ "key": "once" })).await["id"], job["id"], "a second click");
        let (pdf, table) = printed(app, &job).await;
        assert!(pdf.starts_with(b"%PDF-"));
        let row = |name: &str, letter: &Value| {
            let (address, id) = (letter["recipient"].as_str().expect("text"), letter["id"].as_str().expect("text"));
            let address = if address.contains(',') { format!("\"{address}\"") } else { address.to_owned() };
            format!("1,{name},{address},Chào mừng {},{id}", name.trim_start_matches('\''))
        };
        assert_eq!(table, [
            "letter,pages,name,address,subject,message".to_owned(),
            format!("1,{}", row("'=Lan", lan)),
            format!("2,{}", row("Minh", minh)),
        ]);
        assert_eq!(app.refusal(PRINT, json!({ "key": "again" })).await.0, "NOTHING_TO_PRINT");
        let waiting = json!({ "channel": { "eq": "LETTER" }, "state": { "eq": "ACCEPTED" }, "printedAt": { "isNull": true } });
        assert_eq!(messages(app, waiting.clone()).await.len(), 0);

        // What comes later is in another batch.
        let later = reachable(app, "Mới").await;
        assert_eq!(messages(app, waiting).await.len(), 1);
        let job = app.make("job", PRINT, json!({ "duplex": true })).await;
        let (_, table) = printed(app, &job).await;
        assert!(table.len() == 2 && table[1].contains("Mới"), "{table:?} {later}");
    }

    async fn ten_clicks_at_once_print_each_letter_once(app: App) {
        workflow(app, &app.token_of(Role::Administrator).await, &writing()).await;
        for number in 0..6 {
            reachable(app, &format!("K{number}")).await;
        }
        app.drain().await;
        let token = app.token();
        let clicks = join_all((0..10).map(|_| app.send_as(Some(&token), PRINT, json!({})))).await;
        let mut jobs = Vec::new();
        for click in clicks {
            assert!(click.errors.is_empty(), "{:#?}", click.errors);
            let payload = &click.data["printLetters"];
            match payload["job"].is_null() {
                true => assert_eq!(payload["userErrors"][0]["code"], "NOTHING_TO_PRINT"),
                false => jobs.push(payload["job"].clone()),
            }
        }
        let mut rows = Vec::new();
        for job in &jobs {
            rows.extend(printed(app, job).await.1.split_off(1));
        }
        assert_eq!(rows.len(), 6, "{rows:#?}");
        for number in 0..6 {
            assert_eq!(rows.iter().filter(|row| row.contains(&format!(",K{number},"))).count(), 1);
        }
    }

    async fn a_batch_is_for_who_asked_for_it_and_what_is_called_off_waits_again(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        workflow(app, &administrator, &writing()).await;
        reachable(app, "Lan").await;
        app.drain().await;
        for role in [Role::Auditor, Role::Sales] {
            let token = app.token_of(role).await;
            assert_eq!(app.send_as(Some(&token), PRINT, json!({})).await.error_code(), Some("FORBIDDEN"));
        }
        app.kill_workers().await;
        let job = app.make("job", PRINT, json!({})).await;
        assert_eq!(app.refusal(PRINT, json!({})).await.0, "NOTHING_TO_PRINT");
        let cancel = "mutation ($id: ID!) { cancelJob(id: $id) { job { state } userErrors { code } } }";
        app.make("job", cancel, json!({ "id": job["id"] })).await;
        app.start_workers();
        let job = app.make("job", PRINT, json!({})).await;
        assert_eq!(printed(app, &job).await.1.len(), 2);
        assert_eq!(fetch(app, Some(&administrator), &job["id"]).await.0, 404);
        app.advance(TimeDelta::days(7));
        assert_eq!(fetch(app, Some(&app.token()), &job["id"]).await.0, 404, "it has expired");
    }

    /// Neither the file store nor a batch keeps letters to a customer who is removed for good.
    async fn a_purged_customers_letters_are_gone(app: App) {
        workflow(app, &app.token_of(Role::Administrator).await, &writing()).await;
        let (lan, _) = (reachable(app, "Lan").await, reachable(app, "Minh").await);
        let all = messages(app, Value::Null).await;
        let job = app.make("job", PRINT, json!({})).await;
        assert_eq!(printed(app, &job).await.1.len(), 3);
        purge(app, &lan).await;
        assert_eq!(fetch(app, Some(&app.token()), &job["id"]).await.0, 404, "nobody knows whose letters are in it");
        app.advance(TimeDelta::days(1));
        let tidied = app.upkeep().tidy().await.expect("tidy").expect("it is due");
        assert_eq!(tidied.letters, 1);
        for letter in &all {
            let gone = letter["customer"]["id"] == lan;
            assert_eq!(stored(app, letter).await.is_none(), gone, "{letter}");
        }
    }

    /// A letter leaves by being stored, so that one that a dead worker had in its hands is stored by another one.
    async fn a_letter_that_a_dead_worker_had_is_stored_once(app: App) {
        workflow(app, &app.token_of(Role::Administrator).await, &writing()).await;
        reachable(app, "Lan").await;
        let before = messages(app, Value::Null).await[0].clone();
        app.kill_workers().await;
        // As if the worker had died after it had committed TRANSMITTING.
        let lease = app.clock.now() + TimeDelta::seconds(30);
        app.execute(&format!(
            "UPDATE message SET state = 'TRANSMITTING', settled_at = NULL, lease_until = '{}'",
            lease.format("%Y-%m-%d %H:%M:%S+00:00"),
        )).await;
        app.advance(TimeDelta::minutes(1));
        app.start_workers();
        let again = messages(app, Value::Null).await;
        assert_eq!((again.len(), &again[0]["state"]), (1, &json!("ACCEPTED")), "{again:#?}");
        assert_eq!(again[0]["bodySha256"], before["bodySha256"]);
        let job = app.make("job", PRINT, json!({})).await;
        assert_eq!(printed(app, &job).await.1.len(), 2);
    }

    async fn what_is_foreseen_of_letters_is_what_comes(app: App) {
        let token = app.token_of(Role::Administrator).await;
        reachable(app, "Lan").await;
        customer(app, "Không", json!([])).await;
        let input = json!({ "name": "Chào", "definition": writing() });
        let draft = app.make_as(&token, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
        let from = app.clock.now();
        let asked = json!({ "id": draft["id"], "input": { "from": from, "until": from + TimeDelta::days(1) } });
        let foreseen = app.send_as(Some(&token), SIMULATE, asked).await;
        let foreseen = foreseen.data["simulateWorkflow"]["forecast"]["messages"].clone();
        assert_eq!(foreseen, json!([
            { "channel": "LETTER", "customer": { "displayName": "Không" }, "suppressed": "NO_ADDRESS", "recipient": null,
              "subject": "Chào mừng Không", "text": "Kính gửi Không,\n\nChào mừng Quý khách.", "html": null, "segments": null, "problem": null },
            { "channel": "LETTER", "customer": { "displayName": "Lan" }, "suppressed": null, "recipient": "1 Lan, Huế",
              "subject": "Chào mừng Lan", "text": "Kính gửi Lan,\n\nChào mừng Quý khách.", "html": null, "segments": null, "problem": null },
        ]));
    }
}
