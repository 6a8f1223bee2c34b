//! Who works here, what they may do, and for whom: the organisation, its users, their permissions.

pub mod absence;
pub mod audit;
pub mod grant;
pub mod membership;
pub mod organisation;
pub mod password;
pub mod position;
pub mod role;
pub mod share;
pub mod team;
pub mod user;
mod viewer;

pub use role::Role;
pub use viewer::{Actor, Permission, Scope, Viewer};

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
    /// What an id names does not exist, or may not be seen.
    #[error("there is no such record")]
    NotFound,
    /// What an id names may be seen, but not changed.
    #[error("you may see this record, but your role does not let you change it")]
    Forbidden,
    /// A user that an id names does not exist, or may not log in.
    #[error("there is no such active user")]
    NoSuchUser,
    /// The team that an id names does not exist.
    #[error("there is no such team")]
    NoSuchTeam,
    /// The role that an id names does not exist.
    #[error("there is no such role")]
    NoSuchRole,
    /// The position that an id names does not exist.
    #[error("there is no such position")]
    NoSuchPosition,
    /// Another one is called like this.
    #[error("another one has this name; choose one that tells them apart")]
    NameTaken,
    /// It belongs to Rapport.
    #[error("this role comes with Rapport and cannot be changed; create one of your own")]
    SystemRole,
    /// It lets do more than whoever gives it may.
    #[error(
        "nobody can give, change or take what they may not do themselves; ask an administrator"
    )]
    BeyondYourRole,
    /// Somebody has it.
    #[error("users have this role; give them another one first")]
    RoleInUse,
    /// Somebody holds it.
    #[error("users hold this position; give them another one first")]
    PositionInUse,
    /// The reporting line would be a circle.
    #[error("a position cannot report to itself, not even by way of others")]
    ReportsToItself,
    /// Nobody could manage users any more.
    #[error("this is the last administrator who can log in; make somebody else one first")]
    LastAdministrator,
}
