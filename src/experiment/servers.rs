//! Servers that cells may name.

use serde::Serialize;

use super::Lifetime;

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
    },
    /// One that somebody else runs: never flushed (unless allowed), configured or stopped.
    External {
        /// Host name or address.
        host: String,
        /// TCP port.
        port: u16,
        /// The environment variable of the coordinator that holds the password.
        password_env: Option<String>,
        /// FLUSHALL is permitted if the server was empty at first sight.
        allow_flush: bool,
    },
}
