//! Second factors: codes that a device shows, and recovery codes.

use chrono::TimeDelta;
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::on_both_stacks;
use totp_rs::{Builder, Secret};

use crate::passwords::{OTHER, change};
use crate::sessions::{EMAIL, tokens};

const LOGIN: &str = "mutation ($email: String!, $password: String!, $code: String) {
  login(input: { email: $email, password: $password, code: $code }) {
    accessToken userErrors { code field } } }";

const START: &str = "mutation { startTotp { secret url userErrors { code } } }";

const CONFIRM: &str = "mutation ($code: String!) { confirmTotp(code: $code) {
  recoveryCodes userErrors { code field } } }";

const DISABLE: &str = "mutation ($password: String!) { disableTotp(password: $password) {
  disabled userErrors { code } } }";

async fn login(app: &App, password: &str, code: Option<&str>) -> Result<String, String> {
    let variables = json!({ "email": EMAIL, "password": password, "code": code });
    let payload = app.send_as(None, LOGIN, variables).await.data["login"].clone();
    match payload["accessToken"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => Err(payload["userErrors"][0]["code"].as_str().expect("a code").to_owned()),
    }
}

/// What the device shows at the moment.
fn shown(app: &App, secret: &str) -> String {
    let totp = Builder::new().with_secret(Secret::try_from_base32(secret).expect("base 32"));
    let now = u64::try_from(app.clock.now().timestamp()).expect("a time");
    totp.build().expect("a device").generate(now).to_string()
}

/// A second factor that counts: the secret, the recovery codes.
pub async fn enrolled(app: &App, token: &str) -> (String, Vec<String>) {
    let started = app.send_as(Some(token), START, json!({})).await.data["startTotp"].clone();
    let secret = started["secret"].as_str().expect("a secret").to_owned();
    let url = started["url"].as_str().expect("an address");
    assert!(url.starts_with("otpauth://totp/") && url.contains(&secret), "{url}");
    let code = json!({ "code": shown(app, &secret) });
    let confirmed = app.send_as(Some(token), CONFIRM, code).await.data["confirmTotp"].clone();
    let codes = confirmed["recoveryCodes"].as_array().expect("codes").iter();
    (secret, codes.map(|code| code.as_str().expect("a code").to_owned()).collect())
}

async fn disable(app: &App, token: &str, password: &str) -> Value {
    let variables = json!({ "password": password });
    app.send_as(Some(token), DISABLE, variables).await.data["disableTotp"].clone()
}

fn refused(code: &str) -> Result<String, String> {
    Err(code.to_owned())
}

