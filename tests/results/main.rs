//! The promises of a run's directory, from the journal to the table.

// Clippy takes helpers for part of the tests, where `unwrap` is fine, only below a `cfg(test)`.
#[cfg(test)]
mod export;
#[cfg(test)]
mod files;
#[cfg(test)]
mod first_block;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod package;
#[cfg(test)]
mod read;
#[cfg(test)]
mod records;
#[cfg(test)]
mod resume;
#[cfg(test)]
mod table;
