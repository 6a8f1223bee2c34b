//! Who asks, what they may do, and with whose records.
//!
//! Invariant: a viewer is made anew for each request, so that what was taken away is gone with the next one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;
use sea_orm::prelude::*;
use sea_orm::{ActiveEnum, DbBackend, DeriveActiveEnum, EnumIter, Iterable};

use super::Role;
use crate::catalog::among;
use crate::id::{RoleId, UserId, WorkflowId};

/// One thing that a user may do: an action on a kind of resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(32))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Permission {
    /// See customers, contacts and addresses.
    ReadCustomers,
    /// Create and change customers.
    WriteCustomers,
    /// Remove deleted customers for good.
    PurgeCustomers,
    /// See invoices, payments, receipts, balances and messages.
    ReadFinance,
    /// Issue and void invoices.
    WriteInvoices,
    /// Record, allocate and reverse payments, resend receipts, and print letters.
    WritePayments,
    /// Collect what is owed: take down disputes and promises to pay, and say who gets no notices.
    Collect,
    /// Set credit limits and let customers over them, approve notices, write off what is not paid, and hand it over.
    ManageCredit,
    /// See products.
    ReadProducts,
    /// Create, change and delete products.
    WriteProducts,
    /// See orders.
    ReadOrders,
    /// Take orders down, and call them off.
    WriteOrders,
    /// See tasks: those of the users and of the customers whose records they reach.
    ReadTasks,
    /// Create, change, complete and delete tasks.
    WriteTasks,
    /// See calls: those of the users and of the customers whose records they reach.
    ReadCalls,
    /// Plan, change, make and delete calls.
    WriteCalls,
    /// See appointments: those of the users and of the customers whose records they reach. Who takes part in one
    /// sees it anyway.
    ReadAppointments,
    /// Make, change, call off and delete appointments.
    WriteAppointments,
    /// Say how customers may be reached: at which times, how often, by which laws.
    WriteContactRules,
    /// Make segments of customers.
    WriteSegments,
    /// Define custom fields.
    DefineFields,
    /// Import files, and follow the jobs. Importing takes the permissions to write what is
    /// imported, too, all of these with all records.
    Import,
    /// Manage users, roles, teams and positions. Nobody gives what they may not do themselves, and whose
    /// records others reach, by teams, positions and deputies, is decided by who reaches all.
    ManageUsers,
    /// See who changed what.
    ReadAudit,
    /// Tell other systems what happens, with the records that it happens to, of whatever kind.
    ManageWebhooks,
    /// See workflows, and what they did.
    ReadWorkflows,
    /// Draft workflows.
    WriteWorkflows,
    /// Publish workflows, let them stand still, and start, repeat and call off their runs.
    RunWorkflows,
    /// Publish workflows that send customers something.
    ApproveSends,
}

/// With whose records: those of a customer belong to who looks after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Scope {
    /// With none.
    None,
    /// With their own, those of users who are away and whose deputy they are, and those that are shared
    /// with them.
    Own,
    /// Also with those of their teams, and of whoever reports to them with their teams.
    Team,
    /// With all, also with those that nobody looks after.
    All,
}

/// Who asks: an authenticated user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub user: UserId,
    /// Their role.
    pub role: RoleId,
    reach: Arc<Reach>,
}

/// What day it is for somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Calendar {
    /// The day.
    pub today: NaiveDate,
    /// Where.
    pub zone: Tz,
}

impl Calendar {
    /// What day it is in `zone`.
    #[must_use]
    pub fn at(now: DateTimeUtc, zone: Tz) -> Self {
        Self { today: now.with_timezone(&zone).date_naive(), zone }
    }
}

/// How far a viewer's hand goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reach {
    /// What day it is for them: the organisation's.
    pub calendar: Calendar,
    /// Where their records are.
    pub backend: DbBackend,
    /// What they may do; what is missing they may not.
    pub scopes: HashMap<Permission, Scope>,
    /// Whose records are their own: theirs, and those of users whose deputy they are.
    pub own: Vec<Uuid>,
    /// Whose records are their teams'.
    pub team: Vec<Uuid>,
    /// To which permissions the API key keeps them by which they ask; none keeps who has logged in.
    pub limits: Option<BTreeSet<String>>,
}

