//! Cuts a table into pieces that end where a row ends, so that each can be parsed by itself.

use std::io::{self, Read};

/// Bytes that are read at once.
const SIZE: usize = 2 << 20;

/// A row that is longer than this is none: somewhere before it a quotation mark has no partner.
const LONGEST: usize = 64 << 20;

/// The pieces of a table.
pub(super) struct Pieces<R> {
    input: R,
    /// What was read behind the last row's end.
    rest: Vec<u8>,
    /// Memory that was used before.
    spare: Vec<Vec<u8>>,
}

impl<R: Read> Pieces<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, rest: Vec::new(), spare: Vec::new() }
    }

    /// The next whole rows; `None` when there are no more.
    pub(super) fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut piece = self.spare.pop().unwrap_or_default();
        piece.clear();
        piece.append(&mut self.rest);
        loop {
            if self.input.by_ref().take(SIZE as u64).read_to_end(&mut piece)? == 0 {
                self.rest = piece;
                return Ok(None);
            }
            if let Some(end) = last_end(&piece) {
                self.rest.extend_from_slice(&piece[end..]);
                piece.truncate(end);
                return Ok(Some(piece));
            }
            if piece.len() > LONGEST {
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
            let Some(piece) = self.next()? else { break };
            batch.push(piece);
        }
        Ok(batch)
    }

    /// Takes the memory of pieces that are done with.
    pub(super) fn give_back(&mut self, pieces: Vec<Vec<u8>>) {
        self.spare.extend(pieces);
    }

    /// What stands behind the last row that ends, after the last piece.
    pub(super) fn rest(&self) -> &[u8] {
        &self.rest
    }
}

/// Behind the last line feed that does not stand within quotation marks. The piece begins with a row.
fn last_end(piece: &[u8]) -> Option<usize> {
    let mut is_open = memchr::memchr_iter(b'"', piece).count() % 2 == 1;
    for (index, byte) in piece.iter().enumerate().rev() {
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
        let mut pieces = Pieces::new(table.as_bytes());
        let (mut all, mut count) = (Vec::new(), 0);
        while let Some(piece) = pieces.next().unwrap() {
            assert!(piece.ends_with(b"lines\"\n"));
            all.extend_from_slice(&piece);
            pieces.give_back(vec![piece]);
            count += 1;
        }
        assert!(count > 1 && pieces.rest().is_empty());
        assert_eq!(all, table.as_bytes());
    }
}
