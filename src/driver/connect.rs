//! The way to a server: TCP without Nagle's delay or a Unix socket, with or without a password.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::cluster::{ClusterClient, ClusterConnection};
use redis::cluster_async::ClusterConnection as AsyncClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, ProtocolVersion};
use tokio::sync::Mutex;

use super::failure::Failure;
use super::script::Words;
use super::tasks::{Connection, Seat};
use crate::protocol::{Endpoint, FailureKind, Job, Tls};
use crate::server::{address, cluster_with_tls, with_tls};
use crate::setting::Scalar;

/// Long enough for hundreds of connections at once over a slow link; a server that is not there refuses sooner.
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// What is said when a library could not connect.
pub(super) fn not_connected(endpoint: &Endpoint, error: impl Display) -> Failure {
    let name = match &endpoint.unix_socket {
        Some(path) => path.clone(),
        None => format!("{}:{}", endpoint.host, endpoint.port),
    };
    Failure::new(FailureKind::Connection, format!("failed to connect to {name}: {error}"))
}

/// Where all workers connect to, and how.
fn info(job: &Job) -> Result<ConnectionInfo, Failure> {
    let endpoint = &job.server;
    // The library leaves Nagle's algorithm on, which holds back the second of two small writes.
    let info =
        address(endpoint).into_connection_info()?.set_tcp_settings(TcpSettings::default().set_nodelay(true));
    let mut redis = info.redis_settings().clone().set_db(i64::from(endpoint.db));
    if let Some(username) = &endpoint.username {
        redis = redis.set_username(username);
    }
    if let Some(password) = &endpoint.password {
        redis = redis.set_password(password);
    }
    if job.options.get("protocol") == Some(&Scalar::Number(3)) {
        redis = redis.set_protocol(ProtocolVersion::RESP3);
    }
    Ok(info.set_redis_settings(redis))
}

/// A client of one server.
fn client(job: &Job) -> Result<Client, Failure> {
    let info = info(job)?;
    Ok(match &job.server.tls {
        Some(files) => with_tls(info, &texts(files)?)?,
        None => Client::open(info)?,
    })
}

/// A client of a cluster. A node that is lost fails what is sent to it, as a server that stands alone does.
fn cluster_client(job: &Job) -> Result<ClusterClient, Failure> {
    let info = info(job)?;
    let builder = ClusterClient::builder([info])
        .tcp_settings(TcpSettings::default().set_nodelay(true))
        .connection_timeout(CONNECT_TIMEOUT)
        .retries(0);
    Ok(match &job.server.tls {
        Some(files) => cluster_with_tls(builder, &texts(files)?)?,
        None => builder.build()?,
    })
}

/// A blocking connection of redis-rs, to a server or to a cluster.
pub(super) trait Blocking: redis::ConnectionLike + Send + Sized + 'static {
    /// What connections are made from; may be shared by threads.
    type Client: Clone + Send + Sync + 'static;

    fn client(job: &Job) -> Result<Self::Client, Failure>;

    fn connect(client: &Self::Client) -> redis::RedisResult<Self>;

    /// A single connection.
    fn open(job: &Job) -> Result<Self, Failure> {
        Self::connect(&Self::client(job)?).map_err(|error| not_connected(&job.server, error))
    }
}

impl Blocking for redis::Connection {
    type Client = Client;

    fn client(job: &Job) -> Result<Client, Failure> {
        client(job)
    }

    fn connect(client: &Client) -> redis::RedisResult<Self> {
        client.get_connection_with_timeout(CONNECT_TIMEOUT)
    }
}

impl Blocking for ClusterConnection {
    type Client = ClusterClient;

    fn client(job: &Job) -> Result<ClusterClient, Failure> {
        cluster_client(job)
    }

    fn connect(client: &ClusterClient) -> redis::RedisResult<Self> {
        client.get_connection()
    }
}

/// The contents of the files that a driver is given the paths of.
pub(super) fn texts(files: &Tls) -> Result<Tls, Failure> {
    let text = |path: &Option<String>| {
        let read = |path: &String| {
            std::fs::read_to_string(path).map_err(|error| {
                Failure::new(FailureKind::Connection, format!("failed to read {path} for TLS: {error}"))
            })
        };
        path.as_ref().map(read).transpose()
    };
    Ok(Tls { ca: text(&files.ca)?, cert: text(&files.cert)?, key: text(&files.key)? })
}

/// A command of redis-rs, made of words that exist already.
pub(super) fn command(words: &Words) -> Cmd {
    let mut command = Cmd::new();
    for word in words {
        command.arg(word.as_slice());
    }
    command
}

impl Connection for MultiplexedConnection {
    /// It waits for a reply as long as it takes: a trial has a timeout of its own, and one here (half a second, by
    /// default) would add a timer to every request.
    async fn open(job: Arc<Job>, _: Seat) -> Result<Self, Failure> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(None);
        let connected = client(&job)?.get_multiplexed_async_connection_with_config(&config).await;
        connected.map_err(|error| not_connected(&job.server, error))
    }
}

impl Connection for AsyncClusterConnection {
    async fn open(job: Arc<Job>, _: Seat) -> Result<Self, Failure> {
        let connected = cluster_client(&job)?.get_async_connection().await;
        connected.map_err(|error| not_connected(&job.server, error))
    }
}

/// A connection that sends, or one that hears what others publish.
#[derive(Clone)]
pub(super) enum Line {
    Speaks(MultiplexedConnection),
    /// Used by one task at a time.
    Hears(Arc<Mutex<PubSub>>),
}

impl Connection for Line {
    async fn open(job: Arc<Job>, seat: Seat) -> Result<Self, Failure> {
        if seat == Seat::Pusher {
            return MultiplexedConnection::open(job, seat).await.map(Self::Speaks);
        }
        let pubsub = client(&job)?.get_async_pubsub().await;
        let pubsub = pubsub.map_err(|error| not_connected(&job.server, error))?;
        Ok(Self::Hears(Arc::new(Mutex::new(pubsub))))
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
