//! Reading what a PDF says, as whoever copies text from it would.

use std::collections::HashMap;

use hayro_syntax::Pdf;
use hayro_syntax::content::TypedIter;
use hayro_syntax::content::ops::TypedInstruction;
use hayro_syntax::object::{Dict, Name, Object, Stream};
use hayro_syntax::page::Resources;

/// What a font's glyphs stand for.
type Letters = HashMap<u16, String>;

/// The texts of a PDF, page by page, each run of them by itself.
///
/// # Panics
/// When it is no PDF.
#[must_use]
pub fn pages(pdf: &[u8]) -> Vec<Vec<String>> {
    let pdf = Pdf::new(pdf.to_vec()).expect("a PDF");
    let pages = pdf.pages().iter().map(|page| {
        let mut runs = Vec::new();
        read(page.typed_operations(), page.resources(), &mut runs);
        runs
    });
    pages.collect()
}

/// Adds the texts of a page, or of a page of another PDF that is shown on it.
fn read(mut operations: TypedIter<'_>, resources: &Resources<'_>, runs: &mut Vec<String>) {
    let mut fonts = HashMap::<Vec<u8>, Letters>::new();
    let (mut run, mut current) = (String::new(), Vec::new());
    while let Some(operation) = operations.next() {
        match operation {
            TypedInstruction::TextFont(font) => {
                current = font.0.as_ref().to_vec();
                if !fonts.contains_key(&current) {
                    let found = resources.get_font(font.0);
                    fonts.insert(current.clone(), found.as_ref().map(letters).unwrap_or_default());
                }
            }
            TypedInstruction::ShowText(text) => {
                say(&mut run, text.0.as_bytes(), &fonts[&current]);
            }
            TypedInstruction::ShowTexts(texts) => {
                for part in texts.0.iter::<Object<'_>>() {
                    if let Object::String(text) = part {
                        say(&mut run, text.as_bytes(), &fonts[&current]);
                    }
                }
            }
            TypedInstruction::EndText(_) => runs.push(std::mem::take(&mut run)),
            TypedInstruction::XObject(shown) => {
                let Some(shown) = resources.get_x_object(shown.0) else { continue };
                let is_form =
                    shown.dict().get::<Name<'_>>("Subtype").is_some_and(|kind| &*kind == b"Form");
                let (Some(own), true) = (shown.dict().get::<Dict<'_>>("Resources"), is_form) else {
                    continue;
                };
                let content = shown.decoded().expect("a form");
                read(
                    TypedIter::new(&content),
                    &Resources::from_parent(own, resources.clone()),
                    runs,
                );
            }
            _ => {}
        }
    }
}

/// All texts of a PDF, with spaces that may break between their words.
///
/// # Panics
/// When it is no PDF.
#[must_use]
pub fn text(pdf: &[u8]) -> String {
    pages(pdf).concat().join("\n").replace('\u{a0}', " ")
}

fn say(run: &mut String, codes: &[u8], letters: &Letters) {
    for code in codes.chunks_exact(2) {
        let code = u16::from_be_bytes([code[0], code[1]]);
        run.push_str(letters.get(&code).map_or("\u{fffd}", String::as_str));
    }
}

/// The letters of a font, by its table from codes to Unicode.
fn letters(font: &Dict<'_>) -> Letters {
    let Some(table) = font.get::<Stream<'_>>("ToUnicode") else { return Letters::new() };
    let table = table.decoded().expect("a table");
    let table = String::from_utf8_lossy(&table);
    let mut letters = Letters::new();
    for section in table.split("beginbfchar").skip(1) {
        let section = section.split("endbfchar").next().unwrap_or_default();
        let codes: Vec<&str> = hexadecimal(section).collect();
        for pair in codes.chunks_exact(2) {
            letters.insert(code(pair[0]), unicode(pair[1], 0));
        }
    }
    for section in table.split("beginbfrange").skip(1) {
        let section = section.split("endbfrange").next().unwrap_or_default();
        let codes: Vec<&str> = hexadecimal(section).collect();
        for range in codes.chunks_exact(3) {
            let (first, last) = (code(range[0]), code(range[1]));
            for at in first..=last {
                letters.insert(at, unicode(range[2], at - first));
            }
        }
    }
    letters
}

/// What stands between angle brackets.
fn hexadecimal(section: &str) -> impl Iterator<Item = &str> {
    section.split('<').skip(1).filter_map(|part| part.split('>').next())
}

fn code(text: &str) -> u16 {
    u16::from_str_radix(text, 16).expect("a code")
}

/// The letters of UTF-16, the last one of them `further`.
fn unicode(text: &str, further: u16) -> String {
    let units = text.as_bytes().chunks_exact(4).map(|unit| code(&String::from_utf8_lossy(unit)));
    let mut units: Vec<u16> = units.collect();
    if let Some(last) = units.last_mut() {
        *last += further;
    }
    String::from_utf16_lossy(&units)
}
