//! Cuts a piece of a table into rows, and rows into fields.
//!
//! The `csv` crate looks at every byte. Nearly all rows that a run leaves behind have no quotation mark, or one pair around
//! a whole field, and are cut at commas and line feeds, which can be found many bytes at a time. Anything more complicated
//! is passed to `csv`, row by row, so that both give the same result for every table.

use std::io::Cursor;
use std::ops::{Range, RangeInclusive};

use csv::{ByteRecord, Position, Reader, ReaderBuilder};

/// The rows of a piece, which ends where a row ends.
pub(super) struct Cutter<'a> {
    chunk: &'a [u8],
    /// Where the next row begins.
    at: usize,
    fields: Vec<Range<usize>>,
    involved: Reader<Cursor<&'a [u8]>>,
    record: ByteRecord,
}

/// One row.
pub(super) struct Fields<'a> {
    /// Where it begins in its piece, in bytes.
    pub(super) at: usize,
    text: &'a [u8],
    fields: &'a [Range<usize>],
    /// Whether `text` is the piece itself, including what separates the fields.
    is_piece: bool,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(chunk: &'a [u8]) -> Self {
        // The number of fields is not checked here but where the message can say more.
        let involved = ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 10)
            .from_reader(Cursor::new(chunk));
        Self { chunk, at: 0, fields: Vec::new(), involved, record: ByteRecord::new() }
    }

    /// Where the next row begins, in bytes.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// The next row that is not an empty line; `None` after the last one.
    pub(super) fn next(&mut self) -> Result<Option<Fields<'_>>, csv::Error> {
        loop {
            let at = self.at;
            if at == self.chunk.len() {
                return Ok(None);
            }
            let Some(end) = self.cut() else { return self.next_involved() };
            self.at = end;
            let is_empty_line = self.fields.len() == 1 && self.fields[0] == (at..at);
            if !is_empty_line {
                return Ok(Some(Fields { at, text: self.chunk, fields: &self.fields, is_piece: true }));
            }
        }
    }

    /// Where the next row ends, if all of its quotation marks stand in pairs around whole fields.
    fn cut(&mut self) -> Option<usize> {
        self.fields.clear();
        let row = &self.chunk[self.at..];
        let mut begin = 0;
        // The positions of the field's quotation marks.
        let (mut opened, mut closed) = (false, None);
        for at in memchr::memchr3_iter(b',', b'\n', b'"', row) {
            match row[at] {
                b'"' if at == begin => opened = true,
                b'"' if opened && closed.is_none() => closed = Some(at),
                b'"' => return None,
                _ if opened && closed.is_none() => {}
                mark => {
                    let is_last = mark == b'\n';
                    let end = at - usize::from(is_last && row[begin..at].ends_with(b"\r"));
                    let field = match closed {
                        None => begin..end,
                        Some(closed) if closed + 1 == end => begin + 1..closed,
                        Some(_) => return None,
                    };
                    self.fields.push(self.at + field.start..self.at + field.end);
                    if is_last {
                        return Some(self.at + at + 1);
                    }
                    begin = at + 1;
                    (opened, closed) = (false, None);
                }
            }
        }
        None
    }

    /// The next row, which is not an empty line, as `csv` reads it.
    fn next_involved(&mut self) -> Result<Option<Fields<'_>>, csv::Error> {
        let mut position = Position::new();
        position.set_byte(self.at as u64);
        self.involved.seek(position)?;
        if !self.involved.read_byte_record(&mut self.record)? {
            self.at = self.chunk.len();
            return Ok(None);
        }
        let at = self.at;
        self.at = self.involved.position().byte() as usize;
        self.fields.clear();
        self.fields.extend((0..self.record.len()).filter_map(|index| self.record.range(index)));
        Ok(Some(Fields { at, text: self.record.as_slice(), fields: &self.fields, is_piece: false }))
    }
}

impl<'a> Fields<'a> {
    pub(super) const fn len(&self) -> usize {
        self.fields.len()
    }

    pub(super) fn get(&self, index: usize) -> &'a [u8] {
        &self.text[self.fields[index].clone()]
    }

    /// The text of the table from the first of these fields to the last. `None` if the row contained quoting or escapes, so
    /// that the same text could mean different things.
    pub(super) fn span(&self, fields: &RangeInclusive<usize>) -> Option<&'a [u8]> {
        self.is_piece.then(|| &self.text[self.fields[*fields.start()].start..self.fields[*fields.end()].end])
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cut(chunk: &str) -> Vec<Vec<Vec<u8>>> {
        let (mut cutter, mut rows) = (Cutter::new(chunk.as_bytes()), Vec::new());
        while let Some(row) = cutter.next().unwrap() {
            rows.push((0..row.len()).map(|index| row.get(index).to_vec()).collect());
        }
        rows
    }

    fn read(chunk: &str) -> Vec<Vec<Vec<u8>>> {
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(chunk.as_bytes());
        reader.byte_records().map(|row| row.unwrap().iter().map(<[u8]>::to_vec).collect()).collect()
    }

    #[test]
    fn quotation_marks_are_no_part_of_a_field() {
        let rows = cut("a,\"b, c\",\"\"\r\n\n\"say \"\"no\"\"\nor yes\",d\n");
        let texts = |row: &[&str]| row.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
        assert_eq!(rows, [texts(&["a", "b, c", ""]), texts(&["say \"no\"\nor yes", "d"])]);
    }

    #[test]
    fn a_row_tells_where_it_begins() {
        let mut cutter = Cutter::new(b"\n\na\r\n\r\n\"b\"\"\"\nc\n");
        let mut begins = Vec::new();
        while let Some(row) = cutter.next().unwrap() {
            begins.push(row.at);
        }
        assert_eq!(begins, [2, 7, 13]);
    }

    proptest! {
        #[test]
        fn every_table_is_cut_as_csv_does(table in "([ab,\"]|\n|\r\n){0,40}") {
            let table = table + "\n";
            prop_assert_eq!(cut(&table), read(&table));
        }

        #[test]
        fn every_table_with_fields_in_quotation_marks_is_cut_as_csv_does(
            table in "((a|\"[a,\n]{0,3}\"|\"(\"\"|b)*\")[,\n]){0,20}"
        ) {
            let table = table + "\n";
            prop_assert_eq!(cut(&table), read(&table));
        }
    }
}
