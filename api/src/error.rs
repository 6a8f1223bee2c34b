//! Failures: what a rule refused is data in the payload, everything else is a top-level error.
//!
//! Invariant: this is the one table from a failure to its code, and no cause of a fault leaves it.

use std::iter;

use async_graphql::{Enum, ErrorExtensions, SimpleObject};
use entity::Error;
use entity::access::AccessError;
use entity::automation::AutomationError;
use entity::catalog::CatalogError;
use entity::check::{Refusal, Refusals};
use entity::collaboration::CollaborationError;
use entity::customers::CustomersError;
use entity::db::is_busy;
use entity::finance::FinanceError;
use entity::sales::SalesError;
use sea_orm::DbErr;
use serde::{Deserialize, Serialize};
use worker::relay::chain;

use crate::http::errors::Code;

/// What kind of expected failure a mutation met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum, Serialize, Deserialize)]
pub enum ErrorCode {
    /// The value has not the form or range that its field takes.
    Invalid,
    /// The record that an id names does not exist, or may not be seen.
    NotFound,
    /// Your role does not allow it.
    Forbidden,
    /// Another record has the value, and it has to be unique.
    NotUnique,
    /// The record was changed meanwhile; load it again.
    StaleVersion,
    /// The record's state does not allow it.
    InvalidState,
    /// No letter by post waits to be printed.
    NothingToPrint,
    /// An amount is more than is left.
    ExceedsOpen,
    /// The customer owes as much as its credit limit allows.
    CreditLimitExceeded,
    /// The customer gets no more credit until it has paid.
    CreditHold,
    /// An amount is in another currency than the record.
    WrongCurrency,
    /// The key was used for another request.
    IdempotencyKeyReused,
    /// The e-mail address or the password is wrong.
    WrongCredentials,
    /// Somebody is just calling the person; take another call, or try again in some minutes.
    CallInProgress,
    /// The rules about reaching customers let nobody call the person for this, or not now.
    NotToBeCalled,
    /// It was asked for too often.
    RateLimited,
    /// The password is right; give a code of the second factor, too.
    CodeRequired,
    /// The code of the second factor is wrong, or was used.
    WrongCode,
    /// A token that is malformed, unknown, used or too old.
    InvalidToken,
    /// A refresh token that another request has used just now; go on with the token that it got.
    TokenSuperseded,
    /// A refresh token that was used before; its session was ended to be safe.
    TokenReused,
}

/// An expected failure of a mutation. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, SimpleObject, Serialize, Deserialize)]
pub struct UserError {
    /// What kind of failure, for programs.
    pub code: ErrorCode,
    /// What is wrong and what to do about it, in English, for people.
    pub message: String,
    /// The path of the argument it is about, such as `["input", "lines"]`; null when it is about none.
    pub field: Option<Vec<String>>,
}

impl UserError {
    /// A failure about the argument at `path`.
    #[must_use]
    pub fn new(code: ErrorCode, message: &impl ToString, path: &[&str]) -> Self {
        let field = path.iter().map(|&step| step.to_owned()).collect::<Vec<_>>();
        Self { code, message: message.to_string(), field: (!path.is_empty()).then_some(field) }
    }

    /// An id that names nothing.
    #[must_use]
    pub fn not_found(path: &[&str]) -> Self {
        Self::new(ErrorCode::NotFound, &"there is no such record", path)
    }
}

/// A fault: it ends as a top-level error. It has no `Display`, so that `?` cannot turn a refusal
/// into one unseen.
#[derive(Clone, Debug)]
pub struct Fault(async_graphql::Error);

impl Fault {
    /// A request that cannot be carried out as it is.
    #[must_use]
    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::coded(Code::BadRequest, message)
    }

    /// What the viewer's role does not allow.
    #[must_use]
    pub fn forbidden() -> Self {
        let message = "your role does not allow this; an administrator can change it";
        Self::coded(Code::Forbidden, message)
    }

    /// A database that cannot do it at the moment.
    fn busy(cause: &DbErr) -> Self {
        let cause = chain(cause);
        tracing::warn!(cause, "the database is busy");
        Self::coded(Code::Overloaded, "the database is busy; try again in a moment")
    }

    /// A top-level error with its code.
    #[must_use]
    pub fn coded(code: Code, message: impl Into<String>) -> Self {
        let error = async_graphql::Error::new(message);
        Self(error.extend_with(|_, extensions| extensions.set("code", code.as_str())))
    }
}

