//! How broad filters may be.
//!
//! Invariant: what passes is a statement that either database takes. PostgreSQL takes 65,535 values in one,
//! SQLite 32,766 and expressions that lie 1,000 deep.

use serde_json::Value as Json;

use super::CatalogError;

/// How many entries one list may have.
const MOST_LISTED: usize = 1_000;
/// How many entries all lists may have together.
const MOST_VALUES: usize = 5_000;
/// How many objects of comparisons there may be.
const MOST_TERMS: usize = 200;

/// Refuses a filter that is too broad, before anything of it is compiled.
pub(super) fn check(filter: &Json, at: &str) -> Result<(), CatalogError> {
    let invalid = |at: String, message: String| Err(CatalogError::Invalid { at, message });
    let (mut terms, mut values) = (0, 0);
    let mut pending = vec![(at.to_owned(), filter)];
    while let Some((at, part)) = pending.pop() {
        match part {
            Json::Object(entries) => {
                terms += 1;
                if terms > MOST_TERMS {
                    let message =
                        format!("a filter has at most {MOST_TERMS} comparisons; ask in parts");
                    return invalid(at, message);
                }
                let entries = entries.iter().map(|(name, entry)| (format!("{at}.{name}"), entry));
                pending.extend(entries);
            }
            Json::Array(elements) => {
                values += elements.len();
                if elements.len() > MOST_LISTED || values > MOST_VALUES {
                    let message = format!(
                        "a list has at most {MOST_LISTED} entries, and all lists {MOST_VALUES}; ask in parts"
                    );
                    return invalid(at, message);
                }
                let nested = elements.iter().filter(|one| one.is_object() || one.is_array());
                pending.extend(nested.map(|one| (at.clone(), one)));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refused(filter: &Json) -> Option<String> {
        check(filter, "filter").err().map(|error| error.to_string())
    }

    #[test]
    fn what_a_screen_asks_for_passes_and_what_no_database_takes_does_not() {
        let ids = |many: usize| json!({ "id": { "in": vec!["cus_x"; many] } });
        assert_eq!(refused(&Json::Null), None);
        assert_eq!(refused(&ids(MOST_LISTED)), None);
        let long = refused(&ids(MOST_LISTED + 1));
        assert!(long.is_some_and(|message| message.starts_with("filter.id.in: a list has")));
        let lists = json!({ "and": vec![ids(MOST_LISTED); 6] });
        assert!(refused(&lists).is_some_and(|message| message.contains("all lists 5000")));
        let terms = |many: usize| json!({ "or": vec![json!({ "name": { "eq": "a" } }); many] });
        assert_eq!(refused(&terms(99)), None);
        assert!(refused(&terms(100)).is_some_and(|message| message.contains("200 comparisons")));
        let nested = json!({ "or": vec![vec![json!({}); 100]; 100] });
        assert!(refused(&nested).is_some());
    }
}
