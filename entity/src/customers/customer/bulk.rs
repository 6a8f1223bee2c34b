//! Changing or deleting all customers of a filter, as a job that is previewed first.
//!
//! Invariant: only customers that the preview counted are touched, and of these only those that are still
//! in the filter and that who started the job may still change; the others are skipped and counted. Each
//! is touched once: in the transaction in which it ceases to be a target.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::extension::postgres::PgExpr;
use sea_orm::sea_query::{Alias, Expr, Func, LockType, Query};
use sea_orm::{ActiveEnum, DbBackend, ExprTrait, QueryOrder, QuerySelect};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Change, Channel, Column, Entity, Kind, LifecycleStage, owner};
use crate::access::{Actor, Permission, Viewer};
use crate::automation::event;
use crate::automation::job::{self, target};
use crate::automation::lease::Leased;
use crate::catalog::{Cataloged, Scope, condition};
use crate::check::Check;
use crate::collaboration::notification;
use crate::customers::custom::{CustomFields, CustomValue, Setter};
use crate::customers::{parse_language, parse_zone};
use crate::error::Error;
use crate::id::{CustomerId, JobId, UserId};

/// How many customers one job touches at most.
pub const MOST: u64 = 250_000;

/// How many are touched in one transaction.
const BATCH: u64 = 500;

/// What changes of each customer: what is the same for many of them. The outer `None` keeps a field, an
/// inner `None` clears it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BulkChange {
    /// What kind of party they are.
    pub kind: Option<Kind>,
    /// How far the relation has come.
    pub stage: Option<LifecycleStage>,
    /// Who looks after them.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<Option<UserId>>,
    /// How they like to be reached.
    #[serde(deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    pub preferred_channel: Option<Option<Channel>>,
    /// The language they are written to in.
    pub language: Option<String>,
    /// The IANA zone they live in.
    pub time_zone: Option<String>,
    /// Values of custom fields; those that are not there stay.
    pub custom: Vec<CustomValue>,
}

impl From<BulkChange> for Change {
    fn from(change: BulkChange) -> Self {
        let BulkChange { kind, stage, owner_id, preferred_channel, language, time_zone, custom } =
            change;
        Self {
            kind,
            stage,
            owner_id,
            preferred_channel,
            language,
            time_zone,
            custom,
            ..Self::default()
        }
    }
}

/// A field that is there, if only as null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

/// What a job is asked for.
#[derive(Debug, Serialize, Deserialize)]
struct Input {
    /// In the form of the API's filter.
    filter: Json,
    /// What changes; they are deleted when absent.
    change: Option<BulkChange>,
}

/// What came of a job so far.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Report {
    /// How many customers were changed or deleted.
    touched: u64,
    /// How many of the preview were not: they are gone, or not in the filter any more.
    skipped: u64,
    /// Why the job ended early.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// How a job goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There may be more to do.
    More,
    /// It has ended.
    Ended,
    /// Somebody else has it, or it was called off.
    Lost,
}

impl BulkChange {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The fields that it sets, by their names in the API, divided by commas.
    #[must_use]
    pub fn fields(&self) -> String {
        let named = [
            (self.kind.is_some(), "kind"),
            (self.stage.is_some(), "stage"),
            (self.owner_id.is_some(), "owner"),
            (self.preferred_channel.is_some(), "preferredChannel"),
            (self.language.is_some(), "language"),
            (self.time_zone.is_some(), "timeZone"),
        ];
        let named = named.into_iter().filter(|(is_set, _)| *is_set);
        let named = named.map(|(_, name)| name.to_owned());
        let custom = self.custom.iter().map(|value| format!("customFields.{}", value.key));
        named.chain(custom).collect::<Vec<_>>().join(", ")
    }

    /// The columns that change, with their values.
    fn values(&self) -> Vec<(Column, Value)> {
        let mut values: Vec<(Column, Value)> = Vec::new();
        let mut set = |column, value: Option<Value>| values.extend(value.map(|v| (column, v)));
        set(Column::Kind, self.kind.map(|kind| kind.to_value().into()));
        set(Column::Stage, self.stage.map(|stage| stage.to_value().into()));
        set(Column::OwnerId, self.owner_id.map(Into::into));
        let channel = self.preferred_channel.map(|set| set.map(|channel| channel.to_value()));
        set(Column::PreferredChannel, channel.map(Into::into));
        set(Column::Language, self.language.clone().map(Into::into));
        set(Column::TimeZone, self.time_zone.clone().map(Into::into));
        values
    }

