//! Which notifications go by a mail of their own, and which go together.
//!
//! Invariant: a notification is mailed once. Those that go together are known by whose they are and when their mail goes,
//! so that it needs no row of its own, and whatever joins it before then is in it.

use std::collections::{HashMap, HashSet};

use chrono::{DurationRound, NaiveTime, TimeDelta};
use chrono_tz::Tz;
use sea_orm::QuerySelect;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr};

use super::setting::{self, Delivery};
use super::{Column, Kind, Model};
use crate::access::user;
use crate::automation::message::{self, NotificationMail};
use crate::automation::workflow::moment;
use crate::error::Error;
use crate::id::{NotificationId, UserId};

/// How many mails of notifications a user gets within an hour; what is more goes together.
const MOST: i64 = 10;

/// How long it is gathered what is more.
const GATHERED: TimeDelta = TimeDelta::minutes(15);

/// How long before its mail a notification joins others at the latest.
const CLOSED: TimeDelta = TimeDelta::minutes(1);

/// When users get in the morning what they want then.
const MORNING: NaiveTime = NaiveTime::from_hms_opt(8, 0, 0).expect("a time");

/// The mails of a batch of notifications.
#[derive(Debug, Default)]
pub(super) struct Letters {
    alone: Vec<NotificationMail>,
    together: HashMap<Uuid, NotificationMail>,
    of: Vec<(NotificationId, Uuid)>,
}

impl Letters {
    /// The mails, each once.
    pub fn mails(&self) -> Vec<NotificationMail> {
        self.alone.iter().chain(self.together.values()).copied().collect()
    }

    /// In which of them a notification goes together with others.
    pub fn digest(&self) -> Expr {
        if self.of.is_empty() {
            return Expr::col(Column::DigestId);
        }
        let is = |case: CaseStatement, (id, digest): &(NotificationId, Uuid)| {
            case.case(Column::Id.eq(*id), Expr::val(*digest))
        };
        let case = self.of.iter().fold(CaseStatement::new(), is);
        case.finally(Expr::col(Column::DigestId)).into()
    }

    fn add(&mut self, row: &Model, at: Option<DateTimeUtc>, now: DateTimeUtc) {
        let user = row.user_id;
        let Some(at) = at else {
            self.alone.push(NotificationMail { subject: row.id.0, user, at: now });
            return;
        };
        let subject = Uuid::new_v5(&user.0, format!("digest {}", at.timestamp_micros()).as_bytes());
        self.together.insert(subject, NotificationMail { subject, user, at });
        self.of.push((row.id, subject));
    }
}

/// The mails of `rows`, as far as these go by mail and have none yet.
///
/// # Errors
/// The database.
pub(super) async fn letters(
    db: &impl ConnectionTrait,
    rows: &[Model],
    now: DateTimeUtc,
) -> Result<Letters, Error> {
    let mut letters = Letters::default();
    let mailed: Vec<_> = rows.iter().filter(|row| row.mailed && row.digest_id.is_none()).collect();
    let (urgent, others): (Vec<_>, Vec<_>) =
        mailed.into_iter().partition(|row| row.kind.is_urgent());
    for row in urgent {
        letters.add(row, None, now);
    }
    if others.is_empty() {
        return Ok(letters);
    }
    let users: HashSet<UserId> = others.iter().map(|row| row.user_id).collect();
    let wanted = in_the_morning(db, users.iter().copied()).await?;
    let (later, soon): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|row| wanted.contains(&(row.user_id, row.kind)));
    let zones = match later.is_empty() {
        true => HashMap::new(),
        false => user::zones(db, users.iter().copied()).await?,
    };
    for row in later {
        let zone = zones.get(&row.user_id).copied().unwrap_or(Tz::UTC);
        letters.add(row, Some(moment::next(now + CLOSED, MORNING, zone)), now);
    }
    let mut mails = message::notified(db, users, now - TimeDelta::hours(1)).await?;
    for row in &soon {
        *mails.entry(row.user_id).or_default() += 1;
    }
    for row in soon {
        let is_much = mails.get(&row.user_id).is_some_and(|mails| *mails > MOST);
        letters.add(row, is_much.then(|| gathered(now)), now);
    }
    Ok(letters)
}

/// When what is gathered at `now` is mailed.
fn gathered(now: DateTimeUtc) -> DateTimeUtc {
    let soonest = now + CLOSED;
    soonest.duration_trunc(GATHERED).unwrap_or(soonest) + GATHERED
}

/// What users want in the morning.
async fn in_the_morning(
    db: &impl ConnectionTrait,
    users: impl IntoIterator<Item = UserId>,
) -> Result<HashSet<(UserId, Kind)>, DbErr> {
    let wanted = setting::Entity::find()
        .select_only()
        .columns([setting::Column::UserId, setting::Column::Kind])
        .filter(setting::Column::UserId.is_in(users))
        .filter(setting::Column::Delivery.eq(Delivery::Digest));
    Ok(wanted.into_tuple::<(UserId, Kind)>().all(db).await?.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_gathered_leaves_at_a_quarter_of_an_hour_that_is_still_ahead(at in 0_i64..4_000_000_000) {
            let now = DateTimeUtc::from_timestamp(at, 0).unwrap();
            let leaves = gathered(now);
            prop_assert_eq!(leaves.timestamp() % 900, 0);
            prop_assert!(leaves > now + CLOSED && leaves <= now + CLOSED + GATHERED);
        }
    }
}
