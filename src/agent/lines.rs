//! Reads lines of bounded length from an untrusted source.

use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};

/// Lines of UTF-8 text.
#[derive(Debug)]
pub(super) struct Lines<R> {
    reader: BufReader<R>,
    longest: usize,
    /// What has been read of the next line. Kept here, so that a cancelled [`Lines::next`] loses nothing.
    begun: Vec<u8>,
}

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadLine {
    /// No more than the limit was kept in memory.
    #[error("a line longer than {0} bytes")]
    TooLong(usize),
    #[error("a line that is not UTF-8")]
    NotText,
    #[error("nothing that can be read: {0}")]
    Unreadable(#[from] io::Error),
}

impl<R: AsyncRead + Unpin> Lines<R> {
    pub(super) fn new(input: R, longest: usize) -> Self {
        Self { reader: BufReader::with_capacity(64 * 1024, input), longest, begun: Vec::new() }
    }

    /// The next line without its end; `None` at the end of the input. May be cancelled and called again.
    pub(super) async fn next(&mut self) -> Result<Option<String>, BadLine> {
        loop {
            let chunk = self.reader.fill_buf().await?;
            let (part, used, complete) = match chunk.iter().position(|&byte| byte == b'\n') {
                Some(end) => (&chunk[..end], end + 1, true),
                None => (chunk, chunk.len(), chunk.is_empty()),
            };
            if self.begun.len() + part.len() > self.longest {
                return Err(BadLine::TooLong(self.longest));
            }
            self.begun.extend_from_slice(part);
            self.reader.consume(used);
            if complete {
                if used == 0 && self.begun.is_empty() {
                    return Ok(None);
                }
                let line = std::mem::take(&mut self.begun);
                return String::from_utf8(line).map(Some).map_err(|_| BadLine::NotText);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(input: &[u8]) -> Vec<Result<String, String>> {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let mut lines = Lines::new(input, 5);
            let mut all = Vec::new();
            while let Some(line) = lines.next().await.map_err(|bad| bad.to_string()).transpose() {
                let bad = line.is_err();
                all.push(line);
                if bad {
                    break;
                }
            }
            all
        })
    }

    #[test]
    fn lines_are_read_to_the_last_even_without_its_end() {
        assert_eq!(read(b"one\n\ntwo"), [Ok("one".to_owned()), Ok(String::new()), Ok("two".to_owned())]);
        assert_eq!(read(b""), []);
    }

    #[test]
    fn a_line_that_is_too_long_is_not_read_to_its_end() {
        assert_eq!(
            read(b"12345\n123456"),
            [Ok("12345".to_owned()), Err("a line longer than 5 bytes".to_owned())]
        );
    }

    #[test]
    fn what_is_not_utf_8_is_not_a_line() {
        assert_eq!(read(b"\xff\n"), [Err("a line that is not UTF-8".to_owned())]);
    }
}
