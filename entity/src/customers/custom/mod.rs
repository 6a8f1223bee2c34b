//! Custom fields: what an organisation keeps about its customers beyond what Rapport knows.
//!
//! Invariant: each value is of its definition's type, and a definition whose values exist keeps it.

pub mod definition;
mod value;

pub use definition::{CustomFields, Kind, Model, Sensitivity};
pub(crate) use value::Setter;
pub use value::{CustomValue, SCALE, shown, written};
