//! Long work that a person waits for.
//!
//! Invariant: a job that is run twice, because a worker died, has the effect of one. What was asked for by an
//! API key stays within the limits of the key: it is carried out with no other rights, and other keys
//! neither see, start nor call it off.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{DbBackend, DeriveActiveEnum, EnumIter, QuerySelect};

use super::{AutomationError, printing};
use crate::access::{Actor, Permission, Viewer, user};
use crate::catalog::{Cataloged, catalog};
use crate::error::Error;
use crate::id::{FileId, Id, JobId, UserId};

mod run;
pub mod target;

pub use run::{advance, any_due, due, finish, lease, leave, mark_enqueued, note, progress};

/// For how many days after its end a job knows in detail what it was asked with, and what it refused.
pub const DETAILED_DAYS: i64 = 30;

/// What a job does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// Reads a file of receivables.
    ImportReceivables,
    /// Reads a file of customers.
    ImportCustomers,
    /// Took an import of customers back; done at once.
    UndoImport,
    /// Added or changed customers by the hundred; done at once.
    UpsertCustomers,
    /// Changes all customers of a filter.
    UpdateCustomers,
    /// Deletes all customers of a filter.
    DeleteCustomers,
    /// Writes a list into a file.
    Export,
    /// Foresees what would come of a workflow.
    Forecast,
    /// Prints letters by post.
    PrintLetters,
    /// Makes statements of all customers of a filter.
    CreateStatements,
    /// Writes statements into files, and plans their messages.
    ArchiveStatements,
    /// Adds the customers in a file to a list.
    ImportSegmentMembers,
}

/// How far a job has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum State {
    /// It shows what it would do, and waits for somebody to start it.
    Preview,
    /// It will start soon.
    Queued,
    /// It is running.
    Running,
    /// It has ended; what it could not do is in its report.
    Succeeded,
    /// It has ended without effect.
    Failed,
    /// Somebody called it off; what it had done by then stays.
    Cancelled,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "job")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: JobId,
    /// What it does.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// With what.
    pub input: Json,
    /// What came of it.
    pub report: Option<Json>,
    /// How many rows are done.
    pub done: i64,
    /// Of how many, once that is known.
    pub total: Option<i64>,
    /// When it may start.
    pub due_at: DateTimeUtc,
    /// When it was handed to the conveyor.
    pub enqueued_at: Option<DateTimeUtc>,
    /// Until when a worker has it.
    pub lease_until: Option<DateTimeUtc>,
    /// The number of that lease.
    pub fence: i64,
    /// When it first started.
    pub started_at: Option<DateTimeUtc>,
    /// When it ended.
    pub finished_at: Option<DateTimeUtc>,
    /// The file that it leaves to be fetched.
    pub result_file_id: Option<FileId>,
    /// Until when.
    pub result_expires_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
    /// To which permissions the API key kept them by which they asked; none when they had logged in.
    pub limits: Option<String>,
}

catalog! {
    /// Long work that a person waits for. It goes on when a machine dies.
    Job (job, jobs) of Entity, read by Permission::Import, own by Column::CreatedBy,
        limited by Column::Limits;
    /// What it does.
    kind: choice::<Kind>("JobKind", Column::Kind).filtered(),
    /// How far it has come.
    state: choice::<State>("JobState", Column::State).filtered(),
    /// How many rows are done.
    done: long(Column::Done),
    /// Of how many; null before that is known.
    total: long(Column::Total),
    /// What came of it, in a form that depends on the kind: counts, sums per currency, and, for 30 days, the
    /// rows that were refused with line and reason, which `downloadLink` gives as a table. Null before it has
    /// ended.
    report: json(Column::Report),
    /// Until when who asked for the job can fetch the file that it leaves, with `downloadLink`; null when
    /// there is none or not yet.
    result_expires_at: instant(Column::ResultExpiresAt),
    /// When it first started; null while it is queued.
    started_at: instant(Column::StartedAt),
    /// When it ended; null before that.
    finished_at: instant(Column::FinishedAt),
    /// Who asked for it; null when Rapport did by itself.
    created_by: one::<user::Entity>(Column::CreatedBy),
    /// When it was asked for.
    created_at: instant(Column::CreatedAt).filtered().ordered(),
}

/// Who asks for a job.
#[derive(Clone, Debug)]
pub struct Asker {
    user: Option<UserId>,
    limits: Option<String>,
}

impl From<Actor> for Asker {
    fn from(actor: Actor) -> Self {
        Self { user: actor.user(), limits: None }
    }
}

impl From<&Viewer> for Asker {
    fn from(viewer: &Viewer) -> Self {
        Self { user: Some(viewer.user), limits: viewer.limits() }
    }
}

/// Adds a job that starts soon.
///
/// # Errors
/// The database.
pub async fn create(
    txn: &impl ConnectionTrait,
    kind: Kind,
    input: Json,
    asker: impl Into<Asker>,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    Ok(new(kind, State::Queued, input, asker.into(), now).insert(txn).await?)
}

/// Adds a job that waits for somebody to start it.
///
/// # Errors
/// The database.
pub async fn preview(
    txn: &impl ConnectionTrait,
    kind: Kind,
    input: Json,
    asker: impl Into<Asker>,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    Ok(new(kind, State::Preview, input, asker.into(), now).insert(txn).await?)
}

