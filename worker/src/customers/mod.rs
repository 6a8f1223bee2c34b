//! What happens to customers in numbers.

pub mod bulk;
