//! Tests a driver against the protocol, with a server of its own, and says what it gets wrong.
//!
//! Trials go the same way as in a run: the same code starts the driver, waits for it, and holds its claim against what
//! the server counted. What cannot be said in a well-formed conversation (another version, a closed input) is said to
//! the bare process.

mod bare;
mod connections;
mod relay;
mod server_probe;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep};

use self::bare::Bare;
use self::relay::relay;
use super::driver::Driver;
use super::line_writer::LineWriter;
use crate::experiment::{Address, Factor, Level, Own, Warmup};
use crate::host::programs::Programs;
use crate::protocol::{
    AgentError, AgentErrorKind, DRIVER_PROTOCOLS, DriverEvent, Endpoint, FailureKind, Job, JobWorkload, Keys,
    Launch, MarkSpace, Program, Ready, ServerCounts, ServerFill, ServerReset, ServerSample, ServerStart,
    ServerUp, TrialResult,
};
use crate::server::Servers;
use crate::units::Nanos;
use crate::verify::{self, Circumstances, timing};
use crate::workload::Kind;

/// How long a driver is watched for work that it does before `go`.
const BEFORE_GO: Duration = Duration::from_millis(100);
/// How often the server is asked whether a driver has begun.
const POLL: Duration = Duration::from_millis(5);
const WORKERS: u32 = 3;
const VALUE_BYTES: u32 = 100;
/// Operations that nobody finishes while this test runs.
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
}

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should be; there may be something to add.
    Right(Option<String>),
    /// The driver says that it cannot do this, which is right too.
    Refused(String),
    /// Not as it should be, and why.
    Wrong(String),
}

/// Why a test did not come to its end.
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

/// Carries out all tests, one after the other, and hands each verdict to `tell`. If a driver cannot carry out the
/// simplest trial, nothing else is tried.
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

/// A server of a check.
struct Start<'a> {
    key: &'a str,
    address: Option<Address>,
    tls: bool,
    masters: Option<u32>,
    /// Beside those that switch persistence off.
    args: &'a [&'a str],
}

impl<'a> Start<'a> {
    /// One on loopback that asks for nothing.
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
    /// What its trials are of where they are not of a certain workload.
    base: &'static Base,
}

/// The workload of a driver's simplest trial.
struct Base {
    kind: Kind,
    /// The operations of a trial; not divisible by the number of workers.
    operations: u64,
    /// Of an open loop, in operations per second.
    rate: u64,
}

/// What drivers of a client library have …
const SET_GET: Base = Base { kind: Kind::SetGet, operations: 2_000, rate: 2_000 };
/// … and those of a task-queue library, of which some start a process for each task.
const TASKS: Base = Base { kind: Kind::Tasks, operations: 100, rate: 100 };
/// Tasks whose results are waited for one by one: some libraries look for one only five times a second.
const ECHOES: u64 = 20;

