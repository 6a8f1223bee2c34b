//! What users are told, how, and that they are told once.

use chrono::TimeDelta;
use entity::access::Role;
use entity::automation::{event, job};
use entity::collaboration::notification;
use entity::id::{Id, JobId, UserId};
use futures::FutureExt;
use futures::future::join_all;
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use tests::app::App;
use tests::on_both_stacks;
use tests::socket::Socket;

use crate::given::{CREATE_TEAM, SHARE_CUSTOMER, customer, role};

const NOTIFICATIONS: &str = "query ($filter: NotificationFilter) { unreadNotifications
  notifications(filter: $filter, orderBy: [{ field: HAPPENED_AT, direction: DESC }]) { nodes { id kind text subjectId detail times actor { name } readAt } } }";

const READ: &str = "mutation ($input: NotificationsInput!) { markNotificationsRead(input: $input) {
  unread userErrors { code } } }";

const DELETE: &str =
    "mutation ($id: ID!) { deleteNotification(id: $id) { deletedId userErrors { code field } } }";

const DELIVERY: &str = "mutation ($kind: NotificationKind!, $delivery: NotificationDelivery!) {
  setNotificationDelivery(kind: $kind, delivery: $delivery) { setting { kind delivery } userErrors { code } } }";

const LANGUAGE: &str = "mutation ($language: String) { setLanguage(language: $language) { user { language } userErrors { code field } } }";

const EXPORT: &str =
    "mutation { exportCustomers(idempotencyKey: \"e\") { job { id } userErrors { code } } }";

const FOLLOW: &str = "mutation ($id: ID!) { follow(id: $id) { id userErrors { code } } }";

const CHANGE: &str =
    "mutation ($id: ID!, $input: UpdateCustomerInput!) { updateCustomer(id: $id, input: $input) {
  customer { id } userErrors { code } } }";

const REMOVE: &str = "mutation ($id: ID!) { deleteCustomer(id: $id) { userErrors { code } } }";

const UNSHARE: &str = "mutation ($customer: ID!, $share: ID!) { unshareCustomer(customerId: $customer, shareId: $share) {
  deletedId userErrors { code } } }";

const ABSENCE: &str = "mutation ($input: CreateAbsenceInput!) { createAbsence(input: $input) { absence { id } userErrors { code } } }";

const FOLLOWING: &str = "subscription { notificationAdded { kind times text } }";

/// What somebody is told, the newest first.
async fn told(app: &App, token: &str) -> Vec<Value> {
    app.drain().await;
    let reply = app.send_as(Some(token), NOTIFICATIONS, json!({})).await;
    assert!(reply.errors.is_empty(), "{:#?}", reply.errors);
    reply.data["notifications"]["nodes"].as_array().expect("nodes").clone()
}

async fn unread(app: &App, token: &str) -> Value {
    app.drain().await;
    app.send_as(Some(token), NOTIFICATIONS, json!({})).await.data["unreadNotifications"].clone()
}

async fn rename(app: &App, token: &str, id: &str, name: &str) {
    app.make_as(token, "customer", CHANGE, json!({ "id": id, "input": { "displayName": name } }))
        .await;
}

async fn follow(app: &App, token: &str, id: &str) {
    app.make_as(token, "id", FOLLOW, json!({ "id": id })).await;
}

pub async fn deliver(app: &App, token: &str, kind: &str, delivery: &str) {
    app.make_as(token, "setting", DELIVERY, json!({ "kind": kind, "delivery": delivery })).await;
}

pub async fn share(app: &App, id: &str, with: Value) -> String {
    let input = json!({ "customerId": id, "with": with, "writable": true });
    let share = app.make("share", SHARE_CUSTOMER, json!({ "input": input })).await;
    share["id"].as_str().expect("an id").to_owned()
}

