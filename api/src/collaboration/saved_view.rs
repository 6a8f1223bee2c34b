//! Saving views of lists. What is read of them is in the catalogue.

use async_graphql::{Context, ID, InputObject, Json, MaybeUndefined, Object, SimpleObject};
use entity::collaboration::saved_view::{self, Change};
use entity::id::SavedViewId;
use futures::FutureExt;
use serde_json::Value;

use crate::context::{LoggedIn, Once, write};
use crate::error::{Fault, UserError};
use crate::id::parse;
use crate::payload::payload;

/// A view to be saved.
#[derive(Clone, Debug, InputObject)]
pub struct CreateSavedViewInput {
    /// What it is called, up to 100 characters.
    pub name: String,
    /// The list that it is of, by its name as a query, such as `customers`.
    pub list: String,
    /// The list's filter, in the form in which the list takes it.
    pub filter: Option<Json<Value>>,
    /// The list's order, in the form in which the list takes it.
    pub order_by: Option<Json<Value>>,
    /// The names of the fields that it shows, in their order; custom fields as `customFields.key`.
    pub columns: Option<Vec<String>>,
    /// Whether others see it too.
    #[graphql(default)]
    pub shared: bool,
}

/// A change of a saved view. What is absent stays; a filter or an order that is null is cleared.
#[derive(Clone, Debug, InputObject)]
pub struct UpdateSavedViewInput {
    /// What it is called, up to 100 characters.
    pub name: Option<String>,
    /// The list's filter, in the form in which the list takes it.
    pub filter: MaybeUndefined<Json<Value>>,
    /// The list's order, in the form in which the list takes it.
    pub order_by: MaybeUndefined<Json<Value>>,
    /// The names of the fields that it shows, in their order; custom fields as `customFields.key`.
    pub columns: Option<Vec<String>>,
    /// Whether others see it too.
    pub shared: Option<bool>,
}

fn json(given: MaybeUndefined<Json<Value>>) -> Option<Value> {
    match given {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(Value::Null),
        MaybeUndefined::Value(value) => Some(value.0),
    }
}

payload! {
    /// What came of saving or changing a view.
    SavedViewPayload {
        /// The view as it is now; null when it was refused.
        saved_view: saved_view::Entity
    }
}

/// What came of deleting a saved view.
#[derive(SimpleObject)]
pub struct DeleteSavedViewPayload {
    /// The id of the view that is gone; null when it was refused.
    pub id: Option<ID>,
    /// Why nothing was changed; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Saving views.
#[derive(Default)]
pub struct SavedViewMutation;

/// Saving views.
#[Object]
impl SavedViewMutation {
    /// Saves a list's filter, order and columns under a name. What the list does not take is refused.
    #[graphql(guard = "LoggedIn")]
    async fn create_saved_view(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The view.")] input: CreateSavedViewInput,
    ) -> Result<SavedViewPayload, Fault> {
        let once = Once::new(None, "createSavedView", &input);
        let CreateSavedViewInput { name, list, filter, order_by, columns, shared } = input;
        let change = Change {
            name: Some(name),
            filter: filter.map(|filter| filter.0),
            order_by: order_by.map(|order| order.0),
            columns,
            shared: Some(shared),
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let (list, change) = (list.clone(), change.clone());
            async move {
                let row = saved_view::create(txn, &list, change, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Changes a saved view of your own.
    #[graphql(guard = "LoggedIn")]
    async fn update_saved_view(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The view's id.")] id: ID,
        #[graphql(desc = "What changes.")] input: UpdateSavedViewInput,
        #[graphql(
            desc = "The version that the change was made on; another one is refused with STALE_VERSION. Not checked when absent."
        )]
        expected_version: Option<i32>,
    ) -> Result<SavedViewPayload, Fault> {
        let once = Once::new(None, "updateSavedView", &input).about(&id);
        let id = match parse::<SavedViewId>(&id, &["id"]) {
            Ok(id) => id,
            Err(errors) => return Ok(Err(errors).into()),
        };
        let change = Change {
            name: input.name,
            filter: json(input.filter),
            order_by: json(input.order_by),
            columns: input.columns,
            shared: input.shared,
        };
        let outcome = write(ctx, once, move |txn, actor, now| {
            let change = change.clone();
            async move {
                let row = saved_view::update(txn, id, change, expected_version, actor, now).await?;
                Ok(row.id.into())
            }
            .boxed()
        });
        outcome.await.map(Into::into)
    }

    /// Deletes a saved view of your own for good.
    #[graphql(guard = "LoggedIn")]
    async fn delete_saved_view(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The view's id.")] id: ID,
    ) -> Result<DeleteSavedViewPayload, Fault> {
        let once = Once::new(None, "deleteSavedView", &id);
        let outcome = match parse::<SavedViewId>(&id, &["id"]) {
            Ok(view) => {
                let deleted = write(ctx, once, move |txn, actor, _| {
                    async move {
                        saved_view::delete(txn, view, actor).await?;
                        Ok(view.into())
                    }
                    .boxed()
                });
                deleted.await?
            }
            Err(errors) => Err(errors),
        };
        Ok(match outcome {
            Ok(_) => DeleteSavedViewPayload { id: Some(id), user_errors: Vec::new() },
            Err(user_errors) => DeleteSavedViewPayload { id: None, user_errors },
        })
    }
}
