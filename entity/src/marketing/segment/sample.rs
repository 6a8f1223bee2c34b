//! Samples of customers: so many of them, or so much, drawn by a hash of the customer and a seed.
//!
//! Invariant: the same seed draws the same ones from the same customers, on both databases. A sample has exactly the size
//! that was asked for, if there are as many, and a stratified one has of each value the share that the value has, to within
//! one.

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use sea_orm::prelude::StringLen;
use sea_orm::sea_query::{
    Alias, Asterisk, CaseStatement, Expr, ExprTrait, Order, OverStatement, Query, SelectStatement,
    WindowStatement,
};
use sea_orm::{Condition, ConnectionTrait, DbBackend, DbErr, DeriveActiveEnum, EnumIter};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::refresh::present;
use super::{Operation, part};
use crate::access::Viewer;
use crate::catalog::Scope;
use crate::check::Check;
use crate::customers::custom::CustomFields;
use crate::customers::customer::{self, Column};
use crate::error::Error;
use crate::id::{CustomerId, SegmentId};

/// The prime within which hashes are: products of two of them are whole numbers of either database.
const PRIME: u32 = 2_147_483_647;

/// How many values a sample is stratified by at most; the rarest beyond them are drawn from together.
const MOST_STRATA: usize = 500;

/// A value that customers have none of.
const NONE: &str = "";

/// By what customers are divided before they are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Stratum {
    /// What kind of party they are.
    Kind,
    /// How far the relation has come.
    Stage,
    /// The country where bills go, or else any that is known.
    Country,
    /// The language that they are written to in.
    Language,
    /// The currency that they are invoiced in.
    Currency,
    /// How they like to be reached.
    PreferredChannel,
}

/// How much is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Share {
    /// So many, or all where there are fewer.
    Size(u32),
    /// So many of a hundred, to the nearest one.
    Percent(Decimal),
}

/// A sample to be drawn.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sample {
    /// How much.
    #[serde(flatten)]
    pub share: Share,
    /// What decides who: the same seed draws the same ones.
    pub seed: String,
    /// By what they are divided first, so that each part has its share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stratify_by: Option<Stratum>,
}

/// What there is of a value, and what is drawn of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// The value; none for customers that have none, and for all where they are not divided.
    pub value: Option<String>,
    /// How many customers have it.
    pub of: u64,
    /// How many of them are drawn.
    pub drawn: u64,
}

impl Sample {
    /// Makes sure that it can be drawn.
    ///
    /// # Errors
    /// `Invalid` with everything that is wrong.
    pub fn check(&self) -> Result<(), Error> {
        let mut check = Check::default();
        let seed = 1..=100;
        check.that(
            seed.contains(&self.seed.chars().count()),
            "sample",
            "a seed has 1 to 100 characters",
        );
        if let Share::Percent(percent) = self.share {
            let within = percent > Decimal::ZERO && percent <= Decimal::ONE_HUNDRED;
            check.that(within, "sample", "a percentage is more than 0 and at most 100");
        }
        check.end()
    }

    /// How many of `total` are drawn.
    fn size(&self, total: u64) -> u64 {
        match self.share {
            Share::Size(size) => std::cmp::min(size.into(), total),
            Share::Percent(percent) => {
                let exact = Decimal::from(total) * percent / Decimal::ONE_HUNDRED;
                exact.round().to_u64().map_or(total, |size| std::cmp::min(size, total))
            }
        }
    }

    /// A number for each customer that the seed and the customer alone decide.
    fn hash(&self, backend: DbBackend) -> Expr {
        let digest = Sha256::digest(self.seed.as_bytes());
        let factor = |place: usize| {
            let bytes = [0, 1, 2, 3].map(|byte| digest[4 * place + byte]);
            1 + u32::from_be_bytes(bytes) % (PRIME - 1)
        };
        // The last digits of an id are chance, whoever made it.
        let (low, high) = if backend == DbBackend::Postgres {
            let digits = |from: u8, many: u8, bits: u8| {
                let text = "CAST(\"customer\".\"id\" AS text)";
                format!("('x' || substr({text}, {from}, {many}))::bit({bits})::bigint")
            };
            (digits(30, 7, 28), digits(25, 5, 20))
        } else {
            let digits = |from: usize, many: u32| {
                let one = |place: u32| {
                    let worth = 16_u64.pow(many - 1 - place);
                    let from = from + place as usize;
                    let digit = format!("substr(hex(\"customer\".\"id\"), {from}, 1)");
                    format!("(instr('0123456789ABCDEF', {digit}) - 1) * {worth}")
                };
                format!("({})", (0..many).map(one).collect::<Vec<_>>().join(" + "))
            };
            (digits(26, 7), digits(21, 5))
        };
        let [a, b, c, d] = [0, 1, 2, 3].map(factor);
        let mixed = format!("(({low} * {a} + {high} * {b} + {c}) % {PRIME})");
        Expr::cust(format!("({mixed} * ({mixed} + {d})) % {PRIME}"))
    }
}

