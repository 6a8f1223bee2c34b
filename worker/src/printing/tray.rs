//! Where letters leave to: the file store, which keeps each under its own name, so that twice is once.

use std::sync::Arc;

use entity::automation::message;
use entity::automation::printing::storage_key;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

use crate::mail::transport::Outcome;

/// Takes letters.
#[derive(Clone, Debug)]
pub struct Tray(Arc<dyn ObjectStore>);

impl Tray {
    /// In a file store.
    #[must_use]
    pub fn new(files: Arc<dyn ObjectStore>) -> Self {
        Self(files)
    }

    /// Takes a letter. Writing it again changes nothing, so that no failure leaves anything open.
    pub async fn send(&self, message: &message::Model, pdf: Vec<u8>) -> Outcome {
        let key = storage_key(message.created_at.date_naive(), message.id);
        match self.0.put(&Path::from(&*key), pdf.into()).await {
            Ok(_) => Outcome::Accepted { reply: format!("written to {key}") },
            Err(error) => {
                tracing::warn!(message = %message.id.0, %error, "a letter could not be stored");
                Outcome::Temporary { reply: "the file store did not take it".to_owned() }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use entity::automation::printing::of_key;
    use entity::id::{Id, MessageId};

    use super::*;

    #[test]
    fn a_place_says_which_letter_it_is_of() {
        let now = "2026-11-27T20:00:00Z".parse().unwrap();
        let id = MessageId::new(now);
        let key = storage_key(now.date_naive(), id);
        assert_eq!(key, format!("letters/2026-11-27/{}.pdf", id.0));
        assert_eq!(of_key(&key), Some(id));
        for key in ["", "letters/x.pdf", "uploads/1", "letters/2026-11-27/1.pdf#1"] {
            assert_eq!(of_key(key), None, "{key}");
        }
    }
}
