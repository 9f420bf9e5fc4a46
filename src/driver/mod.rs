//! The built-in modes, one file each, and the driver that carries one of them out for one trial. Those of libraries
//! other than redis-rs have a directory for each library, and are built with the cargo feature of its name.
//!
//! [`serve()`] is the whole of `orchestrate driver`: it reads a job, connects, warms up, waits for `go`, works, and
//! says what it did. A mode's own file holds the loop that one worker runs and nothing else; connecting, keys, pacing,
//! timing and verification are common to all. A driver never starts or configures a server.

mod connect;
mod exchange;
mod failure;
mod generator;
mod input;
mod keys;
mod pace;
mod phase;
mod progress;
mod script;
mod serve;
mod side;
mod space;
mod tasks;
mod threads;
mod worker;

mod async_mt;
mod async_pipe;
mod asynchronous;
mod multiplexed;
mod sync;
mod sync_pipe;

#[cfg(feature = "fred")]
mod fred;
#[cfg(feature = "rustis")]
mod rustis;

use std::sync::Arc;

use crate::experiment::{Absent, Builtin, BuiltinMode, BuiltinOption, Support};
use crate::protocol::Job;
use crate::setting::Scalar;
use failure::Failure;
use phase::Phase;

pub use generator::serve_generator;
pub use serve::serve;

/// Every built-in mode. To add one: write its file, and put it here.
const DRIVERS: &[Driver] = &[
    sync::DRIVER,
    sync_pipe::DRIVER,
    asynchronous::DRIVER,
    async_pipe::DRIVER,
    async_mt::DRIVER,
    multiplexed::DRIVER,
    #[cfg(feature = "rustis")]
    rustis::SET_GET,
    #[cfg(feature = "rustis")]
    rustis::PIPE,
    #[cfg(feature = "rustis")]
    rustis::MULTIPLEXED,
    #[cfg(feature = "fred")]
    fred::SET_GET,
    #[cfg(feature = "fred")]
    fred::PIPE,
    #[cfg(feature = "fred")]
    fred::MULTIPLEXED,
];

/// What a build without a library says about its modes.
const ABSENT: &[Absent] = &[
    #[cfg(not(feature = "rustis"))]
    Absent { feature: "rustis", modes: &["rustis", "rustis-pipe", "rustis-multiplexed"] },
    #[cfg(not(feature = "fred"))]
    Absent { feature: "fred", modes: &["fred", "fred-pipe", "fred-multiplexed"] },
];

/// The names and the abilities of the built-in modes.
pub const MODES: &[BuiltinMode] = &{
    let mut modes = [DRIVERS[0].mode; DRIVERS.len()];
    let mut i = 1;
    while i < DRIVERS.len() {
        modes[i] = DRIVERS[i].mode;
        i += 1;
    }
    modes
};

/// The modes that a file may name without a table.
pub const BUILTIN: Builtin<'static> = Builtin { modes: MODES, absent: ABSENT };

/// The client library of the modes above; a test checks the version.
const CLIENT: &str = "redis-rs 1.8.1";

/// What redis-rs, and fred as well, supports of a connection in this build.
const SUPPORTS: &[Support] =
    if cfg!(feature = "tls") { Support::ALL } else { &[Support::Username, Support::Db, Support::Cluster] };
/// And what they support where several commands are sent at once, which on a cluster would all go to one node.
const PIPELINE_SUPPORTS: &[Support] = if cfg!(feature = "tls") {
    &[Support::Tls, Support::Username, Support::Db]
} else {
    &[Support::Username, Support::Db]
};

/// The version of RESP that redis-rs speaks.
const PROTOCOL: BuiltinOption = BuiltinOption {
    name: "protocol",
    values: "2 or 3, the version of RESP",
    admits: |value| matches!(value, Scalar::Number(2 | 3)),
};

/// The options of the modes of redis-rs.
const OPTIONS: &[BuiltinOption] = &[PROTOCOL];

/// And those of the one that runs on several threads.
const MT_OPTIONS: &[BuiltinOption] = &[
    PROTOCOL,
    BuiltinOption {
        name: "threads",
        values: "a number of threads, from 1 to 1024",
        admits: |value| matches!(value, Scalar::Number(1..=1024)),
    },
];

/// A mode and the way to start it.
struct Driver {
    mode: BuiltinMode,
    /// Connects every worker that the job asks for.
    connect: fn(&Job) -> Result<Box<dyn Crew>, Failure>,
}

/// The connected workers of a mode.
trait Crew {
    /// What they run on, such as `tokio 1.54.1 current-thread`.
    fn runtime(&self) -> String;

    /// Lets every worker do its share of a phase, and returns when all have ended. What they did, and why they failed if they
    /// did, is then in the phase.
    fn work(&mut self, phase: &Arc<Phase>);
}
