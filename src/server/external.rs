//! A server that somebody else runs: observed, never configured or stopped, and flushed only if its owner allows it and it
//! was empty when first seen.

use redis::aio::MultiplexedConnection;

use super::cluster::{self, SlotMap};
use super::info::{self, Counters};
use super::nodes::Nodes;
use super::persistence::Persistence;
use super::{client_limit, connection, description, refusal, said};
use crate::protocol::{
    AgentError, AgentErrorKind, ClientLimit, Endpoint, KeySpace, Keys, MarkSpace, Marks, ServerDescription,
    ServerIdentity, ServerReset,
};

/// Connections to somebody else's server: to a standalone server, or to all masters of a cluster.
pub(super) struct External {
    key: String,
    name: String,
    pub(super) endpoint: Endpoint,
    allow_flush: bool,
    /// Whether FLUSHALL may be sent. Decided when a server process is first seen, and never relaxed.
    pub(super) flushes: bool,
    pub(super) identity: ServerIdentity,
    /// How many clients it accepts, where it reports this.
    pub(super) clients: Option<ClientLimit>,
    pub(super) baseline: Counters,
    /// What was counted when the driver said that it was done, if that was noted since the baseline.
    pub(super) at_done: Option<Counters>,
    /// Keys that were put there for a workload and are still there.
    filled: Option<KeySpace>,
    nodes: Nodes,
}

impl External {
    /// First contact with a server.
    pub(super) async fn meet(key: &str, endpoint: &Endpoint, allow_flush: bool) -> Result<Self, AgentError> {
        let name = format!("server `{key}` at {}:{}", endpoint.host, endpoint.port);
        let unavailable =
            |what: String| AgentError::new(AgentErrorKind::Unavailable, format!("{name} {what}"));
        let (mut connection, info) = match first_sight(endpoint).await {
            Ok(seen) => seen,
            Err(error) => return Err(unavailable(refusal::explain(endpoint, &error).await)),
        };
        if let Some(what) = refusal::unsuitable(&info, endpoint.cluster) {
            return Err(unavailable(what));
        }
        let mut identity =
            info::identity(&info).ok_or_else(|| unavailable("does not tell its version".to_owned()))?;
        let (mut seen, slots) = if endpoint.cluster {
            masters_of(endpoint, &mut connection).await.map_err(unavailable)?
        } else {
            (vec![(connection, info)], SlotMap::alone())
        };
        identity.masters = endpoint.cluster.then_some(seen.len() as u32);
        let mut clients: Option<ClientLimit> = None;
        for (connection, info) in &mut seen {
            let of_one = client_limit(connection, info).await;
            clients = clients.into_iter().chain(of_one).min_by_key(|limit| limit.most);
        }
        let (connections, infos): (Vec<_>, Vec<_>) = seen.into_iter().unzip();
        let nodes = Nodes::new(connections, slots);
        let baseline = Counters::of_all(&infos);
        // INFO counts the keys of all databases, DBSIZE only those of one; FLUSHALL would remove all of them.
        let flushes = allow_flush && baseline.is_empty();
        Ok(Self {
            key: key.to_owned(),
            name,
            endpoint: endpoint.clone(),
            allow_flush,
            flushes,
            identity,
            clients,
            baseline,
            at_done: None,
            filled: None,
            nodes,
        })
    }

    /// Whether this is the server that `endpoint` and `allow_flush` describe.
    pub(super) fn is(&self, endpoint: &Endpoint, allow_flush: bool) -> bool {
        self.endpoint == *endpoint && self.allow_flush == allow_flush
    }

