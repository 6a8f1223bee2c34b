//! Samples of customers.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, InputObject, Object, SimpleObject};
use entity::access::Permission;
use entity::customers::customer;
use entity::id::{CustomerId, Id, SegmentId};
use entity::marketing::segment::sample::{self, Sample, Share};

use crate::context::{Ask, Can};
use crate::error::{ErrorCode, Fault, UserError, refused};
use crate::read::{Among, Together};
use crate::scalar::{Decimal, Long};

/// By what customers are divided before a sample is drawn, so that each value has its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "entity::marketing::segment::sample::Stratum")]
pub enum SampleStratum {
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

/// A sample to be drawn: `size` or `percent` of the customers.
#[derive(Clone, Debug, InputObject)]
pub struct SampleInput {
    /// So many, at least 1; all where there are fewer.
    #[graphql(validator(minimum = 1))]
    pub size: Option<i32>,
    /// So many of a hundred, more than 0 and at most 100, to the nearest customer.
    pub percent: Option<Decimal>,
    /// What decides who, 1 to 100 characters: the same seed draws the same ones from the same customers.
    pub seed: String,
    /// By what they are divided first, so that each part has its share.
    pub stratify_by: Option<SampleStratum>,
}

impl SampleInput {
    /// The sample.
    ///
    /// # Errors
    /// What is wrong, at `path`.
    pub fn parse(self, path: &[&str]) -> Result<Sample, Vec<UserError>> {
        let share = match (self.size, self.percent) {
            (Some(size), None) => Share::Size(size.try_into().unwrap_or_default()),
            (None, Some(Decimal(percent))) => Share::Percent(percent),
            _ => {
                let message = "say one of `size` and `percent`";
                return Err(vec![UserError::new(ErrorCode::Invalid, &message, path)]);
            }
        };
        Ok(Sample { share, seed: self.seed, stratify_by: self.stratify_by.map(Into::into) })
    }
}

/// A sample of a segment's customers.
#[derive(SimpleObject)]
pub struct SegmentSample {
    /// How many customers it was drawn of.
    pub of: Long,
    /// How many were drawn.
    pub size: Long,
    /// What was drawn of each value of `stratifyBy`, the most frequent first; one without a value when it is absent.
    pub strata: Vec<SegmentSampleStratum>,
    /// Those that were drawn, in the order of their ids, from `after` on.
    pub customers: Vec<Among<customer::Entity>>,
}

/// What was drawn of a value.
#[derive(SimpleObject)]
pub struct SegmentSampleStratum {
    /// The value; null for customers that have none.
    pub value: Option<String>,
    /// How many customers have it.
    pub of: Long,
    /// How many of these were drawn.
    pub drawn: Long,
}

/// What came of drawing a sample.
#[derive(SimpleObject)]
pub struct SegmentSamplePayload {
    /// The sample; null when it cannot be drawn.
    pub sample: Option<SegmentSample>,
    /// Why there is none; empty otherwise.
    pub user_errors: Vec<UserError>,
}

/// Samples of customers.
#[derive(Default)]
pub struct SampleQuery;

/// Samples of customers.
#[Object]
impl SampleQuery {
    /// Draws a sample of a segment's customers whom you see. The same seed draws the same ones from the same customers;
    /// `createSegment` keeps a sample as a list.
    #[graphql(
        guard = "Can(Permission::ReadWorkflows).and(Can(Permission::ReadCustomers))",
        complexity = "50 + usize::try_from(first).unwrap_or(25).min(100) * (child_complexity + 1)"
    )]
    async fn segment_sample(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment's id.")] segment_id: ID,
        #[graphql(desc = "How much is drawn, and by what.")] sample: SampleInput,
        #[graphql(desc = "How many customers are listed: 0 to 100.", default = 25)] first: i32,
        #[graphql(desc = "The id of the last customer of the page before.")] after: Option<ID>,
    ) -> Result<SegmentSamplePayload, Fault> {
        let limit = u64::try_from(first).ok().filter(|first| *first <= 100);
        let limit = limit.ok_or_else(|| Fault::bad_request("ask for 0 to 100 customers"))?;
        let refuse = |user_errors| Ok(SegmentSamplePayload { sample: None, user_errors });
        let sample = match sample.parse(&["sample"]) {
            Ok(sample) => sample,
            Err(errors) => return refuse(errors),
        };
        // What names nothing has nobody.
        let segment = SegmentId::parse(&segment_id).unwrap_or(SegmentId(uuid::Uuid::nil()));
        let page = (after.and_then(|after| CustomerId::parse(&after)), limit);
        let viewer = ctx.viewer()?;
        let drawn = sample::of_segment(ctx.reader(), segment, &sample, page, &viewer).await;
        let (strata, ids) = match drawn {
            Ok(drawn) => drawn,
            Err(error) => return refuse(refused(error)?),
        };
        let together = Arc::new(Together::of(ids.iter().map(|id| id.0).collect()));
        let long = |count: u64| Long(i64::try_from(count).unwrap_or(i64::MAX));
        let sample = SegmentSample {
            of: long(strata.iter().map(|stratum| stratum.of).sum()),
            size: long(strata.iter().map(|stratum| stratum.drawn).sum()),
            customers: ids.iter().map(|id| Among::of(&together, Some(id.0))).collect(),
            strata: strata
                .into_iter()
                .map(|one| SegmentSampleStratum {
                    value: one.value,
                    of: long(one.of),
                    drawn: long(one.drawn),
                })
                .collect(),
        };
        Ok(SegmentSamplePayload { sample: Some(sample), user_errors: Vec::new() })
    }
}
