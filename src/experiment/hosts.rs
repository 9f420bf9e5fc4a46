//! Hosts: machines, and the way to each.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Placement;
use crate::units::Nanos;

/// A machine and the way to reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostSpec {
    /// How to reach an agent there.
    pub transport: Transport,
    /// Where other hosts reach a server started here.
    pub address: Option<Address>,
    /// This program there; `None` means the one that is running, if the host is `local`, and otherwise `orchestrate` on PATH.
    pub agent: Option<String>,
    /// On which CPUs the two sides of a trial run here if the cell leaves that free.
    pub pin: Option<Placement>,
    /// How long it may take until an agent answers there: a job may have to wait for its nodes.
    pub connect_timeout: Nanos,
}

impl HostSpec {
    /// A host about which the file says nothing but how to reach it.
    #[must_use]
    pub const fn new(transport: Transport) -> Self {
        let connect_timeout = match &transport {
            Transport::Slurm { .. } => Nanos::from_secs(3600),
            Transport::Local | Transport::Ssh { .. } | Transport::Command { .. } => Nanos::from_secs(120),
        };
        Self { transport, address: None, agent: None, pin: None, connect_timeout }
    }
}

/// Where other hosts reach a server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// An IP address of the host, or a name of one.
    pub host: String,
    /// The first and the last port that a server may have, such as those that a firewall lets through; absent: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ports: Option<(u16, u16)>,
}

impl FromStr for Address {
    type Err = ();

    /// Reads `10.0.7.11`, `10.0.7.11:7001`, `10.0.7.11:7001-7010`, or the same with a name or with `[IPv6]`.
    fn from_str(text: &str) -> Result<Self, ()> {
        let plain = |host: &str| {
            let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            !host.is_empty() && host.chars().all(name) && !host.starts_with('-')
        };
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Ok(Self { host: text.to_owned(), ports: None });
        }
        let (host, ports) = match text.strip_prefix('[') {
            Some(rest) => {
                let (host, rest) = rest.split_once(']').ok_or(())?;
                host.parse::<std::net::Ipv6Addr>().map_err(|_| ())?;
                (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':').ok_or(())?) })
            }
            None => {
                let (host, ports) =
                    text.split_once(':').map_or((text, None), |(host, ports)| (host, Some(ports)));
                if !plain(host) {
                    return Err(());
                }
                (host, ports)
            }
        };
        let port = |text: &str| text.parse::<u16>().ok().filter(|&port| port > 0).ok_or(());
        let ports = match ports.map(|ports| ports.split_once('-').unwrap_or((ports, ports))) {
            Some((first, last)) => {
                Some((port(first)?, port(last)?)).filter(|(first, last)| first <= last).ok_or(()).map(Some)?
            }
            None => None,
        };
        Ok(Self { host: host.to_owned(), ports })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ports {
            None => f.write_str(&self.host),
            Some((first, last)) => {
                let host =
                    if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
                if first == last { write!(f, "{host}:{first}") } else { write!(f, "{host}:{first}-{last}") }
            }
        }
    }
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

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn an_address_may_have_the_ports_that_a_firewall_lets_through() {
        for text in
            ["10.0.7.11", "fd00::1", "node-1.lan", "10.0.7.11:7001", "10.0.7.11:7001-7010", "[fd00::1]:7001"]
        {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        assert_eq!("[fd00::1]".parse::<Address>().unwrap().to_string(), "fd00::1");
        for text in ["", ":7001", "a:0", "a:9-8", "a:70000", "a b", "[a]:1", "fd00::1:x", "-a", "a:1-"] {
            assert_eq!(text.parse::<Address>(), Err(()), "{text}");
        }
    }
}
