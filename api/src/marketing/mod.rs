//! Marketing: what customers want to hear, and what must not reach them.

mod consent;
mod suppression;

pub use consent::{ConsentBasis, ConsentMutation, ConsentStanding};
pub use suppression::{SuppressionCause, SuppressionMutation};
