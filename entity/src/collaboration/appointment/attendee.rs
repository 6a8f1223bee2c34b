//! Who takes part in an appointment, and whether they come.
//!
//! Invariant: who invites to it takes part, and nobody takes part twice.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{ExprTrait, OnConflict};
use sea_orm::{ActiveEnum, Condition, DeriveActiveEnum, EnumIter, QueryOrder};

use crate::access::{Actor, user};
use crate::catalog::catalog;
use crate::collaboration::appointment;
use crate::customers::contact;
use crate::error::Error;
use crate::id::{AppointmentId, AttendeeId, ContactId, CustomerId, Id, UserId};

/// How many people take part in an appointment at most.
pub const MOST: usize = 200;

/// Whether somebody comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Response {
    /// They have not said.
    Awaited,
    /// They come.
    Accepted,
    /// They may come.
    Tentative,
    /// They do not come.
    Declined,
}

/// Somebody who takes part.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attendee")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttendeeId,
    /// In what.
    pub appointment_id: AppointmentId,
    /// The user that it is.
    pub user_id: Option<UserId>,
    /// The person at the customer that it is.
    pub contact_id: Option<ContactId>,
    /// Whether they come.
    pub response: Response,
    /// When they said so.
    pub responded_at: Option<DateTimeUtc>,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// Somebody who takes part in an appointment: a user, or a person at the customer.
    Attendee of Entity, seen with [Column::AppointmentId => appointment::Entity];
    /// The appointment.
    appointment: one::<appointment::Entity>(Column::AppointmentId),
    /// The id of the user who takes part.
    user_id: uuid::<UserId>(Column::UserId).hidden(),
    /// The user who takes part; null when it is a person at the customer.
    user: one::<user::Entity>(Column::UserId),
    /// The person at the customer who takes part; null when it is a user, or when you may not see them.
    contact: one::<contact::Entity>(Column::ContactId),
    /// Whether they come.
    response: choice::<Response>("AttendeeResponse", Column::Response).filtered(),
    /// When they said so; null when they have not.
    responded_at: instant(Column::RespondedAt),
    /// Since when they take part.
    created_at: instant(Column::CreatedAt),
}

/// Who is to take part.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invited {
    /// Users.
    pub users: Vec<UserId>,
    /// People at the customer.
    pub contacts: Vec<ContactId>,
}

impl Invited {
    /// Makes sure that they can be invited to something with `customer`.
    pub(super) async fn ensure(
        &self,
        txn: &impl ConnectionTrait,
        customer: Option<CustomerId>,
    ) -> Result<(), Error> {
        if self.users.len() + self.contacts.len() > MOST {
            let message = format!("at most {MOST} people take part");
            return Err(Error::invalid("attendees", message));
        }
        user::ensure_all(txn, &self.users).await?;
        let mut contacts = self.contacts.clone();
        contacts.sort_unstable();
        contacts.dedup();
        if contacts.is_empty() {
            return Ok(());
        }
        let there = contact::Entity::find()
            .filter(contact::Column::Id.is_in(contacts.iter().copied()))
            .filter(contact::Column::CustomerId.eq(customer));
        match there.count(txn).await? == contacts.len() as u64 {
            true => Ok(()),
            false => Err(Error::no_such::<contact::Entity>().at(&["input", "contactIds"])),
        }
    }
}

/// Somebody who is to take part in an appointment.
fn new(appointment: AppointmentId, actor: Actor, now: DateTimeUtc) -> ActiveModel {
    ActiveModel {
        id: Set(AttendeeId::new(now)),
        appointment_id: Set(appointment),
        user_id: Set(None),
        contact_id: Set(None),
        response: Set(Response::Awaited),
        responded_at: Set(None),
        created_at: Set(now),
        created_by: Set(actor.user()),
    }
}

/// Who invites to an appointment, and so comes to it.
fn organizer(
    appointment: AppointmentId,
    user: UserId,
    actor: Actor,
    now: DateTimeUtc,
) -> ActiveModel {
    ActiveModel {
        user_id: Set(Some(user)),
        response: Set(Response::Accepted),
        responded_at: Set(Some(now)),
        ..new(appointment, actor, now)
    }
}

