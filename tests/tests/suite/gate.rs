//! What workflows send to customers, and the gate that all of it passes.

use chrono::TimeDelta;
use entity::access::Role;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{CREATE_CUSTOMER, RECORD_PAYMENT, customer, invoice, payment, workflow};

const POLICY: &str = "mutation ($input: UpdateContactPolicyInput!, $number: Int!) {
  updateContactPolicy(input: $input, expectedNumber: $number) {
    contactPolicy { number hours { from until } caps { most within } packs { key mode } } userErrors { code message field } } }";

const CONSENT: &str = "mutation ($id: ID!, $input: RecordConsentInput!) {
  recordConsent(customerId: $id, input: $input) { consent { id standing } userErrors { code message field } } }";

const SUPPRESS: &str = "mutation ($input: SuppressAddressInput!) {
  suppressAddress(input: $input) { suppression { id cause } userErrors { code message field } } }";

const EXPLAIN: &str = "query ($about: ExplainMessageInput!) { explainMessage(about: $about) {
  explanation { foreseen verdict reason until policy message { state }
    checks { rule finding reason until detail pack } } userErrors { code } } }";

const MESSAGES: &str = "{ messages(filter: { kind: { eq: WORKFLOW } }, orderBy: [{ field: CREATED_AT }]) {
  nodes { id class topic state reason detail subject recipient dueAt step workflowRun { workflow { name } }
    customer { displayName } } } }";

const TURN: &str =
    "mutation ($id: ID!) { pauseWorkflow(id: $id) { workflow { state } userErrors { code } } }";

const RESUME: &str =
    "mutation ($id: ID!) { resumeWorkflow(id: $id) { workflow { state } userErrors { code } } }";

/// Writes to each customer who comes, about something of a class.
pub fn writing(class: &str, text: &str) -> Value {
    let content = |language: &str, subject: &str| json!({ "language": language, "subject": subject, "text": text });
    let send = json!({
        "class": class, "topic": "tips",
        "contents": [content("en", "Hello {{ addressee }}"), content("vi", "Chào {{ addressee }}")],
    });
    json!({
        "record": "Customer",
        "trigger": { "event": { "kinds": ["customer.created"] } },
        "steps": [{ "key": "write", "action": { "send": send } }],
    })
}

/// What workflows have for customers.
async fn messages(app: &App, token: &str) -> Vec<Value> {
    let reply = app.send_as(Some(token), MESSAGES, json!({})).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    reply.data["messages"]["nodes"].as_array().expect("messages").clone()
}

async fn explained(app: &App, token: &str, about: Value) -> Value {
    let reply = app.send_as(Some(token), EXPLAIN, json!({ "about": about })).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    assert_eq!(reply.data["explainMessage"]["userErrors"], json!([]));
    reply.data["explainMessage"]["explanation"].clone()
}

/// Which policy counts from now on.
pub async fn policy(app: &App, token: &str, number: i32, input: Value) -> Value {
    app.make_as(token, "contactPolicy", POLICY, json!({ "input": input, "number": number })).await
}