impl From<Fault> for async_graphql::Error {
    fn from(fault: Fault) -> Self {
        fault.0
    }
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        match is_busy(&error) {
            true => Self::busy(&error),
            false => Self(async_graphql::Error::new_with_source(error)),
        }
    }
}

/// Tells refusals from faults.
///
/// # Errors
/// [`Fault`] when it is not for the user to solve.
pub fn refused(error: Error) -> Result<Vec<UserError>, Fault> {
    let (code, path): (_, &[&str]) = match &error {
        Error::Db(cause) if is_busy(cause) => return Err(Fault::busy(cause)),
        Error::Db(_) => return Err(Fault(async_graphql::Error::new_with_source(error))),
        Error::Unsure(cause) => {
            let cause = chain(cause);
            tracing::warn!(cause, "the database was lost while it was written to");
            return Err(Fault::coded(Code::Overloaded, error.to_string()));
        }
        Error::Closed => return Err(Fault::coded(Code::Overloaded, error.to_string())),
        Error::Invalid(Refusals(refusals)) => {
            let refused = |Refusal { field, message }: &Refusal| {
                let path: Vec<_> = iter::once("input").chain(field.split('.')).collect();
                UserError::new(ErrorCode::Invalid, message, &path)
            };
            return Ok(refusals.iter().map(refused).collect());
        }
        Error::Catalog(CatalogError::Invalid { at, message }) => {
            let path: Vec<_> = at.split('.').collect();
            return Ok(vec![UserError::new(ErrorCode::Invalid, message, &path)]);
        }
        Error::Catalog(CatalogError::Forbidden(at)) => {
            let path: Vec<_> = at.split('.').collect();
            return Ok(vec![UserError::new(ErrorCode::Forbidden, &error, &path)]);
        }
        Error::NoSuch { at, .. } => (ErrorCode::NotFound, at),
        Error::NotUnique { field, .. } => {
            return Ok(vec![UserError::new(ErrorCode::NotUnique, &error, &["input", field])]);
        }
        Error::StaleVersion { .. } => (ErrorCode::StaleVersion, &["expectedVersion"]),
        Error::Access(error) => access(error),
        Error::Customers(error) => customers(error),
        Error::Finance(error) => finance(error),
        Error::Sales(SalesError::OrderNotOpen { .. }) => (ErrorCode::InvalidState, &[]),
        Error::Automation(error) => automation(error),
        Error::Collaboration(error) => collaboration(error),
    };
    Ok(vec![UserError::new(code, &error, path)])
}

/// A failure of a read, where nothing can be refused.
#[must_use]
pub fn fault(error: Error) -> Fault {
    match refused(error) {
        Err(fault) => fault,
        Ok(errors) => {
            let message = errors.into_iter().map(|error| error.message).collect::<Vec<_>>();
            Fault::bad_request(message.join("; "))
        }
    }
}

