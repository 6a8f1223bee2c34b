//! Rows that people add, change and remove, every kind of them in the same way.
//!
//! Invariant: a change locks its row, compares the version that it was made on, and leaves who made it,
//! when, and one version more. What is written was checked, and is in its stored form.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, LockType};
use sea_orm::{ActiveValue, IntoActiveModel, Iterable, QuerySelect, TryIntoModel};

use crate::access::{Actor, audit, user};
use crate::automation::event;
use crate::catalog::Cataloged;
use crate::check::Check;
use crate::collaboration::reminder::{self, Due};
use crate::customers::{contact, customer};
use crate::error::Error;
use crate::id::{ContactId, CustomerId, Id, UserId};

/// A row that people change; the macro `edited!` says what it takes.
pub trait Edited: ModelTrait + Sync {
    /// Its version.
    fn version(&self) -> i32;

    /// Notes who changes it now.
    fn touch(&mut self, actor: Actor, now: DateTimeUtc);
}

/// What is written down of each kind of change.
#[derive(Clone, Copy, Debug)]
pub struct Events {
    /// When a row is added.
    pub created: event::Kind,
    /// When it is changed.
    pub updated: event::Kind,
    /// When it is deleted, whether for good or not.
    pub deleted: event::Kind,
}

/// A row all of whose fields people may set, in any combination that passes its check.
pub trait Form: Edited {
    /// What identifies it.
    type Id: Id + Send + Sync;

    /// What is written down.
    const EVENTS: Events;

    /// Gives a row to be its id, and says who adds it.
    fn stamp(row: ActiveModelOf<Self>, actor: Actor, now: DateTimeUtc) -> ActiveModelOf<Self>;

    /// Brings every field into its stored form, and notes what is wrong.
    fn check(&mut self, check: &mut Check);

    /// Which it is.
    fn id(&self) -> Self::Id;

    /// The customer that it is part of; nothing changes about the parts of a deleted one.
    fn customer(&self) -> Option<CustomerId> {
        None
    }

    /// The person at the customer that it is about.
    fn contact(&self) -> Option<ContactId> {
        None
    }

    /// The user that it is given to, who can log in when they get it.
    fn assignee(&self) -> Option<UserId> {
        None
    }

    /// What there is to remind of from now on, of what people are reminded of.
    fn reminds(&self, _: DateTimeUtc) -> Option<Due> {
        None
    }

    /// Whether it is deleted; then nothing changes about it.
    fn is_deleted(&self) -> bool {
        false
    }
}

/// A row that can be deleted, and restored.
pub trait Restorable: Form {
    /// What is written down when its deletion is taken back.
    const RESTORED: event::Kind;

    /// Since when it is deleted.
    fn deleted_at(&mut self) -> &mut Option<DateTimeUtc>;
}

/// A kind of row all of whose fields people may set.
pub trait Editable:
    Cataloged
    + EntityTrait<
        Model: Form<Entity = Self> + IntoActiveModel<Self::ActiveModel>,
        ActiveModel: ActiveModelBehavior + TryIntoModel<Self::Model> + Clone + Send + Sync,
        PrimaryKey: PrimaryKeyTrait<ValueType = <Self::Model as Form>::Id>,
    >
{
}

impl<E> Editable for E where
    E: Cataloged
        + EntityTrait<
            Model: Form<Entity = E> + IntoActiveModel<E::ActiveModel>,
            ActiveModel: ActiveModelBehavior + TryIntoModel<E::Model> + Clone + Send + Sync,
            PrimaryKey: PrimaryKeyTrait<ValueType = <E::Model as Form>::Id>,
        >
{
}

/// The id of a row of `E`.
pub type IdOf<E> = <<E as EntityTrait>::Model as Form>::Id;

type ActiveModelOf<M> = <<M as ModelTrait>::Entity as EntityTrait>::ActiveModel;
type KeyOf<E> = <<E as EntityTrait>::PrimaryKey as PrimaryKeyTrait>::ValueType;

