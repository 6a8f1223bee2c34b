//! Following records live.

use chrono::TimeDelta;
use entity::access::{Role, user};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::socket::Socket;
use worker::feed::Changes;

use crate::given::{customer, invoice};
use crate::imports;

const FOLLOW: &str = "subscription ($ids: [ID!]) { customerChanged(ids: $ids) { id displayName version invoices { totalCount } } }";

const PROGRESS: &str = "subscription ($id: ID!) { jobProgress(id: $id) { state done total } }";

const RENAME: &str = "mutation ($id: ID!, $name: String!) {
  updateCustomer(id: $id, input: { displayName: $name }) { customer { version } userErrors { code } } }";

async fn rename(app: &App, id: &str, name: &str) {
    app.make("customer", RENAME, json!({ "id": id, "name": name })).await;
}

/// Follows customers, and waits until that has begun and what went before is over.
pub async fn follow(app: &App, socket: &mut Socket, ids: Value) {
    app.drain().await;
    socket.ask("s", FOLLOW, json!({ "ids": ids })).await;
    // Operations begin in order, and a query's answer says that it has.
    socket.ask("q", "{ __typename }", json!({})).await;
    while socket.hear().await.expect("a message")["id"] != "q" {}
    while socket.silence().await.is_some() {}
}

/// Changes a user's row, as an administrator would.
async fn change_user(app: &App, email: &str, column: user::Column, to: Expr) {
    let change = user::Entity::update_many().col_expr(column, to);
    let changed = change.filter(user::Column::Email.eq(email)).exec(app.db.reader()).await;
    assert_eq!(changed.expect("a change").rows_affected, 1);
}

on_both_stacks! {
    async fn a_follower_sees_each_change_as_it_is_then(app: App) {
        let (lan, minh) = (customer(app, "Lan", "vi", "VND").await, customer(app, "Minh", "vi", "VND").await);
        let mut socket = Socket::open(&app.address, &app.token()).await;
        follow(app, &mut socket, json!([lan, "cus_x", "inv_x"])).await;
        rename(app, &minh, "Minh Đức").await;
        rename(app, &lan, "Lan Anh").await;
        let seen = socket.event().await["customerChanged"].clone();
        assert_eq!(seen, json!({ "id": lan, "displayName": "Lan Anh", "version": 2, "invoices": { "totalCount": 0 } }));
        invoice(app, &lan, "1000", "VND").await;
        assert_eq!(socket.event().await["customerChanged"]["invoices"]["totalCount"], 1);
        assert_eq!(socket.silence().await, None);
    }

    async fn who_follows_everybody_hears_of_everybody_and_of_new_ones(app: App) {
        let mut socket = Socket::open(&app.address, &app.token()).await;
        follow(app, &mut socket, Value::Null).await;
        let lan = customer(app, "Lan", "vi", "VND").await;
        assert_eq!(socket.event().await["customerChanged"]["id"], json!(lan));
        rename(app, &lan, "Lan Anh").await;
        assert_eq!(socket.event().await["customerChanged"]["displayName"], "Lan Anh");
    }

    async fn what_was_missed_on_the_way_is_looked_for(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let (mut one, mut all) = (Socket::open(&app.address, &app.token()).await, Socket::open(&app.address, &app.token()).await);
        follow(app, &mut one, json!([lan])).await;
        follow(app, &mut all, Value::Null).await;
        app.signal.tell(Changes::missed());
        for socket in [&mut one, &mut all] {
            assert_eq!(socket.event().await["customerChanged"]["id"], json!(lan));
            assert_eq!(socket.silence().await, None);
        }
    }

    async fn a_disabled_user_and_an_old_token_see_nothing_more(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let sales = app.token_of(Role::Sales).await;
        let (mut mine, mut theirs) = (Socket::open(&app.address, &app.token()).await, Socket::open(&app.address, &sales).await);
        follow(app, &mut mine, json!([lan])).await;
        follow(app, &mut theirs, json!([lan])).await;
        let now = app.clock.now();
        change_user(app, "accountant@rapport.example", user::Column::DisabledAt, Expr::val(now)).await;
        rename_as(app, &sales, &lan, "Lan Anh").await;
        assert_eq!(mine.hear().await, Err(4403));
        assert_eq!(theirs.event().await["customerChanged"]["displayName"], "Lan Anh");
        app.advance(TimeDelta::hours(13));
        assert_eq!(theirs.hear().await, Err(4403));
        change_user(app, "accountant@rapport.example", user::Column::DisabledAt, Expr::val(None::<chrono::DateTime<chrono::Utc>>)).await;
    }

    async fn a_job_is_followed_to_its_end_by_those_who_may(app: App) {
        let mut socket = Socket::open(&app.address, &app.token()).await;
        let job = imports::start(app, "followed").await;
        socket.ask("s", PROGRESS, json!({ "id": job })).await;
        // An event shows the job as it is when it is read: the end may come more than once.
        let mut last = Value::Null;
        loop {
            let heard = socket.hear().await.expect("a message");
            if heard == json!({ "type": "complete", "id": "s" }) {
                break;
            }
            last = heard["payload"]["data"]["jobProgress"].clone();
        }
        assert_eq!(last["state"], "SUCCEEDED");
        assert_eq!(last["done"], last["total"]);

        let sales = app.token_of(Role::Sales).await;
        let own = "mutation { exportCustomers(idempotencyKey: \"mine\") { job { id } userErrors { code } } }";
        let own = app.make_as(&sales, "job", own, json!({})).await;
        let mut socket = Socket::open(&app.address, &sales).await;
        socket.ask("s", PROGRESS, json!({ "id": own["id"] })).await;
        assert!(socket.event().await["jobProgress"]["state"].is_string());
        let nobodys = "job_01k00000000000000000000000";
        for (token, id) in [(app.token(), "job_x"), (app.token(), nobodys), (sales, &job)] {
            let mut socket = Socket::open(&app.address, &token).await;
            socket.ask("s", PROGRESS, json!({ "id": id })).await;
            let refused = socket.hear().await.expect("a refusal");
            assert_eq!(refused["payload"]["errors"][0]["extensions"]["code"], "NOT_FOUND", "{refused}");
        }
    }
}

async fn rename_as(app: &App, token: &str, id: &str, name: &str) {
    let variables = json!({ "id": id, "name": name });
    let reply = app.send_as(Some(token), RENAME, variables).await;
    assert_eq!(reply.data["updateCustomer"]["userErrors"], json!([]), "{reply:?}");
}
