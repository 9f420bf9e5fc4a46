//! The life of servers on this machine: start, readiness, guards, reset, sample, stop.
//!
//! [`Servers`] holds any number of them side by side, each under the coordinator's name for it. Between a reset and a
//! sample, the connection to a server is idle, so as not to disturb what is measured.

mod arguments;
mod certificate;
mod cluster;
mod connection;
mod description;
mod external;
mod info;
mod managed;
mod marks;
mod nodes;
mod persistence;
mod ports;
mod process;
mod refusal;
mod rtt;
mod server_dirs;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use redis::RedisResult;
use redis::aio::MultiplexedConnection;
use sha2::{Digest, Sha256};

pub(crate) use self::connection::{address, cluster_with_tls, with_tls};
use self::external::External;
use self::info::Counters;
use self::managed::Managed;
use self::process::Recipe;
pub use self::rtt::round_trip;
use self::server_dirs::ServerDirs;
use crate::host::programs::Programs;
use crate::host::secrets::excerpt;
use crate::protocol::{
    AgentError, AgentErrorKind, ClientLimit, Endpoint, Launch, ServerCounts, ServerDescribe,
    ServerDescription, ServerFill, ServerReset, ServerSample, ServerStart, ServerStop, ServerUp, Tls,
};
use crate::untrusted::SENTENCE;

#[cfg(not(feature = "tls"))]
const WITHOUT_TLS: &str = "this build of orchestrate has no TLS: build it with `--features tls`";

/// All servers that an agent knows. Those that it started are killed, and their directories removed, on drop.
pub struct Servers {
    tmp: PathBuf,
    programs: Programs,
    known: BTreeMap<String, Server>,
    /// Created together with the first server that we start. Dropped after `known`.
    dirs: Option<ServerDirs>,
}

enum Server {
    Managed(Box<Managed>),
    External(Box<External>),
}

impl Servers {
    /// Starts with no servers. Removes from `tmp` what killed agents left there.
    #[must_use]
    pub fn new(tmp: PathBuf, programs: Programs) -> Self {
        server_dirs::sweep(&tmp);
        Self { tmp, programs, known: BTreeMap::new(), dirs: None }
    }

    /// Makes sure that a server is up and that its persistence is what its command line says.
    ///
    /// # Errors
    /// `Unavailable` when there is no such program, nothing answers at the address, or no server can listen there; `Failed`
    /// when the server does not start or does not persist as it should. Messages end with the last lines of the server's
    /// log.
    pub async fn start(&mut self, request: &ServerStart) -> Result<ServerUp, AgentError> {
        match &request.launch {
            Launch::Managed { program, args, address, tls, masters, directory: _ } => {
                let programs = self.programs.clone();
                let recipe = Recipe {
                    key: &request.key,
                    program,
                    args,
                    address: address.as_ref(),
                    tls: *tls,
                    masters: *masters,
                    programs: &programs,
                };
                self.start_managed(recipe, request.fresh).await
            }
            Launch::External { endpoint, allow_flush } => {
                self.meet_external(&request.key, endpoint, *allow_flush).await
            }
        }
    }

