//! Inviting users by mail: the one way to a new user, and to their first password.

use chrono::TimeDelta;
use entity::access::Role;
use entity::access::secret::{Purpose, Secret};
use entity::id::Id;
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::on_both_stacks;

use crate::access::scopes::{UPDATE_USER, refusal};
use crate::passwords::{mailed, request, reset};
use crate::sessions::login;

pub const INVITE: &str = "mutation ($input: InviteUserInput!, $key: String) {
  inviteUser(input: $input, idempotencyKey: $key) {
    user { id name language invitedAt disabledAt } userErrors { code field } } }";

const RESEND: &str = "mutation ($id: ID!, $key: String) {
  resendInvitation(userId: $id, idempotencyKey: $key) { user { id invitedAt } userErrors { code field } } }";

const REVOKE: &str = "mutation ($id: ID!) { revokeInvitation(userId: $id) {
  user { invitedAt disabledAt } userErrors { code field } } }";

const ACCEPT: &str = "mutation ($token: String!, $new: String!) {
  acceptInvitation(input: { token: $token, password: $new }) { accepted userErrors { code field } } }";

const MAI: &str = "mai@rapport.example";

fn mai(role: Role) -> Value {
    json!({ "email": " Mai@Rapport.Example ", "name": "Mai", "roleId": role.id().global() })
}

/// Invites Mai; her id.
async fn invite(app: &App, administrator: &str, role: Role) -> String {
    let input = json!({ "input": mai(role) });
    let user = app.make_as(administrator, "user", INVITE, input).await;
    assert_eq!((&user["language"], &user["disabledAt"]), (&Value::Null, &Value::Null));
    assert!(user["invitedAt"].is_string(), "{user}");
    app.drain().await;
    user["id"].as_str().expect("an id").to_owned()
}

async fn accept(app: &App, token: &str, new: &str) -> Value {
    let variables = json!({ "token": token, "new": new });
    app.send_as(None, ACCEPT, variables).await.data["acceptInvitation"].clone()
}

fn code(payload: &Value) -> &str {
    payload["userErrors"][0]["code"].as_str().unwrap_or_default()
}

