//! The schema: the slices' queries and mutations, merged slice by slice.

use async_graphql::{MergedObject, Schema, SchemaBuilder};

use crate::access::{
    AbsenceMutation, ApiKeyMutation, InvitationMutation, LoginMutation, OrganisationMutation,
    OrganisationQuery, PasswordMutation, PermissionQuery, PositionMutation, RateQuery,
    RoleMutation, SecondFactorMutation, SecondFactorQuery, SessionMutation, SessionQuery,
    ShareMutation, TeamMutation, UserMutation, UserQuery,
};
use crate::automation::{
    ContactPolicyMutation, ContactPolicyQuery, ExplainQuery, ForecastMutation, ForecastQuery,
    JobMutation, PrintingMutation, WebhookMutation, WorkflowHookMutation, WorkflowMutation,
    WorkflowQuery, WorkflowRunsMutation,
};
use crate::collaboration::{
    AppointmentEditMutation, AppointmentMutation, CalendarFeedMutation, CalendarQuery,
    CallEditMutation, CallMutation, DayQuery, DocumentMutation, DownloadQuery, MarkMutation,
    NoteMutation, NotificationMutation, NotificationQuery, ReminderMutation, SavedViewMutation,
    TaskEditMutation, TaskMutation, UploadMutation,
};
use crate::customers::{
    AddressMutation, ContactMutation, CustomFieldMutation, CustomerBulkMutation,
    CustomerDuplicateQuery, CustomerImportMutation, CustomerMergeMutation, CustomerMutation,
    CustomerRemovalMutation, CustomerUpsertMutation, HistoryMutation, OverviewQuery,
};
use crate::finance::{
    AgeingQuery, CreditLimitMutation, CreditProfileQuery, DisputeMutation, DunningMutation,
    DunningQuery, ImportMutation, InvoiceMutation, InvoiceQuery, LossMutation, PaymentMutation,
    PromiseMutation, ReceiptMutation, StatementMutation, WorklistQuery,
};
use crate::http::extension::Surface;
use crate::http::guard::Limits;
use crate::live::Subscription;
use crate::marketing::{
    ConsentMutation, ReachQuery, SampleQuery, SegmentMutation, StatsQuery, SuppressionMutation,
};
use crate::read::{Exports, Roots};
use crate::sales::{OrderMutation, ProductMutation};

#[derive(MergedObject, Default)]
struct AccessQueries(
    OrganisationQuery,
    UserQuery,
    PermissionQuery,
    SessionQuery,
    SecondFactorQuery,
    RateQuery,
);

#[derive(MergedObject, Default)]
struct AccessMutations(
    LoginMutation,
    SessionMutation,
    PasswordMutation,
    ApiKeyMutation,
    SecondFactorMutation,
    UserMutation,
    InvitationMutation,
    RoleMutation,
    TeamMutation,
    PositionMutation,
    ShareMutation,
    AbsenceMutation,
    OrganisationMutation,
);

#[derive(MergedObject, Default)]
struct CustomersMutations(
    CustomerMutation,
    CustomerRemovalMutation,
    CustomerUpsertMutation,
    CustomerBulkMutation,
    CustomerMergeMutation,
    CustomerImportMutation,
    ContactMutation,
    AddressMutation,
    CustomFieldMutation,
    HistoryMutation,
);

#[derive(MergedObject, Default)]
struct CollaborationMutations(
    SavedViewMutation,
    MarkMutation,
    NoteMutation,
    TaskMutation,
    TaskEditMutation,
    CallMutation,
    CallEditMutation,
    AppointmentMutation,
    AppointmentEditMutation,
    CalendarFeedMutation,
    ReminderMutation,
    NotificationMutation,
    DocumentMutation,
    UploadMutation,
);

#[derive(MergedObject, Default)]
struct FinanceMutations(
    InvoiceMutation,
    LossMutation,
    CreditLimitMutation,
    PaymentMutation,
    ReceiptMutation,
    ImportMutation,
    DisputeMutation,
    PromiseMutation,
    DunningMutation,
    StatementMutation,
);

#[derive(MergedObject, Default)]
struct AutomationMutations(
    JobMutation,
    PrintingMutation,
    WebhookMutation,
    WorkflowMutation,
    ForecastMutation,
    WorkflowHookMutation,
    WorkflowRunsMutation,
    ContactPolicyMutation,
);

#[derive(MergedObject, Default)]
struct MarketingMutations(ConsentMutation, SegmentMutation, SuppressionMutation);

#[derive(MergedObject, Default)]
struct MarketingQueries(ReachQuery, SampleQuery, StatsQuery);

/// Everything that can be read.
#[derive(MergedObject, Default)]
pub struct Query(
    Roots,
    AccessQueries,
    CustomerDuplicateQuery,
    OverviewQuery,
    InvoiceQuery,
    AgeingQuery,
    DunningQuery,
    WorklistQuery,
    CreditProfileQuery,
    DownloadQuery,
    NotificationQuery,
    CalendarQuery,
    ForecastQuery,
    DayQuery,
    WorkflowQuery,
    ContactPolicyQuery,
    ExplainQuery,
    MarketingQueries,
);

/// Everything that can be changed. Expected failures are in `userErrors`; then nothing was changed.
#[derive(MergedObject, Default)]
pub struct Mutation(
    AccessMutations,
    CustomersMutations,
    CollaborationMutations,
    FinanceMutations,
    AutomationMutations,
    MarketingMutations,
    ProductMutation,
    OrderMutation,
    Exports,
);

/// Rapport's schema.
pub type RapportSchema = Schema<Query, Mutation, Subscription>;

/// The schema within `limits`, without what the process has.
#[must_use]
pub fn builder(limits: Limits) -> SchemaBuilder<Query, Mutation, Subscription> {
    Schema::build(Query::default(), Mutation::default(), Subscription::default())
        .extension(Surface::new(limits))
}

/// The schema in GraphQL's own language, as it is checked in.
#[must_use]
pub fn sdl() -> String {
    let options = async_graphql::SDLExportOptions::new().sorted_fields().sorted_enum_items();
    builder(Limits::default()).finish().sdl_with_options(options)
}

/// What a page of a list costs.
#[must_use]
pub fn list_cost(first: Option<i32>, last: Option<i32>, child: usize) -> usize {
    let rows = first.or(last).and_then(|rows| usize::try_from(rows).ok()).unwrap_or(25);
    rows.min(100).saturating_mul(child).saturating_add(1)
}
