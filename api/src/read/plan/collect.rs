//! Selection sets: which fields they ask for, through fragments and aliases.

use async_graphql::indexmap::IndexMap;
use async_graphql::parser::types::{Selection, SelectionSet};
use async_graphql::{ContextSelectionSet, Name, QueryEnv, QueryPathSegment};

use super::{Ask, Planner, Sets};
use crate::error::Fault;

/// What is asked of the field that is being resolved: the selection sets of all fields with its path, since
/// a key may stand in several fragments.
pub(in crate::read) fn asked<'a>(ctx: &ContextSelectionSet<'a>) -> Sets<'a> {
    let query: &'a QueryEnv = ctx.query_env;
    let mut sets = vec![&query.operation.node.selection_set.node];
    let path = ctx.path_node.iter().flat_map(|node| std::iter::once(node).chain(node.parents()));
    let keys = path.filter_map(|node| match node.segment {
        QueryPathSegment::Name(name) => Some(name),
        QueryPathSegment::Index(_) => None,
    });
    for key in keys.collect::<Vec<_>>().into_iter().rev() {
        let mut found = Vec::new();
        descend(query, &sets, key, &mut found);
        sets = found;
    }
    sets
}

/// Adds the selection sets of the fields with a key.
fn descend<'a>(query: &'a QueryEnv, sets: &[&'a SelectionSet], key: &str, found: &mut Sets<'a>) {
    for item in sets.iter().flat_map(|set| &set.items) {
        let inner = match &item.node {
            Selection::Field(field) => {
                if field.node.response_key().node.as_str() == key {
                    found.push(&field.node.selection_set.node);
                }
                continue;
            }
            Selection::FragmentSpread(spread) => {
                let fragment = query.fragments.get(&spread.node.fragment_name.node);
                fragment.map(|fragment| &fragment.node.selection_set)
            }
            Selection::InlineFragment(fragment) => Some(&fragment.node.selection_set),
        };
        if let Some(inner) = inner {
            descend(query, &[&inner.node], key, found);
        }
    }
}

impl<'a> Planner<'a> {
    /// The fields that are asked of a type in some selection sets, by their keys, in the order in
    /// which they are asked for.
    pub(super) fn collect(
        self,
        sets: &[&'a SelectionSet],
        matches: &impl Fn(&str) -> bool,
        fields: &mut IndexMap<&'a Name, Vec<Ask<'a>>>,
    ) {
        for set in sets {
            for item in &set.items {
                let (condition, inner) = match &item.node {
                    Selection::Field(ask) => {
                        fields.entry(&ask.node.response_key().node).or_default().push(ask);
                        continue;
                    }
                    Selection::FragmentSpread(spread) => {
                        let name = &spread.node.fragment_name.node;
                        let Some(fragment) = self.query.fragments.get(name) else { continue };
                        (Some(&fragment.node.type_condition), &fragment.node.selection_set)
                    }
                    Selection::InlineFragment(fragment) => {
                        let fragment = &fragment.node;
                        (fragment.type_condition.as_ref(), &fragment.selection_set)
                    }
                };
                if condition.is_none_or(|condition| matches(&condition.node.on.node)) {
                    self.collect(&[&inner.node], matches, fields);
                }
            }
        }
    }

    /// The fields of a plain object type.
    pub(in crate::read) fn parts<T>(
        self,
        sets: &[&'a SelectionSet],
        name: &str,
        mut part: impl FnMut(Ask<'a>, Sets<'a>) -> Result<Option<T>, Fault>,
    ) -> Result<Vec<(&'a Name, T)>, Fault> {
        let mut fields = IndexMap::new();
        self.collect(sets, &|on| on == name, &mut fields);
        let mut parts = Vec::with_capacity(fields.len());
        for (key, asks) in fields {
            if let Some(part) = part(asks[0], inner(&asks))? {
                parts.push((key, part));
            }
        }
        Ok(parts)
    }
}

/// The selection sets of fields with one key.
pub(super) fn inner<'a>(asks: &[Ask<'a>]) -> Sets<'a> {
    asks.iter().map(|ask| &ask.node.selection_set.node).collect()
}
