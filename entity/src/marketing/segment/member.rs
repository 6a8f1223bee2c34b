//! Who belongs to segments. Invariant: a customer belongs to a segment once.

use sea_orm::entity::prelude::*;

use crate::access::Permission;
use crate::catalog::catalog;
use crate::customers::customer;
use crate::id::{CustomerId, SegmentId, SegmentMemberId};

/// That a customer belongs to a segment.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "segment_member")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SegmentMemberId,
    /// To which segment.
    pub segment_id: SegmentId,
    /// Which customer.
    pub customer_id: CustomerId,
    /// Since when.
    pub since_at: DateTimeUtc,
}

catalog! {
    /// That a customer belongs to a segment.
    SegmentMember (segmentMember, segmentMembers) of Entity, read by Permission::ReadWorkflows,
        part of Column::CustomerId => customer::Entity;
    /// The id of the segment, for filters.
    segment_id: uuid::<SegmentId>(Column::SegmentId).hidden().filtered(),
    /// The segment.
    segment: one::<super::Entity>(Column::SegmentId),
    /// The id of the customer.
    customer_id: uuid::<CustomerId>(Column::CustomerId).hidden(),
    /// The customer.
    customer: one::<customer::Entity>(Column::CustomerId),
    /// Since when.
    since_at: instant(Column::SinceAt).filtered().ordered(),
}
