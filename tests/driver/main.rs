//! The driver as its agent sees it: a process that is given a job.

mod modes;
mod protocol;
mod support;
