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
#[cfg(feature = "tls")]
use fred::types::config::{TlsConfig, TlsConnector};
use fred::types::{Builder, ConnectHandle};
#[cfg(feature = "tls")]
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};

#[cfg(feature = "tls")]
use super::connect::texts;
use super::connect::{CONNECT_TIMEOUT, not_connected};
use super::failure::Failure;
use super::tasks::{self, Seat};
#[cfg(feature = "tls")]
use crate::protocol::Tls;
use crate::protocol::{FailureKind, Job};

pub(super) use multiplexed::DRIVER as MULTIPLEXED;
pub(super) use pipe::DRIVER as PIPE;
pub(super) use set_get::DRIVER as SET_GET;

/// A test checks the version.
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
            None if endpoint.cluster => ServerConfig::new_clustered([(&endpoint.host, endpoint.port)].into()),
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
            #[cfg(feature = "tls")]
            tls: endpoint.tls.as_ref().map(tls).transpose()?,
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

/// What makes it trust a server: the files of a job.
#[cfg(feature = "tls")]
fn tls(files: &Tls) -> Result<TlsConfig, Failure> {
    let Tls { ca, cert, key } = texts(files)?;
    let Some(ca) = ca else {
        if cert.is_some() {
            let what =
                "with a client certificate, fred also needs the certificate of the server's authority (`ca`)";
            return Err(Failure::new(FailureKind::Unsupported, what));
        }
        return Ok(TlsConnector::default_rustls()?.into());
    };
    let unusable = |error: &dyn std::fmt::Display| {
        Failure::new(FailureKind::Connection, format!("TLS cannot use the certificates or the key: {error}"))
    };
    let certificates = |pem: String| -> Result<Vec<CertificateDer<'static>>, Failure> {
        let read = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>();
        read.map_err(|error| unusable(&error))
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates(ca)?);
    let builder = ClientConfig::builder().with_root_certificates(roots);
    let config = match (cert, key) {
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|error| unusable(&error))?;
            builder.with_client_auth_cert(certificates(cert)?, key).map_err(|error| unusable(&error))?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(TlsConnector::from(config).into())
}

impl Connection {
    /// To be called before each request: one that is made after the connection was lost would wait for ever.
    ///
    /// One that is made before that gets an error. On one thread nothing can happen between this check and the request.
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
