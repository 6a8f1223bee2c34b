//! The choices of the audit log.

use crate::choice::choice;

choice! {
    /// What was done to a record.
    AuditAction mirrors "entity::access::audit::Action" {
        /// It was added.
        Created,
        /// It was changed.
        Updated,
        /// It was removed for good.
        Deleted,
        /// What its entries say was changed is erased; they stay.
        Erased,
    }
}
