//! Workloads: what one operation is, and what a server must have counted after a given number of them.
//!
//! One file for each. It says in words what an operation is, which commands it consists of, what must exist on the server
//! beforehand, and which counts and traffic follow from a claim; the code that verifies, reports or draws knows no command
//! by name. The settings of a workload are in [`crate::setting`], and name the workloads that have them.
//!
//! To add one, write its file following the model of `read_write.rs` or, where some clients push what others take,
//! `queue.rs`, add it to [`Kind`], and give each mode that supports it one function.

mod commands;
mod hash;
mod pubsub;
mod queue;
mod read_write;
mod set_get;
mod tasks;
pub(crate) mod template;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::protocol::JobWorkload;
use crate::setting::Factor;

/// What one operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A SET followed by a GET of the same key, as in the seed article.
    #[default]
    SetGet,
    /// A GET or a SET of an existing key.
    ReadWrite,
    /// The commands that the file lists.
    Commands,
    /// A task that producers push and consumers take.
    Queue,
    /// A message that publishers send and every subscriber receives.
    Pubsub,
    /// An HSET followed by an HGET of the same field.
    Hash,
    /// A task that a library executes.
    Tasks,
}

impl Kind {
    /// All of them.
    pub const ALL: &'static [Self] =
        &[Self::SetGet, Self::ReadWrite, Self::Commands, Self::Queue, Self::Pubsub, Self::Hash, Self::Tasks];

    /// The word for each in files, and its meaning.
    pub(crate) const WORDS: &'static [(&'static str, &'static str)] = &{
        let mut words = [("", ""); Self::ALL.len()];
        let mut i = 0;
        while i < words.len() {
            let workload = Self::ALL[i].workload();
            words[i] = (workload.name, workload.meaning);
            i += 1;
        }
        words
    };

    /// Everything there is to know about it.
    #[must_use]
    pub const fn workload(self) -> &'static Workload {
        match self {
            Self::SetGet => &set_get::WORKLOAD,
            Self::ReadWrite => &read_write::WORKLOAD,
            Self::Commands => &commands::WORKLOAD,
            Self::Queue => &queue::WORKLOAD,
            Self::Pubsub => &pubsub::WORKLOAD,
            Self::Hash => &hash::WORKLOAD,
            Self::Tasks => &tasks::WORKLOAD,
        }
    }

    /// The workload with this name in files.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }

    /// The word in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.workload().name
    }
}

/// What operations of these workloads are called collectively, as in "tasks/s".
pub(crate) fn noun(kinds: impl IntoIterator<Item = Kind>) -> &'static str {
    let nouns: BTreeSet<&str> = kinds.into_iter().map(|kind| kind.workload().noun).collect();
    match nouns.first() {
        Some(noun) if nouns.len() == 1 => noun,
        _ => BACK_TO_BACK.noun,
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Everything there is to know about a workload.
#[derive(Debug)]
pub struct Workload {
    /// The word in files.
    pub name: &'static str,
    /// What an editor shows.
    pub meaning: &'static str,
    /// What an operation is called, in the plural.
    pub noun: &'static str,
    /// One operation, as in "operations/s, each …".
    pub operation: &'static str,
    /// The commands that it consists of, in lower case as a server counts them.
    pub commands: fn(&JobWorkload) -> Vec<String>,
    /// Number of keys that must exist before a driver warms up, `<key_prefix><index>` from index 0 on.
    pub fill: fn(&JobWorkload) -> u64,
    /// Who decides what an operation does on the server.
    pub freedom: Freedom,
    /// Whether operations can share a round trip.
    pub can_pipeline: bool,
    /// Whether a worker begins an operation as soon as its previous one has ended, so that Little's law ties throughput to
    /// latency.
    pub is_back_to_back: bool,
    /// The smallest size that may be asked for a value, in bytes.
    pub least_value_bytes: u32,
    /// The setting that gives the number of clients that connect besides the workers, if any do.
    pub pushers: Option<Factor>,
    /// The number of latencies that a driver reports for this many operations and workers.
    pub latencies: fn(operations: u64, workers: u64) -> u64,
    /// Whether a driver shows, by the sum and the exclusive or of their numbers, that each of them was delivered once.
    pub is_delivered: bool,
    /// The name, after the prefix of all keys, of the bitmap in which operation *k* sets bit *k* when it is done, if
    /// operations do so.
    pub marks: Option<&'static str>,
    /// What a server must have counted if a driver's claim is true.
    pub expect: fn(&Claim<'_>) -> Result<Expected, Unlikely>,
}

/// Who decides what an operation does on the server, where that is not the workload's own definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freedom {
    /// Nobody.
    None,
    /// The file lists commands: reads may find nothing, and nobody knows which keys are left behind.
    File,
    /// A library, which may also use any command, and keeps things on the server that must stay there once a driver is
    /// ready.
    Library,
}

impl Freedom {
    /// Whether it is unknown beforehand which keys are read and which are left behind.
    #[must_use]
    pub const fn of_keys(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether it is unknown beforehand which commands are used.
    #[must_use]
    pub const fn of_commands(self) -> bool {
        matches!(self, Self::Library)
    }
}

/// The behaviour of most workloads: each worker sends its requests and waits for their replies.
const BACK_TO_BACK: Workload = Workload {
    name: "",
    meaning: "",
    noun: "operations",
    operation: "",
    commands: |_| Vec::new(),
    fill: |_| 0,
    freedom: Freedom::None,
    can_pipeline: true,
    is_back_to_back: true,
    least_value_bytes: 0,
    pushers: None,
    latencies: |operations, _| operations,
    is_delivered: false,
    marks: None,
    expect: |_| Ok(Expected::default()),
};

/// What a driver claims to have done, and what it was asked for.
#[derive(Clone, Copy, Debug)]
pub struct Claim<'a> {
    /// The job's workload; with several clients, that of any of them.
    pub asked: &'a JobWorkload,
    /// Operations of all clients.
    pub operations: u64,
    /// Workers of all clients.
    pub workers: u64,
    /// Clients, each with a queue or with channels of its own.
    pub clients: u64,
    /// Calls of each of its commands, where the workload leaves open which command an operation is.
    pub calls: Option<&'a BTreeMap<String, u64>>,
    /// Length of what every key begins with, in bytes.
    pub key_prefix: u64,
    /// Distinct keys that were written, if the driver has said that it does something other than what was asked for.
    pub keys: Option<u64>,
}

/// An exact number, or a lower bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// No more and no less.
    Exactly(u64),
    /// This many or more.
    AtLeast(u64),
}

