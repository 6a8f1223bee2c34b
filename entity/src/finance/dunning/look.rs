//! The last look at what is owed: what a notice asks for is read again in the transaction in which it leaves.
//!
//! Invariant: a notice that leaves lists what is open at that moment and neither disputed nor promised; one of which
//! nothing is left does not leave, and says why.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, LockType};
use sea_orm::{QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

mod known;

use known::Known;

use super::ladder::{self, Ladder, Level, Scope};
use super::notice::Approval;
use super::plan::Reached;
use super::{item, notice};
use crate::access::Actor;
use crate::automation::message::{self, Reason};
use crate::automation::workflow::definition::{Action, Definition};
use crate::automation::workflow::version::versions;
use crate::error::Error;
use crate::finance::charge::{self, Charge};
use crate::finance::invoice;
use crate::id::{CustomerId, DunningNoticeId, InvoiceId, MessageId, WorkflowId, WorkflowVersionId};
use crate::money::{Currency, Money};

/// What a notice asks for at a moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The highest level of it, counted from 1.
    pub level: i32,
    /// The invoices, those that were due first first.
    pub items: Vec<Owed>,
    /// What all of them come to.
    pub total: Money,
    /// Money of the customer that settles nothing yet.
    pub unapplied: Money,
    /// What of it is charged when it leaves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<Charge>,
}

/// An invoice that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owed {
    /// Which.
    pub invoice: InvoiceId,
    /// Its number.
    pub number: String,
    /// Its date.
    pub issued_on: NaiveDate,
    /// When it was or is due.
    pub due_on: NaiveDate,
    /// How many days ago that was; negative before.
    pub days_late: i64,
    /// Its level, counted from 1; 0 for one that has reached none.
    pub level: i32,
    /// What it came to.
    pub total: Money,
    /// What is asked for of it: open and not disputed.
    pub open: Money,
    /// What of it is disputed.
    pub disputed: Money,
    /// What it is, for a charge; none for what was sold.
    pub charge: Option<invoice::Kind>,
}

/// What came of the look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// It asks for this.
    Ask(Asked),
    /// It does not leave.
    Suppress(Reason),
    /// It does not leave before an instant.
    Defer(DateTimeUtc, Reason),
}

/// A notice that is looked at.
struct Notice {
    message: MessageId,
    customer: CustomerId,
    /// Whose ladder it is of.
    workflow: WorkflowId,
    currency: Currency,
    scope: Scope,
    level: i32,
    approval: Option<Approval>,
    /// The invoices that reach a level with it, and which.
    own: Vec<(InvoiceId, i32)>,
}

/// The ladder of each of the steps of versions that have one.
pub type Ladders = HashMap<(WorkflowVersionId, String), Ladder>;

/// The ladders of versions.
#[must_use]
pub fn ladders<'a>(
    versions: impl IntoIterator<Item = (WorkflowVersionId, &'a Definition)>,
) -> Ladders {
    let mut ladders = HashMap::new();
    for (version, definition) in versions {
        for step in &definition.steps {
            if let Action::Do { what, with } = &step.action
                && let Some(ladder) = ladder::read(what, with)
            {
                ladders.insert((version, step.key.clone()), ladder);
            }
        }
    }
    ladders
}

/// Lets nobody settle, dispute or promise what the notices may ask for until the transaction ends.
///
/// # Errors
/// The database.
pub(crate) async fn hold(
    txn: &impl ConnectionTrait,
    messages: &[&message::Model],
) -> Result<(), Error> {
    let customers = messages.iter().filter_map(|message| message.customer_id);
    invoice::Entity::find()
        .select_only()
        .column(invoice::Column::Id)
        .filter(invoice::Column::CustomerId.is_in(customers.collect::<HashSet<_>>()))
        .filter(invoice::Column::State.eq(invoice::State::Open))
        .order_by_asc(invoice::Column::Id)
        .lock(LockType::Share)
        .into_tuple::<InvoiceId>()
        .all(txn)
        .await?;
    Ok(())
}

/// What each of the messages of notices asks for now, by the versions that they are of.
///
/// # Errors
/// The database.
pub async fn look(
    db: &impl ConnectionTrait,
    messages: &[&message::Model],
    now: DateTimeUtc,
) -> Result<HashMap<MessageId, Look>, Error> {
    let known = versions(db, messages.iter().filter_map(|message| message.version_id)).await?;
    let ladders = ladders(known.iter().map(|(id, version)| (*id, &version.definition)));
    look_by(db, messages, &ladders, now).await
}

