//! The promises of a run's directory, from the journal to the table.

mod files;
mod journal;
mod package;
mod records;
mod resume;
mod table;
