//! What users are told: of their jobs, of what is shared with them or became theirs, of what they follow.
//!
//! ```text
//! tell      who is told of what, one INSERT … SELECT for however many     (in the transaction of the cause)
//! follow    who follows what was changed, and still sees it               (with the events, in the relay)
//! relay     a mail for who wants one, and the news for who listens        (later)
//! digest    which mails go together
//! perform   what workflows tell                                           audience  whom
//! remind    what they have to do
//! notice    what a notification says, for whoever writes the sentence     setting   who wants what
//! ```
//!
//! Invariant: a user is told of a cause once. Of a record that they follow there is one notification that
//! they have not read, which counts, however often the record changes.

mod audience;
mod digest;
mod follow;
mod notice;
mod perform;
mod relay;
mod remind;
pub mod setting;
mod tell;

use sea_orm::entity::prelude::*;
use sea_orm::{Condition, DeriveActiveEnum, EnumIter};

use crate::access::{Actor, user};
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{NotificationId, UserId};

pub use audience::To;
pub use follow::tell_followers;
pub use notice::{Notice, notices};
pub(crate) use perform::told;
pub use perform::{Notify, Told};
pub use relay::{Relayed, is_pending, pending, relay, tidy};
pub(crate) use remind::reminded;
pub use tell::deputies_begun;
pub(crate) use tell::{job_ended, owned, second_factor_reset, sending_held, shared, workflow_held};

/// What a user is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Kind {
    /// A job of theirs has ended.
    JobSucceeded,
    /// A job of theirs has failed.
    JobFailed,
    /// A record was shared with them.
    Shared,
    /// They look after a record since.
    Owned,
    /// A record that they follow was changed, deleted or merged.
    Followed,
    /// Somebody stands in for them since.
    DeputyBegan,
    /// An administrator took their second factor away.
    SecondFactorReset,
    /// What a workflow has to tell them.
    Workflow,
    /// They have something to do.
    Reminder,
    /// A workflow that they published stands still, since it had more for customers than was foreseen.
    WorkflowHeld,
    /// Nothing is sent until they say so.
    SendingHeld,
}

impl Kind {
    /// Whether its mail waits for no others.
    fn is_urgent(self) -> bool {
        matches!(self, Self::SecondFactorReset | Self::WorkflowHeld | Self::SendingHeld)
    }
}

/// A notification.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notification")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: NotificationId,
    /// Who is told.
    pub user_id: UserId,
    /// What.
    pub kind: Kind,
    /// What makes it one: no user is told twice of a cause.
    pub cause_id: Uuid,
    /// The prefix of the id of the record that it is about.
    pub subject_kind: Option<String>,
    /// That record.
    pub subject_id: Option<Uuid>,
    /// Who did it; nobody for Rapport itself.
    pub actor_id: Option<UserId>,
    /// What it was in particular: the kind of job, or what was done to the record.
    pub detail: Option<String>,
    /// How often it has happened, or with how many records.
    pub times: i32,
    /// Whether it goes by mail, too.
    pub mailed: bool,
    /// Which mail it goes in together with others.
    pub digest_id: Option<Uuid>,
    /// When it first happened.
    pub created_at: DateTimeUtc,
    /// When it last happened.
    pub happened_at: DateTimeUtc,
    /// When the user read it.
    pub read_at: Option<DateTimeUtc>,
    /// When the user put it away.
    pub deleted_at: Option<DateTimeUtc>,
    /// When it was passed on.
    pub relayed_at: Option<DateTimeUtc>,
}

