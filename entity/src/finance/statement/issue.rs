//! Making statements, for many customers with as many statements of the database as for one.

use std::collections::HashMap;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveEnum, IntoActiveModel, QueryOrder, QuerySelect};
use serde_json::json;

use super::draw::{Drawn, Previous, draw};
use super::slice::{Key, slices};
use super::{Column, Entity, Kind, Model, Period};
use crate::access::{Actor, organisation};
use crate::automation::job::{self, target};
use crate::customers::customer;
use crate::error::Error;
use crate::finance::{FinanceError, ledger};
use crate::id::{CustomerId, Id, StatementId, WorkflowRunId};
use crate::money::Currency;

/// How many statements are written by one statement of the database: 18 columns each, of the 32,766 values that SQLite
/// binds at once.
const TOGETHER: usize = 1_000;

/// Where statements begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Where the one before ended, so that nothing falls between two of them; the first one on this day.
    Last(Date),
    /// On this day.
    Day(Date),
}

/// Which statements.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question {
    pub kind: Kind,
    pub since: Since,
    pub until: Date,
    /// In which currency; in all in which anything was posted when absent.
    pub currency: Option<Currency>,
    /// Whether the customers are to get them.
    pub wanted: bool,
    pub run: Option<WorkflowRunId>,
}

/// A statement to be.
#[derive(Clone, Debug)]
pub struct NewStatement {
    /// For whom.
    pub customer: CustomerId,
    /// In what.
    pub currency: Currency,
    /// What it lists.
    pub kind: Kind,
    /// Its first day; where the one before ended when absent.
    pub from: Option<Date>,
    /// Its last day, not later than today.
    pub until: Date,
    /// Whether the customer is to get it.
    pub send: bool,
}

/// The statements that `customers` would get: of each currency in which anything was posted for them.
pub(super) async fn drawn(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    question: Question,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    let Question { kind, since, until, .. } = question;
    let posted = ledger::balances(db, customers, Some(until)).await?;
    let posted = posted.iter().map(|balance| (balance.customer_id, balance.currency));
    let is_asked = |key: &Key| question.currency.is_none_or(|currency| currency == key.1);
    let keys: Vec<Key> = posted.filter(is_asked).collect();
    let made = Made::load(db, customers, kind, until).await?;
    let begin = |key: &Key| made.begin(key, since);
    let (Since::Last(usual) | Since::Day(usual)) = since;
    let begins = keys.iter().map(|key| (*key, begin(key).0));
    let earlier: Vec<_> = begins.filter(|(_, from)| *from < usual).collect();
    let mut found = slices(db, customers, (usual, until), &earlier).await?;
    let statement = |key: Key| {
        let (from, previous) = begin(&key);
        let slice = found.remove(&key).unwrap_or_default();
        let drawn = draw(kind, (from, until), slice, previous);
        let is_forward = kind == Kind::BalanceForward;
        let revision = made.revisions.get(&key).copied().unwrap_or_default() + 1;
        Model {
            from_on: is_forward.then_some(from),
            previous_id: previous.filter(|_| is_forward).map(|previous| previous.id),
            ..question.row(key, revision, drawn, actor, now)
        }
    };
    Ok(keys.into_iter().map(statement).collect())
}

impl Question {
    fn row(
        self,
        (customer, currency): Key,
        revision: i32,
        drawn: Drawn,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Model {
        let Drawn { opening, adjustment, closing, overdue, content } = drawn;
        let (kind, until) = (self.kind.to_value(), self.until);
        Model {
            id: StatementId::new(now),
            effect_key: format!("{}:{currency}:{kind}:{until}:{revision}", customer.0),
            customer_id: customer,
            currency,
            kind: self.kind,
            from_on: None,
            until_on: until,
            revision,
            previous_id: None,
            opening,
            adjustment,
            closing,
            overdue,
            content: json!(content),
            wanted: self.wanted,
            run_id: self.run,
            created_at: now,
            created_by: actor.user(),
        }
    }
}

/// The statements that were made before.
#[derive(Default)]
struct Made {
    /// The latest of those that end before the day.
    before: HashMap<Key, Previous>,
    /// How many there are for the day.
    revisions: HashMap<Key, i32>,
}

impl Made {
    async fn load(
        db: &impl ConnectionTrait,
        customers: &[CustomerId],
        kind: Kind,
        until: Date,
    ) -> Result<Self, DbErr> {
        type Row = (StatementId, CustomerId, Currency, Date, i32, i64);
        let rows: Vec<Row> = Entity::find()
            .select_only()
            .columns([Column::Id, Column::CustomerId, Column::Currency])
            .columns([Column::UntilOn, Column::Revision, Column::Closing])
            .filter(Column::CustomerId.is_in(customers.iter().copied()))
            .filter(Column::Kind.eq(kind))
            .filter(Column::UntilOn.lte(until))
            .order_by_desc(Column::UntilOn)
            .order_by_desc(Column::Revision)
            .order_by_desc(Column::Id)
            .into_tuple()
            .all(db)
            .await?;
        let mut made = Self::default();
        for (id, customer, currency, ended, revision, closing) in rows {
            let key = (customer, currency);
            if ended == until {
                made.revisions.entry(key).or_insert(revision);
            } else {
                made.before.entry(key).or_insert(Previous { id, until: ended, closing });
            }
        }
        Ok(made)
    }