/// The same by these ladders.
///
/// # Errors
/// The database.
pub async fn look_by(
    db: &impl ConnectionTrait,
    messages: &[&message::Model],
    ladders: &Ladders,
    now: DateTimeUtc,
) -> Result<HashMap<MessageId, Look>, Error> {
    let notices = notices(db, messages).await?;
    let by_id: HashMap<_, _> = messages.iter().map(|message| (message.id, *message)).collect();
    let charge = ladders.values().flat_map(|ladder| &ladder.levels).any(Level::charges);
    let known = Known::load(db, &notices, charge, now).await?;
    let looked = notices.iter().filter_map(|notice| {
        let message = by_id.get(&notice.message)?;
        let ladder = ladders.get(&(message.version_id?, message.step.clone()?))?;
        Some((notice.message, known.look(notice, ladder, now)?))
    });
    Ok(looked.collect())
}

/// The notices that messages are of. One that is foreseen holds what there would be.
async fn notices(
    db: &impl ConnectionTrait,
    messages: &[&message::Model],
) -> Result<Vec<Notice>, Error> {
    let foreseen = messages.iter().filter_map(|message| {
        let reached = Reached::deserialize(message.facts.as_ref()?).ok()?;
        Some(Notice {
            message: message.id,
            customer: reached.customer,
            workflow: reached.workflow,
            currency: reached.currency,
            scope: reached.scope,
            level: reached.level,
            // A forecast foresees that what waits to be approved is.
            approval: None,
            own: vec![(reached.invoice, reached.level)],
        })
    });
    let foreseen = foreseen.collect::<Vec<_>>();
    if foreseen.len() == messages.len() {
        return Ok(foreseen);
    }
    let ids = messages.iter().map(|message| DunningNoticeId(message.subject_id));
    let ids = ids.collect::<Vec<_>>();
    let rows = notice::Entity::find().filter(notice::Column::Id.is_in(ids.iter().copied()));
    let items: Vec<(DunningNoticeId, InvoiceId, i32)> = item::Entity::find()
        .select_only()
        .columns([item::Column::NoticeId, item::Column::InvoiceId, item::Column::Level])
        .filter(item::Column::NoticeId.is_in(ids))
        .into_tuple()
        .all(db)
        .await?;
    let mut own = HashMap::<_, Vec<_>>::new();
    for (notice, invoice, level) in items {
        own.entry(notice).or_default().push((invoice, level));
    }
    let rows: HashMap<_, _> = rows.all(db).await?.into_iter().map(|row| (row.id, row)).collect();
    let stored = messages.iter().filter_map(|message| {
        let row = rows.get(&DunningNoticeId(message.subject_id))?;
        Some(Notice {
            message: message.id,
            customer: row.customer_id,
            workflow: row.workflow_id,
            currency: row.currency,
            scope: row.scope,
            level: row.level,
            approval: row.approval,
            own: own.get(&row.id).cloned().unwrap_or_default(),
        })
    });
    Ok(foreseen.into_iter().chain(stored).collect())
}

/// Writes down what notices ask for that leave now, and charges what they say is charged.
///
/// # Errors
/// The database.
pub(crate) async fn sent(
    txn: &impl ConnectionTrait,
    asked: &[(DunningNoticeId, Asked)],
    now: DateTimeUtc,
) -> Result<(), Error> {
    use notice::Column;
    if asked.is_empty() {
        return Ok(());
    }
    let by = |value: fn(&Asked) -> sea_orm::Value| -> Expr {
        let mut case = CaseStatement::new();
        for (id, asked) in asked {
            case = case.case(Column::Id.eq(*id), Expr::val(value(asked)));
        }
        case.into()
    };
    let charges = |asked: &Asked| {
        let charges = asked.items.iter().filter(|item| item.charge.is_some());
        charges.map(|item| item.open.minor).sum::<i64>().into()
    };
    notice::Entity::update_many()
        .col_expr(Column::Total, by(|asked| asked.total.minor.into()))
        .col_expr(Column::Charged, by(charges))
        .col_expr(
            Column::Invoices,
            by(|asked| i32::try_from(asked.items.len()).unwrap_or(i32::MAX).into()),
        )
        .col_expr(Column::FirstDueOn, by(|asked| first_due(asked).into()))
        .filter(Column::Id.is_in(asked.iter().map(|(id, _)| *id)))
        .exec(txn)
        .await?;
    let charges = asked.iter().flat_map(|(_, asked)| asked.charges.iter().cloned()).collect();
    charge::post(txn, charges, Actor::System, now).await
}

/// When the first of the invoices was or is due.
fn first_due(asked: &Asked) -> Option<NaiveDate> {
    asked.items.iter().map(|item| item.due_on).min()
}
