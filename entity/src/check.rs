//! What is wrong with an input: field by field, and all of it at once, so that a form can show it.

use std::borrow::Cow;
use std::fmt::{self, Display};

use crate::error::Error;

/// A value that is not what its field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field, such as `email`, or `contacts.0.email`.
    pub field: Cow<'static, str>,
    /// What it takes.
    pub message: String,
}

/// All that is wrong; at least one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusals(pub Vec<Refusal>);

impl Display for Refusals {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for Refusal { message, .. } in &self.0 {
            write!(to, "{between}{message}")?;
            between = "; ";
        }
        Ok(())
    }
}

/// Goes through the fields of an input without ending at the first one that is wrong.
#[derive(Debug, Default)]
pub struct Check {
    within: Option<String>,
    refusals: Vec<Refusal>,
    failure: Option<Error>,
}

impl Check {
    /// Puts what was `parsed` into `place`, or notes why it cannot be.
    pub fn put<T>(&mut self, parsed: Result<T, Error>, place: &mut T) {
        match parsed {
            Ok(value) => *place = value,
            Err(error) => self.note(error),
        }
    }

    /// Notes that `field` is wrong unless `holds`.
    pub fn that(&mut self, holds: bool, field: &'static str, message: impl Into<String>) {
        if !holds {
            self.note(Error::invalid(field, message));
        }
    }

    /// Notes a failure; the first one that is about no field outdoes the rest.
    pub fn note(&mut self, error: Error) {
        match error {
            Error::Invalid(Refusals(refusals)) => {
                self.refusals.extend(refusals.into_iter().map(|refusal| match &self.within {
                    Some(place) => {
                        let field = format!("{place}.{}", refusal.field).into();
                        Refusal { field, ..refusal }
                    }
                    None => refusal,
                }));
            }
            other => drop(self.failure.get_or_insert(other)),
        }
    }

    /// Goes through the fields of the `index`th entry of `list`.
    pub fn within(&mut self, list: &str, index: usize, fields: impl FnOnce(&mut Self)) {
        let outer = self.within.replace(format!("{list}.{index}"));
        fields(self);
        self.within = outer;
    }

    /// Whether all was right.
    ///
    /// # Errors
    /// [`Error::Invalid`] with everything that was not.
    pub fn end(self) -> Result<(), Error> {
        match self.failure {
            Some(failure) => Err(failure),
            None if self.refusals.is_empty() => Ok(()),
            None => Err(Error::Invalid(Refusals(self.refusals))),
        }
    }
}