    /// Records whether it persists; a server that does not say is not checked.
    pub(super) async fn look_at_persistence(&mut self) -> Result<(), AgentError> {
        let connection = self.nodes.any().clone();
        let get = |name: &'static str| {
            let mut connection = connection.clone();
            async move {
                redis::cmd("CONFIG").arg("GET").arg(name).query_async::<Vec<String>>(&mut connection).await
            }
        };
        match tokio::try_join!(get("save"), get("appendonly")) {
            Ok((save, appendonly)) => {
                let answer = |reply: Vec<String>| reply.into_iter().nth(1).unwrap_or_default();
                self.identity.persistence = Persistence::answered(&answer(save), &answer(appendonly)).is_on();
            }
            // A managed service refuses CONFIG; the connection itself must still be good. What answers there now may be
            // another server, or the same one after a restart, with keys that matter to somebody: it is treated as a new
            // server, and may be flushed only if it, too, is empty.
            Err(error) if error.is_io_error() || error.is_timeout() => {
                let met = Self::meet(&self.key, &self.endpoint, self.allow_flush).await?;
                if self.flushes && !met.flushes {
                    tracing::warn!("{} is not empty any more: it will not be flushed", self.name);
                }
                *self = Self { flushes: met.flushes && self.flushes, filled: self.filled.take(), ..met };
            }
            Err(error) => tracing::info!("{} does not tell whether it persists: {}", self.name, said(&error)),
        }
        Ok(())
    }

    /// Details beyond its identity. Its program is not ours to look for.
    pub(super) async fn describe(&mut self) -> ServerDescription {
        ServerDescription { program_sha256: None, config: description::config(self.nodes.any()).await }
    }

    /// Empties it if that is permitted, and takes the baseline.
    pub(super) async fn reset(&mut self, request: &ServerReset) -> Result<(), AgentError> {
        let keys = request.keys;
        if keys == Keys::Flush {
            self.empty().await?;
        }
        self.nodes
            .clear_marks(&request.marks)
            .await
            .map_err(|error| self.failed("did not answer DEL", &error))?;
        self.baseline = self.count().await?;
        self.at_done = None;
        if self.flushes && keys == Keys::Flush && !self.baseline.is_empty() {
            let message =
                format!("{} holds keys right after FLUSHALL: somebody else writes to it", self.name);
            return Err(AgentError::new(AgentErrorKind::Failed, message));
        }
        Ok(())
    }

    /// Removes all keys where that is permitted, and otherwise only those that were put there for a workload.
    async fn empty(&mut self) -> Result<(), AgentError> {
        let filled = self.filled.take();
        if self.flushes {
            self.nodes.flush().await.map_err(|error| self.failed("did not answer FLUSHALL", &error))?;
        } else if let Some(space) = filled {
            self.nodes.delete(&space).await.map_err(|error| self.failed("did not answer DEL", &error))?;
        }
        Ok(())
    }

    /// Puts keys there for a workload.
    pub(super) async fn fill(&mut self, space: &KeySpace) -> Result<(), AgentError> {
        self.empty().await?;
        // Some of them may be there even if this fails.
        self.filled = Some(space.clone());
        self.nodes.write(space).await.map_err(|error| self.failed("did not answer SET", &error))
    }

    /// Leaves it as it was found: empty, where it may be flushed, and without keys that were put there.
    pub(super) async fn leave(mut self) {
        if let Err(error) = self.empty().await {
            tracing::warn!("{} is left with keys of the last trial: {error}", self.name);
        }
    }

    /// What operations have marked, if some do.
    pub(super) async fn marks(&mut self, spaces: &[MarkSpace]) -> Result<Option<Marks>, AgentError> {
        let marks = self.nodes.marks(spaces).await;
        marks.map_err(|error| self.failed("did not answer GETRANGE", &error))
    }

    /// Everything counted so far, whoever caused it.
    pub(super) async fn count(&mut self) -> Result<Counters, AgentError> {
        let infos = self.nodes.info().await.map_err(|error| self.failed("did not answer INFO", &error))?;
        Ok(Counters::of_all(&infos))
    }

    fn failed(&self, what: &str, error: &redis::RedisError) -> AgentError {
        AgentError::new(AgentErrorKind::Failed, format!("{} {what}: {}", self.name, said(error)))
    }
}

/// A connection, and what the server says about itself.
async fn first_sight(endpoint: &Endpoint) -> redis::RedisResult<(MultiplexedConnection, String)> {
    let mut connection = connection::to(endpoint).await?;
    let info = redis::cmd("INFO").arg("all").query_async(&mut connection).await?;
    Ok((connection, info))
}

/// Connections to all masters of the cluster that a node belongs to, each with what it says about itself, and which of them
/// has which keys; or what is wrong, as the end of a sentence.
async fn masters_of(
    endpoint: &Endpoint,
    node: &mut MultiplexedConnection,
) -> Result<(Vec<(MultiplexedConnection, String)>, SlotMap), String> {
    let told = cluster::masters(node, &endpoint.host).await;
    let (masters, slots) =
        told.map_err(|error| format!("did not answer CLUSTER SLOTS: {}", said(&error)))??;
    let mut seen = Vec::with_capacity(masters.len());
    for (host, port) in masters {
        let of = |what: String| format!("has a master at {host}:{port} that {what}");
        let master = Endpoint { host: host.clone(), port, ..endpoint.clone() };
        let met = match first_sight(&master).await {
            Ok(met) => met,
            Err(error) => return Err(of(refusal::explain(&master, &error).await)),
        };
        if let Some(what) = refusal::unsuitable(&met.1, true) {
            return Err(of(what));
        }
        seen.push(met);
    }
    Ok((seen, slots))
}
