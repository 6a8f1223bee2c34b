//! Who asks: logging in, users, and the organisation they work for.

mod absence;
mod audit;
mod login;
mod organisation;
mod permission;
mod position;
mod role;
mod share;
mod team;
pub mod token;
mod user;

pub use absence::AbsenceMutation;
pub use audit::AuditAction;
pub use login::LoginMutation;
pub use organisation::OrganisationQuery;
pub use permission::{Permission, PermissionQuery, Scope};
pub use position::PositionMutation;
pub use role::{RoleKey, RoleMutation};
pub use share::ShareMutation;
pub use team::TeamMutation;
pub use user::{UserMutation, UserQuery};
