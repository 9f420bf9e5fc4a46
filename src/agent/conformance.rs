//! Tests a driver against the protocol, with a server of its own, and says what it gets wrong.
//!
//! Trials run as they do in a run: the same code starts the driver, waits for it, and checks its claim against what the server
//! counted. What has no place in a well-formed conversation (another version, a closed input) is tried on the bare process.

mod bare;
mod connections;
mod relay;
mod server_probe;
mod trials;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use self::bare::Stage;
use self::trials::noted;
use super::line_writer::LineWriter;
use crate::experiment::{Address, Factor, Level, Own, Warmup};
use crate::host::programs::Programs;
use crate::protocol::{
    AgentError, AgentErrorKind, DRIVER_PROTOCOLS, Endpoint, FailureKind, Job, JobWorkload, Launch, Program,
    ServerStart, ServerUp,
};
use crate::server::Servers;
use crate::units::Nanos;
use crate::workload::Kind;

/// How often the server is asked whether a driver has begun.
const POLL: Duration = Duration::from_millis(5);
const WORKERS: u32 = 3;
const VALUE_BYTES: u32 = 100;
/// More operations than any driver finishes while this test runs.
const ENDLESS: u64 = 99_999_999;
/// Short trials on a busy machine may lose some time between operations, but not half of it.
const LEAST_OF_LITTLES_LAW: f64 = 0.6;
const OPEN: &str = "open";
const PROTECTED: &str = "protected";

/// Which driver to test, and with what.
#[derive(Clone, Debug)]
pub struct Options {
    /// The driver.
    pub program: Program<String>,
    /// The mode that it is asked for.
    pub mode: String,
    /// This program, for built-in drivers.
    pub builtin: PathBuf,
    /// The program of the server.
    pub server: String,
    /// Where it is looked for.
    pub programs: Programs,
    /// Where the server's directory goes.
    pub tmp: PathBuf,
    /// How long each step may take.
    pub within: Duration,
    /// Parts of the names of the tests to carry out; all of them where there are none.
    pub only: Vec<String>,
}

impl Options {
    fn asks_for(&self, test: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|part| test.contains(part))
    }
}

/// The outcome of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be; there may be something to add.
    Right(Option<String>),
    /// The driver says that it cannot do this, which is right too.
    Refused(String),
    /// Not as it should be, and why.
    Wrong(String),
}

/// Why a test did not finish.
enum Stop {
    Refused(String),
    Wrong(String),
}

impl Stop {
    /// Whether a driver has said that it cannot do what it was asked for, or does not speak that version of the protocol.
    fn is_refusal(&self) -> bool {
        match self {
            Self::Refused(_) => true,
            Self::Wrong(error) => error.contains(&format!("failed ({})", FailureKind::Protocol)),
        }
    }
}

type Outcome = Result<Option<String>, Stop>;

impl From<AgentError> for Stop {
    fn from(error: AgentError) -> Self {
        match error.kind {
            AgentErrorKind::Unsupported => Self::Refused(error.message),
            _ => Self::Wrong(error.message),
        }
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Stop> {
    Err(Stop::Wrong(what.into()))
}

/// Carries out the tests that are asked for, one after the other, and hands each verdict to `tell`. If a driver cannot carry out
/// the simplest trial, which always comes first, nothing else is tried.
///
/// Must run on a `LocalSet`. [`adopt_orphans`](crate::host::child::adopt_orphans) should have been called, so that processes that leave the
/// driver's session are found.
///
/// # Errors
/// When there is no server.
pub async fn check(options: &Options, mut tell: impl FnMut(&str, &Verdict)) -> Result<(), AgentError> {
    let (writer, writing) = LineWriter::into(tokio::io::sink());
    tokio::task::spawn_local(writing);
    let mut servers = Servers::new(options.tmp.clone(), options.programs.clone());
    let up = match start(&mut servers, options, Start::new(OPEN)).await {
        Ok(up) => up,
        Err(error) => {
            servers.stop_all().await;
            return Err(error);
        }
    };
    let mut bench = Bench { options, writer, servers, up, base: &SET_GET };
    bench.run_all(&mut tell).await;
    bench.servers.stop_all().await;
    Ok(())
}

/// How a server for a check is started.
struct Start<'a> {
    key: &'a str,
    address: Option<Address>,
    tls: bool,
    masters: Option<u32>,
    /// In addition to those that switch persistence off.
    args: &'a [&'a str],
}

