//! Random requests: what is asked, as a tree, and the document that asks for it.

use std::fmt::Write;

use serde_json::{Map, Value as Json};

/// Where random requests take their choices from. When it is used up it chooses the simplest, so that
/// shorter is simpler.
pub struct Choices<'a>(pub &'a [u16]);

impl Choices<'_> {
    /// One of `0..count`.
    pub fn below(&mut self, count: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        usize::from(*first) % count.max(1)
    }

    /// Seldom: once in `times`.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// One of these.
    pub fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}

/// A value that is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    Int(i64),
    Truth(bool),
    Text(String),
    Name(String),
    List(Vec<Given>),
    Object(Vec<(String, Given)>),
    /// The same by a variable of a type.
    Variable(String, Box<Given>),
}

impl Given {
    /// As JSON.
    pub fn json(&self) -> Json {
        match self {
            Self::Int(number) => (*number).into(),
            Self::Truth(truth) => (*truth).into(),
            Self::Text(text) | Self::Name(text) => text.clone().into(),
            Self::List(list) => list.iter().map(Self::json).collect(),
            Self::Object(fields) => {
                let fields = fields.iter().map(|(name, value)| (name.clone(), value.json()));
                Json::Object(fields.collect())
            }
            Self::Variable(_, value) => value.json(),
        }
    }
}

/// What is asked of an object.
pub type Set = Vec<Item>;

/// One thing in a selection set.
#[derive(Clone, Debug)]
pub struct Item {
    pub what: What,
    /// `@include` (true) or `@skip` (false) with the value of its `if`.
    pub directive: Option<(bool, Given)>,
}

/// A field or some of them.
#[derive(Clone, Debug)]
pub enum What {
    Field(Field),
    /// `... on Type { }`.
    Inline(Option<String>, Set),
    /// `...name`, with `fragment name on Type { }`.
    Spread(String, Set),
}

/// A field.
#[derive(Clone, Debug)]
pub struct Field {
    pub alias: Option<String>,
    pub name: String,
    pub arguments: Vec<(String, Given)>,
    pub set: Set,
}

impl Field {
    /// Its key in the answer.
    pub fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }

    /// What an argument is; null when it is absent.
    pub fn argument(&self, name: &str) -> Json {
        let mut arguments = self.arguments.iter();
        arguments.find(|(known, _)| known == name).map_or(Json::Null, |(_, given)| given.json())
    }
}

impl Item {
    /// Whether its directive lets it stand.
    pub fn stands(&self) -> bool {
        match &self.directive {
            None => true,
            Some((include, given)) => given.json() == Json::Bool(*include),
        }
    }
}

/// The document of a request and its variables.
#[derive(Default)]
pub struct Document {
    fragments: String,
    declared: Vec<String>,
    variables: Map<String, Json>,
    spreads: usize,
}

impl Document {
    /// What asks for `set` of the queries.
    pub fn of(set: &Set) -> (String, Json) {
        let mut document = Self::default();
        let body = document.set(set);
        let declared = match document.declared.is_empty() {
            true => String::new(),
            false => format!("({})", document.declared.join(", ")),
        };
        (
            format!("query Q{declared} {body}{}", document.fragments),
            Json::Object(document.variables),
        )
    }

    fn set(&mut self, set: &Set) -> String {
        let mut text = "{".to_owned();
        for item in set {
            let directive = match &item.directive {
                None => String::new(),
                Some((include, given)) => {
                    let name = if *include { "include" } else { "skip" };
                    format!(" @{name}(if: {})", self.given(given))
                }
            };
            match &item.what {
                What::Field(field) => {
                    let alias = field.alias.as_ref().map(|alias| format!("{alias}: "));
                    let _ = write!(text, " {}{}", alias.unwrap_or_default(), field.name);
                    let arguments = field.arguments.iter();
                    let arguments: Vec<_> = arguments
                        .map(|(name, given)| format!("{name}: {}", self.given(given)))
                        .collect();
                    if !arguments.is_empty() {
                        let _ = write!(text, "({})", arguments.join(", "));
                    }
                    text += &directive;
                    if !field.set.is_empty() {
                        text += " ";
                        text += &self.set(&field.set);
                    }
                }
                What::Inline(on, set) => {
                    let on = on.as_ref().map(|on| format!(" on {on}")).unwrap_or_default();
                    let set = self.set(set);
                    let _ = write!(text, " ...{on}{directive} {set}");
                }
                What::Spread(on, set) => {
                    self.spreads += 1;
                    let name = format!("F{}", self.spreads);
                    let set = self.set(set);
                    let _ = write!(self.fragments, " fragment {name} on {on} {set}");
                    let _ = write!(text, " ...{name}{directive}");
                }
            }
        }
        text + " }"
    }

    fn given(&mut self, given: &Given) -> String {
        match given {
            Given::Int(number) => number.to_string(),
            Given::Truth(truth) => truth.to_string(),
            Given::Text(text) => Json::from(text.as_str()).to_string(),
            Given::Name(name) => name.clone(),
            Given::List(list) => {
                let list: Vec<_> = list.iter().map(|one| self.given(one)).collect();
                format!("[{}]", list.join(", "))
            }
            Given::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, value)| format!("{name}: {}", self.given(value)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
            Given::Variable(kind, value) => {
                let name = format!("v{}", self.declared.len());
                self.declared.push(format!("${name}: {kind}"));
                self.variables.insert(name.clone(), value.json());
                format!("${name}")
            }
        }
    }
}
