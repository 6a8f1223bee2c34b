//! Who asks, and what they may do.

use sea_orm::prelude::*;
use sea_orm::{DeriveActiveEnum, EnumIter};

use crate::id::UserId;

/// What a user works as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum)]
#[sea_orm(
    rs_type = "String",
    db_type = "String(StringLen::N(16))",
    rename_all = "SCREAMING_SNAKE_CASE"
)]
pub enum Role {
    /// Everything.
    Administrator,
    /// Invoices, payments and receipts.
    Accountant,
    /// Customers.
    Sales,
    /// Looks, and changes nothing.
    Auditor,
}

/// One thing that a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter)]
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
    /// Record, allocate and reverse payments, and resend receipts.
    WritePayments,
    /// Define custom fields.
    DefineFields,
    /// Import files, and follow the jobs.
    Import,
    /// See who changed what.
    ReadAudit,
}

impl Role {
    /// Whether the role comes with `permission`.
    #[must_use]
    pub fn allows(self, permission: Permission) -> bool {
        use Permission::{
            Import, ReadAudit, ReadCustomers, ReadFinance, WriteCustomers, WriteInvoices,
            WritePayments,
        };
        match self {
            Self::Administrator => true,
            Self::Accountant => matches!(
                permission,
                ReadCustomers
                    | WriteCustomers
                    | ReadFinance
                    | WriteInvoices
                    | WritePayments
                    | Import
            ),
            Self::Sales => matches!(permission, ReadCustomers | WriteCustomers),
            Self::Auditor => matches!(permission, ReadCustomers | ReadFinance | ReadAudit),
        }
    }
}

/// Who asks: an authenticated user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The user.
    pub user: UserId,
    /// What they work as.
    pub role: Role,
}

impl Viewer {
    /// Whether they may.
    #[must_use]
    pub fn may(self, permission: Permission) -> bool {
        self.role.allows(permission)
    }
}

/// Who changes something: a user, or Rapport itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A person.
    User(UserId),
    /// Rapport, by itself.
    System,
}

impl Actor {
    /// What stands in `created_by` and `updated_by`.
    #[must_use]
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::System => None,
        }
    }
}

impl From<Viewer> for Actor {
    fn from(viewer: Viewer) -> Self {
        Self::User(viewer.user)
    }
}
