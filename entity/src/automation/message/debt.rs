//! Whether what notices ask for is still owed, in the transaction in which they leave.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use serde_json::json;

use super::{Kind, Model, Ready, Reason};
use crate::automation::gate::Looked;
use crate::error::Error;
use crate::finance::dunning::{self, Asked, Look};
use crate::id::{DunningNoticeId, MessageId};

/// What became of what a notice asks for since it was written.
pub(super) enum Debt {
    /// It is still owed.
    Owed { notice: DunningNoticeId, asked: Asked, looked: Looked },
    /// It is not the same any more: it has to be written again.
    Stale,
    /// Nothing of it may be asked for, or not before an instant.
    Held { until: Option<DateTimeUtc>, reason: Reason, looked: Looked },
}

/// What became of what the notices among the messages ask for; nobody settles it until the transaction ends.
pub(super) async fn look<'a>(
    txn: &impl ConnectionTrait,
    ready: &[Ready],
    messages: impl Iterator<Item = &'a Model>,
    now: DateTimeUtc,
) -> Result<HashMap<MessageId, Debt>, Error> {
    let notices = messages.filter(|message| message.kind == Kind::Dunning).collect::<Vec<_>>();
    if notices.is_empty() {
        return Ok(HashMap::new());
    }
    dunning::hold(txn, &notices).await?;
    let mut looks = dunning::look(txn, &notices, now).await?;
    let written: HashMap<_, _> = ready.iter().map(|row| (row.leased.id, &row.facts)).collect();
    let debt = |message: &&Model| {
        let look = looks.remove(&message.id).unwrap_or(Look::Suppress(Reason::Voided));
        let looked = Looked::debt(&look);
        let debt = match look {
            Look::Ask(asked) => {
                let was = written.get(&message.id).map(|facts| &facts["asked"]);
                match was == Some(&json!(asked)) {
                    true => {
                        Debt::Owed { notice: DunningNoticeId(message.subject_id), asked, looked }
                    }
                    false => Debt::Stale,
                }
            }
            Look::Defer(until, reason) => Debt::Held { until: Some(until), reason, looked },
            Look::Suppress(reason) => Debt::Held { until: None, reason, looked },
        };
        (message.id, debt)
    };
    Ok(notices.iter().map(debt).collect())
}
