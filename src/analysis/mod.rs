//! From numbers to numbers: what the trials of a cell say together. Does no I/O.
//!
//! The unit is the trial, never the request: five trials of 20,000 operations are five observations.

pub mod blocks;
pub mod bootstrap;
pub mod compare;
pub mod control;
pub mod doubt;
pub mod drift;
pub mod gate;
pub mod first_block;
pub mod groups;
pub mod holm;
pub mod interval;
pub mod judged;
pub mod metric;
pub mod order;
pub mod outliers;
pub mod pairs;
pub mod precision;
pub mod rank;
pub mod samples;
pub mod stats;
pub mod summary;
