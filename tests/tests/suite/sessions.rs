//! Sessions: how they begin, go on and end, and how often somebody may try.

use std::time::Duration;

use api::access::hashing::Hashing;
use chrono::TimeDelta;
use entity::access::session::GRACE;
use entity::access::{Role, password};
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};
use tests::app::{App, PASSWORD};
use tests::graphql::{self, Reply, Unanswered};
use tests::on_both_stacks;
use tests::socket::Socket;

use crate::audit::{seal, verify};
use crate::given::{customer, users};
use crate::live::follow;

const LOGIN: &str = "mutation ($email: String!, $password: String!) {
  login(input: { email: $email, password: $password }) {
    accessToken expiresAt refreshToken session { id address userAgent } user { email }
    userErrors { code message } } }";

const REFRESH: &str = "mutation ($token: String!) { refreshSession(refreshToken: $token) {
  accessToken refreshToken session { id } user { email } userErrors { code message } } }";

const SESSIONS: &str = "{ currentSession { id } sessions(orderBy: [{ field: CREATED_AT }]) {
  nodes { id endedAt ending user { email } } } }";

pub const EMAIL: &str = "accountant@rapport.example";

pub async fn login(app: &App, email: &str, password: &str) -> Value {
    let variables = json!({ "email": email, "password": password });
    app.send_as(None, LOGIN, variables).await.data["login"].clone()
}

/// Access and refresh token of a fresh session.
pub async fn tokens(app: &App) -> (String, String) {
    let begun = login(app, EMAIL, PASSWORD).await;
    let token = |name: &str| begun[name].as_str().expect("a token").to_owned();
    (token("accessToken"), token("refreshToken"))
}

async fn refresh(app: &App, token: &str) -> Result<(String, String), String> {
    let reply = app.send_as(None, REFRESH, json!({ "token": token })).await;
    let payload = &reply.data["refreshSession"];
    match (payload["accessToken"].as_str(), payload["refreshToken"].as_str()) {
        (Some(access), Some(refresh)) => Ok((access.to_owned(), refresh.to_owned())),
        _ => Err(payload["userErrors"][0]["code"].as_str().expect("a code").to_owned()),
    }
}

async fn ask(app: &App, token: &str, query: &str) -> Reply {
    app.send_as(Some(token), query, json!({})).await
}

/// Whether a token opens anything.
pub async fn opens(app: &App, token: &str) -> bool {
    let reply = ask(app, token, "{ me { name } }").await;
    match reply.error_code() {
        None => true,
        Some("UNAUTHENTICATED") => false,
        Some(other) => panic!("{other}: {reply:?}"),
    }
}