on_both_stacks! {
    async fn with_a_second_factor_a_password_alone_does_not_open(app: App) {
        let (token, _) = tokens(app).await;
        let wrong = app.send_as(Some(&token), CONFIRM, json!({ "code": "000000" })).await.data;
        assert_eq!(wrong["confirmTotp"]["userErrors"][0]["code"], "INVALID_STATE", "it is not started");
        app.send_as(Some(&token), START, json!({})).await;
        let wrong = app.send_as(Some(&token), CONFIRM, json!({ "code": "x" })).await.data;
        assert_eq!(wrong["confirmTotp"]["userErrors"][0]["code"], "WRONG_CODE");
        assert!(login(app, PASSWORD, None).await.is_ok(), "it does not count yet");

        let (secret, codes) = enrolled(app, &token).await;
        assert_eq!(codes.len(), 10);
        let again = app.send_as(Some(&token), START, json!({})).await.data;
        assert_eq!(again["startTotp"]["userErrors"][0]["code"], "INVALID_STATE");
        assert_eq!(login(app, PASSWORD, None).await, refused("CODE_REQUIRED"));
        assert_eq!(login(app, "wrong", None).await, refused("WRONG_CREDENTIALS"));
        assert_eq!(login(app, "wrong", Some(&shown(app, &secret))).await, refused("WRONG_CREDENTIALS"));
        assert_eq!(login(app, PASSWORD, Some("123")).await, refused("WRONG_CODE"));
        app.advance(TimeDelta::seconds(30));
        assert!(login(app, PASSWORD, Some(&shown(app, &secret))).await.is_ok());
        let stored = format!("SELECT COUNT(*) AS n FROM second_factor WHERE CAST(sealed_secret AS text) LIKE '%{secret}%'");
        assert_eq!(app.number(&stored).await, 0, "it is sealed");
    }

    async fn a_code_opens_once(app: App) {
        let (token, _) = tokens(app).await;
        let (secret, _) = enrolled(app, &token).await;
        let first = shown(app, &secret);
        assert_eq!(login(app, PASSWORD, Some(&first)).await, refused("WRONG_CODE"), "confirming has used it");
        app.advance(TimeDelta::seconds(30));
        let second = shown(app, &secret);
        let all = futures::future::join_all((0..4).map(|_| login(app, PASSWORD, Some(&second)))).await;
        assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1, "{all:?}");
        assert_eq!(login(app, PASSWORD, Some(&first)).await, refused("WRONG_CODE"), "an earlier one does not open, either");
        app.advance(TimeDelta::seconds(90));
        let late = shown(app, &secret);
        app.advance(TimeDelta::seconds(30));
        assert!(login(app, PASSWORD, Some(&late)).await.is_ok(), "a slow clock");
    }

    async fn a_recovery_code_opens_once(app: App) {
        let (token, _) = tokens(app).await;
        let (_, codes) = enrolled(app, &token).await;
        let left = async || {
            let query = "{ secondFactor { recoveryCodesLeft } }";
            app.send_as(Some(&token), query, json!({})).await.data["secondFactor"]["recoveryCodesLeft"].clone()
        };
        assert_eq!(left().await, 10);
        let typed = codes[0].to_uppercase().replace('-', " ");
        assert!(login(app, PASSWORD, Some(&typed)).await.is_ok());
        assert_eq!(login(app, PASSWORD, Some(&codes[0])).await, refused("WRONG_CODE"));
        assert!(login(app, PASSWORD, Some(&codes[9])).await.is_ok());
        assert_eq!(left().await, 8);
    }

    async fn of_many_logins_at_once_one_gets_in_by_a_recovery_code(app: App) {
        let (token, _) = tokens(app).await;
        let (_, codes) = enrolled(app, &token).await;
        for code in &codes {
            let all = (0..3).map(|_| login(app, PASSWORD, Some(code)));
            let all = futures::future::join_all(all).await;
            assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1, "{all:?}");
            // Those who came too late have counted as attempts.
            app.advance(TimeDelta::minutes(2));
        }
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM recovery_code WHERE used_at IS NULL").await, 0);
    }

    async fn wrong_passwords_count_wherever_they_are_given(app: App) {
        let (token, _) = tokens(app).await;
        enrolled(app, &token).await;
        for attempt in 0..5 {
            let changed = change(app, &token, "wrong", OTHER).await;
            assert_eq!(changed["userErrors"][0]["code"], "WRONG_CREDENTIALS", "{attempt}");
            let disabled = disable(app, &token, "wrong").await;
            assert_eq!(disabled["userErrors"][0]["code"], "WRONG_CREDENTIALS", "{attempt}");
        }
        let changed = change(app, &token, PASSWORD, OTHER).await;
        assert_eq!(changed["userErrors"][0]["code"], "RATE_LIMITED");
        assert_eq!(disable(app, &token, PASSWORD).await["userErrors"][0]["code"], "RATE_LIMITED");
        assert_eq!(login(app, PASSWORD, None).await, refused("RATE_LIMITED"));
        app.advance(TimeDelta::minutes(1));
        assert_eq!(disable(app, &token, PASSWORD).await, json!({ "disabled": true, "userErrors": [] }));
        let changed = change(app, &token, PASSWORD, OTHER).await;
        assert_eq!(changed["userErrors"], json!([]), "the right password does not count");
    }

    async fn wrong_codes_count_like_wrong_passwords(app: App) {
        let (token, _) = tokens(app).await;
        let (secret, _) = enrolled(app, &token).await;
        for _ in 0..12 {
            assert_eq!(login(app, PASSWORD, None).await, refused("CODE_REQUIRED"), "no attempt at a code");
        }
        app.advance(TimeDelta::seconds(30));
        for attempt in 0..10 {
            assert_eq!(login(app, PASSWORD, Some("abcdef")).await, refused("WRONG_CODE"), "{attempt}");
        }
        let right = shown(app, &secret);
        assert_eq!(login(app, PASSWORD, Some(&right)).await, refused("RATE_LIMITED"));
    }

    async fn a_second_factor_goes_with_the_password_only(app: App) {
        let (token, _) = tokens(app).await;
        enrolled(app, &token).await;
        assert_eq!(disable(app, &token, "wrong").await["userErrors"][0]["code"], "WRONG_CREDENTIALS");
        assert_eq!(login(app, PASSWORD, None).await, refused("CODE_REQUIRED"));
        assert_eq!(disable(app, &token, PASSWORD).await, json!({ "disabled": true, "userErrors": [] }));
        assert!(login(app, PASSWORD, None).await.is_ok());
        assert_eq!(app.number("SELECT COUNT(*) AS n FROM recovery_code").await, 0);
        assert_eq!(disable(app, &token, PASSWORD).await["userErrors"][0]["code"], "INVALID_STATE");
    }
}
