//! The gate: how customers may be reached, and why something reached them, or did not.

mod explain;
mod policy;

pub use explain::ExplainQuery;
pub use policy::{ContactPolicyMutation, ContactPolicyQuery};
