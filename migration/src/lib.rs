//! The schema's history. Each step is one transaction on both databases, and several processes may
//! start at once: the first migrates, the others wait for it.

pub use sea_orm_migration::prelude::MigratorTrait;
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, TransactionTrait,
};

use crate::step::steps;

mod audit;
mod column;
mod fold;
mod m20261122_000001_access;
mod m20261122_000002_customers;
mod m20261122_000003_finance;
mod m20261122_000004_automation;
mod m20261125_000005_people;
mod m20261125_000006_audit;
mod m20261125_000007_changing;
mod m20261125_000008_finding;
mod m20261125_000009_files;
mod m20261125_000011_sessions;
mod m20261125_000061_timeline;
mod m20261125_000062_webhooks;
mod m20261125_000070_webhook_customer;
mod m20261125_000076_references;
mod m20261125_000081_custom_field;
mod m20261125_000082_view;
mod m20261125_000083_notification;
mod m20261125_000084_invitation;
mod m20261125_000085_favourites;
mod m20261125_000086_products;
mod m20261125_000091_limits;
mod m20261125_000092_audit_erasure;
mod m20261125_000093_erasure_lookup;
mod m20261125_000094_webhook_share;
mod m20261126_000095_anonymised;
mod m20261126_000097_pages;
mod m20261126_000098_workflows;
mod m20261126_000099_workflow_problem;
mod m20261126_000100_tasks;
mod m20261126_000101_gate;
mod m20261126_000102_presets;
mod m20261126_000110_calls;
mod m20261126_000111_overdue;
mod m20261126_000112_reminders;
mod m20261126_000120_causes;
mod m20261126_000121_assignment;
mod m20261126_000122_rates;
mod m20261127_000130_appointments;
mod m20261127_000131_calendar_feed;
mod m20261127_000132_forecasts;
mod m20261127_000135_sending;
mod m20261127_000136_hooks;
mod m20261127_000137_digests;
mod m20261127_000138_valid_until;
mod m20261127_000139_segments;
mod m20261127_000145_letters;
mod m20261127_000146_collection;
mod m20261127_000150_statements;
mod m20261128_000151_credit;
mod m20261128_000152_orders;
mod m20261128_000153_leases;
mod m20261128_000154_statement_delivery;
mod m20261128_000155_own_ladders;
mod m20261128_000160_segment_kinds;
mod search;
mod step;

/// Every step, oldest first.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        steps![
            m20261122_000001_access,
            m20261122_000002_customers,
            m20261122_000003_finance,
            m20261122_000004_automation,
            m20261125_000005_people,
            m20261125_000006_audit,
            m20261125_000007_changing,
            m20261125_000008_finding,
            m20261125_000009_files,
            m20261125_000011_sessions,
            m20261125_000061_timeline,
            m20261125_000062_webhooks,
            m20261125_000070_webhook_customer,
            m20261125_000076_references,
            m20261125_000081_custom_field,
            m20261125_000082_view,
            m20261125_000083_notification,
            m20261125_000084_invitation,
            m20261125_000085_favourites,
            m20261125_000086_products,
            m20261125_000091_limits,
            m20261125_000092_audit_erasure,
            m20261125_000093_erasure_lookup,
            m20261125_000094_webhook_share,
            m20261126_000095_anonymised,
            m20261126_000097_pages,
            m20261126_000098_workflows,
            m20261126_000099_workflow_problem,
            m20261126_000100_tasks,
            m20261126_000101_gate,
            m20261126_000102_presets,
            m20261126_000110_calls,
            m20261126_000111_overdue,
            m20261126_000112_reminders,
            m20261126_000120_causes,
            m20261126_000121_assignment,
            m20261126_000122_rates,
            m20261127_000130_appointments,
            m20261127_000131_calendar_feed,
            m20261127_000132_forecasts,
            m20261127_000135_sending,
            m20261127_000136_hooks,
            m20261127_000137_digests,
            m20261127_000138_valid_until,
            m20261127_000139_segments,
            m20261127_000145_letters,
            m20261127_000146_collection,
            m20261127_000150_statements,
            m20261128_000151_credit,
            m20261128_000152_orders,
            m20261128_000153_leases,
            m20261128_000154_statement_delivery,
            m20261128_000155_own_ladders,
            m20261128_000160_segment_kinds,
        ]
    }
}

/// The key of the advisory lock under which PostgreSQL is migrated: “rapport” in ASCII.
const MIGRATION_LOCK: i64 = 0x0072_6170_706f_7274;

/// Brings the schema up to date. Calling it again, or from several processes at once, is harmless.
///
/// # Errors
/// [`DbErr`] when the database cannot be reached or a step fails; a failed step leaves no trace.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    let lock = db.begin().await?;
    if db.get_database_backend() == DbBackend::Postgres {
        lock.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")).await?;
        up(db).await?;
        return lock.commit().await;
    }
    lock.rollback().await?;
    up(db).await
}

/// Takes the steps that are left, and lets the audit log know of what they have made.
async fn up(db: &DatabaseConnection) -> Result<(), DbErr> {
    if Migrator::get_pending_migrations(db).await?.is_empty() && audit::is_installed(db).await? {
        return Ok(());
    }
    // SQLite drops no column that a trigger names, and nobody else writes meanwhile.
    if db.get_database_backend() != DbBackend::Postgres {
        audit::uninstall(db).await?;
    }
    Migrator::up(db, None).await?;
    let txn = db.begin().await?;
    audit::install(&txn).await?;
    txn.commit().await
}
