//! Pages of a few words, for whoever opens a link that leads to nothing.

use super::facts::Party;
use super::library::path;
use super::view::PageView;
use super::{DocumentError, Documents};

/// What a page says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// That the link leads to nothing.
    Unknown,
    /// That it did, for a while.
    Expired,
    /// That it will again in a moment.
    Away,
}

impl Page {
    fn sentences(self) -> (&'static str, &'static str) {
        match self {
            Self::Unknown => ("unknown", "unknown_text"),
            Self::Expired => ("expired", "expired_text"),
            Self::Away => ("away", "away_text"),
        }
    }
}

impl Documents {
    /// A page as HTML, in the first of the languages that there are templates in, with whom to turn to if that is known.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn page(
        &self,
        page: Page,
        languages: &[&str],
        organisation: Option<&Party>,
    ) -> Result<String, DocumentError> {
        let library = &self.0.library;
        let (language, _) = library.first_language(languages);
        let (title, text) = page.sentences();
        let say = |key| library.sentence(language, "page", key, &());
        let view = PageView::new(language, say(title)?, say(text)?, organisation);
        library.render(&path(language, "page.html")?, &view)
    }
}
