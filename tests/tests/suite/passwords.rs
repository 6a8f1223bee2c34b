//! Passwords: changing them, and choosing new ones by mail.

use chrono::TimeDelta;
use entity::access::secret::{Purpose, Secret};
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::on_both_stacks;
use worker::mail::transport::Outcome;

use crate::api_keys::secret;
use crate::given::users;
use crate::second_factors::enrolled;
use crate::sessions::{EMAIL, login, opens, tokens};

const CHANGE: &str = "mutation ($current: String!, $new: String!, $keys: Boolean! = false) {
  changePassword(input: { currentPassword: $current, password: $new, revokeApiKeys: $keys }) {
    endedSessions userErrors { code field } } }";

const REQUEST: &str = "mutation ($email: String!) { requestPasswordReset(email: $email) {
  accepted userErrors { code message } } }";

const RESET: &str = "mutation ($token: String!, $new: String!) {
  resetPassword(input: { token: $token, password: $new }) { reset userErrors { code field } } }";

pub const OTHER: &str = "another correct horse";

pub async fn change(app: &App, token: &str, current: &str, new: &str) -> Value {
    let variables = json!({ "current": current, "new": new });
    app.send_as(Some(token), CHANGE, variables).await.data["changePassword"].clone()
}

pub async fn request(app: &App, email: &str) -> Value {
    app.send_as(None, REQUEST, json!({ "email": email })).await.data["requestPasswordReset"].clone()
}

