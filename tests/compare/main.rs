//! The promises of `orchestrate compare`, kept by the program itself on tables of real runs, as they are and broken.

// Clippy takes helpers for part of the tests, where `unwrap` is fine, only below a `cfg(test)`.
#[cfg(test)]
mod answers;
mod broken;
#[cfg(test)]
mod costs;
#[cfg(test)]
mod disturbed;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod verdicts;