    /// What changes of the values of custom fields; nothing where none are named.
    async fn patch(
        &self,
        txn: &impl ConnectionTrait,
        actor: Actor,
        now: DateTimeUtc,
    ) -> Result<Option<Json>, Error> {
        if self.custom.is_empty() {
            return Ok(None);
        }
        let mut check = Check::default();
        let patch = Setter::load(txn, actor, now).await?.patch(self.custom.clone(), &mut check);
        check.end()?;
        Ok(Some(patch))
    }

    async fn check(
        mut self,
        txn: &impl ConnectionTrait,
        viewer: &Viewer,
        now: DateTimeUtc,
    ) -> Result<Self, Error> {
        if let Some(owner) = self.owner_id {
            owner::ensure(txn, owner, viewer).await?;
        }
        self.language = self.language.as_deref().map(parse_language).transpose()?;
        let zone = self.time_zone.as_deref().map(parse_zone).transpose()?;
        self.time_zone = zone.map(|zone| zone.name().to_owned());
        let patch = self.patch(txn, viewer.into(), now).await?;
        if self.values().is_empty() && patch.is_none() {
            return Err(Error::invalid("change", "say what changes"));
        }
        Ok(self)
    }
}

/// Prepares a job that makes `change` to all customers that `viewer` may change and that pass `filter`, or
/// deletes them. It waits for its start; its `total` is how many they are.
///
/// # Errors
/// `Invalid` for a filter or change that cannot be, or for more than [`MOST`] customers;
/// [`CustomersError`](crate::customers::CustomersError) for whom they cannot be handed to.
pub async fn preview(
    txn: &impl ConnectionTrait,
    filter: Json,
    change: Option<BulkChange>,
    viewer: Viewer,
    now: DateTimeUtc,
) -> Result<job::Model, Error> {
    let record = Entity::record();
    let fields = CustomFields::loaded(txn).await?;
    let passes = condition(record, &filter, Scope::of(txn, &viewer, &fields), "input.filter")?;
    let kind = match &change {
        Some(_) => job::Kind::UpdateCustomers,
        None => job::Kind::DeleteCustomers,
    };
    let change = match change {
        Some(change) => Some(change.check(txn, &viewer, now).await?),
        None => None,
    };
    let listed = record.listed(&filter);
    let input = serde_json::to_value(Input { filter, change }).unwrap_or_default();
    let job = job::preview(txn, kind, input, &viewer, now).await?;
    let mut chosen = Query::select();
    chosen
        .expr(Expr::val(job.id.0))
        .expr(record.column("id"))
        .from(Alias::new(record.table))
        .cond_where(record.visible(&viewer))
        .cond_where(record.reached(&viewer, Permission::WriteCustomers, true))
        .cond_where(listed)
        .cond_where(passes)
        .and_where(record.column("deleted_at").is_null())
        .limit(MOST + 1);
    let total = target::add(txn, chosen).await?;
    if total > MOST {
        let message = format!("more than {MOST} customers are in the filter; narrow it");
        return Err(Error::invalid("filter", message));
    }
    job::count(txn, job.id, i64::try_from(total).unwrap_or(i64::MAX)).await
}

/// Touches the next customers of a leased job, and renews its lease to `until`.
///
/// # Errors
/// The database.
pub async fn step(
    txn: &impl ConnectionTrait,
    leased: Leased<JobId>,
    until: DateTimeUtc,
    now: DateTimeUtc,
) -> Result<Step, Error> {
    let ids = target::next(txn, leased.id, BATCH).await?;
    let Some(job) = job::advance(txn, leased, ids.len(), until).await? else {
        return Ok(Step::Lost);
    };
    let report = job.report.clone().and_then(|report| serde_json::from_value(report).ok());
    let mut report: Report = report.unwrap_or_default();
    let ended = async |state, report: &Report| {
        let json = serde_json::to_value(report).unwrap_or_default();
        job::finish(txn, leased.id, leased.fence, state, json, now).await.map(|()| Step::Ended)
    };
    let Some(last) = ids.last().copied() else {
        return ended(job::State::Succeeded, &report).await;
    };
    let touched = match touch(txn, &job, &ids, now).await {
        Ok(touched) => touched,
        Err(Refused::Error(error)) => return Err(error),
        Err(Refused::Because(reason)) => {
            target::clear(txn, leased.id).await?;
            report.error = Some(reason);
            return ended(job::State::Failed, &report).await;
        }
    };
    report.touched += touched;
    report.skipped += ids.len() as u64 - touched;
    target::done(txn, leased.id, last).await?;
    job::note(txn, leased, serde_json::to_value(&report).unwrap_or_default()).await?;
    Ok(Step::More)
}