on_both_stacks! {
    async fn who_asked_for_a_job_is_told_of_its_end_in_their_language(app: App) {
        let token = app.token();
        let job = app.make("job", EXPORT, json!({})).await;
        let mine = told(app, &token).await;
        assert_eq!(mine.len(), 1, "{mine:?}");
        assert_eq!((&mine[0]["kind"], &mine[0]["detail"]), (&json!("JOB_SUCCEEDED"), &json!("EXPORT")));
        assert_eq!(mine[0]["text"], "Việc xuất dữ liệu của bạn đã hoàn tất.");
        assert_eq!(mine[0]["subjectId"], job["id"]);
        let english = app.make("user", LANGUAGE, json!({ "language": "en-GB" })).await;
        assert_eq!(english["language"], "en-GB");
        assert_eq!(told(app, &token).await[0]["text"], "Your export is done.");
        assert_eq!(app.refusal(LANGUAGE, json!({ "language": "no language" })).await, ("INVALID".into(), "input.language".into()));
        let others = app.token_of(Role::Administrator).await;
        assert_eq!(told(app, &others).await, Vec::<Value>::new(), "a notification is private");
        let stolen = app.send_as(Some(&others), DELETE, json!({ "id": mine[0]["id"] })).await;
        assert_eq!(stolen.data["deleteNotification"]["userErrors"], json!([{ "code": "NOT_FOUND", "field": ["id"] }]));
    }

    async fn what_is_read_counts_no_more_and_what_is_deleted_is_gone(app: App) {
        let token = app.token();
        for key in ["a", "b", "c"] {
            app.make("job", &EXPORT.replace("\"e\"", &format!("\"{key}\"")), json!({})).await;
            app.advance(TimeDelta::seconds(1));
            app.drain().await;
        }
        assert_eq!(unread(app, &token).await, 3);
        let mine = told(app, &token).await;
        let one = json!({ "input": { "ids": [mine[0]["id"], "ntf_x"] } });
        assert_eq!(app.make("unread", READ, one.clone()).await, 2);
        assert_eq!(app.make("unread", READ, one).await, 2, "twice is once");
        let deleted = app.make("deletedId", DELETE, json!({ "id": mine[1]["id"] })).await;
        assert_eq!(deleted, mine[1]["id"]);
        assert_eq!(unread(app, &token).await, 1);
        assert_eq!(told(app, &token).await.len(), 2);
        let until = app.clock.now().to_rfc3339();
        assert_eq!(app.make("unread", READ, json!({ "input": { "until": until } })).await, 0);
        let unread = app.ask(NOTIFICATIONS, json!({ "filter": { "readAt": { "isNull": true } } })).await;
        assert_eq!(unread["notifications"]["nodes"], json!([]));
    }

    async fn a_follower_has_one_unread_notification_of_a_record_that_counts(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let follower = app.token_of(Role::Sales).await;
        follow(app, &follower, &lan).await;
        rename(app, &follower, &lan, "Lan A").await;
        assert_eq!(told(app, &follower).await, Vec::<Value>::new(), "they know of what they did themselves");
        for name in ["Lan B", "Lan C", "Lan D"] {
            rename(app, &app.token(), &lan, name).await;
            app.drain().await;
        }
        let news = told(app, &follower).await;
        assert_eq!(news.len(), 1, "{news:?}");
        assert_eq!((&news[0]["kind"], &news[0]["times"], &news[0]["detail"]), (&json!("FOLLOWED"), &json!(3), &json!("CHANGED")));
        assert_eq!((&news[0]["subjectId"], &news[0]["actor"]["name"]), (&json!(lan), &json!("Lê Minh Châu")));
        let read = json!({ "input": { "ids": [news[0]["id"]] } });
        app.make_as(&follower, "unread", READ, read).await;
        app.advance(TimeDelta::seconds(1));
        let gone = app.send(REMOVE, json!({ "id": lan })).await;
        assert_eq!(gone.data["deleteCustomer"]["userErrors"], json!([]));
        let news = told(app, &follower).await;
        assert_eq!(news.len(), 2, "what was read stays, and another one begins: {news:?}");
        assert_eq!((&news[0]["detail"], &news[0]["times"]), (&json!("DELETED"), &json!(1)));
        assert_eq!(news[0]["text"], "Lê Minh Châu đã xóa một khách hàng mà bạn theo dõi.");
    }

    async fn who_may_not_see_a_record_any_more_hears_no_more_of_it(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let own = role(app, &[("READ_CUSTOMERS", "OWN")]).await;
        let (user, theirs) = app.user(own).await;
        let (_, nobodys) = app.user(own).await;
        let share = share(app, &lan, json!({ "userId": user.global() })).await;
        assert_eq!(told(app, &theirs).await[0]["text"], "Lê Minh Châu đã chia sẻ một khách hàng với bạn.");
        follow(app, &theirs, &lan).await;
        let refused = app.send_as(Some(&nobodys), FOLLOW, json!({ "id": lan })).await;
        assert_eq!(refused.data["follow"]["userErrors"][0]["code"], "NOT_FOUND");
        rename(app, &app.token(), &lan, "Lan A").await;
        assert_eq!(told(app, &theirs).await.len(), 2, "they see it");
        app.make("deletedId", UNSHARE, json!({ "customer": lan, "share": share })).await;
        rename(app, &app.token(), &lan, "Lan B").await;
        let news = told(app, &theirs).await;
        assert_eq!(news.len(), 2, "{news:?}");
        assert!(news.iter().all(|one| one["times"] == 1), "{news:?}");
    }

    async fn new_owners_and_those_shared_with_are_told_unless_they_did_it(app: App) {
        let (user, theirs) = app.user(Role::Sales.id()).await;
        let lan = customer(app, "Lan", "vi", "VND").await;
        let give = async |token: &str, to: &UserId| {
            let input = json!({ "id": lan, "input": { "ownerId": to.global() } });
            app.make_as(token, "customer", CHANGE, input).await;
        };
        give(&theirs, &user).await;
        assert_eq!(told(app, &theirs).await, Vec::<Value>::new(), "by themselves");
        let (other, others) = app.user(Role::Sales.id()).await;
        give(&theirs, &other).await;
        give(&app.token(), &user).await;
        give(&app.token(), &user).await;
        let news = told(app, &theirs).await;
        assert_eq!(news.len(), 1, "it became theirs once: {news:?}");
        assert_eq!(news[0]["text"], "Lê Minh Châu đã giao cho bạn phụ trách một khách hàng.");
        assert_eq!(told(app, &others).await[0]["kind"], "OWNED");

        let administrator = app.token_of(Role::Administrator).await;
        let team = json!({ "input": { "name": "South", "userIds": [user.global(), other.global()] } });
        let team = app.make_as(&administrator, "team", CREATE_TEAM, team).await;
        deliver(app, &others, "SHARED", "OFF").await;
        share(app, &lan, json!({ "teamId": team["id"] })).await;
        share(app, &lan, json!({ "teamId": team["id"] })).await;
        assert_eq!(told(app, &theirs).await.len(), 2, "sharing it again is no news");
        assert_eq!(told(app, &others).await.len(), 1, "they do not want to know");
    }

    async fn who_wants_it_by_mail_gets_one(app: App) {
        deliver(app, &app.token(), "JOB_SUCCEEDED", "EMAIL").await;
        app.make("job", EXPORT, json!({})).await;
        app.drain().await;
        app.drain().await; // Nothing more to do the second time.
        let mails = app.mailbox.mails();
        assert_eq!(mails.len(), 1);
        let mail = mail_parser::MessageParser::default().parse(&mails[0].raw).expect("a mail");
        assert_eq!(mail.subject(), Some("Việc xuất dữ liệu của bạn đã hoàn tất."));
        insta::assert_snapshot!("notification_vi", mail.body_text(0).expect("a text").replace("\r\n", "\n"));
        let settings = app.ask("{ notificationSettings { kind delivery } }", json!({})).await;
        let settings = settings["notificationSettings"].as_array().expect("settings").clone();
        assert_eq!(settings[0], json!({ "kind": "JOB_SUCCEEDED", "delivery": "EMAIL" }));
        assert!(settings[1..].iter().all(|one| one["delivery"] == "IN_APP"), "{settings:?}");
    }

    async fn an_absence_that_begins_is_told_of_once(app: App) {
        let (user, theirs) = app.user(Role::Sales.id()).await;
        let (deputy, _) = app.user(Role::Sales.id()).await;
        let now = app.clock.now();
        let input = json!({
            "userId": user.global(), "deputyId": deputy.global(),
            "startsAt": (now + TimeDelta::hours(1)).to_rfc3339(), "endsAt": (now + TimeDelta::days(3)).to_rfc3339(),
        });
        app.make_as(&theirs, "absence", ABSENCE, json!({ "input": input })).await;
        assert_eq!(told(app, &theirs).await, Vec::<Value>::new());
        app.advance(TimeDelta::minutes(61));
        let begun = async |_| {
            app.db.write(move |txn| notification::deputies_begun(txn, now + TimeDelta::minutes(61)).boxed()).await.expect("told")
        };
        let written: u64 = join_all((0..6).map(begun)).await.into_iter().sum();
        assert!(written <= 1, "of many workers at once one tells: {written}");
        let theirs = app.token_for(user).await;
        let news = told(app, &theirs).await;
        assert_eq!((news.len(), &news[0]["kind"]), (1, &json!("DEPUTY_BEGAN")), "{news:?}");
        app.make_as(&theirs, "deletedId", DELETE, json!({ "id": news[0]["id"] })).await;
        app.advance(TimeDelta::minutes(1));
        tokio::time::sleep(std::time::Duration::from_millis(1_300)).await; // The relay looks each second.
        assert_eq!(told(app, &theirs).await, Vec::<Value>::new(), "what was put away does not come back");
    }

    async fn workers_that_meet_tell_once_and_a_dead_one_loses_nothing(app: App) {
        let now = app.clock.now();
        let token = app.token();
        let lan = customer(app, "Lan", "vi", "VND").await;
        let (user, theirs) = app.user(Role::Sales.id()).await;
        follow(app, &theirs, &lan).await;
        app.drain().await;

        // Two workers end a job that both believe to be theirs.
        let job = app.db.write(move |txn| {
            let actor = entity::access::Actor::User(user);
            async move { job::record(txn, job::Kind::UpsertCustomers, json!({}), (json!({}), 1), actor, now).await }.boxed()
        });
        let job: JobId = job.await.expect("a job").id;
        let ended = async |_| {
            let ended = app.db.write(move |txn| {
                async move { job::finish(txn, job, 0, job::State::Succeeded, json!({}), now).await }.boxed()
            });
            ended.await.expect("an end");
        };
        join_all((0..6).map(ended)).await;
        assert_eq!(told(app, &theirs).await.len(), 1);

        // Relays carry different events about the same record at once; one of them dies before it commits.
        let id: entity::id::CustomerId = Id::parse(&lan).expect("an id");
        let actor = entity::access::Actor::System;
        let written = app.db.write(move |txn| {
            async move {
                let rows = (0..8).map(|_| event::new(event::Kind::CustomerUpdated, id.0, Some(id), actor, now));
                let mut events = Vec::new();
                for row in rows {
                    let row = event::ActiveModel { relayed_at: sea_orm::ActiveValue::Set(Some(now)), ..row };
                    events.push(event::Entity::insert(row).exec_with_returning(txn).await?);
                }
                Ok(events)
            }
            .boxed()
        });
        let events = written.await.expect("events");
        let dead = app.db.write(|txn| {
            let events = events.clone();
            async move {
                notification::tell_followers(txn, &events, now).await?;
                Err::<(), _>(entity::Error::Closed)
            }
            .boxed()
        });
        assert!(dead.await.is_err());
        assert_eq!(told(app, &theirs).await.len(), 1, "what did not commit was not told");
        let carried = events.chunks(2).map(|events| app.db.write(|txn| {
            let events = events.to_vec();
            async move { notification::tell_followers(txn, &events, now).await }.boxed()
        }));
        assert!(join_all(carried).await.into_iter().all(|carried| carried.is_ok()));
        let news = told(app, &theirs).await;
        let followed: Vec<_> = news.iter().filter(|one| one["kind"] == "FOLLOWED").collect();
        assert_eq!((followed.len(), &followed[0]["times"]), (1, &json!(8)), "{news:?}");
        assert_eq!(told(app, &token).await, Vec::<Value>::new());
    }

    async fn a_notification_reaches_who_listens_and_nobody_else(app: App) {
        let lan = customer(app, "Lan", "vi", "VND").await;
        let (_, theirs) = app.user(Role::Sales.id()).await;
        follow(app, &theirs, &lan).await;
        app.drain().await;
        let (mut mine, mut others) = (Socket::open(&app.address, &theirs).await, Socket::open(&app.address, &app.token()).await);
        for socket in [&mut mine, &mut others] {
            socket.ask("s", FOLLOWING, json!({})).await;
            socket.ask("q", "{ __typename }", json!({})).await;
            while socket.hear().await.expect("a message")["id"] != "q" {}
            while socket.silence().await.is_some() {}
        }
        rename(app, &app.token(), &lan, "Lan A").await;
        let heard = mine.event().await["notificationAdded"].clone();
        assert_eq!((&heard["kind"], &heard["times"]), (&json!("FOLLOWED"), &json!(1)));
        assert_eq!(heard["text"], "Lê Minh Châu đã thay đổi một khách hàng mà bạn theo dõi.");
        rename(app, &app.token(), &lan, "Lan B").await;
        assert_eq!(mine.event().await["notificationAdded"]["times"], 2);
        assert_eq!(others.silence().await, None);
    }
}
