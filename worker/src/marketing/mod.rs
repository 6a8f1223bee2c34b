//! Who belongs to segments.

pub mod segments;
