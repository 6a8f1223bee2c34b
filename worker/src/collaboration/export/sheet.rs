//! Tables as files: comma-separated values, and workbooks.
//!
//! Invariant: no text in a file is ever carried out as a formula by the program that opens it. In a
//! workbook a text is one by its type; in comma-separated values it is made one by an apostrophe.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufWriter, Write};

use entity::catalog::Cell;
use entity::collaboration::export::Format;
use entity::spreadsheet::harmless;
use rust_decimal::prelude::ToPrimitive;
use rust_xlsxwriter::{ExcelDateTime, Format as Look, Workbook, Worksheet, XlsxError};
use tokio::sync::mpsc;

/// How many rows a worksheet has at most, the headings among them.
const SHEET_ROWS: u32 = 1_048_576;

/// How many characters a cell of a worksheet has at most.
const CELL_CHARS: usize = 32_767;

/// The largest number that a worksheet shows exactly: it has 15 digits.
const EXACT: i64 = 999_999_999_999_999;

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    /// It has more rows than a worksheet.
    #[error("a worksheet has at most 1,048,576 rows; export CSV, or narrow the filter")]
    TooLong,
    /// The file cannot be written.
    #[error("the file could not be written: {0}")]
    Io(#[from] io::Error),
    /// A row cannot be written.
    #[error("a row could not be written: {0}")]
    Csv(#[from] csv::Error),
    /// The workbook cannot be written.
    #[error("the workbook could not be written: {0}")]
    Xlsx(#[from] XlsxError),
}

/// Writes the pages that come in under `headings`, into a file without a name.
///
/// # Errors
/// [`SheetError`].
pub fn write(
    format: Format,
    headings: &[String],
    pages: mpsc::Receiver<Vec<Vec<Cell>>>,
) -> Result<File, SheetError> {
    match format {
        Format::Csv => write_csv(headings, pages),
        Format::Xlsx => write_xlsx(headings, pages),
    }
}

fn write_csv(
    headings: &[String],
    mut pages: mpsc::Receiver<Vec<Vec<Cell>>>,
) -> Result<File, SheetError> {
    let mut out = BufWriter::new(tempfile::tempfile()?);
    // Without the mark Excel takes the file for one in the system's old code page.
    out.write_all("\u{feff}".as_bytes())?;
    let mut out = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(out);
    out.write_record(headings)?;
    while let Some(rows) = pages.blocking_recv() {
        for row in rows {
            for cell in &row {
                out.write_field(text(cell).as_bytes())?;
            }
            out.write_record(None::<&[u8]>)?;
        }
    }
    let out = out.into_inner().map_err(|error| io::Error::other(error.to_string()))?;
    Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?)
}

/// A cell as text.
fn text(cell: &Cell) -> Cow<'_, str> {
    match cell {
        Cell::Empty => "".into(),
        Cell::Text(text) => harmless(text),
        Cell::Number(number) => number.to_string().into(),
        Cell::Truth(truth) => if *truth { "true" } else { "false" }.into(),
        Cell::Day(day) => day.to_string().into(),
        Cell::Instant(instant) => instant.to_rfc3339().into(),
    }
}

fn write_xlsx(
    headings: &[String],
    mut pages: mpsc::Receiver<Vec<Vec<Cell>>>,
) -> Result<File, SheetError> {
    let mut book = Workbook::new();
    let looks = Looks {
        day: Look::new().set_num_format("yyyy-mm-dd"),
        instant: Look::new().set_num_format("yyyy-mm-dd hh:mm:ss"),
    };
    let sheet = book.add_worksheet_with_constant_memory()?;
    let bold = Look::new().set_bold();
    for (column, heading) in (0..).zip(headings) {
        sheet.write_string_with_format(0, column, heading, &bold)?;
    }
    let mut line = 1;
    while let Some(rows) = pages.blocking_recv() {
        for row in rows {
            if line == SHEET_ROWS {
                return Err(SheetError::TooLong);
            }
            for (column, cell) in (0..).zip(row) {
                put(sheet, &looks, (line, column), &cell)?;
            }
            line += 1;
        }
    }
    let mut file = tempfile::tempfile()?;
    book.save_to_writer(&mut file)?;
    Ok(file)
}

