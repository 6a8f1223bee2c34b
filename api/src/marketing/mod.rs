//! Marketing: what customers have in common and want to hear, and what must not reach them.

mod consent;
mod reach;
mod sample;
mod segment;
mod stats;
mod suppression;
pub mod unsubscribe;

pub use consent::{ConsentBasis, ConsentMutation, ConsentStanding};
pub use reach::ReachQuery;
pub use sample::SampleQuery;
pub use segment::{SegmentKind, SegmentMutation, SegmentOperation};
pub use stats::StatsQuery;
pub use suppression::{SuppressionCause, SuppressionMutation};
