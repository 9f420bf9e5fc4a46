//! One coordinator per run directory: a lock that says who holds it, and that does not survive a crash.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::results::error::{ResultsError, failed};

/// The file in a run's directory that is locked. It stays when the lock is released: deleting it would let two processes
/// lock two files of the same name.
pub(super) const FILE: &str = ".lock";

/// Who holds a lock.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process number.
    pub pid: u32,
    /// The machine.
    pub host: String,
    /// When it took the lock.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {} since {:.0}", self.pid, self.host, self.since)
    }
}

/// A lock that is held until this is dropped, or its process ends in any way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Locks a run's directory.
    ///
    /// # Errors
    /// [`ResultsError::Locked`] when somebody else holds the lock.
    pub fn take(directory: &Path, holder: &Holder) -> Result<Self, ResultsError> {
        let path = directory.join(FILE);
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                // The name is only for the message: without it, the lock is still refused.
                let _ = file.read_to_string(&mut text);
                let holder = serde_json::from_str(&text).ok();
                return Err(ResultsError::Locked { path: directory.to_owned(), holder });
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let text = serde_json::to_string(holder).expect("a holder is always JSON");
        file.set_len(0).and_then(|()| file.write_all(text.as_bytes())).map_err(failed("write", &path))?;
        Ok(Self { _file: file })
    }
}

/// Whether nobody holds the lock of a run's directory at this moment.
pub(super) fn is_free(directory: &Path) -> bool {
    File::open(directory.join(FILE)).is_ok_and(|file| file.try_lock().is_ok())
}