on_both_stacks! {
    async fn a_session_goes_on_by_its_refresh_token(app: App) {
        let begun = login(app, EMAIL, PASSWORD).await;
        assert_eq!(begun["user"]["email"], EMAIL);
        assert_eq!(begun["session"]["address"], "127.0.0.1");
        let (access, token) = tokens(app).await;
        assert!(opens(app, &access).await);
        app.advance(TimeDelta::minutes(15));
        assert!(!opens(app, &access).await, "it is good for a quarter of an hour");
        let (access, next) = refresh(app, &token).await.expect("it goes on");
        assert!(opens(app, &access).await && next != token);
        for nonsense in ["", "rrt_", &token.replace("rrt", "rap"), &format!("{token}0")] {
            assert_eq!(refresh(app, nonsense).await, Err("INVALID_TOKEN".to_owned()), "{nonsense}");
        }
        let other = entity::access::secret::Secret::new(entity::access::secret::Purpose::Refresh);
        assert_eq!(refresh(app, other.reveal()).await, Err("INVALID_TOKEN".to_owned()));
        let stored = app.number("SELECT COUNT(*) AS n FROM refresh_token WHERE secret_sha256 LIKE 'rrt%'").await;
        assert_eq!(stored, 0, "no token is stored");
    }

    async fn a_refresh_token_that_comes_again_ends_the_session(app: App) {
        let (access, first) = tokens(app).await;
        let (_, second) = refresh(app, &first).await.expect("it goes on");
        app.advance(GRACE + TimeDelta::seconds(1));
        assert!(opens(app, &access).await);
        assert_eq!(refresh(app, &first).await, Err("TOKEN_REUSED".to_owned()));
        assert!(!opens(app, &access).await, "both who have it are out");
        assert_eq!(refresh(app, &second).await, Err("INVALID_TOKEN".to_owned()));
        assert!(opens(app, &app.token()).await, "other sessions go on");
    }

    async fn of_many_refreshes_at_once_one_gets_the_successor(app: App) {
        let (access, mut token) = tokens(app).await;
        for round in 0..50 {
            let all = futures::future::join_all((0..4).map(|_| refresh(app, &token))).await;
            let (won, lost): (Vec<_>, Vec<_>) = all.into_iter().partition(Result::is_ok);
            assert_eq!((won.len(), lost.len()), (1, 3), "{round}: {lost:?}");
            assert!(lost.into_iter().all(|lost| lost == Err("TOKEN_SUPERSEDED".to_owned())), "{round}");
            token = won.into_iter().next().expect("one").expect("tokens").1;
        }
        assert!(opens(app, &access).await, "nothing is ended by that");
        let good = "SELECT COUNT(*) AS n FROM refresh_token WHERE rotated_at IS NULL";
        assert_eq!(app.number(good).await, 2, "the last one, and that of the session that tests begin with");
    }

    async fn users_see_and_end_their_own_sessions(app: App) {
        let (mine, _) = tokens(app).await;
        let (lost, lost_refresh) = tokens(app).await;
        let stranger = app.token_of(Role::Administrator).await;
        let shown = ask(app, &lost, SESSIONS).await.data;
        let id = shown["currentSession"]["id"].as_str().expect("an id").to_owned();
        let nodes = shown["sessions"]["nodes"].as_array().expect("nodes").clone();
        assert_eq!(nodes.len(), 3, "the accountant's, whoever asks");
        assert!(nodes.iter().all(|node| node["user"]["email"] == EMAIL && node["endedAt"].is_null()));
        assert_eq!(ask(app, &stranger, SESSIONS).await.data["sessions"]["nodes"].as_array().map(Vec::len), Some(1));

        let revoke = "mutation ($id: ID!) { revokeSession(id: $id) { session { endedAt ending } userErrors { code field } } }";
        let refused = app.send_as(Some(&stranger), revoke, json!({ "id": id })).await.data;
        assert_eq!(refused["revokeSession"]["userErrors"], json!([{ "code": "NOT_FOUND", "field": null }]));
        assert!(opens(app, &lost).await);
        let done = app.send_as(Some(&mine), revoke, json!({ "id": id })).await.data;
        assert_eq!(done["revokeSession"]["session"]["ending"], "REVOKED");
        assert!(!opens(app, &lost).await);
        assert_eq!(refresh(app, &lost_refresh).await, Err("INVALID_TOKEN".to_owned()));
        assert!(opens(app, &mine).await);
    }

    async fn logging_out_ends_one_session_or_all(app: App) {
        let ((first, _), (second, _), (third, refresh_third)) = (tokens(app).await, tokens(app).await, tokens(app).await);
        let done = ask(app, &first, "mutation { logout { session { ending } userErrors { code } } }").await;
        assert_eq!(done.data["logout"], json!({ "session": { "ending": "LOGGED_OUT" }, "userErrors": [] }));
        assert!(!opens(app, &first).await && opens(app, &second).await);
        let others = "mutation { logoutEverywhere(keepCurrent: true) { ended userErrors { code } } }";
        let done = ask(app, &second, others).await;
        assert_eq!(done.data["logoutEverywhere"]["ended"], 2, "the third, and the one that tests begin with");
        assert!(!opens(app, &third).await && opens(app, &second).await);
        assert_eq!(refresh(app, &refresh_third).await, Err("INVALID_TOKEN".to_owned()));
        let done = ask(app, &second, "mutation { logoutEverywhere { ended } }").await;
        assert_eq!(done.data["logoutEverywhere"]["ended"], 1);
        assert!(!opens(app, &second).await);
    }

    async fn whoever_follows_something_hears_no_more_when_the_session_ends(app: App) {
        let (access, _) = tokens(app).await;
        let mut socket = Socket::open(&app.address, &access).await;
        follow(app, &mut socket, Value::Null).await;
        customer(app, "Lan", "vi", "VND").await;
        assert_eq!(socket.event().await["customerChanged"]["displayName"], "Lan");
        ask(app, &access, "mutation { logout { userErrors { code } } }").await;
        customer(app, "Minh", "vi", "VND").await;
        assert_eq!(socket.hear().await, Err(4403));
    }

    async fn whoever_is_disabled_is_out_at_once(app: App) {
        let (access, token) = tokens(app).await;
        let disable = "UPDATE user_account SET disabled_at = created_at WHERE email = 'accountant@rapport.example'";
        app.execute(disable).await;
        assert!(!opens(app, &access).await);
        assert_eq!(refresh(app, &token).await, Err("INVALID_TOKEN".to_owned()));
        assert_eq!(login(app, EMAIL, PASSWORD).await["userErrors"][0]["code"], "WRONG_CREDENTIALS");
    }

    async fn what_another_process_has_written_counts_within_a_second(app: App) {
        let (access, _) = tokens(app).await;
        assert!(opens(app, &access).await);
        let disable = "UPDATE user_account SET disabled_at = created_at";
        app.db.reader().execute_unprepared(disable).await.expect("an update");
        tokio::time::sleep(Duration::from_millis(1_001)).await;
        assert!(!opens(app, &access).await);
    }

    async fn a_password_is_worked_on_whoevers_it_is_said_to_be(app: App) {
        users(app, ["minh@rapport.example".to_owned()]).await;
        app.execute("UPDATE user_account SET disabled_at = created_at WHERE email = 'minh@rapport.example'").await;
        // Here no password is ever worked on, so that whoever is answered was refused without that.
        let stuck = app.another_api(|parts| parts.shared.hashing = Hashing::new(0, 8)).await;
        let ask = async |email: &str| {
            let body = json!({ "query": LOGIN, "variables": { "email": email, "password": "wrong" } });
            graphql::post(&stuck, None, &body, Duration::from_millis(400)).await
        };
        let asked = [EMAIL, "nobody@rapport.example", "minh@rapport.example", ""].map(ask);
        for answer in futures::future::join_all(asked).await {
            assert!(matches!(answer, Err(Unanswered::Timeout(_))), "{answer:?}");
        }
    }

    async fn ten_wrong_passwords_for_an_address_are_enough(app: App) {
        for attempt in 0..10 {
            let refused = login(app, EMAIL, "wrong").await;
            assert_eq!(refused["userErrors"][0]["code"], "WRONG_CREDENTIALS", "{attempt}");
        }
        let refused = login(app, &EMAIL.to_uppercase(), PASSWORD).await;
        assert_eq!(refused["userErrors"][0], json!({
            "code": "RATE_LIMITED", "message": "too many attempts; try again in 61 seconds",
        }));
        assert_eq!(app.retry_after(LOGIN, json!({ "email": EMAIL, "password": PASSWORD })).await.as_deref(), Some("61"));
        let unknown = async || login(app, "nobody@rapport.example", "wrong").await["userErrors"][0]["code"].clone();
        for _ in 0..10 {
            assert_eq!(unknown().await, "WRONG_CREDENTIALS");
        }
        assert_eq!(unknown().await, "RATE_LIMITED", "an unknown address counts like a known one");
        app.advance(TimeDelta::minutes(1));
        for _ in 0..3 {
            let begun = login(app, EMAIL, PASSWORD).await;
            assert_eq!(begun["userErrors"], json!([]), "the right password does not count");
        }
    }

    async fn aliases_of_one_request_count_one_by_one(app: App) {
        for _ in 0..3 {
            assert_eq!(login(app, EMAIL, "wrong").await["userErrors"][0]["code"], "WRONG_CREDENTIALS");
        }
        let aliases: Vec<_> = (0..10)
            .map(|n| format!("a{n}: login(input: {{ email: \"{EMAIL}\", password: \"wrong\" }}) {{ userErrors {{ code }} }}"))
            .collect();
        let reply = app.send_as(None, &format!("mutation {{ {} }}", aliases.join(" ")), json!({})).await;
        assert_eq!(reply.errors, Vec::<Value>::new());
        let codes: Vec<_> = (0..10).map(|n| reply.data[format!("a{n}")]["userErrors"][0]["code"].clone()).collect();
        assert!(codes[..7].iter().all(|code| code == "WRONG_CREDENTIALS"), "{codes:?}");
        assert!(codes[7..].iter().all(|code| code == "RATE_LIMITED"), "{codes:?}");
        assert_eq!(login(app, EMAIL, PASSWORD).await["userErrors"][0]["code"], "RATE_LIMITED");
    }

    async fn one_place_may_not_try_many_addresses(app: App) {
        let attempt = async |n: usize| {
            let email = format!("user-{n}@rapport.example");
            login(app, &email, "wrong").await["userErrors"][0]["code"].clone()
        };
        for n in 0..50 {
            assert_eq!(attempt(n).await, "WRONG_CREDENTIALS", "{n}");
        }
        assert_eq!(attempt(50).await, "RATE_LIMITED");
        app.advance(TimeDelta::seconds(10));
        assert_eq!(attempt(51).await, "WRONG_CREDENTIALS");
        assert_eq!(attempt(52).await, "RATE_LIMITED");
    }

    async fn a_hash_of_other_parameters_is_renewed_at_login(app: App) {
        let weak = "$argon2id$v=19$m=4096,t=1,p=1$bm9ib2R5bm9ib2R5bm9ibw$GH4ZTA+0O22TEPkb+u53UP0OZ3z96lCdF6LZvfDUu4Q";
        app.execute(&format!("UPDATE user_account SET password_hash = '{weak}' WHERE email = '{EMAIL}'")).await;
        assert!(password::is_outdated(weak));
        let outdated = "SELECT COUNT(*) AS n FROM user_account WHERE password_hash LIKE '%m=4096%'";
        assert_eq!(app.number(outdated).await, 1);
        app.advance(TimeDelta::days(2));
        app.token_of(Role::Sales).await;
        seal(app).await;
        assert_eq!(login(app, EMAIL, PASSWORD).await["userErrors"], json!([]));
        assert_eq!(app.number(outdated).await, 0);
        assert_eq!(login(app, EMAIL, PASSWORD).await["userErrors"], json!([]));
        // The log says when that was: as old as the user's last change it would count as inserted.
        seal(app).await;
        verify(app).await.expect("a chain without a flaw");
    }
}
