//! Which of the rows that were read together is whose.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

use entity::catalog::read_id;
use sea_orm::{DbErr, QueryResult};
use uuid::Uuid;

/// A page of a list, of the rows of a level.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// Which rows.
    pub rows: Range<usize>,
    /// Whether more lie beyond it.
    pub more: bool,
    /// How many records the whole list has, if that is asked for.
    pub total: i64,
}

/// What a cell of the rows refers to, each once.
pub(super) fn references(rows: &[QueryResult], cell: usize) -> Result<Vec<Uuid>, DbErr> {
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        keys.extend(read_id(row, cell)?);
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}

/// Which row is whose whose id, or what else is unique to it, stands in the cell.
pub(super) fn places(rows: &[QueryResult], cell: usize) -> Result<HashMap<Uuid, usize>, DbErr> {
    let mut at = HashMap::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        at.extend(read_id(row, cell)?.map(|id| (id, index)));
    }
    Ok(at)
}

/// Of each parent, which stands in the cell, the first `size` of its rows, which lie together. When they were
/// read `backwards`, they are turned round.
pub(super) fn pages(
    rows: Vec<QueryResult>,
    parent: usize,
    size: usize,
    backwards: bool,
) -> Result<(Vec<QueryResult>, HashMap<Uuid, Found>), DbErr> {
    let mut kept = Vec::with_capacity(rows.len());
    let mut pages = Vec::<(Uuid, Found)>::new();
    for row in rows {
        let Some(key) = read_id(&row, parent)? else { continue };
        let page = match pages.pop() {
            Some((current, page)) if current == key => page,
            other => {
                pages.extend(other);
                Found { rows: kept.len()..kept.len(), ..Found::default() }
            }
        };
        let more = page.rows.len() == size;
        if !more {
            kept.push(row);
        }
        pages.push((key, Found { rows: page.rows.start..kept.len(), more, total: 0 }));
    }
    if backwards {
        kept.reverse();
        for (_, Found { rows, .. }) in &mut pages {
            *rows = kept.len() - rows.end..kept.len() - rows.start;
        }
    }
    let mut found = HashMap::with_capacity(pages.len());
    for (key, page) in pages {
        match found.entry(key) {
            Entry::Vacant(place) => place.insert(page),
            Entry::Occupied(_) => {
                return Err(DbErr::Custom(format!("the rows of {key} do not lie together")));
            }
        };
    }
    Ok((kept, found))
}
