//! What is kept of a run: the journal is the source of truth, every other file is derived from it. Never talks to a host.
//!
//! [`run_dir`] makes and finds directories, [`journal`] is appended to during the run, [`rebuild`] makes the tables
//! ([`columns`], [`csv`], [`datapackage`]) and the [`provenance`] from it, [`progress`] and [`differences`] say whether and
//! where to resume. [`read`] reads the tables of many runs for analysis, and [`export`] writes the formats of other tools.

pub mod columns;
pub mod csv;
pub mod datapackage;
pub mod differences;
pub mod error;
pub mod export;
pub mod journal;
pub mod lock;
mod outlying;
pub mod progress;
pub mod provenance;
pub mod read;
pub mod rebuild;
pub mod run_cells;
pub mod run_dir;
mod sampled;
pub mod sidecar_files;

pub use error::ResultsError;
