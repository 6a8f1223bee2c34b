//! What people share with one another, what they keep at hand, and documents with their files.

mod appointment;
mod calendar;
mod call;
mod day;
mod document;
mod download;
pub mod feed;
mod mark;
mod note;
mod notification;
mod reminder;
mod saved_view;
mod task;
mod upload;

pub use appointment::{
    AppointmentEditMutation, AppointmentMutation, AppointmentState, AttendeeResponse,
};
pub use calendar::CalendarQuery;
pub use call::{
    CallDirection, CallEditMutation, CallMutation, CallOutcome, CallPurpose, CallState,
};
pub use day::DayQuery;
pub use document::DocumentMutation;
pub use download::{DownloadLink, DownloadQuery};
pub use feed::CalendarFeedMutation;
pub use mark::MarkMutation;
pub use note::NoteMutation;
pub use notification::{NotificationKind, NotificationMutation, NotificationQuery};
pub use reminder::ReminderMutation;
pub use saved_view::SavedViewMutation;
pub use task::{TaskEditMutation, TaskMutation, TaskPriority, TaskState};
pub use upload::UploadMutation;