    /// On which day a statement begins, and which one it carries forward.
    fn begin(&self, key: &Key, since: Since) -> (Date, Option<Previous>) {
        let previous = self.before.get(key).copied();
        let following = previous.and_then(|previous| previous.until.succ_opt());
        match since {
            Since::Last(usual) => (following.unwrap_or(usual), previous),
            Since::Day(day) => (day, previous.filter(|_| following == Some(day))),
        }
    }
}

/// What is open of customers at `now`, as a statement in each of their currencies would say it, which nobody keeps.
///
/// # Errors
/// The database.
pub async fn open_items(
    db: &impl ConnectionTrait,
    customers: &[CustomerId],
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    let until = organisation::get(db).await?.today(now);
    let question = Question {
        kind: Kind::OpenItem,
        since: Since::Day(until),
        until,
        currency: None,
        wanted: false,
        run: None,
    };
    let drawn = drawn(db, customers, question, Actor::System, now).await?;
    Ok(drawn.into_iter().map(|statement| Model { revision: 1, ..statement }).collect())
}

/// Whether a statement is the first one for its day.
pub(super) fn is_first(statement: &Model) -> bool {
    statement.revision == 1
}

/// Makes one statement, another revision if there is one for the day.
///
/// # Errors
/// `Invalid` for days that cannot be, [`FinanceError::NothingPosted`], [`Error::NoSuch`].
pub async fn issue(
    txn: &impl ConnectionTrait,
    new: NewStatement,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<StatementId, Error> {
    let NewStatement { customer, currency, kind, from, until, send } = new;
    customer::hold(txn, customer).await?;
    check(txn, kind, from, until, now).await?;
    let since = from.map_or(Since::Last(Period::Month.first(until)), Since::Day);
    let question =
        Question { kind, since, until, currency: Some(currency), wanted: send, run: None };
    let drawn = drawn(txn, &[customer], question, actor, now).await?;
    let statement = drawn.into_iter().next().ok_or(FinanceError::NothingPosted { currency })?;
    let id = statement.id;
    save(txn, vec![statement], now).await?;
    Ok(id)
}

/// Whether statements can be made from and until these days.
pub(super) async fn check(
    db: &impl ConnectionTrait,
    kind: Kind,
    from: Option<Date>,
    until: Date,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if until > organisation::get(db).await?.today(now) {
        return Err(Error::invalid("until", "a statement ends today or earlier"));
    }
    if from.is_some_and(|from| from > until) {
        return Err(Error::invalid("from", "a statement ends on its first day or later"));
    }
    if from.is_some() && kind == Kind::OpenItem {
        let message = "open items are told however old they are; leave the first day out";
        return Err(Error::invalid("from", message));
    }
    Ok(())
}

/// Writes statements down, and adds the job that makes their PDFs; those for which there is one by now are left out.
pub(super) async fn save(
    txn: &impl ConnectionTrait,
    mut statements: Vec<Model>,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let ids: Vec<StatementId> = statements.iter().map(|statement| statement.id).collect();
    while !statements.is_empty() {
        let rest = statements.split_off(statements.len().min(TOGETHER));
        let rows = statements.into_iter().map(|row| row.into_active_model().reset_all());
        let once = OnConflict::column(Column::EffectKey).do_nothing().to_owned();
        Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
        statements = rest;
    }
    let written: Vec<Uuid> = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::Id.is_in(ids))
        .into_tuple()
        .all(txn)
        .await?;
    if written.is_empty() {
        return Ok(0);
    }
    let kind = job::Kind::ArchiveStatements;
    let job = job::create(txn, kind, json!({}), Actor::System, now).await?;
    let count = written.len();
    target::put(txn, job.id, written).await?;
    job::count(txn, job.id, i64::try_from(count).unwrap_or(i64::MAX)).await?;
    Ok(count as u64)
}

/// Writes the statements down that workflows have planned.
///
/// # Errors
/// The database.
pub(crate) async fn carry_out(
    txn: &impl ConnectionTrait,
    statements: Vec<Model>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    if statements.is_empty() {
        return Ok(());
    }
    save(txn, statements, now).await.map(drop)
}
