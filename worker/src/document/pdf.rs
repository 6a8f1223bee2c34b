//! From a template and its values to the bytes of a PDF file, by typst.
//!
//! Invariant: the same values give the same bytes. Only fonts inside the binary are used, templates can reach
//! nothing but each other, and the dates in the file come from the values.

use std::fmt::Write;

use serde::Serialize;
use typst::foundations::Dict;
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
        let inputs: Dict = serde_json::to_value(values)
            .and_then(serde_json::from_value)
            .map_err(|error| error.to_string())?;
        let document: PagedDocument =
            self.0.compile_with_input(path, inputs).output.map_err(|error| explain(&error))?;
        typst_pdf::pdf(&document, &PdfOptions::default())
            .map_err(|errors| explain(&TypstAsLibError::TypstSource(errors)))
    }
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
