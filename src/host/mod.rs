//! Machines: how to reach an agent on one, and how to talk to it. Knows nothing of trials.

pub mod client;
mod transport;

pub use transport::{TransportError, agent_command};
