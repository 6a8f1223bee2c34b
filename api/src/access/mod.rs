//! Who asks: logging in, sessions, users, what they may do, and the organisation they work for.

mod absence;
mod api_key;
mod attempt;
mod audit;
pub mod hashing;
pub mod known;
mod login;
mod organisation;
mod password;
mod permission;
mod position;
mod rate;
mod role;
pub mod seal;
mod second_factor;
mod session;
mod share;
mod team;
pub mod token;
mod user;

pub use absence::AbsenceMutation;
pub use api_key::ApiKeyMutation;
pub use audit::AuditAction;
pub use login::LoginMutation;
pub use organisation::OrganisationQuery;
pub use password::PasswordMutation;
pub use permission::{Permission, PermissionQuery, Scope};
pub use position::PositionMutation;
pub use rate::RateQuery;
pub use role::{RoleKey, RoleMutation};
pub use second_factor::{SecondFactorMutation, SecondFactorQuery};
pub use session::{SessionEnding, SessionMutation, SessionQuery};
pub use share::ShareMutation;
pub use team::TeamMutation;
pub use user::{UserMutation, UserQuery};
