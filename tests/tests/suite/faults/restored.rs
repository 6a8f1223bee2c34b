//! A database that was restored from a backup, and does not know of all that was sent.

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message::State;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tokio::time::sleep;
use worker::mail::transport::Outcome;

use super::{customers, mails};
use crate::gate::writing;
use crate::workflows::published;

const RELEASE: &str = "mutation ($before: DateTime!) { releaseSending(callOffBefore: $before) {
  organisation { sendingHeld { why } } userErrors { code } } }";

/// What says what was sent.
const KEPT: [&str; 2] = ["message", "sending_count"];

const ZONE: &str = "Asia/Ho_Chi_Minh";

async fn back_up(app: &App) {
    for table in KEPT {
        app.execute(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
}

async fn restore(app: &mut App) {
    app.kill_workers().await;
    for table in KEPT {
        app.execute(&format!("DELETE FROM {table}")).await;
        app.execute(&format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
    }
    app.start_workers();
}

/// Waits for as long as whatever is due takes to be sent.
async fn wait(app: &App) {
    for _ in 0..3 {
        app.advance(TimeDelta::minutes(1));
        sleep(Duration::from_millis(700)).await;
    }
}

async fn held(app: &App) -> Value {
    let query = "{ organisation { sendingHeld { since why } } }";
    let token = app.token_of(Role::Sales).await;
    app.send_as(Some(&token), query, json!({})).await.data["organisation"]["sendingHeld"].clone()
}

on_both_stacks! {
    /// What waited in the backup was sent meanwhile, and is not sent again: mails stand still until an administrator says
    /// from when on they are to go.
    async fn a_restored_database_sends_nothing_again(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        published(app, chief, &writing("SERVICE", "Welcome.")).await;
        let later = Outcome::Temporary { reply: "450 come back later".into() };
        app.mailbox.answer(std::iter::repeat_n(later, 12));
        customers(app, &token, 0..12, ZONE).await;
        app.drain().await;
        assert_eq!(app.states().await, [(State::Deferred, 12)]);
        back_up(app).await;
        app.advance(TimeDelta::minutes(10));
        app.drain().await;
        assert_eq!((mails(app).len(), held(app).await), (12, Value::Null));

        restore(app).await;
        wait(app).await;
        let since = held(app).await;
        assert_eq!(since["why"], "RESTORED");
        let token = app.token_for(chief).await;
        let query = "{ notifications { nodes { kind } } }";
        let told = app.send_as(Some(&token), query, json!({})).await.data;
        assert_eq!(told["notifications"]["nodes"], json!([{ "kind": "SENDING_HELD" }]));
        app.advance(TimeDelta::minutes(1));
        let restored = app.clock.now();
        app.advance(TimeDelta::minutes(1));
        customers(app, &token, 12..15, ZONE).await;
        app.kill_workers().await;
        app.start_workers();
        wait(app).await;
        assert_eq!(app.mailbox.mails().len(), 12, "new ones wait as well");
        assert_eq!(held(app).await, since, "it is on hold once");

        let token = app.token_for(chief).await;
        let released = app.make_as(&token, "organisation", RELEASE, json!({ "before": restored }));
        assert_eq!(released.await["sendingHeld"], Value::Null);
        app.drain().await;
        let sent = mails(app);
        assert_eq!((sent.len(), sent.values().max()), (15, Some(&1)));
        let late = "SELECT count(*) AS n FROM message WHERE state = 'EXPIRED' AND reason = 'EXPIRED_LATE'";
        assert_eq!(app.number(late).await, 12);
        let again = app.send_as(Some(&token), RELEASE, json!({ "before": restored })).await.data;
        assert_eq!(again["releaseSending"]["userErrors"], json!([{ "code": "INVALID_STATE" }]));
        customers(app, &token, 15..17, ZONE).await;
        app.drain().await;
        assert_eq!((mails(app).len(), held(app).await), (17, Value::Null));
    }

    /// What is noted outside of the database may get lost: nothing stands still, and it is noted anew.
    async fn a_note_of_what_was_sent_may_get_lost(app: App) {
        let (chief, token) = app.user(Role::Administrator.id()).await;
        published(app, chief, &writing("SERVICE", "Welcome.")).await;
        let counted = "SELECT count AS n FROM sending_count";
        for sent in [0, 4, 8] {
            customers(app, &token, sent..sent + 4, ZONE).await;
            app.drain().await;
            assert_eq!((mails(app).len(), held(app).await), (sent + 4, Value::Null));
            let noted = app.noted().await.into_values().collect::<Vec<_>>();
            assert_eq!(noted, [app.number(counted).await]);
            app.forget_what_is_noted().await;
        }
    }
}
