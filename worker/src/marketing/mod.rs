//! Who belongs to segments.

pub mod members;
pub mod segments;
