//! Mails for choosing a new password, or the first one.
//!
//! Invariant: the token in the link is made when the mail is written, each time anew, and kept nowhere.

use std::collections::HashMap;

use entity::access::password_reset::{self, INVITED, LIFETIME, Planned, Purpose};
use entity::access::secret::Secret;
use entity::access::{organisation, user};
use entity::automation::event::{self, Kind as Event};
use entity::automation::message::{self, Kind};
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
    /// What for.
    pub purpose: Purpose,
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
        let page = match self.purpose {
            Purpose::Reset => "reset-password",
            Purpose::Invitation => "accept-invitation",
        };
        link.set_path(&format!("{}/{page}", public.path().trim_end_matches('/')));
        link.set_fragment(Some(&format!("token={}", self.token.reveal())));
        link.into()
    }
}

/// The letters of `messages`, in their order. `None` where the user is gone or disabled, or the wish is void.
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
    let wishes: Vec<_> = messages.iter().map(|message| message.subject_id.into()).collect();
    let waiting = password_reset::waiting(db, &wishes).await?;
    let letter = |message: &message::Model| {
        let reset = PasswordResetId::from(message.subject_id);
        let user = users.get(&message.user_id?).filter(|_| waiting.contains(&reset))?;
        let purpose = match message.kind {
            Kind::Invitation => Purpose::Invitation,
            _ => Purpose::Reset,
        };
        Some(Letter {
            facts: ResetFacts {
                language: user.language.clone().unwrap_or_else(|| organisation.locale.clone()),
                name: user.name.clone(),
                minutes: LIFETIME.num_minutes(),
                days: INVITED.num_days(),
                organisation: Party::from(organisation.clone()),
            },
            reset,
            purpose,
            token: Secret::new(purpose.secret()),
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
    let is_wish = |kind| matches!(kind, Event::PasswordResetRequested | Event::UserInvited);
    let wishes = events.iter().filter(|event| is_wish(event.kind));
    let wishes: Vec<_> = wishes.map(|event| PasswordResetId::from(event.subject_id)).collect();
    password_reset::resolve(txn, &wishes).await
}
