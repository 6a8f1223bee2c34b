//! What a document asks for once every fragment is put in its place.
//!
//! Invariant: every definition is walked once, and never deeper than the limit of levels.

use std::collections::HashMap;

use async_graphql::parser::types::{
    ExecutableDocument, FragmentDefinition, OperationType, Selection, SelectionSet,
};
use async_graphql::{Name, Positioned, ServerError};

use super::super::errors::{Code, error};
use super::{Limits, SPLIT, too_complex};

/// What a selection set is once its fragments are in their places.
#[derive(Clone, Copy, Default)]
struct Size {
    selections: usize,
    /// Fields that end up in the set itself.
    fields: usize,
    /// Selection sets below this one.
    levels: usize,
}

enum Known {
    /// Being measured now: meeting it again is a cycle.
    Open,
    Done(Size),
}

struct Measure<'a> {
    document: &'a ExecutableDocument,
    limits: &'a Limits,
    fragments: HashMap<&'a str, Known>,
    aliases: usize,
}

/// Measures all operations and fragments.
///
/// # Errors
/// `TOO_COMPLEX`, or `GRAPHQL_VALIDATION_FAILED` for a fragment that contains itself.
pub fn check(document: &ExecutableDocument, limits: &Limits) -> Result<(), ServerError> {
    Measure { document, limits, fragments: HashMap::new(), aliases: 0 }.check()
}

impl<'a> Measure<'a> {
    fn check(mut self) -> Result<(), ServerError> {
        // Unused fragments too: validation visits them before it complains about them.
        for (name, fragment) in &self.document.fragments {
            self.fragment(name, fragment, 1)?;
        }
        let mut selections = 0;
        for (_, operation) in self.document.operations.iter() {
            let size = self.set(&operation.node.selection_set.node, 0)?;
            selections += size.selections;
            self.selections(selections)?;
            let (limit, what) = match operation.node.ty {
                OperationType::Mutation => (self.limits.mutations, "mutations in one operation"),
                _ => (self.limits.root_fields, "fields at the root of one operation"),
            };
            if size.fields > limit {
                return Err(too_complex(what, limit, SPLIT));
            }
        }
        if self.aliases > self.limits.aliases {
            return Err(too_complex("aliases", self.limits.aliases, SPLIT));
        }
        Ok(())
    }

    fn selections(&self, count: usize) -> Result<(), ServerError> {
        if count > self.limits.selections {
            let what = "selections once its fragments are put in their places";
            return Err(too_complex(what, self.limits.selections, SPLIT));
        }
        Ok(())
    }

    fn levels(&self, level: usize) -> Result<(), ServerError> {
        if level > self.limits.levels {
            let what = "selections and fragments within one another";
            return Err(too_complex(what, self.limits.levels, "Ask for less depth at once."));
        }
        Ok(())
    }

    fn set(&mut self, set: &'a SelectionSet, level: usize) -> Result<Size, ServerError> {
        self.levels(level)?;
        let mut size = Size::default();
        for selection in &set.items {
            let mut opens = true;
            let inner = match &selection.node {
                Selection::Field(field) => {
                    self.aliases += usize::from(field.node.alias.is_some());
                    let children = &field.node.selection_set.node;
                    opens = !children.items.is_empty();
                    let Size { selections, levels, .. } =
                        self.set(children, level + usize::from(opens))?;
                    Size { selections, levels, fields: 1 }
                }
                Selection::InlineFragment(inline) => {
                    self.set(&inline.node.selection_set.node, level + 1)?
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name.node;
                    match self.document.fragments.get_key_value(name) {
                        Some((name, fragment)) => self.fragment(name, fragment, level + 1)?,
                        None => Size::default(),
                    }
                }
            };
            size.selections += 1 + inner.selections;
            size.fields += inner.fields;
            size.levels = size.levels.max(inner.levels + usize::from(opens));
            self.selections(size.selections)?;
        }
        Ok(size)
    }

    fn fragment(
        &mut self,
        name: &'a Name,
        fragment: &'a Positioned<FragmentDefinition>,
        level: usize,
    ) -> Result<Size, ServerError> {
        let size = match self.fragments.get(name.as_str()) {
            Some(Known::Done(size)) => *size,
            Some(Known::Open) => {
                let message = format!("The fragment `{name}` contains itself. Break the cycle.");
                let mut cycle = error(Code::ValidationFailed, message);
                cycle.locations.push(fragment.pos);
                return Err(cycle);
            }
            None => {
                self.fragments.insert(name, Known::Open);
                let size = self.set(&fragment.node.selection_set.node, level)?;
                self.fragments.insert(name, Known::Done(size));
                size
            }
        };
        self.levels(level + size.levels)?;
        Ok(size)
    }
}
