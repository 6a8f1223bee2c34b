//! Mails for choosing a new password.
//!
//! Invariant: the token in the link is made when the mail is written, each time anew, and kept nowhere.

use std::collections::HashMap;

use entity::access::password_reset::{self, LIFETIME, Planned};
use entity::access::secret::{Purpose, Secret};
use entity::access::{organisation, user};
use entity::automation::event::{self, Kind as Event};
use entity::automation::message;
use entity::id::{PasswordResetId, UserId};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use url::Url;

use crate::document::{Party, ResetFacts};

/// What a message says, and where it goes.
pub struct Letter {
    /// What it is written from.
    pub facts: ResetFacts,
    /// For whose wish.
    pub reset: PasswordResetId,
    /// What the link holds.
    pub token: Secret,
    /// The user's address.
    pub email: String,
}

impl Letter {
    /// Where the user chooses the password. The token is in the part that browsers keep to themselves.
    #[must_use]
    pub fn link(&self, public: &Url) -> String {
        let mut link = public.clone();
        link.set_path(&format!("{}/reset-password", public.path().trim_end_matches('/')));
        link.set_fragment(Some(&format!("token={}", self.token.reveal())));
        link.into()
    }
}

/// The letters of `messages`, in their order. `None` where the user is gone or disabled.
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
    let organisation = organisation::get(db).await?;
    let users = messages.iter().filter_map(|message| message.user_id);
    let users = user::Entity::find()
        .filter(user::Column::Id.is_in(users))
        .filter(user::Column::DisabledAt.is_null());
    let users: HashMap<UserId, user::Model> =
        users.all(db).await?.into_iter().map(|user| (user.id, user)).collect();
    let letter = |message: &message::Model| {
        let user = users.get(&message.user_id?)?;
        Some(Letter {
            facts: ResetFacts {
                language: user.language.clone().unwrap_or_else(|| organisation.locale.clone()),
                name: user.name.clone(),
                minutes: LIFETIME.num_minutes(),
                organisation: Party::from(organisation.clone()),
            },
            reset: PasswordResetId::from(message.subject_id),
            token: Secret::new(Purpose::Reset),
            email: user.email.clone(),
        })
    };
    Ok(messages.iter().map(letter).collect())
}

/// What mails follow from events about wishes.
///
/// # Errors
/// The database.
pub async fn planned(
    txn: &impl ConnectionTrait,
    events: &[event::Model],
) -> Result<Vec<Planned>, entity::Error> {
    let wishes = events.iter().filter(|event| event.kind == Event::PasswordResetRequested);
    let wishes: Vec<_> = wishes.map(|event| PasswordResetId::from(event.subject_id)).collect();
    password_reset::resolve(txn, &wishes).await
}
