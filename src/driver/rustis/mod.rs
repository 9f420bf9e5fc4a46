//! The library rustis, which sends what all users of a client ask for on one connection, through a task of its own:
//! how it connects, and what its errors mean. It speaks RESP3 and so needs Redis 6 or newer.

mod multiplexed;
mod pipe;
mod queue;
mod set_get;

use std::sync::Arc;

use rustis::ClientError;
use rustis::client::{
    Client, ClusterConfig, Config, CustomReconnectionPolicy, ExclusiveClient, ReconnectionConfig,
    ServerConfig,
};

use super::connect::{CONNECT_TIMEOUT, not_connected};
use super::failure::Failure;
use super::tasks::{Connection, Seat};
use crate::experiment::Support;
use crate::protocol::{Endpoint, FailureKind, Job};

pub(super) use multiplexed::DRIVER as MULTIPLEXED;
pub(super) use pipe::DRIVER as PIPE;
pub(super) use set_get::DRIVER as SET_GET;

/// A test checks the version.
const CLIENT: &str = "rustis 0.27.2";

/// What it supports of a connection. Its TLS would bring a second library for cryptography into the build.
const SUPPORTS: &[Support] = &[Support::Username, Support::Db, Support::Cluster];
/// And what it supports where it sends several commands at once, which on a cluster would all go to one node.
const PIPELINE_SUPPORTS: &[Support] = &[Support::Username, Support::Db];

impl Connection for Client {
    async fn open(job: Arc<Job>, _: Seat) -> Result<Self, Failure> {
        let endpoint = &job.server;
        Self::connect(config(endpoint)).await.map_err(|error| not_connected(endpoint, error))
    }
}

/// The only kind of client that has blocking commands.
#[derive(Clone)]
struct Exclusive(Arc<ExclusiveClient>);

impl Connection for Exclusive {
    async fn open(job: Arc<Job>, _: Seat) -> Result<Self, Failure> {
        let endpoint = &job.server;
        let connected = ExclusiveClient::connect(config(endpoint)).await;
        connected.map(|client| Self(Arc::new(client))).map_err(|error| not_connected(endpoint, error))
    }
}

/// It sends without Nagle's delay and waits for a reply as long as it takes, as it does by itself.
fn config(endpoint: &Endpoint) -> Config {
    let mut config = Config::default();
    config.server = match &endpoint.unix_socket {
        Some(path) => ServerConfig::UnixSocket { path: path.into() },
        None if endpoint.cluster => {
            let mut cluster = ClusterConfig::default();
            cluster.nodes = vec![(endpoint.host.clone(), endpoint.port)];
            // A trial is short, and nobody else may change its server.
            cluster.topology_refresh_interval = None;
            ServerConfig::Cluster(cluster)
        }
        None => ServerConfig::Standalone { host: endpoint.host.clone(), port: endpoint.port },
    };
    config.username.clone_from(&endpoint.username);
    config.password.clone_from(&endpoint.password);
    config.database = endpoint.db as usize;
    config.connect_timeout = CONNECT_TIMEOUT;
    config.reconnection = ReconnectionConfig::Custom(CustomReconnectionPolicy::new(|_attempt| None));
    // By default it refuses more than 16 MiB under way, which a large pipeline of large values may exceed.
    config.backpressure.max_queued_bytes = 0;
    config
}

impl From<rustis::Error> for Failure {
    fn from(error: rustis::Error) -> Self {
        // The latter is what a request gets that is made after a connection was lost.
        let lost = error.is_connection_error()
            || matches!(error.kind(), rustis::ErrorKind::Client(ClientError::DisconnectedFromServer));
        Self::new(if lost { FailureKind::Connection } else { FailureKind::Other }, error.to_string())
    }
}
