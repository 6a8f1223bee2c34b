//! Inviting users by mail, and accepting that. It is the one way to a new user: nobody but they themselves
//! ever knows a password of theirs.

use async_graphql::{Context, ID, InputObject, Object, SimpleObject};
use entity::access::secret::Purpose;
use entity::access::{Permission, password_reset, user};
use futures::FutureExt;

use super::password::choose;
use super::user::manage;
use crate::context::{Ask, Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::payload;

/// A user to be.
#[derive(Clone, Debug, InputObject)]
pub struct InviteUserInput {
    /// Where the invitation goes, and what they log in with; unique.
    pub email: String,
    /// What they are called, up to 200 characters.
    pub name: String,
    /// What they may do.
    pub role_id: ID,
    /// Where they stand in the reporting line.
    pub position_id: Option<ID>,
    /// The language they are told things in, the invitation among them, as a tag such as `vi` or `en-GB`;
    /// the organisation's when absent.
    pub language: Option<String>,
}

impl InviteUserInput {
    fn parse(self) -> Result<user::NewUser, Vec<UserError>> {
        let position = self.position_id.map(|id| parse(&id, &["input", "positionId"]));
        Ok(user::NewUser {
            email: self.email,
            name: self.name,
            password_hash: None,
            role: parse(&self.role_id, &["input", "roleId"])?,
            position: position.transpose()?,
            language: self.language,
        })
    }
}

payload! {
    /// What came of inviting a user, or of taking an invitation back.
    InvitationPayload {
        /// The user; null when it was refused.
        user: user::Entity
    }
}

/// A password for an invitation.
#[derive(InputObject)]
pub struct AcceptInvitationInput {
    /// The token from the link in the mail.
    #[graphql(secret)]
    pub token: String,
    /// The password that is to hold: at least twelve characters.
    #[graphql(secret)]
    pub password: String,
}

/// What came of accepting an invitation.
#[derive(SimpleObject)]
pub struct AcceptInvitationPayload {
    /// Whether the password holds now. To go on, log in with it.
    pub accepted: bool,
    /// Why not; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Inviting users.
#[derive(Default)]
pub struct InvitationMutation;

/// Inviting users.
#[Object]
impl InvitationMutation {
    /// Adds a user without a password, and sends them a mail with a link for choosing one, which works
    /// once and for seven days. They accept with `acceptInvitation`.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn invite_user(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user.")] input: InviteUserInput,
        #[graphql(
            desc = "Up to 255 characters. The same key and input again invites nobody again."
        )]
        idempotency_key: Option<String>,
    ) -> Result<InvitationPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "inviteUser", &input);
        let new = match input.parse() {
            Ok(new) => new,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (new, viewer) = (new.clone(), viewer.clone());
            async move {
                let place = user::Change {
                    role: Some(new.role),
                    position: Some(new.position),
                    ..user::Change::default()
                };
                user::ensure_manageable(txn, None, &place, &viewer).await?;
                Ok(password_reset::invite(txn, new, actor, now).await?.id.into())
            }
            .boxed()
        });
        outcome.await.map(InvitationPayload::from)
    }

    /// Sends a user who has not accepted yet another mail. The links of earlier ones are void, and the new
    /// one works for seven days.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn resend_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
        #[graphql(desc = "Up to 255 characters. The same key and user again sends nothing again.")]
        idempotency_key: Option<String>,
    ) -> Result<InvitationPayload, Fault> {
        let once = Once::new(idempotency_key.as_deref(), "resendInvitation", &user_id);
        let outcome = manage(ctx, once, &user_id, |txn, id, actor, now| {
            async move { password_reset::invite_again(txn, id, actor, now).await.map(drop) }.boxed()
        });
        outcome.await.map(InvitationPayload::from)
    }

    /// Takes the invitation of a user who has not accepted yet back: its link is void, and they are
    /// disabled. To invite them after all, enable them with `updateUser` and resend it.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn revoke_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The user's id.")] user_id: ID,
    ) -> Result<InvitationPayload, Fault> {
        let once = Once::new(None, "revokeInvitation", &user_id);
        let outcome = manage(ctx, once, &user_id, |txn, id, actor, now| {
            async move { password_reset::revoke(txn, id, actor, now).await.map(drop) }.boxed()
        });
        outcome.await.map(InvitationPayload::from)
    }

    /// Gives the user that an invitation was sent to their first password. A token works once, and for
    /// seven days. Needs no access token.
    #[graphql(complexity = "50")]
    async fn accept_invitation(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The token and the password.")] input: AcceptInvitationInput,
    ) -> Result<AcceptInvitationPayload, Fault> {
        let AcceptInvitationInput { token, password } = input;
        let user_errors = choose(ctx, Purpose::Invitation, &token, password).await?;
        Ok(AcceptInvitationPayload { accepted: user_errors.is_empty(), user_errors })
    }
}
