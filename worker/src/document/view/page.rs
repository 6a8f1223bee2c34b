//! What the template of a page sees that customers open by a link.

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
    /// What one can say there.
    choices: Vec<Choice>,
}

/// Something that one can say on a page, with a button.
#[derive(Debug, Serialize)]
pub(in crate::document) struct Choice {
    /// The value that it sends.
    pub say: &'static str,
    /// What the button reads.
    pub label: String,
}

impl<'a> PageView<'a> {
    /// A page in the language `language`.
    pub fn new(
        language: &'a str,
        title: String,
        text: String,
        organisation: Option<&Party>,
        choices: Vec<Choice>,
    ) -> Self {
        Self { language, title, text, organisation: organisation.map(party), choices }
    }
}
