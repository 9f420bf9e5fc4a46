//! The journal of a run: one line of JSON for each event, written to disk before anything relies on it. The source of truth.
//!
//! Only ever appended to. The one exception is a last line that a crash cut short: nothing has relied on it, and it is cut
//! off when the journal is opened again.
//!
//! Every line ends with its own checksum, as the last member of its object: `…,"crc32":"9ae0daaf"}}`. Lines of earlier
//! versions have none, and are accepted as long as they can be parsed.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::hash::BuildHasher;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use foldhash::quality::FixedState;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

use crate::record::TrialRecord;
use crate::results::provenance::{End, Session};

/// The version of the journal's format, in its first line.
pub const FORMAT: u32 = 1;

/// Why a journal cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system returned an error.
    #[error("failed to {action} the journal {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// Its first line is not that of a journal.
    #[error("{} is not a journal: its first line is not {{\"journal\":…}}; {MEND}", .0.display())]
    NoHeading(PathBuf),
    /// It was written by another version of this program.
    #[error("the journal {} has format {found}, this version of orchestrate reads format {FORMAT}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// A line other than the last cannot be understood, or the last one is complete and cannot be understood.
    #[error("line {line} of the journal {} is damaged: {reason}; {MEND}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Somebody removed or replaced the file during the run.
    #[error(
        "the journal {} is no longer the file that this run writes: it, or a directory above it, was removed, renamed or \
         replaced during the run; put it back, and the same command continues the run",
        .0.display()
    )]
    Moved(PathBuf),
    /// Another process is writing to it.
    #[error("the journal {} is in use by another process", .0.display())]
    InUse(PathBuf),
}

/// What to do about a journal that cannot be read.
const MEND: &str = "restore the file, or use --fresh to leave that run as it is and start anew";

/// What separates the content of a line from its checksum: eight hexadecimal digits, the CRC-32 (that of zip and PNG) of
/// every byte before this.
const CHECKSUM: &[u8] = b",\"crc32\":\"";
/// What follows the checksum.
const CLOSING: &[u8] = b"\"}}\n";

/// The first line: what the journal is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// [`FORMAT`].
    pub format: u32,
    /// The name of the experiment.
    pub experiment: String,
    /// The identity of the run.
    pub run_id: String,
}

/// Every line but the first.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The run was started or resumed.
    Session(Box<Session>),
    /// An attempt at a trial ended.
    Trial(Box<TrialRecord>),
    /// The run stopped, for good or until it is resumed.
    End(End),
}

