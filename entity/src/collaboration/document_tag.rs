//! Words that documents are found by. Invariant: a document has a word once, folded to lower case.

use sea_orm::ActiveValue::Set;
use sea_orm::entity::prelude::*;

use super::document;
use crate::catalog::catalog;
use crate::error::Error;
use crate::id::{DocumentId, DocumentTagId, Id};
use crate::text;

/// How many words a document has at most.
pub const MOST: usize = 20;

/// How many characters a word has at most.
const LONGEST: usize = 64;

/// A word of a document.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "document_tag")]
pub struct Model {
    /// Which.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DocumentTagId,
    /// Of which document.
    pub document_id: DocumentId,
    /// The word.
    pub name: String,
}

catalog! {
    /// A word that a document is found by.
    DocumentTag of Entity, seen with [Column::DocumentId => document::Entity];
    /// Its id.
    id: id::<DocumentTagId>(),
    /// The word, in lower case.
    name: text(Column::Name).filtered(),
}

/// The stored form of `words`: in lower case, each once, in the alphabet's order.
///
/// # Errors
/// `Invalid` for too many or too long ones.
pub fn parse(words: &[String]) -> Result<Vec<String>, Error> {
    let mut tags: Vec<String> = words.iter().map(|word| text::clean(word).to_lowercase()).collect();
    tags.retain(|tag| !tag.is_empty());
    tags.sort_unstable();
    tags.dedup();
    if tags.len() > MOST {
        return Err(Error::invalid("tags", format!("a document has at most {MOST} tags")));
    }
    if tags.iter().any(|tag| tag.chars().count() > LONGEST) {
        return Err(Error::invalid("tags", format!("a tag has at most {LONGEST} characters")));
    }
    Ok(tags)
}

/// Gives a document these words in place of those that it has.
///
/// # Errors
/// The database.
pub(super) async fn replace(
    txn: &impl ConnectionTrait,
    document: DocumentId,
    tags: Vec<String>,
    now: DateTimeUtc,
) -> Result<(), Error> {
    Entity::delete_many().filter(Column::DocumentId.eq(document)).exec(txn).await?;
    if tags.is_empty() {
        return Ok(());
    }
    let rows = tags.into_iter().map(|name| ActiveModel {
        id: Set(DocumentTagId::new(now)),
        document_id: Set(document),
        name: Set(name),
    });
    Entity::insert_many(rows).exec_without_returning(txn).await?;
    Ok(())
}
