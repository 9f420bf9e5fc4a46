//! What processes and the machine used: CPU time between two moments, peak memory. Only observes, never changes anything.

pub mod cpu;
pub mod machine;
pub mod memory;
