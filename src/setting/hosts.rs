//! `hosts`: on which hosts client and server run.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnKind, Datum, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};

pub(super) const SETTING: Setting = Setting {
    name: "hosts",
    keys: &[Key {
        name: "hosts",
        meaning: "Where client and server run",
        default: "\"local\" if absent",
        shape: Shape::Hosts,
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Hosts(settings.hosts.clone())),
        set: |settings, level| settings.hosts = level.into_hosts(),
    },
    columns: &[Column::of(
        "hosts",
        ColumnKind::Text,
        "Client and server host by their names in the experiment's file; one name if they are the same.",
    )
    .required()
    .from(ValueFrom::Settings(|settings| Some(Datum::Text(settings.hosts.to_string().into()))))
    .said("hosts {}")],
    heading: Heading::text("Hosts"),
    measures: false,
};

/// The two sides of a trial, by the names of hosts in the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(from = "Written", into = "Written")]
pub struct HostPair {
    /// Where the drivers run: usually one host, or several that work at the same time and share the workers. Never empty,
    /// and no host is in it twice.
    pub clients: Vec<String>,
    /// Where the server runs.
    pub server: String,
}

/// The form of the two sides in journals and in the identity of a cell, where there was one client before there were
/// several.
#[derive(Serialize, Deserialize)]
struct Written {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    client: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    clients: Vec<String>,
    server: String,
}

impl From<Written> for HostPair {
    fn from(Written { client, mut clients, server }: Written) -> Self {
        clients.extend(client);
        Self { clients, server }
    }
}

impl From<HostPair> for Written {
    fn from(HostPair { mut clients, server }: HostPair) -> Self {
        let client = if clients.len() == 1 { clients.pop() } else { None };
        Self { client, clients, server }
    }
}

impl HostPair {
    /// Client and server on the same host.
    #[must_use]
    pub fn same(name: &str) -> Self {
        Self { clients: vec![name.to_owned()], server: name.to_owned() }
    }

    /// Whether anything that a client says to the server crosses from one host to another.
    #[must_use]
    pub fn is_network(&self) -> bool {
        self.clients.iter().any(|client| *client != self.server)
    }

    /// Every host that takes part, once.
    pub fn all(&self) -> impl Iterator<Item = &String> {
        let server = std::iter::once(&self.server).filter(|server| !self.clients.contains(server));
        self.clients.iter().chain(server)
    }
}

impl fmt::Display for HostPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.clients.join("+"))?;
        if self.is_network() { write!(f, " → {}", self.server) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::HostPair;

    fn pair(clients: &[&str], server: &str) -> HostPair {
        HostPair { clients: clients.iter().map(|&name| name.to_owned()).collect(), server: server.to_owned() }
    }

    #[test]
    fn one_client_is_written_as_it_was_before_there_could_be_several() {
        let write = |pair: HostPair| serde_json::to_string(&pair).unwrap();
        assert_eq!(write(pair(&["a"], "b")), r#"{"client":"a","server":"b"}"#);
        let many = pair(&["a", "b"], "c");
        assert_eq!(write(many.clone()), r#"{"clients":["a","b"],"server":"c"}"#);
        assert_eq!(serde_json::from_str::<HostPair>(&write(many.clone())).unwrap(), many);
    }

    #[test]
    fn only_a_client_on_the_servers_own_host_needs_no_network() {
        assert!(!HostPair::same("a").is_network());
        assert!(pair(&["a"], "b").is_network() && pair(&["a", "b"], "a").is_network());
        assert_eq!(pair(&["a", "b"], "a").all().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(pair(&["a", "b"], "c").to_string(), "a+b → c");
        assert_eq!(HostPair::same("a").to_string(), "a");
    }
}
