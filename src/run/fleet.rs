//! The agents of a run, by host, and the servers that they keep up.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use crate::experiment::{
    BuiltinMode, Experiment, HostPair, Lifetime, ModeSpec, ServerSpec, Settings, Transport,
};
use crate::host::agent_command;
use crate::host::client::{AgentClient, CallError};
use crate::plan::Plan;
use crate::protocol::{
    AgentError, AgentErrorKind, Call, Endpoint, HostFacts, Launch, ModePrepare, Notice, PathProbe, Program,
    ServerExpose, ServerStart, ServerUp,
};
use crate::run::{Event, MissingMode, Observer, RunError};
use crate::units::Nanos;

/// How long the preparation of a mode may take: a client library may have to be fetched and compiled.
pub(super) const PREPARE_WITHIN: Nanos = Nanos::from_secs(600);
/// Enough for a median, and few enough to cost a trial across a network no more than a tenth of a second.
const PINGS: u32 = 21;

/// How long a host that cannot be reached is left alone at first, and at most.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What a run needs from the world around it.
#[derive(Clone, Debug)]
pub struct Equipment {
    /// This program, to be started as an agent.
    pub program: PathBuf,
    /// What a host's lock is to say of this run.
    pub holder: String,
    /// What the keys of this run begin with on a server that is not flushed.
    pub token: String,
    /// The passwords that the file names, by their environment variable.
    pub passwords: BTreeMap<String, String>,
    /// The modes that need no driver of their own.
    pub builtin: &'static [BuiltinMode],
}

/// A host that could not be reached.
struct Away {
    /// When it is to be tried again.
    until: Instant,
    pause: Duration,
}

/// The agents of a run.
pub(super) struct Fleet<'e> {
    pub(super) experiment: &'e Experiment,
    pub(super) equipment: Equipment,
    agents: BTreeMap<String, AgentClient>,
    /// What the hosts are. Stays when an agent goes away.
    facts: BTreeMap<String, HostFacts>,
    /// Hosts that cannot be reached at the moment.
    away: BTreeMap<String, Away>,
    /// Optional modes that cannot be had, by host and mode.
    skipped: BTreeSet<(String, String)>,
}

impl<'e> Fleet<'e> {
    pub(super) const fn new(experiment: &'e Experiment, equipment: Equipment) -> Self {
        Self {
            experiment,
            equipment,
            agents: BTreeMap::new(),
            facts: BTreeMap::new(),
            away: BTreeMap::new(),
            skipped: BTreeSet::new(),
        }
    }

    /// Sees to it, before anything is measured, that every host, every server and every mode of the plan can be had.
    pub(super) async fn muster(
        &mut self,
        plan: &Plan<'_>,
        observer: &mut dyn Observer,
    ) -> Result<(), RunError> {
        for host in plan.hosts() {
            self.reach(&host).await?;
            observer.on(Event::HostReady { host: &host, facts: self.facts(&host) })?;
        }
        for needed in plan.servers() {
            let (host, server) = (&needed.hosts.server, &needed.server);
            let missing = |error: CallError| RunError::Server {
                host: host.clone(),
                server: server.clone(),
                reason: error.to_string(),
            };
            let start = self.start(&needed.hosts, server, needed.args.as_deref(), false);
            let up = start.await.map_err(missing)?;
            if is_network(&needed.hosts) {
                self.round_trip(&needed.hosts.client, &up.endpoint).await.map_err(missing)?;
            }
            if let ServerSpec::External { allow_flush: true, .. } = self.experiment.servers[&needed.server]
                && !up.flushes
            {
                warn!(server, "allow_flush is not used: the server is not empty; drivers delete their keys");
            }
            observer.on(Event::ServerReady { host, server, identity: &up.identity })?;
        }
        self.prepare(plan, observer).await
    }