/// A trial that went well.
struct Trial {
    ready: Ready,
    result: TrialResult,
    /// What Little's law gives, where it tells something.
    law: Option<f64>,
}

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
        // That of a task-queue library says that it does not know the workload, or the version of the protocol.
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
            ($($name:literal => $test:expr;)*) => { $(say($name, $test.await);)* };
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
                "tells latencies that fit its throughput" => self.trial(|_| {}, told_latencies);
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
            "says when there is no server" => self.no_server();
            "refuses another version of the protocol" => self.refuses(
                |job| job["protocol"] = json!(DRIVER_PROTOCOLS.end() + 998), &[FailureKind::Protocol],
            );
            "refuses a workload that it does not know" => self.refuses(
                |job| job["workload"]["kind"] = json!("no-such-workload"),
                &[FailureKind::Unsupported, FailureKind::Protocol],
            );
            "does not wait for more when the job is none" => self.no_job();
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

    // ------------------------------------------------------------------------------------ well-formed trials

    async fn simplest(&mut self) -> Outcome {
        let trial = self.carry_out(self.job(), OPEN).await?;
        let Ready { client, runtime, comparability, .. } = trial.ready;
        let differs = comparability.map(|text| format!("; differs: {text}")).unwrap_or_default();
        Ok(Some(format!("{client}, {runtime}{differs}")))
    }

    async fn trial(&mut self, change: impl FnOnce(&mut Job), judge: fn(&Trial) -> Outcome) -> Outcome {
        let mut job = self.job();
        change(&mut job);
        judge(&self.carry_out(job, OPEN).await?)
    }

    /// A trial of another workload than the one that every driver has.
    async fn workload(&mut self, kind: Kind, change: impl FnOnce(&mut Job)) -> Outcome {
        let mut job = self.job();
        ask_for(&mut job, kind);
        change(&mut job);
        match self.carry_out(job, OPEN).await {
            Err(stop @ Stop::Wrong(_)) if stop.is_refusal() => {
                Err(Stop::Refused("it speaks version 1 of the protocol, which has one workload".to_owned()))
            }
            trial => trial.map(|_| None),
        }
    }

    /// Its trial on the server without a password; `None` of a driver that has said that it does something else.
    async fn exact_trial(&mut self, change: impl FnOnce(&mut Job)) -> Result<Option<Job>, Stop> {
        let mut job = self.job();
        change(&mut job);
        let trial = self.carry_out(job.clone(), OPEN).await?;
        Ok(trial.ready.comparability.is_none().then_some(job))
    }

    async fn kept_rate(&mut self) -> Outcome {
        let &Base { operations, rate, .. } = self.base;
        let mut job = self.job();
        job.workload.rate = Some(rate);
        kept_rate(&self.carry_out(job, OPEN).await?, operations, rate)
    }

    /// A trial of tasks that do something.
    async fn body(&mut self, body: &str, change: impl FnOnce(&mut Job)) -> Outcome {
        let mut job = self.job();
        job.workload.own.set(Factor::Body, Level::Name(body.to_owned()));
        change(&mut job);
        self.carry_out(job, OPEN).await.map(|_| None)
    }

    async fn names_keys(&mut self) -> Outcome {
        let Some(job) = self.exact_trial(|job| job.workers = WORKERS).await? else {
            return says_it_differs();
        };
        let keys = server_probe::keys(&self.up.endpoint).await.map_err(Stop::Wrong)?;
        for worker in 0..WORKERS {
            let stem = format!("{}{worker}:", job.key_prefix);
            let (found, share) = (
                server_probe::beginning(&keys, &stem),
                JobWorkload::share(self.base.operations, WORKERS, worker),
            );
            if found != share {
                return wrong(format!(
                    "wrote {found} keys that begin with `{stem}`: worker {worker} has {share} operations"
                ));
            }
        }
        Ok(None)
    }

    async fn sizes_values(&mut self) -> Outcome {
        let change = |job: &mut Job| job.workload.value_bytes = Some(VALUE_BYTES);
        if self.exact_trial(change).await?.is_none() {
            return says_it_differs();
        }
        let keys = server_probe::keys(&self.up.endpoint).await.map_err(Stop::Wrong)?;
        let sizes = server_probe::sizes(&self.up.endpoint, &keys).await.map_err(Stop::Wrong)?;
        match keys.iter().zip(sizes).find(|(_, size)| *size != u64::from(VALUE_BYTES)) {
            Some((key, size)) => {
                wrong(format!("stored {size} bytes in `{key}` where {VALUE_BYTES} were asked for"))
            }
            None => Ok(None),
        }
    }

    /// What the server is told, in its order, by a single worker.
    async fn takes_turns(&mut self) -> Outcome {
        let overheard = server_probe::overhear(&self.up.endpoint).await.map_err(Stop::Wrong)?;
        if self.exact_trial(|_| ()).await?.is_none() {
            return says_it_differs();
        }
        let heard = overheard.end().await.map_err(Stop::Wrong)?;
        server_probe::out_of_turn(&heard).map_or(Ok(None), wrong)
    }

    async fn unix_socket(&mut self) -> Outcome {
        let job = Job { server: self.up.endpoint.clone(), ..self.job() };
        if job.server.unix_socket.is_none() {
            return Err(Stop::Refused("this server has no Unix socket".to_owned()));
        }
        self.carry_out(job, OPEN).await.map(|_| None)
    }

    async fn password(&mut self) -> Outcome {
        let address = Some(Address { host: "127.0.0.1".to_owned(), ports: None });
        let up = start(&mut self.servers, self.options, Start { address, ..Start::new(PROTECTED) }).await?;
        let job = Job { server: up.endpoint, ..self.job() };
        self.carry_out(job, PROTECTED).await.map(|_| None)
    }

    /// A trial, step by step as in a run.
    async fn carry_out(&mut self, job: Job, server: &str) -> Result<Trial, Stop> {
        let key = server.to_owned();
        let nodes = if job.server.cluster { connections::MASTERS } else { 1 };
        match job.keys_before() {
            Some(space) => self.servers.fill(&ServerFill { key: key.clone(), space }).await?,
            None => self.reset(server).await?,
        }
        let marks = job.marks();
        let (driver, ready) = self.ready(&job).await?;
        let warm = self.sample(server).await?;
        if job.delete_keys && warm.keys_added != 0 {
            return wrong(format!("{} keys of its warm-up remain when it is ready", warm.keys_added));
        }
        // Who works already leaves keys behind the flush.
        let reset = ServerReset { key, keys: job.keys_at_go(), marks: marks.iter().cloned().collect() };
        if let Err(error) = self.servers.reset(&reset).await {
            return wrong(format!(
                "is not at rest when it is ready, as one that does not wait for go: {error}"
            ));
        }
        sleep(BEFORE_GO).await;
        let early = self.sample(server).await?;
        let commands = job.workload.commands();
        if early.sum(&commands).calls > 0 {
            let calls = verify::calls(&commands, |command| early.calls(command));
            return wrong(format!("does not wait for go: the server counted {calls} calls before it"));
        }
        let (within, pids) = (self.options.within.into(), self.servers.pids());
        let result = driver.go(within, &pids, self.servers.note_done(server)).await?;
        let operations = result.done.operations;
        let marks = marks.into_iter().map(|key| MarkSpace { key, operations }).collect();
        let counts = self.servers.sample(&ServerSample { key: server.to_owned(), marks }).await?;
        let differs = ready.comparability.is_some();
        let circumstances = Circumstances {
            workload: &job.workload,
            workers: job.workers,
            clients: 1,
            key_prefix: &job.key_prefix,
            deletes_keys: job.delete_keys,
            differs,
            ours: true,
            nodes,
        };
        if let Err(disagreement) = verify::verify(&result, &counts, &circumstances) {
            return wrong(disagreement.to_string());
        }
        if let Err(error) = verify::latency(&result) {
            return wrong(error);
        }
        if ready.workers != job.workers {
            return wrong(format!("uses {} workers where {} were asked for", ready.workers, job.workers));
        }
        if let Some(connections) = counts.connections
            && connections < u64::from(job.workers)
            && !differs
        {
            return wrong(format!(
                "has {connections} connections for {} workers when it is ready, and does not say so in `comparability`",
                job.workers
            ));
        }
        let law = timing::littles_law(job.workload.pipeline, job.workers, &result.done);
        Ok(Trial { ready, result, law })
    }

    async fn ready(&self, job: &Job) -> Result<(Driver, Ready), AgentError> {
        let Options { program, builtin, within, .. } = self.options;
        let driver = Driver::start("check", program, builtin, &BTreeMap::new(), None, self.writer.clone())?;
        driver.become_ready(job, (*within).into()).await
    }

    async fn reset(&mut self, server: &str) -> Result<(), AgentError> {
        self.servers
            .reset(&ServerReset { key: server.to_owned(), keys: Keys::Flush, marks: Vec::new() })
            .await
    }

    async fn sample(&mut self, server: &str) -> Result<ServerCounts, AgentError> {
        self.servers.sample(&ServerSample { key: server.to_owned(), marks: Vec::new() }).await
    }

    /// One byte of every value that the server returns after `go` is changed on its way.
    async fn notices_lies(&mut self) -> Outcome {
        let lies = Rc::new(Cell::new(false));
        let upstream = (self.up.endpoint.host.clone(), self.up.endpoint.port);
        let Ok(port) = relay(upstream, Rc::clone(&lies)).await else {
            return Err(Stop::Refused("no relay can be set up on this machine".to_owned()));
        };
        let mut job = self.job();
        (job.server.host, job.server.port) = ("127.0.0.1".to_owned(), port);
        self.reset(OPEN).await?;
        let (driver, ready) = self.ready(&job).await?;
        lies.set(true);
        match driver.go(self.options.within.into(), &[], async {}).await {
            Ok(result) if result.done.errors > 0 => Ok(None),
            Ok(_) if ready.comparability.is_some() => {
                Ok(Some("it does not, and says that it differs".to_owned()))
            }
            Ok(_) => wrong("believes everything: it was done although no GET returned what was stored"),
            Err(error) if error.message.contains("(verification)") => Ok(None),
            Err(error) => Ok(Some(format!("but not as \"verification\": {}", error.message))),
        }
    }

    // ------------------------------------------------------------------------------------ the bare process

    fn bare(&self) -> Result<Bare, Stop> {
        Bare::start(self.options, self.writer.clone())
    }

    async fn leaves_nobody(&mut self) -> Outcome {
        self.reset(OPEN).await?;
        let mut driver = self.bare()?;
        driver.say(&json!(self.job())).await;
        driver.expect("ready", |event| matches!(event, DriverEvent::Ready(_))).await?;
        driver.say(&json!({"go": true})).await;
        driver.expect("done", |event| matches!(event, DriverEvent::Done(_))).await?;
        driver.end().await.map(|()| None)
    }

    async fn refuses(&mut self, change: impl FnOnce(&mut Value), kinds: &[FailureKind]) -> Outcome {
        let mut driver = self.bare()?;
        let mut job = json!(self.job());
        change(&mut job);
        driver.say(&job).await;
        match driver.event().await? {
            Some(DriverEvent::Failed { kind, .. }) if kinds.contains(&kind) => {}
            Some(DriverEvent::Failed { kind, error }) => {
                return wrong(format!("calls it \"{kind}\", and \"{}\" was due: {error}", kinds[0]));
            }
            Some(_) => return wrong("takes it as if nothing were wrong"),
            None => return wrong("ends without a word: \"failed\" was due"),
        }
        driver.end().await.map(|()| None)
    }

    async fn no_job(&mut self) -> Outcome {
        let mut driver = self.bare()?;
        driver.say_text("this is no job\n").await;
        match driver.event().await? {
            Some(DriverEvent::Failed { .. }) | None => {}
            Some(_) => return wrong("takes it as if nothing were wrong"),
        }
        driver.end().await.map(|()| None)
    }

    async fn no_server(&mut self) -> Outcome {
        let mut job = self.job();
        // A port that was free a moment ago.
        let free = TcpListener::bind(("127.0.0.1", 0)).await.and_then(|listener| listener.local_addr());
        let Ok(address) = free else { return Err(Stop::Refused("no port is free".to_owned())) };
        job.server.port = address.port();
        let mut driver = self.bare()?;
        driver.say(&json!(job)).await;
        let note = match driver.event().await? {
            Some(DriverEvent::Failed { kind: FailureKind::Connection, .. }) => None,
            Some(DriverEvent::Failed { kind, .. }) => Some(format!("but calls it \"{kind}\"")),
            Some(_) => return wrong("is ready although nothing listens where the server should be"),
            None => Some("but ends without a word".to_owned()),
        };
        driver.end().await.map(|()| note)
    }

    async fn ends_at(&mut self, stage: Stage) -> Outcome {
        self.reset(OPEN).await?;
        let mut driver = self.bare()?;
        let mut job = self.job();
        if stage != Stage::Start {
            if stage == Stage::AtWork {
                job.workload.operations = Some(ENDLESS);
            }
            driver.say(&json!(job)).await;
            driver.expect("ready", |event| matches!(event, DriverEvent::Ready(_))).await?;
        }
        if stage == Stage::AtWork {
            if job.keys_at_go() == Keys::Flush {
                self.reset(OPEN).await?;
            }
            let commands = job.workload.commands();
            let before = self.sample(OPEN).await?.sum(&commands).calls;
            driver.say(&json!({"go": true})).await;
            let deadline = Instant::now() + self.options.within;
            while self.sample(OPEN).await?.sum(&commands).calls == before {
                if Instant::now() > deadline {
                    return wrong(format!("does nothing within {} of go", Nanos::from(self.options.within)));
                }
                sleep(POLL).await;
            }
        }
        driver.end().await.map(|()| None)
    }
}

