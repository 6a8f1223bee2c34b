//! Gathering what notices say, for a batch of messages at once: what people wrote in the level of the ladder, and what is
//! owed at the moment.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use entity::access::organisation;
use entity::automation::message::{self, Content};
use entity::automation::workflow::Definition;
use entity::automation::workflow::version::versions;
use entity::customers::customer::Channel;
use entity::customers::reach::reach;
use entity::finance::dunning::{self, Asked, Ladders, Look};
use entity::id::WorkflowVersionId;
use entity::money::Money;
use sea_orm::{ActiveEnum, ConnectionTrait};

use super::enclosed::enclose;
use crate::automation::written::{Letter, Written, facts};
use crate::document::{Party, Said};

/// The letters of `messages`, in their order. `None` where what they are about is gone.
///
/// # Errors
/// The database.
pub async fn letters(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
    now: DateTime<Utc>,
) -> Result<Vec<Option<Letter>>, entity::Error> {
    if messages.is_empty() {
        return Ok(Vec::new());
    }
    let known = versions(db, messages.iter().filter_map(|message| message.version_id)).await?;
    let ladders = dunning::ladders(known.iter().map(|(id, version)| (*id, &version.definition)));
    by(db, messages, &ladders, now).await
}

/// The letters of messages that are foreseen for what a version does, in their order.
///
/// # Errors
/// The database.
pub async fn foreseen(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
    version: Option<(WorkflowVersionId, &Definition)>,
) -> Result<Vec<Option<Letter>>, entity::Error> {
    let ladders = dunning::ladders(version);
    let mut letters = Vec::with_capacity(messages.len());
    // Each as it would be at its own time; those of one time stand together.
    for alike in messages.chunk_by(|one, next| one.created_at == next.created_at) {
        let now = alike.first().map(|message| message.created_at).unwrap_or_default();
        letters.extend(by(db, alike, &ladders, now).await?);
    }
    Ok(letters)
}

async fn by(
    db: &impl ConnectionTrait,
    messages: &[message::Model],
    ladders: &Ladders,
    now: DateTime<Utc>,
) -> Result<Vec<Option<Letter>>, entity::Error> {
    let ours = Party::from(organisation::get(db).await?);
    let all = messages.iter().collect::<Vec<_>>();
    let mut looks = dunning::look_by(db, &all, ladders, now).await?;
    // As a file, a notice is a letter by post whichever way it goes.
    let wanted = messages.iter().filter_map(|one| Some((one.customer_id?, Channel::Letter)));
    let reached = reach(db, wanted).await?;
    let mut letters = HashMap::with_capacity(messages.len());
    let mut enclosures = HashMap::new();
    for message in messages {
        let (Some(version), Some(step)) = (message.version_id, message.step.clone()) else {
            continue;
        };
        let Some(ladder) = ladders.get(&(version, step)) else { continue };
        let Some(reach) = message.customer_id.and_then(|id| reached.get(&id)) else { continue };
        let look = looks.remove(&message.id);
        let asked = match look {
            Some(Look::Ask(asked)) => Some(asked),
            _ => None,
        };
        // Of what is not asked for any more nothing is written; the gate says why.
        let level = asked.as_ref().map_or(1, |asked| asked.level);
        let Some(wording) = ladder.wording(level, message.channel) else { continue };
        let Some(content) = Content::among(&wording.contents, &reach.customer.language) else {
            continue;
        };
        let record = asked.as_ref().map(|asked| said(asked, message.channel, message.created_at));
        let written = Written {
            content,
            plain: wording.plain,
            about_money: true,
            record: record.unwrap_or_default(),
        };
        let mut letter = facts(message, reach, written, &ours);
        letter.facts.customer.address_lines = reach.letter_lines();
        if let (Some(level), Some(customer)) = (ladder.level(level), message.customer_id)
            && asked.is_some()
            && !level.enclose.is_empty()
        {
            enclosures.insert(message.id, (customer, level.enclose.clone()));
        }
        letter.facts.asked = asked;
        letters.insert(message.id, letter);
    }
    enclose(db, &enclosures, &mut letters, now).await?;
    Ok(messages.iter().map(|message| letters.remove(&message.id)).collect())
}

/// What wordings of notices can name as fields of the record.
pub(crate) fn said(
    asked: &Asked,
    channel: Channel,
    planned_at: DateTime<Utc>,
) -> BTreeMap<String, Said> {
    let charges = asked.items.iter().filter(|item| item.charge.is_some());
    let of_them = Money::new(charges.map(|item| item.open.minor).sum(), asked.total.currency);
    let first_due = asked.items.iter().map(|item| item.due_on).min();
    let fields = [
        Some(("level", Said::Number(asked.level.into()))),
        Some(("total", Said::Money(asked.total))),
        Some(("charged", Said::Money(of_them))),
        Some(("currency", Said::Text(asked.total.currency.code().to_owned()))),
        Some(("channel", Said::Text(channel.to_value()))),
        Some(("invoices", Said::Number(asked.items.len().into()))),
        Some(("createdAt", Said::Instant(planned_at))),
        first_due.map(|day| ("firstDueOn", Said::Day(day))),
    ];
    fields.into_iter().flatten().map(|(name, said)| (name.to_owned(), said)).collect()
}
