//! To be written.

pub mod child;
pub mod facts;
pub mod placement;
