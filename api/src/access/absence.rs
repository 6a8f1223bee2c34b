//! Being away, and who stands in.

use async_graphql::{Context, ID, InputObject, Object};
use chrono::{DateTime, Utc};
use entity::access::{Permission, Viewer, absence};
use entity::id::{AbsenceId, UserId};
use futures::FutureExt;

use crate::context::{Ask, LoggedIn, Once, write};
use crate::error::{Fault, UserError};
use crate::http::errors::Code;
use crate::id::parse;
use crate::payload::{DeletedPayload, payload};

/// An absence to be.
#[derive(Clone, Debug, InputObject)]
pub struct CreateAbsenceInput {
    /// Who is away; you when absent. Another user's takes the permission to manage users.
    pub user_id: Option<ID>,
    /// Who stands in: they reach the absent user's records meanwhile, within what their own role lets them do.
    pub deputy_id: ID,
    /// From when.
    pub starts_at: DateTime<Utc>,
    /// Until when.
    pub ends_at: DateTime<Utc>,
}

impl CreateAbsenceInput {
    fn parse(&self, viewer: &Viewer) -> Result<(UserId, UserId), Vec<UserError>> {
        let user = match &self.user_id {
            Some(id) => parse(id, &["input", "userId"])?,
            None => viewer.user,
        };
        Ok((user, parse(&self.deputy_id, &["input", "deputyId"])?))
    }
}

/// Another user's absences are for those alone who manage users.
fn admit(viewer: &Viewer, user: UserId) -> Result<(), Fault> {
    if user == viewer.user || viewer.may(Permission::ManageUsers) {
        return Ok(());
    }
    let message = "you may plan your own absences only; an administrator can plan others'";
    Err(Fault::coded(Code::Forbidden, message))
}

payload! {
    /// What came of planning an absence.
    CreateAbsencePayload {
        /// The absence; null when it was refused.
        absence: absence::Entity
    }
}

/// Planning absences.
#[derive(Default)]
pub struct AbsenceMutation;

/// Planning absences.
#[Object]
impl AbsenceMutation {
    /// Plans a time in which a user is away and another one stands in.
    #[graphql(guard = "LoggedIn")]
    async fn create_absence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Who is away, when, and who stands in.")] input: CreateAbsenceInput,
    ) -> Result<CreateAbsencePayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "createAbsence", &input);
        let users = match input.parse(&viewer) {
            Ok(users) => users,
            Err(errors) => return Ok(Err(errors).into()),
        };
        admit(&viewer, users.0)?;
        let time = (input.starts_at, input.ends_at);
        let outcome = write(ctx, once, move |txn, _, now| {
            let viewer = viewer.clone();
            async move { Ok(absence::create(txn, users, time, &viewer, now).await?.id.into()) }
                .boxed()
        });
        outcome.await.map(CreateAbsencePayload::from)
    }

    /// Takes an absence back, or ends it.
    #[graphql(guard = "LoggedIn")]
    async fn delete_absence(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The absence's id.")] id: ID,
    ) -> Result<DeletedPayload, Fault> {
        let viewer = ctx.viewer()?;
        let once = Once::new(None, "deleteAbsence", &String::new()).about(&id);
        let absence = match parse::<AbsenceId>(&id, &["id"]) {
            Ok(absence) => absence,
            Err(errors) => return Ok(DeletedPayload::refused(errors)),
        };
        if let Some(planned) = absence::find(ctx.reader(), absence).await? {
            admit(&viewer, planned.user_id)?;
        }
        let outcome = write(ctx, once, move |txn, _, _| {
            async move { absence::delete(txn, absence).await.map(|()| absence.into()) }.boxed()
        });
        Ok(DeletedPayload::new(id, outcome.await?))
    }
}