on_both_stacks! {
    async fn each_customer_is_written_to_in_their_language_about_what_is_theirs(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let content = |language: &str, subject: &str, text: &str| {
            json!({ "language": language, "subject": subject, "text": text })
        };
        let send = json!({
            "class": "SERVICE", "to": "BILLING",
            "contents": [
                content("en", "Invoice {{ record.number }}", "Dear {{ addressee }},\n\n{{ record.total }} due {{ record.dueOn }}.\nThank you."),
                content("vi", "Hóa đơn {{ record.number }}", "Kính gửi {{ addressee }},\n\n{{ record.total }}, hạn {{ record.dueOn }}."),
            ],
        });
        let definition = json!({
            "record": "Invoice", "trigger": { "event": { "kinds": ["invoice.issued"] } },
            "steps": [{ "key": "tell", "action": { "send": send } }],
        });
        workflow(app, &token, &definition).await;
        let vietnamese = customer(app, "Trần <b>Đạt</b> {{ 7*7 }}", "vi", "VND").await;
        let british = customer(app, "Ada Lovelace", "en-GB", "EUR").await;
        invoice(app, &vietnamese, "1200000", "VND").await;
        invoice(app, &british, "1234.5", "EUR").await;
        app.drain().await;

        let mails = app.mailbox.mails();
        assert_eq!(mails.len(), 2);
        let all = messages(app, &token).await;
        let subjects: Vec<_> = all.iter().filter_map(|message| message["subject"].as_str()).collect();
        assert!(subjects.iter().any(|subject| subject.starts_with("Hóa đơn ")), "{subjects:?}");
        assert!(subjects.iter().any(|subject| subject.starts_with("Invoice ")), "{subjects:?}");
        assert!(all.iter().all(|message| message["state"] == "ACCEPTED" && message["workflowRun"]["workflow"]["name"] == "Chào mừng"));
        let text = |raw: &[u8]| {
            let parsed = mail_parser::MessageParser::default().parse(raw).expect("a mail");
            (parsed.body_text(0).expect("a text").into_owned(), parsed.body_html(0).expect("HTML").into_owned())
        };
        let texts: Vec<_> = mails.iter().map(|mail| text(&mail.raw)).collect();
        let (plain, html) = texts.iter().find(|(plain, _)| plain.contains("Kính gửi")).expect("the Vietnamese one");
        assert!(plain.contains("Trần <b>Đạt</b> {{ 7*7 }}"), "{plain}");
        assert!(plain.contains("1.200.000\u{a0}₫, hạn 20/12/2026."), "{plain}");
        assert!(html.contains("Trần &lt;b&gt;Đạt&lt;&#x2f;b&gt; {{ 7*7 }}"), "{html}");
        let (plain, _) = texts.iter().find(|(plain, _)| plain.contains("Dear Ada Lovelace")).expect("the English one");
        assert!(plain.contains("€1,234.50 due 20 December 2026."), "{plain}");
    }

    async fn what_names_what_is_not_there_is_refused_and_what_is_missing_is_not_sent(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let input = json!({ "name": "Wrong", "definition": writing("SERVICE", "{{ record.colour }}") });
        let made = app.make_as(&token, "workflow", crate::given::CREATE_WORKFLOW, json!({ "input": input })).await;
        let reply = app.send_as(Some(&token), crate::given::PUBLISH_WORKFLOW, json!({ "id": made["id"] })).await;
        let errors = reply.data["publishWorkflow"]["userErrors"].as_array().expect("errors").clone();
        assert_eq!(errors.len(), 2, "{errors:?}");
        assert!(errors[0]["message"].as_str().expect("a message").starts_with("there is no record.colour; there are addressee, "));

        workflow(app, &token, &writing("SERVICE", "Your number is {{ record.number }}.")).await;
        customer(app, "Without a number", "en", "EUR").await;
        app.drain().await;
        let all = messages(app, &token).await;
        assert_eq!((&all[0]["state"], &all[0]["reason"]), (&json!("SUPPRESSED"), &json!("RENDER_ERROR")));
        assert!(all[0]["detail"].as_str().expect("a detail").contains("undefined"), "{}", all[0]["detail"]);
        assert!(app.mailbox.mails().is_empty());
    }

    async fn at_night_a_message_waits_for_the_morning_of_the_customer_and_says_so(app: App) {
        let (admin, token) = app.user(Role::Administrator.id()).await;
        let hours = json!({ "from": "09:00", "until": "18:00" });
        let changed = policy(app, &token, 0, json!({ "hours": [hours] })).await;
        assert_eq!(changed["number"], 1);
        assert_eq!(changed["packs"][0], json!({ "key": "vn-advertising", "mode": "WARN" }));
        workflow(app, &token, &writing("SERVICE", "Welcome.")).await;
        // It is nine in Viet Nam, and four at night in Paris.
        let input = json!({ "kind": "PERSON", "displayName": "Anne", "email": "anne@example.fr", "timeZone": "Europe/Paris" });
        app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        customer(app, "Lan", "vi", "VND").await;
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
        let all = messages(app, &token).await;
        let waiting = all.iter().find(|message| message["state"] == "DEFERRED").expect("one waits");
        assert_eq!((&waiting["reason"], &waiting["customer"]["displayName"]), (&json!("QUIET_HOURS"), &json!("Anne")));
        assert_eq!(waiting["dueAt"], "2026-11-03T08:00:00+00:00");
        let why = explained(app, &token, json!({ "message": waiting["id"] })).await;
        assert_eq!((&why["verdict"], &why["foreseen"], &why["policy"]), (&json!("DEFERRED"), &json!(true), &json!(1)));
        let check = why["checks"].as_array().expect("checks").iter().find(|check| check["rule"] == "HOURS").expect("hours");
        assert_eq!(check["detail"], "from 09:00 to 18:00; it is Tue 03:00 in Europe/Paris");

        app.advance(TimeDelta::hours(6));
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 2);
        let token = app.token_for(admin).await;
        let why = explained(app, &token, json!({ "message": waiting["id"] })).await;
        assert_eq!((&why["verdict"], &why["foreseen"], &why["message"]["state"]), (&json!("PASSED"), &json!(false), &json!("ACCEPTED")));
    }

    async fn two_workflows_that_race_for_the_last_place_under_a_cap_share_it_out(app: App) {
        let (admin, token) = app.user(Role::Administrator.id()).await;
        policy(app, &token, 0, json!({ "caps": [{ "most": 1, "within": "P1D" }] })).await;
        for text in ["One.", "Two.", "Three."] {
            workflow(app, &token, &writing("SERVICE", text)).await;
        }
        for name in ["Lan", "Hoa", "Mai", "Cúc"] {
            let input = json!({ "kind": "PERSON", "displayName": name, "email": format!("{}@example.vn", name.len()) });
            app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        }
        for day in 1..=3 {
            app.drain().await;
            assert_eq!(app.mailbox.mails().len(), 4 * day, "one for each on each day");
            app.advance(TimeDelta::days(1));
        }
        let token = app.token_for(admin).await;
        assert!(messages(app, &token).await.iter().all(|message| message["state"] == "ACCEPTED"));
    }

    /// What the forecast says of the gate is what the gate does: how much goes, when, and what is put off and why.
    async fn what_the_gate_would_do_is_what_it_does(app: App) {
        let (admin, token) = app.user(Role::Administrator.id()).await;
        let hours = json!({ "from": "09:00", "until": "12:00" });
        let cap = json!({ "most": 1, "within": "P1D" });
        policy(app, &token, 0, json!({ "hours": [hours], "caps": [cap] })).await;
        let (lan, hoa) = (customer(app, "Lan", "vi", "VND").await, customer(app, "Hoa", "vi", "VND").await);
        for _ in 0..3 {
            invoice(app, &lan, "100000", "VND").await;
        }
        invoice(app, &hoa, "100000", "VND").await;
        let address = json!({ "channel": "EMAIL", "address": "gone@example.vn", "cause": "HARD_BOUNCED" });
        app.make_as(&token, "suppression", SUPPRESS, json!({ "input": address })).await;
        let gone = json!({ "kind": "PERSON", "displayName": "Gone", "email": "gone@example.vn", "currency": "VND" });
        let gone = app.make("customer", CREATE_CUSTOMER, json!({ "input": gone })).await;
        invoice(app, gone["id"].as_str().expect("an id"), "100000", "VND").await;
        app.drain().await;
        let content = json!({ "language": "en", "subject": "Due", "text": "{{ record.number }}" });
        let send = json!({ "class": "SERVICE", "within": "PT60H", "contents": [content] });
        let definition = json!({
            "record": "Invoice", "trigger": { "date": { "field": "dueOn", "days": -45, "at": "06:00" } },
            "steps": [{ "key": "write", "action": { "send": send } }],
        });
        let id = workflow(app, &token, &definition).await;
        let (from, until) = (app.clock.now(), app.clock.now() + TimeDelta::days(8));
        let query = "query ($id: ID!, $from: DateTime!, $until: DateTime!) {
          simulateWorkflow(id: $id, input: { from: $from, until: $until }) {
            forecast { runs effects sent suppressed { reason times } deferred { reason times } hours { at effects } }
            userErrors { code } } }";
        let reply = app.send_as(Some(&token), query, json!({ "id": id, "from": from, "until": until })).await;
        assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
        let forecast = &reply.data["simulateWorkflow"]["forecast"];
        assert_eq!((&forecast["runs"], &forecast["sent"]), (&json!(5), &json!(4)));
        assert_eq!(forecast["suppressed"], json!([{ "reason": "HARD_BOUNCED", "times": 1 }]));
        let hours = forecast["hours"].as_array().expect("hours").clone();
        assert_eq!(hours.iter().map(|hour| hour["effects"].clone()).collect::<Vec<_>>(), [2, 1, 1]);

        let instant = |hour: &Value| hour["at"].as_str().expect("an instant").parse::<chrono::DateTime<chrono::Utc>>().expect("an instant");
        let day_begins = "2026-11-04T23:00:00Z".parse().expect("an instant");
        let mut came = Vec::new();
        for at in std::iter::once(day_begins).chain(hours.iter().map(instant)) {
            app.advance(at - app.clock.now());
            tokio::time::sleep(std::time::Duration::from_millis(1_200)).await;
            app.drain().await;
            came.push(app.mailbox.mails().len());
        }
        assert_eq!(came, [0, 2, 3, 4]);
        let token = app.token_for(admin).await;
        let states = messages(app, &token).await.iter().map(|message| message["state"].clone()).collect::<Vec<_>>();
        assert_eq!(states.iter().filter(|state| **state == "ACCEPTED").count(), 4);
        assert_eq!(states.iter().filter(|state| **state == "SUPPRESSED").count(), 1);
    }

    async fn an_offer_goes_to_those_alone_who_want_it(app: App) {
        let token = app.token_of(Role::Administrator).await;
        workflow(app, &token, &writing("MARKETING", "Buy.")).await;
        let lan = customer(app, "Lan", "vi", "VND").await;
        app.drain().await;
        let all = messages(app, &token).await;
        assert_eq!((&all[0]["state"], &all[0]["reason"]), (&json!("SUPPRESSED"), &json!("NO_CONSENT")));
        let why = explained(app, &token, json!({ "message": all[0]["id"] })).await;
        assert_eq!((&why["verdict"], &why["reason"], &why["foreseen"]), (&json!("SUPPRESSED"), &json!("NO_CONSENT"), &json!(false)));

        let about = json!({ "customer": { "id": lan, "class": "MARKETING", "topic": "tips" } });
        let say = |standing: &str, topic: Option<&str>| json!({ "id": lan, "input": {
            "channel": "EMAIL", "standing": standing, "topic": topic, "proof": "asked by telephone" } });
        app.make_as(&token, "consent", CONSENT, say("GIVEN", None)).await;
        assert_eq!(explained(app, &token, about.clone()).await["verdict"], "PASSED");
        app.advance(TimeDelta::seconds(1));
        app.make_as(&token, "consent", CONSENT, say("WITHDRAWN", Some("Tips"))).await;
        assert_eq!(explained(app, &token, about.clone()).await["reason"], "UNSUB_TOPIC");
        app.advance(TimeDelta::seconds(1));
        app.make_as(&token, "consent", CONSENT, say("GIVEN", Some("tips"))).await;
        assert_eq!(explained(app, &token, about.clone()).await["verdict"], "PASSED");
        // Whatever way the address is written, it is the same.
        let address = json!({ "channel": "EMAIL", "address": " CUSTOMER@Example.VN", "cause": "COMPLAINED" });
        app.make_as(&token, "suppression", SUPPRESS, json!({ "input": address })).await;
        assert_eq!(explained(app, &token, about).await["reason"], "COMPLAINED");
        let service = json!({ "customer": { "id": lan, "class": "SERVICE" } });
        assert_eq!(explained(app, &token, service).await["verdict"], "PASSED");
        assert!(app.mailbox.mails().is_empty());
    }

    async fn nothing_goes_to_an_address_that_does_not_exist_until_that_is_taken_back(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let address = json!({ "channel": "EMAIL", "address": "customer@example.vn", "cause": "HARD_BOUNCED" });
        let entry = app.make_as(&token, "suppression", SUPPRESS, json!({ "input": address })).await;
        let again = app.make_as(&token, "suppression", SUPPRESS, json!({ "input": address })).await;
        assert_eq!(entry["id"], again["id"]);
        let lan = customer(app, "Lan", "vi", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "5000", "VND", "one")).await;
        app.drain().await;
        assert!(app.mailbox.mails().is_empty());
        let reason = app.ask("{ messages { nodes { state reason } } }", json!({})).await;
        assert_eq!(reason["messages"]["nodes"], json!([{ "state": "SUPPRESSED", "reason": "HARD_BOUNCED" }]));
        let lift = "mutation ($id: ID!) { liftSuppression(id: $id) { suppression { liftedAt } userErrors { code } } }";
        let lifted = app.make_as(&token, "suppression", lift, json!({ "id": entry["id"] })).await;
        assert!(lifted["liftedAt"].is_string());
        app.make("payment", RECORD_PAYMENT, payment(&lan, "6000", "VND", "two")).await;
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
    }

    async fn a_policy_is_changed_as_a_whole_by_who_has_seen_the_last_one(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let refused = async |number: i32, input: Value| {
            let reply = app.send_as(Some(&token), POLICY, json!({ "input": input, "number": number })).await;
            assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
            let errors = &reply.data["updateContactPolicy"]["userErrors"];
            errors.as_array().expect("errors").iter().map(|error| error["code"].as_str().expect("a code").to_owned()).collect::<Vec<_>>()
        };
        let backwards = json!({ "hours": [{ "from": "18:00", "until": "09:00" }], "packs": [{ "key": "atlantis", "mode": "ENFORCE" }] });
        assert_eq!(refused(0, backwards).await, ["INVALID", "INVALID"]);
        policy(app, &token, 0, json!({ "packs": [{ "key": "vn-advertising", "mode": "ENFORCE" }] })).await;
        assert_eq!(refused(0, json!({})).await, ["STALE_VERSION"]);
        let holidays = "mutation ($days: [HolidayInput!]!) { setHolidays(country: \"vn\", year: 2027, days: $days) {
          days userErrors { code field } } }";
        let tet = json!([{ "on": "2027-02-06", "name": "Tết" }, { "on": "2027-02-07", "name": "Tết" }]);
        for _ in 0..2 {
            let reply = app.send_as(Some(&token), holidays, json!({ "days": tet })).await;
            assert_eq!(reply.data["setHolidays"], json!({ "days": 2, "userErrors": [] }));
        }
        let known = app.ask("{ holidays(filter: { country: { eq: \"VN\" } }) { nodes { dayOn name } } }", json!({})).await;
        assert_eq!(known["holidays"]["nodes"].as_array().expect("days").len(), 2);
        let wrong = json!([{ "on": "2026-02-06", "name": "" }]);
        let reply = app.send_as(Some(&token), holidays, json!({ "days": wrong })).await;
        assert_eq!(reply.data["setHolidays"]["userErrors"].as_array().expect("errors").len(), 2);
    }

    async fn the_receipt_is_a_workflow_that_a_manager_can_let_stand_still_and_copy(app: App) {
        let token = app.token_of(Role::Administrator).await;
        let query = "{ workflows(filter: { preset: { isNull: false } }, orderBy: [{ field: NAME }]) { nodes { id name preset state } } }";
        let reply = app.send_as(Some(&token), query, json!({})).await;
        let presets = reply.data["workflows"]["nodes"].as_array().expect("workflows").clone();
        let receipt = presets.iter().find(|workflow| workflow["preset"] == "receipt").expect("the receipt");
        assert_eq!(receipt["state"], "ACTIVE");
        assert!(presets.iter().filter(|workflow| workflow["preset"] != "receipt").all(|workflow| workflow["state"] == "DRAFT"));

        let lan = customer(app, "Lan", "vi", "VND").await;
        app.make_as(&token, "workflow", TURN, json!({ "id": receipt["id"] })).await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "5000", "VND", "one")).await;
        app.drain().await;
        assert!(app.mailbox.mails().is_empty(), "it stands still");
        app.make_as(&token, "workflow", RESUME, json!({ "id": receipt["id"] })).await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "6000", "VND", "two")).await;
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);

        let copy = "mutation ($id: ID!, $name: String!) { copyWorkflow(id: $id, name: $name) {
          workflow { id name preset state draft } userErrors { code } } }";
        for preset in &presets {
            let name = format!("Our {}", preset["name"].as_str().expect("a name"));
            let made = app.make_as(&token, "workflow", copy, json!({ "id": preset["id"], "name": name })).await;
            assert_eq!((&made["state"], &made["preset"]), (&json!("DRAFT"), &Value::Null));
            app.make_as(&token, "workflow", crate::given::PUBLISH_WORKFLOW, json!({ "id": made["id"] })).await;
        }
    }
}
