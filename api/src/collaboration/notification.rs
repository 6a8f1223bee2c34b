//! What users are told: reading it, putting it away, and choosing what they want to be told.

use async_graphql::{Context, ID, Object, OneofObject, SimpleObject};
use chrono::{DateTime, Utc};
use entity::access::user;
use entity::collaboration::notification::{self, Which, setting};
use entity::id::NotificationId;
use futures::FutureExt;

use crate::choice::choice;
use crate::context::{Ask, LoggedIn, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::{DeletedPayload, payload};

/// How many notifications are named at once, at most.
const MOST: usize = 100;

choice! {
    /// What a notification tells.
    NotificationKind mirrors "entity::collaboration::notification::Kind" {
        /// A job of yours is done: an import, an export, a change of many customers.
        JobSucceeded,
        /// A job of yours has failed.
        JobFailed,
        /// A record was shared with you, or with a team of yours.
        Shared,
        /// Somebody else made you the one who looks after a customer, or several.
        Owned,
        /// Somebody else changed, deleted or merged a record that you follow. There is one notification of
        /// each record that you have not read; it counts.
        Followed,
        /// Your absence has begun, and a deputy stands in for you.
        DeputyBegan,
        /// An administrator took your second factor away.
        SecondFactorReset,
        /// What a workflow has to tell you.
        Workflow,
        /// You have something to do: a reminder of a task or a call of yours. Its detail is `DUE`, or `LATE` when it
        /// comes later than it was meant to.
        Reminder,
        /// A workflow that you published stands still, since it was about to send customers more than was foreseen. Its detail
        /// is the workflow's name.
        WorkflowHeld,
        /// No mail is sent to anybody until you say so, see `Organisation.sendingHeld`.
        SendingHeld,
    }
}

choice! {
    /// How you are told.
    NotificationDelivery mirrors "entity::collaboration::notification::setting::Delivery" {
        /// Not at all.
        Off,
        /// In Rapport; so it is until you choose.
        InApp,
        /// In Rapport and by e-mail. What is more than ten mails within an hour comes together, each quarter of an hour.
        Email,
        /// In Rapport, and each morning at eight by e-mail, all that you have not read together, on the clock of your
        /// `timeZone`. What cannot wait, such as that your second factor was taken away, comes at once.
        Digest,
    }
}

/// How you are told of one kind.
#[derive(SimpleObject)]
pub struct NotificationSetting {
    /// Of what.
    pub kind: NotificationKind,
    /// How.
    pub delivery: NotificationDelivery,
}

/// Which notifications: exactly one of these.
#[derive(Clone, Debug, OneofObject)]
pub enum NotificationsInput {
    /// Those with these ids, at most 100. Ids of others are left out.
    Ids(Vec<ID>),
    /// All that had happened by this instant.
    Until(DateTime<Utc>),
}

/// What came of noting that notifications were read.
#[derive(SimpleObject)]
pub struct MarkNotificationsReadPayload {
    /// How many are left that you have not read; null when it was refused.
    pub unread: Option<i32>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// What came of choosing how you are told.
#[derive(SimpleObject)]
pub struct SetNotificationDeliveryPayload {
    /// The choice as it is now; null when it was refused.
    pub setting: Option<NotificationSetting>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

payload! {
    /// What came of choosing a language.
    SetLanguagePayload {
        /// You, as you are now; null when it was refused.
        user: user::Entity
    }
}

payload! {
    /// What came of choosing a zone.
    SetTimeZonePayload {
        /// You, as you are now; null when it was refused.
        user: user::Entity
    }
}

/// Reading about notifications beyond their list.
#[derive(Default)]
pub struct NotificationQuery;

/// Reading about notifications beyond their list.
#[Object]
impl NotificationQuery {
    /// How many of your notifications you have not read.
    async fn unread_notifications(&self, ctx: &Context<'_>) -> Result<i32, Fault> {
        unread(ctx).await
    }

    /// How you are told of what, one entry for every kind.
    async fn notification_settings(
        &self,
        ctx: &Context<'_>,
    ) -> Result<Vec<NotificationSetting>, Fault> {
        let chosen = setting::of(ctx.reader(), ctx.viewer()?.user).await?.into_iter();
        let setting = |(kind, delivery): (notification::Kind, setting::Delivery)| {
            NotificationSetting { kind: kind.into(), delivery: delivery.into() }
        };
        Ok(chosen.map(setting).collect())
    }
}

/// Putting notifications away, and choosing among them.
#[derive(Default)]
pub struct NotificationMutation;

/// Putting notifications away, and choosing among them.
#[Object]
impl NotificationMutation {
    /// Notes that you have read notifications. A record that you follow begins another one with its next
    /// change.
    #[graphql(guard = "LoggedIn")]
    async fn mark_notifications_read(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which ones.")] input: NotificationsInput,
    ) -> Result<MarkNotificationsReadPayload, Fault> {
        let user = ctx.viewer()?.user;
        let once = Once::new(None, "markNotificationsRead", &input);
        let which = match input {
            NotificationsInput::Until(until) => Which::Until(until),
            NotificationsInput::Ids(ids) if ids.len() > MOST => {
                return Err(Fault::bad_request(format!("name at most {MOST} notifications")));
            }
            NotificationsInput::Ids(ids) => {
                Which::Ids(ids.iter().filter_map(|id| parse(id, &["input"]).ok()).collect())
            }
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let which = which.clone();
            async move {
                notification::read(txn, which, actor, now).await?;
                Ok(user.into())
            }
            .boxed()
        });
        Ok(match outcome.await? {
            Ok(_) => {
                let unread = Some(unread(ctx).await?);
                MarkNotificationsReadPayload { unread, user_errors: Vec::new() }
            }
            Err(user_errors) => MarkNotificationsReadPayload { unread: None, user_errors },
        })
    }

    /// Puts a notification of yours away: it is in no list any more.
    #[graphql(guard = "LoggedIn")]
    async fn delete_notification(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The notification's id.")] id: ID,
    ) -> Result<DeletedPayload, Fault> {
        ctx.viewer()?;
        let once = Once::new(None, "deleteNotification", &id);
        let told = match parse::<NotificationId>(&id, &["id"]) {
            Ok(told) => told,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            async move {
                notification::delete(txn, told, actor, now).await?;
                Ok(told.into())
            }
            .boxed()
        });
        Ok(DeletedPayload::new(id, outcome.await?))
    }

    /// Chooses how you are told of one kind, from the next time on.
    #[graphql(guard = "LoggedIn")]
    async fn set_notification_delivery(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Of what.")] kind: NotificationKind,
        #[graphql(desc = "How.")] delivery: NotificationDelivery,
    ) -> Result<SetNotificationDeliveryPayload, Fault> {
        let user = ctx.viewer()?.user;
        let once = Once::new(None, "setNotificationDelivery", &kind);
        let outcome = write(ctx, once, move |txn, _, _| {
            async move {
                setting::set(txn, user, kind.into(), delivery.into()).await?;
                Ok(user.into())
            }
            .boxed()
        });
        Ok(match outcome.await? {
            Ok(_) => {
                let setting = Some(NotificationSetting { kind, delivery });
                SetNotificationDeliveryPayload { setting, user_errors: Vec::new() }
            }
            Err(user_errors) => SetNotificationDeliveryPayload { setting: None, user_errors },
        })
    }

    /// Chooses the language that you are told things in.
    #[graphql(guard = "LoggedIn")]
    async fn set_language(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "A tag such as `vi` or `en-GB`; English is taken where Rapport does not know it. The organisation's language when absent or null."
        )]
        language: Option<String>,
    ) -> Result<SetLanguagePayload, Fault> {
        let user = ctx.viewer()?.user;
        let once = Once::new(None, "setLanguage", &language);
        let outcome = write(ctx, once, move |txn, actor, now| {
            let language = language.clone();
            async move {
                user::set_language(txn, user, language.as_deref(), actor, now).await?;
                Ok(user.into())
            }
            .boxed()
        });
        outcome.await.map(SetLanguagePayload::from)
    }

    /// Chooses the zone on whose clock your calendar is.
    #[graphql(guard = "LoggedIn")]
    async fn set_time_zone(
        &self,
        ctx: &Context<'_>,
        #[graphql(
            desc = "An IANA zone such as `Asia/Ho_Chi_Minh`. The organisation's zone when absent or null."
        )]
        time_zone: Option<String>,
    ) -> Result<SetTimeZonePayload, Fault> {
        let user = ctx.viewer()?.user;
        let once = Once::new(None, "setTimeZone", &time_zone);
        let outcome = write(ctx, once, move |txn, actor, now| {
            let time_zone = time_zone.clone();
            async move {
                user::set_time_zone(txn, user, time_zone.as_deref(), actor, now).await?;
                Ok(user.into())
            }
            .boxed()
        });
        outcome.await.map(SetTimeZonePayload::from)
    }
}

async fn unread(ctx: &Context<'_>) -> Result<i32, Fault> {
    let unread = notification::unread(ctx.reader(), ctx.viewer()?.user).await?;
    Ok(i32::try_from(unread).unwrap_or(i32::MAX))
}
