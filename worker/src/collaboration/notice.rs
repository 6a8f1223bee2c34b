//! The mails of notifications. Invariant: a notification that was put away, or whose user is disabled, is
//! not mailed any more; nor is one among others that was read before.

use std::collections::HashMap;

use entity::access::{organisation, user};
use entity::automation::message;
use entity::collaboration::notification::{self, notices};
use entity::id::UserId;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QueryOrder};
use url::Url;
use uuid::Uuid;

use crate::document::{NoticeFacts, Party};

/// What a message says, and where it goes.
pub struct Letter {
    /// What it is written from.
    pub facts: NoticeFacts,
    /// The user's address.
    pub email: String,
}

/// Where users read their notifications.
#[must_use]
pub fn link(public: &Url) -> String {
    let mut link = public.clone();
    link.set_path(&format!("{}/notifications", public.path().trim_end_matches('/')));
    link.into()
}

/// The letters of `messages`, in their order. `None` where there is nothing to tell any more.
///
/// # Errors
/// The database.
pub async fn letters(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
) -> Result<Vec<Option<Letter>>, entity::Error> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let organisation = Party::from(organisation::get(db).await?);
    let subjects = || messages.iter().map(|message| message.subject_id);
    let unread = notification::Column::ReadAt.is_null();
    let together = notification::Column::DigestId.is_in(subjects()).and(unread);
    let told = notification::Entity::find()
        .filter(notification::Column::Id.is_in(subjects()).or(together))
        .filter(notification::Column::DeletedAt.is_null())
        .order_by_asc(notification::Column::HappenedAt)
        .order_by_asc(notification::Column::Id);
    let told = told.all(db).await?;
    let users = user::Entity::find()
        .filter(user::Column::Id.is_in(told.iter().map(|told| told.user_id)))
        .filter(user::Column::DisabledAt.is_null());
    let users: HashMap<UserId, user::Model> =
        users.all(db).await?.into_iter().map(|user| (user.id, user)).collect();
    let said = notices(db, &told).await?;
    let mut letters = HashMap::<Uuid, Letter>::new();
    for (told, notice) in told.iter().zip(said) {
        let Some(user) = users.get(&told.user_id) else { continue };
        let letter = letters.entry(told.digest_id.unwrap_or(told.id.0)).or_insert_with(|| {
            let facts = NoticeFacts {
                language: notice.language.clone(),
                notices: Vec::new(),
                name: user.name.clone(),
                organisation: organisation.clone(),
            };
            Letter { facts, email: user.email.clone() }
        });
        letter.facts.notices.push(notice);
    }
    Ok(messages.iter().map(|message| letters.remove(&message.subject_id)).collect())
}
