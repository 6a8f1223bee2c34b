//! From levels that invoices reach to notices: what a customer is asked for at the same time goes together.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait};
use sea_orm::{ActiveEnum, IntoActiveModel, JoinType, QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::ladder::Scope;
use super::notice::Approval;
use super::{GATHERED, LIFETIME, item, notice};
use crate::access::{Actor, Cause};
use crate::automation::event;
use crate::automation::gate;
use crate::automation::message::{self, NoticeMessage};
use crate::customers::customer::Channel;
use crate::error::Error;
use crate::finance::invoice;
use crate::id::{
    CustomerId, DunningItemId, DunningNoticeId, Id, InvoiceId, UserId, WorkflowId, WorkflowRunId,
    WorkflowVersionId,
};
use crate::money::Currency;

/// How many rows are written by one statement.
const ROWS: usize = 1_000;

/// A level that an invoice reaches, with what is sent then on a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The run.
    pub run: WorkflowRunId,
    /// Its workflow.
    pub workflow: WorkflowId,
    /// The version that says what is in the notice.
    pub version: WorkflowVersionId,
    /// In which step.
    pub step: String,
    /// How many runs came before.
    pub depth: i32,
    /// What is asked for together.
    pub scope: Scope,
    /// Whom it asks.
    pub customer: CustomerId,
    /// For which invoice.
    pub invoice: InvoiceId,
    /// In what.
    pub currency: Currency,
    /// The way it goes.
    pub channel: Channel,
    /// The level, counted from 1.
    pub level: i32,
    /// Whether somebody has to approve it before it leaves.
    #[serde(default)]
    pub approval: bool,
    /// How many days after the invoice was due.
    pub days_late: i32,
    /// What may be asked for of it, in minor units.
    pub open: i64,
}

/// What goes together: what a workflow asks a customer for in a currency, on a channel.
pub type Bundle = (WorkflowId, CustomerId, Currency, Channel);

impl Reached {
    /// What it goes together with; by itself when there is none.
    #[must_use]
    pub fn bundle(&self) -> Option<Bundle> {
        let bundle = (self.workflow, self.customer, self.currency, self.channel);
        (self.scope == Scope::Customer && self.channel != Channel::Phone).then_some(bundle)
    }

    /// The message that it would be, which holds it, since there is no notice.
    pub(crate) fn message(&self, now: DateTimeUtc) -> Option<message::Model> {
        let notice = DunningNoticeId::new(now);
        let message =
            NoticeMessage { facts: serde_json::to_value(self).ok(), ..self.goes(notice, now) };
        message.message(now)
    }

    fn goes(&self, notice: DunningNoticeId, now: DateTimeUtc) -> NoticeMessage {
        NoticeMessage {
            notice,
            run: self.run,
            version: self.version,
            step: self.step.clone(),
            customer: self.customer,
            channel: self.channel,
            due_at: now + GATHERED,
            expires_at: now + GATHERED + LIFETIME,
            facts: None,
        }
    }

    fn actor(&self) -> Actor {
        Actor::Run(Cause { workflow: self.workflow, depth: self.depth })
    }
}

