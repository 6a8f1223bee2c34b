//! What happens to customers in numbers.

pub mod bulk;
pub mod import;
