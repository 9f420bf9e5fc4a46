//! What a driver writes to its standard error: passed on for the run's log within bounds, and its last line kept for
//! the message about its failure.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::task::JoinHandle;

use super::line_writer::LineWriter;
use crate::host::secrets;
use crate::protocol::{LOG_LINE, Notice};

/// This much of a line is read, and a part of it kept: a secret must be recognised as a whole before the line is cut.
const LINE_BYTES: usize = 64 << 10;
/// What is left out at the end of a line that was not read to its end: it may hold half of a secret.
const DOUBTFUL_BYTES: usize = 8 << 10;
/// Later lines are read but not passed on; only the last one is kept.
const LINES: usize = 200;
/// How long the reader may take to see the end after all writers are gone.
const END_WITHIN: Duration = Duration::from_millis(100);

/// Reads a driver's standard error until its end.
#[derive(Debug)]
pub(super) struct Stderr {
    last: Rc<RefCell<String>>,
    reader: JoinHandle<()>,
}

impl Stderr {
    /// Begins to read, on the local task set.
    pub(super) fn follow(input: impl AsyncRead + Unpin + 'static, trial: String, writer: LineWriter) -> Self {
        let last = Rc::new(RefCell::new(String::new()));
        let reader = tokio::task::spawn_local(read(input, trial, writer, Rc::clone(&last)));
        Self { last, reader }
    }

    /// The last line that is not blank; empty if there was none. Call it once the driver is dead.
    pub(super) async fn last_line(mut self) -> String {
        let _ = tokio::time::timeout(END_WITHIN, &mut self.reader).await;
        self.last.borrow().clone()
    }
}

impl Drop for Stderr {
    fn drop(&mut self) {
        // A process that left its group may still hold the other end.
        self.reader.abort();
    }
}

async fn read(input: impl AsyncRead + Unpin, trial: String, writer: LineWriter, last: Rc<RefCell<String>>) {
    let mut input = BufReader::new(input);
    let mut line = Vec::new();
    let mut lines = 0;
    let mut say = |line: &mut Vec<u8>| {
        let is_whole = line.len() < LINE_BYTES;
        let mut text = secrets::redact(String::from_utf8_lossy(line).trim_end()).into_owned();
        if !is_whole {
            text.truncate(text.floor_char_boundary(text.len().saturating_sub(DOUBTFUL_BYTES)));
        }
        secrets::fit(&mut text, LOG_LINE);
        line.clear();
        if text.is_empty() {
            return;
        }
        lines += 1;
        if lines <= LINES {
            writer.notice(Notice::Stderr { trial: trial.clone(), line: text.clone() });
        } else if lines == LINES + 1 {
            let line = format!("(the driver wrote more than {LINES} lines; the others are left out)");
            writer.notice(Notice::Stderr { trial: trial.clone(), line });
        }
        *last.borrow_mut() = text;
    };
    while let Ok(chunk) = input.fill_buf().await {
        if chunk.is_empty() {
            break;
        }
        for part in chunk.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE_BYTES.saturating_sub(line.len());
            line.extend_from_slice(&part[..part.len().min(room)]);
            if part.ends_with(b"\n") {
                say(&mut line);
            }
        }
        let used = chunk.len();
        input.consume(used);
    }
    say(&mut line);
}