on_both_stacks! {
    async fn who_is_invited_chooses_a_password_once(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let id = invite(app, &administrator, Role::Sales).await;
        app.drain().await; // Nothing more to do the second time.
        let mails = app.mailbox.mails();
        assert_eq!((mails.len(), mails[0].to.to_string()), (1, MAI.to_owned()));
        let mail = mail_parser::MessageParser::default().parse(&mails[0].raw).expect("a mail");
        assert_eq!(mail.subject(), Some("Công ty Sông Hàn mời bạn dùng Rapport"), "in the organisation's language");
        let token = mailed(app);
        let text = mail.body_text(0).expect("a text").replace("\r\n", "\n");
        assert!(text.contains("http://localhost:8000/accept-invitation#token=riv_"), "{text}");
        insta::assert_snapshot!("invitation_vi", text.replace(&token, "TOKEN"));

        assert_eq!(code(&login(app, MAI, "").await), "WRONG_CREDENTIALS", "nobody gets in without a password");
        let short = accept(app, &token, "short").await;
        assert_eq!(short["userErrors"], json!([{ "code": "INVALID", "field": ["input", "password"] }]));
        assert_eq!(code(&reset(app, &token, PASSWORD).await), "INVALID_TOKEN", "it is for an invitation");
        for nonsense in ["", "riv_", Secret::new(Purpose::Invitation).reveal(), &token.replace("riv", "rpr")] {
            assert_eq!(code(&accept(app, nonsense, PASSWORD).await), "INVALID_TOKEN", "{nonsense}");
        }
        app.advance(TimeDelta::days(6));
        let all = futures::future::join_all([&token; 4].map(|token| accept(app, token, PASSWORD))).await;
        assert_eq!(all.iter().filter(|payload| payload["accepted"] == true).count(), 1, "{all:?}");
        assert_eq!(code(&accept(app, &token, PASSWORD).await), "INVALID_TOKEN", "a token works once");
        assert_eq!(login(app, MAI, PASSWORD).await["userErrors"], json!([]));

        let administrator = app.token_of(Role::Administrator).await;
        for mutation in [RESEND, REVOKE] {
            let refused = refusal(app, &administrator, mutation, json!({ "id": id })).await.0;
            assert_eq!(refused, "INVALID_STATE", "they have a password");
        }
        let invited = "query ($id: ID!) { user(id: $id) { invitedAt } }";
        let user = app.ask(invited, json!({ "id": id })).await;
        assert_eq!(user["user"]["invitedAt"], Value::Null);
    }

    async fn an_invitation_speaks_the_language_of_who_is_invited(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let mut input = mai(Role::Sales);
        input["language"] = json!("not a language");
        let refused = refusal(app, &administrator, INVITE, json!({ "input": input })).await;
        assert_eq!(refused, (json!("INVALID"), json!(["input", "language"])));
        input["language"] = json!("en-GB");
        let user = app.make_as(&administrator, "user", INVITE, json!({ "input": input })).await;
        assert_eq!(user["language"], "en-GB");
        app.drain().await;
        let mails = app.mailbox.mails();
        let mail = mail_parser::MessageParser::default().parse(&mails[0].raw).expect("a mail");
        assert_eq!(mail.subject(), Some("Công ty Sông Hàn invites you to Rapport"));
        let text = mail.body_text(0).expect("a text").replace("\r\n", "\n");
        insta::assert_snapshot!("invitation_en", text.replace(&mailed(app), "TOKEN"));
    }

    async fn the_token_of_an_invitation_is_kept_nowhere(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        invite(app, &administrator, Role::Sales).await;
        let token = mailed(app);
        for (table, columns) in [
            ("message", "CAST(facts AS text) || COALESCE(subject, '') || COALESCE(detail, '')"),
            ("password_reset", "email || secret_sha256"),
            ("event", "CAST(payload AS text)"),
            ("audit_entry", "COALESCE(CAST(before AS text), '') || COALESCE(CAST(after AS text), '')"),
        ] {
            let kept = format!("SELECT COUNT(*) AS n FROM {table} WHERE {columns} LIKE '%{token}%'");
            assert_eq!(app.number(&kept).await, 0, "{table}");
        }
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM message WHERE body IS NOT NULL").await, 0);
        let hash = Secret::parse(Purpose::Invitation, &token).expect("a token").sha256();
        let armed = format!("SELECT COUNT(*) AS n FROM password_reset WHERE secret_sha256 = '{hash}'");
        assert_eq!(app.number(&armed).await, 1);
    }

    async fn an_invitation_is_sent_again_taken_back_and_ends_by_itself(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        let id = invite(app, &administrator, Role::Sales).await;
        let first = mailed(app);
        for _ in 0..2 {
            app.make_as(&administrator, "user", RESEND, json!({ "id": id, "key": "k" })).await;
            app.drain().await;
        }
        assert_eq!(app.mailbox.mails().len(), 2, "the same key sends nothing again");
        let second = mailed(app);
        assert_ne!(first, second);
        assert_eq!(code(&accept(app, &first, PASSWORD).await), "INVALID_TOKEN", "the earlier link is void");
        app.advance(TimeDelta::days(7));
        assert_eq!(code(&accept(app, &second, PASSWORD).await), "INVALID_TOKEN", "it was good for a week");
        let administrator = app.token_of(Role::Administrator).await;
        let again = app.make_as(&administrator, "user", RESEND, json!({ "id": id })).await;
        assert_eq!(again["invitedAt"], json!(app.clock.now().to_rfc3339()));
        app.drain().await;
        let third = mailed(app);
        let revoked = app.make_as(&administrator, "user", REVOKE, json!({ "id": id })).await;
        assert!(revoked["disabledAt"].is_string(), "{revoked}");
        assert_eq!(code(&accept(app, &third, PASSWORD).await), "INVALID_TOKEN");
        assert_eq!(refusal(app, &administrator, RESEND, json!({ "id": id })).await.0, "INVALID_STATE");
        let taken = refusal(app, &administrator, INVITE, json!({ "input": mai(Role::Sales) })).await;
        assert_eq!(taken, (json!("NOT_UNIQUE"), json!(["input", "email"])));

        let on = json!({ "id": id, "input": { "enabled": true } });
        app.make_as(&administrator, "user", UPDATE_USER, on).await;
        assert_eq!(code(&accept(app, &third, PASSWORD).await), "INVALID_TOKEN", "what was taken back stays so");
        app.make_as(&administrator, "user", RESEND, json!({ "id": id })).await;
        app.drain().await;
        assert_eq!(accept(app, &mailed(app), PASSWORD).await["accepted"], true);
    }

    async fn a_link_that_is_void_is_not_sent(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        app.kill_workers().await;
        let input = json!({ "input": mai(Role::Sales), "key": "k" });
        let user = app.make_as(&administrator, "user", INVITE, input.clone()).await;
        assert_eq!(app.make_as(&administrator, "user", INVITE, input).await["id"], user["id"], "the same key invites nobody again");
        app.make_as(&administrator, "user", RESEND, json!({ "id": user["id"] })).await;
        app.start_workers();
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1, "before anything was sent");
        let other = json!({ "id": user["id"], "input": { "email": "mai.tran@rapport.example" } });
        app.make_as(&administrator, "user", UPDATE_USER, other).await;
        assert_eq!(code(&accept(app, &mailed(app), PASSWORD).await), "INVALID_TOKEN", "it went to another address");
        app.make_as(&administrator, "user", RESEND, json!({ "id": user["id"] })).await;
        app.drain().await;
        let mails = app.mailbox.mails();
        assert_eq!(mails.last().map(|mail| mail.to.to_string()).as_deref(), Some("mai.tran@rapport.example"));
        assert_eq!(accept(app, &mailed(app), PASSWORD).await["accepted"], true);
    }

    async fn who_is_invited_has_no_password_to_forget(app: App) {
        let administrator = app.token_of(Role::Administrator).await;
        invite(app, &administrator, Role::Sales).await;
        let known = request(app, MAI).await;
        assert_eq!(known, request(app, "nobody@rapport.example").await);
        app.drain().await;
        assert_eq!(app.mailbox.mails().len(), 1, "the invitation alone");
        assert_eq!(accept(app, &mailed(app), PASSWORD).await["accepted"], true);
        request(app, MAI).await;
        app.drain().await;
        assert_eq!(reset(app, &mailed(app), "another correct horse").await["reset"], true);
    }

    async fn who_is_only_invited_is_no_administrator_yet(app: App) {
        let (user, administrator) = app.user(Role::Administrator.id()).await;
        invite(app, &administrator, Role::Administrator).await;
        let step_down = json!({ "id": user.global(), "input": { "roleId": Role::Sales.id().global() } });
        let last = refusal(app, &administrator, UPDATE_USER, step_down.clone()).await.0;
        assert_eq!(last, "INVALID_STATE", "the last one who can log in");
        assert_eq!(accept(app, &mailed(app), PASSWORD).await["accepted"], true);
        app.make_as(&administrator, "user", UPDATE_USER, step_down).await;
    }
}
