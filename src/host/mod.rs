//! Machines: how to reach an agent on one and talk to it, and what an agent does with its own: children, placement,
//! facts. Knows nothing of trials.

pub mod child;
pub mod client;
pub mod facts;
mod look;
pub mod placement;
pub mod programs;
pub mod reach;
pub mod shipped;
mod transport;
pub mod upload;
