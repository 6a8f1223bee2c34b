//! The one way in which an answer becomes JSON, whatever the transport.
//!
//! Invariant: `Value::Binary` is finished JSON that the read executor has written, and is spliced in as it
//! is. No scalar of the schema is binary.

use async_graphql::{Response, Value};

/// Whether execution has begun: errors of a request have no path; those of execution do, and come with
/// data.
pub fn has_begun(response: &Response) -> bool {
    response.data != Value::Null || response.errors.iter().any(|error| !error.path.is_empty())
}

/// Writes `{"errors", "data", "extensions"}`. `data` is absent, not null, if execution has not `begun`.
///
/// # Errors
/// When something of it cannot be JSON.
pub fn write(response: &Response, begun: bool) -> serde_json::Result<Vec<u8>> {
    let mut out = Vec::new();
    write_to(&mut out, response, begun)?;
    Ok(out)
}

/// The same behind what `out` has already.
///
/// # Errors
/// When something of it cannot be JSON.
pub fn write_to(out: &mut Vec<u8>, response: &Response, begun: bool) -> serde_json::Result<()> {
    out.reserve(256 + size(&response.data));
    let mut separator = b'{';
    let mut key = |out: &mut Vec<u8>, name: &str| {
        out.push(std::mem::replace(&mut separator, b','));
        out.push(b'"');
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"\":");
    };
    if !response.errors.is_empty() {
        key(out, "errors");
        serde_json::to_writer(&mut *out, &response.errors)?;
    }
    if begun {
        key(out, "data");
        write_value(&response.data, out)?;
    }
    if !response.extensions.is_empty() {
        key(out, "extensions");
        serde_json::to_writer(&mut *out, &response.extensions)?;
    }
    let is_empty = response.errors.is_empty() && !begun && response.extensions.is_empty();
    out.extend_from_slice(if is_empty { b"{}" } else { b"}" });
    Ok(())
}

/// About how long the finished parts are.
fn size(value: &Value) -> usize {
    match value {
        Value::Binary(json) => json.len(),
        Value::Object(fields) => fields.values().map(size).sum(),
        Value::List(items) => items.iter().map(size).sum(),
        _ => 16,
    }
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> serde_json::Result<()> {
    match value {
        Value::Binary(json) => out.extend_from_slice(json),
        Value::List(items) => {
            out.push(b'[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            out.push(b'{');
            for (position, (name, field)) in fields.iter().enumerate() {
                if position > 0 {
                    out.push(b',');
                }
                serde_json::to_writer(&mut *out, name.as_str())?;
                out.push(b':');
                write_value(field, out)?;
            }
            out.push(b'}');
        }
        scalar => serde_json::to_writer(out, scalar)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use async_graphql::{ServerError, value};

    use super::*;

    fn text(response: &Response, begun: bool) -> String {
        String::from_utf8(write(response, begun).unwrap()).unwrap()
    }

    #[test]
    fn finished_json_is_spliced_in_where_it_stands() {
        let mut data = value!({ "a\"b": [1, null], "done": null });
        if let Value::Object(fields) = &mut data {
            fields.insert(async_graphql::Name::new("x"), Value::Binary("{\"y\":1.50}".into()));
        }
        let answer = text(&Response::new(data), true);
        assert_eq!(answer, r#"{"data":{"a\"b":[1,null],"done":null,"x":{"y":1.50}}}"#);
    }

    #[test]
    fn data_is_absent_before_execution_and_null_after_it() {
        let refused = Response::from_errors(vec![ServerError::new("no", None)]);
        assert_eq!(text(&refused, false), r#"{"errors":[{"message":"no"}]}"#);
        assert_eq!(text(&refused, true), r#"{"errors":[{"message":"no"}],"data":null}"#);
    }
}
