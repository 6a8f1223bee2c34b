//! What all records share in the schema: scalars, enums, and where a page lies.

use async_graphql::registry::Registry;
use async_graphql::{ID, OutputType};
use chrono::{DateTime, Utc};

use super::meta::{enumeration, meta_field, object};
use crate::access::{AuditAction, Permission, RoleKey, Scope, SessionEnding};
use crate::automation::{
    JobKind, JobState, MessageClass, MessageKind, MessageReason, MessageState,
    WebhookDeliveryState, WorkflowRunState, WorkflowState, WorkflowStepOutcome,
};
use crate::collaboration::{
    AppointmentState, AttendeeResponse, CallDirection, CallOutcome, CallPurpose, CallState,
    NotificationKind, TaskPriority, TaskState,
};
use crate::customers::{
    AddressKind, Channel, CustomFieldType, CustomerKind, LifecycleStage, Sensitivity,
};
use crate::finance::{
    CreditAction, CreditNoteKind, DisputeCause, DisputeState, DunningApproval, InvoiceKind,
    InvoiceState, PaymentMethod, PaymentState, PromiseKind, PromiseState, ReceiptKind,
    StatementChannel, StatementKind,
};
use crate::marketing::{
    ConsentBasis, ConsentStanding, SegmentKind, SegmentOperation, SuppressionCause,
};
use crate::sales::SalesOrderState;
use crate::scalar::{CurrencyCode, Date, Decimal, Long, Money};

/// Scalars, enums, and what all lists share.
pub(super) fn register(registry: &mut Registry) {
    if registry.types.contains_key("OrderDirection") {
        return;
    }
    for type_of in [
        <String as OutputType>::create_type_info,
        <i32 as OutputType>::create_type_info,
        <bool as OutputType>::create_type_info,
        <ID as OutputType>::create_type_info,
        <Long as OutputType>::create_type_info,
        <Decimal as OutputType>::create_type_info,
        <Date as OutputType>::create_type_info,
        <DateTime<Utc> as OutputType>::create_type_info,
        <CurrencyCode as OutputType>::create_type_info,
        <Money as OutputType>::create_type_info,
        <async_graphql::Json<serde_json::Value> as OutputType>::create_type_info,
        <RoleKey as OutputType>::create_type_info,
        <Permission as OutputType>::create_type_info,
        <Scope as OutputType>::create_type_info,
        <AuditAction as OutputType>::create_type_info,
        <CustomerKind as OutputType>::create_type_info,
        <LifecycleStage as OutputType>::create_type_info,
        <Channel as OutputType>::create_type_info,
        <AddressKind as OutputType>::create_type_info,
        <CustomFieldType as OutputType>::create_type_info,
        <Sensitivity as OutputType>::create_type_info,
        <InvoiceKind as OutputType>::create_type_info,
        <InvoiceState as OutputType>::create_type_info,
        <DisputeState as OutputType>::create_type_info,
        <DisputeCause as OutputType>::create_type_info,
        <PromiseState as OutputType>::create_type_info,
        <PromiseKind as OutputType>::create_type_info,
        <SalesOrderState as OutputType>::create_type_info,
        <CreditNoteKind as OutputType>::create_type_info,
        <CreditAction as OutputType>::create_type_info,
        <DunningApproval as OutputType>::create_type_info,
        <PaymentState as OutputType>::create_type_info,
        <PaymentMethod as OutputType>::create_type_info,
        <ReceiptKind as OutputType>::create_type_info,
        <MessageClass as OutputType>::create_type_info,
        <ConsentStanding as OutputType>::create_type_info,
        <SegmentKind as OutputType>::create_type_info,
        <SegmentOperation as OutputType>::create_type_info,
        <ConsentBasis as OutputType>::create_type_info,
        <SuppressionCause as OutputType>::create_type_info,
        <MessageKind as OutputType>::create_type_info,
        <StatementChannel as OutputType>::create_type_info,
        <StatementKind as OutputType>::create_type_info,
        <MessageState as OutputType>::create_type_info,
        <WebhookDeliveryState as OutputType>::create_type_info,
        <WorkflowState as OutputType>::create_type_info,
        <WorkflowRunState as OutputType>::create_type_info,
        <WorkflowStepOutcome as OutputType>::create_type_info,
        <MessageReason as OutputType>::create_type_info,
        <JobKind as OutputType>::create_type_info,
        <JobState as OutputType>::create_type_info,
        <SessionEnding as OutputType>::create_type_info,
        <NotificationKind as OutputType>::create_type_info,
        <TaskPriority as OutputType>::create_type_info,
        <TaskState as OutputType>::create_type_info,
        <AppointmentState as OutputType>::create_type_info,
        <AttendeeResponse as OutputType>::create_type_info,
        <CallDirection as OutputType>::create_type_info,
        <CallPurpose as OutputType>::create_type_info,
        <CallState as OutputType>::create_type_info,
        <CallOutcome as OutputType>::create_type_info,
    ] {
        type_of(registry);
    }
    let ways =
        [("ASC", "Smallest, first or oldest first."), ("DESC", "Largest, last or newest first.")];
    enumeration(registry, "OrderDirection", "In which direction a list is ordered.", ways);
    let nulls = [("FIRST", "Before all others."), ("LAST", "After all others.")];
    enumeration(registry, "NullsOrder", "Where records without a value stand.", nulls);
    let about = "Where a page lies in its list.";
    let fields = [
        (
            "hasNextPage",
            "Whether records follow; known when paging forwards, otherwise whether `before` was given.",
            "Boolean!",
        ),
        (
            "hasPreviousPage",
            "Whether records precede; known when paging backwards, otherwise whether `after` was given.",
            "Boolean!",
        ),
        ("startCursor", "The cursor of the page's first record; null on an empty page.", "String"),
        ("endCursor", "The cursor of the page's last record; null on an empty page.", "String"),
    ];
    let fields = fields.map(|(name, about, ty)| meta_field(name, about, ty));
    registry.types.insert("PageInfo".to_owned(), object("PageInfo", about, fields));
}
