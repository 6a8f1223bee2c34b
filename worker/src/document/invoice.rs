//! Copies of invoices, and what else goes with a letter.

use super::facts::{Enclosed, InvoiceFacts, LetterFacts};
use super::library::path;
use super::view::InvoiceView;
use super::{Attachment, DocumentError, Documents, Values, portable};

impl Documents {
    /// The PDF of the copy of an invoice.
    ///
    /// CPU-bound: call it where blocking is allowed.
    ///
    /// # Errors
    /// [`DocumentError`] if a template of the language is wrong in a way that showed only now.
    pub fn invoice_file(&self, facts: &InvoiceFacts) -> Result<Attachment, DocumentError> {
        let library = &self.0.library;
        let (language, locale) = library.language(&facts.language);
        let view = InvoiceView::new(facts, language, locale);
        let say = library.sentences(language, "invoice", &locale.invoice, &view)?;
        let values = Values { view: &view, label: &locale.label, say };
        let path = path(language, "invoice.typ")?;
        let pdf = self.typesetter().pdf(&path, &values);
        let bytes = pdf.map_err(|problem| DocumentError::Typesetting { path, problem })?;
        Ok(Attachment {
            file_name: format!("{}.pdf", portable(&values.say["file_name"])),
            media_type: "application/pdf",
            bytes,
        })
    }

    /// What goes with a letter beside itself, in its order.
    pub(super) fn enclosures(&self, facts: &LetterFacts) -> Result<Vec<Attachment>, DocumentError> {
        let file = |enclosed: &Enclosed| match enclosed {
            Enclosed::Invoice(invoice) => self.invoice_file(invoice),
            Enclosed::Statement(statement) => self.statement_file(statement),
        };
        facts.enclosed.iter().map(file).collect()
    }
}
