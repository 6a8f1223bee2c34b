//! Who asks: logging in, users, and the organisation they work for.

mod login;
mod organisation;
pub mod token;
mod user;

pub use login::LoginMutation;
pub use organisation::OrganisationQuery;
pub use user::{Role, UserQuery};