impl Stratum {
    fn expr(self) -> Expr {
        let column = |column: Column| Expr::col((customer::Entity, column)).if_null(NONE);
        match self {
            Self::Kind => column(Column::Kind),
            Self::Stage => column(Column::Stage),
            Self::Language => column(Column::Language),
            Self::Currency => column(Column::Currency),
            Self::PreferredChannel => column(Column::PreferredChannel),
            Self::Country => Expr::cust(COUNTRY),
        }
    }
}

/// Where bills go, or else any country that is known; the oldest address of these.
pub(super) const COUNTRY: &str = "COALESCE((SELECT a.country FROM address a \
    WHERE a.customer_id = \"customer\".\"id\" AND a.country IS NOT NULL \
    ORDER BY CASE WHEN a.kind = 'BILLING' THEN 0 ELSE 1 END, a.id LIMIT 1), '')";

/// What is drawn of the customers that pass.
///
/// # Errors
/// The database.
pub async fn shares(
    db: &impl ConnectionTrait,
    sample: &Sample,
    passes: &Condition,
) -> Result<Vec<Drawn>, DbErr> {
    let mut counts = Query::select();
    let value = sample.stratify_by.map_or_else(|| Expr::cust("''"), Stratum::expr);
    counts
        .expr_as(value, Alias::new("stratum"))
        .expr(Expr::col(Asterisk).count())
        .from(customer::Entity)
        .cond_where(passes.clone());
    if sample.stratify_by.is_some() {
        counts.add_group_by([Expr::col(Alias::new("stratum"))]);
    }
    let mut strata = Vec::new();
    for row in db.query_all(&counts).await? {
        let (value, of): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
        strata.push((value, u64::try_from(of).unwrap_or_default()));
    }
    strata.sort_by(|(a, many), (b, more)| more.cmp(many).then_with(|| a.cmp(b)));
    let drawn =
        quotas(&strata.iter().map(|(_, of)| *of).collect::<Vec<_>>(), |total| sample.size(total));
    let told = strata.into_iter().zip(drawn).map(|((value, of), drawn)| Drawn {
        value: Some(value).filter(|value| value != NONE),
        of,
        drawn,
    });
    Ok(told.collect())
}

/// What is drawn of a segment's customers whom the viewer sees, and those of them that come after one, in the order of their
/// ids.
///
/// # Errors
/// `Invalid` for what cannot be drawn.
pub async fn of_segment(
    db: &impl ConnectionTrait,
    segment: SegmentId,
    sample: &Sample,
    (after, limit): (Option<CustomerId>, u64),
    viewer: &Viewer,
) -> Result<(Vec<Drawn>, Vec<CustomerId>), Error> {
    sample.check()?;
    let custom = CustomFields::default();
    let present = present(&serde_json::Value::Null, Scope::of(db, viewer, &custom));
    let passes = present.add(part::passes(Operation::Union, &[segment]));
    let shares = shares(db, sample, &passes).await?;
    let chosen = chosen(sample, passes, &shares, db.get_database_backend());
    let drawn = || Expr::col((Alias::new("sample"), Alias::new("drawn_id")));
    let mut page = Query::select();
    page.expr(drawn())
        .from_subquery(chosen, Alias::new("sample"))
        .order_by_expr(drawn(), Order::Asc)
        .limit(limit);
    if let Some(after) = after {
        page.and_where(drawn().gt(after.0));
    }
    let rows = db.query_all(&page).await?;
    let ids = rows.iter().map(|row| Ok(CustomerId(row.try_get_by_index(0)?)));
    Ok((shares, ids.collect::<Result<_, DbErr>>()?))
}

