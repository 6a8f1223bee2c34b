//! The table. Invariant: it can be pasted into Markdown as it is.

use std::fmt::Write;

use crate::figure::{Figure, Reading};

/// All figures with what was read.
pub fn render(rows: &[(Reading, Figure)]) -> String {
    let head = ["figure", "measured", "limit", "ratio", "unit", "the limit is"];
    let mut cells = vec![head.map(str::to_owned)];
    let mut notes = String::new();
    for (reading, figure) in rows {
        let (name, unit, what) = (figure.name, figure.unit, figure.limit);
        let [measured, limit, ratio] = match reading {
            Reading::Taken { measured, limit, .. } => {
                [number(*measured), number(*limit), format!("{:.2}", measured / limit)]
            }
            Reading::Missing(_) => ["–"; 3].map(str::to_owned),
        };
        cells.push([name.to_owned(), measured, limit, ratio, unit.to_owned(), what.to_owned()]);
        if let Reading::Taken { note: Some(note), .. } | Reading::Missing(note) = reading {
            notes.push('\n');
            notes.push_str(name);
            notes.push_str(": ");
            notes.push_str(note);
        }
    }
    let width = |column: usize| cells.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or_default());
    let mut text = String::from("\n");
    for (index, row) in cells.iter().enumerate() {
        for (column, (cell, width)) in row.iter().zip(widths).enumerate() {
            // Numbers to the right, words to the left.
            let written = match column {
                1..=3 => write!(text, "| {cell:>width$} "),
                _ => write!(text, "| {cell:<width$} "),
            };
            debug_assert!(written.is_ok(), "a string takes everything");
        }
        text.push_str("|\n");
        if index == 0 {
            for (column, width) in widths.into_iter().enumerate() {
                let end = if (1..=3).contains(&column) { ':' } else { '-' };
                text.extend(['|', '-'].into_iter().chain(std::iter::repeat_n('-', width)));
                text.push(end);
            }
            text.push_str("|\n");
        }
    }
    text + &notes
}

/// Three digits that count, with thousands apart.
fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
