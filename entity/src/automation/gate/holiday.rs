//! Holidays: days on which people do not work, country by country.

use std::collections::{BTreeMap, HashMap, HashSet};

use sea_orm::IntoActiveModel;
use sea_orm::entity::prelude::*;

use crate::access::Actor;
use crate::catalog::catalog;
use crate::check::Check;
use crate::customers::address::parse_country;
use crate::customers::parse_required;
use crate::error::Error;
use crate::id::{HolidayId, Id, UserId};

/// How many days of a year may be holidays.
const MOST: usize = 60;

/// A holiday.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "holiday")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: HolidayId,
    /// Where, as ISO 3166-1 alpha-2.
    pub country: String,
    /// The day.
    pub day_on: Date,
    /// What it is called.
    pub name: String,
    /// When the row came to be.
    pub created_at: DateTimeUtc,
    /// By whom.
    pub created_by: Option<UserId>,
}

catalog! {
    /// A day on which people in a country do not work.
    Holiday (holiday, holidays) of Entity;
    /// Where, as ISO 3166-1 alpha-2, such as `VN`.
    country: text(Column::Country).filtered().ordered().grouped(),
    /// The day.
    day_on: day(Column::DayOn).filtered().ordered(),
    /// What it is called.
    name: text(Column::Name).filtered(),
}

/// Says which days of a year are holidays in a country, instead of those that were before.
///
/// # Errors
/// `Invalid` with everything that is wrong.
pub async fn set(
    txn: &impl ConnectionTrait,
    country: &str,
    year: i32,
    days: Vec<(Date, String)>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<Vec<Model>, Error> {
    use chrono::Datelike;
    let mut check = Check::default();
    let mut code = None;
    check.put(parse_country(Some(country.to_owned())), &mut code);
    check.that(code.is_some() || country.trim().len() > 2, "country", "name a country");
    check.that(days.len() <= MOST, "days", format!("a year has up to {MOST} holidays"));
    let mut named = BTreeMap::new();
    for (index, (day, name)) in days.into_iter().enumerate() {
        check.within("days", index, |check| {
            let mut clean = String::new();
            check.put(parse_required("name", &name, 100), &mut clean);
            check.that(day.year() == year, "on", format!("this day is not in {year}"));
            check.that(named.insert(day, clean).is_none(), "on", "this day is named twice");
        });
    }
    check.end()?;
    let country = code.unwrap_or_default();
    let first = Date::from_ymd_opt(year, 1, 1);
    let last = Date::from_ymd_opt(year, 12, 31);
    let Some((first, last)) = first.zip(last) else {
        return Err(Error::invalid("year", "there is no such year"));
    };
    Entity::delete_many()
        .filter(Column::Country.eq(&country))
        .filter(Column::DayOn.between(first, last))
        .exec(txn)
        .await?;
    let rows = named.into_iter().map(|(day_on, name)| Model {
        id: HolidayId::new(now),
        country: country.clone(),
        day_on,
        name,
        created_at: now,
        created_by: actor.user(),
    });
    let rows = rows.collect::<Vec<_>>();
    if !rows.is_empty() {
        let all = rows.iter().cloned().map(|row| row.into_active_model().reset_all());
        Entity::insert_many(all).exec_without_returning(txn).await?;
    }
    Ok(rows)
}

/// The holidays of countries, from a day on.
///
/// # Errors
/// The database.
pub(crate) async fn of(
    db: &impl ConnectionTrait,
    countries: HashSet<&str>,
    since: Date,
) -> Result<HashMap<String, Vec<Date>>, DbErr> {
    let mut holidays = HashMap::<_, Vec<_>>::new();
    if countries.is_empty() {
        return Ok(holidays);
    }
    let rows = Entity::find()
        .filter(Column::Country.is_in(countries))
        .filter(Column::DayOn.gte(since))
        .all(db)
        .await?;
    for row in rows {
        holidays.entry(row.country).or_default().push(row.day_on);
    }
    Ok(holidays)
}