/// Lets those take part in new appointments who invite to them.
pub(super) async fn add_organizers(
    txn: &impl ConnectionTrait,
    rows: impl IntoIterator<Item = (&appointment::Model, Actor)>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let organizers = rows
        .into_iter()
        .filter_map(|(row, actor)| Some(organizer(row.id, row.organizer_id?, actor, now)));
    add(txn, organizers.collect()).await
}

/// Lets exactly these take part, and who invites to it; those who take part already keep what they said.
pub(super) async fn set(
    txn: &impl ConnectionTrait,
    row: &appointment::Model,
    invited: &Invited,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let others = Condition::all()
        .add(Column::UserId.is_null().or(Column::UserId.is_not_in(invited.users.iter().copied())))
        .add(
            Column::ContactId
                .is_null()
                .or(Column::ContactId.is_not_in(invited.contacts.iter().copied())),
        );
    let others = others.add_option(
        row.organizer_id.map(|organizer| Column::UserId.is_null().or(Column::UserId.ne(organizer))),
    );
    Entity::delete_many().filter(Column::AppointmentId.eq(row.id)).filter(others).exec(txn).await?;
    let blank = || new(row.id, actor, now);
    let organizer = row.organizer_id.map(|user| organizer(row.id, user, actor, now));
    let users =
        invited.users.iter().map(|user| ActiveModel { user_id: Set(Some(*user)), ..blank() });
    let contacts = invited.contacts.iter();
    let contacts =
        contacts.map(|contact| ActiveModel { contact_id: Set(Some(*contact)), ..blank() });
    add(txn, organizer.into_iter().chain(users).chain(contacts).collect()).await
}

/// Lets those who take part in one appointment take part in another one, with what they said.
pub(super) async fn copy(
    txn: &impl ConnectionTrait,
    from: AppointmentId,
    to: AppointmentId,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let rows = of(txn, from).await?.into_iter().map(|row| ActiveModel {
        id: Set(AttendeeId::new(now)),
        appointment_id: Set(to),
        user_id: Set(row.user_id),
        contact_id: Set(row.contact_id),
        response: Set(row.response),
        responded_at: Set(row.responded_at),
        created_at: Set(row.created_at),
        created_by: Set(row.created_by),
    });
    add(txn, rows.collect()).await
}

async fn add(txn: &impl ConnectionTrait, rows: Vec<ActiveModel>) -> Result<(), Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let once = OnConflict::new().do_nothing().to_owned();
    Entity::insert_many(rows).on_conflict(once).exec_without_returning(txn).await?;
    Ok(())
}

/// Who takes part in an appointment.
///
/// # Errors
/// The database.
pub async fn of(txn: &impl ConnectionTrait, id: AppointmentId) -> Result<Vec<Model>, DbErr> {
    Entity::find().filter(Column::AppointmentId.eq(id)).order_by_asc(Column::Id).all(txn).await
}

/// Asks all who take part again whether they come, apart from who invites to it.
pub(super) async fn ask_again(
    txn: &impl ConnectionTrait,
    row: &appointment::Model,
) -> Result<(), Error> {
    let organizer =
        row.organizer_id.map(|user| Column::UserId.is_null().or(Column::UserId.ne(user)));
    Entity::update_many()
        .col_expr(Column::Response, Expr::val(Response::Awaited.to_value()))
        .col_expr(Column::RespondedAt, Expr::val(None::<DateTimeUtc>))
        .filter(Column::AppointmentId.eq(row.id))
        .filter(Condition::all().add_option(organizer))
        .exec(txn)
        .await?;
    Ok(())
}

/// Notes whether a user comes.
pub(super) async fn respond(
    txn: &impl ConnectionTrait,
    id: AppointmentId,
    user: UserId,
    response: Response,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::Response, Expr::val(response.to_value()))
        .col_expr(Column::RespondedAt, Expr::val(now))
        .filter(Column::AppointmentId.eq(id))
        .filter(Column::UserId.eq(user))
        .exec(txn)
        .await?;
    Ok(())
}
