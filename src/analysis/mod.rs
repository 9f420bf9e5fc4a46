//! Numbers become numbers: what the trials of a cell say together. Does no I/O.
//!
//! The unit is the trial, never the request: five trials of 20,000 operations are five observations.

pub mod groups;
pub mod order;
pub mod samples;
pub mod stats;
pub mod summary;