/// Declares a row that people change. With the type of its id and the events it also says how a new row is
/// stamped, with what its other columns have to begin with.
macro_rules! edited {
    () => {
        impl $crate::edit::Edited for Model {
            fn version(&self) -> i32 {
                self.version
            }

            fn touch(&mut self, actor: $crate::access::Actor, now: DateTimeUtc) {
                self.updated_at = now;
                self.updated_by = actor.user();
                self.version += 1;
            }
        }
    };
    ($id:ty, $created:ident / $updated:ident / $deleted:ident,
        { $($field:ident: $value:expr),* } $(, part of $customer:ident)?
        $(, with $contact:ident)?
        $(, given to $assignee:ident)?
        $(, reminding by $due:ident)?
        $(, deleted by $deleted_at:ident / $restored:ident)?) => {
        $crate::edit::edited!();

        impl $crate::edit::Form for Model {
            type Id = $id;

            const EVENTS: $crate::edit::Events = $crate::edit::Events {
                created: $crate::automation::event::Kind::$created,
                updated: $crate::automation::event::Kind::$updated,
                deleted: $crate::automation::event::Kind::$deleted,
            };

            fn stamp(row: ActiveModel, actor: $crate::access::Actor, now: DateTimeUtc) -> ActiveModel {
                use sea_orm::ActiveValue::Set;
                ActiveModel {
                    id: Set($crate::id::Id::new(now)),
                    created_at: Set(now),
                    created_by: Set(actor.user()),
                    updated_at: Set(now),
                    updated_by: Set(actor.user()),
                    version: Set(1),
                    $($field: Set($value),)*
                    ..row
                }
            }

            fn check(&mut self, check: &mut $crate::check::Check) {
                self.check(check);
            }

            fn id(&self) -> $id {
                self.id
            }

            $(fn customer(&self) -> Option<$crate::id::CustomerId> {
                self.$customer.into()
            })?

            $(fn contact(&self) -> Option<$crate::id::ContactId> {
                self.$contact
            })?

            $(fn assignee(&self) -> Option<$crate::id::UserId> {
                self.$assignee
            })?

            $(fn reminds(&self, now: DateTimeUtc) -> Option<$crate::collaboration::reminder::Due> {
                Some(self.$due(now))
            })?

            $(fn is_deleted(&self) -> bool {
                self.$deleted_at.is_some()
            })?
        }

        $(impl $crate::edit::Restorable for Model {
            const RESTORED: $crate::automation::event::Kind =
                $crate::automation::event::Kind::$restored;

            fn deleted_at(&mut self) -> &mut Option<DateTimeUtc> {
                &mut self.$deleted_at
            }
        })?
    };
}
pub(crate) use edited;

/// The row, locked, if it still has `expected_version` (where one is given).
///
/// # Errors
/// That there is none, [`Error::StaleVersion`].
pub async fn lock<E>(
    txn: &impl ConnectionTrait,
    id: impl Into<KeyOf<E>>,
    expected_version: Option<i32>,
) -> Result<E::Model, Error>
where
    E: EntityTrait<Model: Edited> + Cataloged,
{
    let row = E::find_by_id(id).lock_exclusive().one(txn).await?.ok_or_else(missing::<E>)?;
    unchanged(&row, expected_version)?;
    Ok(row)
}

/// The same of a row that is not deleted, and whose customer is not either.
///
/// # Errors
/// That there is none, [`Error::StaleVersion`].
pub(crate) async fn lock_present<E>(
    txn: &impl ConnectionTrait,
    id: IdOf<E>,
    expected_version: Option<i32>,
) -> Result<E::Model, Error>
where
    E: Editable,
{
    let row = lock::<E>(txn, id, expected_version).await?;
    if row.is_deleted() {
        return Err(missing::<E>());
    }
    hold(txn, &row).await?;
    Ok(row)
}

