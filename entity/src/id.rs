//! Ids: UUIDv7 newtypes inside, `inv_01k…` outside.
//!
//! Invariant: a prefix belongs to exactly one kind of record, so an id says what it identifies. An id
//! that cannot be read answers like one that does not exist.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{DbBackend, DeriveValueType};
use serde::{Deserialize, Serialize};
use type_safe_id::{DynamicType, TypeSafeId};
use uuid::{Builder, Uuid};

/// Counts the ids that this process has made, from somewhere.
static MADE: LazyLock<AtomicU32> = LazyLock::new(|| AtomicU32::new(rand::random()));

/// A `UUIDv7` (RFC 9562, 6.2, methods 3 and 1): milliseconds, microseconds, a counter, 32 random bits.
fn fresh(now: DateTime<Utc>) -> Uuid {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    let micros = u16::try_from(now.timestamp_subsec_micros() % 1_000).unwrap_or_default();
    let count = MADE.fetch_add(1, Ordering::Relaxed);
    let mut rest: [u8; 10] = rand::random();
    rest[..2].copy_from_slice(&micros.to_be_bytes());
    rest[2..6].copy_from_slice(&count.to_be_bytes());
    Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}

/// A fresh id for each row that a statement selects: the same form, with the chance of the database.
pub(crate) fn fresh_by_row(backend: DbBackend, now: DateTime<Utc>) -> Expr {
    let millis = u64::try_from(now.timestamp_millis()).unwrap_or_default();
    let time = format!("{millis:012x}");
    match backend {
        DbBackend::Postgres => {
            let (high, low) = time.split_at(8);
            Expr::cust_with_values(
                "CAST(overlay(CAST(gen_random_uuid() AS text) placing CAST($1 AS text) from 1 for 15) AS uuid)",
                [format!("{high}-{low}-7")],
            )
        }
        _ => Expr::cust_with_values(
            "unhex(? || substr(hex(randomblob(2)), 1, 3) || '8' || substr(hex(randomblob(8)), 1, 15))",
            [format!("{time}7")],
        ),
    }
}

/// A record's id of one kind.
pub trait Id: Copy + From<Uuid> + Into<Uuid> {
    /// The outward prefix, without the underscore.
    const PREFIX: &'static str;

    /// A fresh id that sorts by `now`, to the microsecond, and within it by when this process asked.
    #[must_use]
    fn new(now: DateTime<Utc>) -> Self {
        Self::from(fresh(now))
    }

    /// The outward form: prefix, underscore, 26 characters of Crockford's base 32
    /// (<https://github.com/jetify-com/typeid>).
    #[must_use]
    fn global(self) -> String {
        match DynamicType::new(Self::PREFIX) {
            Ok(prefix) => TypeSafeId::from_type_and_uuid(prefix, self.into()).to_string(),
            Err(_) => unreachable!("prefixes are lower-case letters"),
        }
    }

    /// The id that `text` means, if it is one of this kind.
    #[must_use]
    fn parse(text: &str) -> Option<Self> {
        let id: TypeSafeId<DynamicType> = text.parse().ok()?;
        (id.type_prefix() == Self::PREFIX).then(|| Self::from(id.uuid()))
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, DeriveValueType)]
            pub struct $name(pub Uuid);

            impl From<Uuid> for $name {
                fn from(id: Uuid) -> Self {
                    Self(id)
                }
            }

            impl From<$name> for Uuid {
                fn from(id: $name) -> Self {
                    id.0
                }
            }

            impl Id for $name {
                const PREFIX: &'static str = $prefix;
            }

            impl sea_orm::TryFromU64 for $name {
                fn try_from_u64(_: u64) -> Result<Self, sea_orm::DbErr> {
                    Err(sea_orm::DbErr::ConvertFromU64(stringify!($name)))
                }
            }
        )+

        /// Any id that the outside may hold, by its prefix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum AnyId {
            $($(#[$doc])* $name($name),)+
        }

        impl AnyId {
            /// The id that `text` means, whatever its kind.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let id: TypeSafeId<DynamicType> = text.parse().ok()?;
                match id.type_prefix() {
                    $($prefix => Some(Self::$name($name(id.uuid()))),)+
                    _ => None,
                }
            }
        }
    };
}

