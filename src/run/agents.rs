//! The agents of a run, by host, and the servers that they keep running.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};

use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};

use crate::experiment::{
    BuiltinMode, Directory, Experiment, HostPair, Lifetime, ModeSpec, ServerSpec, Settings, Transport,
    shipped,
};
use crate::host::agent_connect::{Reached, reach};
use crate::host::client::{AgentClient, CallError};
use crate::host::upload::Builds;
use crate::plan::{NeededServer, Plan};
use crate::protocol::{
    AgentError, AgentErrorKind, Call, DriverDirectory, DriverFiles, Endpoint, HostFacts, Launch, ModePrepare,
    Notice, PathProbe, Ping, Program, ServerDescribe, ServerDescription, ServerStart, ServerUp, Tls,
};
use crate::run::room;
use crate::run::{Event, MissingMode, Observer, RunError};
use crate::units::Nanos;

/// How long the preparation of a mode may take: a client library may have to be fetched and compiled.
const PREPARE_WITHIN: Nanos = Nanos::from_secs(600);
/// How many PINGs are sent: enough for a median.
const PINGS: u32 = 21;
/// How many hosts are connected to, and how many prepared, at the same time. If all are reached through one sshd, it accepts
/// ten connections that have not logged in yet, and then drops some (`MaxStartups`).
const AT_ONCE: usize = 8;

/// How long an agent is given to show that it is alive.
const MOMENT: Duration = Duration::from_secs(2);
/// How long a host that could not be reached is left alone, at first and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a run needs from the world around it.
#[derive(Clone)]
pub struct Equipment {
    /// This program, to be started as an agent.
    pub program: PathBuf,
    /// Builds of this program that can be copied to other hosts.
    pub builds: Builds,
    /// What a host's lock should say about this run.
    pub holder: String,
    /// Whether to wait for hosts that another run holds.
    pub wait: bool,
    /// The prefix of this run's keys on a server that is not flushed.
    pub token: String,
    /// The passwords that the file names, by their environment variable.
    pub passwords: BTreeMap<String, String>,
    /// What TLS needs for servers that somebody else runs, by the name of the server; the contents of the files.
    pub tls: BTreeMap<String, Tls>,
    /// The modes that need no driver of their own.
    pub builtin: &'static [BuiltinMode],
}

/// A host of the plan.
#[derive(Default)]
struct Member {
    /// The connection to its agent. `None` once the agent is gone.
    agent: RefCell<Option<Rc<AgentClient>>>,
    /// Where this program is on the host, if it had to be copied there.
    brought: RefCell<Option<String>>,
    /// Facts about it. Kept when the agent goes away.
    facts: RefCell<Rc<HostFacts>>,
    /// Whether recent attempts to reach it failed.
    away: Cell<Option<Away>>,
}

/// A host that could not be reached.
#[derive(Clone, Copy)]
struct Away {
    /// When to try it again.
    until: Instant,
    pause: Duration,
}

/// The agents of a run. May be shared by concurrent tasks; a trial has its hosts to itself.
pub(super) struct Agents<'e> {
    pub(super) experiment: &'e Experiment,
    pub(super) equipment: Equipment,
    /// By the names in the file.
    members: BTreeMap<String, Member>,
    /// Optional modes that are unavailable, by host and mode.
    skipped: RefCell<BTreeSet<(String, String)>>,
    /// Round-trip times to servers, by the hosts of client and server, and in which block each was measured.
    distances: RefCell<BTreeMap<(String, String), (u32, Nanos)>>,
    /// What drivers are made of, by host and mode.
    drivers: RefCell<BTreeMap<(String, String), DriverFiles>>,
    /// How many connections workers have to each server, at most.
    connections: BTreeMap<String, u32>,
    /// The servers that we start and that some trial reaches over TLS.
    speak_tls: BTreeSet<String>,
}

impl<'e> Agents<'e> {
    pub(super) fn new(plan: &Plan<'e>, equipment: Equipment) -> Self {
        Self {
            experiment: plan.experiment(),
            equipment,
            members: plan.hosts().into_iter().map(|host| (host, Member::default())).collect(),
            skipped: RefCell::default(),
            distances: RefCell::default(),
            drivers: RefCell::default(),
            connections: plan.connections(),
            speak_tls: plan.speak_tls(),
        }
    }

