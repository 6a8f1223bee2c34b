//! Creating, changing and dissolving teams.

use async_graphql::{Context, ID, InputObject, Object};
use entity::access::{Permission, team};
use entity::id::{TeamId, UserId};
use futures::FutureExt;

use crate::context::{Ask, Can, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::{DeletedPayload, payload};

/// A team to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateTeamInput {
    /// What it is called, up to 100 characters; unique.
    pub name: String,
    /// The users who are in it.
    #[graphql(default, validator(max_items = 500))]
    pub user_ids: Vec<ID>,
}

/// A change of a team. What is absent stays.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateTeamInput {
    /// What it is called, up to 100 characters; unique.
    pub name: Option<String>,
    /// The users who are in it from now on, in place of those who were.
    #[graphql(validator(max_items = 500))]
    pub user_ids: Option<Vec<ID>>,
}

fn users(given: &[ID]) -> Result<Vec<UserId>, Vec<UserError>> {
    given.iter().map(|id| parse(id, &["input", "userIds"])).collect()
}

payload! {
    /// What came of creating a team.
    CreateTeamPayload {
        /// The new team; null when it was refused.
        team: team::Entity
    }
}

payload! {
    /// What came of changing a team.
    UpdateTeamPayload {
        /// The team as it is now; null when the change was refused.
        team: team::Entity
    }
}

/// Changing teams.
#[derive(Default)]
pub struct TeamMutation;

/// Changing teams.
#[Object]
impl TeamMutation {
    /// Adds a team.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn create_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team.")] input: CreateTeamInput,
    ) -> Result<CreateTeamPayload, Fault> {
        let once = Once::new(None, "createTeam", &input);
        let members = match users(&input.user_ids) {
            Ok(members) => members,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, _, now| {
            let (name, members, viewer) = (input.name.clone(), members.clone(), viewer.clone());
            async move { Ok(team::create(txn, &name, &members, &viewer, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(CreateTeamPayload::from)
    }

    /// Renames a team, or changes who is in it.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn update_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateTeamInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<UpdateTeamPayload, Fault> {
        let once = Once::new(None, "updateTeam", &input).about(&id);
        let members = input.user_ids.as_deref().map(users).transpose();
        let parsed = parse::<TeamId>(&id, &["id"]).and_then(|id| Ok((id, members?)));
        let (id, members) = match parsed {
            Ok(parsed) => parsed,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let viewer = ctx.viewer()?;
        let outcome = write(ctx, once, move |txn, _, now| {
            let (name, members, viewer) = (input.name.clone(), members.clone(), viewer.clone());
            async move {
                let row = team::update(txn, id, name, members, expected_version, &viewer, now);
                Ok(row.await?.id.into())
            }
            .boxed()
        });
        outcome.await.map(UpdateTeamPayload::from)
    }

    /// Dissolves a team. What was shared with it is not any more.
    #[graphql(guard = "Can(Permission::ManageUsers)")]
    async fn delete_team(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The team's id.")] id: ID,
    ) -> Result<DeletedPayload, Fault> {
        let once = Once::new(None, "deleteTeam", &String::new()).about(&id);
        let team = match parse::<TeamId>(&id, &["id"]) {
            Ok(team) => team,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        let outcome = write(ctx, once, move |txn, _, _| {
            async move { team::delete(txn, team).await.map(|()| team.into()) }.boxed()
        });
        Ok(DeletedPayload::new(id, outcome.await?))
    }
}
