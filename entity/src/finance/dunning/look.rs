//! The last look at what is owed: what a notice asks for is read again in the transaction in which it leaves.
//!
//! Invariant: a notice that leaves lists what is open at that moment and neither disputed nor promised; one of which
//! nothing is left does not leave, and says why.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, LockType};
use sea_orm::{QueryOrder, QuerySelect};
use serde::{Deserialize, Serialize};

use super::ladder::{self, Ladder, Level, Scope, amount_in};
use super::notice::Approval;
use super::plan::Reached;
use super::{item, notice};
use crate::access::{Actor, organisation};
use crate::automation::gate::{countries, free_days};
use crate::automation::message::{self, Reason};
use crate::automation::workflow::definition::{Action, Definition, Zone};
use crate::automation::workflow::moment;
use crate::automation::workflow::version::versions;
use crate::customers::customer;
use crate::db::sum;
use crate::error::Error;
use crate::finance::charge::{self, Charge, Charged};
use crate::finance::{invoice, payment};
use crate::id::{CustomerId, DunningNoticeId, InvoiceId, MessageId, WorkflowVersionId};
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
    currency: Currency,
    scope: Scope,
    level: i32,
    approval: Option<Approval>,
    /// The invoices that reach a level with it, and which.
    own: Vec<(InvoiceId, i32)>,
}

/// What is known of the customers of notices.
struct Known {
    zone: Tz,
    customers: HashMap<CustomerId, customer::Model>,
    invoices: HashMap<(CustomerId, Currency), Vec<invoice::Model>>,
    unapplied: HashMap<(CustomerId, Currency), i64>,
    free: HashMap<CustomerId, Vec<NaiveDate>>,
    charged: Charged,
    countries: HashMap<CustomerId, String>,
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
            currency: row.currency,
            scope: row.scope,
            level: row.level,
            approval: row.approval,
            own: own.get(&row.id).cloned().unwrap_or_default(),
        })
    });
    Ok(foreseen.into_iter().chain(stored).collect())
}

impl Known {
    async fn load(
        db: &impl ConnectionTrait,
        notices: &[Notice],
        charge: bool,
        now: DateTimeUtc,
    ) -> Result<Self, Error> {
        let ids = notices.iter().map(|notice| notice.customer).collect::<HashSet<_>>();
        let own = notices.iter().flat_map(|notice| notice.own.iter().map(|(id, _)| *id));
        let own = own.collect::<Vec<_>>();
        let theirs = invoice::Column::CustomerId
            .is_in(ids.iter().copied())
            .and(invoice::Column::State.eq(invoice::State::Open));
        let concerned = invoice::Entity::find()
            .filter(invoice::Column::Id.is_in(own.iter().copied()).or(theirs))
            .order_by_asc(invoice::Column::DueOn)
            .order_by_asc(invoice::Column::Id);
        let mut invoices = HashMap::<_, Vec<_>>::new();
        for row in concerned.all(db).await? {
            invoices.entry((row.customer_id, row.currency)).or_default().push(row);
        }
        let customers = customer::Entity::find()
            .filter(customer::Column::Id.is_in(ids.iter().copied()))
            .all(db)
            .await?;
        let since = (now - chrono::TimeDelta::days(2)).date_naive();
        let ids = ids.into_iter().collect::<Vec<_>>();
        let unapplied = unapplied(db, &ids).await?;
        // Days off are asked for only where something is put off to the next day of business.
        let waiting = notices.iter().filter(|notice| notice.approval == Some(Approval::Waiting));
        let waiting = waiting.map(|notice| notice.customer);
        let waits = unapplied.keys().map(|(customer, _)| *customer).chain(waiting);
        let waits = waits.collect::<HashSet<_>>().into_iter().collect::<Vec<_>>();
        let free = match waits.is_empty() {
            true => HashMap::new(),
            false => free_days(db, &waits, since).await?,
        };
        // What is known of charges is asked for only where something is charged.
        let (charged, countries) = match charge {
            true => (Charged::load(db, &own).await?, countries(db, &ids).await?),
            false => (Charged::default(), HashMap::new()),
        };
        Ok(Self {
            zone: organisation::get(db).await?.zone(),
            charged,
            countries,
            customers: customers.into_iter().map(|row| (row.id, row)).collect(),
            invoices,
            unapplied,
            free,
        })
    }

