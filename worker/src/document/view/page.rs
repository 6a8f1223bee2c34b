//! What the template of a page for a link that leads to nothing sees.

use serde::Serialize;

use super::{PartyView, party};
use crate::document::facts::Party;

/// Everything that the template can name.
#[derive(Debug, Serialize)]
pub(in crate::document) struct PageView<'a> {
    language: &'a str,
    title: String,
    text: String,
    /// Whom to turn to.
    organisation: Option<PartyView>,
}

impl<'a> PageView<'a> {
    /// A page in the language `language`.
    pub fn new(
        language: &'a str,
        title: String,
        text: String,
        organisation: Option<&Party>,
    ) -> Self {
        Self { language, title, text, organisation: organisation.map(party) }
    }
}
