//! The way to a server: TCP without Nagle's delay or a Unix socket, with or without a password.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, Connection, ConnectionAddr, IntoConnectionInfo, RedisError};

use super::failure::Failure;
use crate::protocol::{Endpoint, FailureKind};

/// Long enough for hundreds of connections at once over a slow link; a server that is not there refuses sooner.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where all workers connect to.
#[derive(Clone)]
pub(super) struct Server {
    client: Client,
    name: String,
}

impl Server {
    pub(super) fn new(endpoint: &Endpoint) -> Result<Self, Failure> {
        let (addr, name) = match &endpoint.unix_socket {
            Some(path) => (ConnectionAddr::Unix(path.into()), path.clone()),
            None => (
                ConnectionAddr::Tcp(endpoint.host.clone(), endpoint.port),
                format!("{}:{}", endpoint.host, endpoint.port),
            ),
        };
        // The library leaves Nagle's algorithm on, which holds back the second of two small writes.
        let mut info =
            addr.into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        if let Some(password) = &endpoint.password {
            let redis = info.redis_settings().clone().set_password(password);
            info = info.set_redis_settings(redis);
        }
        Ok(Self { client: Client::open(info)?, name })
    }

    /// A blocking connection.
    pub(super) fn connect(&self) -> Result<Connection, Failure> {
        self.client.get_connection_with_timeout(CONNECT_TIMEOUT).map_err(|error| self.failure(&error))
    }

    /// An asynchronous connection; clones of it share one socket. It waits for a reply as long as it takes: a trial
    /// has a timeout of its own, and one here (half a second, by default) would add a timer to every request.
    pub(super) async fn connect_async(&self) -> Result<MultiplexedConnection, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None);
        let connected = self.client.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(|error| self.failure(&error))
    }

    fn failure(&self, error: &RedisError) -> Failure {
        Failure::new(FailureKind::Connection, format!("failed to connect to {}: {error}", self.name))
    }
}

/// Lets this process have as many files open as `workers` may need (a socket and a timer each), if the system allows
/// it. Where it does not, connecting says so.
pub(super) fn allow_open_files(workers: u32) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = 2 * u64::from(workers) + 64;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < wanted) {
        let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Refused only if the maximum is a lie, as on macOS; the old limit then stays.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum });
    }
}
