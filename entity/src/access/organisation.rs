//! The organisation that Rapport works for. Invariant: there is exactly one once it is set up.

use chrono_tz::Tz;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::ExprTrait;
use sea_orm::{ActiveEnum, UpdateMany};

use super::{AccessError, Actor};
use crate::automation::sending::HeldWhy;
use crate::error::Error;
use crate::money::Currency;
use crate::text;

/// Who we are, as documents and mails show it, and what applies where a customer says nothing.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organisation")]
pub struct Model {
    /// Always the same.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The registered name.
    pub name: String,
    /// The postal address, a line each.
    pub address: String,
    /// The tax number, as documents show it.
    pub tax_number: Option<String>,
    /// Where customers' answers go, and who mails come from.
    pub email: String,
    /// A telephone number for customers.
    pub phone: Option<String>,
    /// IANA zone that days are counted in, such as `Asia/Ho_Chi_Minh`.
    pub time_zone: String,
    /// The currency of new customers.
    pub currency: Currency,
    /// The language of new customers, such as `vi`.
    pub locale: String,
    /// Since when nothing is sent.
    pub sending_held_at: Option<DateTimeUtc>,
    /// Why nothing is.
    pub sending_held_why: Option<HeldWhy>,
    /// When it was last changed.
    pub updated_at: DateTimeUtc,
    /// By whom.
    pub updated_by: Option<crate::id::UserId>,
    /// Counts up with every change.
    pub version: i32,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Model {
    /// The zone that days are counted in.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.time_zone.parse().unwrap_or(Tz::UTC)
    }

    /// The calendar day it is for the organisation.
    #[must_use]
    pub fn today(&self, now: DateTimeUtc) -> Date {
        now.with_timezone(&self.zone()).date_naive()
    }
}

/// What an organisation is set up with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The registered name.
    pub name: String,
    /// The postal address, a line each.
    pub address: String,
    /// The tax number.
    pub tax_number: Option<String>,
    /// Who mails come from.
    pub email: String,
    /// A telephone number for customers.
    pub phone: Option<String>,
    /// The zone that days are counted in.
    pub time_zone: Tz,
    /// The currency of new customers.
    pub currency: Currency,
    /// The language of new customers.
    pub locale: String,
}

/// The organisation.
///
/// # Errors
/// [`AccessError::NoOrganisation`] before it is set up.
pub async fn get(db: &impl ConnectionTrait) -> Result<Model, Error> {
    Ok(find(db).await?.ok_or(AccessError::NoOrganisation)?)
}

/// The organisation, if it is set up.
///
/// # Errors
/// The database.
pub async fn find(db: &impl ConnectionTrait) -> Result<Option<Model>, DbErr> {
    Entity::find_by_id(Uuid::nil()).one(db).await
}

/// Sets the organisation up; a second time changes nothing.
///
/// # Errors
/// `Invalid` for a malformed address; the database.
pub async fn set_up(
    txn: &impl ConnectionTrait,
    settings: Settings,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Model, Error> {
    if let Some(existing) = find(txn).await? {
        return Ok(existing);
    }
    let row = ActiveModel {
        id: Set(Uuid::nil()),
        name: Set(text::clean(&settings.name)),
        address: Set(text::clean_lines(&settings.address)),
        tax_number: Set(settings.tax_number),
        email: Set(crate::customers::parse_email(&settings.email)?),
        phone: Set(settings.phone),
        time_zone: Set(settings.time_zone.name().to_owned()),
        currency: Set(settings.currency),
        locale: Set(settings.locale),
        sending_held_at: Set(None),
        sending_held_why: Set(None),
        updated_at: Set(now),
        updated_by: Set(actor.user()),
        version: Set(1),
    };
    Ok(row.insert(txn).await?)
}

/// Puts sending on hold, unless it is.
pub(crate) async fn hold_sending(
    txn: &impl ConnectionTrait,
    why: HeldWhy,
    now: DateTimeUtc,
) -> Result<(), DbErr> {
    let held = changed(Actor::System, now)
        .col_expr(Column::SendingHeldAt, Expr::val(now))
        .col_expr(Column::SendingHeldWhy, Expr::val(why.to_value()))
        .filter(Column::SendingHeldAt.is_null());
    held.exec(txn).await.map(drop)
}

/// Lets sending go on; gives whether it was on hold.
pub(crate) async fn release_sending(
    txn: &impl ConnectionTrait,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<bool, DbErr> {
    let released = changed(actor, now)
        .col_expr(Column::SendingHeldAt, Expr::val(None::<DateTimeUtc>))
        .col_expr(Column::SendingHeldWhy, Expr::val(None::<String>))
        .filter(Column::SendingHeldAt.is_not_null());
    Ok(released.exec(txn).await?.rows_affected > 0)
}

/// A change by somebody.
fn changed(actor: Actor, now: DateTimeUtc) -> UpdateMany<Entity> {
    Entity::update_many()
        .col_expr(Column::UpdatedAt, Expr::val(now))
        .col_expr(Column::UpdatedBy, Expr::val(actor.user()))
        .col_expr(Column::Version, Expr::col(Column::Version).add(1))
}