ids! {
    /// A user of Rapport: somebody who works in the organisation.
    UserId = "usr";
    /// A role: what its users may do.
    RoleId = "rol";
    /// What a role lets its users do in one respect.
    GrantId = "gnt";
    /// A team of users.
    TeamId = "tea";
    /// A user's place in a team.
    MembershipId = "mem";
    /// A position in the reporting line.
    PositionId = "pos";
    /// A single record that somebody is let see.
    ShareId = "shr";
    /// A time in which a user is away.
    AbsenceId = "abs";
    /// What begins when a user logs in.
    SessionId = "ses";
    /// What a program is known by that acts for a user.
    ApiKeyId = "key";
    /// A user's wish for a new password.
    PasswordResetId = "pwr";
    /// A customer, whether organisation or person, prospect or long-standing.
    CustomerId = "cus";
    /// A custom field of customers.
    CustomFieldId = "cfd";
    /// A person to talk to at a customer.
    ContactId = "con";
    /// A postal address of a customer.
    AddressId = "adr";
    /// An invoice.
    InvoiceId = "inv";
    /// A line of an invoice.
    InvoiceLineId = "inl";
    /// Money received.
    PaymentId = "pay";
    /// The part of a payment that settles an invoice.
    AllocationId = "alo";
    /// A document that takes back an invoice, wholly or in part.
    CreditNoteId = "crn";
    /// A numbered receipt, or its cancellation.
    ReceiptId = "rcp";
    /// What a customer disputes of an invoice.
    DisputeId = "dsp";
    /// A promise to pay.
    PromiseId = "ptp";
    /// An invoice that a promise to pay is about.
    PromiseItemId = "pti";
    /// What a customer has ordered.
    SalesOrderId = "ord";
    /// An instalment of a payment plan.
    InstalmentId = "pin";
    /// How much credit a customer has.
    CreditLimitId = "crl";
    /// A notice that something is to be paid.
    DunningNoticeId = "dun";
    /// A level that an invoice reached with a notice.
    DunningItemId = "dni";
    /// A statement of account.
    StatementId = "stm";
    /// One side of a posting.
    LedgerEntryId = "led";
    /// What happened: a row of the outbox.
    EventId = "evt";
    /// Something meant for a customer.
    MessageId = "msg";
    /// How customers may be reached.
    ContactPolicyId = "cpo";
    /// A day on which people do not work.
    HolidayId = "hol";
    /// What a customer has said of messages.
    ConsentId = "cns";
    /// An address to which nothing may go.
    SuppressionId = "sup";
    /// Customers who have something in common.
    SegmentId = "seg";
    /// That a customer belongs to a segment.
    SegmentMemberId = "sgm";
    /// That a segment is made of another one.
    SegmentPartId = "sgp";
    /// Long work that a person waits for.
    JobId = "job";
    /// A mapping of a file's columns that people keep.
    ImportTemplateId = "imt";
    /// A saved view of a list.
    SavedViewId = "svw";
    /// Something that a user is told.
    NotificationId = "ntf";
    /// What there is to sell.
    ProductId = "prd";
    /// Stored bytes.
    FileId = "fil";
    /// A change of a record.
    AuditEntryId = "aud";
    /// A change of a customer's stage or owner.
    CustomerChangeId = "chg";
    /// What somebody wrote down.
    NoteId = "not";
    /// What somebody has to do.
    TaskId = "tsk";
    /// A call to a customer, or from one.
    CallId = "cal";
    /// That somebody is told of what they have to do.
    ReminderId = "rem";
    /// When people meet.
    AppointmentId = "apt";
    /// That somebody takes part in an appointment.
    AttendeeId = "atd";
    /// Where events are sent to.
    WebhookEndpointId = "whe";
    /// The sending of an event to an endpoint.
    WebhookDeliveryId = "whd";
    /// A document: files in versions, kept with a record.
    DocumentId = "doc";
    /// A word that a document is found by.
    DocumentTagId = "dtg";
    /// A file that is to come.
    UploadId = "upl";
    /// A workflow.
    WorkflowId = "wfl";
    /// A version of a workflow.
    WorkflowVersionId = "wfv";
    /// A run of a workflow.
    WorkflowRunId = "run";
    /// What happened in a step of a run.
    WorkflowStepId = "wst";
    /// A forecast of a workflow that was kept.
    WorkflowForecastId = "wff";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_one_instant_sort_by_when_they_were_made() {
        MADE.store(7, Ordering::Relaxed);
        let now = DateTime::from_timestamp_micros(1_790_000_000_123_456).unwrap();
        let later = DateTime::from_timestamp_micros(1_790_000_000_123_457).unwrap();
        let ids: Vec<_> =
            (0..100).map(|_| InvoiceId::new(now)).chain([InvoiceId::new(later)]).collect();
        assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn an_id_says_what_it_identifies() {
        let now = DateTime::from_timestamp(1_790_000_000, 0).unwrap();
        let id = InvoiceId::new(now);
        let text = id.global();
        assert!(text.starts_with("inv_01") && text.len() == 30, "{text}");
        assert_eq!(InvoiceId::parse(&text), Some(id));
        assert_eq!(CustomerId::parse(&text), None);
        assert_eq!(AnyId::parse(&text), Some(AnyId::InvoiceId(id)));
        assert_eq!(AnyId::parse("inv_zzz"), None);
        assert_eq!(AnyId::parse(&text.replace("inv_", "xyz_")), None);
        assert_eq!(AnyId::parse(&text.to_uppercase()), None);
    }
}
