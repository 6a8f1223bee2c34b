//! Unsubscribing by the link in a mail, without logging in.

use chrono::TimeDelta;
use entity::access::Role;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use mail_parser::MessageParser;
use serde_json::{Value, json};
use tests::app::App;
use tests::{graphql, on_both_stacks};

use crate::given::{customer, workflow};

const CONSENT: &str = "mutation ($id: ID!) {
  recordConsent(customerId: $id, input: { channel: EMAIL, standing: GIVEN, proof: \"asked by telephone\" }) {
    consent { id } userErrors { code message } } }";

const CONSENTS: &str = "{ consents(orderBy: [{ field: SAID_AT }]) { nodes { channel topic standing proof createdBy { id } } } }";

const MESSAGES: &str =
    "{ messages(filter: { kind: { eq: WORKFLOW } }, orderBy: [{ field: CREATED_AT }]) {
  nodes { id class topic state reason } } }";

/// Advertising about a topic, and more of it an hour later, to each customer whose language is changed.
fn offers(class: &str, topic: Option<&str>) -> Value {
    let send = |subject: &str| {
        let content =
            |language: &str| json!({ "language": language, "subject": subject, "text": "Buy." });
        json!({ "send": { "class": class, "topic": topic, "contents": [content("vi"), content("en")] } })
    };
    json!({
        "record": "Customer", "trigger": { "event": { "kinds": ["customer.updated"] } },
        "steps": [
            { "key": "first", "action": send("First") },
            { "key": "rest", "action": { "wait": { "for": "PT1H" } } },
            { "key": "second", "action": send("Second") },
        ],
    })
}

/// A customer who has said yes to advertising, and has got the first of it.
async fn written_to(app: &App, topic: Option<&str>) -> String {
    let token = app.token_of(Role::Administrator).await;
    workflow(app, &token, &offers("MARKETING", topic)).await;
    let lan = customer(app, "Lan", "vi", "VND").await;
    app.make_as(&token, "consent", CONSENT, json!({ "id": lan })).await;
    let change = "mutation ($id: ID!) { updateCustomer(id: $id, input: { displayName: \"Lan Anh\" }) { customer { id } userErrors { code } } }";
    app.make("customer", change, json!({ "id": lan })).await;
    app.drain().await;
    lan
}

/// The text and the headers of the latest mail.
fn latest(app: &App) -> (String, String) {
    let mails = app.mailbox.mails();
    let raw = mails.last().expect("a mail").raw.clone();
    let mail = MessageParser::default().parse(&*raw).expect("a mail");
    let headers = String::from_utf8_lossy(&raw)
        .split("\r\n\r\n")
        .next()
        .expect("headers")
        .replace("\r\n ", " ");
    (mail.body_text(0).expect("text").into_owned(), headers)
}