/// [`Event`] and [`Heading`] as they are written, borrowing their contents.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
enum Line<'a> {
    Journal(&'a Heading),
    Session(&'a Session),
    Trial(&'a TrialRecord),
    End(&'a End),
}

/// A last line that a crash cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Torn {
    /// Its number, from 1.
    pub line: u64,
    /// Where it begins.
    pub offset: u64,
    /// How much of it there is.
    pub bytes: u64,
}

/// A journal that is being written.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    run_id: String,
    /// The number of bytes known to be whole lines on the disk.
    length: u64,
    buffer: Vec<u8>,
    repeated: u64,
}

impl Journal {
    /// Begins a journal. The file must not exist.
    ///
    /// # Errors
    /// When it exists or cannot be written.
    pub fn create(path: &Path, experiment: &str, run_id: &str) -> Result<Self, JournalError> {
        // The file gets its name only once its first line is on the disk: without that line it would not be a journal, and
        // nobody who found it could resume the run.
        let newborn = path.with_extension("new");
        let file = File::options()
            .append(true)
            .create(true)
            .open(&newborn)
            .and_then(|file| file.set_len(0).map(|()| file))
            .map_err(failed("create", &newborn))?;
        lock(&file, path)?;
        let heading =
            Heading { format: FORMAT, experiment: experiment.to_owned(), run_id: run_id.to_owned() };
        let mut journal = Self {
            file,
            path: path.to_owned(),
            run_id: run_id.to_owned(),
            length: 0,
            buffer: Vec::new(),
            repeated: 0,
        };
        journal.write(&Line::Journal(&heading))?;
        if path.exists() {
            return Err(failed("create", path)(io::ErrorKind::AlreadyExists.into()));
        }
        std::fs::rename(&newborn, path).map_err(failed("create", path))?;
        // Without this, the lines would be on the disk after a crash, but the name of the file might not be.
        let directory = path.parent().expect("a path to a file that was just created has a parent");
        File::open(directory).and_then(|directory| directory.sync_all()).map_err(failed("create", path))?;
        Ok(journal)
    }

    /// Opens a journal to continue it: passes all of its events to `visit`, and cuts off a torn last line.
    ///
    /// # Errors
    /// When the journal cannot be read or written, or is damaged elsewhere than at its end.
    pub fn resume(path: &Path, mut visit: impl FnMut(Event)) -> Result<(Self, Option<Torn>), JournalError> {
        let file = OpenOptions::new().append(true).open(path).map_err(failed("open", path))?;
        // Before anything is read: otherwise what another process appends meanwhile would be taken for a torn line.
        lock(&file, path)?;
        let mut reader = Reader::open(path)?;
        for entry in &mut reader {
            visit(entry?.event);
        }
        let torn = reader.torn();
        if let Some(torn) = torn {
            file.set_len(torn.offset).and_then(|()| file.sync_all()).map_err(failed("mend", path))?;
        }
        let journal = Self {
            file,
            path: path.to_owned(),
            length: reader.offset,
            buffer: Vec::new(),
            repeated: reader.repeated,
            run_id: reader.heading.run_id,
        };
        Ok((journal, torn))
    }

    /// How many lines were skipped when the journal was opened because they are in it twice.
    #[must_use]
    pub const fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The identity of the run that the journal belongs to.
    #[must_use]
    pub fn run_id(&self) -> &str {
        &self.run_id
    }

    /// Records that the run was started or resumed.
    ///
    /// # Errors
    /// When it is not on the disk. Any part of the line that was written is removed again.
    pub fn session(&mut self, session: &Session) -> Result<(), JournalError> {
        self.append(&Line::Session(session))
    }

    /// Records an attempt. When this returns, the attempt counts.
    ///
    /// # Errors
    /// As [`Journal::session`].
    pub fn trial(&mut self, record: &TrialRecord) -> Result<(), JournalError> {
        self.append(&Line::Trial(record))
    }

    /// Records that the run stopped.
    ///
    /// # Errors
    /// As [`Journal::session`].
    pub fn end(&mut self, end: &End) -> Result<(), JournalError> {
        self.append(&Line::End(end))
    }

    fn append(&mut self, line: &Line<'_>) -> Result<(), JournalError> {
        // What is written to a file that no longer has its name is lost, and nothing else would notice before the end.
        self.expect_in_place()?;
        self.write(line)?;
        self.expect_in_place()
    }

    /// Makes sure that the path still leads to the open file.
    fn expect_in_place(&self) -> Result<(), JournalError> {
        let ours = self.file.metadata().map_err(failed("examine", &self.path))?;
        match std::fs::metadata(&self.path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => Ok(()),
            Ok(_) => Err(JournalError::Moved(self.path.clone())),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Err(JournalError::Moved(self.path.clone()))
            }
            Err(error) => Err(failed("examine", &self.path)(error)),
        }
    }

    fn write(&mut self, line: &Line<'_>) -> Result<(), JournalError> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, line).map_err(|error| self.failed(error.into()))?;
        seal(&mut self.buffer);
        // One write per line: anyone reading at the same time sees whole lines, except at the moment of a crash.
        if let Err(error) = self.file.write_all(&self.buffer).and_then(|()| self.file.sync_data()) {
            // A full disk may have taken half of the line, and the next one would be appended to that. If removing it fails
            // too, the line is torn, and the next session cuts it off.
            let _ = self.file.set_len(self.length);
            return Err(self.failed(error));
        }
        self.length += self.buffer.len() as u64;
        Ok(())
    }

    fn failed(&self, source: io::Error) -> JournalError {
        failed("append to", &self.path)(source)
    }
}

