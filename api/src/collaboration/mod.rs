//! What people share with one another, and what they keep at hand.

mod mark;
mod note;
mod saved_view;

pub use mark::MarkMutation;
pub use note::NoteMutation;
pub use saved_view::SavedViewMutation;