    /// Prepares every mode that is not built in. All that cannot be had are told together.
    async fn prepare(&mut self, plan: &Plan<'_>, observer: &mut dyn Observer) -> Result<(), RunError> {
        let mut prepared: BTreeMap<_, Option<String>> = BTreeMap::new();
        let mut missing = Vec::new();
        for (host, mode) in plan.modes() {
            let Some(spec) = self.experiment.modes.get(&mode) else { continue };
            // Modes of one family are mostly prepared by the same command.
            let what =
                (host.clone(), spec.prepare.clone(), spec.directory.clone(), spec.command.first().cloned());
            let reason = match prepared.get(&what) {
                Some(reason) => reason.clone(),
                None => {
                    observer.on(Event::Preparing { host: &host, mode: &mode, command: &spec.prepare })?;
                    let call = ModePrepare {
                        mode: mode.clone(),
                        program: program(Some(spec)),
                        prepare: spec.prepare.clone(),
                        timeout: PREPARE_WITHIN,
                    };
                    let reason = self.call(&host, call).await.err().map(|error| error.to_string());
                    prepared.insert(what, reason.clone());
                    reason
                }
            };
            let Some(reason) = reason else { continue };
            let absent = MissingMode { host: host.clone(), mode: mode.clone(), reason };
            if spec.optional {
                observer.on(Event::ModeSkipped(&absent))?;
                self.skipped.insert((host, mode));
            } else {
                missing.push(absent);
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(RunError::Modes(missing)) }
    }

    /// Whether a trial is left out because its mode is optional and cannot be had.
    pub(super) fn skips(&self, settings: &Settings) -> bool {
        // Nothing is allocated for each trial of a run that skips nothing.
        !self.skipped.is_empty()
            && self.skipped.contains(&(settings.hosts.client.clone(), settings.mode.clone()))
    }

    /// Sees to it that there is a line to the agent on `host`; an agent that went away is started anew.
    ///
    /// A host that could not be reached is left alone for a while before it is tried again: a second, and twice as long
    /// each time up to a minute.
    pub(super) async fn reach(&mut self, host: &str) -> Result<(), RunError> {
        if let Some(away) = self.away.get(host) {
            tokio::time::sleep_until(away.until).await;
        }
        let reached = self.connect(host).await;
        match &reached {
            Ok(()) => drop(self.away.remove(host)),
            Err(error) => {
                warn!(host, %error, "the host cannot be reached");
                let pause =
                    self.away.get(host).map_or(FIRST_PAUSE, |away| (away.pause * 2).min(LONGEST_PAUSE));
                self.away.insert(host.to_owned(), Away { until: Instant::now() + pause, pause });
            }
        }
        reached
    }

    /// Whether a host is another machine, which may go away and come back.
    pub(super) fn is_elsewhere(&self, host: &str) -> bool {
        self.experiment.hosts[host].transport != Transport::Local
    }

    async fn connect(&mut self, host: &str) -> Result<(), RunError> {
        if self.agents.get(host).is_some_and(|agent| !agent.is_lost()) {
            return Ok(());
        }
        if let Some(lost) = self.agents.remove(host) {
            lost.close().await;
        }
        let spec = &self.experiment.hosts[host];
        let command = agent_command(spec, &self.equipment.program);
        let (notify, notices) = mpsc::unbounded_channel();
        let (client, welcome) =
            AgentClient::connect(host, command, self.equipment.holder.clone(), notify).await?;
        tokio::spawn(log_notices(host.to_owned(), notices));
        self.agents.insert(host.to_owned(), client);
        self.facts.insert(host.to_owned(), welcome.facts);
        Ok(())
    }

    /// The line to a host, if there is one at the moment.
    pub(super) fn client(&self, host: &str) -> Option<&AgentClient> {
        self.agents.get(host)
    }

    /// Makes a call to the agent on a host that was reached.
    pub(super) async fn call<C: Call>(&self, host: &str, call: C) -> Result<C::Reply, CallError> {
        match self.client(host) {
            Some(client) => client.call(call).await,
            None => Err(CallError::Lost { host: host.to_owned() }),
        }
    }

    /// What a host that was reached is.
    pub(super) fn facts(&self, host: &str) -> &HostFacts {
        &self.facts[host]
    }

    /// Sees to it that the server of a trial is up.
    pub(super) async fn serve(&self, settings: &Settings) -> Result<ServerUp, CallError> {
        let fresh = match &self.experiment.servers[&settings.server] {
            ServerSpec::Managed { lifetime, .. } => settings.lifetime.unwrap_or(*lifetime) == Lifetime::Trial,
            ServerSpec::External { .. } => false,
        };
        self.start(&settings.hosts, &settings.server, settings.server_args.as_deref(), fresh).await
    }

    /// How long a PING takes from one host to a server on another: the median of a few.
    pub(super) async fn round_trip(&self, client: &str, endpoint: &Endpoint) -> Result<Nanos, CallError> {
        self.call(client, PathProbe { endpoint: endpoint.clone(), pings: PINGS }).await
    }

    /// Starts a server, for the network if its clients are on another host.
    pub(super) async fn start(
        &self,
        hosts: &HostPair,
        server: &str,
        args_instead: Option<&[String]>,
        fresh: bool,
    ) -> Result<ServerUp, CallError> {
        let network = is_network(hosts);
        let key = server_key(server, args_instead, network);
        let launch = self.launch(server, args_instead);
        let managed = matches!(launch, Launch::Managed { .. });
        let address = self.experiment.hosts[&hosts.server].address.clone();
        if network && managed && address.is_none() {
            let message = format!("the host has no `address` where `{}` could reach a server", hosts.client);
            return Err(AgentError::new(AgentErrorKind::Unavailable, message).into());
        }
        let mut up = self.call(&hosts.server, ServerStart { key: key.clone(), launch, fresh }).await?;
        if let Some(address) = address.filter(|_| network && managed) {
            up.endpoint = self.call(&hosts.server, ServerExpose { key, address }).await?;
        }
        Ok(up)
    }

    fn launch(&self, server: &str, args_instead: Option<&[String]>) -> Launch {
        match &self.experiment.servers[server] {
            ServerSpec::Managed { program, args, .. } => Launch::Managed {
                program: program.clone(),
                args: args_instead.map_or_else(|| args.clone(), <[String]>::to_vec),
            },
            ServerSpec::External { host, port, password_env, allow_flush } => Launch::External {
                endpoint: Endpoint {
                    host: host.clone(),
                    port: *port,
                    unix_socket: None,
                    password: password_env
                        .as_ref()
                        .and_then(|name| self.equipment.passwords.get(name).cloned()),
                },
                allow_flush: *allow_flush,
            },
        }
    }

    /// Tells every agent to stop what it started, and waits until they have.
    pub(super) async fn disband(self) {
        for agent in self.agents.into_values() {
            agent.close().await;
        }
    }
}

/// What is started to carry out trials of a mode; a built-in one has no table.
pub(super) fn program(mode: Option<&ModeSpec>) -> Program {
    let Some(mode) = mode else { return Program::BuiltIn };
    let (argv, directory) = (mode.command.clone(), mode.directory.display().to_string());
    match mode.load_generator {
        Some(generator) => Program::LoadGenerator { generator, argv, directory },
        None => Program::Command { argv, directory },
    }
}

/// Whether what a client says to its server goes from one host to another.
pub(super) fn is_network(hosts: &HostPair) -> bool {
    hosts.client != hosts.server
}

/// What a server process is called between coordinator and agent: one process for every command line, and another one
/// for clients on other hosts, so that all others stay on loopback.
pub(super) fn server_key(server: &str, args_instead: Option<&[String]>, network: bool) -> String {
    let reach = if network { " for other hosts" } else { "" };
    match args_instead {
        None => format!("{server}{reach}"),
        // With the quotes of `Debug`, so that `["a b"]` and `["a", "b"]` are two servers.
        Some(args) => format!("{server} {args:?}{reach}"),
    }
}

/// Keeps in the log what drivers say beside the protocol, whenever they say it.
async fn log_notices(host: String, mut notices: mpsc::UnboundedReceiver<Notice>) {
    while let Some(notice) = notices.recv().await {
        match notice {
            Notice::Progress { trial, operations } => debug!(host, trial, operations, "progress"),
            Notice::Stderr { trial, line } => info!(host, trial, "driver: {line}"),
        }
    }
}

/// Whether a call that failed means that a host or a server cannot be had at all.
pub(super) fn is_unavailable(error: &CallError) -> bool {
    matches!(error, CallError::Agent(error) if error.kind == AgentErrorKind::Unavailable)
}
