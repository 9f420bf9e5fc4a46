//! What processes and the machine used: CPU time between two moments, peaks of memory. Looks, never changes anything.

pub mod cpu;
pub mod machine;
pub mod memory;
