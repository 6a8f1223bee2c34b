//! Why something reached a customer, or did not, or would not now.

use sea_orm::entity::prelude::*;
use serde::Deserialize;

use super::{Code, Decision, Facts, Looked, Recipient, Recipients, Sending, Verdict, gate};
use crate::automation::message::{self, Reason, State};
use crate::customers::customer;
use crate::customers::reach::{is_sent_to, reach};
use crate::error::Error;
use crate::finance::dunning::{self, Look};
use crate::id::{CustomerId, MessageId};

/// Why something reached a customer, or did not.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The message that it is about, if it is about one.
    pub message: Option<message::Model>,
    /// Whether it was found out now, since nothing has left yet; otherwise it is what was written down then.
    pub foreseen: bool,
    /// Whether it may go; what was settled has gone, or was not let go.
    pub verdict: Verdict,
    /// The number of the policy that it was looked at by; 0 before there was any.
    pub policy: Option<i32>,
    /// Everything that was looked at.
    pub trace: Vec<Looked>,
}

/// Why a message reached its customer, or did not, or whether it would now.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn message(
    db: &impl ConnectionTrait,
    id: MessageId,
    now: DateTimeUtc,
) -> Result<Explanation, Error> {
    let row = message::Entity::find_by_id(id).one(db).await?;
    let row = row.ok_or_else(Error::no_such::<message::Entity>)?;
    let waits = matches!(row.state, State::Planned | State::Claimed | State::Deferred);
    if let (true, Some(customer)) = (waits, row.customer_id) {
        let about_money = row.kind == message::Kind::Statement || about_money(row.class);
        let decision = decide(db, customer, row.sending(), about_money, now).await?;
        let Foreseen { mut decision, policy } = decision;
        if row.kind == message::Kind::Dunning {
            owing(db, &row, &mut decision, now).await?;
        }
        return Ok(Explanation {
            message: Some(row),
            foreseen: true,
            verdict: decision.verdict,
            policy: Some(policy),
            trace: decision.trace,
        });
    }
    let trace = row.trace.as_ref().and_then(|trace| Vec::deserialize(trace).ok());
    let held = matches!(row.state, State::Suppressed | State::Expired | State::Cancelled);
    let verdict = match row.reason {
        Some(reason) if held => Verdict::Suppress { reason },
        _ => Verdict::Send,
    };
    Ok(Explanation {
        foreseen: false,
        verdict,
        policy: row.policy,
        trace: trace.unwrap_or_default(),
        message: Some(row),
    })
}

/// Adds to the decision about a notice whether what it asks for is still owed.
async fn owing(
    db: &impl ConnectionTrait,
    row: &message::Model,
    decision: &mut Decision,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let look = dunning::look(db, &[row], now).await?.remove(&row.id);
    let look = look.unwrap_or(Look::Suppress(Reason::Voided));
    decision.trace.insert(0, Looked::debt(&look));
    match look {
        Look::Ask(_) => {}
        Look::Defer(until, reason) => decision.verdict = Verdict::Defer { until, reason },
        Look::Suppress(reason) => decision.verdict = Verdict::Suppress { reason },
    }
    Ok(())
}

/// Whether something would reach a customer now.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn customer(
    db: &impl ConnectionTrait,
    id: CustomerId,
    sending: Sending<'_>,
    now: DateTimeUtc,
) -> Result<Explanation, Error> {
    let decision = decide(db, id, sending, about_money(sending.class), now).await?;
    let Foreseen { decision, policy } = decision;
    Ok(Explanation {
        message: None,
        foreseen: true,
        verdict: decision.verdict,
        policy: Some(policy),
        trace: decision.trace,
    })
}

/// Whether what is of a class goes to who gets the bills.
fn about_money(class: message::Class) -> bool {
    matches!(class, message::Class::Receipt | message::Class::Collection)
}

struct Foreseen {
    decision: Decision,
    policy: i32,
}

async fn decide(
    db: &impl ConnectionTrait,
    id: CustomerId,
    sending: Sending<'_>,
    about_money: bool,
    now: DateTimeUtc,
) -> Result<Foreseen, Error> {
    let reached = reach(db, [(id, sending.channel)]).await?;
    let reached = reached.get(&id).ok_or_else(Error::no_such::<customer::Entity>)?;
    let address = reached.addressee(sending.channel, about_money).address;
    let missing = address.as_ref().err().copied();
    let to = Recipient { customer: id, channel: sending.channel, address: address.ok() };
    let mut recipients = Recipients::load(db, std::slice::from_ref(&to), now).await?;
    let policy = recipients.policy.number;
    let decision = recipients.decide(&to, sending, now);
    let mut decision =
        decision.unwrap_or_else(|| gate(sending, &Facts::default(), &recipients.policy, now));
    if let Some(reason) = missing.filter(|_| is_sent_to(to.channel)) {
        decision.verdict = Verdict::Suppress { reason };
        decision.trace.insert(0, Looked::missing(Code(reason)));
    }
    Ok(Foreseen { decision, policy })
}