fn access(error: &AccessError) -> (ErrorCode, &'static [&'static str]) {
    match error {
        AccessError::WrongCredentials => (ErrorCode::WrongCredentials, &[]),
        AccessError::PasswordTooShort(_) => (ErrorCode::Invalid, &["input", "password"]),
        AccessError::Forbidden | AccessError::BeyondYourRole | AccessError::BeyondYourReach => {
            (ErrorCode::Forbidden, &[])
        }
        AccessError::NoSuchUser => (ErrorCode::NotFound, &["input"]),
        AccessError::ReportsToItself => (ErrorCode::Invalid, &["input", "reportsToId"]),
        AccessError::NoOrganisation
        | AccessError::SystemRole
        | AccessError::RoleInUse
        | AccessError::PositionInUse
        | AccessError::LastAdministrator
        | AccessError::NotInvited
        | AccessError::TooManyKeys(_)
        | AccessError::SecondFactorOn
        | AccessError::NoSecondFactor
        | AccessError::YourOwnSecondFactor => (ErrorCode::InvalidState, &[]),
        AccessError::InvalidToken => (ErrorCode::InvalidToken, &[]),
        AccessError::TokenSuperseded => (ErrorCode::TokenSuperseded, &["refreshToken"]),
        AccessError::TokenReused => (ErrorCode::TokenReused, &["refreshToken"]),
        AccessError::CodeRequired => (ErrorCode::CodeRequired, &["input", "code"]),
        AccessError::WrongCode => (ErrorCode::WrongCode, &[]),
        AccessError::TooManyAttempts { .. } => (ErrorCode::RateLimited, &[]),
    }
}

fn customers(error: &CustomersError) -> (ErrorCode, &'static [&'static str]) {
    match error {
        CustomersError::NothingToErase => (ErrorCode::NotFound, &[]),
        CustomersError::NoSuchOwner => (ErrorCode::NotFound, &["input", "ownerId"]),
        CustomersError::OwnerCannotRead => (ErrorCode::Invalid, &["input", "ownerId"]),
        CustomersError::OwnerOutOfReach => (ErrorCode::Forbidden, &["input", "ownerId"]),
        CustomersError::FieldInUse => (ErrorCode::InvalidState, &["input", "type"]),
        CustomersError::ChoiceInUse => (ErrorCode::InvalidState, &["input", "choices"]),
        CustomersError::CurrencyInUse => (ErrorCode::InvalidState, &["input", "currency"]),
        CustomersError::NotDeleted
        | CustomersError::Merged
        | CustomersError::StillThere
        | CustomersError::HasRecords
        | CustomersError::Anonymised
        | CustomersError::NotSettled
        | CustomersError::TooManyFields(_)
        | CustomersError::BuiltOn(_)
        | CustomersError::MatchDeleted => (ErrorCode::InvalidState, &[]),
        CustomersError::NoMatchKey(_) => (ErrorCode::Invalid, &[]),
        CustomersError::Ambiguous(_) | CustomersError::RowTwice => (ErrorCode::NotUnique, &[]),
    }
}

fn finance(error: &FinanceError) -> (ErrorCode, &'static [&'static str]) {
    match error {
        FinanceError::Amount(_) | FinanceError::NotPositive => {
            (ErrorCode::Invalid, &["input", "amount"])
        }
        FinanceError::WrongCurrency { .. } => (ErrorCode::WrongCurrency, &["input"]),
        FinanceError::NoReceipt => (ErrorCode::NotFound, &[]),
        FinanceError::OtherCustomersInvoice { .. } | FinanceError::InvoiceTwice => {
            (ErrorCode::Invalid, &["input", "allocations"])
        }
        FinanceError::TooManyPromises { .. } => (ErrorCode::InvalidState, &["input"]),
        FinanceError::NothingPosted { .. } => (ErrorCode::InvalidState, &["input", "currency"]),
        FinanceError::CreditLimitExceeded { .. } => (ErrorCode::CreditLimitExceeded, &["input"]),
        FinanceError::OnCreditHold { .. } => (ErrorCode::CreditHold, &["input"]),
        FinanceError::InvoiceNotOpen { .. }
        | FinanceError::NotWrittenOff { .. }
        | FinanceError::HandedOver { .. }
        | FinanceError::NotHandedOver { .. }
        | FinanceError::NoOverride
        | FinanceError::NoApprovalWanted
        | FinanceError::DisputeOver
        | FinanceError::PromiseOver
        | FinanceError::InvoiceHasPayments { .. }
        | FinanceError::PaymentReversed => (ErrorCode::InvalidState, &[]),
        FinanceError::ExceedsOpen { .. } | FinanceError::ExceedsUnapplied { .. } => {
            (ErrorCode::ExceedsOpen, &["input"])
        }
        FinanceError::TotalTooLarge => (ErrorCode::Invalid, &["input", "lines"]),
    }
}

