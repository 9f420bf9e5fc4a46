//! Why a driver gives up: a kind and one sentence.

use std::io;

use redis::RedisError;

use crate::protocol::{FailureKind, Job};

/// Why a driver gives up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: FailureKind,
    pub(super) error: String,
}

impl Failure {
    pub(super) fn new(kind: FailureKind, error: impl Into<String>) -> Self {
        Self { kind, error: error.into() }
    }

    /// The mode does not have the workload.
    pub(super) fn lacks_workload(job: &Job) -> Self {
        let error = format!("`{}` does not have the workload `{}`", job.mode, job.workload.kind);
        Self::new(FailureKind::Unsupported, error)
    }

    /// Says first what was tried.
    pub(super) fn while_trying(self, what: impl std::fmt::Display) -> Self {
        Self { error: format!("{what}: {}", self.error), ..self }
    }

    /// Says whose failure it is.
    pub(super) fn of_worker(self, number: u32) -> Self {
        self.while_trying(format_args!("worker {number}"))
    }
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let lost = error.is_io_error() || error.is_connection_dropped();
        Self::new(if lost { FailureKind::Connection } else { FailureKind::Other }, error.to_string())
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(FailureKind::Other, error.to_string())
    }
}
