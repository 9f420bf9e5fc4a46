//! `orchestrate` turns a declarative TOML file into a trustworthy experiment on ways of talking to Redis.
//!
//! # How data flows
//!
//! ```text
//! text ─► experiment ─► plan (lazy trials) ─► run ─► record ─► results (journal, CSV) ─► analysis ─► report
//!                                              │
//!                        coordinator ══ transport (a pipe) ══ agent ─► server process
//!                                                                └───► driver process
//! ```
//!
//! Nothing flows back. The coordinator and an agent speak JSON lines over the agent's standard input and output; an agent and a
//! driver do the same. The local machine is treated like a remote one: the coordinator starts `orchestrate agent` as a child.
//!
//! # Words
//!
//! - **experiment**: one TOML file. **factor**: what varies. **level**: one value of a factor.
//! - **cell**: one combination of levels. **trial**: one measured execution of a cell (a cell and a repetition).
//! - **run**: one execution of an experiment; it owns one directory under `results/`.
//! - **workload**: what one operation does, and what a server must have counted for it.
//! - **mode**: a named way of talking to Redis. **driver**: the program that carries a mode out for one trial.
//! - **agent**: the process on a host that starts servers and drivers there for the **coordinator**.
//!
//! # Invariants
//!
//! - [`experiment`], [`plan`], [`analysis`] and [`report`] do no I/O. [`run`] never prints. [`results`] never
//!   talks to a host. Only [`commands`] prints and reads the environment.
//! - Nothing reads CSV back to resume: the journal is the truth, CSV is derived from it.
//! - Memory does not grow with the number of trials in the plan.
//!
//! The modules below are in reading order; `tests/architecture.rs` enforces the dependencies between them.

// Words: values and pure functions.
pub mod units;
pub mod untrusted;
pub mod latency;
pub mod setting;
pub mod workload;
pub mod experiment;
pub mod plan;
pub mod protocol;
pub mod record;
pub mod verify;

// Machines.
pub mod host;
pub mod server;
pub mod measure;
pub mod driver;
pub mod agent;

// The run.
pub mod run;

// Keep.
pub mod results;

// Read: pure.
pub mod analysis;
pub mod report;

// Edge.
pub mod cli;
pub mod commands;
