//! From a template and its values to the bytes of a PDF file, by typst.
//!
//! Invariant: the same values give the same bytes. Only fonts inside the binary are used, templates can reach
//! nothing but each other, and the dates in the file come from the values.

use std::fmt::Write;

use hayro_syntax::Pdf;
use serde::Serialize;
use typst::foundations::{Array, Bytes, Dict, Value};
use typst_as_lib::typst_kit_options::TypstKitFontOptions;
use typst_as_lib::{TypstAsLibError, TypstEngine};
use typst_layout::PagedDocument;
use typst_pdf::PdfOptions;

/// For how many documents typst remembers what it laid out. What does not change between documents, such as
/// the parsed template, is remembered for good as long as documents keep coming.
const MEMORY_IN_DOCUMENTS: usize = 4;

/// The typesetter, with its fonts and templates. Some 40 MB, so it is built when first needed.
pub(super) struct Typesetter(TypstEngine);

impl Typesetter {
    /// With `sources`, as paths and contents.
    pub fn new<'a>(sources: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let fonts = TypstKitFontOptions::default().include_system_fonts(false);
        Self(
            TypstEngine::builder()
                .with_static_source_file_resolver(sources)
                .search_fonts_with(fonts)
                .comemo_evict_max_age(Some(MEMORY_IN_DOCUMENTS))
                .build(),
        )
    }

    /// The PDF of the template at `path`, which finds `values` in `sys.inputs`.
    ///
    /// # Errors
    /// What typst says against the template.
    pub fn pdf(&self, path: &str, values: &impl Serialize) -> Result<Vec<u8>, String> {
        self.typeset(path, inputs(values)?, true)
    }

    /// The same without the tags that tell programs what is a heading and what a table: of a long table they are most of
    /// the file, and of the memory that writing it takes.
    ///
    /// # Errors
    /// What typst says against the template.
    pub fn untagged(&self, path: &str, values: &impl Serialize) -> Result<Vec<u8>, String> {
        self.typeset(path, inputs(values)?, false)
    }

    /// The PDF of the template at `path`, which finds PDFs with the numbers of their pages as `letters`, and `duplex`; and
    /// these numbers.
    ///
    /// # Errors
    /// What typst says, or that one of them is no PDF.
    pub fn batch(
        &self,
        path: &str,
        letters: Vec<Vec<u8>>,
        duplex: bool,
    ) -> Result<(Vec<u8>, Vec<usize>), String> {
        let mut pages = Vec::with_capacity(letters.len());
        let mut listed = Array::new();
        for letter in letters {
            let read = Pdf::new(letter.clone()).map_err(|_| "a letter is no PDF".to_owned())?;
            let count = read.pages().len();
            pages.push(count);
            let mut one = Dict::new();
            one.insert("pdf".into(), Value::Bytes(Bytes::new(letter)));
            one.insert("pages".into(), Value::Int(i64::try_from(count).unwrap_or_default()));
            listed.push(Value::Dict(one));
        }
        let mut inputs = Dict::new();
        inputs.insert("letters".into(), Value::Array(listed));
        inputs.insert("duplex".into(), Value::Bool(duplex));
        Ok((self.typeset(path, inputs, true)?, pages))
    }

    fn typeset(&self, path: &str, inputs: Dict, tagged: bool) -> Result<Vec<u8>, String> {
        let document: PagedDocument =
            self.0.compile_with_input(path, inputs).output.map_err(|error| explain(&error))?;
        typst_pdf::pdf(&document, &PdfOptions { tagged, ..PdfOptions::default() })
            .map_err(|errors| explain(&TypstAsLibError::TypstSource(errors)))
    }
}

/// `values` as templates find them.
fn inputs(values: &impl Serialize) -> Result<Dict, String> {
    let inputs = serde_json::to_value(values).and_then(serde_json::from_value);
    inputs.map_err(|error| error.to_string())
}

/// Forgets what was remembered of earlier documents.
pub(super) fn forget() {
    typst::comemo::evict(0);
}

/// The messages and hints of an error, without the spans that mean nothing outside typst.
fn explain(error: &TypstAsLibError) -> String {
    let TypstAsLibError::TypstSource(diagnostics) = error else {
        return error.to_string();
    };
    diagnostics.iter().fold(String::new(), |mut text, diagnostic| {
        let separator = if text.is_empty() { "" } else { "; " };
        let _ = write!(text, "{separator}{}", diagnostic.message);
        for hint in &diagnostic.hints {
            let _ = write!(text, " ({})", hint.v);
        }
        text
    })
}
