//! Who works here, what they may do, and for whom: the organisation, its users, their permissions.

pub mod audit;
pub mod organisation;
pub mod password;
pub mod user;
mod viewer;

pub use viewer::{Actor, Permission, Role, Viewer};

/// What the access rules refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccessError {
    /// Unknown address, wrong password or disabled user: the answer is the same.
    #[error("the e-mail address or the password is wrong")]
    WrongCredentials,
    /// Another user has the address.
    #[error("another user has this e-mail address; every user has their own")]
    EmailTaken,
    /// Too short to be safe.
    #[error("a password needs at least {0} characters")]
    PasswordTooShort(usize),
    /// Nothing works before somebody says who this is.
    #[error("the organisation is not set up yet; run `rapport seed admin` first")]
    NoOrganisation,
}