/// The path of the link in the latest mail, which its headers have, too.
fn link(app: &App) -> String {
    let (text, headers) = latest(app);
    let at = text.find("http://localhost:8000/unsubscribe/").expect("a link");
    let link = text[at..].split_whitespace().next().expect("a link");
    let said = headers.split_whitespace().collect::<String>();
    assert!(said.contains(&format!("List-Unsubscribe:<{link}>")), "{headers}");
    assert!(headers.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{headers}");
    link.strip_prefix("http://localhost:8000").expect("below PUBLIC_URL").to_owned()
}

async fn ask(app: &App, method: &str, path: &str, sent: &str) -> (u16, String) {
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", &app.address)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Full::new(Bytes::from(sent.to_owned())))
        .expect("a request");
    let answer: Response<Bytes> =
        graphql::respond(&app.address, request, graphql::PATIENCE).await.expect("an answer");
    (answer.status().as_u16(), String::from_utf8_lossy(answer.body()).into_owned())
}

async fn messages(app: &App) -> Vec<Value> {
    app.drain().await;
    app.ask(MESSAGES, json!({})).await["messages"]["nodes"].as_array().expect("messages").clone()
}

async fn consents(app: &App) -> Vec<Value> {
    app.ask(CONSENTS, json!({})).await["consents"]["nodes"].as_array().expect("consents").clone()
}

on_both_stacks! {
    /// One click of a mail program ends what the message was about, in the middle of a workflow; looking at the page ends
    /// nothing, and a second click writes nothing.
    async fn one_click_ends_what_a_mail_was_about_at_once(app: App) {
        let lan = written_to(app, Some("tips")).await;
        let path = link(app);
        let (status, page) = ask(app, "GET", &path, "").await;
        assert_eq!(status, 200);
        assert!(page.contains("<html lang=\"vi\">") && page.contains("Hủy đăng ký nhận thư?") && page.contains("“tips”"), "{page}");
        assert!(page.contains("value=\"this\"") && page.contains("value=\"nothing\"") && !page.contains("<script"), "{page}");
        assert_eq!(ask(app, "HEAD", &path, "").await.0, 200);
        assert_eq!(consents(app).await.len(), 1, "looking says nothing");

        app.advance(TimeDelta::minutes(1));
        for _ in 0..2 {
            let (status, page) = ask(app, "POST", &path, "List-Unsubscribe=One-Click").await;
            assert_eq!(status, 200);
            assert!(page.contains("Quý khách đã hủy đăng ký") && page.contains("value=\"again\""), "{page}");
        }
        let said = consents(app).await;
        let message = messages(app).await[0]["id"].as_str().expect("an id").to_owned();
        assert_eq!(said.len(), 2);
        assert_eq!(said[1], json!({ "channel": "EMAIL", "topic": "tips", "standing": "WITHDRAWN",
            "proof": format!("unsubscribed by the link in {message}"), "createdBy": null }));
        app.advance(TimeDelta::hours(2));
        let all = messages(app).await;
        assert_eq!((&all[1]["state"], &all[1]["reason"]), (&json!("SUPPRESSED"), &json!("UNSUB_TOPIC")));

        let (_, page) = ask(app, "POST", &path, "say=nothing").await;
        assert!(page.contains("không nhận thư quảng cáo của chúng tôi nữa"), "{page}");
        app.advance(TimeDelta::minutes(1));
        let (_, page) = ask(app, "POST", &path, "say=again").await;
        assert!(page.contains("Hủy đăng ký nhận thư?"), "{page}");
        let standing = consents(app).await.split_off(2);
        let standing = standing.iter().map(|said| (&said["topic"], &said["standing"])).collect::<Vec<_>>();
        assert_eq!(standing.len(), 3);
        assert_eq!(standing[0], (&json!(null), &json!("WITHDRAWN")));
        assert!(standing[1..].iter().all(|(_, standing)| **standing == "GIVEN"), "{standing:?}");
        assert!(!lan.is_empty());
    }

    /// A mail without a topic ends all advertising, and what is no advertising has no such link.
    async fn without_a_topic_all_advertising_ends(app: App) {
        written_to(app, None).await;
        let path = link(app);
        app.advance(TimeDelta::minutes(1));
        let (_, page) = ask(app, "POST", &path, "say=this").await;
        assert!(page.contains("không nhận thư quảng cáo của chúng tôi nữa"), "{page}");
        app.advance(TimeDelta::hours(2));
        let all = messages(app).await;
        assert_eq!((&all[1]["state"], &all[1]["reason"]), (&json!("SUPPRESSED"), &json!("UNSUB_ALL")));
        let token = app.token_of(Role::Administrator).await;
        workflow(app, &token, &crate::gate::writing("SERVICE", "Hello.")).await;
        customer(app, "Minh", "en", "EUR").await;
        app.drain().await;
        let (text, headers) = latest(app);
        assert!(text.contains("Hello.") && !text.contains("unsubscribe"), "{text}");
        assert!(!headers.contains("List-Unsubscribe"), "{headers}");
    }

    /// Eight clicks at once are one word, also of a customer that is deleted: it may come back.
    async fn clicks_at_once_are_one_word(app: App) {
        let lan = written_to(app, Some("tips")).await;
        let path = link(app);
        let delete = "mutation ($id: ID!) { deleteCustomer(id: $id) { customer { id } userErrors { code } } }";
        app.make("customer", delete, json!({ "id": lan })).await;
        app.advance(TimeDelta::minutes(1));
        let clicks = (0..8).map(|_| ask(app, "POST", &path, "List-Unsubscribe=One-Click"));
        let answers = futures::future::join_all(clicks).await;
        assert!(answers.iter().all(|(status, _)| *status == 200), "{answers:?}");
        assert_eq!(app.number("SELECT count(*) AS n FROM consent WHERE standing = 'WITHDRAWN'").await, 1);
    }

    /// What is not signed, or was signed for something else, changes nothing; nor does what is said for somebody whom nobody
    /// knows any more.
    async fn what_is_no_link_of_ours_changes_nothing(app: App) {
        written_to(app, Some("tips")).await;
        let path = link(app);
        let at = path.len() - 20;
        let other = if &path[at..=at] == "A" { "B" } else { "A" };
        let changed = format!("{}{other}{}", &path[..at], &path[at + 1..]);
        for wrong in [changed.as_str(), "/unsubscribe/x", "/unsubscribe/%00", &path.replace("/unsubscribe/", "/statements/")] {
            for method in ["GET", "POST"] {
                let status = ask(app, method, wrong, "say=nothing").await.0;
                assert!(matches!(status, 404 | 405), "{method} {wrong}: {status}");
            }
        }
        assert_eq!(ask(app, "POST", &path, &"x".repeat(5_000)).await.0, 413);
        assert_eq!(consents(app).await.len(), 1);
        app.execute("UPDATE customer SET anonymised_at = updated_at").await;
        assert_eq!(ask(app, "POST", &path, "List-Unsubscribe=One-Click").await.0, 404);
        assert_eq!(consents(app).await.len(), 1);
    }
}