/// How values look.
struct Looks {
    day: Look,
    instant: Look,
}

fn put(
    sheet: &mut Worksheet,
    looks: &Looks,
    (line, column): (u32, u16),
    cell: &Cell,
) -> Result<(), SheetError> {
    match cell {
        Cell::Empty => {}
        Cell::Text(text) => {
            let text: Cow<'_, str> = match text.char_indices().nth(CELL_CHARS) {
                Some((end, _)) => text[..end].into(),
                None => text.into(),
            };
            sheet.write_string(line, column, text)?;
        }
        Cell::Number(number) => match number.to_f64() {
            Some(exact) if number.mantissa().abs() <= i128::from(EXACT) => {
                sheet.write_number(line, column, exact)?;
            }
            // A worksheet would round it.
            _ => {
                sheet.write_string(line, column, number.to_string())?;
            }
        },
        Cell::Truth(truth) => {
            sheet.write_boolean(line, column, *truth)?;
        }
        Cell::Day(day) => {
            let value = ExcelDateTime::parse_from_str(&day.to_string());
            match value {
                Ok(value) => sheet.write_datetime_with_format(line, column, &value, &looks.day)?,
                // Before 1900 there are no days in a worksheet.
                Err(_) => sheet.write_string(line, column, day.to_string())?,
            };
        }
        Cell::Instant(instant) => {
            let shown = instant.format("%Y-%m-%dT%H:%M:%S").to_string();
            match ExcelDateTime::parse_from_str(&shown) {
                Ok(value) => {
                    sheet.write_datetime_with_format(line, column, &value, &looks.instant)?
                }
                Err(_) => sheet.write_string(line, column, shown)?,
            };
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};

    use proptest::prelude::*;
    use rust_decimal::Decimal;

    use super::*;

    fn written(format: Format, rows: Vec<Vec<Cell>>) -> Vec<u8> {
        let (sender, pages) = mpsc::channel(1);
        sender.try_send(rows).unwrap();
        drop(sender);
        let mut file = write(format, &["a".to_owned(), "b".to_owned()], pages).unwrap();
        file.rewind().unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn comma_separated_values_open_well_in_excel() {
        let rows = vec![
            vec![Cell::Text("Nguyễn, \"Lan\"".into()), Cell::Number(Decimal::new(-1250, 2))],
            vec![Cell::Text("=cmd|' /C calc'!A0".into()), Cell::Empty],
        ];
        let text = String::from_utf8(written(Format::Csv, rows)).unwrap();
        assert_eq!(
            text,
            "\u{feff}a,b\r\n\"Nguyễn, \"\"Lan\"\"\",-12.50\r\n'=cmd|' /C calc'!A0,\r\n"
        );
    }

    #[test]
    fn a_workbook_is_one() {
        let rows = vec![vec![Cell::Text("=1+1".into()), Cell::Day("2026-11-25".parse().unwrap())]];
        let bytes = written(Format::Xlsx, rows);
        assert!(bytes.starts_with(b"PK"));
    }

    proptest! {
        #[test]
        fn whatever_a_text_is_no_field_begins_like_a_formula(text in "[=+\\-@\t\r\n'\"a,ế]{0,8}") {
            let bytes = written(Format::Csv, vec![vec![Cell::Text(text.clone()), Cell::Empty]]);
            let bare = &bytes["\u{feff}".len()..];
            let mut reader = csv::Reader::from_reader(bare);
            let row = reader.records().next().unwrap().unwrap();
            prop_assert!(!row[0].starts_with(['=', '+', '-', '@', '\t', '\r', '\n']));
            let kept = row[0].strip_prefix('\'').filter(|rest| *rest == text);
            prop_assert!(row[0] == text || kept.is_some());
        }
    }
}