    /// Makes sure, before anything is measured, that every host, every server and every mode of the plan is available.
    /// All of one kind that are unavailable are reported together.
    pub(super) async fn connect_all(
        &self,
        plan: &Plan<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        let mut missing = Vec::new();
        let mut reached = stream::iter(self.members.keys())
            .map(|host| async move { (host, self.reach(host).await) })
            .buffered(AT_ONCE);
        while let Some((host, reached)) = reached.next().await {
            match reached {
                Ok(()) => {
                    let brought = self.members[host].brought.borrow().clone();
                    let facts = &self.facts(host);
                    observer.on(Event::HostReady { host, facts, brought: brought.as_deref() })?;
                }
                Err(error) => missing.push(error),
            }
        }
        drop(reached);
        RunError::all(missing)?;
        self.meet_servers(plan, observer).await?;
        self.prepare_modes(plan, observer).await
    }

    async fn meet_servers(&self, plan: &Plan<'_>, observer: &mut dyn Observer) -> Result<(), RunError> {
        let mut on_host: BTreeMap<String, Vec<NeededServer>> = BTreeMap::new();
        for needed in plan.servers() {
            if let ServerSpec::Managed { preparation: Some(preparation), .. } =
                &self.experiment.servers[&needed.server]
            {
                let (host, command) = (&needed.hosts.server, &preparation.command);
                observer.on(Event::Preparing { host, mode: &needed.server, command })?;
            }
            on_host.entry(needed.hosts.server.clone()).or_default().push(needed);
        }
        let mut met = stream::iter(on_host.into_values())
            .map(|all| async {
                let mut met = Vec::new();
                for needed in all {
                    let up = self.meet(&needed).await;
                    let description = if up.is_ok() { self.describe(&needed).await } else { None };
                    met.push((needed, up, description));
                }
                met
            })
            .buffered(AT_ONCE);
        let mut missing = Vec::new();
        while let Some(on_one_host) = met.next().await {
            for (needed, met, description) in on_one_host {
                let NeededServer { hosts, server, .. } = &needed;
                match met {
                    Err(error) => missing.push(RunError::Server {
                        host: hosts.server.clone(),
                        server: server.clone(),
                        reason: error.to_string(),
                    }),
                    Ok((up, _)) => {
                        if let ServerSpec::External { allow_flush: true, .. } =
                            self.experiment.servers[server]
                            && !up.flushes
                        {
                            warn!(
                                server,
                                "allow_flush is not used: the server is not empty; drivers delete their keys"
                            );
                        }
                        observer.on(Event::ServerReady {
                            host: &hosts.server,
                            server,
                            identity: &up.identity,
                        })?;
                        if let Some(description) = description {
                            observer.on(Event::ServerDescribed { needed: &needed, description })?;
                        }
                    }
                }
            }
        }
        RunError::all(missing)
    }

    /// Runs the command that makes a server's program available on its host, if there is one, and looks for the program.
    async fn prepare_server(&self, needed: &NeededServer) -> Result<(), CallError> {
        let ServerSpec::Managed { program, preparation: Some(preparation), .. } =
            &self.experiment.servers[&needed.server]
        else {
            return Ok(());
        };
        let directory = driver_directory(&preparation.directory);
        let call = ModePrepare {
            mode: format!("server `{}`", needed.server),
            program: Program::Command { argv: vec![program.clone()], directory },
            prepare: preparation.command.clone(),
            timeout: PREPARE_WITHIN,
        };
        self.call(&needed.hosts.server, call).await.map(drop)
    }

    /// Details of a running server beyond its identity. A run can do without them.
    async fn describe(&self, needed: &NeededServer) -> Option<ServerDescription> {
        let NeededServer { hosts, server, args } = needed;
        let key = server_key(server, args.as_deref(), hosts.is_network());
        match self.call(&hosts.server, ServerDescribe { key }).await {
            Ok(description) => Some(description),
            Err(error) => {
                info!(server, %error, "the server is not described");
                None
            }
        }
    }

