//! What is known of the customers of notices, and what each of them asks for by that.

use std::collections::{HashMap, HashSet};

use chrono::NaiveDate;
use chrono_tz::Tz;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{QueryOrder, QuerySelect};

use super::{Asked, Look, Notice, Owed};
use crate::access::organisation;
use crate::automation::gate::{countries, free_days};
use crate::automation::message::Reason;
use crate::automation::workflow::definition::Zone;
use crate::automation::workflow::moment;
use crate::customers::customer;
use crate::db::sum;
use crate::error::Error;
use crate::finance::charge::{Charge, Charged};
use crate::finance::dunning::ladder::{Ladder, Scope, amount_in};
use crate::finance::dunning::notice::Approval;
use crate::finance::dunning::own::{self, Asks};
use crate::finance::{invoice, payment};
use crate::id::{CustomerId, InvoiceId, WorkflowId};
use crate::money::{Currency, Money};

/// What is known of the customers of notices.
pub(super) struct Known {
    zone: Tz,
    customers: HashMap<CustomerId, customer::Model>,
    invoices: HashMap<(CustomerId, Currency), Vec<invoice::Model>>,
    unapplied: HashMap<(CustomerId, Currency), i64>,
    free: HashMap<CustomerId, Vec<NaiveDate>>,
    charged: Charged,
    countries: HashMap<CustomerId, String>,
    /// The ladders of customers' own that are at work.
    own: HashSet<WorkflowId>,
}

impl Known {
    pub async fn load(
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
        let own_ladders = customers.iter().filter_map(|row| row.dunning_ladder_id);
        let own_ladders = own::at_work(db, own_ladders).await?;
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
            own: own_ladders,
            customers: customers.into_iter().map(|row| (row.id, row)).collect(),
            invoices,
            unapplied,
            free,
        })
    }

    /// What a notice asks for; nothing for one whose customer is gone.
    pub fn look(&self, notice: &Notice, ladder: &Ladder, now: DateTimeUtc) -> Option<Look> {
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
        let own = customer.dunning_ladder_id.filter(|own| self.own.contains(own));
        if ladder.asks(notice.workflow, own) != Asks::This {
            return Some(Look::Suppress(Reason::OtherLadder));
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
