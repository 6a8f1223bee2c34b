//! Refresh tokens on SQLite, by hand.

use futures::FutureExt;
use sea_orm::EntityTrait;

use super::*;
use crate::access::secret::Purpose;
use crate::access::{AccessError, Actor, Role, throttle, user};
use crate::db::Db;

async fn house() -> (tempfile::TempDir, Db, UserId, DateTimeUtc) {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("test.db").display());
    let db = Db::connect(&url, 4).await.unwrap();
    migration::migrate(db.reader()).await.unwrap();
    let now = DateTimeUtc::from_timestamp(1_790_000_000, 0).unwrap();
    let new = user::NewUser {
        email: "lan@example.vn".to_owned(),
        name: "Lan".to_owned(),
        password_hash: Some(String::new()),
        role: Role::Sales.id(),
        position: None,
        language: None,
    };
    let user = user::create(db.reader(), new, Actor::System, now).await.unwrap().id;
    (folder, db, user, now)
}

async fn go_on(db: &Db, token: &Secret, now: DateTimeUtc) -> Result<Begun, AccessError> {
    let refreshed = db.write(|txn| {
        let token = token.clone();
        async move { refresh(txn, &token, &Device::default(), now).await }.boxed()
    });
    match refreshed.await.unwrap() {
        Refreshed::On(begun) => Ok(*begun),
        Refreshed::Refused(error) => Err(error),
    }
}

#[tokio::test]
async fn a_session_goes_on_while_it_is_used_and_not_for_ever() {
    let (_folder, db, user, mut now) = house().await;
    let begun = begin(db.reader(), user, &Device::default(), now).await.unwrap();
    let (session, mut token) = (begun.session.id, begun.refresh);
    for _ in 0..6 {
        now += TimeDelta::days(13);
        token = go_on(&db, &token, now).await.ok().unwrap().refresh;
    }
    let row = Entity::find_by_id(session).one(db.reader()).await.unwrap().unwrap();
    assert_eq!(row.expires_at, row.created_at + LONGEST);
    now += TimeDelta::days(13);
    assert_eq!(go_on(&db, &token, now).await.err(), Some(AccessError::InvalidToken));
    let unknown = Secret::new(Purpose::Refresh);
    assert_eq!(go_on(&db, &unknown, now).await.err(), Some(AccessError::InvalidToken));
    tidy(db.reader(), now).await.unwrap();
    assert_eq!(refresh::Entity::find().count(db.reader()).await.unwrap(), 7, "remembered");
    tidy(db.reader(), now + TimeDelta::days(60)).await.unwrap();
    assert_eq!(refresh::Entity::find().count(db.reader()).await.unwrap(), 0);
    assert_eq!(Entity::find().count(db.reader()).await.unwrap(), 0);
}

#[tokio::test]
async fn an_empty_bucket_fills_one_by_one() {
    use throttle::{Attempt, Bucket, fill, give_back, take};
    let (_folder, db, _, now) = house().await;
    let db = db.reader();
    let bucket = [Bucket::account(Attempt::Login, "lan@example.vn")];
    for attempt in 0..10 {
        assert_eq!(take(db, &bucket, now).await.unwrap(), None, "{attempt}");
    }
    assert_eq!(take(db, &bucket, now).await.unwrap(), Some(TimeDelta::minutes(1)));
    let later = now + TimeDelta::seconds(90);
    assert_eq!(take(db, &bucket, later).await.unwrap(), None);
    assert_eq!(take(db, &bucket, later).await.unwrap(), Some(TimeDelta::seconds(30)));
    give_back(db, &bucket).await.unwrap();
    assert_eq!(take(db, &bucket, later).await.unwrap(), None);
    throttle::tidy(db, later).await.unwrap();
    assert!(take(db, &bucket, later).await.unwrap().is_some(), "it is not full");
    fill(db, &bucket[0]).await.unwrap();
    assert_eq!(take(db, &bucket, later).await.unwrap(), None);
    throttle::tidy(db, later + TimeDelta::days(1)).await.unwrap();
    assert_eq!(throttle::Entity::find().count(db).await.unwrap(), 0);
}
