//! Marketing: what customers have in common and want to hear, and what must not reach them.

mod consent;
mod segment;
mod suppression;

pub use consent::{ConsentBasis, ConsentMutation, ConsentStanding};
pub use segment::SegmentMutation;
pub use suppression::{SuppressionCause, SuppressionMutation};
