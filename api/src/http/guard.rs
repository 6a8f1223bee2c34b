//! What a GraphQL document may ask for, decided before anything walks it.
//!
//! Invariant: no text with the character NUL gets past here, and no step costs more than the document's length. The scan for nesting and the memoised count of
//! selections come before every recursive or expanding walk of async-graphql, whose own limits come too late: a
//! deeply nested argument overflows its parser's stack, and a chain of fragments that each spread the next one
//! twice doubles the work of its validation with every link.

mod document;
mod measure;
mod scan;

use std::sync::Arc;

use async_graphql::parser::parse_query;
use async_graphql::parser::types::{ExecutableDocument, OperationDefinition, OperationType};
use async_graphql::{Request, ServerError, Value, Variables};

use super::errors::{Code, coded, error};
pub use document::{Document, Library, Shape};

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
#[derive(Clone, Debug)]
pub struct Admitted {
    /// What the selected operation does.
    pub operation: OperationType,
    /// What it is in.
    pub document: Arc<Document>,
}

/// Checks a request and leaves its parsed document in it. A request that was admitted before passes, and a
/// document of `library` has been looked at before.
///
/// # Errors
/// `TOO_COMPLEX` with the limit that was passed and what to do; `GRAPHQL_PARSE_FAILED`; `BAD_REQUEST` where
/// the operation or a required variable is missing.
pub fn admit(
    request: &mut Request,
    limits: &Limits,
    library: &Library,
) -> Result<Admitted, ServerError> {
    if let Some(admitted) = admitted(request) {
        return Ok(admitted.clone());
    }
    check_variables(&request.variables, limits)?;
    let document = match library.get(&request.query) {
        Some(document) => document,
        None => Arc::new(read(&request.query, limits)?),
    };
    let operation = select(&document.parsed, request.operation_name.as_deref())?;
    require_variables(operation, &request.variables)?;

    let operation = operation.ty;
    request.set_parsed_query(document.parsed.clone());
    let admitted = Admitted { operation, document };
    request.data.insert(admitted.clone());
    Ok(admitted)
}

fn read(text: &str, limits: &Limits) -> Result<Document, ServerError> {
    let tokens = scan::tokens(text, limits)?;
    let parsed = parse_query(text).map_err(|err| unreadable(err.into()))?;
    measure::check(&parsed, limits)?;
    Ok(Document::new(parsed, tokens))
}

/// What [`admit`] has left in a request.
#[must_use]
pub fn admitted(request: &Request) -> Option<&Admitted> {
    request.data.get(&std::any::TypeId::of::<Admitted>())?.downcast_ref()
}

fn too_complex(what: &str, limit: usize, advice: &str) -> ServerError {
    error(Code::TooComplex, format!("The request has more than {limit} {what}. {advice}"))
}

/// What is wrong with a document, and where. The line is not quoted as the parser does: a password may stand
/// there, and answers are kept in places where none should be.
fn unreadable(parsed: ServerError) -> ServerError {
    let reason = parsed.message.lines().next_back().unwrap_or_default().trim();
    let reason = reason.strip_prefix("= ").unwrap_or(reason);
    coded(ServerError { message: format!("Syntax error: {reason}"), ..parsed }, Code::ParseFailed)
}

/// The one character that PostgreSQL has in no text and no JSON, so that nothing has to look for it later.
fn nul() -> ServerError {
    error(Code::BadRequest, "The request has a text with the character NUL. Send it without.")
}

const SPLIT: &str = "Split it into several requests.";
const USE_VARIABLES: &str = "Pass large values as variables.";

fn check_variables(variables: &Variables, limits: &Limits) -> Result<(), ServerError> {
    let mut left = limits.variable_values;
    let mut pending: Vec<_> = variables.values().map(|value| (value, 1)).collect();
    while let Some((value, level)) = pending.pop() {
        if left == 0 {
            return Err(too_complex("values in its variables", limits.variable_values, SPLIT));
        }
        left -= 1;
        if level > limits.variable_nesting {
            let advice = "Flatten the input.";
            return Err(too_complex("levels in its variables", limits.variable_nesting, advice));
        }
        match value {
            Value::String(text) if text.contains('\0') => return Err(nul()),
            Value::Object(fields) if fields.keys().any(|name| name.contains('\0')) => {
                return Err(nul());
            }
            Value::List(items) => pending.extend(items.iter().map(|item| (item, level + 1))),
            Value::Object(fields) => pending.extend(fields.values().map(|item| (item, level + 1))),
            _ => {}
        }
    }
    Ok(())
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
        let given = variables.get(name).is_some_and(|value| *value != Value::Null);
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
mod tests;