    /// Prepares every mode that is not built in, on all hosts in parallel.
    async fn prepare_modes(&self, plan: &Plan<'_>, observer: &mut dyn Observer) -> Result<(), RunError> {
        // Modes of one family are usually prepared by the same command, which is then run only once.
        let mut on_host: BTreeMap<String, Vec<(Vec<String>, &ModeSpec)>> = BTreeMap::new();
        for (host, mode) in plan.modes() {
            let Some(spec) = self.experiment.modes.get(&mode) else { continue };
            let likewise = |other: &ModeSpec| {
                (&other.prepare, &other.directory, other.command.first())
                    == (&spec.prepare, &spec.directory, spec.command.first())
            };
            let groups = on_host.entry(host).or_default();
            match groups.iter_mut().find(|(_, other)| likewise(other)) {
                Some((modes, _)) => modes.push(mode),
                None => groups.push((vec![mode], spec)),
            }
        }
        let told = RefCell::new(observer);
        let mut missing = Vec::new();
        let mut prepared = stream::iter(on_host)
            .map(|(host, groups)| {
                let told = &told;
                async move {
                    let mut absent = Vec::new();
                    for (modes, spec) in groups {
                        let (first, command) = (&modes[0], &spec.prepare);
                        told.borrow_mut().on(Event::Preparing { host: &host, mode: first, command })?;
                        if let Err(error) = self.prepare(&host, first, spec, command.clone()).await {
                            let reason = error.to_string();
                            let lack =
                                |mode| MissingMode { host: host.clone(), mode, reason: reason.clone() };
                            absent.extend(modes.into_iter().map(lack));
                            continue;
                        }
                        // Modes that are prepared in the same way need not consist of the same files.
                        for mode in modes {
                            let spec = &self.experiment.modes[&mode];
                            match self.prepare(&host, &mode, spec, Vec::new()).await {
                                Ok(Some(driver)) => {
                                    told.borrow_mut().on(Event::ModeReady {
                                        host: &host,
                                        mode: &mode,
                                        driver: &driver,
                                    })?;
                                    self.drivers.borrow_mut().insert((host.clone(), mode), driver);
                                }
                                Ok(None) => {}
                                Err(error) => {
                                    let reason = error.to_string();
                                    absent.push(MissingMode { host: host.clone(), mode, reason });
                                }
                            }
                        }
                    }
                    Ok::<_, RunError>(absent)
                }
            })
            .buffered(AT_ONCE);
        while let Some(absent) = prepared.next().await {
            for absent in absent? {
                if self.experiment.modes[&absent.mode].optional {
                    told.borrow_mut().on(Event::ModeSkipped(&absent))?;
                    self.skipped.borrow_mut().insert((absent.host, absent.mode));
                } else {
                    missing.push(absent);
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(RunError::Modes(missing)) }
    }

    /// Runs the command that prepares a mode on a host, if there is one, looks for the program of its driver, and returns
    /// what the driver is made of.
    pub(super) async fn prepare(
        &self,
        host: &str,
        mode: &str,
        spec: &ModeSpec,
        prepare: Vec<String>,
    ) -> Result<Option<DriverFiles>, CallError> {
        let program = program(Some(spec));
        self.call(host, ModePrepare { mode: mode.to_owned(), program, prepare, timeout: PREPARE_WITHIN })
            .await
    }

    /// The hash of what the driver of a mode is made of on these hosts; absent for a built-in mode.
    pub(super) fn driver(&self, clients: &[String], mode: &str) -> Option<String> {
        let drivers = self.drivers.borrow();
        let of = |host: &String| Some(&drivers.get(&(host.clone(), mode.to_owned()))?.sha256);
        let mut hashes: Vec<&str> = Vec::new();
        for hash in clients.iter().filter_map(of) {
            if !hashes.contains(&hash.as_str()) {
                hashes.push(hash);
            }
        }
        (!hashes.is_empty()).then(|| hashes.join(" + "))
    }

    /// Whether a trial is left out because its mode is optional and unavailable.
    pub(super) fn skips(&self, settings: &Settings) -> bool {
        let skipped = self.skipped.borrow();
        // Nothing is allocated per trial in a run that skips nothing.
        !skipped.is_empty()
            && settings
                .hosts
                .clients
                .iter()
                .any(|host| skipped.contains(&(host.clone(), settings.mode.clone())))
    }

    /// Makes sure that there is a connection to the agent on `host`; an agent that went away is started again.
    ///
    /// A host that could not be reached is [`Agents::away`] for a while: one second at first, then twice as long each time,
    /// up to a minute.
    pub(super) async fn reach(&self, host: &str) -> Result<(), RunError> {
        let member = &self.members[host];
        let reached = self.connect(host, member).await;
        let away = reached.as_ref().err().map(|error| {
            // The caller that asked for the host reports the error.
            info!(host, %error, "the host cannot be reached");
            let before = member.away.get();
            let pause = before.map_or(FIRST_PAUSE, |away| (away.pause * 2).min(LONGEST_PAUSE));
            Away { until: Instant::now() + pause, pause }
        });
        member.away.set(away);
        reached
    }

    /// The time until which a host should not be tried, because it could not be reached.
    pub(super) fn away(&self, host: &str) -> Option<Instant> {
        self.members[host].away.get().map(|away| away.until)
    }

    /// Whether a host is another machine, which may go away and come back.
    pub(super) fn is_elsewhere(&self, host: &str) -> bool {
        self.experiment.hosts[host].transport != Transport::Local
    }

    async fn connect(&self, host: &str, member: &Member) -> Result<(), RunError> {
        if self.client(host).is_some_and(|agent| !agent.is_lost()) {
            return Ok(());
        }
        let lost = member.agent.take();
        if let Some(lost) = lost {
            lost.close().await;
        }
        let Equipment { program, builds, holder, .. } = &self.equipment;
        let spec = &self.experiment.hosts[host];
        let before = member.brought.borrow().clone();
        let (notify, notices) = mpsc::unbounded_channel();
        let Reached { client, welcome, brought } =
            reach(host, spec, program, builds, before, holder, &notify).await?;
        tokio::spawn(log_notices(host.to_owned(), notices));
        member.brought.replace(brought);
        member.agent.replace(Some(Rc::new(client)));
        member.facts.replace(Rc::new(welcome.facts));
        Ok(())
    }

    /// The connection to a host, if there is one at the moment.
    pub(super) fn client(&self, host: &str) -> Option<Rc<AgentClient>> {
        self.members[host].agent.borrow().clone()
    }

    /// Makes a call to the agent on a host that was reached.
    pub(super) async fn call<C: Call>(&self, host: &str, call: C) -> Result<C::Reply, CallError> {
        match self.client(host) {
            Some(client) => client.call(call).await,
            None => Err(CallError::Lost { host: host.to_owned(), said: String::new() }),
        }
    }

    /// Whether there was a connection to a host and its agent has gone away. Asks the agent, since a broken connection is
    /// not noticed at once; an agent that is silent for [`MOMENT`] is not yet lost.
    pub(super) async fn has_lost(&self, host: &str) -> bool {
        match self.client(host) {
            Some(client) => matches!(timeout(MOMENT, client.call(Ping {})).await, Ok(Err(_))),
            None => false,
        }
    }

    /// Facts about a host that was reached.
    pub(super) fn facts(&self, host: &str) -> Rc<HostFacts> {
        Rc::clone(&self.members[host].facts.borrow())
    }

    /// Makes sure that the server of a trial is running.
    pub(super) async fn serve(&self, settings: &Settings) -> Result<ServerUp, CallError> {
        let fresh = match &self.experiment.servers[&settings.server] {
            ServerSpec::Managed { lifetime, .. } => settings.lifetime.unwrap_or(*lifetime) == Lifetime::Trial,
            ServerSpec::External { .. } => false,
        };
        self.start(&settings.hosts, &settings.server, settings.server_args.as_deref(), fresh).await
    }

    /// Prepares a server, and makes sure that it is running and that all its clients on other hosts can reach it. Returns
    /// the round-trip time for each of those.
    pub(super) async fn meet(
        &self,
        needed: &NeededServer,
    ) -> Result<(ServerUp, Vec<(String, Nanos)>), CallError> {
        let NeededServer { hosts, server, args } = needed;
        self.prepare_server(needed).await?;
        let up = self.start(hosts, server, args.as_deref(), false).await?;
        let own = matches!(self.experiment.servers[server], ServerSpec::Managed { .. });
        room::check(&up, self.connections_to(server), own)?;
        let mut ways = Vec::new();
        if hosts.is_network() {
            for client in &hosts.clients {
                ways.push((client.clone(), self.round_trip(client, &up.endpoint).await?));
            }
        }
        Ok((up, ways))
    }

    /// The round-trip time between the server of a trial and one of its clients on another host, measured when the block
    /// began.
    pub(super) async fn distance(
        &self,
        client: &str,
        server: &str,
        endpoint: &Endpoint,
        block: u32,
    ) -> Result<Nanos, CallError> {
        let way = (client.to_owned(), server.to_owned());
        let known = self.distances.borrow().get(&way).copied();
        match known {
            Some((then, time)) if then == block => Ok(time),
            _ => {
                let time = self.round_trip(client, endpoint).await?;
                info!(client, server, block, rtt = %time, "way measured");
                self.distances.borrow_mut().insert(way, (block, time));
                Ok(time)
            }
        }
    }

    /// How long a PING from one host to a server on another takes: the median of a few.
    async fn round_trip(&self, client: &str, endpoint: &Endpoint) -> Result<Nanos, CallError> {
        self.call(client, PathProbe { endpoint: endpoint.clone(), pings: PINGS }).await
    }

    /// The largest number of workers that are connected to a server at the same time.
    fn connections_to(&self, server: &str) -> u32 {
        self.connections.get(server).copied().unwrap_or_default()
    }

    /// Starts a server, for the network if it has clients on other hosts.
    async fn start(
        &self,
        hosts: &HostPair,
        server: &str,
        args_instead: Option<&[String]>,
        fresh: bool,
    ) -> Result<ServerUp, CallError> {
        let network = hosts.is_network();
        let key = server_key(server, args_instead, network);
        let launch = match &self.experiment.servers[server] {
            ServerSpec::Managed { program, args, preparation, cluster, .. } => {
                let address = self.experiment.hosts[&hosts.server].address.clone().filter(|_| network);
                if network && address.is_none() {
                    let clients = hosts.clients.join("`, `");
                    let message = format!("the host has no `address` where `{clients}` could reach a server");
                    return Err(AgentError::new(AgentErrorKind::Unavailable, message).into());
                }
                let mut args = args_instead.map_or_else(|| args.clone(), <[String]>::to_vec);
                args.extend(room::more_clients(&args, self.connections_to(server)));
                Launch::Managed {
                    program: program.clone(),
                    directory: preparation
                        .as_ref()
                        .map(|preparation| driver_directory(&preparation.directory)),
                    args,
                    address,
                    tls: self.speak_tls.contains(server),
                    masters: *cluster,
                }
            }
            ServerSpec::External { host, port, username, password_env, db, tls: _, cluster, allow_flush } => {
                let password = password_env.as_ref().and_then(|name| self.equipment.passwords.get(name));
                Launch::External {
                    endpoint: Endpoint {
                        host: host.clone(),
                        port: *port,
                        unix_socket: None,
                        password: password.cloned(),
                        username: username.clone(),
                        db: *db,
                        tls: self.equipment.tls.get(server).cloned(),
                        cluster: *cluster,
                    },
                    allow_flush: *allow_flush,
                }
            }
        };
        self.call(&hosts.server, ServerStart { key, launch, fresh }).await
    }

    /// Tells every agent to stop what it started, and waits until they have done so.
    pub(super) async fn shutdown(self) {
        let agents = self.members.into_values().filter_map(|member| member.agent.into_inner());
        join_all(agents.map(|agent| async move { agent.close().await })).await;
    }
}

/// How the directory of a file is passed to a host.
fn driver_directory(directory: &Directory) -> DriverDirectory {
    match directory {
        Directory::Path(path) => DriverDirectory::Path(path.display().to_string()),
        Directory::Builtin => DriverDirectory::Builtin { builtin: shipped::identity().to_owned() },
    }
}

/// What is started to carry out trials of a mode; a built-in mode has no table in the file.
pub(super) fn program(mode: Option<&ModeSpec>) -> Program {
    let Some(mode) = mode else { return Program::BuiltIn };
    let argv = mode.command.clone();
    let directory = driver_directory(&mode.directory);
    match mode.load_generator {
        Some(generator) => Program::LoadGenerator { generator, argv, directory },
        None => Program::Command { argv, directory },
    }
}

/// The name of a server process between coordinator and agent: one process for every command line, and a separate one for
/// clients on other hosts, so that all others stay on loopback.
pub(super) fn server_key(server: &str, args_instead: Option<&[String]>, network: bool) -> String {
    let reach = if network { " for other hosts" } else { "" };
    match args_instead {
        None => format!("{server}{reach}"),
        // With the quotes of `Debug`, so that `["a b"]` and `["a", "b"]` are two different servers.
        Some(args) => format!("{server} {args:?}{reach}"),
    }
}

/// Logs what drivers print outside the protocol, whenever they print it.
async fn log_notices(host: String, mut notices: mpsc::UnboundedReceiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Progress { trial, operations } => debug!(host, trial, operations, "progress"),
            Notice::Stderr { trial, line } => info!(host, trial, "driver: {line}"),
        }
    }
}

impl std::fmt::Debug for Equipment {
    /// Never shows a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Equipment")
            .field("holder", &self.holder)
            .field("passwords", &self.passwords.keys())
            .finish_non_exhaustive()
    }
}

/// Whether a call that failed means that a host or a server is unavailable.
pub(super) fn is_unavailable(error: &CallError) -> bool {
    matches!(error, CallError::Agent(error) if error.kind == AgentErrorKind::Unavailable)
}