/// Notes of how many rows a job is.
///
/// # Errors
/// The database.
pub async fn count(txn: &impl ConnectionTrait, id: JobId, total: i64) -> Result<Model, Error> {
    Ok(ActiveModel { id: Set(id), total: Set(Some(total)), ..Default::default() }
        .update(txn)
        .await?)
}

/// Writes down work of `total` rows that was done at once, and what came of it.
///
/// # Errors
/// The database.
pub async fn record(
    txn: &impl ConnectionTrait,
    kind: Kind,
    input: Json,
    (report, total): (Json, i64),
    asker: impl Into<Asker>,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    let row = ActiveModel {
        report: Set(Some(report)),
        done: Set(total),
        total: Set(Some(total)),
        started_at: Set(Some(now)),
        finished_at: Set(Some(now)),
        ..new(kind, State::Succeeded, input, asker.into(), now)
    };
    Ok(row.insert(txn).await?)
}

fn new(kind: Kind, state: State, input: Json, asker: Asker, now: DateTimeUtc) -> ActiveModel {
    ActiveModel {
        id: Set(JobId::new(now)),
        kind: Set(kind),
        state: Set(state),
        input: Set(input),
        report: Set(None),
        done: Set(0),
        total: Set(None),
        due_at: Set(now),
        enqueued_at: Set(None),
        lease_until: Set(None),
        fence: Set(0),
        started_at: Set(None),
        finished_at: Set(None),
        result_file_id: Set(None),
        result_expires_at: Set(None),
        created_at: Set(now),
        created_by: Set(asker.user),
        limits: Set(asker.limits),
    }
}

/// Lets jobs that ended before `before` forget what they were asked with, such as filters and files, and the
/// rows that they refused: people's names may be in there. Gives how many.
///
/// # Errors
/// The database.
pub async fn forget_details(txn: &impl ConnectionTrait, before: DateTimeUtc) -> Result<u64, Error> {
    let report = match txn.get_database_backend() {
        DbBackend::Postgres => "report - 'bad_rows'",
        _ => "json_remove(report, '$.bad_rows')",
    };
    let nothing = Json::Object(serde_json::Map::new());
    let ended = Entity::update_many()
        .col_expr(Column::Input, Expr::val(nothing.clone()))
        .col_expr(Column::Report, Expr::cust(report))
        .filter(Column::FinishedAt.lt(before))
        .filter(Column::Input.ne(nothing));
    Ok(ended.exec(txn).await?.rows_affected)
}

/// As whom a job is carried out: as who asked for it, with the rights that they have by now and within the
/// limits of the API key by which they asked. `None`: they may not log in any more, or it was nobody.
///
/// # Errors
/// The database.
pub async fn viewer(
    db: &impl ConnectionTrait,
    job: &Model,
    now: DateTimeUtc,
) -> Result<Option<Viewer>, DbErr> {
    let Some(user) = job.created_by else { return Ok(None) };
    let viewer = user::viewer(db, user, now).await?;
    Ok(viewer.map(|viewer| viewer.limited(job.limits.as_deref())))
}

/// Starts a job that waits for it. Only who asked for it can.
///
/// # Errors
/// [`Error::NoSuch`], [`AutomationError::JobStarted`].
pub async fn start(
    txn: &impl ConnectionTrait,
    id: JobId,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let row = own(txn, id, viewer).await?.ok_or_else(Error::no_such::<Entity>)?;
    if row.state != State::Preview {
        return Err(AutomationError::JobStarted.into());
    }
    let due = ActiveModel { state: Set(State::Queued), due_at: Set(now), ..row.into() };
    due.update(txn).await?;
    Ok(())
}

/// Calls a job off: the batch that is under way ends or is undone, and no other begins. Who asked for it
/// can, and who manages users.
///
/// # Errors
/// [`Error::NoSuch`], [`AutomationError::JobEnded`],
/// [`AutomationError::NotCancellable`].
pub async fn cancel(
    txn: &impl ConnectionTrait,
    id: JobId,
    viewer: &Viewer,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let row = match viewer.may(Permission::ManageUsers) {
        true => Entity::find_by_id(id).lock_exclusive().one(txn).await?,
        false => own(txn, id, viewer).await?,
    };
    let row = row.ok_or_else(Error::no_such::<Entity>)?;
    match (row.state, row.kind) {
        (State::Succeeded | State::Failed | State::Cancelled, _) => {
            return Err(AutomationError::JobEnded.into());
        }
        // Half an import is no state to leave the books in.
        (State::Running, Kind::ImportReceivables) => {
            return Err(AutomationError::NotCancellable.into());
        }
        _ => {}
    }
    target::clear(txn, id).await?;
    printing::release(txn, id).await?;
    let called_off = ActiveModel {
        state: Set(State::Cancelled),
        finished_at: Set(Some(now)),
        lease_until: Set(None),
        // Whoever works on it finds that it is not theirs any more.
        fence: Set(row.fence + 1),
        ..row.into()
    };
    called_off.update(txn).await?;
    Ok(())
}

/// The job, held, if the viewer has asked for it and sees it.
async fn own(
    txn: &impl ConnectionTrait,
    id: JobId,
    viewer: &Viewer,
) -> Result<Option<Model>, DbErr> {
    let theirs = Entity::find_by_id(id).filter(Column::CreatedBy.eq(viewer.user));
    theirs.filter(Entity::record().visible(viewer)).lock_exclusive().one(txn).await
}
