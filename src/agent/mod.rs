//! Serves the protocol on a host: servers and drivers live and die here for a coordinator somewhere else.
//!
//! An agent is a single thread. Everything that it starts ends with it: at the end of its input, when its lease
//! expires, at a signal, in a panic, and (see [`crate::host::child`]) by SIGKILL.

pub mod conformance;
mod driver;
mod driver_files;
mod event;
mod line_writer;
mod lines;
mod lock;
mod prepare;
mod stderr;
mod trial;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Mutex;
use tokio::task::{JoinSet, LocalSet};
use tokio::time::{Instant, sleep_until};

use self::line_writer::LineWriter;
use self::lines::Lines;
use self::lock::HostLock;
pub use self::lock::LockPlace;
use self::trial::Trials;
use crate::experiment::shipped;
use crate::host::programs::Programs;
use crate::host::shipped::Shipped;
use crate::host::{child, facts, secrets};
use crate::protocol::{
    AgentError, AgentErrorKind, Call, DriverDirectory, Hello, HostFacts, Launch, MAX_LINE, ModePrepare,
    Outcome, PROTOCOL, PathProbe, Ping, Request, Response, ServerDescribe, ServerFill, ServerPlace,
    ServerReset, ServerSample, ServerStart, ServerStop, TrialAbort, TrialGo, TrialPrepare, Untrusted,
    Welcome,
};
use crate::server::{self, Servers};

/// How long an agent waits for its first call.
const FIRST_LEASE: Duration = Duration::from_secs(30);

/// What an agent has to know about its surroundings.
#[derive(Clone, Debug)]
pub struct Options {
    /// The program whose `driver` command carries out the built-in modes: this one.
    pub driver_program: PathBuf,
    /// Where the lock is that keeps two coordinators off one host.
    pub lock: LockPlace,
    /// Where the directories of servers go.
    pub tmp: PathBuf,
    /// The variables in the environment of drivers and servers that change how they run.
    pub environment: BTreeMap<String, String>,
    /// Where programs are looked for: directories separated by colons, as in the variable PATH.
    pub path: OsString,
    /// Where the driver files inside this program are unpacked, if there is such a place.
    pub cache: Option<PathBuf>,
}

impl Options {
    /// Where programs are on this host.
    fn programs(&self) -> Programs {
        Programs::new(self.path.clone(), self.driver_program.clone())
    }
}

/// Serves over standard input and output until it is over.
///
/// # Errors
/// Like [`serve`].
pub fn run(options: Options) -> Result<(), AgentError> {
    let broken = |error: std::io::Error| unavailable(format!("the agent cannot run: {error}"));
    child::adopt_orphans();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
    let result = runtime.block_on(async {
        let (input, output) = stdio().map_err(broken)?;
        serve(input, output, options).await
    });
    // A thread may still be blocked in reading from a terminal.
    runtime.shutdown_background();
    result
}

type Input = Box<dyn AsyncRead + Unpin>;
type Output = Box<dyn AsyncWrite + Unpin>;

/// Standard input and output. Pipes are read on the agent's own thread; for anything else tokio uses a thread, whose hand-over
/// costs tens of microseconds a line.
fn stdio() -> std::io::Result<(Input, Output)> {
    let input = std::io::stdin().as_fd().try_clone_to_owned()?;
    let output = std::io::stdout().as_fd().try_clone_to_owned()?;
    let input: Input = match pipe::Receiver::from_owned_fd(input) {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(tokio::io::stdin()),
    };
    let output: Output = match pipe::Sender::from_owned_fd(output) {
        Ok(pipe) => Box::new(pipe),
        Err(_) => Box::new(tokio::io::stdout()),
    };
    Ok((input, output))
}

/// Serves a coordinator until its input ends, its lease expires, or a signal comes; then stops everything. Must run
/// on a current-thread runtime, whose thread lives as long as the program.
///
/// # Errors
/// When the coordinator fell silent or said something that is not a request.
pub async fn serve(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + 'static,
    options: Options,
) -> Result<(), AgentError> {
    LocalSet::new().run_until(converse(input, output, options)).await
}

async fn converse(
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin + 'static,
    options: Options,
) -> Result<(), AgentError> {
    let (writer, writing) = LineWriter::into(output);
    let mut writing = tokio::task::spawn_local(writing);
    let agent = Rc::new(Agent::new(options, writer));
    let mut calls = JoinSet::new();
    let end = agent.listen(input, &mut calls, &mut writing).await;
    // Unfinished calls are dropped, and their drivers with them.
    calls.shutdown().await;
    agent.trials.end();
    agent.servers.lock().await.stop_all().await;
    end
}

