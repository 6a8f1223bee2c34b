//! Text messages: what workflows write to customers' telephones.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message::{self, State};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use worker::mail::transport::Outcome;

use crate::given::{CREATE_CUSTOMER, CREATE_WORKFLOW, workflow};

const MESSAGES: &str =
    "{ messages(filter: { kind: { eq: WORKFLOW } }, orderBy: [{ field: CREATED_AT }], first: 100) {
  nodes { id channel state reason detail subject recipient attempts messageId customer { displayName } } } }";

const SIMULATE: &str = "query ($id: ID!, $input: SimulateWorkflowInput!) {
  simulateWorkflow(id: $id, input: $input) {
    forecast { sent suppressed { reason times } messages { channel customer { displayName } suppressed recipient
      language subject text html segments problem } }
    userErrors { code field message } } }";

const EXPLAIN: &str = "query ($about: ExplainMessageInput!) { explainMessage(about: $about) {
  explanation { verdict reason checks { rule finding } } userErrors { code } } }";

/// A text message to each customer who comes.
fn texting(contents: &[(&str, &str)], more: &Value) -> Value {
    let contents: Vec<_> = contents
        .iter()
        .map(|(language, text)| json!({ "language": language, "text": text }))
        .collect();
    let mut send = json!({ "channel": "SMS", "class": "SERVICE", "contents": contents });
    for (name, value) in more.as_object().expect("fields") {
        send[name] = value.clone();
    }
    json!({
        "record": "Customer",
        "trigger": { "event": { "kinds": ["customer.created"] } },
        "steps": [{ "key": "text", "action": { "send": send } }],
    })
}

/// Adds customers with a telephone number each, or without one.
async fn customers(app: &App, token: &str, numbers: &[(&str, Value)]) {
    for (name, more) in numbers {
        let mut input = json!({ "kind": "PERSON", "displayName": name, "language": "vi" });
        for (field, value) in more.as_object().expect("fields") {
            input[field] = value.clone();
        }
        app.make_as(token, "customer", CREATE_CUSTOMER, json!({ "input": input })).await;
    }
}

/// What workflows have for customers, by their names.
async fn messages(app: &App, token: &str) -> BTreeMap<String, Value> {
    let reply = app.send_as(Some(token), MESSAGES, json!({})).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    let nodes = reply.data["messages"]["nodes"].as_array().expect("messages").clone();
    let named = nodes.into_iter().map(|message| {
        (message["customer"]["displayName"].as_str().expect("a name").to_owned(), message)
    });
    named.collect()
}

/// Numbers that go out, those that do not, and what is too long for one.
fn all_sorts() -> Vec<(&'static str, Value)> {
    let at_home = json!([{ "lines": "1 Lê Lợi", "city": "Huế", "country": "VN" }]);
    vec![
        ("Lan", json!({ "phone": "+84 901 234 567" })),
        ("Minh", json!({ "phone": "0902.345.678", "addresses": at_home })),
        (
            "Ann",
            json!({ "phone": "020 7946 0958", "language": "en-GB", "addresses": [{ "lines": "1 High St", "country": "GB" }] }),
        ),
        (
            "Công ty",
            json!({ "phone": "+84 903 000 000", "contacts": [
            { "name": "Kế toán", "phone": "+84 904 000 000", "billing": true }, { "name": "Khác", "phone": "+84 905 000 000" }] }),
        ),
        ("Không", json!({ "email": "khong@example.vn" })),
        ("Sai", json!({ "phone": "máy lẻ 12", "addresses": at_home })),
        ("Đâu", json!({ "phone": "0906 000 000" })),
        ("Dài", json!({ "phone": "+84 907 000 000", "number": "9".repeat(60) })),
    ]
}

/// What is said to `all_sorts`: too much to those whose number is long.
const SAID: [(&str, &str); 2] = [
    (
        "vi",
        "Chào {{ addressee }} ạ!{% if customer.number is defined %}{{ customer.number * 12 }}{% endif %}",
    ),
    ("en", "Hello {{ addressee }}!"),
];

