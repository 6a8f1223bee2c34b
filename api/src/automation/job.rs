//! The choices of jobs: long work that a person waits for.

use crate::choice::choice;

choice! {
    /// What a job does.
    JobKind mirrors "entity::automation::job::Kind" {
        /// Reads a file of receivables.
        ImportReceivables,
    }
}

choice! {
    /// How far a job has come.
    JobState mirrors "entity::automation::job::State" {
        /// It will start soon.
        Queued,
        /// It is running.
        Running,
        /// It has ended; what it could not do is in its report.
        Succeeded,
        /// It has ended without effect; why is in its report.
        Failed,
    }
}
