//! Workers that die.

use std::collections::HashMap;
use std::time::Duration;

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::message::{self, State};
use entity::id::Id;
use mail_parser::MessageParser;
use sea_orm::EntityTrait;
use serde_json::json;
use tests::app::kill;
use tests::on_both_stacks;
use tokio::time::sleep;

use super::{done_twice, newcomers};
use crate::gate::writing;
use crate::workflows::published;

/// How often a worker dies.
const KILLS: usize = 24;

/// How many mails a worker has on the wire at most: two batches.
const ON_THE_WIRE: usize = 16;

/// How many customers come between two deaths.
const COME: usize = 16;

/// How long workers live after customers have come, in milliseconds, in turn.
const LIVE: [u64; 6] = [20, 700, 90, 1_200, 240, 450];

on_both_stacks! {
    /// Two workers carry out steps and send mails, and one of them dies again and again, with another one in its place at
    /// once: each step is done once, and no mail goes out twice. What was on the wire is said to be unknown.
    async fn what_dying_workers_were_about_is_done_once(app: App) {
        let (chief, _) = app.user(Role::Administrator.id()).await;
        let mut definition = writing("SERVICE", "Welcome.");
        let send = definition["steps"][0]["action"].clone();
        definition["steps"] = json!([
            { "key": "task", "action": { "createTask": { "title": "Call" } } },
            { "key": "welcome", "action": send },
            { "key": "wait", "action": { "wait": { "for": "PT2M" } } },
            { "key": "change", "action": { "updateCustomer": { "stage": "REGULAR" } } },
            { "key": "again", "action": send },
            { "key": "tell", "action": { "notify": { "text": "Written to", "userId": chief.global() } } },
        ]);
        published(app, chief, &definition).await;
        // So that some die while the server has a mail and they do not know that yet.
        app.mailbox.answer_after(Duration::from_millis(250));
        let mut other = app.more_workers();
        for death in 0..KILLS {
            newcomers(app, chief, death * COME..(death + 1) * COME).await;
            app.advance(TimeDelta::seconds(20));
            sleep(Duration::from_millis(LIVE[death % LIVE.len()])).await;
            if death % 2 == 0 {
                app.kill_workers().await;
                app.start_workers();
            } else {
                kill(&mut other).await;
                other = app.more_workers();
            }
        }
        for _ in 0..8 {
            // What a dead worker had leased is free by then.
            app.advance(TimeDelta::minutes(1));
            app.drain().await;
        }
        kill(&mut other).await;
        let runs = i64::try_from(KILLS * COME).expect("a number");
        let (completed, tasks) = ("workflow_run WHERE state = 'COMPLETED'", "task");
        let told = "notification WHERE kind = 'WORKFLOW'";
        let changed = "customer WHERE stage = 'REGULAR' AND version = 2";
        for (table, of_each, what) in [(completed, 1, "record_id"), (tasks, 1, "customer_id"), (told, 1, "subject_id"), (changed, 1, "id"), ("message", 2, "customer_id")] {
            let all = app.number(&format!("SELECT count(*) AS n FROM {table}")).await;
            let each = app.number(&format!("SELECT count(DISTINCT {what}) AS n FROM {table}")).await;
            assert_eq!((all, each), (runs * of_each, runs), "{table}");
        }
        assert_eq!(done_twice(app).await, 0);
        let mut sent = HashMap::<String, usize>::new();
        for mail in app.mailbox.mails() {
            let mail = MessageParser::default().parse(&mail.raw).expect("a mail");
            let id = mail.message_id().and_then(|id| id.split('@').next()).expect("an id");
            *sent.entry(id.to_owned()).or_default() += 1;
        }
        let messages = message::Entity::find().all(app.db.reader()).await.expect("messages");
        for message in &messages {
            let times = sent.remove(&message.message_id).unwrap_or_default();
            match message.state {
                State::Accepted => assert_eq!(times, 1, "{message:?}"),
                State::Unknown => assert!(times <= 1, "{message:?}"),
                _ => panic!("it is not settled: {message:?}"),
            }
        }
        assert!(sent.is_empty(), "nobody meant these: {sent:?}");
        let unknown = messages.iter().filter(|message| message.state == State::Unknown).count();
        assert!((1..=KILLS * ON_THE_WIRE).contains(&unknown), "{unknown} are not known");
    }
}