/// An event and the bytes that it was read from.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The event.
    pub event: Event,
    /// Where its line is.
    pub span: Span,
}

/// The place of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// From the beginning of the file, in bytes.
    pub offset: u64,
    /// In bytes, with its newline.
    pub length: usize,
}

/// Reads a journal event by event, one line in memory at a time. Changes nothing; a torn last line ends it.
#[derive(Debug)]
pub struct Reader {
    input: BufReader<File>,
    path: PathBuf,
    heading: Heading,
    /// Whole lines so far.
    line: u64,
    /// Where the next line begins.
    offset: u64,
    buffer: Vec<u8>,
    torn: Option<Torn>,
    seen: Seen,
    repeated: u64,
    done: bool,
}

/// The first line, reduced to what it has in every version.
#[derive(Deserialize)]
struct AnyHeading {
    journal: AnyFormat,
}

#[derive(Deserialize)]
struct AnyFormat {
    format: u32,
}

#[derive(Deserialize)]
struct FirstLine {
    journal: Heading,
}

impl Reader {
    /// Opens a journal and reads its first line.
    ///
    /// # Errors
    /// When the file cannot be read, is not a journal or has another format.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let mut input = BufReader::new(File::open(path).map_err(failed("open", path))?);
        let mut buffer = Vec::new();
        input.read_until(b'\n', &mut buffer).map_err(failed("read", path))?;
        let any: AnyHeading =
            serde_json::from_slice(&buffer).map_err(|_| JournalError::NoHeading(path.to_owned()))?;
        if any.journal.format != FORMAT {
            return Err(JournalError::Format { path: path.to_owned(), found: any.journal.format });
        }
        let damaged = |reason: String| JournalError::Damaged { path: path.to_owned(), line: 1, reason };
        check(&buffer).map_err(damaged)?;
        let first: FirstLine = serde_json::from_slice(&buffer).map_err(|error| damaged(error.to_string()))?;
        if buffer.last() != Some(&b'\n') {
            return Err(JournalError::NoHeading(path.to_owned()));
        }
        let mut seen = Seen::default();
        seen.is_new(&buffer);
        Ok(Self {
            input,
            path: path.to_owned(),
            heading: first.journal,
            line: 1,
            offset: buffer.len() as u64,
            buffer,
            torn: None,
            seen,
            repeated: 0,
            done: false,
        })
    }

    /// Which run the journal belongs to.
    #[must_use]
    pub const fn heading(&self) -> &Heading {
        &self.heading
    }

    /// The last line, if it is cut short; known once all events have been read.
    #[must_use]
    pub const fn torn(&self) -> Option<Torn> {
        self.torn
    }

    /// The next event; `None` at the end.
    fn entry(&mut self) -> Result<Option<Entry>, JournalError> {
        loop {
            self.buffer.clear();
            let length =
                self.input.read_until(b'\n', &mut self.buffer).map_err(failed("read", &self.path))?;
            if length == 0 {
                return Ok(None);
            }
            let parsed = check(&self.buffer)
                .and_then(|()| serde_json::from_slice(&self.buffer).map_err(|error| error.to_string()));
            let is_repeated = self.buffer.ends_with(b"\n") && !self.seen.is_new(&self.buffer);
            match parsed {
                // A file that was joined from two copies, or a write that a file system performed twice.
                _ if is_repeated => {
                    self.repeated += 1;
                    self.line += 1;
                    self.offset += length as u64;
                }
                Ok(event) if self.buffer.ends_with(b"\n") => {
                    let span = Span { offset: self.offset, length };
                    self.line += 1;
                    self.offset += length as u64;
                    return Ok(Some(Entry { event, span }));
                }
                Err(reason) if !self.is_torn()? => {
                    let (path, line) = (self.path.clone(), self.line + 1);
                    return Err(JournalError::Damaged { path, line, reason });
                }
                // Even a line that lacks only its newline: its append never returned.
                _ => {
                    let bytes = self.buffer.len() as u64;
                    self.torn = Some(Torn { line: self.line + 1, offset: self.offset, bytes });
                    return Ok(None);
                }
            }
        }
    }

    /// Whether the line in the buffer, which is not an event, was cut short: it has no newline, or it is the last one and
    /// not JSON at all. A complete object at the end is something that this version does not know, and must not be cut off.
    fn is_torn(&mut self) -> Result<bool, JournalError> {
        if !self.buffer.ends_with(b"\n") {
            return Ok(true);
        }
        let last = self.input.fill_buf().map_err(failed("read", &self.path))?.is_empty();
        Ok(last && serde_json::from_slice::<IgnoredAny>(&self.buffer).is_err())
    }
}

