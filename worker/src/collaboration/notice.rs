//! The mails of notifications. Invariant: a notification that was put away, or whose user is disabled, is
//! not mailed any more.

use std::collections::HashMap;

use entity::access::{organisation, user};
use entity::automation::message;
use entity::collaboration::notification::{self, notices};
use entity::id::UserId;
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
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
    let told = notification::Entity::find()
        .filter(notification::Column::Id.is_in(messages.iter().map(|message| message.subject_id)))
        .filter(notification::Column::DeletedAt.is_null());
    let told = told.all(db).await?;
    let users = user::Entity::find()
        .filter(user::Column::Id.is_in(told.iter().map(|told| told.user_id)))
        .filter(user::Column::DisabledAt.is_null());
    let users: HashMap<UserId, user::Model> =
        users.all(db).await?.into_iter().map(|user| (user.id, user)).collect();
    let letter = |(told, notice): (&notification::Model, _)| {
        let user = users.get(&told.user_id)?;
        let (name, organisation) = (user.name.clone(), organisation.clone());
        let facts = NoticeFacts { notice, name, organisation };
        Some((Uuid::from(told.id), Letter { facts, email: user.email.clone() }))
    };
    let said = notices(db, &told).await?;
    let mut letters: HashMap<Uuid, Letter> = told.iter().zip(said).filter_map(letter).collect();
    Ok(messages.iter().map(|message| letters.remove(&message.subject_id)).collect())
}