impl<'a> Start<'a> {
    /// A server on loopback that requires neither a password nor TLS.
    const fn new(key: &'a str) -> Self {
        Self { key, address: None, tls: false, masters: None, args: &[] }
    }
}

async fn start(servers: &mut Servers, options: &Options, what: Start<'_>) -> Result<ServerUp, AgentError> {
    let Start { key, address, tls, masters, args } = what;
    let args = ["--save", "", "--appendonly", "no"].iter().chain(args).map(ToString::to_string).collect();
    let program = options.server.clone();
    let launch = Launch::Managed { program, args, address, tls, masters, directory: None };
    servers.start(&ServerStart { key: key.to_owned(), launch, fresh: false }).await
}

/// A driver on the bench.
struct Bench<'a> {
    options: &'a Options,
    writer: LineWriter,
    servers: Servers,
    /// The server without a password.
    up: ServerUp,
    /// What its trials do where a test does not need a particular workload.
    base: &'static Base,
}

/// The workload of a driver's simplest trial.
struct Base {
    kind: Kind,
    /// The operations of a trial; not divisible by the number of workers.
    operations: u64,
    /// The operations of a trial whose times are judged.
    timed: u64,
    /// Of an open loop, in operations per second.
    rate: u64,
}

/// What drivers of a client library have …
const SET_GET: Base = Base { kind: Kind::SetGet, operations: 500, timed: 2_000, rate: 2_000 };
/// … and those of a task-queue library, of which some start a process for each task.
const TASKS: Base = Base { kind: Kind::Tasks, operations: 100, timed: 100, rate: 100 };
/// Tasks whose results are waited for one by one: some libraries look for one only five times a second.
const ECHOES: u64 = 20;

