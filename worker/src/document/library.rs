//! The template folders, parsed and compiled once.
//!
//! Invariant: templates have no loader, files or environment to reach, an undefined name is an error, and
//! every render has a bounded number of steps.

use std::collections::{BTreeMap, HashMap};

use entity::money::Money;
use include_dir::{Dir, File, include_dir};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use mrml::prelude::render::RenderOptions;
use serde::Serialize;

use super::locale::Locale;
use super::view::line;
use super::{DocumentError, FALLBACK};

static FOLDERS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");

/// Where the files are that all languages share.
pub(super) const LAYOUT: &str = "layout";

/// What each language needs, of its own or in the layouts.
const FILES: [&str; 14] = [
    "words.j2",
    "invoice.typ",
    "receipt.mjml",
    "receipt.txt",
    "receipt.typ",
    "account.mjml",
    "account.txt",
    "letter.mjml",
    "letter.txt",
    "letter.typ",
    "statement.mjml",
    "statement.txt",
    "statement.typ",
    "page.html",
];

/// Steps of one render: many times what a mail with its fifty invoices takes.
const FUEL: u64 = 500_000;

/// All templates of all languages.
pub(super) struct Library {
    locales: BTreeMap<String, Locale>,
    templates: Environment<'static>,
}

impl Library {
    /// The folders inside the binary.
    ///
    /// # Errors
    /// [`DocumentError`] for whatever is incomplete or does not compile.
    pub fn embedded() -> Result<Self, DocumentError> {
        let mut library = Self { locales: BTreeMap::new(), templates: environment() };
        for folder in FOLDERS.dirs() {
            for file in folder.files() {
                library.add(&path_of(file), text_of(file)?)?;
            }
        }
        let fallback = library.locales.get(FALLBACK).ok_or(DocumentError::NoFallback)?;
        for (language, locale) in &library.locales {
            let keys = locale.differences(fallback);
            if !keys.is_empty() {
                return Err(DocumentError::Keys { language: language.clone(), keys });
            }
            for name in FILES {
                path(language, name)?;
            }
        }
        Ok(library)
    }

    fn add(&mut self, path: &str, source: &str) -> Result<(), DocumentError> {
        if let Some(language) = path.strip_suffix("/locale.toml") {
            let locale = Locale::parse(source).map_err(|problem| DocumentError::Locale {
                language: language.to_owned(),
                problem,
            })?;
            let sections = [
                ("receipt", &locale.receipt),
                ("receipt_cancelled", &locale.receipt_cancelled),
                ("password_reset", &locale.password_reset),
                ("invitation", &locale.invitation),
                ("meeting", &locale.meeting),
                ("notification", &locale.notification),
                ("notification_mail", &locale.notification_mail),
                ("statement", &locale.statement),
                ("invoice", &locale.invoice),
                ("unsubscribe", &locale.unsubscribe),
                ("page", &locale.page),
            ];
            for (section, sentences) in sections {
                for (key, sentence) in sentences {
                    self.compile(sentence_name(language, section, key), sentence.clone())?;
                }
            }
            self.locales.insert(language.to_owned(), locale);
            return Ok(());
        }
        match path.rsplit_once('.').map(|(_, extension)| extension) {
            Some("mjml") => {
                let html = html(source)
                    .map_err(|problem| DocumentError::Source { path: path.to_owned(), problem })?;
                self.compile(path.to_owned(), html)
            }
            Some("txt" | "j2" | "html") => self.compile(path.to_owned(), source.to_owned()),
            _ => Ok(()),
        }
    }

    /// Adds the template `name`.
    ///
    /// # Errors
    /// `Template` if it does not compile.
    pub fn compile(&mut self, name: String, source: String) -> Result<(), DocumentError> {
        self.templates
            .add_template_owned(name.clone(), source)
            .map_err(|source| DocumentError::Template { name, source })
    }

