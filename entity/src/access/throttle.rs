//! How often somebody may try: the generic cell rate algorithm, one number for each bucket.
//!
//! A bucket holds `burst` attempts and gets one back every `interval`. What is stored is when it will be
//! full again, which says how empty it is now; a full one needs no row.
//!
//! Invariant: an attempt is counted before it is made, in one statement, so that attempts at once, in
//! whichever process and however many in one request, count one by one.

use std::net::IpAddr;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, ExprTrait, OnConflict};

use super::secret::sha256;
use crate::error::Error;

/// A bucket that is not full.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "throttle")]
pub struct Model {
    /// What is counted, of whom.
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: String,
    /// When it will be full, in microseconds since the epoch.
    pub full_at_us: i64,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// A password, or a code of a second factor.
    Login,
    /// A refresh token.
    Refresh,
    /// To have a mail sent for choosing a new password.
    ResetRequest,
    /// A token from such a mail.
    Reset,
}

/// How much a bucket holds, and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Limit {
    burst: i64,
    interval: TimeDelta,
}

const fn limit(burst: i64, interval: TimeDelta) -> Limit {
    Limit { burst, interval }
}

impl Attempt {
    fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Refresh => "refresh",
            Self::ResetRequest => "reset_request",
            Self::Reset => "reset",
        }
    }

    fn of_account(self) -> Limit {
        match self {
            Self::Login => limit(10, TimeDelta::minutes(1)),
            Self::Refresh | Self::Reset => limit(30, TimeDelta::seconds(10)),
            Self::ResetRequest => limit(3, TimeDelta::minutes(20)),
        }
    }

    fn of_address(self) -> Limit {
        match self {
            Self::Login => limit(50, TimeDelta::seconds(10)),
            Self::Refresh => limit(300, TimeDelta::seconds(1)),
            Self::ResetRequest | Self::Reset => limit(20, TimeDelta::minutes(1)),
        }
    }
}

/// A bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    limit: Limit,
}

impl Bucket {
    /// Of an account: what is tried for it, whether or not it exists.
    #[must_use]
    pub fn account(attempt: Attempt, account: &str) -> Self {
        let name = format!("{}:{}", attempt.name(), &sha256(account.trim())[..32]);
        Self { name, limit: attempt.of_account() }
    }

    /// Of an address. Whoever has one address of IPv6 has 2⁶⁴ of them, which count as one.
    #[must_use]
    pub fn address(attempt: Attempt, address: IpAddr) -> Self {
        let network = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}")
            }
        };
        let name = format!("{}@{network}", attempt.name());
        Self { name, limit: attempt.of_address() }
    }

    fn interval_us(&self) -> i64 {
        self.limit.interval.num_microseconds().unwrap_or(i64::MAX / 2)
    }
}

/// Takes an attempt out of each bucket. `Some` is how long to wait when one of them is empty.
///
/// # Errors
/// The database.
pub async fn take(
    txn: &impl ConnectionTrait,
    buckets: &[Bucket],
    now: DateTimeUtc,
) -> Result<Option<TimeDelta>, Error> {
    let now_us = now.timestamp_micros();
    for bucket in buckets {
        let interval = bucket.interval_us();
        let latest = now_us + interval * (bucket.limit.burst - 1);
        let row =
            ActiveModel { bucket: Set(bucket.name.clone()), full_at_us: Set(now_us + interval) };
        let full_at = || Expr::col((Entity, Column::FullAtUs));
        let from: Expr =
            CaseStatement::new().case(full_at().gt(now_us), full_at()).finally(now_us).into();
        let count = OnConflict::column(Column::Bucket)
            .value(Column::FullAtUs, from.add(interval))
            .action_and_where(full_at().lte(latest))
            .to_owned();
        if Entity::insert(row).on_conflict(count).exec_without_returning(txn).await? == 1 {
            continue;
        }
        let found = Entity::find_by_id(bucket.name.clone()).one(txn).await?;
        let wait = found.map_or(0, |row| row.full_at_us - latest);
        return Ok(Some(TimeDelta::microseconds(wait)));
    }
    Ok(None)
}

/// Puts an attempt that was none back into each bucket. Call it last in a transaction: all who come from
/// one place wait for each other from here to the commit.
///
/// # Errors
/// The database.
pub async fn give_back(txn: &impl ConnectionTrait, buckets: &[Bucket]) -> Result<(), Error> {
    for bucket in buckets {
        Entity::update_many()
            .col_expr(Column::FullAtUs, Expr::col(Column::FullAtUs).sub(bucket.interval_us()))
            .filter(Column::Bucket.eq(&bucket.name))
            .exec(txn)
            .await?;
    }
    Ok(())
}

/// Fills a bucket.
///
/// # Errors
/// The database.
pub async fn fill(txn: &impl ConnectionTrait, bucket: &Bucket) -> Result<(), Error> {
    Entity::delete_by_id(bucket.name.clone()).exec(txn).await?;
    Ok(())
}

/// Forgets the buckets that are full.
///
/// # Errors
/// The database.
pub async fn tidy(txn: &impl ConnectionTrait, now: DateTimeUtc) -> Result<(), Error> {
    Entity::delete_many().filter(Column::FullAtUs.lt(now.timestamp_micros())).exec(txn).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_with_those_that_its_owner_has_as_well() {
        let bucket = |text: &str| Bucket::address(Attempt::Login, text.parse().unwrap()).name;
        assert_eq!(bucket("192.0.2.7"), "login@192.0.2.7");
        assert_eq!(bucket("::ffff:192.0.2.7"), "login@192.0.2.7");
        assert_eq!(bucket("2001:db8:0:1::7"), bucket("2001:db8:0:1:ffff::8"));
        assert_ne!(bucket("2001:db8:0:1::7"), bucket("2001:db8:0:2::7"));
    }
}