impl Count {
    /// Whether a server that counted this many agrees.
    #[must_use]
    pub const fn agrees(self, counted: u64) -> bool {
        match self {
            Self::Exactly(calls) => counted == calls,
            Self::AtLeast(calls) => counted >= calls,
        }
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(calls) => calls.fmt(f),
            Self::AtLeast(calls) => write!(f, "at least {calls}"),
        }
    }
}

/// What a server must have counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// Calls of each command of the workload.
    pub calls: BTreeMap<String, Count>,
    /// Keys that exist afterwards and did not before, if nobody deletes them; `None` where that cannot be known.
    pub keys: Option<u64>,
    /// Whether all new keys will expire, and no others do.
    pub expiring: bool,
    /// Bytes that it received, at least.
    pub least_received: u64,
    /// Bytes that it sent, at least.
    pub least_sent: u64,
    /// Bytes of all values that it sent, at most, where that can be known.
    pub most_values_sent: Option<u64>,
}

/// A claim that a driver which does what was asked for would not make.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unlikely {
    /// Something that must be reported is missing.
    #[error("the driver does not say how many calls of {0} its operations were")]
    Unsaid(String),
    /// Calls that are not operations, or operations that are not calls.
    #[error("the driver claims {calls} calls for {operations} operations")]
    Sum {
        /// Of all commands.
        calls: u64,
        /// Claimed.
        operations: u64,
    },
    /// A mix that differs from what was asked for by more than chance allows.
    #[error(
        "the driver claims {calls} {command} among {operations} operations, the job asked for a share of {asked}"
    )]
    Share {
        /// In upper case.
        command: String,
        /// Claimed.
        calls: u64,
        /// Claimed.
        operations: u64,
        /// Of that command.
        asked: String,
    },
}

/// The words, blanks and line ends of `SET key value` in the shortest form that a server understands, without key and value.
const SET_REQUEST: u64 = 7;
/// The same of `GET key`.
const GET_REQUEST: u64 = 6;
/// `+OK` and its line end.
const SET_REPLY: u64 = 5;
/// `$n` and two line ends.
const GET_REPLY: u64 = 5;

/// More than this many standard deviations of a binomial distribution is not chance: one in three million claims.
const DEVIATIONS: f64 = 5.0;

/// Whether `calls` of `n` operations are plausible if each is one with probability `share`; exact at 0 and at 1.
fn is_by_chance(calls: u64, n: u64, share: f64) -> bool {
    let (mean, deviation) = (n as f64 * share, (n as f64 * share * (1.0 - share)).sqrt());
    // For the smallest numbers, a whole number may be as far as 1 from its mean.
    let slack = if deviation == 0.0 { 0.0 } else { 1.0 };
    (calls as f64 - mean).abs() <= DEVIATIONS * deviation + slack
}

/// GET and SET, as a server counts them.
fn both(_: &JobWorkload) -> Vec<String> {
    ["set", "get"].map(str::to_owned).into()
}

/// Calls of each command.
fn calls<const N: usize>(calls: [(&str, Count); N]) -> BTreeMap<String, Count> {
    calls.map(|(command, calls)| (command.to_owned(), calls)).into()
}

/// The fewest and the most bytes of `n` tasks or messages; each is a number and a time unless a size is given.
fn task_bytes(asked: &JobWorkload, n: u64) -> (u64, u64) {
    let (shortest, longest) =
        asked.value_bytes.map_or((SHORTEST_TASK, LONGEST_TASK), |bytes| (bytes.into(), bytes.into()));
    (n * shortest, n * longest)
}

/// `0:0`, a number and a time of one digit each …
const SHORTEST_TASK: u64 = 3;
/// … and of the most digits possible.
const LONGEST_TASK: u64 = 41;

/// The fewest bytes that a value has, and the most that one of `values` has where it is a decimal index.
fn value_bytes(asked: &JobWorkload, values: u64) -> (u64, u64) {
    let digits = u64::from(values.max(1).ilog10()) + 1;
    asked.value_bytes.map_or((1, digits), |bytes| (bytes.into(), bytes.into()))
}