catalog! {
    /// Something that you are told: that a job of yours has ended, that a record was shared with you, that
    /// one which you follow was changed.
    Notification (notification, notifications) of Entity, private to Column::UserId,
        deleted by Column::DeletedAt;
    /// What it tells.
    kind: choice::<Kind>("NotificationKind", Column::Kind).filtered(),
    /// The same as a sentence in your language. It names no record, since you may not see it any more.
    text: batch_json("String!", notice::texts),
    /// The id of the record that it is about, for `node`; null when it is about none, or about several.
    subject_id: batch_json("ID", notice::subjects),
    /// What it was in particular: the kind of a job such as `EXPORT`, or what was done to a record:
    /// `CHANGED`, `DELETED` or `MERGED`; what a workflow says. Null where the kind says all.
    detail: text(Column::Detail).filtered(),
    /// Who did it; null when Rapport did by itself. Of several people it is the last one.
    actor: one::<user::Entity>(Column::ActorId),
    /// How often it has happened since you last read it, or with how many records.
    times: whole(Column::Times),
    /// When you read it; null while you have not.
    read_at: instant(Column::ReadAt).filtered(),
    /// When you put it away; null for all that lists give.
    deleted_at: instant(Column::DeletedAt).filtered(),
    /// When it first happened.
    created_at: instant(Column::CreatedAt).filtered(),
    /// When it last happened.
    happened_at: instant(Column::HappenedAt).filtered().ordered(),
}

/// Which of their notifications a user means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Those with the ids; ids of others are nobody's.
    Ids(Vec<NotificationId>),
    /// All that had happened by then.
    Until(DateTimeUtc),
}

/// Notes that a user has read some of their notifications. Gives how many they had not read before.
///
/// # Errors
/// The database.
pub async fn read(
    txn: &impl ConnectionTrait,
    which: Which,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<u64, Error> {
    let which = match which {
        Which::Ids(ids) => Column::Id.is_in(ids),
        Which::Until(until) => Column::HappenedAt.lte(until),
    };
    let read = settled(Condition::all().add(Column::ReadAt.is_null()).add(which), actor);
    Ok(read.col_expr(Column::ReadAt, Expr::val(now)).exec(txn).await?.rows_affected)
}

/// Puts a notification away.
///
/// # Errors
/// [`Error::NoSuch`].
pub async fn delete(
    txn: &impl ConnectionTrait,
    id: NotificationId,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let put_away = settled(Condition::all().add(Column::Id.eq(id)), actor);
    let put_away = put_away.col_expr(Column::DeletedAt, Expr::val(now));
    match put_away.exec(txn).await?.rows_affected {
        0 => Err(Error::no_such::<Entity>().at(&["id"])),
        _ => Ok(()),
    }
}

/// Changes those of a user's own notifications so that what they follow begins another one from now on.
fn settled(which: Condition, actor: Actor) -> sea_orm::UpdateMany<Entity> {
    let is_followed = Column::Kind.eq(Kind::Followed);
    let cause = Expr::case(is_followed, Expr::col(Column::Id)).finally(Expr::col(Column::CauseId));
    Entity::update_many()
        .col_expr(Column::CauseId, cause.into())
        .filter(Column::UserId.eq(actor.user()))
        .filter(Column::DeletedAt.is_null())
        .filter(which)
}

/// How many notifications a user has not read.
///
/// # Errors
/// The database.
pub async fn unread(db: &impl ConnectionTrait, user: UserId) -> Result<u64, DbErr> {
    use sea_orm::PaginatorTrait;
    Entity::find()
        .filter(Column::UserId.eq(user))
        .filter(Column::ReadAt.is_null())
        .filter(Column::DeletedAt.is_null())
        .count(db)
        .await
}

/// A user's notifications that were passed on since `since`, the oldest `most` of them.
///
/// # Errors
/// The database.
pub async fn since(
    db: &impl ConnectionTrait,
    user: UserId,
    since: DateTimeUtc,
    most: u64,
) -> Result<Vec<Uuid>, DbErr> {
    use sea_orm::{QueryOrder, QuerySelect};
    Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::UserId.eq(user))
        .filter(Column::HappenedAt.gte(since))
        .filter(Column::DeletedAt.is_null())
        .order_by_asc(Column::HappenedAt)
        .limit(most)
        .into_tuple()
        .all(db)
        .await
}