fn collaboration(error: &CollaborationError) -> (ErrorCode, &'static [&'static str]) {
    match error {
        CollaborationError::NoSuchFavourite | CollaborationError::NoSuchView => {
            (ErrorCode::NotFound, &["id"])
        }
        CollaborationError::SubjectNotFound => (ErrorCode::NotFound, &["input", "record"]),
        CollaborationError::UploadNotFound => (ErrorCode::NotFound, &[]),
        CollaborationError::NobodysView
        | CollaborationError::TooManyFavourites(_)
        | CollaborationError::TooManyDocuments(_)
        | CollaborationError::TooManyVersions(_)
        | CollaborationError::SnoozedEnough(_)
        | CollaborationError::NothingToRemindOf
        | CollaborationError::UploadUsed => (ErrorCode::InvalidState, &[]),
        CollaborationError::NegativeMinutes => (ErrorCode::Invalid, &["spentMin"]),
        CollaborationError::TaskNotOpen
        | CollaborationError::CallNotPlanned
        | CollaborationError::AppointmentNotPlanned
        | CollaborationError::NotInvited => (ErrorCode::InvalidState, &["id"]),
        CollaborationError::NoSuchOccurrence => (ErrorCode::NotFound, &["occurrence", "at"]),
        CollaborationError::WhichOccurrence => (ErrorCode::Invalid, &["occurrenceAt"]),
        CollaborationError::NotToBeCalledBefore { .. }
        | CollaborationError::NotToBeCalled { .. } => (ErrorCode::NotToBeCalled, &["id"]),
        CollaborationError::CallInProgress => (ErrorCode::CallInProgress, &["id"]),
        CollaborationError::TooManyUploads(_) => (ErrorCode::RateLimited, &[]),
    }
}

fn automation(error: &AutomationError) -> (ErrorCode, &'static [&'static str]) {
    match error {
        AutomationError::IdempotencyKeyReused => {
            (ErrorCode::IdempotencyKeyReused, &["idempotencyKey"])
        }
        AutomationError::IdempotencyKeyMalformed => (ErrorCode::Invalid, &["idempotencyKey"]),
        AutomationError::TooManyCopies(_) => (ErrorCode::RateLimited, &[]),
        AutomationError::StillOnItsWay
        | AutomationError::JobStarted
        | AutomationError::JobEnded
        | AutomationError::NeverPublished
        | AutomationError::NotFailed
        | AutomationError::SendingHeld
        | AutomationError::SendingNotHeld
        | AutomationError::NotCancellable
        | AutomationError::EndpointInactive
        | AutomationError::DeliveryOnItsWay
        | AutomationError::SegmentInUse(_)
        | AutomationError::SegmentIsPart(_) => (ErrorCode::InvalidState, &[]),
        AutomationError::NothingToPrint => (ErrorCode::NothingToPrint, &[]),
        AutomationError::NotApproved => (ErrorCode::Forbidden, &["id"]),
        AutomationError::FileNotFound => (ErrorCode::NotFound, &["input", "fileId"]),
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::{ConnAcquireErr, RuntimeErr};

    use super::*;

    #[test]
    fn a_busy_database_is_no_fault_of_the_server() {
        let code = |fault: Fault| {
            let extensions = async_graphql::Error::from(fault).extensions;
            extensions.and_then(|extensions| extensions.get("code").cloned())
        };
        let gone = || DbErr::Conn(RuntimeErr::Internal("gone".to_owned()));
        for busy in [DbErr::ConnectionAcquire(ConnAcquireErr::Timeout), gone()] {
            assert_eq!(code(busy.into()), Some("OVERLOADED".into()));
        }
        let busy = Error::Db(DbErr::ConnectionAcquire(ConnAcquireErr::Timeout));
        assert_eq!(code(refused(busy).unwrap_err()), Some("OVERLOADED".into()));
        assert_eq!(code(DbErr::Custom("a fault".to_owned()).into()), None);
    }
}
