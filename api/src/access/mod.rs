//! Who asks: logging in, users, and the organisation they work for.

mod audit;
mod login;
mod organisation;
pub mod token;
mod user;

pub use audit::AuditAction;
pub use login::LoginMutation;
pub use organisation::OrganisationQuery;
pub use user::{Role, UserQuery};
