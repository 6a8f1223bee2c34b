//! The outbox: what happened, written in the transaction in which it happened.
//!
//! Invariant: an event is relayed once; what comes of it has a unique key, so twice would do no harm.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;
use sea_orm::{ActiveEnum, DeriveActiveEnum, EnumIter, QueryOrder, QuerySelect, QueryTrait};
use serde::{Deserialize, Serialize};

use crate::access::Actor;
use crate::catalog::{Record, by_table};
use crate::error::Error;
use crate::id::{CustomerId, EventId, Id, UserId, WorkflowId};

/// Declares what can happen, by the names under which it is written down and told: what other systems are told
/// of, and what not.
macro_rules! kinds {
    (
        public { $($(#[$public_doc:meta])* $public:ident = $public_name:literal,)+ }
        private { $($(#[$private_doc:meta])* $private:ident = $private_name:literal,)+ }
    ) => {
        /// What happened.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize)]
        #[sea_orm(rs_type = "String", db_type = "String(StringLen::N(64))")]
        pub enum Kind {
            $($(#[$public_doc])* #[sea_orm(string_value = $public_name)] #[serde(rename = $public_name)] $public,)+
            $($(#[$private_doc])* #[sea_orm(string_value = $private_name)] #[serde(rename = $private_name)] $private,)+
        }

        impl Kind {
            /// Whether other systems are told of it.
            #[must_use]
            pub const fn is_public(self) -> bool {
                match self {
                    $(Self::$public)|+ => true,
                    $(Self::$private)|+ => false,
                }
            }
        }
    };
}

kinds! {
    public {
        /// A customer was added.
        CustomerCreated = "customer.created",
        /// A customer was changed.
        CustomerUpdated = "customer.updated",
        /// A customer was deleted; it can be restored.
        CustomerDeleted = "customer.deleted",
        /// The deletion of a customer was taken back.
        CustomerRestored = "customer.restored",
        /// A customer was removed for good.
        CustomerPurged = "customer.purged",
        /// All that said who a customer is was removed for good; who was told of it has to forget it, too.
        CustomerAnonymised = "customer.anonymised",
        /// Another customer became part of a customer.
        CustomerMerged = "customer.merged",
        /// A contact was added.
        ContactCreated = "contact.created",
        /// A contact was changed.
        ContactUpdated = "contact.updated",
        /// A contact was removed.
        ContactDeleted = "contact.deleted",
        /// An address was added.
        AddressCreated = "address.created",
        /// An address was changed.
        AddressUpdated = "address.updated",
        /// An address was removed.
        AddressDeleted = "address.deleted",
        /// A note was written.
        NoteCreated = "note.created",
        /// A note was changed.
        NoteUpdated = "note.updated",
        /// A note was deleted.
        NoteDeleted = "note.deleted",
        /// The deletion of a note was taken back.
        NoteRestored = "note.restored",
        /// An invoice was issued.
        InvoiceIssued = "invoice.issued",
        /// An invoice was taken back as a whole.
        InvoiceVoided = "invoice.voided",
        /// An invoice was settled, by money or by credit notes.
        InvoiceSettled = "invoice.settled",
        /// An invoice that was settled is open again.
        InvoiceReopened = "invoice.reopened",
        /// What was open of an invoice was written off.
        InvoiceWrittenOff = "invoice.written_off",
        /// An invoice was handed over to a lawyer or a court.
        InvoiceHandedOver = "invoice.handed_over",
        /// An invoice that was handed over was taken back.
        InvoiceTakenBack = "invoice.taken_back",
        /// A customer disputes an invoice, wholly or in part.
        DisputeOpened = "dispute.opened",
        /// A dispute has ended.
        DisputeResolved = "dispute.resolved",
        /// A customer promised to pay.
        PromiseMade = "promise.made",
        /// A customer has paid what it promised.
        PromiseKept = "promise.kept",
        /// A customer has not paid, or not all, by the day it promised to.
        PromiseBroken = "promise.broken",
        /// A promise to pay was called off.
        PromiseCancelled = "promise.cancelled",
        /// Something made a customer owe more than its credit limit allows, or while it is on hold.
        CreditLimitExceeded = "credit_limit.exceeded",
        /// A customer is to get a notice of what is to be paid.
        DunningNoticePlanned = "dunning_notice.planned",
        /// A credit note was issued.
        CreditNoteIssued = "credit_note.issued",
        /// Money came in.
        PaymentRecorded = "payment.recorded",
        /// Unapplied cash settled invoices.
        PaymentAllocated = "payment.allocated",
        /// A payment was taken back.
        PaymentReversed = "payment.reversed",
        /// A product was added.
        ProductCreated = "product.created",
        /// A product was changed.
        ProductUpdated = "product.updated",
        /// A product was deleted; it can be restored.
        ProductDeleted = "product.deleted",
        /// The deletion of a product was taken back.
        ProductRestored = "product.restored",
        /// A customer has ordered something.
        SalesOrderPlaced = "sales_order.placed",
        /// What was not invoiced of an order was called off.
        SalesOrderCancelled = "sales_order.cancelled",
        /// A task was added.
        TaskCreated = "task.created",
        /// A task was changed, called off or reopened.
        TaskUpdated = "task.updated",
        /// A task was done.
        TaskCompleted = "task.completed",
        /// A task was not done in time.
        TaskOverdue = "task.overdue",
        /// A task was deleted; it can be restored.
        TaskDeleted = "task.deleted",
        /// The deletion of a task was taken back.
        TaskRestored = "task.restored",
        /// A call was planned.
        CallCreated = "call.created",
        /// A call was changed, or called off.
        CallUpdated = "call.updated",
        /// Somebody began to make a call.
        CallStarted = "call.started",
        /// A call was made, and has an outcome.
        CallCompleted = "call.completed",
        /// A call was not made in time, or nobody said what came of it.
        CallForgotten = "call.forgotten",
        /// A call was deleted; it can be restored.
        CallDeleted = "call.deleted",
        /// The deletion of a call was taken back.
        CallRestored = "call.restored",
        /// An appointment was made.
        AppointmentCreated = "appointment.created",
        /// An appointment was changed, or who takes part in it.
        AppointmentUpdated = "appointment.updated",
        /// Who takes part in an appointment said whether they come.
        AppointmentAnswered = "appointment.answered",
        /// An appointment was called off.
        AppointmentCancelled = "appointment.cancelled",
        /// An appointment has taken place.
        AppointmentHeld = "appointment.held",
        /// An appointment has not taken place, as somebody did not come.
        AppointmentMissed = "appointment.missed",
        /// An appointment was deleted; it can be restored.
        AppointmentDeleted = "appointment.deleted",
        /// The deletion of an appointment was taken back.
        AppointmentRestored = "appointment.restored",
        /// The receiving server refused a message to a customer for good.
        MessageRefused = "message.refused",
        /// A customer has come to belong to a segment.
        SegmentEntered = "segment.entered",
        /// A customer does not belong to a segment any more.
        SegmentLeft = "segment.left",
        /// A file of receivables was imported.
        ReceivablesImported = "receivables.imported",
    }
    // What is part of how people get in is nobody's business.
    private {
        /// Somebody wants a new password.
        PasswordResetRequested = "password.reset_requested",
        /// A user is invited to choose a password.
        UserInvited = "user.invited",
    }
}

impl Kind {
    /// Its name, such as `payment.recorded`.
    #[must_use]
    pub fn name(self) -> String {
        self.to_value()
    }

    /// The kind of record that it happens to: its name begins with it.
    #[must_use]
    pub fn record(self) -> Option<&'static Record> {
        match self.name().split_once('.')?.0 {
            "receivables" => by_table("job"),
            table => by_table(table),
        }
    }
}

/// An event.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "event")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EventId,
    /// What happened.
    pub kind: Kind,
    /// To which record; its kind follows from the event's.
    pub subject_id: Uuid,
    /// Whom it concerns.
    pub customer_id: Option<CustomerId>,
    /// What else is known of it.
    pub payload: Json,
    /// When.
    pub occurred_at: DateTimeUtc,
    /// Who did it; nobody for Rapport itself.
    pub actor_id: Option<UserId>,
    /// When what follows from it was planned.
    pub relayed_at: Option<DateTimeUtc>,
    /// The workflow in whose run it happened; none outside of runs.
    pub workflow_id: Option<WorkflowId>,
    /// How many runs came before it, each started by what the one before it did.
    pub depth: i32,
}

/// None that the ORM has to know.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Writes down what happened, in the transaction in which it happened.
///
/// # Errors
/// The database.
pub async fn emit(
    txn: &impl ConnectionTrait,
    kind: Kind,
    subject: Uuid,
    customer: Option<CustomerId>,
    actor: Actor,
    now: DateTimeUtc,
) -> Result<(), Error> {
    let row = new(kind, subject, customer, actor, now);
    Entity::insert(row).exec_without_returning(txn).await?;
    Ok(())
}

/// The row of an event, for inserting many at once.
#[must_use]
pub fn new(
    kind: Kind,
    subject: Uuid,
    customer: Option<CustomerId>,
    actor: Actor,
    now: DateTimeUtc,
) -> ActiveModel {
    ActiveModel {
        id: Set(EventId::new(now)),
        kind: Set(kind),
        subject_id: Set(subject),
        customer_id: Set(customer),
        payload: Set(Json::Object(serde_json::Map::new())),
        occurred_at: Set(now),
        actor_id: Set(actor.user()),
        relayed_at: Set(None),
        workflow_id: Set(actor.cause().map(|cause| cause.workflow)),
        depth: Set(actor.cause().map_or(0, |cause| cause.depth + 1)),
    }
}

/// Takes up to `limit` events that were not relayed yet, oldest first; others skip them meanwhile.
///
/// # Errors
/// The database.
pub async fn take_pending(txn: &impl ConnectionTrait, limit: u64) -> Result<Vec<Model>, Error> {
    use sea_orm::sea_query::{LockBehavior, LockType};
    let pending = Entity::find()
        .filter(Column::RelayedAt.is_null())
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
    Ok(pending.all(txn).await?)
}

/// Waits for whoever is just relaying events about `customers`, and keeps others from it until the transaction
/// ends.
///
/// # Errors
/// The database.
pub(crate) async fn hold_pending(
    txn: &impl ConnectionTrait,
    customers: &[CustomerId],
) -> Result<(), Error> {
    let pending = Entity::find()
        .select_only()
        .column(Column::Id)
        .filter(Column::CustomerId.is_in(customers.iter().copied()))
        .filter(Column::RelayedAt.is_null())
        .order_by_asc(Column::Id)
        .lock_exclusive();
    pending.into_tuple::<EventId>().all(txn).await?;
    Ok(())
}

/// Marks events as relayed.
///
/// # Errors
/// The database.
pub async fn mark_relayed(
    txn: &impl ConnectionTrait,
    ids: impl IntoIterator<Item = EventId>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::update_many()
        .col_expr(Column::RelayedAt, Expr::val(now))
        .filter(Column::Id.is_in(ids))
        .exec(txn)
        .await?;
    Ok(())
}

/// Whether an event waits to be relayed, as a condition.
#[must_use]
pub fn is_pending() -> Expr {
    Expr::exists(Entity::find().filter(Column::RelayedAt.is_null()).into_query())
}

/// How many events wait to be relayed.
///
/// # Errors
/// The database.
pub async fn pending(db: &impl ConnectionTrait) -> Result<u64, DbErr> {
    use sea_orm::PaginatorTrait;
    Entity::find().filter(Column::RelayedAt.is_null()).count(db).await
}

/// Up to `limit` customers to whom something happened since `since`.
///
/// # Errors
/// The database.
pub async fn customers_since(
    db: &impl ConnectionTrait,
    since: DateTimeUtc,
    limit: u64,
) -> Result<Vec<CustomerId>, DbErr> {
    // Ids are ordered by time, and their index is there already.
    let millis = u128::try_from(since.timestamp_millis()).unwrap_or_default();
    Entity::find()
        .select_only()
        .distinct()
        .column(Column::CustomerId)
        .filter(Column::Id.gte(Uuid::from_u128(millis << 80)))
        .filter(Column::CustomerId.is_not_null())
        .limit(limit)
        .into_tuple()
        .all(db)
        .await
}
