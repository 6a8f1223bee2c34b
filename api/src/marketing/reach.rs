//! How many of a segment can be reached.

use async_graphql::{Context, ID, Object, SimpleObject};
use entity::access::Permission;
use entity::id::{Id, SegmentId};
use entity::marketing::consent::parse_topic;
use entity::marketing::segment::reach::{self, Asked, Reached};

use crate::automation::MessageReason;
use crate::context::{Ask, Can};
use crate::customers::Channel;
use crate::error::{Fault, UserError, refused};
use crate::scalar::Long;

/// How many customers of a segment marketing can reach.
#[derive(SimpleObject)]
pub struct SegmentReach {
    /// How many customers belong to it whom you see.
    pub total: Long,
    /// How many of them something may go to: what only puts it off, such as quiet hours, does not count.
    pub reachable: Long,
    /// How many of these would be held back by a law that only warns.
    pub warned: Long,
    /// Why nothing may go to the others, the most frequent reason first. Each customer counts once, by the first reason.
    pub reasons: Vec<SegmentReachReason>,
    /// The same by the way that it would go.
    pub channels: Vec<SegmentReachChannel>,
}

/// Why nothing may go to some customers.
#[derive(SimpleObject)]
pub struct SegmentReachReason {
    /// Why.
    pub reason: MessageReason,
    /// To how many.
    pub count: Long,
}

/// How many customers can be reached on a channel.
#[derive(SimpleObject)]
pub struct SegmentReachChannel {
    /// The channel.
    pub channel: Channel,
    /// To how many it would go by it.
    pub total: Long,
    /// How many of these something may go to.
    pub reachable: Long,
}

/// What came of asking how many can be reached.
#[derive(SimpleObject)]
pub struct SegmentReachPayload {
    /// How many; null when it cannot be said.
    pub reach: Option<SegmentReach>,
    /// Why not; empty otherwise.
    pub user_errors: Vec<UserError>,
}

/// How many can be reached.
#[derive(Default)]
pub struct ReachQuery;

/// How many can be reached.
#[Object]
impl ReachQuery {
    /// How many customers of a segment marketing can reach on a channel, and why not the others: counted by the rules that
    /// messages are let go by.
    #[graphql(
        guard = "Can(Permission::ReadWorkflows).and(Can(Permission::ReadCustomers))",
        complexity = "100 + child_complexity"
    )]
    async fn segment_reach(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The segment's id.")] segment_id: ID,
        #[graphql(
            desc = "The way it would go; the one that each customer likes best, or e-mail, when absent."
        )]
        channel: Option<Channel>,
        #[graphql(desc = "What it would be about in the customer's eyes, such as `newsletter`.")]
        topic: Option<String>,
    ) -> Result<SegmentReachPayload, Fault> {
        let refuse = |user_errors| Ok(SegmentReachPayload { reach: None, user_errors });
        let topic = match parse_topic(topic) {
            Ok(topic) => topic,
            Err(error) => return refuse(refused(error)?),
        };
        // What names nothing has nobody.
        let segment = SegmentId::parse(&segment_id).unwrap_or(SegmentId(uuid::Uuid::nil()));
        let asked = Asked { channel: channel.map(Into::into), topic: topic.as_deref() };
        match reach::reach(ctx.reader(), segment, asked, &ctx.viewer()?).await {
            Ok(reached) => {
                Ok(SegmentReachPayload { reach: Some(reached.into()), user_errors: Vec::new() })
            }
            Err(error) => refuse(refused(error)?),
        }
    }
}

impl From<Reached> for SegmentReach {
    fn from(reached: Reached) -> Self {
        let long = |count: u64| Long(i64::try_from(count).unwrap_or(i64::MAX));
        let reasons = reached.reasons.into_iter().map(|(reason, count)| SegmentReachReason {
            reason: reason.into(),
            count: long(count),
        });
        let channels = reached.channels.into_iter().map(|(channel, total, reachable)| {
            let (total, reachable) = (long(total), long(reachable));
            SegmentReachChannel { channel: channel.into(), total, reachable }
        });
        Self {
            total: long(reached.total),
            reachable: long(reached.reachable),
            warned: long(reached.warned),
            reasons: reasons.collect(),
            channels: channels.collect(),
        }
    }
}