    /// The tags of all languages.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        self.locales.keys().map(String::as_str)
    }

    /// The language for readers of `tag`.
    pub fn language(&self, tag: &str) -> (&str, &Locale) {
        self.first_language(&[tag])
    }

    /// The language for readers of `tags`, who like the first one best.
    pub fn first_language(&self, tags: &[&str]) -> (&str, &Locale) {
        let known = tags.iter().find_map(|tag| self.known(tag));
        known.unwrap_or((FALLBACK, &self.locales[FALLBACK]))
    }

    /// The language for readers of `tag`, by shortening it until there is a folder (RFC 4647, section 3.4).
    fn known(&self, tag: &str) -> Option<(&str, &Locale)> {
        let wanted = tag.to_ascii_lowercase().replace('_', "-");
        let mut range = wanted.as_str();
        loop {
            if let Some((language, locale)) = self.locales.get_key_value(range) {
                return Some((language, locale));
            }
            (range, _) = range.rsplit_once('-')?;
        }
    }

    /// The sentences of one document, as plain text on one line each. Spaces that must not break, as between an
    /// amount and its symbol, stay; what came from data has been cleaned before.
    ///
    /// # Errors
    /// `Template` if a sentence names something that is not there.
    pub fn sentences<'a>(
        &self,
        language: &str,
        section: &str,
        sentences: &'a BTreeMap<String, String>,
        view: &impl Serialize,
    ) -> Result<BTreeMap<&'a str, String>, DocumentError> {
        sentences
            .keys()
            .map(|key| Ok((key.as_str(), self.sentence(language, section, key, view)?)))
            .collect()
    }

    /// One sentence, as plain text on one line.
    ///
    /// # Errors
    /// `Template` if there is none of that name, or it names something that is not there.
    pub fn sentence(
        &self,
        language: &str,
        section: &str,
        key: &str,
        view: &impl Serialize,
    ) -> Result<String, DocumentError> {
        let text = self.render(&sentence_name(language, section, key), view)?;
        Ok(text.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// An amount in words, beginning with a capital letter.
    ///
    /// # Errors
    /// `Template` if the language's `words.j2` fails.
    pub fn in_words(
        &self,
        language: &str,
        locale: &Locale,
        amount: Money,
    ) -> Result<String, DocumentError> {
        let scale = 10_u64.pow(amount.currency.exponent());
        let minor = amount.minor.unsigned_abs();
        let values = context! {
            negative => amount.minor < 0,
            whole => minor / scale,
            minor => minor % scale,
            scale,
            currency => Serde(locale.currency(amount.currency.code())),
        };
        let words = line(&self.render(&path(language, "words.j2")?, &values)?);
        let mut letters = words.chars();
        Ok(letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect())
    }

    /// The template `name` with `values`.
    ///
    /// # Errors
    /// `Template` if it names something that is not there, or never ends.
    pub fn render(&self, name: &str, values: &impl Serialize) -> Result<String, DocumentError> {
        self.templates
            .get_template(name)
            .and_then(|template| template.render(Serde(values)))
            .map_err(|source| DocumentError::Template { name: name.to_owned(), source })
    }
}

/// Where the file `name` of a language is: in its own folder, or else in the layouts.
///
/// # Errors
/// `Missing` if it is in neither.
pub(super) fn path(language: &str, name: &'static str) -> Result<String, DocumentError> {
    [language, LAYOUT]
        .into_iter()
        .map(|folder| format!("{folder}/{name}"))
        .find(|path| FOLDERS.get_file(path).is_some())
        .ok_or_else(|| DocumentError::Missing { language: language.to_owned(), name })
}

/// Paths and contents of the templates for PDFs.
pub(super) fn typst_sources() -> impl Iterator<Item = (&'static str, &'static str)> {
    FOLDERS
        .dirs()
        .flat_map(Dir::files)
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "typ"))
        .filter_map(|file| Some((file.path().to_str()?, file.contents_utf8()?)))
}

fn environment() -> Environment<'static> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_fuel(Some(FUEL));
    templates.set_syntax(lines_of_tags_vanish());
    templates.set_auto_escape_callback(|name| match name.rsplit_once('.') {
        Some((_, "mjml" | "html")) => AutoEscape::Html,
        _ => AutoEscape::None,
    });
    templates
}

/// A line with nothing but a tag leaves no empty line behind.
fn lines_of_tags_vanish() -> SyntaxConfig {
    let mut syntax = SyntaxConfig::builder();
    syntax.trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true);
    syntax.build().expect("the delimiters are the standard ones")
}

/// MJML to HTML, with the placeholders in place.
fn html(source: &str) -> Result<String, String> {
    let parsed = mrml::parse(source).map_err(|error| error.to_string())?;
    if let Some(warning) = parsed.warnings.first() {
        return Err(warning.to_string());
    }
    // Without fonts of its own, so that reading a mail asks no third party for one.
    let options = RenderOptions { fonts: HashMap::new(), ..RenderOptions::default() };
    parsed.element.render(&options).map_err(|error| error.to_string())
}

fn sentence_name(language: &str, section: &str, key: &str) -> String {
    format!("{language}/locale.toml#{section}.{key}")
}

fn path_of(file: &File) -> String {
    file.path().to_string_lossy().replace('\\', "/")
}

fn text_of(file: &'static File) -> Result<&'static str, DocumentError> {
    file.contents_utf8().ok_or_else(|| DocumentError::Source {
        path: path_of(file),
        problem: "it is not UTF-8 text".to_owned(),
    })
}
