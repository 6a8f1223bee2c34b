//! Words that a record is looked up by, without regard to case and diacritics: `nguyen` finds
//! `Nguyễn`.
//!
//! Invariant: every word has to occur in `search_text`, wherever in a word it stands, and `%`, `_`
//! and quotation marks mean themselves.

use sea_orm::sea_query::extension::sqlite::SqliteExpr;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, LikeExpr, Query};
use sea_orm::{Condition, DbBackend};

use crate::text::fold;

/// How many characters are searched for at most.
const LONGEST: usize = 200;

/// How many words are searched for at most: each is a comparison of its own.
const MOST_WORDS: usize = 20;

/// The shortest part of a word that the index of SQLite finds.
const TRIGRAM: usize = 3;

/// Why nothing is searched for by `text`; `None` if it can be.
#[must_use]
pub fn refusal(text: &str) -> Option<String> {
    let is_long = text.chars().nth(LONGEST).is_some();
    let is_broad = text.split_whitespace().nth(MOST_WORDS).is_some();
    let message = || format!("search for at most {LONGEST} characters and {MOST_WORDS} words");
    (is_long || is_broad).then(message)
}

/// Which rows of `table` have every word of `text` in their `search_text`; all rows when there is
/// no word. PostgreSQL looks the parts up in a trigram index, SQLite in the full-text table beside
/// the table, which knows no word of less than three characters.
#[must_use]
pub fn matches(backend: DbBackend, table: &'static str, text: &str) -> Condition {
    let folded = fold(text);
    let words = folded.split(' ').filter(|word| !word.is_empty());
    let (indexed, plain): (Vec<&str>, Vec<&str>) =
        words.partition(|word| backend == DbBackend::Sqlite && word.chars().count() >= TRIGRAM);
    let searched = Expr::col((table, "search_text"));
    let all = plain
        .into_iter()
        .fold(Condition::all(), |all, word| all.add(searched.clone().like(containing(word))));
    if indexed.is_empty() {
        return all;
    }
    let index = format!("{table}_search");
    let quoted: Vec<_> =
        indexed.iter().map(|word| format!("\"{}\"", word.replace('"', "\"\""))).collect();
    let rows = Query::select()
        .column("rowid")
        .from(Alias::new(&index))
        .and_where(Expr::col(Alias::new(&index)).matches(quoted.join(" ")))
        .take();
    all.add(Expr::col((table, "rowid")).in_subquery(rows))
}

/// A pattern for what contains `part`.
#[must_use]
pub fn containing(part: &str) -> LikeExpr {
    like("%", part)
}

/// A pattern for what starts with `part`.
#[must_use]
pub fn starting(part: &str) -> LikeExpr {
    like("", part)
}

fn like(before: &str, part: &str) -> LikeExpr {
    let escaped = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    LikeExpr::new(format!("{before}{escaped}%")).escape('\\')
}

/// What a record with `parts` is found by.
pub(crate) fn searched<'a>(parts: impl IntoIterator<Item = Option<&'a String>>) -> String {
    fold(&parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join(" "))
}