    async fn start_managed(&mut self, recipe: Recipe<'_>, fresh: bool) -> Result<ServerUp, AgentError> {
        let mut fresh = fresh;
        loop {
            let started = self.ensure_managed(recipe, fresh).await?;
            let server = self.managed(recipe.key)?;
            match server.check_persistence().await {
                Ok(()) => {
                    return Ok(ServerUp {
                        endpoint: server.endpoint(),
                        tls_endpoint: server.tls_endpoint(),
                        identity: server.identity(),
                        started,
                        flushes: true,
                        clients: server.clients(),
                    });
                }
                // A server that was running before may turn out to be dead only when it is contacted.
                Err(_) if !started && server.death().is_some() => {}
                Err(error) if !started && error.kind == AgentErrorKind::TimedOut => {
                    tracing::warn!("{error}; it is killed and started again");
                    fresh = true;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Writes the texts of `tls` into files that only we can read, and returns their paths for a driver. Texts that were
    /// already written are not written again.
    ///
    /// # Errors
    /// `Unavailable` when they cannot be written.
    pub fn tls_files(&mut self, tls: &Tls) -> Result<Tls, AgentError> {
        let directory = self.dirs()?.path().to_owned();
        let file = |text: &Option<String>| -> Result<Option<String>, AgentError> {
            let Some(text) = text else { return Ok(None) };
            let digest = Sha256::digest(text.as_bytes());
            let name: String = digest[..8].iter().map(|byte| format!("{byte:02x}")).collect();
            let path = directory.join(format!("{name}.pem"));
            let written = if path.exists() { Ok(()) } else { write_secret(&path, text) };
            written.map_err(|error| {
                let what = format!("cannot write what TLS needs to {}: {error}", path.display());
                AgentError::new(AgentErrorKind::Unavailable, what)
            })?;
            Ok(Some(path.display().to_string()))
        };
        Ok(Tls { ca: file(&tls.ca)?, cert: file(&tls.cert)?, key: file(&tls.key)? })
    }

    /// The directory for everything that is written here, created when first needed.
    fn dirs(&mut self) -> Result<&mut ServerDirs, AgentError> {
        if self.dirs.is_none() {
            let created = ServerDirs::create(&self.tmp).map_err(|error| {
                let message =
                    format!("cannot create a directory for servers in {}: {error}", self.tmp.display());
                AgentError::new(AgentErrorKind::Unavailable, message)
            })?;
            self.dirs = Some(created);
        }
        Ok(self.dirs.as_mut().expect("it was created"))
    }

    async fn meet_external(
        &mut self,
        key: &str,
        endpoint: &Endpoint,
        allow_flush: bool,
    ) -> Result<ServerUp, AgentError> {
        let met = match self.known.remove(key) {
            Some(Server::External(server)) if server.is(endpoint, allow_flush) => Some(server),
            Some(Server::Managed(server)) => {
                server.stop().await;
                None
            }
            _ => None,
        };
        let mut server = match met {
            Some(server) => server,
            None => Box::new(External::meet(key, endpoint, allow_flush).await?),
        };
        let looked = server.look_at_persistence().await;
        let (endpoint, identity) = (server.endpoint.clone(), server.identity.clone());
        let (flushes, clients) = (server.flushes, server.clients);
        // What was decided when it was first seen must outlive a failure.
        self.known.insert(key.to_owned(), Server::External(server));
        looked.map(|()| ServerUp { endpoint, tls_endpoint: None, identity, started: false, flushes, clients })
    }

    /// Whether a process had to be started.
    async fn ensure_managed(&mut self, recipe: Recipe<'_>, fresh: bool) -> Result<bool, AgentError> {
        if let Some(Server::Managed(server)) = self.known.get_mut(recipe.key) {
            if let Some(death) = server.death() {
                tracing::warn!("{death}; it is started again");
            } else if !fresh && server.is(recipe) {
                return Ok(false);
            }
        }
        self.forget(recipe.key).await;
        let dirs = self.dirs()?;
        let server = Managed::start(recipe, dirs).await?;
        self.known.insert(recipe.key.to_owned(), Server::Managed(Box::new(server)));
        Ok(true)
    }

    /// Empties a server, and puts the keys there that a workload needs.
    ///
    /// # Errors
    /// `Failed` when the server does not answer or is not empty after the flush; `Protocol` when it was never started.
    pub async fn fill(&mut self, request: &ServerFill) -> Result<(), AgentError> {
        match self.find(&request.key)? {
            Server::Managed(server) => server.fill(&request.space).await,
            Server::External(server) => server.fill(&request.space).await,
        }
    }

    /// Empties a server, resets its statistics and takes a baseline; for somebody else's server, only takes the baseline.
    ///
    /// # Errors
    /// `Failed` when the server does not answer or does not hold what it should afterwards; `Protocol` when it was never
    /// started.
    pub async fn reset(&mut self, request: &ServerReset) -> Result<(), AgentError> {
        match self.find(&request.key)? {
            Server::Managed(server) => server.reset(request).await,
            Server::External(server) => server.reset(request).await,
        }
    }

    /// What a server counted since its last reset.
    ///
    /// # Errors
    /// `Failed` when the server does not answer, saying how it died if it did; `Protocol` when it was never started.
    pub async fn sample(&mut self, request: &ServerSample) -> Result<ServerCounts, AgentError> {
        let after = |now: &Counters, done: &Option<Counters>| done.as_ref().map(|done| now.calls_since(done));
        match self.find(&request.key)? {
            Server::Managed(server) => {
                let now = server.count().await?;
                Ok(ServerCounts {
                    connections: server.baseline.connections(),
                    after_done: after(&now, &server.at_done),
                    marks: server.marks(&request.marks).await?,
                    ..now.since(&server.baseline)
                })
            }
            // Nobody can tell whose connections these are.
            Server::External(server) => {
                let now = server.count().await?;
                let after_done = after(&now, &server.at_done);
                let marks = server.marks(&request.marks).await?;
                Ok(ServerCounts { after_done, marks, ..now.since(&server.baseline) })
            }
        }
    }

    /// Records what a server has counted at the moment a driver says that it is done, so that work after that is noticed. A
    /// server that does not answer now will not answer [`Self::sample`] either, which says why.
    pub async fn note_done(&mut self, key: &str) {
        match self.known.get_mut(key) {
            Some(Server::Managed(server)) => server.at_done = server.count().await.ok(),
            Some(Server::External(server)) => server.at_done = server.count().await.ok(),
            None => {}
        }
    }

    /// Details of a server beyond its identity.
    ///
    /// # Errors
    /// `Protocol` when it was never started.
    pub async fn describe(&mut self, request: &ServerDescribe) -> Result<ServerDescription, AgentError> {
        Ok(match self.find(&request.key)? {
            Server::Managed(server) => server.describe().await,
            Server::External(server) => server.describe().await,
        })
    }

    /// Stops a server that we started, or forgets one that we did not start.
    ///
    /// # Errors
    /// `Protocol` when it was never started.
    pub async fn stop(&mut self, request: &ServerStop) -> Result<(), AgentError> {
        self.find(&request.key)?;
        self.forget(&request.key).await;
        Ok(())
    }

    /// Stops all servers that we started.
    pub async fn stop_all(&mut self) {
        while let Some((_, server)) = self.known.pop_first() {
            match server {
                Server::Managed(server) => server.stop().await,
                Server::External(server) => server.leave().await,
            }
        }
    }

    /// Binds a server to `cpus`. Returns whether we may bind it.
    ///
    /// # Errors
    /// `Failed` when the system refuses; `Protocol` when it was never started.
    pub fn bind(&mut self, key: &str, cpus: &[u32]) -> Result<bool, AgentError> {
        match self.find(key)? {
            Server::Managed(server) => server.bind(cpus).map(|()| true),
            Server::External(_) => Ok(false),
        }
    }

    /// The process numbers of the servers that we started.
    #[must_use]
    pub fn pids(&self) -> Vec<u32> {
        let ours = self.known.values().filter_map(|server| match server {
            Server::Managed(server) => Some(server.pids()),
            Server::External(_) => None,
        });
        ours.flatten().collect()
    }

    /// How a server that we started died, if it is dead or dying: ``server `redis` died: signal 9 (SIGKILL); …``.
    pub async fn death(&mut self, key: &str) -> Option<String> {
        match self.known.get_mut(key)? {
            Server::Managed(server) => {
                if server.dies().await {
                    server.death().map(str::to_owned)
                } else {
                    None
                }
            }
            Server::External(_) => None,
        }
    }

    fn find(&mut self, key: &str) -> Result<&mut Server, AgentError> {
        self.known.get_mut(key).ok_or_else(|| {
            AgentError::new(
                AgentErrorKind::Protocol,
                format!("server `{key}` was never started on this host"),
            )
        })
    }

    fn managed(&mut self, key: &str) -> Result<&mut Managed, AgentError> {
        match self.find(key)? {
            Server::Managed(server) => Ok(server),
            Server::External(_) => {
                let message = format!("server `{key}` was not started by this agent");
                Err(AgentError::new(AgentErrorKind::Protocol, message))
            }
        }
    }

    async fn forget(&mut self, key: &str) {
        match self.known.remove(key) {
            Some(Server::Managed(server)) => server.stop().await,
            Some(Server::External(server)) => server.leave().await,
            None => {}
        }
    }
}

/// How many clients a server accepts. One that refuses CONFIG, as a managed service does, may report it in its INFO.
async fn client_limit(connection: &mut MultiplexedConnection, info: &str) -> Option<ClientLimit> {
    let answer: RedisResult<Vec<String>> =
        redis::cmd("CONFIG").arg("GET").arg("maxclients").query_async(connection).await;
    let told = answer.ok().and_then(|answer| answer.get(1)?.parse().ok());
    let number = |name| info::field(info, name).and_then(|value| value.parse().ok());
    Some(ClientLimit {
        most: told.or_else(|| number("maxclients"))?,
        connected: number("connected_clients")?,
    })
}

/// Writes a file that nobody else may read, atomically.
fn write_secret(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    file.write_all(text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

/// An error of the library on one line. It may quote what the server said, and that may include the refused command.
fn said(error: &redis::RedisError) -> String {
    excerpt(&error.to_string(), SENTENCE)
}
