//! What users of Rapport get by mail.

pub mod reset;
