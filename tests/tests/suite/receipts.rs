//! The way of a receipt: planned, written, sent, and what happens when something is in the way.

use chrono::TimeDelta;
use entity::automation::message::State;
use futures::FutureExt;
use serde_json::json;
use tests::on_both_stacks;
use worker::mail::transport::Outcome;

use crate::given::{CREATE_CUSTOMER, RECORD_PAYMENT, customer, invoice, payment};

const MESSAGES: &str =
    "{ messages { nodes { state reason detail recipient subject attempts copyOf { id } } } }";

const RESEND: &str = "mutation ($id: ID!, $key: String!) {
  resendReceipt(input: { paymentId: $id }, idempotencyKey: $key) { message { state copyOf { id } } userErrors { code field message } } }";

fn text(raw: &[u8]) -> String {
    let mail = mail_parser::MessageParser::default().parse(raw).expect("a mail");
    mail.body_text(0).expect("a text").replace("\r\n", "\n")
}

on_both_stacks! {
    async fn a_receipt_goes_out_once_in_the_customers_language(app: App) {
        let lan = customer(app, "Nguyễn Thị Ánh Tuyết", "vi", "VND").await;
        invoice(app, &lan, "1234567", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "1234567", "VND", "k")).await;
        app.drain().await;
        app.drain().await; // Nothing more to do the second time.

        let mails = app.mailbox.mails();
        assert_eq!(mails.len(), 1);
        let mail = mail_parser::MessageParser::default().parse(&mails[0].raw).expect("a mail");
        assert_eq!(mail.subject(), Some("Biên lai REC-2026-000001, số tiền 1.234.567 ₫"));
        let pdf = mail.attachments().next().expect("the PDF");
        assert!(pdf.contents().starts_with(b"%PDF-"));
        insta::assert_snapshot!("receipt_vi", text(&mails[0].raw));
        let messages = app.ask(MESSAGES, json!({})).await;
        assert_eq!(messages["messages"]["nodes"][0]["state"], "ACCEPTED");
    }

    async fn a_receipt_in_english_says_the_same(app: App) {
        let bakery = customer(app, "Northgate Bakery Ltd", "en", "EUR").await;
        invoice(app, &bakery, "100.50", "EUR").await;
        app.make("payment", RECORD_PAYMENT, payment(&bakery, "120.00", "EUR", "k")).await;
        app.drain().await;
        insta::assert_snapshot!("receipt_en", text(&app.mailbox.mails()[0].raw));
    }

    async fn what_the_server_defers_is_sent_later_with_the_same_bytes(app: App) {
        let later = Outcome::Temporary { reply: "450 come back later".into() };
        app.mailbox.answer([later.clone(), later]);
        let lan = customer(app, "Lan", "vi", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "1000", "VND", "k")).await;
        app.drain().await;
        let messages = app.ask(MESSAGES, json!({})).await;
        let message = &messages["messages"]["nodes"][0];
        assert_eq!((&message["state"], &message["reason"]), (&json!("DEFERRED"), &json!("PROVIDER_TEMP")));
        assert_eq!(message["detail"], "450 come back later");

        let body = "SELECT COUNT(DISTINCT body_sha256) AS n FROM message";
        app.advance(TimeDelta::minutes(2));
        app.drain().await;
        app.advance(TimeDelta::minutes(3));
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
        assert_eq!(app.states().await, [(State::Accepted, 1)]);
        assert_eq!(app.number("SELECT CAST(attempts AS bigint) AS n FROM message").await, 3);
        assert_eq!(app.number(body).await, 1);
    }

    async fn what_the_server_refuses_or_leaves_open_is_never_sent_again_by_itself(app: App) {
        app.mailbox.answer([
            Outcome::Permanent { reply: "550 no such user".into() },
            Outcome::Unknown { reply: "the connection broke".into() },
        ]);
        let lan = customer(app, "Lan", "vi", "VND").await;
        for key in ["refused", "open"] {
            app.make("payment", RECORD_PAYMENT, payment(&lan, "1000", "VND", key)).await;
            app.drain().await;
        }
        app.advance(TimeDelta::days(3));
        app.drain().await;
        assert!(app.mailbox.mails().is_empty());
        let mut states = app.states().await;
        states.sort_by_key(|(state, _)| format!("{state:?}"));
        assert_eq!(states, [(State::Refused, 1), (State::Unknown, 1)]);
    }

    async fn a_customer_without_an_address_gets_none_and_the_ledger_says_why(app: App) {
        let input = json!({ "kind": "PERSON", "displayName": "Minh", "currency": "VND" });
        let minh = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        app.make("payment", RECORD_PAYMENT, payment(minh["id"].as_str().unwrap(), "1000", "VND", "k")).await;
        app.drain().await;
        let messages = app.ask(MESSAGES, json!({})).await;
        let message = &messages["messages"]["nodes"][0];
        assert_eq!((&message["state"], &message["reason"]), (&json!("SUPPRESSED"), &json!("NO_ADDRESS")));
    }

    async fn a_copy_is_marked_and_limited(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let paid = app.make("payment", RECORD_PAYMENT, payment(&lan, "1000", "VND", "k")).await;
        app.drain().await;
        for copy in 1..=3 {
            let key = format!("copy {copy}");
            app.make("message", RESEND, json!({ "id": paid["id"], "key": key })).await;
            app.make("message", RESEND, json!({ "id": paid["id"], "key": key })).await;
            app.drain().await;
        }
        let refusal = app.refusal(RESEND, json!({ "id": paid["id"], "key": "copy 4" })).await;
        assert_eq!(refusal.0, "RATE_LIMITED");
        let mails = app.mailbox.mails();
        assert_eq!(mails.len(), 4);
        assert!(!text(&mails[0].raw).contains("BẢN SAO"), "the original is no copy");
        assert!(text(&mails[3].raw).contains("BẢN SAO"), "{}", text(&mails[3].raw));
    }

    async fn a_message_found_on_the_wire_after_a_crash_is_unknown_and_stays_so(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        app.make("payment", RECORD_PAYMENT, payment(&lan, "1000", "VND", "k")).await;
        app.drain().await;
        // As if the worker had died after it had committed TRANSMITTING.
        let now = app.clock.now();
        let crashed = app.db.write(move |txn| {
            async move {
                use entity::automation::message::{Column, Entity};
                use sea_orm::sea_query::Expr;
                use sea_orm::{ActiveEnum, EntityTrait};
                Entity::update_many()
                    .col_expr(Column::State, Expr::val(State::Transmitting.to_value()))
                    .col_expr(Column::SettledAt, Expr::val(None::<chrono::DateTime<chrono::Utc>>))
                    .col_expr(Column::LeaseUntil, Expr::val(now + TimeDelta::seconds(30)))
                    .exec(txn)
                    .await?;
                Ok(())
            }
            .boxed()
        });
        crashed.await.unwrap();
        app.advance(TimeDelta::minutes(1));
        app.drain().await;
        assert_eq!(app.states().await, [(State::Unknown, 1)]);
        app.advance(TimeDelta::days(1));
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
    }

    async fn a_receipt_goes_to_the_billing_contact_and_survives_a_hostile_name(app: App) {
        let input = json!({
            "kind": "ORGANISATION", "displayName": "<script>alert(1)</script> {{7*7}} #link(\"x\")\r\nBcc: evil@example.com",
            "email": "office@example.vn", "currency": "VND", "language": "en",
            "contacts": [{ "name": "Kế toán", "email": "ketoan@example.vn", "billing": true }],
        });
        let made = app.make("customer", CREATE_CUSTOMER, json!({ "input": input })).await;
        app.make("payment", RECORD_PAYMENT, payment(made["id"].as_str().unwrap(), "1000", "VND", "k")).await;
        app.drain().await;
        let mails = app.mailbox.mails();
        assert_eq!(mails[0].to.to_string(), "ketoan@example.vn");
        let mail = mail_parser::MessageParser::default().parse(&mails[0].raw).expect("a mail");
        assert!(mail.bcc().is_none(), "a name cannot add a header");
        let html = mail.body_html(0).expect("HTML");
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>"), "a name cannot add markup");
        assert!(html.contains("{{7*7}}"), "a name is not a template");
    }
}
