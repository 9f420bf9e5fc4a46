//! Machines: how to reach an agent on one and talk to it, and what an agent does with its own: children, placement,
//! facts. Knows nothing of trials.

pub mod agent_connect;
pub mod child;
pub mod client;
pub mod facts;
pub mod placement;
pub mod programs;
pub mod secrets;
pub mod shipped;
mod system_probe;
mod transport;
pub mod upload;
