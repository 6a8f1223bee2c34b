//! What a GraphQL document may ask for, decided before anything walks it.
//!
//! Invariant: no step here costs more than the document's length. The scan for nesting and the memoised count of
//! selections come before every recursive or expanding walk of async-graphql, whose own limits come too late: a
//! deeply nested argument overflows its parser's stack, and a chain of fragments that each spread the next one
//! twice doubles the work of its validation with every link.

use std::collections::HashMap;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{
    ExecutableDocument, FragmentDefinition, OperationDefinition, OperationType, Selection,
    SelectionSet,
};
use async_graphql::{Name, Positioned, Request, ServerError, Value, Variables};

use super::errors::{Code, coded, error};

/// What one request may cost. The defaults leave room for every screen of a real frontend and for
/// the introspection query.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of an HTTP body.
    pub body_bytes: usize,
    /// Bytes of the document.
    pub document_bytes: usize,
    /// Lexical tokens of the document.
    pub tokens: usize,
    /// Open `{`, `[` and `(` at any place of the document.
    pub nesting: usize,
    /// Directives in the document.
    pub directives: usize,
    /// Aliases in the document.
    pub aliases: usize,
    /// Fields that are read at the root of one operation.
    pub root_fields: usize,
    /// Mutations in one operation. Few, so that one request is not a hundred attempts to sign in.
    pub mutations: usize,
    /// Selections of all operations after every fragment was put in its place.
    pub selections: usize,
    /// Selection sets within selection sets, fragments included. Below async-graphql's own 32.
    pub levels: usize,
    /// Lists and objects within one another in the variables.
    pub variable_nesting: usize,
    /// Single values in the variables.
    pub variable_values: usize,
    /// Fields within fields, as async-graphql counts them. Introspection needs 15.
    pub depth: usize,
    /// The schema's complexity, which multiplies what connections contain by their page size.
    pub complexity: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1 << 20,
            document_bytes: 1 << 16,
            tokens: 5_000,
            nesting: 64,
            directives: 50,
            aliases: 100,
            root_fields: 30,
            mutations: 10,
            selections: 10_000,
            levels: 30,
            variable_nesting: 32,
            variable_values: 100_000,
            depth: 20,
            complexity: 10_000,
        }
    }
}

/// Proof that a request has passed [`admit`]; lies in the request's data.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    /// What the selected operation does.
    pub operation: OperationType,
    /// Tokens of the document.
    pub tokens: usize,
}

/// Checks a request and leaves its parsed document in it. A request that was admitted before passes.
///
/// # Errors
/// `TOO_COMPLEX` with the limit that was passed and what to do; `GRAPHQL_PARSE_FAILED`; `BAD_REQUEST` where
/// the operation or a required variable is missing.
pub fn admit(request: &mut Request, limits: &Limits) -> Result<Admitted, ServerError> {
    if let Some(admitted) = admitted(request) {
        return Ok(admitted);
    }
    check_variables(&request.variables, limits)?;
    let tokens = scan(&request.query, limits)?;
    let document =
        parse_query(&request.query).map_err(|err| coded(err.into(), Code::ParseFailed))?;
    Measure::new(&document, limits).check()?;
    let operation = select(&document, request.operation_name.as_deref())?;
    require_variables(operation, &request.variables)?;

    let admitted = Admitted {
        operation: operation.ty,
        tokens,
    };
    request.set_parsed_query(document);
    request.data.insert(admitted);
    Ok(admitted)
}

fn admitted(request: &Request) -> Option<Admitted> {
    let data = request.data.get(&std::any::TypeId::of::<Admitted>())?;
    data.downcast_ref().copied()
}

fn too_complex(what: &str, limit: usize, advice: &str) -> ServerError {
    error(
        Code::TooComplex,
        format!("The request has more than {limit} {what}. {advice}"),
    )
}

const SPLIT: &str = "Split it into several requests.";
const USE_VARIABLES: &str = "Pass large values as variables.";