impl Iterator for Reader {
    type Item = Result<Entry, JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let entry = self.entry().transpose();
        self.done = !matches!(entry, Some(Ok(_)));
        entry
    }
}

/// Reads single lines of a journal again. Can be shared between threads.
#[derive(Debug)]
pub struct Lookup {
    file: File,
    path: PathBuf,
}

impl Lookup {
    /// Opens a journal.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        Ok(Self { file: File::open(path).map_err(failed("open", path))?, path: path.to_owned() })
    }

    /// Where the journal is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The event in a line that [`Reader`] found.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn event(&self, span: Span) -> Result<Event, JournalError> {
        let mut line = vec![0; span.length];
        self.file.read_exact_at(&mut line, span.offset).map_err(failed("read", &self.path))?;
        serde_json::from_slice(&line).map_err(|error| failed("read", &self.path)(error.into()))
    }
}

/// Which lines of a journal have been seen. Sixteen bytes for each, so that no two different lines are taken for the same.
#[derive(Debug, Default)]
pub(super) struct Seen(HashSet<[u64; 2]>);

impl Seen {
    /// Whether this line, with its newline, has not been seen before.
    pub(super) fn is_new(&mut self, line: &[u8]) -> bool {
        self.0.insert([1, 2].map(|seed| FixedState::with_seed(seed).hash_one(line)))
    }
}

/// Keeps other processes from writing to the file as long as it is open. The lock of the run's directory says who holds it,
/// but somebody may remove that.
fn lock(file: &File, path: &Path) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(JournalError::InUse(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed("lock", path)(error)),
    }
}

/// Makes a whole line of JSON of the form `{"…":{…}}`: with its checksum and its newline.
fn seal(line: &mut Vec<u8>) {
    debug_assert!(line.ends_with(b"}}"), "a line is an object in an object");
    line.truncate(line.len() - 2);
    let sum = crc32fast::hash(line);
    line.extend_from_slice(CHECKSUM);
    line.extend_from_slice(format!("{sum:08x}").as_bytes());
    line.extend_from_slice(CLOSING);
}

/// Returns what is wrong with a line that has a checksum. No text in a record can be mistaken for a checksum, since
/// quotation marks within texts are escaped.
fn check(line: &[u8]) -> Result<(), String> {
    let Some(rest) = line.strip_suffix(CLOSING) else { return Ok(()) };
    let Some((words, digits)) = rest.split_last_chunk::<8>() else { return Ok(()) };
    let Some(words) = words.strip_suffix(CHECKSUM) else { return Ok(()) };
    let is = format!("{:08x}", crc32fast::hash(words));
    if is.as_bytes() == digits {
        Ok(())
    } else {
        Err(format!("its checksum is {}, and that of its bytes is {is}", String::from_utf8_lossy(digits)))
    }
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    move |source| JournalError::Io { action, path: path.to_owned(), source }
}
