//! The library fred, which sends what all users of a client ask for on one connection, through a task of its own: how
//! it connects, and what its errors mean.

mod multiplexed;
mod pipe;
mod queue;
mod set_get;

use std::sync::Arc;

use fred::clients::Client;
use fred::error::ErrorKind;
use fred::interfaces::ClientLike as _;
use fred::types::config::{Config, ServerConfig};
use fred::types::{Builder, ConnectHandle};

use super::connect::{CONNECT_TIMEOUT, not_connected};
use super::failure::Failure;
use super::tasks::{self, Seat};
use crate::protocol::{FailureKind, Job};

pub(super) use multiplexed::DRIVER as MULTIPLEXED;
pub(super) use pipe::DRIVER as PIPE;
pub(super) use set_get::DRIVER as SET_GET;

/// A test keeps the version.
const CLIENT: &str = "fred 10.1.0";

#[derive(Clone)]
struct Connection {
    client: Client,
    /// The task that sends and receives. Without a policy for reconnecting it ends when the connection does.
    router: Arc<ConnectHandle>,
}

impl tasks::Connection for Connection {
    /// It waits for a reply as long as it takes, as it does by itself.
    async fn open(job: Arc<Job>, _: Seat) -> Result<Self, Failure> {
        let endpoint = &job.server;
        let server = match &endpoint.unix_socket {
            Some(path) => ServerConfig::Unix { path: path.into() },
            None => ServerConfig::new_centralized(&endpoint.host, endpoint.port),
        };
        let database = u8::try_from(endpoint.db)
            .map_err(|_| Failure::new(FailureKind::Unsupported, "fred selects databases up to 255 only"))?;
        let database = Some(database).filter(|db| *db != 0);
        let config = Config {
            server,
            username: endpoint.username.clone(),
            password: endpoint.password.clone(),
            database,
            ..Config::default()
        };
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                // The library leaves Nagle's algorithm on, which holds back the second of two small writes.
                connection.tcp.nodelay = Some(true);
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
            })
            .build()?;
        let router = client.init().await.map_err(|error| not_connected(endpoint, error))?;
        Ok(Self { client, router: Arc::new(router) })
    }
}

impl Connection {
    /// To be asked before each request: one that comes after the connection was lost would wait for ever.
    ///
    /// One that comes before is told. On one thread nothing can happen between the question and the request.
    fn check(&self) -> Result<(), Failure> {
        if self.router.is_finished() {
            return Err(Failure::new(FailureKind::Connection, "the connection was lost"));
        }
        Ok(())
    }
}

impl From<fred::error::Error> for Failure {
    fn from(error: fred::error::Error) -> Self {
        let lost = matches!(error.kind(), ErrorKind::IO | ErrorKind::Canceled | ErrorKind::Timeout);
        Self::new(if lost { FailureKind::Connection } else { FailureKind::Other }, error.to_string())
    }
}