pub async fn reset(app: &App, token: &str, new: &str) -> Value {
    let variables = json!({ "token": token, "new": new });
    app.send_as(None, RESET, variables).await.data["resetPassword"].clone()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

/// The token in the link of the last mail.
pub fn mailed(app: &App) -> String {
    let mails = app.mailbox.mails();
    let raw = &mails.last().expect("a mail").raw;
    let mail = mail_parser::MessageParser::default().parse(raw).expect("a mail");
    let text = mail.body_text(0).expect("a text");
    let (_, token) = text.split_once("#token=").expect("a link");
    token.lines().next().expect("a token").trim().to_owned()
}

on_both_stacks! {
    async fn a_changed_password_ends_the_other_sessions(app: App) {
        let ((mine, _), (other, _)) = (tokens(app).await, tokens(app).await);
        assert_eq!(code(&change(app, &mine, "wrong", OTHER).await), "WRONG_CREDENTIALS");
        let short = change(app, &mine, PASSWORD, "short").await;
        assert_eq!(short["userErrors"], json!([{ "code": "INVALID", "field": ["input", "password"] }]));
        assert!(opens(app, &other).await, "nothing was changed");
        let changed = change(app, &mine, PASSWORD, OTHER).await;
        assert_eq!(changed, json!({ "endedSessions": 2, "userErrors": [] }), "this one, and that of the tests");
        assert!(opens(app, &mine).await && !opens(app, &other).await);
        assert_eq!(code(&login(app, EMAIL, PASSWORD).await), "WRONG_CREDENTIALS");
        assert_eq!(login(app, EMAIL, OTHER).await["userErrors"], json!([]));
        let session = "SELECT COUNT(*) AS n FROM user_session WHERE ending = 'PASSWORD_CHANGED'";
        assert_eq!(app.number(session).await, 2);
    }

    async fn a_changed_password_ends_api_keys_unless_they_are_to_stay(app: App) {
        let key = secret(app, &["READ_CUSTOMERS"]).await;
        let (mine, _) = tokens(app).await;
        let staying = json!({ "current": PASSWORD, "new": OTHER });
        let stayed = app.send_as(Some(&mine), CHANGE, staying).await;
        assert_eq!(stayed.data["changePassword"]["userErrors"], json!([]));
        assert!(opens(app, &key).await);
        let change = format!("mutation {{ changePassword(input: {{ currentPassword: \"{OTHER}\", password: \"{PASSWORD}\" }}) {{ userErrors {{ code }} }} }}");
        let changed = app.send_as(Some(&mine), &change, json!({})).await;
        assert_eq!(changed.data["changePassword"]["userErrors"], json!([]));
        assert!(!opens(app, &key).await);
        let by_nobody = "SELECT COUNT(*) AS n FROM audit_entry WHERE record_table = 'api_key' \
            AND (user_id IS NULL OR request_id IS NULL)";
        assert_eq!(app.number(by_nobody).await, 0);
    }

    async fn a_forgotten_password_is_chosen_anew_by_mail_once(app: App) {
        let (access, _) = tokens(app).await;
        assert_eq!(request(app, " Accountant@Rapport.Example ").await, json!({ "accepted": true, "userErrors": [] }));
        app.drain().await;
        app.drain().await; // Nothing more to do the second time.
        let mails = app.mailbox.mails();
        assert_eq!(mails.len(), 1, "one mail");
        assert_eq!(mails[0].to.to_string(), EMAIL);
        let mail = mail_parser::MessageParser::default().parse(&mails[0].raw).expect("a mail");
        assert_eq!(mail.subject(), Some("Đặt lại mật khẩu Rapport"), "in the organisation's language");
        let text = mail.body_text(0).expect("a text").replace("\r\n", "\n");
        let token = mailed(app);
        assert!(text.contains("http://localhost:8000/reset-password#token=rpr_"), "by the configuration alone");
        insta::assert_snapshot!("password_reset_vi", text.replace(&token, "TOKEN"));

        assert_eq!(reset(app, &token, OTHER).await, json!({ "reset": true, "userErrors": [] }));
        assert!(!opens(app, &access).await, "all sessions have ended");
        assert!(!opens(app, &app.token()).await);
        assert_eq!(code(&login(app, EMAIL, PASSWORD).await), "WRONG_CREDENTIALS");
        assert_eq!(login(app, EMAIL, OTHER).await["userErrors"], json!([]));
        assert_eq!(code(&reset(app, &token, PASSWORD).await), "INVALID_TOKEN", "a token works once");
    }

    async fn a_token_works_for_half_an_hour_and_is_kept_nowhere(app: App) {
        request(app, EMAIL).await;
        app.drain().await;
        let token = mailed(app);
        let kept = "SELECT COUNT(*) AS n FROM message WHERE body IS NOT NULL OR CAST(facts AS text) LIKE '%rpr!_%' ESCAPE '!'";
        assert_eq!(app.number(kept).await, 0, "the bytes of the mail are not stored");
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM message WHERE body_sha256 IS NOT NULL").await, 1);
        let short = reset(app, &token, "short").await;
        assert_eq!(short["userErrors"], json!([{ "code": "INVALID", "field": ["input", "password"] }]));
        for nonsense in ["", "rpr_", Secret::new(Purpose::Reset).reveal(), &token.replace("rpr", "rrt")] {
            assert_eq!(code(&reset(app, nonsense, OTHER).await), "INVALID_TOKEN", "{nonsense}");
        }
        app.advance(TimeDelta::minutes(30));
        assert_eq!(code(&reset(app, &token, OTHER).await), "INVALID_TOKEN");
        assert_eq!(login(app, EMAIL, PASSWORD).await["userErrors"], json!([]), "the old one holds");
    }

    async fn a_token_is_for_the_one_it_was_sent_to_and_for_the_password_alone(app: App) {
        const MINH: &str = "minh@rapport.example";
        users(app, [MINH.to_owned()]).await;
        let (mine, _) = tokens(app).await;
        let theirs = login(app, MINH, PASSWORD).await["accessToken"].as_str().expect("a token").to_owned();
        enrolled(app, &mine).await;
        enrolled(app, &theirs).await;
        request(app, EMAIL).await;
        app.drain().await;
        assert_eq!(reset(app, &mailed(app), OTHER).await["reset"], true);
        assert_eq!(code(&login(app, EMAIL, OTHER).await), "CODE_REQUIRED", "the second factor stays");
        assert!(!opens(app, &mine).await && opens(app, &theirs).await);
        assert_eq!(code(&login(app, MINH, OTHER).await), "WRONG_CREDENTIALS");
        assert_eq!(code(&login(app, MINH, PASSWORD).await), "CODE_REQUIRED", "nothing of others is changed");
    }

    async fn choosing_one_voids_all_other_tokens(app: App) {
        request(app, EMAIL).await;
        app.drain().await;
        let first = mailed(app);
        request(app, EMAIL).await;
        app.drain().await;
        let second = mailed(app);
        assert_ne!(first, second);
        let both = futures::future::join_all([&second; 4].map(|token| reset(app, token, OTHER))).await;
        let done = both.iter().filter(|payload| payload["reset"] == true).count();
        assert_eq!(done, 1, "of many at once: {both:?}");
        assert_eq!(code(&reset(app, &first, PASSWORD).await), "INVALID_TOKEN");
    }

    async fn an_unknown_address_is_answered_alike_and_gets_no_mail(app: App) {
        let known = request(app, EMAIL).await;
        let rows = "SELECT COUNT(*) AS n FROM password_reset";
        assert_eq!(app.number(rows).await, 1);
        assert_eq!(request(app, "nobody@rapport.example").await, known);
        assert_eq!(app.number(rows).await, 2, "the request does the same for both");
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
        for _ in 0..2 {
            assert_eq!(request(app, "nobody@rapport.example").await["accepted"], true);
            assert_eq!(request(app, EMAIL).await["accepted"], true);
        }
        assert_eq!(code(&request(app, EMAIL).await), "RATE_LIMITED");
        assert_eq!(code(&request(app, "nobody@rapport.example").await), "RATE_LIMITED");
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 3);
    }

    async fn who_is_locked_out_by_others_gets_in_by_mail(app: App) {
        for _ in 0..11 {
            login(app, EMAIL, "wrong").await;
        }
        assert_eq!(code(&login(app, EMAIL, PASSWORD).await), "RATE_LIMITED");
        request(app, EMAIL).await;
        app.drain().await;
        assert_eq!(reset(app, &mailed(app), OTHER).await["reset"], true);
        assert_eq!(login(app, EMAIL, OTHER).await["userErrors"], json!([]));
    }

    async fn a_mail_that_is_deferred_gets_another_token(app: App) {
        app.mailbox.answer([Outcome::Temporary { reply: "450 come back later".into() }]);
        request(app, EMAIL).await;
        app.drain().await;
        let armed = "SELECT COUNT(*) AS n FROM password_reset WHERE secret_sha256 IS NOT NULL";
        assert_eq!((app.mailbox.mails().len(), app.number(armed).await), (0, 1));
        app.advance(TimeDelta::minutes(2));
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
        assert_eq!(reset(app, &mailed(app), OTHER).await["reset"], true);
    }

    async fn whoever_is_disabled_gets_no_mail_and_no_password(app: App) {
        request(app, EMAIL).await;
        app.drain().await;
        let token = mailed(app);
        app.execute("UPDATE user_account SET disabled_at = created_at WHERE email = 'accountant@rapport.example'").await;
        assert_ne!(code(&reset(app, &token, OTHER).await), "");
        assert_eq!(request(app, EMAIL).await["accepted"], true);
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1);
    }
}
