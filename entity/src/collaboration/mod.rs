//! What people share with one another: documents with their files, views, and what they keep at hand.

pub mod appointment;
pub mod calendar;
pub mod calendar_file;
pub mod call;
pub mod document;
pub mod document_tag;
pub mod export;
pub mod feed;
pub mod file;
pub mod file_name;
pub mod later;
pub mod left;
pub mod mark;
pub mod note;
pub mod notification;
pub mod overdue;
pub mod recurrence;
pub mod reminder;
pub mod saved_view;
mod subject;
pub mod task;
pub mod upload;

use crate::error::Error;
use crate::text;

pub use subject::{Subject, Target};

/// What the rules about what people share refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollaborationError {
    /// No view of one's own has the id.
    #[error("you have no such view; copy a shared one to change it")]
    NoSuchView,
    /// A view belongs to a user.
    #[error("a view is saved by a user who can log in")]
    NobodysView,
    /// What is to be moved, or what it is to stand before, is no favourite.
    #[error("this is none of your favourites; add it first")]
    NoSuchFavourite,
    /// There are as many as there can be.
    #[error("you have {0} favourites, which is the most; remove one first")]
    TooManyFavourites(u64),
    /// No record that could have documents has the id.
    #[error("there is no such record that documents are kept with")]
    SubjectNotFound,
    /// The record has enough.
    #[error("this record has {0} documents, which is the most; delete some first")]
    TooManyDocuments(u64),
    /// The document has enough.
    #[error("this document has {0} versions, which is the most; begin a new document")]
    TooManyVersions(i32),
    /// Enough was asked for and not used.
    #[error("{0} uploads are waiting for their files; use them, or wait until they expire")]
    TooManyUploads(u64),
    /// Not made, expired, or somebody else's.
    #[error("there is no such upload; ask for a fresh one")]
    UploadNotFound,
    /// It is done or called off.
    #[error("this task was done or called off; reopen it first")]
    TaskNotOpen,
    /// It was made or called off.
    #[error("this call was made or called off; plan another one")]
    CallNotPlanned,
    /// Somebody is just calling them.
    #[error("somebody is calling them right now; take another call, or try again in some minutes")]
    CallInProgress,
    /// A rule lets nobody call them for this yet.
    #[error(
        "the rules about reaching customers let nobody call them for this before {until} ({reason})"
    )]
    NotToBeCalledBefore {
        /// From when on it may be.
        until: chrono::DateTime<chrono::Utc>,
        /// Why.
        reason: String,
    },
    /// A rule lets nobody call them for this.
    #[error("the rules about reaching customers let nobody call them for this ({reason})")]
    NotToBeCalled {
        /// Why.
        reason: String,
    },
    /// It is done, called off or deleted, or has no time.
    #[error("there is nothing to remind of any more, as it is done, called off or has no time")]
    NothingToRemindOf,
    /// It was held, missed or called off.
    #[error("this appointment has taken place or was called off; make another one")]
    AppointmentNotPlanned,
    /// A series has no occurrence at that time.
    #[error("no occurrence of this appointment begins then; give one that `calendar` gave")]
    NoSuchOccurrence,
    /// Something is said of an occurrence, and not of which one.
    #[error("this appointment comes again; say which occurrence you mean")]
    WhichOccurrence,
    /// Who says whether they come was not invited.
    #[error("you do not take part in this appointment, so there is nothing to answer")]
    NotInvited,
    /// A reminder was put off often enough.
    #[error(
        "this reminder was put off {0} times, which is the most; do it, or put the reminder away"
    )]
    SnoozedEnough(i32),
    /// A task took less than no time.
    #[error("minutes are not negative")]
    NegativeMinutes,
    /// A file was uploaded already.
    #[error("this upload was used already; ask for a fresh one")]
    UploadUsed,
}

/// The stored form of an optional text with line breaks: cleaned, and `None` when nothing is left.
fn parse_lines(
    field: &'static str,
    given: Option<String>,
    most: usize,
) -> Result<Option<String>, Error> {
    let lines = given.map(|given| text::clean_lines(&given)).filter(|lines| !lines.is_empty());
    match lines.as_ref().is_some_and(|lines| lines.chars().count() > most) {
        true => Err(Error::invalid(field, format!("this has at most {most} characters"))),
        false => Ok(lines),
    }
}