impl Bench<'_> {
    async fn run_all(&mut self, tell: &mut impl FnMut(&str, &Verdict)) {
        let mut say = |name: &str, outcome: Outcome| {
            let verdict = match outcome {
                Ok(note) => Verdict::Right(note),
                Err(Stop::Refused(why)) => Verdict::Refused(why),
                Err(Stop::Wrong(why)) => Verdict::Wrong(why),
            };
            tell(name, &verdict);
        };
        let mut first = self.simplest().await;
        // A driver of a task-queue library says that it does not know the workload, or the version of the protocol.
        if matches!(&first, Err(stop) if stop.is_refusal()) {
            self.base = &TASKS;
            first = self.simplest().await;
        }
        let first = match first {
            Err(Stop::Refused(why)) => wrong(why),
            other => other,
        };
        let usable = first.is_ok();
        say("carries out a trial", first);
        if !usable {
            return;
        }
        macro_rules! tests {
            ($($name:literal => $test:expr;)*) => {
                $(if self.options.asks_for($name) {
                    say($name, $test.await);
                })*
            };
        }
        tests! {
            "leaves no process behind" => self.leaves_nobody();
            "shares an uneven number of operations among workers" => self.trial(|job| job.workers = WORKERS, noted);
            "works until a time has passed" => self.trial(
                |job| {
                    job.workload.operations = None;
                    job.workload.duration_ns = Some(Nanos::from_millis(200));
                },
                noted,
            );
            "keeps to a rate" => self.kept_rate();
            "warms up for a time" => self.trial(|job| job.warmup = Warmup::Duration(Nanos::from_millis(50)), noted);
            "uses a Unix socket" => self.unix_socket();
            "gives a password" => self.password();
            "speaks TLS" => self.tls();
            "logs in as an ACL user" => self.user();
            "selects a database" => self.database();
            "finds the nodes of a cluster" => self.cluster();
        }
        if self.base.kind == Kind::Tasks {
            tests! {
                "executes tasks in several programs" => self.trial(
                    |job| {
                        job.workers = WORKERS;
                        job.workload.own.set(Factor::Processes, Level::Number(2));
                    },
                    noted,
                );
                "hands tasks over from several producers" => self.trial(
                    |job| {
                        job.workload.own.set(Factor::Producers, Level::Number(2));
                        job.workload.own.set(Factor::Backlog, Level::Number(10));
                    },
                    noted,
                );
                "executes a body that takes its time" => self.body("sleep 2ms", |_| {});
                "executes a body that takes CPU time" => self.body("cpu 1ms", |_| {});
                "waits for the result of a task" => self.body("echo", |job| {
                    job.workload.own.set(Factor::Results, Level::Flag(true));
                    job.workload.value_bytes = Some(VALUE_BYTES);
                    job.workload.operations = Some(ECHOES);
                });
            }
        } else {
            tests! {
                "names each key by its worker" => self.names_keys();
                "sets each key and then gets it" => self.takes_turns();
                "stores values of a given size" => self.sizes_values();
                "sends several operations in one round trip" => self.trial(|job| job.workload.pipeline = 5, noted);
                "reports latencies that fit its throughput" => self.told_latencies();
                "deletes its keys" => self.trial(|job| job.delete_keys = true, noted);
                "reads and writes existing keys" => self.workload(Kind::ReadWrite, |_| {});
                "sends the commands that a file lists" => self.workload(Kind::Commands, |_| {});
                "sets and fetches fields of hashes" => self.workload(Kind::Hash, |job| job.delete_keys = true);
                "pushes tasks to a list and takes each once" => self.workload(Kind::Queue, |_| {});
                "acknowledges tasks, at a rate" => self.workload(
                    Kind::Queue,
                    |job| {
                        job.workload.own.set(Factor::Acknowledge, Level::Flag(true));
                        job.workload.rate = Some(SET_GET.rate);
                    },
                );
                "does so with a stream" => self.workload(
                    Kind::Queue,
                    |job| {
                        job.workload.own.set(Factor::Structure, Level::Word("stream"));
                        job.workload.value_bytes = Some(100);
                    },
                );
                "acknowledges what it takes from a stream, until a time has passed" => self.workload(
                    Kind::Queue,
                    |job| {
                        job.workload.own.set(Factor::Structure, Level::Word("stream"));
                        job.workload.own.set(Factor::Acknowledge, Level::Flag(true));
                        job.workload.operations = None;
                        job.workload.duration_ns = Some(Nanos::from_millis(200));
                        job.delete_keys = true;
                    },
                );
                "publishes messages that every subscriber receives" => self.workload(Kind::Pubsub, |_| {});
                "notices an answer that is not what it stored" => self.notices_lies();
            }
        }
        tests! {
            "reports a server that is not running" => self.no_server();
            "refuses another version of the protocol" => self.refuses(
                |job| job["protocol"] = json!(DRIVER_PROTOCOLS.end() + 998), &[FailureKind::Protocol],
            );
            "refuses a workload that it does not know" => self.refuses(
                |job| job["workload"]["kind"] = json!("no-such-workload"),
                &[FailureKind::Unsupported, FailureKind::Protocol],
            );
            "gives up on a job that is not one" => self.no_job();
            "ends with its input before there is a job" => self.ends_at(Stage::Start);
            "ends with its input when it is ready" => self.ends_at(Stage::Ready);
            "ends with its input while it works" => self.ends_at(Stage::AtWork);
        }
    }

    fn job(&self) -> Job {
        let mut job = Job {
            protocol: 1,
            mode: self.options.mode.clone(),
            server: Endpoint { unix_socket: None, ..self.up.endpoint.clone() },
            workload: JobWorkload {
                kind: self.base.kind,
                operations: Some(self.base.operations),
                duration_ns: None,
                value_bytes: None,
                pipeline: 1,
                rate: None,
                verify: true,
                ..JobWorkload::default()
            },
            workers: 1,
            key_prefix: "check:".to_owned(),
            warmup: Warmup::Operations(20),
            seed: 1,
            delete_keys: false,
            options: Default::default(),
        };
        if self.base.kind != Kind::SetGet {
            ask_for(&mut job, self.base.kind);
        }
        job
    }
}

/// Another workload, with settings of its own.
fn ask_for(job: &mut Job, kind: Kind) {
    let words = |command: &[&str]| command.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    let workload = &mut job.workload;
    workload.kind = kind;
    workload.own = Own::defaults();
    match kind {
        Kind::ReadWrite => workload.own.set(Factor::Keys, Level::Number(SET_GET.operations / 4)),
        Kind::Commands => {
            let commands = vec![words(&["HSET", "{key}", "f{index}", "{value}"]), words(&["HLEN", "{key}"])];
            workload.own.set(Factor::Commands, Level::Commands(commands));
        }
        // Two of them, and so few tasks under way that pushers have to wait.
        Kind::Queue => {
            job.workers = WORKERS;
            workload.own.set(Factor::Producers, Level::Number(2));
            workload.own.set(Factor::Backlog, Level::Number(10));
        }
        Kind::Pubsub => {
            job.workers = WORKERS;
            workload.own.set(Factor::Publishers, Level::Number(2));
            workload.own.set(Factor::Channels, Level::Number(3));
            workload.own.set(Factor::Backlog, Level::Number(10));
        }
        _ => {}
    }
    workload.own.complete(kind);
    job.protocol = workload.protocol();
}
