//! The real program, end to end: what it prints, what it keeps, and what it leaves behind.

// `cfg(test)` tells clippy that helpers in here are test code too.
#[cfg(test)]
mod cheats;
#[cfg(test)]
mod claims;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod clients;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod cluster;
#[cfg(test)]
mod connections;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod fleet;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod hosts;
#[cfg(test)]
mod identity;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod machines;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod labels;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod locks;
#[cfg(test)]
mod repetitions;
#[cfg(test)]
mod run;
#[cfg(test)]
mod sandbox;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod secrets;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod shipped_modes;
#[cfg(test)]
#[cfg(target_os = "linux")]
mod slurm;
#[cfg(test)]
mod task_queues;
#[cfg(test)]
mod upload;
#[cfg(test)]
mod workloads;