struct Agent {
    options: Options,
    writer: LineWriter,
    greeted: Cell<bool>,
    lease: Cell<Duration>,
    lock: RefCell<Option<HostLock>>,
    servers: Rc<Mutex<Servers>>,
    trials: Trials,
    shipped: Shipped,
}

impl Agent {
    fn new(options: Options, writer: LineWriter) -> Self {
        let servers = Rc::new(Mutex::new(Servers::new(options.tmp.clone(), options.programs())));
        let trials = Trials::new(options.driver_program.clone(), Rc::clone(&servers), writer.clone());
        Self {
            shipped: Shipped::new(options.cache.clone()),
            options,
            writer,
            greeted: Cell::new(false),
            lease: Cell::new(FIRST_LEASE),
            lock: RefCell::new(None),
            servers,
            trials,
        }
    }

    /// Answers calls concurrently, so that a ping or an abort is heard during a trial.
    async fn listen(
        self: &Rc<Self>,
        input: impl AsyncRead + Unpin,
        calls: &mut JoinSet<()>,
        writing: &mut tokio::task::JoinHandle<()>,
    ) -> Result<(), AgentError> {
        let broken =
            |error: std::io::Error| unavailable(format!("the agent cannot listen to signals: {error}"));
        let mut hangup = signal(SignalKind::hangup()).map_err(broken)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(broken)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(broken)?;
        let mut lines = Lines::new(input, MAX_LINE);
        let mut heard = Instant::now();
        loop {
            tokio::select! {
                line = lines.next() => {
                    heard = Instant::now();
                    let line = match line {
                        Ok(Some(line)) => line,
                        Ok(None) => return Ok(()),
                        Err(bad) => return Err(protocol(format!("the coordinator sent {bad}"))),
                    };
                    let request = serde_json::from_str(&line)
                        .map_err(|error| protocol(format!("the coordinator sent something that is not a request: {error}")))?;
                    calls.spawn_local(Rc::clone(self).answer(request));
                }
                Some(call) = calls.join_next() => {
                    // A call that panicked would never be answered: the agent goes down with it, and says why.
                    if let Err(error) = call && error.is_panic() {
                        std::panic::resume_unwind(error.into_panic());
                    }
                }
                () = sleep_until(heard + self.lease.get()) => {
                    let silence = crate::units::Nanos::from(self.lease.get());
                    return Err(unavailable(format!("the coordinator has been silent for {silence}")));
                }
                _ = &mut *writing => return Ok(()),
                _ = hangup.recv() => return Ok(()),
                _ = interrupt.recv() => return Ok(()),
                _ = terminate.recv() => return Ok(()),
            }
        }
    }

    async fn answer(self: Rc<Self>, request: Request) {
        let result = match self.call(&request.call, request.args).await {
            Ok(reply) => Outcome::Ok(reply),
            Err(mut error) => {
                error.fit(&mut secrets::fit);
                Outcome::Error(error)
            }
        };
        self.writer.answer(&Response { id: request.id, result }).await;
    }