/// Removes rows for good, and what the audit log says of them; gives how many.
///
/// # Errors
/// The database.
pub(crate) async fn purge<E: EntityTrait + Cataloged>(
    txn: &impl ConnectionTrait,
    gone: Vec<KeyOf<E>>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<u64, Error>
where
    KeyOf<E>: Id,
{
    if gone.is_empty() {
        return Ok(0);
    }
    let gone: Vec<Uuid> = gone.into_iter().map(Into::into).collect();
    let these = E::record().column("id").is_in(gone.iter().copied());
    let removed = E::delete_many().filter(these).exec(txn).await?;
    audit::erase(txn, gone, actor, now).await?;
    Ok(removed.rows_affected)
}

/// Makes sure that the row still has `expected_version` (where one is given).
///
/// # Errors
/// [`Error::StaleVersion`].
pub fn unchanged(row: &impl Edited, expected_version: Option<i32>) -> Result<(), Error> {
    match expected_version {
        Some(version) if version != row.version() => {
            Err(Error::StaleVersion { current: row.version() })
        }
        _ => Ok(()),
    }
}

/// Writes a changed row.
///
/// # Errors
/// The database.
pub async fn save<E>(
    txn: &impl ConnectionTrait,
    mut row: E::Model,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: EntityTrait<Model: Edited + IntoActiveModel<E::ActiveModel>>,
    E::ActiveModel: ActiveModelBehavior + Send,
{
    row.touch(actor, now);
    Ok(row.into_active_model().reset_all().update(txn).await?)
}

/// Adds a row.
///
/// # Errors
/// `Invalid` with all fields that are wrong, that there is no such customer.
pub async fn create<E>(
    txn: &impl ConnectionTrait,
    row: E::ActiveModel,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: Editable,
{
    let mut check = Check::default();
    let row = checked::<E>(row, &mut check, actor, now)?;
    check.end()?;
    hold(txn, &row).await?;
    ensure_contact(txn, &row).await?;
    ensure_assignee(txn, &row).await?;
    let row = row.into_active_model().reset_all().insert(txn).await?;
    note(txn, E::Model::EVENTS.created, &row, actor, now).await?;
    Ok(row)
}

/// Adds rows, each by who does so; gives them in their order. Whether what they refer to is there is for the caller to
/// find out.
///
/// # Errors
/// `Invalid` with all fields that are wrong.
pub(crate) async fn create_all<E>(
    txn: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = (E::ActiveModel, Actor)>,
    now: DateTimeUtc,
) -> Result<Vec<E::Model>, Error>
where
    E: Editable,
{
    let (mut check, mut events, mut added) = (Check::default(), Vec::new(), Vec::new());
    for (row, actor) in rows {
        let row = checked::<E>(row, &mut check, actor, now)?;
        let kind = E::Model::EVENTS.created;
        events.push(event::new(kind, row.id().into(), row.customer(), actor, now));
        added.push(row);
    }
    check.end()?;
    if added.is_empty() {
        return Ok(added);
    }
    let rows = added.iter().cloned().map(|row| row.into_active_model().reset_all());
    E::insert_many(rows).exec_without_returning(txn).await?;
    event::Entity::insert_many(events).exec_without_returning(txn).await?;
    Ok(added)
}

/// Adds the rows of a `list` that came with something else: what is wrong is noted, and nothing is
/// written down of each.
///
/// # Errors
/// A field without a value.
pub fn parts<E>(
    rows: impl IntoIterator<Item = E::ActiveModel>,
    list: &str,
    check: &mut Check,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<E::ActiveModel>, Error>
where
    E: Editable,
{
    let mut parts = Vec::new();
    for (index, row) in rows.into_iter().enumerate() {
        let mut part = None;
        check.within(list, index, |check| part = Some(checked::<E>(row, check, actor, now)));
        parts.extend(part.transpose()?.map(|row| row.into_active_model().reset_all()));
    }
    Ok(parts)
}

/// Changes the fields of a row that are set in `change`.
///
/// # Errors
/// `Invalid` with all fields that are wrong, that there is none, [`Error::StaleVersion`].
pub async fn update<E>(
    txn: &impl ConnectionTrait,
    id: IdOf<E>,
    change: E::ActiveModel,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: Editable,
{
    let row = lock_present::<E>(txn, id, expected_version).await?;
    let (contact, assignee) = (row.contact(), row.assignee());
    let mut row = row.into_active_model();
    for column in E::Column::iter() {
        if let ActiveValue::Set(value) = change.get(column) {
            row.set(column, value);
        }
    }
    let mut row = row.try_into_model()?;
    let mut check = Check::default();
    Form::check(&mut row, &mut check);
    check.end()?;
    if row.contact() != contact {
        ensure_contact(txn, &row).await?;
    }
    if row.assignee() != assignee {
        ensure_assignee(txn, &row).await?;
    }
    note(txn, E::Model::EVENTS.updated, &row, actor, now).await?;
    save::<E>(txn, row, actor, now).await
}

/// Removes a row for good, and gives it.
///
/// # Errors
/// That there is none, [`Error::StaleVersion`].
pub async fn remove<E>(
    txn: &impl ConnectionTrait,
    id: IdOf<E>,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: Editable,
{
    let row = lock::<E>(txn, id, expected_version).await?;
    hold(txn, &row).await?;
    note(txn, E::Model::EVENTS.deleted, &row, actor, now).await?;
    row.clone().into_active_model().delete(txn).await?;
    Ok(row)
}

/// Deletes a row so that it can be restored, or takes that back, as `deleted` says. What is so already
/// stays as it is.
///
/// # Errors
/// That there is none, [`Error::StaleVersion`].
pub async fn delete<E>(
    txn: &impl ConnectionTrait,
    id: IdOf<E>,
    deleted: bool,
    expected_version: Option<i32>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: Editable<Model: Restorable>,
{
    let mut row = lock::<E>(txn, id, expected_version).await?;
    if row.is_deleted() == deleted {
        return Ok(row);
    }
    hold(txn, &row).await?;
    *row.deleted_at() = deleted.then_some(now);
    let kind = if deleted { E::Model::EVENTS.deleted } else { E::Model::RESTORED };
    note(txn, kind, &row, actor, now).await?;
    save::<E>(txn, row, actor, now).await
}

fn checked<E>(
    row: E::ActiveModel,
    check: &mut Check,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<E::Model, Error>
where
    E: Editable,
{
    let mut row = E::Model::stamp(row, actor, now).try_into_model()?;
    Form::check(&mut row, check);
    Ok(row)
}

/// The failure of an id that names none, which is the argument `id` of whatever changes it.
fn missing<E: Cataloged>() -> Error {
    Error::no_such::<E>().at(&["id"])
}

async fn hold(txn: &impl ConnectionTrait, row: &impl Form) -> Result<(), Error> {
    match row.customer() {
        Some(id) => customer::hold(txn, id).await.map(drop),
        None => Ok(()),
    }
}

/// Makes sure that who a row is given to can log in.
async fn ensure_assignee(txn: &impl ConnectionTrait, row: &impl Form) -> Result<(), Error> {
    match active(txn, row.assignee()).await? == row.assignee() {
        true => Ok(()),
        false => Err(Error::no_such::<user::Entity>().at(&["input", "assigneeId"])),
    }
}

/// The user, if they can log in.
pub(crate) async fn active(
    txn: &impl ConnectionTrait,
    user: Option<UserId>,
) -> Result<Option<UserId>, Error> {
    let Some(id) = user else { return Ok(None) };
    let active = user::Entity::find_by_id(id).filter(user::Column::DisabledAt.is_null());
    Ok(active.one(txn).await?.map(|user| user.id))
}

/// Makes sure that the person whom a row is about is at its customer.
async fn ensure_contact(txn: &impl ConnectionTrait, row: &impl Form) -> Result<(), Error> {
    let Some(id) = row.contact() else { return Ok(()) };
    let there = contact::Entity::find_by_id(id)
        .filter(contact::Column::CustomerId.eq(row.customer()))
        .lock(LockType::KeyShare);
    match there.one(txn).await? {
        Some(_) => Ok(()),
        None => Err(Error::no_such::<contact::Entity>().at(&["input", "contactId"])),
    }
}

/// Writes down what happened to a row, and lets its reminders follow.
pub(crate) async fn note(
    txn: &impl ConnectionTrait,
    kind: event::Kind,
    row: &impl Form,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    reminder::follow(txn, row.reminds(now), now).await?;
    event::emit(txn, kind, row.id().into(), row.customer(), actor, now).await
}