/// What it leaves is not what was asked for, and it has said so.
fn says_it_differs() -> Outcome {
    Ok(Some("not looked at, since it says that it differs".to_owned()))
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
        // Two of them, and so few tasks under way that those who push have to wait.
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

fn noted(_: &Trial) -> Outcome {
    Ok(None)
}

/// Latencies in another unit, or of a part of the time, do not fit the throughput.
fn told_latencies(trial: &Trial) -> Outcome {
    match trial.law {
        Some(law) if !(LEAST_OF_LITTLES_LAW..=1.02).contains(&law) => wrong(format!(
            "its latencies do not belong to its throughput: throughput × mean latency ÷ operations in flight is {law:.3}, and \
             by Little's law it is 1"
        )),
        Some(_) => Ok(None),
        None => Ok(Some("it tells none".to_owned())),
    }
}

/// Operation k is due at k ÷ rate, so that the last one cannot be over before.
fn kept_rate(trial: &Trial, operations: u64, rate: u64) -> Outcome {
    let least = (operations - 1) as f64 / rate as f64;
    let elapsed = trial.result.done.elapsed_ns.as_secs_f64();
    if elapsed < least * 0.99 {
        return wrong(format!("was done after {elapsed:.3} s: at {rate}/s it takes {least:.3} s"));
    }
    if trial.result.done.max_lag_ns.is_none() {
        return wrong("does not say how late it was: `max_lag_ns` is missing");
    }
    Ok(None)
}

/// When the input is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Start,
    Ready,
    AtWork,
}
