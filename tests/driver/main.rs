//! The driver as its agent sees it: a process that is given a job.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod modes;
mod protocol;
mod support;
