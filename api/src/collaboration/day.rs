//! What somebody has to do today.

use std::collections::BTreeSet;

use async_graphql::{Context, Object, SimpleObject};
use entity::Error;
use entity::access::user;
use entity::collaboration::calendar;

use super::calendar::{CalendarEntry, shown, span};
use crate::context::{Ask, LoggedIn};
use crate::error::{Fault, UserError, refused};
use crate::scalar::Date;

/// What you have to do today.
#[derive(SimpleObject)]
pub struct MyDay {
    /// The zone on whose clock the day begins and ends: yours, which `setTimeZone` chooses.
    time_zone: String,
    /// The day that it is there.
    on: Date,
    /// What you should have done by now, what is so for longest first: open tasks that were due, and planned calls that
    /// were forgotten, whenever that was. The first 200 of each; `tasks` and `calls` have all of them.
    late: Vec<CalendarEntry>,
    /// What else there is today, in the order in which it begins: appointments with each of their occurrences, calls, and
    /// tasks that are due, also what is done already.
    entries: Vec<CalendarEntry>,
}

/// The answer to the question what you have to do today.
#[derive(SimpleObject)]
pub struct MyDayPayload {
    /// That; null when it is too much to be shown.
    my_day: Option<MyDay>,
    /// Why there is none; empty on success.
    user_errors: Vec<UserError>,
}

/// What somebody has to do today.
#[derive(Default)]
pub struct DayQuery;

/// What somebody has to do today.
#[Object]
impl DayQuery {
    /// What you have to do today, for the first page of an application. Ask for `unreadNotifications` beside it. Your
    /// calls on later days are `calls(filter: { state: { eq: PLANNED }, assignee: { id: { eq: "usr_…" } } }, orderBy:
    /// [{ field: PLANNED_AT }])`.
    #[graphql(guard = "LoggedIn", complexity = "20 + 40 * child_complexity")]
    async fn my_day(&self, ctx: &Context<'_>) -> Result<MyDayPayload, Fault> {
        let (db, viewer, now) = (ctx.reader(), ctx.viewer()?, ctx.now());
        let found = async {
            let zone = user::zone_of(db, Some(viewer.user)).await?;
            let today = now.with_timezone(&zone).date_naive();
            let late = calendar::late(db, &viewer, viewer.user, now).await?;
            let known: BTreeSet<_> = late.iter().map(|entry| (entry.kind, entry.id)).collect();
            let within = span(today, 1, zone)?;
            let mut entries = calendar::entries(db, &viewer, &[viewer.user], within).await?;
            entries.retain(|entry| !known.contains(&(entry.kind, entry.id)));
            // Their records are read together.
            let count = late.len();
            let mut late = shown([late, entries].concat(), zone);
            let entries = late.split_off(count);
            let time_zone = zone.name().to_owned();
            Ok::<_, Error>(MyDay { time_zone, on: Date(today), late, entries })
        };
        Ok(match found.await {
            Ok(my_day) => MyDayPayload { my_day: Some(my_day), user_errors: Vec::new() },
            Err(error) => MyDayPayload { my_day: None, user_errors: refused(error)? },
        })
    }
}
