//! Servers that cells may name.

use std::path::PathBuf;

use serde::Serialize;

use super::{Directory, Lifetime, Support};

/// A server that cells may name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerSpec {
    /// One that orchestrate starts and stops.
    Managed {
        /// Looked up on the server host's PATH.
        program: String,
        /// Its command line, without what orchestrate adds itself (port, sockets, directory).
        args: Vec<String>,
        /// How long one process serves.
        lifetime: Lifetime,
        /// The number of masters of a cluster, which has no replicas; absent: one process stands alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        cluster: Option<u32>,
        /// What is run before it is started for the first time. Not part of a cell's identity.
        #[serde(skip)]
        preparation: Option<Preparation>,
    },
    /// One that somebody else runs: never flushed (unless allowed), configured or stopped.
    External {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// The ACL user; the server's default user if absent.
        username: Option<String>,
        /// The environment variable of the coordinator that holds the password.
        password_env: Option<String>,
        /// The database to work in.
        db: u32,
        /// Present if it speaks TLS at its address.
        tls: Option<TlsFiles>,
        /// Whether the address is that of a node of a cluster, which is measured as a whole.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        cluster: bool,
        /// FLUSHALL is permitted if the server was empty at first sight.
        allow_flush: bool,
    },
}

impl ServerSpec {
    /// What a client of the server must be able to do beside connecting to a host and a port.
    pub(super) fn demands(&self) -> impl Iterator<Item = Support> {
        let (username, db, tls) = match self {
            Self::Managed { .. } => (false, false, false),
            Self::External { username, db, tls, .. } => (username.is_some(), *db != 0, tls.is_some()),
        };
        let demands = [
            (Support::Cluster, self.is_cluster()),
            (Support::Username, username),
            (Support::Db, db),
            (Support::Tls, tls),
        ];
        demands.into_iter().filter_map(|(support, is_demanded)| is_demanded.then_some(support))
    }

    /// Whether it is a cluster, whose keys are spread over several nodes.
    pub(super) const fn is_cluster(&self) -> bool {
        match self {
            Self::Managed { cluster, .. } => cluster.is_some(),
            Self::External { cluster, .. } => *cluster,
        }
    }
}

/// What makes the program of a server available.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preparation {
    /// Program and arguments, run in `directory`.
    pub command: Vec<String>,
    /// The directory of the file that names the server, from which a program with a slash is looked up.
    pub directory: Directory,
}

/// Files in PEM by which a client and a server know each other. The coordinator reads them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TlsFiles {
    /// The certificates of the authorities that may have signed the server's; those of the system if absent.
    pub ca: Option<PathBuf>,
    /// The client's own certificate, and the private key of it: both or neither.
    pub identity: Option<(PathBuf, PathBuf)>,
}
