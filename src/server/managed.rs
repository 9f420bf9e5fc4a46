//! A server that we start: a standalone process, or the masters of a cluster, which are one server to their clients.

use tokio::time::Instant;

use super::certificate::Certificate;
use super::cluster::{self, SlotMap};
use super::info::Counters;
use super::nodes::Nodes;
use super::process::{Process, READY_WITHIN, Recipe};
use super::said;
use super::server_dirs::{ServerDirectory, ServerDirs};
use crate::experiment::Address;
use crate::protocol::{
    AgentError, AgentErrorKind, ClientLimit, Endpoint, KeySpace, Keys, MarkSpace, Marks, ServerDescription,
    ServerIdentity, ServerReset,
};

/// A server of ours. Its processes are killed, and their directories removed, on drop.
pub(super) struct Managed {
    /// As shown in messages: ``server `redis` ``.
    name: String,
    program: String,
    args: Vec<String>,
    address: Option<Address>,
    masters: Option<u32>,
    /// One, or the masters of a cluster; never empty.
    processes: Vec<Process>,
    slots: SlotMap,
    pub(super) baseline: Counters,
    /// What was counted when the driver said that it was done, if that was noted since the baseline.
    pub(super) at_done: Option<Counters>,
    /// The keys of the last [`Self::fill`].
    filled: i64,
    /// The directory of the certificate that they share, if they speak TLS.
    certificate: Option<ServerDirectory>,
}

impl Managed {
    /// Starts it and waits until it answers.
    pub(super) async fn start(recipe: Recipe<'_>, dirs: &mut ServerDirs) -> Result<Self, AgentError> {
        let (certificate, directory) = match recipe.tls.then(|| certificate(recipe, dirs)).transpose()? {
            Some((made, directory)) => (Some(made), Some(directory)),
            None => (None, None),
        };
        let mut processes = Vec::new();
        for _ in 0..recipe.masters.unwrap_or(1) {
            processes.push(Process::start(recipe, certificate.as_ref(), dirs).await?);
        }
        let name = format!("server `{}`", recipe.key);
        let slots = if recipe.masters.is_some() { join(&name, &processes).await? } else { SlotMap::alone() };
        Ok(Self {
            name,
            program: recipe.program.to_owned(),
            args: recipe.args.to_vec(),
            address: recipe.address.cloned(),
            masters: recipe.masters,
            processes,
            slots,
            baseline: Counters::default(),
            at_done: None,
            filled: 0,
            certificate: directory,
        })
    }

    /// Whether starting it anew from this recipe would give the same server.
    pub(super) fn is(&self, recipe: Recipe<'_>) -> bool {
        self.program == recipe.program
            && self.args == recipe.args
            && self.address.as_ref() == recipe.address
            && self.masters == recipe.masters
            && self.certificate.is_some() == recipe.tls
    }

    /// Its endpoint; for a cluster, that of one of its nodes.
    pub(super) fn endpoint(&self) -> Endpoint {
        self.of_all(self.processes[0].endpoint.clone())
    }

    /// Where it speaks TLS, if it does.
    pub(super) fn tls_endpoint(&self) -> Option<Endpoint> {
        self.processes[0].tls_endpoint().map(|endpoint| self.of_all(endpoint))
    }

    fn of_all(&self, endpoint: Endpoint) -> Endpoint {
        match self.masters {
            None => endpoint,
            // The others are reached over TCP alone.
            Some(_) => Endpoint { cluster: true, unix_socket: None, ..endpoint },
        }
    }

    /// Its identity. All its processes run the same program.
    pub(super) fn identity(&self) -> ServerIdentity {
        ServerIdentity { masters: self.masters, ..self.processes[0].identity.clone() }
    }

    /// How many clients it accepts, where it reports this. A client of a cluster is a client of each node.
    pub(super) fn clients(&self) -> Option<ClientLimit> {
        self.processes.iter().filter_map(|process| process.clients).min_by_key(|limit| limit.most)
    }

    /// The numbers of its processes, as long as they live.
    pub(super) fn pids(&self) -> impl Iterator<Item = u32> {
        self.processes.iter().filter_map(Process::pid)
    }

    /// How one of its processes died, if one did: ``server `redis` died: signal 9 (SIGKILL); …``.
    pub(super) fn death(&mut self) -> Option<&str> {
        self.processes.iter_mut().find_map(Process::death)
    }

    /// Whether one of its processes is dead or dying: connections break a moment before the end of a process is noticed.
    pub(super) async fn dies(&mut self) -> bool {
        for process in &mut self.processes {
            if process.dies().await {
                return true;
            }
        }
        false
    }

    /// Makes sure that it persists what its command line says and nothing else.
    pub(super) async fn check_persistence(&mut self) -> Result<(), AgentError> {
        for process in &mut self.processes {
            process.check_persistence().await?;
        }
        Ok(())
    }

