//! Hosts: where the two sides of a trial are, and the way there.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Client and server host of a trial, by their names in the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPair {
    /// Where the driver runs.
    pub client: String,
    /// Where the server runs.
    pub server: String,
}

impl HostPair {
    /// Client and server on the same host.
    #[must_use]
    pub fn same(name: &str) -> Self {
        Self { client: name.to_owned(), server: name.to_owned() }
    }
}

impl fmt::Display for HostPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.client == self.server {
            f.write_str(&self.client)
        } else {
            write!(f, "{} → {}", self.client, self.server)
        }
    }
}

/// A machine and the way to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSpec {
    /// How to reach an agent there.
    pub transport: Transport,
    /// Where other hosts reach a server started here.
    pub address: Option<String>,
    /// This program there; `None` for the one that runs, if the host is `local`, and else for `orchestrate` on PATH.
    pub agent: Option<String>,
}

/// How to reach an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// A child process.
    Local,
    /// The system's OpenSSH.
    Ssh {
        /// The destination as `ssh` takes it.
        target: String,
    },
    /// `srun`.
    Slurm {
        /// Options for `srun`.
        options: Vec<String>,
    },
    /// Any program that hands over a standard input and output.
    Command {
        /// The words that stand before the agent's own command.
        prefix: Vec<String>,
    },
}