impl Viewer {
    pub(super) fn new(user: UserId, role: RoleId, reach: Reach) -> Self {
        Self { user, role, reach: Arc::new(reach) }
    }

    /// Somebody who may everything, for checking what is written down; never for reading.
    pub(crate) fn of_all(backend: DbBackend) -> Self {
        Self::rapport(backend, Calendar { today: NaiveDate::default(), zone: Tz::UTC })
    }

    /// Rapport itself, which carries out what somebody with the right to do so has published.
    #[must_use]
    pub fn rapport(backend: DbBackend, calendar: Calendar) -> Self {
        let scopes =
            <Permission as Iterable>::iter().map(|permission| (permission, Scope::All)).collect();
        let (own, team) = (Vec::new(), Vec::new());
        let reach = Reach { calendar, backend, scopes, own, team, limits: None };
        Self::new(UserId(Uuid::nil()), Role::Administrator.id(), reach)
    }

    /// Whether they may at all.
    #[must_use]
    pub fn may(&self, permission: Permission) -> bool {
        self.scope(permission) != Scope::None
    }

    /// The same, who may no more than `permissions`.
    #[must_use]
    pub fn narrowed(self, permissions: &[Permission]) -> Self {
        let names = permissions.iter().map(ActiveEnum::to_value).collect();
        self.kept_to(names)
    }

    /// The same, kept to what [`Self::limits`] gave once; to nothing where that was nothing.
    #[must_use]
    pub fn limited(self, limits: Option<&str>) -> Self {
        match limits {
            Some(names) => self.kept_to(names.split_whitespace().map(str::to_owned).collect()),
            None => self,
        }
    }

    fn kept_to(self, names: BTreeSet<String>) -> Self {
        let mut reach = Reach::clone(&self.reach);
        reach.scopes.retain(|granted, _| names.contains(&granted.to_value()));
        reach.limits = Some(names);
        Self { reach: Arc::new(reach), ..self }
    }

    /// To which permissions an API key keeps them, as one text for each set; `None` for who has logged in.
    #[must_use]
    pub fn limits(&self) -> Option<String> {
        let names = self.reach.limits.as_ref()?;
        Some(names.iter().map(String::as_str).collect::<Vec<_>>().join(" "))
    }

    /// What day it is for them.
    #[must_use]
    pub fn calendar(&self) -> Calendar {
        self.reach.calendar
    }

    /// With whose records they may.
    #[must_use]
    pub fn scope(&self, permission: Permission) -> Scope {
        self.reach.scopes.get(&permission).copied().unwrap_or(Scope::None)
    }

    /// Whether the user that `column` names is one whose records are theirs within `scope`.
    pub(crate) fn is_theirs(&self, column: Expr, scope: Scope) -> Expr {
        among(self.reach.backend, column, self.whose(scope))
    }

    /// Whose records are theirs within `scope`.
    #[must_use]
    pub fn whose(&self, scope: Scope) -> &[Uuid] {
        match scope {
            Scope::None => &[],
            Scope::Own => &self.reach.own,
            Scope::Team | Scope::All => &self.reach.team,
        }
    }
}

/// Who changes something: a user, or Rapport itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// Rapport, by itself.
    System,
    /// Rapport, in a run of a workflow.
    Run(Cause),
}

/// The run of a workflow in which something is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The workflow.
    pub workflow: WorkflowId,
    /// How many runs came before it, each started by what the one before it did.
    pub depth: i32,
}

impl Actor {
    /// What stands in `created_by` and `updated_by`.
    #[must_use]
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::System | Self::Run(_) => None,
        }
    }

    /// The run in which it is done; `None` outside of runs.
    #[must_use]
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Run(cause) => Some(cause),
            Self::User(_) | Self::System => None,
        }
    }
}

impl From<&Viewer> for Actor {
    fn from(viewer: &Viewer) -> Self {
        Self::User(viewer.user)
    }
}