/// One pass over the bytes that knows strings, block strings and comments; returns the number of tokens.
///
/// A string that does not end is refused here: the parser would read an unfinished `"""` as an empty
/// string and go on with brackets that this pass took for text.
fn scan(document: &str, limits: &Limits) -> Result<usize, ServerError> {
    if document.len() > limits.document_bytes {
        return Err(too_complex(
            "bytes of document",
            limits.document_bytes,
            USE_VARIABLES,
        ));
    }
    let bytes = document.as_bytes();
    let (mut at, mut tokens, mut open, mut directives) = (0, 0, 0_usize, 0);
    while let Some(&byte) = bytes.get(at) {
        let end = match byte {
            b' ' | b'\t' | b'\r' | b'\n' | b',' => {
                at += 1;
                continue;
            }
            b'#' => {
                at = run(bytes, at, |byte| !matches!(byte, b'\r' | b'\n'));
                continue;
            }
            b'"' => string_end(bytes, at).ok_or_else(|| {
                error(
                    Code::ParseFailed,
                    "A string does not end. Close it with a quotation mark.",
                )
            })?,
            b'.' => run(bytes, at, |byte| byte == b'.'),
            _ if is_word(byte) => run(bytes, at, is_word),
            _ => at + 1,
        };
        match byte {
            b'{' | b'[' | b'(' => open += 1,
            b'}' | b']' | b')' => open = open.saturating_sub(1),
            b'@' => directives += 1,
            _ => {}
        }
        tokens += 1;
        if tokens > limits.tokens {
            return Err(too_complex("tokens", limits.tokens, SPLIT));
        }
        if open > limits.nesting {
            return Err(too_complex(
                "brackets within brackets",
                limits.nesting,
                USE_VARIABLES,
            ));
        }
        if directives > limits.directives {
            return Err(too_complex("directives", limits.directives, SPLIT));
        }
        at = end;
    }
    Ok(tokens)
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn run(bytes: &[u8], from: usize, belongs: impl Fn(u8) -> bool) -> usize {
    bytes[from..]
        .iter()
        .position(|&byte| !belongs(byte))
        .map_or(bytes.len(), |len| from + len)
}

/// The place after the string that begins at `at`, read as the parser reads it.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    if bytes[at..].starts_with(br#"""""#) {
        at += 3;
        loop {
            let rest = bytes.get(at..).filter(|rest| !rest.is_empty())?;
            if rest.starts_with(br#"\""""#) {
                at += 4;
            } else if rest.starts_with(br#"""""#) {
                return Some(at + 3);
            } else {
                at += 1;
            }
        }
    }
    loop {
        at += 1;
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\r' | b'\n' => return None,
            // What follows a backslash cannot end the string, and neither can a line's end.
            b'\\' if !matches!(bytes.get(at + 1), Some(b'\r' | b'\n')) => at += 1,
            _ => {}
        }
    }
}

fn check_variables(variables: &Variables, limits: &Limits) -> Result<(), ServerError> {
    let mut left = limits.variable_values;
    let mut pending: Vec<_> = variables.values().map(|value| (value, 1)).collect();
    while let Some((value, level)) = pending.pop() {
        if left == 0 {
            return Err(too_complex(
                "values in its variables",
                limits.variable_values,
                SPLIT,
            ));
        }
        left -= 1;
        if level > limits.variable_nesting {
            let advice = "Flatten the input.";
            return Err(too_complex(
                "levels in its variables",
                limits.variable_nesting,
                advice,
            ));
        }
        match value {
            Value::List(items) => pending.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => pending.extend(fields.values().map(|item| (item, level + 1))),
            _ => {}
        }
    }
    Ok(())
}

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

impl<'a> Measure<'a> {
    fn new(document: &'a ExecutableDocument, limits: &'a Limits) -> Self {
        Self {
            document,
            limits,
            fragments: HashMap::new(),
            aliases: 0,
        }
    }

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
                _ => (
                    self.limits.root_fields,
                    "fields at the root of one operation",
                ),
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
            return Err(too_complex(
                what,
                self.limits.levels,
                "Ask for less depth at once.",
            ));
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
                    let Size {
                        selections, levels, ..
                    } = self.set(children, level + usize::from(opens))?;
                    Size {
                        selections,
                        levels,
                        fields: 1,
                    }
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

fn select<'a>(
    document: &'a ExecutableDocument,
    name: Option<&str>,
) -> Result<&'a OperationDefinition, ServerError> {
    let mut candidates = document
        .operations
        .iter()
        .filter(|(own, _)| name.is_none_or(|name| own.is_some_and(|own| own.as_str() == name)));
    match (candidates.next(), candidates.next()) {
        (Some((_, operation)), None) => Ok(&operation.node),
        (Some(_), Some(_)) => Err(error(
            Code::BadRequest,
            "The document has several operations. Say which one in `operationName`.",
        )),
        (None, _) => Err(error(
            Code::BadRequest,
            "The document has no operation of that name. Correct `operationName`.",
        )),
    }
}

/// By the specification a missing variable stops the whole request; async-graphql would start to execute.
fn require_variables(
    operation: &OperationDefinition,
    variables: &Variables,
) -> Result<(), ServerError> {
    for definition in &operation.variable_definitions {
        let name = &definition.node.name.node;
        let given = variables
            .get(name)
            .is_some_and(|value| *value != Value::Null);
        let null_or_missing =
            !given && (definition.node.default_value.is_none() || variables.contains_key(name));
        if null_or_missing && !definition.node.var_type.node.nullable {
            let kind = &definition.node.var_type.node;
            let message = format!("The variable `${name}` of the type `{kind}` needs a value.");
            let mut missing = error(Code::BadRequest, message);
            missing.locations.push(definition.pos);
            return Err(missing);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
