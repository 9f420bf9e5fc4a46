//! Why results cannot be stored or read.

use std::io;
use std::path::{Path, PathBuf};

use crate::latency::LatencyError;
use crate::results::journal::JournalError;
use crate::results::lock::Holder;

/// Why results cannot be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The file system returned an error.
    #[error("failed to {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What came back.
        source: io::Error,
    },
    /// Another process is writing there.
    #[error("{} is in use by {}", path.display(), holder.as_ref().map_or_else(|| "another process".to_owned(), Holder::to_string))]
    Locked {
        /// The run's directory.
        path: PathBuf,
        /// Who it is, if the lock says so.
        holder: Option<Holder>,
    },
    /// The journal holds latencies that are not valid.
    #[error("trial {trial} of the journal {}: {source}", path.display())]
    Latency {
        /// The journal.
        path: PathBuf,
        /// The cell and the repetition.
        trial: String,
        /// What is wrong.
        source: LatencyError,
    },
}

/// For `map_err`.
pub(super) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ResultsError {
    move |source| ResultsError::Io { action, path: path.to_owned(), source }
}