    /// Empties it, or leaves only the keys that were put there, resets its statistics, and takes the baseline.
    pub(super) async fn reset(&mut self, request: &ServerReset) -> Result<(), AgentError> {
        let keys = request.keys;
        if keys == Keys::Flush {
            self.empty().await?;
        }
        if let Err(error) = self.nodes().clear_marks(&request.marks).await {
            return Err(self.explain("DEL", &error).await);
        }
        let baseline = match self.nodes().reset_info().await {
            Ok(infos) => self.counters(&infos)?,
            Err(error) => return Err(self.explain("CONFIG RESETSTAT and INFO", &error).await),
        };
        if keys != Keys::Keep && baseline.keys() != self.filled {
            let (holds, filled) = (baseline.keys(), self.filled);
            return Err(self.failed(&format!("holds {holds} keys, and not the {filled} that were put there")));
        }
        self.baseline = baseline;
        self.at_done = None;
        Ok(())
    }

    async fn empty(&mut self) -> Result<(), AgentError> {
        self.filled = 0;
        let mut nodes = self.nodes();
        if let Err(error) = nodes.flush().await {
            return Err(self.explain("FLUSHALL", &error).await);
        }
        match nodes.keys().await {
            Ok(0) => Ok(()),
            Ok(keys) => {
                Err(self
                    .failed(&format!("holds {keys} keys right after FLUSHALL: somebody else writes to it")))
            }
            Err(error) => Err(self.explain("DBSIZE", &error).await),
        }
    }

    /// Empties it, and puts keys there.
    pub(super) async fn fill(&mut self, space: &KeySpace) -> Result<(), AgentError> {
        self.empty().await?;
        if let Err(error) = self.nodes().write(space).await {
            return Err(self.explain("SET", &error).await);
        }
        self.filled = i64::try_from(space.keys).unwrap_or(i64::MAX);
        Ok(())
    }

    /// What operations have marked, if some do.
    pub(super) async fn marks(&mut self, spaces: &[MarkSpace]) -> Result<Option<Marks>, AgentError> {
        match self.nodes().marks(spaces).await {
            Ok(marks) => Ok(marks),
            Err(error) => Err(self.explain("GETRANGE", &error).await),
        }
    }

    /// Everything counted until now.
    pub(super) async fn count(&mut self) -> Result<Counters, AgentError> {
        match self.nodes().info().await {
            Ok(infos) => self.counters(&infos),
            Err(error) => Err(self.explain("INFO", &error).await),
        }
    }

    fn counters(&self, infos: &[String]) -> Result<Counters, AgentError> {
        let counters = Counters::of_all(infos);
        match counters.lacks() {
            None => Ok(counters),
            Some(counter) => Err(self.failed(&format!("has no `{}` in its INFO", counter.place()))),
        }
    }

    /// Binds all threads of its processes to `cpus`; costs nothing if they already are.
    pub(super) fn bind(&mut self, cpus: &[u32]) -> Result<(), AgentError> {
        self.processes.iter_mut().try_for_each(|process| process.bind(cpus))
    }

    /// Stops it. Nothing is saved: its directories go with it.
    pub(super) async fn stop(self) {
        for process in self.processes {
            process.stop().await;
        }
    }

    /// Details beyond its identity.
    pub(super) async fn describe(&mut self) -> ServerDescription {
        self.processes[0].describe().await
    }

    /// The connections of the processes, which may have been renewed.
    fn nodes(&self) -> Nodes {
        let connections = self.processes.iter().map(|process| process.connection.clone()).collect();
        Nodes::new(connections, self.slots.clone())
    }

    fn failed(&self, what: &str) -> AgentError {
        AgentError::new(AgentErrorKind::Failed, format!("{} {what}", self.name))
    }

    /// A server that does not answer has often died; in that case the death is the reason.
    async fn explain(&mut self, command: &str, error: &redis::RedisError) -> AgentError {
        if error.is_io_error() {
            self.dies().await;
        }
        let dead = self.processes.iter_mut().position(|process| process.death().is_some());
        self.processes[dead.unwrap_or(0)].explain(command, error).await
    }
}

/// A certificate for all processes of a server, and its directory.
fn certificate(
    recipe: Recipe<'_>,
    dirs: &mut ServerDirs,
) -> Result<(Certificate, ServerDirectory), AgentError> {
    let names = ["127.0.0.1", "localhost"].into_iter().chain(recipe.address.map(|address| &*address.host));
    let names: Vec<&str> = names.collect();
    let made = dirs
        .for_a_server()
        .and_then(|directory| Certificate::make(directory.path(), &names).map(|made| (made, directory)));
    made.map_err(|error| {
        let what = format!("{} cannot have a certificate for TLS: {error}", recipe.program);
        AgentError::new(AgentErrorKind::Unavailable, what)
    })
}

/// Makes a cluster of the processes.
async fn join(name: &str, processes: &[Process]) -> Result<SlotMap, AgentError> {
    let failed = |what: String| {
        let log = processes[0].log_tail();
        AgentError::new(AgentErrorKind::Failed, format!("{name} does not become a cluster: {what}{log}"))
    };
    let mut nodes: Vec<_> = processes.iter().filter_map(Process::candidate).collect();
    match cluster::form(&mut nodes, Instant::now() + READY_WITHIN).await {
        Ok(Some(slots)) => Ok(slots),
        Ok(None) => Err(failed(format!("it is not complete after {}s", READY_WITHIN.as_secs()))),
        Err(error) => Err(failed(said(&error))),
    }
}
