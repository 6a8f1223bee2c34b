//! Keys: what two records of the same customer have in common, however it was typed.
//!
//! Invariant: keys follow from the other columns. A row without a name's key was written by something
//! that does not know keys, and is indexed later.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{IntoActiveModel, QueryOrder, QuerySelect};

use super::{Column, Entity, Model};
use crate::error::Error;
use crate::text::fold;

/// How many digits of a telephone number tell it from others. What comes before is a country's code or
/// the zero in its place.
const DIGITS: usize = 9;

/// The shortest telephone number that is compared; below it are extensions.
const SHORTEST: usize = 6;

/// The words of a name without case, diacritics and punctuation.
#[must_use]
pub fn name_key(name: &str) -> String {
    let words = fold(name);
    let words = words.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let key = words.collect::<Vec<_>>().join(" ");
    // A name of punctuation alone is its own key.
    if key.is_empty() { fold(name) } else { key }
}

/// A telephone number's last nine digits: `+84 901 234 567` and `0901.234.567` have the same ones.
#[must_use]
pub fn phone_key(phone: &str) -> Option<String> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    (digits.len() >= SHORTEST).then(|| digits[digits.len().saturating_sub(DIGITS)..].to_owned())
}

/// A tax number without punctuation, in upper case.
#[must_use]
pub fn tax_key(tax_number: &str) -> Option<String> {
    let key: String = tax_number.chars().filter(char::is_ascii_alphanumeric).collect();
    (!key.is_empty()).then(|| key.to_ascii_uppercase())
}

impl Model {
    /// Makes what follows from the other columns follow from them.
    pub fn index(&mut self) {
        self.search_text = self.searched();
        self.name_key = Some(cut(name_key(&self.display_name)));
        self.email_key = self.email.as_deref().map(str::to_lowercase);
        self.phone_key = self.phone.as_deref().and_then(phone_key);
        self.tax_key = self.tax_number.as_deref().and_then(tax_key);
    }
}

/// Folding can lengthen a name beyond what its column takes.
fn cut(key: String) -> String {
    match key.char_indices().nth(200) {
        Some((end, _)) => key[..end].to_owned(),
        None => key,
    }
}

/// Indexes up to `limit` customers that were never indexed; gives how many there were.
///
/// # Errors
/// The database.
pub async fn index_missing(txn: &impl ConnectionTrait, limit: u64) -> Result<usize, Error> {
    let mut rows = Entity::find()
        .filter(Column::NameKey.is_null())
        .order_by_asc(Column::Id)
        .limit(limit)
        .lock_exclusive()
        .all(txn)
        .await?;
    if rows.is_empty() {
        return Ok(0);
    }
    rows.iter_mut().for_each(Model::index);
    let count = rows.len();
    let update = OnConflict::column(Column::Id)
        .update_columns([
            Column::SearchText,
            Column::NameKey,
            Column::EmailKey,
            Column::PhoneKey,
            Column::TaxKey,
        ])
        .to_owned();
    let rows = rows.into_iter().map(|row| row.into_active_model().reset_all());
    Entity::insert_many(rows).on_conflict(update).exec_without_returning(txn).await?;
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_in_different_ways_has_one_key() {
        assert_eq!(name_key("Công ty TNHH  “Sông-Hàn”"), name_key("cong ty tnhh SONG HAN."));
        assert_eq!(name_key("!!!"), "!!!");
        assert_eq!(phone_key("+84 901 234 567"), phone_key("0901.234.567"));
        assert_eq!(phone_key("ext. 12"), None);
        assert_eq!(tax_key("0401-234.567"), Some("0401234567".to_owned()));
        assert_eq!(tax_key(" - "), None);
    }
}
