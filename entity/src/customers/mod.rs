//! The shared customer database: who they are, whom to talk to, where they are.

pub mod address;
pub mod change;
pub mod contact;
pub mod custom;
pub mod customer;
mod field;
pub mod history;
pub mod import;
mod mention;
pub mod overview;
pub mod phone;
pub mod reach;
pub mod reference;
pub mod timeline;

pub use field::{
    parse_email, parse_email_if_any, parse_language, parse_required, parse_text, parse_zone,
};

/// What the rules about customers refuse.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CustomersError {
    /// No user has the id.
    #[error("there is no such user to own the customer")]
    NoSuchOwner,
    /// Who would own it may not see customers.
    #[error("this user's role does not let them see customers; choose another one to own it")]
    OwnerCannotRead,
    /// Whoever adds it may add customers for themselves or their teams only.
    #[error(
        "your role lets you add customers for yourself or your teams only; name one of these, or nobody"
    )]
    OwnerOutOfReach,
    /// Its records are in its currency.
    #[error("the customer has invoices or payments, so its currency stays as it is")]
    CurrencyInUse,
    /// It cannot be restored or purged.
    #[error("the customer is not deleted, which it has to be for this")]
    NotDeleted,
    /// It is part of another one.
    #[error("the customer was merged into another one; work with that one")]
    Merged,
    /// What the law makes us keep.
    #[error(
        "the customer has invoices or payments, which have to be kept by law; `anonymiseCustomer` removes all else"
    )]
    HasRecords,
    /// Nobody knows any more who it is.
    #[error("the customer was anonymised, which nothing takes back")]
    Anonymised,
    /// Claims need a name.
    #[error(
        "invoices of the customer are open, or money of theirs is not allocated; settle that or take it back first"
    )]
    NotSettled,
    /// It can be seen, so it keeps its history.
    #[error("this still exists, and keeps its history; remove it first")]
    StillThere,
    /// Nothing about a customer was removed that has the id.
    #[error("nothing about a customer was removed that has this id, or its history is erased")]
    NothingToErase,
    /// A row of a batch does not say by what it is found.
    #[error(
        "the row has no {0}, by which rows are matched; fill it in, or match on something else"
    )]
    NoMatchKey(&'static str),
    /// Several customers are what a row describes.
    #[error("{0} customers have this; merge them first, or match on something else")]
    Ambiguous(usize),
    /// Two rows of a batch describe the same customer.
    #[error("an earlier row is about the same customer; leave one of them out")]
    RowTwice,
    /// An import cannot be taken back any more.
    #[error("the import cannot be undone any more: {0}")]
    BuiltOn(String),
    /// What a row describes is deleted.
    #[error("the customer that matches is deleted; restore it first")]
    MatchDeleted,
    /// Its values are of its type.
    #[error(
        "customers have values of this field, so its type stays; archive it and define another one"
    )]
    FieldInUse,
    /// A value that is to go is chosen somewhere.
    #[error("customers have a value that would not be allowed any more; change theirs first")]
    ChoiceInUse,
    /// There are as many as there can be.
    #[error("there are {0} custom fields already, which is the most; archive one first")]
    TooManyFields(u64),
}
