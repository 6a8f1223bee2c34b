//! A conveyor that forgets. The embedded stack has one in the process, which is gone with its worker: see `dying`.

use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message::State;
use tests::app::{App, Home, On};
use tests::stack::{Redis, scratch};
use tokio::time::sleep;

use super::{mails, quiet_customers, start};
use crate::gate::writing;
use crate::workflows::published;

/// How many customers are written to.
const WRITTEN_TO: usize = 600;

/// How often the conveyor forgets everything while they are.
const FLUSHES: usize = 20;

/// Redis loses all that it holds again and again in the middle of a mailing, and at last dies with it: everybody
/// gets one mail.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the production half runs by tests/run"]
async fn a_mailing_outlives_what_redis_forgets() {
    let folder = scratch("rapport-flushed-").expect("a folder");
    let mut redis = Redis::start(folder.path()).await.expect("a Redis");
    let mut arguments = Home::fresh(On::Production).await.expect("a home").arguments.clone();
    let address = arguments.iter().position(|word| word == "--redis-url").expect("an address");
    arguments[address + 1] = redis.url().to_owned();
    App::run_in(arguments, async |app| is_written_to_once(app, &mut redis).await).await;
}

async fn is_written_to_once(app: &App, redis: &mut Redis) {
    let (chief, _) = app.user(Role::Administrator.id()).await;
    let mut definition = writing("SERVICE", "Welcome.");
    definition["trigger"] = serde_json::json!({ "manual": true });
    let workflow = published(app, chief, &definition).await;
    let customers = quiet_customers(app, WRITTEN_TO).await;
    app.execute("UPDATE customer SET email = display_name || '@example.vn'").await;
    assert_eq!(start(app, chief, &workflow, &customers, "mailing").await, 600);
    let mut lost = 0;
    for flush in 0..FLUSHES {
        sleep(Duration::from_millis(30)).await;
        match flush {
            10 => {
                redis.kill();
                redis.restart().await.expect("a start");
            }
            _ => redis.flush().await.expect("a Redis"),
        }
        lost += usize::from(mails(app).len() < WRITTEN_TO);
        // What was handed to it and nobody has begun is handed over again by then.
        app.advance(TimeDelta::seconds(31));
    }
    assert!(lost > FLUSHES / 4, "it forgot {lost} times before all was sent");
    app.drain().await;
    let sent = mails(app);
    assert_eq!((sent.len(), sent.values().max()), (WRITTEN_TO, Some(&1)));
    assert_eq!(app.states().await, [(State::Accepted, 600)]);
}
