//! Messages before the gate, in the transaction that puts them on the wire.

use std::collections::HashMap;

use sea_orm::ActiveEnum;
use sea_orm::entity::prelude::*;

use serde_json::json;

use super::debt::{self, Debt};
use super::work::{by_id, held};
use super::{Column, Entity, Model, Ready, Reason, State};
use crate::automation::gate::{Decision, Recipient, Recipients, Sending, Verdict, hold};
use crate::automation::lease::Leased;
use crate::error::Error;
use crate::finance::dunning;
use crate::id::MessageId;

/// What the gate has looked at, and by which policy.
pub(super) type Trace = (i32, Json);

/// A message that the gate does not let go now.
struct Held {
    leased: Leased<MessageId>,
    /// Until when it is put off; none when it does not go at all.
    until: Option<DateTimeUtc>,
    reason: Reason,
    trace: Trace,
}

/// Which of the messages the gate lets go now, with what it looked at; puts off or settles the others, in one
/// statement. What is for no customer passes.
pub(super) async fn passed(
    txn: &impl ConnectionTrait,
    messages: &[Model],
    ready: &[Ready],
    now: DateTimeUtc,
) -> Result<HashMap<MessageId, Option<Trace>>, Error> {
    let by_id: HashMap<_, _> = messages.iter().map(|message| (message.id, message)).collect();
    let pairs = ready.iter().filter_map(|row| Some((row, *by_id.get(&row.leased.id)?)));
    let to = |(row, message): (&Ready, &Model)| {
        let address = Some(row.recipient.clone());
        let recipient =
            Recipient { customer: message.customer_id?, channel: message.channel, address };
        Some((row.leased, recipient, message.clone()))
    };
    let concerned: Vec<_> = pairs.filter_map(to).collect();
    let mut passed: HashMap<_, _> = ready.iter().map(|row| (row.leased.id, None)).collect();
    if concerned.is_empty() {
        return Ok(passed);
    }
    let recipients: Vec<_> = concerned.iter().map(|(_, to, _)| to.clone()).collect();
    let answers = concerned.iter().all(|(_, _, message)| message.class.is_answer());
    let mut recipients = if answers {
        Recipients::addresses(txn, &recipients).await?
    } else {
        hold(txn, recipients.iter().map(|to| to.customer)).await?;
        Recipients::load(txn, &recipients, now).await?
    };
    let mut debts =
        debt::look(txn, ready, concerned.iter().map(|(.., message)| message), now).await?;
    let (mut all_held, mut asked, mut stale) = (Vec::new(), Vec::new(), Vec::new());
    for (leased, to, message) in concerned {
        let debt = debts.remove(&message.id);
        match &debt {
            Some(Debt::Stale) => {
                passed.remove(&leased.id);
                stale.push(leased);
                continue;
            }
            Some(Debt::Held { until, reason, looked }) => {
                passed.remove(&leased.id);
                let trace = (recipients.policy.number, json!([looked]));
                all_held.push(Held { leased, until: *until, reason: *reason, trace });
                continue;
            }
            Some(Debt::Owed { .. }) | None => {}
        }
        let sending = message.sending();
        let Some(Decision { verdict, mut trace }) = recipients.decide(&to, sending, now) else {
            continue;
        };
        if let Some(Debt::Owed { looked, .. }) = &debt {
            trace.insert(0, looked.clone());
        }
        let trace = serde_json::to_value(trace).map_err(|cause| DbErr::Json(cause.to_string()))?;
        let trace = (recipients.policy.number, trace);
        let (until, reason) = match verdict {
            Verdict::Send => {
                passed.insert(leased.id, Some(trace));
                if let Some(Debt::Owed { notice, asked: now, .. }) = debt {
                    asked.push((notice, now));
                }
                continue;
            }
            Verdict::Defer { until, reason } => (Some(until), reason),
            Verdict::Suppress { reason } => (None, reason),
        };
        passed.remove(&leased.id);
        all_held.push(Held { leased, until, reason, trace });
    }
    hold_back(txn, &all_held, now).await?;
    write_again(txn, &stale, now).await?;
    dunning::sent(txn, &asked, now).await?;
    Ok(passed)
}

impl Model {
    /// What the gate has to know of it.
    #[must_use]
    pub fn sending(&self) -> Sending<'_> {
        Sending { class: self.class, channel: self.channel, topic: self.topic.as_deref() }
    }
}

/// Lets messages be written again, since what they are about has changed.
async fn write_again(
    txn: &impl ConnectionTrait,
    leased: &[Leased<MessageId>],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if leased.is_empty() {
        return Ok(());
    }
    Entity::update_many()
        .col_expr(Column::State, Expr::val(State::Planned.to_value()))
        .col_expr(Column::DueAt, Expr::val(now))
        .col_expr(Column::Facts, Expr::val(None::<Json>))
        .col_expr(Column::Body, Expr::val(None::<Vec<u8>>))
        .col_expr(Column::BodySha256, Expr::val(None::<String>))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::EnqueuedAt, Expr::val(None::<DateTimeUtc>))
        .filter(held(leased, &[State::Claimed]))
        .exec(txn)
        .await?;
    Ok(())
}

/// Puts messages off, or settles them.
async fn hold_back(
    txn: &impl ConnectionTrait,
    rows: &[Held],
    now: DateTimeUtc,
) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let leased: Vec<_> = rows.iter().map(|row| row.leased).collect();
    let id = |row: &Held| row.leased.id;
    let state = |row: &Held| if row.until.is_some() { State::Deferred } else { State::Suppressed };
    let settled = |row: &Held| row.until.is_none().then_some(now);
    Entity::update_many()
        .col_expr(Column::State, by_id(rows, id, |row| Expr::val(state(row).to_value())))
        .col_expr(Column::Reason, by_id(rows, id, |row| Expr::val(row.reason.to_value())))
        .col_expr(Column::Detail, Expr::val(None::<String>))
        .col_expr(Column::DueAt, by_id(rows, id, |row| Expr::val(row.until.unwrap_or(now))))
        .col_expr(Column::SettledAt, by_id(rows, id, |row| Expr::val(settled(row))))
        .col_expr(Column::Policy, by_id(rows, id, |row| Expr::val(row.trace.0)))
        .col_expr(Column::Trace, by_id(rows, id, |row| Expr::val(row.trace.1.clone())))
        .col_expr(Column::LeaseUntil, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::EnqueuedAt, Expr::val(None::<DateTimeUtc>))
        .filter(held(&leased, &[State::Claimed]))
        .exec(txn)
        .await?;
    Ok(())
}
