//! The file of a batch: a ZIP with all letters in one PDF, and a table of where they go.

use std::io::{Cursor, Write};

use entity::automation::message;
use entity::id::Id;
use entity::spreadsheet::harmless;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use crate::document::{DocumentError, Documents};

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The letters cannot be put together.
    #[error("the letters cannot be put together")]
    Letters(#[from] DocumentError),
    /// The table cannot be written.
    #[error("the table of addresses cannot be written")]
    Table(#[from] csv::Error),
    /// The archive cannot be written.
    #[error("the archive cannot be written")]
    Archive(#[from] ZipError),
    /// Nor can what is in it.
    #[error("the archive cannot be written")]
    Write(#[from] std::io::Error),
}

/// The bytes of the file of `letters`, in their order.
///
/// CPU-bound: call it where blocking is allowed.
///
/// # Errors
/// [`BundleError`]. None of it is cured by trying again.
pub fn bundle(
    documents: &Documents,
    letters: Vec<message::Model>,
    duplex: bool,
) -> Result<Vec<u8>, BundleError> {
    let (rows, bodies): (Vec<_>, Vec<_>) = letters
        .into_iter()
        .map(|mut letter| {
            let body = letter.body.take().unwrap_or_default();
            (letter, body)
        })
        .unzip();
    let (pdf, pages) = documents.batch(bodies, duplex)?;
    let table = table(&rows, &pages)?;
    let mut archive = ZipWriter::new(Cursor::new(Vec::with_capacity(pdf.len() + table.len())));
    // A PDF is compressed in itself.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for (name, bytes) in [("letters.pdf", pdf), ("letters.csv", table)] {
        archive.start_file(name, options)?;
        archive.write_all(&bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Who gets which of the letters, and how many pages it has.
fn table(letters: &[message::Model], pages: &[usize]) -> Result<Vec<u8>, csv::Error> {
    // Without the mark Excel takes the file for one in the system's old code page.
    let mut out = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer("\u{feff}".as_bytes().to_vec());
    out.write_record(["letter", "pages", "name", "address", "subject", "message"])?;
    for (number, (letter, pages)) in letters.iter().zip(pages).enumerate() {
        let name = letter.facts.as_ref().and_then(|facts| facts["addressee"].as_str());
        let texts = [name, letter.recipient.as_deref(), letter.subject.as_deref()];
        let [name, address, subject] = texts.map(|text| harmless(text.unwrap_or_default()));
        let (number, pages) = ((number + 1).to_string(), pages.to_string());
        let id = letter.id.global();
        out.write_record([number.as_str(), &pages, &name, &address, &subject, &id])?;
    }
    out.into_inner().map_err(|error| error.into_error().into())
}
