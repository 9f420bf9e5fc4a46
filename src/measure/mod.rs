//! What processes and the machine used: CPU time between two moments. Looks, never changes anything.

pub mod cpu;
pub mod machine;
