//! Cuts a table into pieces that end where a row ends, so that each can be parsed by itself.

use std::io::{self, Read};

/// Bytes that are read at a time.
const SIZE: usize = 2 << 20;

/// Anything longer than this is not a row: somewhere before it a quotation mark has no partner.
const LONGEST: usize = 64 << 20;

/// The pieces of a table.
pub(super) struct Chunks<R> {
    input: R,
    /// What was read after the end of the last row.
    rest: Vec<u8>,
    /// Memory to be reused.
    spare: Vec<Vec<u8>>,
}

impl<R: Read> Chunks<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), spare: Vec::new() }
    }

    /// The next whole rows; `None` when there are no more.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut chunk = self.spare.pop().unwrap_or_default();
        chunk.clear();
        chunk.append(&mut self.rest);
        loop {
            if self.input.by_ref().take(SIZE as u64).read_to_end(&mut chunk)? == 0 {
                self.rest = chunk;
                return Ok(None);
            }
            if let Some(end) = last_end(&chunk) {
                self.rest.extend_from_slice(&chunk[end..]);
                chunk.truncate(end);
                return Ok(Some(chunk));
            }
            if chunk.len() > LONGEST {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "it has no row that ends within 64 MB",
                ));
            }
        }
    }

    /// At most `most` pieces.
    pub(super) fn batch(&mut self, most: usize) -> io::Result<Vec<Vec<u8>>> {
        let mut batch = Vec::with_capacity(most);
        while batch.len() < most {
            let Some(chunk) = self.next()? else { break };
            batch.push(chunk);
        }
        Ok(batch)
    }

    /// Takes back the memory of pieces that are finished.
    pub(super) fn give_back(&mut self, chunks: Vec<Vec<u8>>) {
        self.spare.extend(chunks);
    }

    /// What follows the last complete row, after the last piece.
    pub(super) fn rest(&self) -> &[u8] {
        &self.rest
    }
}

/// The position after the last line feed that is not within quotation marks. The piece begins with a row.
fn last_end(chunk: &[u8]) -> Option<usize> {
    let mut is_open = memchr::memchr_iter(b'"', chunk).count() % 2 == 1;
    for (index, byte) in chunk.iter().enumerate().rev() {
        match byte {
            b'"' => is_open = !is_open,
            b'\n' if !is_open => return Some(index + 1),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_feed_within_quotation_marks_ends_no_row() {
        assert_eq!(last_end(b"a,b\nc,\"d\ne"), Some(4));
        assert_eq!(last_end(b"a,\"b\n\"\nc"), Some(7));
        assert_eq!(last_end(b"a,b"), None);
        assert_eq!(last_end(b"\"a\"\"\n"), None);
    }

    #[test]
    fn pieces_put_together_are_the_table() {
        let table: String = (0..300_000).map(|i| format!("{i},\"two\nlines\"\n")).collect();
        let mut chunks = Chunks::new(table.as_bytes());
        let (mut all, mut count) = (Vec::new(), 0);
        while let Some(chunk) = chunks.next().unwrap() {
            assert!(chunk.ends_with(b"lines\"\n"));
            all.extend_from_slice(&chunk);
            chunks.give_back(vec![chunk]);
            count += 1;
        }
        assert!(count > 1 && chunks.rest().is_empty());
        assert_eq!(all, table.as_bytes());
    }
}
