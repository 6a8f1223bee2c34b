//! What people share with one another, and what they keep at hand.

pub mod export;
pub mod file;
pub mod mark;
pub mod note;
pub mod saved_view;

/// What the rules about what people share refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CollaborationError {
    /// No view of one's own has the id.
    #[error("you have no such view; copy a shared one to change it")]
    NoSuchView,
    /// A view belongs to a user.
    #[error("a view is saved by a user who can log in")]
    NobodysView,
    /// No record has the id, or it may not be seen.
    #[error("there is no such record")]
    NoSuchRecord,
    /// There are as many as there can be.
    #[error("you have {0} favourites, which is the most; remove one first")]
    TooManyFavourites(u64),
    /// No note has the id, or it is deleted.
    #[error("there is no such note")]
    NoSuchNote,
}
