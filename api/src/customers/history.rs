//! Erasing what the audit log says of what was removed.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::access::Permission;
use entity::catalog::named;
use entity::customers::history;
use futures::FutureExt;

use crate::context::{CanAll, Once, write};
use crate::error::{Fault, UserError};

/// What came of erasing a history.
#[derive(SimpleObject)]
pub struct EraseHistoryPayload {
    /// The id whose history is erased; null when that was refused.
    pub erased_id: Option<ID>,
    /// Why nothing was erased; empty on success.
    pub user_errors: Vec<UserError>,
}

/// Erasing histories.
#[derive(Default)]
pub struct HistoryMutation;

/// Erasing histories.
#[Object]
impl HistoryMutation {
    /// Erases for good what the audit log says was changed of a contact, an address or something else about a
    /// customer that was removed by itself. That it was changed, when and by whom stays, and who erased it. What
    /// still exists keeps its history, and what goes with a purged customer is erased with it. Only
    /// administrators can.
    #[graphql(guard = "CanAll(Permission::PurgeCustomers)")]
    async fn erase_history(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The id of what was removed.")] id: ID,
    ) -> Result<EraseHistoryPayload, Fault> {
        let once = Once::new(None, "eraseHistory", &id);
        let outcome = match named(&id) {
            Some(gone) => {
                write(ctx, once, move |txn, actor, now| {
                    async move {
                        history::erase(txn, gone, actor, now).await?;
                        Ok(gone.1)
                    }
                    .boxed()
                })
                .await?
            }
            None => Err(vec![UserError::not_found(&["id"])]),
        };
        Ok(match outcome {
            Ok(_) => EraseHistoryPayload { erased_id: Some(id), user_errors: Vec::new() },
            Err(user_errors) => EraseHistoryPayload { erased_id: None, user_errors },
        })
    }
}
