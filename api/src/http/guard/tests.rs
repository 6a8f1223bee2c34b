use std::time::{Duration, Instant};

use async_graphql::{EmptySubscription, Object, Schema, SimpleObject, value};

use super::super::extension::Surface;
use super::*;

fn refusal(document: &str) -> String {
    let mut request = Request::new(document);
    let refused = admit(&mut request, &Limits::default(), &Library::default()).unwrap_err();
    let Some(Value::String(code)) = refused.extensions.unwrap().get("code").cloned() else {
        panic!("a refusal without a code");
    };
    format!("{code}: {}", refused.message)
}

fn passes(document: &str) {
    let admitted = admit(&mut Request::new(document), &Limits::default(), &Library::default());
    assert!(admitted.is_ok(), "{document}: {admitted:?}");
}

/// The best of many runs, since other work shares the machine.
fn time_to_refuse(document: &str) -> Duration {
    let times = (0..50).map(|_| {
        let mut request = Request::new(document);
        let started = Instant::now();
        assert!(admit(&mut request, &Limits::default(), &Library::default()).is_err());
        started.elapsed()
    });
    times.min().unwrap()
}

fn fragment_bomb(links: usize) -> String {
    let chain = (0..links).map(|link| {
        let next = link + 1;
        format!("fragment F{link} on Query {{ ...F{next} ...F{next} }} ")
    });
    let chain: String = chain.collect();
    format!("{{ ...F0 }} {chain} fragment F{links} on Query {{ __typename }}")
}

#[test]
fn both_bombs_are_refused_within_a_millisecond() {
    let nesting = format!("{{ hello(x: {}", "[".repeat(5_000));
    let objects = format!("{{ hello(x: {}", "{a:".repeat(5_000));
    let types = format!("query($x: {}", "[".repeat(5_000));
    let selections = "{a".repeat(5_000);
    for bomb in [&nesting, &objects, &types, &selections] {
        assert!(refusal(bomb).starts_with("TOO_COMPLEX: The request has more than 64 brackets"));
        let took = time_to_refuse(bomb);
        assert!(took < Duration::from_millis(1), "{took:?}");
    }
    let fragments = fragment_bomb(28);
    assert!(refusal(&fragments).contains("10000 selections"), "{}", refusal(&fragments));
    assert!(time_to_refuse(&fragments) < Duration::from_millis(1));
}

#[test]
fn brackets_in_text_do_not_count_and_text_cannot_hide_brackets() {
    let open = "[".repeat(500);
    passes(&format!("{{ hello(x: \"{open}\") }}"));
    passes(&format!("{{ hello(x: \"\\\"{open}\") }}"));
    passes(&format!("{{ hello(x: \"\"\"{open} \\\"\"\" {open}\"\"\") }}"));
    passes(&format!("{{ hello # {open}\n }}"));
    passes("{ hello(x: \"\", y: \"\"\"\"\"\") }");
    passes("{ hello(x: \"\\\\\") }");

    // The parser would take the quotes apart as `""` and `" "`, and meet the brackets.
    for hidden in [
        format!("{{ hello(x: [\"\"\" \" {open}"),
        format!("{{ hello(x: [\"\n {open}"),
        format!("{{ hello(x: [\"\\\n {open}"),
        "{ hello(x: [\"\\".to_owned(),
    ] {
        assert!(refusal(&hidden).starts_with("GRAPHQL_PARSE_FAILED: A string"), "{hidden}");
    }
    assert!(refusal(&format!("{{ hello(x: \"\\\\\" y: {open}")).starts_with("TOO_COMPLEX"));
    assert!(refusal(&format!("{{ hello # \r {open}")).starts_with("TOO_COMPLEX"));
    // In a block string `\\` is two characters, and the second one keeps the quotes after it from ending it.
    assert!(refusal(&format!("{{ hello(x: \"\"\"\\\\\"\"\" y: {open}")).contains("does not end"));
}

#[test]
fn every_limit_has_a_code_and_says_what_to_do() {
    let repeated = |text: &str, times: usize| format!("{{ {} }}", text.repeat(times));
    let cases = [
        (format!("{{ a }} #{}", "x".repeat(70_000)), "TOO_COMPLEX", "bytes of document"),
        (repeated("a ", 5_001), "TOO_COMPLEX", "tokens"),
        (repeated("a...F ", 2_000), "TOO_COMPLEX", "tokens"),
        (repeated("a @skip(if: true) ", 51), "TOO_COMPLEX", "directives"),
        (repeated("a ", 31), "TOO_COMPLEX", "fields at the root"),
        (format!("mutation {}", repeated("a ", 11)), "TOO_COMPLEX", "mutations"),
        (format!("{{ a {} }}", repeated("b: c ", 101)), "TOO_COMPLEX", "aliases"),
        (format!("{}a{}", "{a".repeat(40), "}".repeat(40)), "TOO_COMPLEX", "within one another"),
        (
            "{ ...A } fragment A on Q { ...B } fragment B on Q { ...A }".into(),
            "VALIDATION",
            "cycle",
        ),
        ("{ a } fragment A on Q { ...A }".into(), "VALIDATION", "cycle"),
        ("{ a ".into(), "GRAPHQL_PARSE_FAILED", "Syntax error: expected"),
        (String::new(), "GRAPHQL_PARSE_FAILED", ""),
        ("query A { a } query B { a }".into(), "BAD_REQUEST", "operationName"),
        ("query($a: ID!) { a }".into(), "BAD_REQUEST", "`$a` of the type `ID!`"),
    ];
    for (document, code, words) in cases {
        let refused = refusal(&document);
        assert!(refused.contains(code) && refused.contains(words), "{refused}");
    }
    let fragment = "fragment F on Query { ".to_owned() + &"a ".repeat(20) + "}";
    assert!(refusal(&format!("{{ ...F ...F }} {fragment}")).contains("fields at the root"));
}