    /// What a notice asks for; nothing for one whose customer is gone.
    fn look(&self, notice: &Notice, ladder: &Ladder, now: DateTimeUtc) -> Option<Look> {
        let customer = self.customers.get(&notice.customer)?;
        let zone = match ladder.zone {
            Zone::Customer => customer.time_zone.parse().unwrap_or(self.zone),
            Zone::Organisation => self.zone,
        };
        let today = now.with_timezone(&zone).date_naive();
        if customer.dunning_excluded {
            return Some(Look::Suppress(Reason::Excluded));
        }
        if customer.dunning_paused_until.is_some_and(|until| until >= today) {
            return Some(Look::Suppress(Reason::Paused));
        }
        if notice.approval == Some(Approval::Rejected) {
            return Some(Look::Suppress(Reason::Rejected));
        }
        let key = (notice.customer, notice.currency);
        let rows = self.invoices.get(&key).map_or(&[][..], Vec::as_slice);
        let own = |row: &&invoice::Model| notice.own.iter().any(|(id, _)| *id == row.id);
        if !rows.iter().filter(own).any(|row| is_asked_for(row, today)) {
            let first = rows.iter().find(own);
            return Some(Look::Suppress(first.map_or(Reason::Voided, |row| why_not(row, today))));
        }
        let further = |(id, level): &(InvoiceId, i32)| {
            rows.iter().any(|row| row.id == *id && row.dunning_level > *level)
        };
        if notice.approval.is_some() && notice.own.iter().all(further) {
            return Some(Look::Suppress(Reason::Superseded));
        }
        let listed = rows.iter().filter(|row| {
            // A charge is due on its day.
            let is_late = row.due_on < today || row.kind != invoice::Kind::Invoice;
            let also = notice.scope == Scope::Customer && is_late;
            is_asked_for(row, today) && (own(row) || also)
        });
        let mut items = listed.map(|row| owed(row, today)).collect::<Vec<_>>();
        let charges = self.charges(notice, ladder, rows, today);
        items.extend(charges.iter().map(Owed::charged));
        let total = items.iter().map(|item| item.open.minor).sum();
        if total < amount_in(&ladder.minimum, notice.currency) {
            return Some(Look::Suppress(Reason::BelowMin));
        }
        let unapplied = self.unapplied.get(&key).copied().unwrap_or_default();
        let waits = match notice.approval {
            Some(Approval::Waiting) => Some(Reason::Unapproved),
            // Somebody has yet to say what the money is for.
            _ => (unapplied >= total).then_some(Reason::PendingReceipt),
        };
        if let Some(reason) = waits {
            let free = self.free.get(&notice.customer).map_or(&[][..], Vec::as_slice);
            return Some(Look::Defer(moment::business(now, 1, ladder.at, zone, free)?, reason));
        }
        let money = |minor| Money::new(minor, notice.currency);
        Some(Look::Ask(Asked {
            level: notice.level,
            items,
            total: money(total),
            unapplied: money(unapplied),
            charges,
        }))
    }

    /// What is charged for the invoices that reach a level with a notice.
    fn charges(
        &self,
        notice: &Notice,
        ladder: &Ladder,
        rows: &[invoice::Model],
        today: NaiveDate,
    ) -> Vec<Charge> {
        let country = self.countries.get(&notice.customer).map(String::as_str);
        let mut charges = Vec::new();
        for (id, number) in &notice.own {
            let row = rows.iter().find(|row| row.id == *id && is_asked_for(row, today));
            let (Some(row), Some(level)) = (row, ladder.level(*number)) else { continue };
            let fee = (amount_in(&level.fee, notice.currency), level.waived_days);
            charges.extend(self.charged.fee(row, *number, fee, today));
            if let Some(which) = &level.interest {
                charges.extend(self.charged.interest(row, which, country, today));
            }
        }
        charges
    }
}

impl Owed {
    /// What a charge adds to what is asked for.
    fn charged(charge: &Charge) -> Self {
        Self {
            invoice: charge.about,
            number: charge.number.clone(),
            issued_on: charge.on,
            due_on: charge.on,
            days_late: 0,
            level: 0,
            total: charge.amount,
            open: charge.amount,
            disputed: Money::new(0, charge.amount.currency),
            charge: Some(charge.kind),
        }
    }
}

/// Whether something of an invoice may be asked for on a day.
fn is_asked_for(row: &invoice::Model, today: NaiveDate) -> bool {
    let is_promised = row.promised_until.is_some_and(|until| until >= today);
    row.collectable().minor > 0 && !is_promised && row.handed_over_on.is_none()
}

/// Why nothing of an invoice may be asked for.
fn why_not(row: &invoice::Model, today: NaiveDate) -> Reason {
    match row.state {
        invoice::State::Void => Reason::Voided,
        invoice::State::WrittenOff => Reason::WrittenOff,
        invoice::State::Paid if row.paid == 0 => Reason::Credited,
        invoice::State::Paid => Reason::Paid,
        invoice::State::Open if row.handed_over_on.is_some() => Reason::HandedOver,
        invoice::State::Open if row.promised_until.is_some_and(|until| until >= today) => {
            Reason::Promised
        }
        invoice::State::Open => Reason::Disputed,
    }
}

fn owed(row: &invoice::Model, today: NaiveDate) -> Owed {
    Owed {
        invoice: row.id,
        number: row.number.clone(),
        issued_on: row.issued_on,
        due_on: row.due_on,
        days_late: (today - row.due_on).num_days(),
        level: row.dunning_level,
        total: Money::new(row.total, row.currency),
        open: row.collectable(),
        disputed: Money::new(Ord::min(row.disputed_amount, row.open().minor), row.currency),
        charge: (row.kind != invoice::Kind::Invoice).then_some(row.kind),
    }
}

/// What customers have paid that settles nothing yet.
async fn unapplied(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<HashMap<(CustomerId, Currency), i64>, DbErr> {
    use payment::Column;
    let rows: Vec<(CustomerId, Currency, i64, i64)> = payment::Entity::find()
        .select_only()
        .columns([Column::CustomerId, Column::Currency])
        .column_as(sum(Column::Amount), "amount")
        .column_as(sum(Column::Allocated), "allocated")
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::State.eq(payment::State::Recorded))
        .filter(Expr::col(Column::Allocated).lt(Expr::col(Column::Amount)))
        .group_by(Column::CustomerId)
        .group_by(Column::Currency)
        .into_tuple()
        .all(db)
        .await?;
    let of = |(customer, currency, amount, allocated)| ((customer, currency), amount - allocated);
    Ok(rows.into_iter().map(of).collect())
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
