//! From bytes to records: which encoding, which delimiter, and on which line a record begins.
//!
//! Invariant: whatever the file's encoding and line ends, what comes out is UTF-8 with `\n`, and a
//! record's line is the one that an editor shows.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use csv::StringRecord;
use encoding_rs::{CoderResult, Decoder, Encoding, UTF_8};

use super::Unreadable;
use crate::spreadsheet::meant;

/// How much is read at once.
const BLOCK: usize = 64 * 1024;

/// What a spreadsheet in a ZIP archive starts with.
const ZIP: &[u8] = b"PK\x03\x04";

/// Bytes of some encoding as UTF-8, without a byte order mark, every line ended by `\n`.
pub struct Utf8<R> {
    source: R,
    decoder: Decoder,
    raw: Box<[u8]>,
    range: std::ops::Range<usize>,
    after_return: bool,
    last: u8,
    ended: bool,
}

impl<R: Read> Utf8<R> {
    pub fn new(source: R, encoding: &'static Encoding) -> Self {
        Self {
            source,
            decoder: encoding.new_decoder_with_bom_removal(),
            raw: vec![0; BLOCK].into_boxed_slice(),
            range: 0..0,
            after_return: false,
            last: b'\n',
            ended: false,
        }
    }

    /// Turns every line end in `text` into `\n` and gives how many bytes are left.
    fn unify_line_ends(&mut self, text: &mut [u8]) -> usize {
        let mut kept = 0;
        for index in 0..text.len() {
            let byte = text[index];
            if !(byte == b'\n' && self.after_return) {
                text[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
            self.after_return = byte == b'\r';
        }
        if let Some(byte) = text[..kept].last() {
            self.last = *byte;
        }
        kept
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while !self.ended {
            let mut at_end = false;
            if self.range.is_empty() {
                self.range = 0..self.source.read(&mut self.raw)?;
                at_end = self.range.is_empty();
            }
            let raw = &self.raw[self.range.clone()];
            let (result, read, written, _) = self.decoder.decode_to_utf8(raw, out, at_end);
            self.range.start += read;
            self.ended = at_end && result == CoderResult::InputEmpty;
            let kept = self.unify_line_ends(&mut out[..written]);
            if kept > 0 {
                return Ok(kept);
            }
        }
        // A last line without an end gets one, so that lines can be counted by their ends.
        if self.last == b'\n' || out.is_empty() {
            return Ok(0);
        }
        self.last = b'\n';
        out[0] = b'\n';
        Ok(1)
    }
}

/// The file's encoding: its byte order mark, else UTF-8 if it is that, else what its bytes look
/// like for a text in `language`.
pub fn detect<R: Read + Seek>(
    source: &mut R,
    language: &str,
) -> Result<&'static Encoding, Unreadable> {
    source.seek(SeekFrom::Start(0))?;
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Deny);
    let mut decoder = UTF_8.new_decoder_without_bom_handling();
    let (mut raw, mut text) = (vec![0; BLOCK], String::with_capacity(4 * BLOCK));
    let (mut wide, mut broken, mut first) = (0_u64, 0_u64, true);
    loop {
        let length = fill(source, &mut raw)?;
        let block = &raw[..length];
        if first {
            if block.is_empty() {
                return Err(Unreadable::Empty);
            }
            if block.starts_with(ZIP) {
                return Err(Unreadable::Spreadsheet);
            }
            if let Some((encoding, _)) = Encoding::for_bom(block) {
                return Ok(encoding);
            }
            first = false;
        }
        text.clear();
        let _ = decoder.decode_to_string(block, &mut text, length < BLOCK);
        for c in text.chars().filter(|c| !c.is_ascii()) {
            if c == char::REPLACEMENT_CHARACTER {
                broken += 1;
            } else {
                wide += 1;
            }
        }
        detector.feed(block, length < BLOCK);
        if length < BLOCK {
            break;
        }
    }
    // Other encodings hardly ever look like UTF-8, so a few broken bytes among many good ones are
    // a damaged UTF-8 file: only its damaged rows are lost, and no other name is garbled.
    if broken == 0 || wide > 10 * broken {
        return Ok(UTF_8);
    }
    let home: Option<&[u8]> = language.starts_with("vi").then_some(b"vn");
    Ok(detector.guess(home, Utf8Detection::Deny))
}

/// Fills `block` as far as the source reaches.
fn fill(source: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match source.read(&mut block[filled..])? {
            0 => break,
            more => filled += more,
        }
    }
    Ok(filled)
}

/// What stands between the fields: whichever of `,` `;` and tab is most frequent in the header.
pub fn delimiter<R: Read + Seek>(
    source: &mut R,
    encoding: &'static Encoding,
) -> Result<u8, Unreadable> {
    source.seek(SeekFrom::Start(0))?;
    let mut lines = BufReader::new(Utf8::new(source, encoding).take(BLOCK as u64));
    let mut header = Vec::new();
    while header.trim_ascii().is_empty() {
        header.clear();
        if lines.read_until(b'\n', &mut header)? == 0 {
            return Err(Unreadable::Empty);
        }
    }
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in header {
        quoted ^= byte == b'"';
        if let Some((_, count)) = counts.iter_mut().find(|(sign, _)| *sign == byte && !quoted) {
            *count += 1;
        }
    }
    // The first of equals: a comma when there is only one column.
    counts.reverse();
    Ok(counts.iter().max_by_key(|(_, count)| *count).map_or(b',', |(sign, _)| *sign))
}

/// The records of a file, header first.
pub struct Records<R> {
    reader: csv::Reader<Utf8<R>>,
    record: StringRecord,
}

impl<R: Read + Seek> Records<R> {
    pub fn new(mut source: R, encoding: &'static Encoding, delimiter: u8) -> io::Result<Self> {
        source.seek(SeekFrom::Start(0))?;
        let reader = csv::ReaderBuilder::new()
            .delimiter(delimiter)
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(BLOCK)
            .from_reader(Utf8::new(source, encoding));
        Ok(Self { reader, record: StringRecord::new() })
    }

    /// The next record that has anything in it, as it was meant, and the line on which it begins.
    pub fn next(&mut self) -> io::Result<Option<(u64, &StringRecord)>> {
        loop {
            if !self.reader.read_record(&mut self.record)? {
                return Ok(None);
            }
            if self.record.iter().any(|field| !field.trim().is_empty()) {
                break;
            }
        }
        // The reader counts blank lines to the record that follows them. Counted back from its end
        // the line is right.
        let inside: usize = self.record.iter().map(|field| field.matches('\n').count()).sum();
        let line = self.reader.position().line() - 1 - inside as u64;
        if self.record.iter().any(|field| field.starts_with('\'')) {
            self.record = self.record.iter().map(meant).collect();
        }
        Ok(Some((line, &self.record)))
    }
}
