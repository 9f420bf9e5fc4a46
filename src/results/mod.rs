//! What is kept of a run: the journal is the truth, every other file is derived from it. Never talks to a host.

pub mod columns;
pub mod csv;
pub mod datapackage;
pub mod journal;
pub mod provenance;