#[test]
fn variables_are_bounded_in_depth_and_number() {
    let nested = |levels| (0..levels).fold(value!(1), |inner, _| Value::List(vec![inner]));
    let with = |value| {
        let variables = Variables::from_value(value!({ "x": value }));
        admit(
            &mut Request::new("query($x: X) { a(x: $x) }").variables(variables),
            &Limits::default(),
            &Library::default(),
        )
    };
    assert!(with(nested(31)).is_ok());
    assert!(with(nested(32)).unwrap_err().message.contains("32 levels in its variables"));
    assert!(with(Value::List(vec![value!(1); 99_999])).is_ok());
    let refused = with(Value::List(vec![value!(1); 100_000])).unwrap_err();
    assert!(refused.message.contains("100000 values"), "{}", refused.message);
}

#[test]
fn no_text_has_the_character_nul() {
    for document in [
        r#"{ hello(x: "a\u0000") }"#,
        r#"{ hello(x: "\\\u0000") }"#,
        "{ hello(x: \"\"\"\0\"\"\") }",
    ] {
        assert!(refusal(document).starts_with("BAD_REQUEST: The request has a text"), "{document}");
    }
    passes(r#"{ hello(x: "\\u0000", y: """\u0000""") }"#);
    let with = |value| {
        let request = Request::new("query($x: X) { a(x: $x) }");
        let variables = Variables::from_json(serde_json::json!({ "x": value }));
        admit(&mut request.variables(variables), &Limits::default(), &Library::default())
    };
    assert!(with(serde_json::json!([{ "a": "b" }])).is_ok());
    for hidden in [serde_json::json!([{ "a": "\0" }]), serde_json::json!([{ "a\0": 1 }])] {
        assert!(with(hidden).unwrap_err().message.contains("NUL"));
    }
}

#[derive(SimpleObject)]
struct Leaf {
    word: &'static str,
}

struct Node;

#[Object]
impl Node {
    async fn node(&self, x: Option<async_graphql::Json<serde_json::Value>>) -> Self {
        let _ = x;
        Self
    }
    async fn leaf(&self) -> Leaf {
        Leaf { word: "word" }
    }
}

/// On a stack as small as a thread of the runtime has, in whatever build the tests run.
#[test]
fn what_the_guard_lets_through_does_not_overflow_the_stack() {
    let none = usize::MAX;
    let limits = Limits { depth: none, complexity: none, root_fields: none, ..Limits::default() };
    let schema = Schema::build(Node, async_graphql::EmptyMutation, EmptySubscription)
        .extension(Surface::new(limits))
        .finish();
    let deepest = [
        format!("{} leaf {{ word }} {}", "{ node".repeat(29) + "{", "}".repeat(30)),
        format!("{{ node(x: {}{}) {{ leaf {{ word }} }} }}", "[".repeat(62), "]".repeat(62)),
        format!("{{ node(x: {}1{}) {{ leaf {{ word }} }} }}", "{a:".repeat(62), "}".repeat(62)),
        format!("query($x: {}Int{}) {{ leaf {{ word }} }}", "[".repeat(63), "]".repeat(63)),
        format!("{{ {} leaf {{ word }} {} }}", "... {".repeat(28), "}".repeat(28)),
        fragment_bomb(9),
    ];
    let thread = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for document in deepest {
            admit(&mut Request::new(&document), &limits, &Library::default()).unwrap();
            runtime.block_on(schema.execute(document));
        }
    });
    thread.unwrap().join().unwrap();
}

#[test]
fn a_websocket_and_a_batch_are_guarded_as_well() {
    let schema = Schema::build(Node, async_graphql::EmptyMutation, EmptySubscription)
        .extension(Surface::new(Limits::default()))
        .finish();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let bomb = || Request::new(fragment_bomb(28));
    let response = runtime.block_on(async {
        use futures::StreamExt;
        schema.execute_batch(vec![bomb(), bomb()].into()).await;
        schema.execute_stream(bomb()).next().await.unwrap()
    });
    assert!(response.errors[0].message.contains("10000 selections"));
}

proptest::proptest! {
    /// Whatever is mixed with quotes, backslashes and comments: what the parser finds nested was seen.
    #[test]
    fn no_text_hides_a_bracket_from_the_guard(
        parts in proptest::collection::vec(proptest::sample::select(vec![
            "[", "]", "[[", "]]", "{a:", "}", "\"", "\"\"", "\"\"\"", "\\", "\\\"", "\\\"\"\"", "#", "\n", " ", "1", "a",
        ]), 1..24),
        closing in 0..6_usize,
    ) {
        let document = format!("{{a(x:[{}{}])}}", parts.concat(), "]".repeat(closing));
        let limits = Limits { nesting: 4, ..Limits::default() };
        if scan::tokens(&document, &limits).is_ok() && let Ok(parsed) = parse_query(&document) {
            proptest::prop_assert!(argument_depth(&parsed) <= 2, "{document}");
        }
    }
}

fn argument_depth(document: &ExecutableDocument) -> usize {
    use async_graphql::parser::types::Selection;
    let depths = document.operations.iter().flat_map(|(_, operation)| {
        operation.node.selection_set.node.items.iter().map(|selection| match &selection.node {
            Selection::Field(field) => {
                let arguments = field.node.arguments.iter();
                arguments
                    .map(|(_, value)| depth(value.node.clone().into_const().unwrap_or_default()))
                    .max()
                    .unwrap_or(0)
            }
            _ => 0,
        })
    });
    depths.max().unwrap_or(0)
}

fn depth(value: Value) -> usize {
    match value {
        Value::List(items) => 1 + items.into_iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.into_values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