    async fn call(&self, name: &str, args: Value) -> Result<Value, AgentError> {
        if name != Hello::NAME && !self.greeted.get() {
            return Err(protocol(format!("the first call must be `{}`, not `{name}`", Hello::NAME)));
        }
        match name {
            Hello::NAME => on(args, |call: Hello| async move { self.hello(&call) }).await,
            Ping::NAME => on(args, |_: Ping| async { Ok(()) }).await,
            ServerStart::NAME => {
                on(args, |mut call: ServerStart| async move {
                    if let Launch::Managed { program, directory: Some(directory), .. } = &mut call.launch {
                        *program = in_its_directory(program, &self.directory(directory.clone())?);
                    }
                    self.servers.lock().await.start(&call).await
                })
                .await
            }
            ServerDescribe::NAME => {
                on(
                    args,
                    |call: ServerDescribe| async move { self.servers.lock().await.describe(&call).await },
                )
                .await
            }
            ServerPlace::NAME => on(args, |call: ServerPlace| self.trials.place_server(call)).await,
            ServerFill::NAME => {
                on(args, |call: ServerFill| async move { self.servers.lock().await.fill(&call).await }).await
            }
            ServerReset::NAME => {
                on(args, |call: ServerReset| async move { self.servers.lock().await.reset(&call).await })
                    .await
            }
            ServerSample::NAME => {
                on(args, |call: ServerSample| async move { self.servers.lock().await.sample(&call).await })
                    .await
            }
            ServerStop::NAME => {
                on(args, |call: ServerStop| async move { self.servers.lock().await.stop(&call).await }).await
            }
            PathProbe::NAME => on(args, server::round_trip).await,
            ModePrepare::NAME => {
                let (path, writer) = (&self.options.path, self.writer.clone());
                on(args, |call: ModePrepare| async move {
                    let program = call.program.locate(|directory| self.directory(directory))?;
                    prepare::prepare(&call.mode, &program, &call.prepare, call.timeout, path, writer).await
                })
                .await
            }
            TrialPrepare::NAME => {
                on(args, |call: TrialPrepare| async move {
                    let program = call.program.clone().locate(|directory| self.directory(directory))?;
                    self.trials.prepare(call, &program).await
                })
                .await
            }
            TrialGo::NAME => on(args, |call: TrialGo| self.trials.go(call)).await,
            TrialAbort::NAME => on(args, |call: TrialAbort| self.trials.abort(call)).await,
            _ => Err(protocol(format!("this agent knows no call `{name}`"))),
        }
    }

    /// Where the files of a driver or a server are on this host.
    fn directory(&self, directory: DriverDirectory) -> Result<String, AgentError> {
        let unsupported = |message| AgentError::new(AgentErrorKind::Unsupported, message);
        match directory {
            DriverDirectory::Path(path) => Ok(path),
            DriverDirectory::Builtin { builtin } if builtin == shipped::identity() => {
                let unpacked = self.shipped.directory();
                unpacked
                    .map(|directory| directory.display().to_string())
                    .map_err(|error| unsupported(error.to_string()))
            }
            DriverDirectory::Builtin { .. } => Err(unsupported(
                "the built-in drivers of the program on this host are not those of the one that runs the experiment: \
                 install the same build on both"
                    .to_owned(),
            )),
        }
    }

    fn hello(&self, hello: &Hello) -> Result<Welcome, AgentError> {
        let version = env!("CARGO_PKG_VERSION");
        if hello.protocol != PROTOCOL {
            return Err(protocol(format!(
                "the coordinator (orchestrate {}) speaks protocol {}, the agent on this host (orchestrate {version}) \
                 protocol {PROTOCOL}: install the same version on both",
                hello.version, hello.protocol
            )));
        }
        if self.greeted.get() {
            return Err(protocol(format!("`{}` was said before", Hello::NAME)));
        }
        *self.lock.borrow_mut() = Some(HostLock::take(&self.options.lock, &hello.holder)?);
        self.greeted.set(true);
        self.lease.set(hello.lease.duration());
        secrets::withhold(hello.withheld.iter().cloned());
        let mut environment = self.options.environment.clone();
        environment.retain(|name, _| !hello.withheld.contains(name));
        let facts = HostFacts { environment, ..facts::gather() };
        Ok(Welcome { protocol: PROTOCOL, version: version.to_owned(), facts })
    }
}

/// Reads the arguments of a call and writes its reply. Any secret in either is learned, and masked in the texts of the reply.
async fn on<C: Call, F>(args: Value, serve: impl FnOnce(C) -> F) -> Result<Value, AgentError>
where
    F: Future<Output = Result<C::Reply, AgentError>>,
{
    let call: C = serde_json::from_value(args)
        .map_err(|error| protocol(format!("bad arguments for `{}`: {error}", C::NAME)))?;
    call.secrets().into_iter().for_each(secrets::learn);
    let mut reply = serve(call).await?;
    reply.secrets().into_iter().for_each(secrets::learn);
    reply.fit(&mut secrets::fit);
    serde_json::to_value(reply).map_err(|error| protocol(format!("bad reply to `{}`: {error}", C::NAME)))
}

fn protocol(message: String) -> AgentError {
    AgentError::new(AgentErrorKind::Protocol, message)
}

fn unavailable(message: String) -> AgentError {
    AgentError::new(AgentErrorKind::Unavailable, message)
}

/// The program of a server: one with a slash is in the directory of the file that names it.
fn in_its_directory(program: &str, directory: &str) -> String {
    // (`join` keeps a program that is absolute already.)
    if program.contains('/') {
        Path::new(directory).join(program).display().to_string()
    } else {
        program.to_owned()
    }
}