on_both_stacks! {
    /// To the number that networks take, whichever way it was typed, in the customer's language; and what cannot be sent says
    /// why. What is foreseen is what comes.
    async fn what_is_foreseen_of_text_messages_is_what_comes(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let definition = texting(&SAID, &json!({ "to": "BILLING" }));
        customers(app, &token, &all_sorts()).await;
        let input = json!({ "name": "Chào", "definition": definition });
        let draft = app.make_as(&token, "workflow", CREATE_WORKFLOW, json!({ "input": input })).await;
        let from = app.clock.now();
        let asked = json!({ "id": draft["id"], "input": { "from": from, "until": from + TimeDelta::days(1) } });
        let foreseen = app.send_as(Some(&token), SIMULATE, asked).await;
        assert!(foreseen.errors.is_empty(), "{:#?}", foreseen.errors);
        assert_eq!(foreseen.data["simulateWorkflow"]["userErrors"], json!([]));
        let foreseen = foreseen.data["simulateWorkflow"]["forecast"].clone();
        let foreseen = foreseen["messages"].as_array().expect("messages").clone();

        workflow(app, &token, &definition).await;
        // The same ones again, who start it.
        app.execute("UPDATE customer SET number = NULL").await;
        customers(app, &token, &all_sorts()).await;
        app.drain().await;

        let sent = messages(app, &token).await;
        assert_eq!(sent.len(), foreseen.len());
        for would in &foreseen {
            let name = would["customer"]["displayName"].as_str().expect("a name");
            let message = &sent[name];
            assert_eq!((&would["channel"], &message["channel"]), (&json!("SMS"), &json!("SMS")));
            assert_eq!((&would["subject"], &would["html"], &message["subject"]), (&Value::Null, &Value::Null, &Value::Null));
            match would["problem"].as_str() {
                Some(problem) => {
                    let said = (message["state"].as_str(), message["reason"].as_str());
                    assert_eq!(said, (Some("SUPPRESSED"), Some("RENDER_ERROR")));
                    let detail = message["detail"].as_str().expect("a detail");
                    assert!(detail.contains("segments") && detail == problem, "{detail} / {problem}");
                }
                None => assert_eq!(would["suppressed"], message["reason"], "{name}"),
            }
            if message["state"] == "ACCEPTED" {
                assert_eq!(would["recipient"], message["recipient"]);
                let texts = app.texts.kept();
                let text = texts.iter().find(|text| text.id == message["messageId"]).expect("it came");
                assert_eq!(json!(text.to), message["recipient"]);
                assert_eq!(json!(text.text), would["text"]);
                assert_eq!(would["segments"], json!(1));
            }
        }
        let of = |name: &str| (sent[name]["state"].as_str().expect("text"), sent[name]["recipient"].as_str().unwrap_or_default());
        assert_eq!(of("Lan"), ("ACCEPTED", "+84901234567"));
        assert_eq!(of("Minh"), ("ACCEPTED", "+84902345678"));
        assert_eq!(of("Ann"), ("ACCEPTED", "+442079460958"));
        assert_eq!(of("Công ty"), ("ACCEPTED", "+84904000000"));
        assert_eq!(sent["Không"]["reason"], "NO_ADDRESS");
        assert_eq!(sent["Sai"]["reason"], "BAD_ADDRESS");
        assert_eq!(sent["Đâu"]["reason"], "BAD_ADDRESS", "nobody knows in which country that is");
        assert_eq!(sent["Dài"]["reason"], "RENDER_ERROR");
        let mut said: Vec<_> = app.texts.kept().into_iter().map(|text| text.text).collect();
        said.sort();
        assert_eq!(said, ["Chào Kế toán ạ!", "Chào Lan ạ!", "Chào Minh ạ!", "Hello Ann!"]);
        assert!(app.mailbox.mails().is_empty());
    }

    async fn a_number_without_a_country_is_one_of_the_organisations(app: App) {
        let token = app.token_of(Role::Administrator).await;
        app.execute("UPDATE organisation SET phone = '+84 236 3555 010'").await;
        let said = [("vi", "Đã nhận “{{ customer.phone }}” – cảm ơn…\n\n\n\nRapport")];
        workflow(app, &token, &texting(&said, &json!({ "plain": true }))).await;
        customers(app, &token, &[("Đâu", json!({ "phone": "0906 000 000" }))]).await;
        app.drain().await;
        let texts = app.texts.kept();
        assert_eq!(texts[0].to, "+84906000000");
        assert_eq!(texts[0].text, "Da nhan \"0906 000 000\" - cam on...\n\nRapport");
    }

    /// What the gate holds back, and what it says of a number, whichever way it is written.
    async fn a_number_that_nothing_may_go_to_gets_nothing(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let suppress = "mutation ($input: SuppressAddressInput!) {
          suppressAddress(input: $input) { suppression { id } userErrors { code message field } } }";
        let input = json!({ "channel": "SMS", "address": "0901-234-567", "cause": "HARD_BOUNCED" });
        app.make_as(&token, "suppression", suppress, json!({ "input": input })).await;
        workflow(app, &token, &texting(&[("vi", "Chào")], &json!({}))).await;
        customers(app, &token, &[("Lan", json!({ "phone": "+84 901 234 567" })), ("Không", json!({}))]).await;
        app.drain().await;
        let sent = messages(app, &token).await;
        assert_eq!((&sent["Lan"]["state"], &sent["Lan"]["reason"]), (&json!("SUPPRESSED"), &json!("HARD_BOUNCED")));
        assert!(app.texts.kept().is_empty());
        let explain = async |about: Value| {
            let reply = app.send_as(Some(&token), EXPLAIN, json!({ "about": about })).await;
            assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
            reply.data["explainMessage"]["explanation"].clone()
        };
        let explained = explain(json!({ "message": sent["Lan"]["id"] })).await;
        assert_eq!((&explained["verdict"], &explained["reason"]), (&json!("SUPPRESSED"), &json!("HARD_BOUNCED")));
        let customer = app.send_as(Some(&token), "{ customers(filter: { displayName: { eq: \"Không\" } }) { nodes { id } } }", json!({})).await;
        let id = customer.data["customers"]["nodes"][0]["id"].clone();
        let about = json!({ "customer": { "id": id, "channel": "SMS", "class": "SERVICE" } });
        assert_eq!(explain(about).await["reason"], "NO_ADDRESS");
    }

    async fn what_a_gateway_says_is_what_became_of_a_message(app: App) {
        let token = app.token_of(Role::Administrator).await;
        workflow(app, &token, &texting(&[("vi", "Chào {{ addressee }}")], &json!({}))).await;
        let reply = |reply: &str| reply.to_owned();
        for (name, outcome, expected) in [
            ("Đợi", Outcome::Temporary { reply: reply("503") }, ("DEFERRED", "PROVIDER_TEMP")),
            ("Sai", Outcome::Permanent { reply: reply("400") }, ("REFUSED", "PROVIDER_PERM")),
            ("Mất", Outcome::Unknown { reply: reply("timeout") }, ("UNKNOWN", "UNKNOWN_OUTCOME")),
        ] {
            app.texts.answer([outcome]);
            customers(app, &token, &[(name, json!({ "phone": "+84 901 234 567" }))]).await;
            app.drain().await;
            let message = &messages(app, &token).await[name];
            assert_eq!((message["state"].as_str(), message["reason"].as_str()), (Some(expected.0), Some(expected.1)));
        }
        // What it is about is different by then, and what was written stays.
        app.execute("UPDATE customer SET display_name = 'Khác' WHERE display_name = 'Đợi'").await;
        app.advance(TimeDelta::minutes(2));
        app.drain().await;
        app.advance(TimeDelta::hours(9));
        app.drain().await;
        let texts = app.texts.kept();
        assert_eq!(texts.len(), 1, "{texts:?}");
        assert_eq!(texts[0].text, "Chào Đợi");
        let token = app.token_of(Role::Administrator).await;
        assert_eq!(messages(app, &token).await["Khác"]["attempts"], 2);
    }

    /// Workers die while a gateway has messages that it has not answered to: these are not known, and nobody sends them again.
    async fn a_text_message_that_a_dead_worker_had_on_the_wire_is_not_sent_again(app: App) {
        let token = app.token_of(Role::Administrator).await;
        workflow(app, &token, &texting(&[("vi", "Chào {{ addressee }}")], &json!({}))).await;
        app.texts.answer_after(Duration::from_mins(2));
        let those = ["A", "B", "C", "D", "E", "F"].map(|name| (name, json!({ "phone": "+84 901 234 567" })));
        customers(app, &token, &those).await;
        while app.texts.kept().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        app.kill_workers().await;
        let on_the_wire: Vec<_> = app.texts.kept().into_iter().map(|text| json!(text.id)).collect();
        for message in messages(app, &token).await.values().filter(|message| on_the_wire.contains(&message["messageId"])) {
            assert_eq!(message["state"], "TRANSMITTING", "{message}");
        }
        app.texts.answer_after(Duration::ZERO);
        app.start_workers();
        for _ in 0..6 {
            app.advance(TimeDelta::minutes(1));
            app.drain().await;
        }
        app.advance(TimeDelta::days(2));
        app.drain().await;
        let sent = message::Entity::find().all(app.db.reader()).await.expect("messages");
        assert_eq!(sent.len(), those.len());
        for message in sent {
            let times = app.texts.kept().iter().filter(|text| text.id == message.message_id).count();
            match message.state {
                State::Unknown => assert!(times <= 1, "{message:?}"),
                State::Accepted => assert_eq!(times, 1, "{message:?}"),
                _ => panic!("it is not settled: {message:?}"),
            }
            if on_the_wire.contains(&json!(message.message_id)) {
                assert_eq!(message.state, State::Unknown, "{message:?}");
            }
        }
    }

    async fn what_is_no_text_message_cannot_be_drafted(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let content = |subject: Value| json!([{ "language": "vi", "subject": subject, "text": "Chào" }]);
        for (send, field) in [
            (json!({ "channel": "SMS", "class": "SERVICE", "contents": content(json!("Chào")) }), "subject"),
            (json!({ "channel": "EMAIL", "class": "SERVICE", "contents": content(Value::Null) }), "subject"),
            (json!({ "class": "SERVICE", "plain": true, "contents": content(json!("Chào")) }), "plain"),
            (json!({ "channel": "FAX", "class": "SERVICE", "contents": content(json!("Chào")) }), "channel"),
        ] {
            let mut definition = texting(&[], &json!({}));
            definition["steps"][0]["action"]["send"] = send;
            let input = json!({ "name": "Chào", "definition": definition });
            let reply = app.send_as(Some(&token), CREATE_WORKFLOW, json!({ "input": input })).await;
            assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
            let payload = &reply.data["createWorkflow"];
            let publish = "mutation ($id: ID!) { publishWorkflow(id: $id) { userErrors { field message } } }";
            let errors = match payload["workflow"]["id"].as_str() {
                Some(id) => app.send_as(Some(&token), publish, json!({ "id": id })).await.data["publishWorkflow"]["userErrors"].clone(),
                None => payload["userErrors"].clone(),
            };
            let path = errors[0]["field"].as_array().and_then(|path| path.last()).and_then(Value::as_str);
            assert_eq!(path, Some(field), "{errors:#?}");
        }
    }
}
