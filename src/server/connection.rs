//! Connections to servers, used only by the agent.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, IntoConnectionInfo, RedisConnectionInfo, RedisResult,
};

use crate::protocol::{Endpoint, Tls};

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// A FLUSHALL of many keys takes a while.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// A connection to a server, in its database and as its user.
pub(super) async fn to(endpoint: &Endpoint) -> RedisResult<MultiplexedConnection> {
    let mut settings = RedisConnectionInfo::default().set_skip_set_lib_name().set_db(i64::from(endpoint.db));
    if let Some(username) = &endpoint.username {
        settings = settings.set_username(username);
    }
    if let Some(password) = &endpoint.password {
        settings = settings.set_password(password);
    }
    let info = address(endpoint)
        .into_connection_info()?
        .set_tcp_settings(TcpSettings::default().set_nodelay(true))
        .set_redis_settings(settings);
    let client = match &endpoint.tls {
        Some(tls) => with_tls(info, tls)?,
        None => Client::open(info)?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_WITHIN))
        .set_response_timeout(Some(ANSWER_WITHIN));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// Where a server is, in the terms of redis-rs.
pub(crate) fn address(endpoint: &Endpoint) -> ConnectionAddr {
    let (host, port) = (endpoint.host.clone(), endpoint.port);
    match (&endpoint.unix_socket, &endpoint.tls) {
        (Some(path), _) => ConnectionAddr::Unix(path.into()),
        (None, None) => ConnectionAddr::Tcp(host, port),
        (None, Some(_)) => ConnectionAddr::TcpTls { host, port, insecure: false, tls_params: None },
    }
}

/// A client that trusts the server by `tls`, whose fields contain the texts of PEM files.
#[cfg(feature = "tls")]
pub(crate) fn with_tls(info: redis::ConnectionInfo, tls: &Tls) -> RedisResult<Client> {
    Client::build_with_tls(info, certificates(tls))
}

/// The same for a cluster.
#[cfg(feature = "tls")]
pub(crate) fn cluster_with_tls(builder: ClusterClientBuilder, tls: &Tls) -> RedisResult<ClusterClient> {
    builder.certs(certificates(tls)).build()
}

#[cfg(feature = "tls")]
fn certificates(tls: &Tls) -> redis::TlsCertificates {
    let client_tls = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            Some(redis::ClientTlsConfig { client_cert: cert.clone().into(), client_key: key.clone().into() })
        }
        _ => None,
    };
    redis::TlsCertificates { client_tls, root_cert: tls.ca.clone().map(String::into_bytes) }
}

#[cfg(not(feature = "tls"))]
pub(crate) fn cluster_with_tls(_: ClusterClientBuilder, _: &Tls) -> RedisResult<ClusterClient> {
    Err((redis::ErrorKind::InvalidClientConfig, super::WITHOUT_TLS).into())
}

#[cfg(not(feature = "tls"))]
pub(crate) fn with_tls(_: redis::ConnectionInfo, _: &Tls) -> RedisResult<Client> {
    Err((redis::ErrorKind::InvalidClientConfig, super::WITHOUT_TLS).into())
}