/// The values of custom fields with a patch. Their nulls stand for what is taken away.
fn patched(backend: DbBackend, patch: Json) -> Expr {
    let (stored, patch) = (Expr::col(Column::Custom), Expr::val(patch));
    match backend {
        DbBackend::Postgres => {
            Func::cust("jsonb_strip_nulls").arg(stored.concatenate(patch)).into()
        }
        _ => Func::cust("json_patch").args([stored, patch]).into(),
    }
}

/// Why a batch is not touched.
enum Refused {
    Error(Error),
    /// The job cannot go on at all.
    Because(String),
}

impl<E: Into<Error>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Error(error.into())
    }
}

/// Touches those of the customers that may be; gives how many.
async fn touch(
    txn: &impl ConnectionTrait,
    job: &job::Model,
    ids: &[Uuid],
    now: DateTimeUtc,
) -> Result<u64, Refused> {
    let because = |reason: &str| Refused::Because(reason.to_owned());
    let input: Input = serde_json::from_value(job.input.clone())
        .map_err(|_| because("the job was made by another version of Rapport; make it again"))?;
    let viewer = job::viewer(txn, job, now)
        .await?
        .filter(|viewer| viewer.may(Permission::WriteCustomers))
        .ok_or_else(|| because("who started the job may not change customers any more"))?;
    if let Some(owner) = input.change.as_ref().and_then(|change| change.owner_id) {
        owner::ensure(txn, owner, &viewer).await.map_err(|error| match error {
            Error::Customers(refused) => because(&refused.to_string()),
            other => other.into(),
        })?;
    }
    let record = Entity::record();
    let fields = CustomFields::loaded(txn).await?;
    let passes = condition(record, &input.filter, Scope::of(txn, &viewer, &fields), "filter")
        .map_err(|error| because(&error.to_string()))?;
    let still: Vec<(CustomerId, Option<UserId>)> = Entity::find()
        .select_only()
        .columns([Column::Id, Column::OwnerId])
        .filter(Column::Id.is_in(ids.iter().copied()))
        .filter(Column::DeletedAt.is_null())
        .filter(record.visible(&viewer))
        .filter(record.reached(&viewer, Permission::WriteCustomers, true))
        .filter(passes)
        .order_by_asc(Column::Id)
        .lock(LockType::NoKeyUpdate)
        .into_tuple()
        .all(txn)
        .await?;
    if still.is_empty() {
        return Ok(0);
    }
    let owner = input.change.as_ref().and_then(|change| change.owner_id);
    let news = still.iter().filter(|(_, before)| owner.is_some_and(|owner| owner != *before));
    let news: Vec<_> = news.map(|(id, _)| *id).collect();
    let still: Vec<_> = still.into_iter().map(|(id, _)| id).collect();
    let actor = Actor::from(&viewer);
    match write(txn, input.change.as_ref(), &still, actor, now).await {
        Err(Error::Invalid(fields)) => return Err(because(&Error::Invalid(fields).to_string())),
        written => written?,
    }
    let kind = match &input.change {
        Some(_) => event::Kind::CustomerUpdated,
        None => event::Kind::CustomerDeleted,
    };
    let events = still.iter().map(|id| event::new(kind, id.0, Some(*id), actor, now));
    event::Entity::insert_many(events).exec_without_returning(txn).await?;
    notification::owned(txn, &news, job.id.0, actor, now).await?;
    Ok(still.len() as u64)
}

/// Writes a change of customers that was checked, or that they are deleted where there is none.
///
/// # Errors
/// `Invalid` for values that custom fields do not take any more.
pub(super) async fn write(
    txn: &impl ConnectionTrait,
    change: Option<&BulkChange>,
    customers: &[CustomerId],
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let mut update = Entity::update_many();
    match change {
        Some(change) => {
            if let Some(patch) = change.patch(txn, actor, now).await? {
                let custom = patched(txn.get_database_backend(), patch);
                update = update.col_expr(Column::Custom, custom);
            }
            for (column, value) in change.values() {
                update = update.col_expr(column, Expr::val(value));
            }
        }
        None => update = update.col_expr(Column::DeletedAt, Expr::val(now)),
    }
    update
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user().map(|user| user.0)))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
        .filter(Column::Id.is_in(customers.iter().copied()))
        .exec(txn)
        .await?;
    Ok(())
}
