//! Servers that cells may name, and how long a process of one serves.

use std::fmt;

use serde::{Deserialize, Serialize};

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

/// How long one server process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// One process for the run, FLUSHALL between trials.
    Run,
    /// A fresh process for every trial.
    Trial,
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "run",
            Self::Trial => "trial",
        })
    }
}