/// Plans notices for levels that are reached: those of a customer join what waits to be sent to it already. Levels that
/// invoices have reached before are left out.
///
/// # Errors
/// The database.
pub(crate) async fn carry_out(
    txn: &impl ConnectionTrait,
    reached: Vec<Reached>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if reached.is_empty() {
        return Ok(());
    }
    let customers = reached.iter().map(|one| one.customer).collect::<HashSet<_>>();
    // Who is just sending to one of them has either sent, or sees what joins.
    gate::hold(txn, customers).await?;
    let reached = new(txn, reached).await?;
    if reached.is_empty() {
        return Ok(());
    }
    let mut waiting = waiting(txn, &reached).await?;
    let mut raised = BTreeMap::<DunningNoticeId, (i32, bool)>::new();
    let (mut notices, mut items, mut messages) = (Vec::new(), Vec::new(), Vec::new());
    let mut events = Vec::new();
    for one in &reached {
        let known = one.bundle().and_then(|bundle| waiting.get(&bundle).copied());
        let id = known.unwrap_or_else(|| DunningNoticeId::new(now));
        if known.is_none() {
            notices.push(one.notice(id, now));
            // A call is its own message.
            if one.channel != Channel::Phone {
                messages.push(one.goes(id, now));
            }
            let (kind, actor) = (event::Kind::DunningNoticePlanned, one.actor());
            events.push(event::new(kind, id.0, Some(one.customer), actor, now));
            if let Some(bundle) = one.bundle() {
                waiting.insert(bundle, id);
            }
        }
        let (level, approval) = raised.entry(id).or_default();
        *level = Ord::max(one.level, *level);
        *approval |= one.approval && one.channel != Channel::Phone;
        items.push(one.item(id, now));
    }
    for rows in notices.chunks(ROWS) {
        let rows = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        notice::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    for rows in items.chunks(ROWS) {
        let rows = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        item::Entity::insert_many(rows).exec_without_returning(txn).await?;
    }
    raise(txn, &raised).await?;
    message::plan_notices(txn, messages, now).await?;
    for rows in events.chunks(ROWS) {
        event::Entity::insert_many(rows.to_vec()).exec_without_returning(txn).await?;
    }
    note(txn, &reached, now).await
}

impl Reached {
    fn notice(&self, id: DunningNoticeId, now: DateTimeUtc) -> notice::Model {
        notice::Model {
            id,
            customer_id: self.customer,
            workflow_id: self.workflow,
            currency: self.currency,
            channel: self.channel,
            scope: self.scope,
            level: self.level,
            approval: (self.approval && self.channel != Channel::Phone)
                .then_some(Approval::Waiting),
            approved_at: None,
            approved_by: None,
            total: None,
            charged: None,
            invoices: None,
            first_due_on: None,
            created_at: now,
            created_by: None,
        }
    }

    fn item(&self, notice: DunningNoticeId, now: DateTimeUtc) -> item::Model {
        item::Model {
            id: DunningItemId::new(now),
            notice_id: notice,
            invoice_id: self.invoice,
            channel: self.channel,
            level: self.level,
            days_late: self.days_late,
            open: self.open,
            created_at: now,
            created_by: None,
        }
    }
}

/// Those of the levels that their invoices have not reached yet.
async fn new(txn: &impl ConnectionTrait, reached: Vec<Reached>) -> Result<Vec<Reached>, Error> {
    use item::Column;
    let had: Vec<(InvoiceId, i32, Channel)> = item::Entity::find()
        .select_only()
        .columns([Column::InvoiceId, Column::Level, Column::Channel])
        .filter(Column::InvoiceId.is_in(reached.iter().map(|one| one.invoice)))
        .into_tuple()
        .all(txn)
        .await?;
    let mut had = had.into_iter().collect::<HashSet<_>>();
    let is_new = |one: &Reached| had.insert((one.invoice, one.level, one.channel));
    Ok(reached.into_iter().filter(is_new).collect())
}

/// The notices that wait to be sent, and can be joined.
async fn waiting(
    txn: &impl ConnectionTrait,
    reached: &[Reached],
) -> Result<HashMap<Bundle, DunningNoticeId>, Error> {
    use notice::Column;
    let bundled = reached.iter().filter(|one| one.scope == Scope::Customer);
    let waiting: Vec<(DunningNoticeId, WorkflowId, CustomerId, Currency, Channel)> =
        notice::Entity::find()
            .select_only()
            .columns([Column::Id, Column::WorkflowId, Column::CustomerId])
            .columns([Column::Currency, Column::Channel])
            .join(
                JoinType::InnerJoin,
                notice::Entity::belongs_to(message::Entity)
                    .from(Column::Id)
                    .to(message::Column::SubjectId)
                    .into(),
            )
            .filter(Column::CustomerId.is_in(bundled.map(|one| one.customer)))
            .filter(Column::Scope.eq(Scope::Customer))
            // What nobody has approved yet holds nothing else back.
            .filter(Column::Approval.is_null().or(Column::Approval.ne(Approval::Waiting)))
            .filter(message::Column::Kind.eq(message::Kind::Dunning))
            .filter(message::is_unwritten())
            .order_by_asc(Column::Id)
            .into_tuple()
            .all(txn)
            .await?;
    let of =
        |(id, workflow, customer, currency, channel)| ((workflow, customer, currency, channel), id);
    Ok(waiting.into_iter().map(of).collect())
}

/// Raises notices to the highest level of what they ask for. What joins one and has to be approved makes all of it wait,
/// whatever was approved before.
async fn raise(
    txn: &impl ConnectionTrait,
    raised: &BTreeMap<DunningNoticeId, (i32, bool)>,
) -> Result<(), Error> {
    let mut level = CaseStatement::new();
    for (id, (to, _)) in raised {
        level = level.case(notice::Column::Id.eq(*id).and(notice::Column::Level.lt(*to)), *to);
    }
    notice::Entity::update_many()
        .col_expr(notice::Column::Level, level.finally(Expr::col(notice::Column::Level)).into())
        .filter(notice::Column::Id.is_in(raised.keys().copied()))
        .exec(txn)
        .await?;
    let waiting = raised.iter().filter(|(_, (_, approval))| *approval);
    notice::Entity::update_many()
        .col_expr(notice::Column::Approval, Expr::val(Approval::Waiting.to_value()))
        .col_expr(notice::Column::ApprovedAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(notice::Column::ApprovedBy, Expr::val(None::<UserId>))
        .filter(notice::Column::Id.is_in(waiting.map(|(id, _)| *id)))
        .exec(txn)
        .await?;
    Ok(())
}

/// Notes with invoices which level they have reached.
async fn note(
    txn: &impl ConnectionTrait,
    reached: &[Reached],
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut by_level = BTreeMap::<i32, Vec<InvoiceId>>::new();
    for one in reached {
        by_level.entry(one.level).or_default().push(one.invoice);
    }
    for (level, mut invoices) in by_level {
        // In the order in which everybody locks them.
        invoices.sort_unstable_by_key(|id| id.0);
        invoice::Entity::update_many()
            .col_expr(invoice::Column::DunningLevel, Expr::val(level))
            .col_expr(invoice::Column::DunnedAt, Expr::val(now))
            .filter(invoice::Column::Id.is_in(invoices))
            .exec(txn)
            .await?;
    }
    Ok(())
}
