//! Mails that tell of several things together.

use chrono::TimeDelta;
use entity::access::Role;
use entity::id::Id;
use serde_json::json;
use tests::app::App;
use tests::on_both_stacks;

use crate::given::{customer, mails};
use crate::notifications::{deliver, share};

const SET_TIME_ZONE: &str =
    "mutation { setTimeZone(timeZone: \"Europe/Paris\") { userErrors { code } } }";

const UNREAD: &str = "{ notifications { nodes { id } } }";

const READ: &str = "mutation ($input: NotificationsInput!) { markNotificationsRead(input: $input) {
  unread userErrors { code } } }";

/// Turns the clock, and lets what is due then be done.
async fn come(app: &App, by: TimeDelta) {
    app.advance(by);
    app.drain().await;
}

on_both_stacks! {
    /// Who wants it in the morning gets one mail then, on their clock, with all that they have not read or put away.
    async fn what_is_wanted_in_the_morning_comes_together(app: App) {
        let (user, theirs) = app.user(Role::Sales.id()).await;
        app.send_as(Some(&theirs), SET_TIME_ZONE, json!({})).await;
        deliver(app, &theirs, "SHARED", "DIGEST").await;
        for name in ["Lan", "Hoa", "Minh", "Mai"] {
            share(app, &customer(app, name, "vi", "VND").await, json!({ "userId": user.global() })).await;
        }
        app.drain().await;
        let told = app.send_as(Some(&theirs), UNREAD, json!({})).await.data["notifications"]["nodes"].clone();
        let read = json!({ "input": { "ids": [told[0]["id"]] } });
        app.send_as(Some(&theirs), READ, read).await;
        let put_away = "mutation ($id: ID!) { deleteNotification(id: $id) { deletedId } }";
        app.send_as(Some(&theirs), put_away, json!({ "id": told[1]["id"] })).await;
        // It is two o'clock in UTC, and three in Paris.
        come(app, TimeDelta::minutes(299)).await;
        assert!(mails(app).is_empty(), "it is not eight there yet");
        come(app, TimeDelta::minutes(1)).await;
        let sent = mails(app);
        assert_eq!(sent.len(), 1, "{sent:#?}");
        assert_eq!(sent[0].0, "Bạn có 2 thông báo trong Rapport");
        insta::assert_snapshot!("digest_vi", sent[0].1);
        come(app, TimeDelta::days(2)).await;
        assert_eq!(mails(app).len(), 1, "there is nothing new");
        share(app, &customer(app, "Hạnh", "vi", "VND").await, json!({ "userId": user.global() })).await;
        app.drain().await;
        let theirs = app.token_for(user).await;
        let read = app.send_as(Some(&theirs), READ, json!({ "input": { "until": app.clock.now() } })).await;
        assert_eq!(read.data["markNotificationsRead"]["unread"], 0);
        come(app, TimeDelta::days(1)).await;
        assert_eq!(mails(app).len(), 1, "all is read");
    }

    /// Nobody gets more than ten mails within an hour: what is more comes together soon after.
    async fn what_is_more_than_ten_mails_within_an_hour_comes_together(app: App) {
        let (user, theirs) = app.user(Role::Sales.id()).await;
        deliver(app, &theirs, "SHARED", "EMAIL").await;
        for name in 0..13 {
            let id = customer(app, &format!("Lan {name}"), "vi", "VND").await;
            share(app, &id, json!({ "userId": user.global() })).await;
            app.drain().await;
        }
        assert_eq!(mails(app).len(), 10);
        come(app, TimeDelta::minutes(16)).await;
        let sent = mails(app);
        assert_eq!(sent.len(), 11);
        assert_eq!(sent[10].0, "Bạn có 3 thông báo trong Rapport");
        assert!(sent[10].1.contains("\n- Lê Minh Châu đã chia sẻ một khách hàng với bạn. (×3)\n"), "{}", sent[10].1);
        come(app, TimeDelta::hours(1)).await;
        let id = customer(app, "Mai", "vi", "VND").await;
        share(app, &id, json!({ "userId": user.global() })).await;
        app.drain().await;
        assert_eq!(mails(app).len(), 12, "another hour has begun");
    }
}