/// The customers that pass and are drawn, as a condition.
///
/// # Errors
/// The database.
pub async fn drawn(
    db: &impl ConnectionTrait,
    sample: &Sample,
    passes: Condition,
) -> Result<Condition, DbErr> {
    let shares = shares(db, sample, &passes).await?;
    let chosen = chosen(sample, passes, &shares, db.get_database_backend());
    let id = Expr::col((customer::Entity, Column::Id));
    Ok(Condition::all().add(id.in_subquery(chosen)))
}

/// The ids of the customers that are drawn.
fn chosen(
    sample: &Sample,
    passes: Condition,
    shares: &[Drawn],
    backend: DbBackend,
) -> SelectStatement {
    let id = || Expr::col((customer::Entity, Column::Id));
    let hash = sample.hash(backend);
    let mut all = Query::select();
    all.expr_as(id(), Alias::new("drawn_id")).from(customer::Entity).cond_where(passes);
    let Some(stratum) = sample.stratify_by else {
        let most = shares.iter().map(|share| share.drawn).sum();
        return all
            .order_by_expr(hash, Order::Asc)
            .order_by_expr(id(), Order::Asc)
            .limit(most)
            .take();
    };
    let mut window = WindowStatement::new();
    window
        .add_partition_by(stratum.expr())
        .order_by_expr(hash, Order::Asc)
        .order_by_expr(id(), Order::Asc);
    all.expr_as(stratum.expr(), Alias::new("stratum")).expr_window_as(
        Expr::cust("row_number()"),
        window,
        Alias::new("place"),
    );
    let quota = shares.iter().take(MOST_STRATA).fold(CaseStatement::new(), |quota, share| {
        let value = share.value.as_deref().unwrap_or(NONE);
        let most = i64::try_from(share.drawn).unwrap_or(i64::MAX);
        quota.case(Expr::col(Alias::new("stratum")).eq(value), Expr::val(most))
    });
    Query::select()
        .column(Alias::new("drawn_id"))
        .from_subquery(all, Alias::new("dealt"))
        .and_where(Expr::col(Alias::new("place")).lte(quota.finally(Expr::val(0_i64))))
        .take()
}

/// Divides what is drawn of all among strata of the given sizes by their shares; what is left goes to those that lack most.
fn quotas(strata: &[u64], size: impl Fn(u64) -> u64) -> Vec<u64> {
    let total: u64 = strata.iter().sum();
    let size = size(total);
    if total == 0 {
        return vec![0; strata.len()];
    }
    let shares = strata.iter().map(|of| u128::from(*of) * u128::from(size));
    let total = u128::from(total);
    let (mut quotas, mut rests): (Vec<u64>, Vec<(u128, usize)>) = shares
        .enumerate()
        .map(|(place, share)| {
            (u64::try_from(share / total).unwrap_or_default(), (share % total, place))
        })
        .unzip();
    rests.sort_by(|(rest, place), (other, later)| other.cmp(rest).then(place.cmp(later)));
    let left = size - quotas.iter().sum::<u64>();
    for (_, place) in rests.into_iter().take(usize::try_from(left).unwrap_or_default()) {
        quotas[place] += 1;
    }
    quotas
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_stratum_has_its_share_to_within_one(
            strata in prop::collection::vec(0..10_000_u64, 0..50), size in 0..100_000_u64,
        ) {
            let total: u64 = strata.iter().sum();
            let quotas = quotas(&strata, |total| std::cmp::min(size, total));
            let size = std::cmp::min(size, total);
            prop_assert_eq!(quotas.iter().sum::<u64>(), size);
            for (of, drawn) in strata.iter().zip(quotas) {
                prop_assert!(drawn <= *of);
                let exact = u128::from(*of) * u128::from(size);
                let (drawn, total) = (u128::from(drawn), u128::from(total));
                prop_assert!((drawn * total).abs_diff(exact) < total.max(1));
            }
        }

        #[test]
        fn a_percentage_is_drawn_to_the_nearest_one(total in 0..1_000_000_u64, percent in 1..=100_u32) {
            let share = Share::Percent(percent.into());
            let sample = Sample { share, seed: "s".into(), stratify_by: None };
            let exact = u64::from(percent) * total;
            prop_assert!((sample.size(total) * 100).abs_diff(exact) <= 50);
        }
    }
}
