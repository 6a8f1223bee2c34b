//! Pages of a few words: for whoever opens a link that leads to nothing, and for whoever unsubscribes.

use entity::marketing::unsubscribe::Subscription;
use serde::Serialize;

use super::facts::Party;
use super::library::path;
use super::view::{Choice, PageView, line};
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
        let view = PageView::new(language, say(title)?, say(text)?, organisation, Vec::new());
        library.render(&path(language, "page.html")?, &view)
    }

    /// The page on which one unsubscribes, or has.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn unsubscribe(
        &self,
        subscription: &Subscription,
        organisation: &Party,
    ) -> Result<String, DocumentError> {
        let library = &self.0.library;
        let (language, _) = library.language(&subscription.language);
        let Subscription { topic_ended, all_ended, .. } = *subscription;
        let topic = subscription.topic.as_deref().map(line);
        let has_topic = topic.is_some();
        let values = SubscriptionView { topic, all: all_ended };
        let say = |key| library.sentence(language, "unsubscribe", key, &values);
        let choices = [
            (!topic_ended && !all_ended, "this", "topic_button"),
            (has_topic && !all_ended, "nothing", "all_button"),
            (topic_ended || all_ended, "again", "again_button"),
        ];
        let choices = choices.into_iter().filter(|(is_offered, ..)| *is_offered);
        let choices = choices.map(|(_, value, key)| Ok(Choice { say: value, label: say(key)? }));
        let choices = choices.collect::<Result<_, DocumentError>>()?;
        let (title, text) = match topic_ended || all_ended {
            true => ("done", "done_text"),
            false => ("ask", "ask_text"),
        };
        let view = PageView::new(language, say(title)?, say(text)?, Some(organisation), choices);
        library.render(&path(language, "page.html")?, &view)
    }
}

/// What the sentences of that page can name.
#[derive(Serialize)]
struct SubscriptionView {
    topic: Option<String>,
    /// Whether nothing comes on the channel any more.
    all: bool,
}
