//! `workload.link`: how the client reaches the server.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};

pub(super) const SETTING: Setting = Setting {
    name: "workload.link",
    keys: &[Key {
        name: "link",
        meaning: "How the client reaches the server",
        default: "\"tcp\" if absent",
        shape: Shape::Word(&[
            (Link::Tcp.word(), "TCP, over loopback or a network."),
            (Link::Unix.word(), "A Unix socket; client and server on one host."),
            (Link::Tls.word(), "TLS over TCP, with a certificate made for the run."),
        ]),
    }],
    kept: Kept::Field {
        get: |settings| Some(settings.workload.link.level()),
        set: |settings, level| {
            let link = Link::ALL.into_iter().find(|link| level == link.level());
            settings.workload.link = link.unwrap_or(Link::Tcp);
        },
    },
    // Between hosts, TCP is a different link from TCP within one host.
    columns: &[Column::of(
        "link",
        ColumnKind::Text,
        "How the client reached the server: TCP within a machine, a Unix socket, or TCP between machines; with TLS where it says so.",
    )
    .required()
    .one_of(&["loopback", "unix", "network", "loopback-tls", "network-tls"])
    .from(ValueFrom::Record)],
    heading: Heading::text("Link"),
    measures: true,
};

/// How the client reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Link {
    /// TCP, over loopback or a network.
    Tcp,
    /// A Unix socket; client and server on one host.
    Unix,
    /// TLS over TCP, to a server that orchestrate starts.
    Tls,
}

impl Link {
    const ALL: [Self; 3] = [Self::Tcp, Self::Unix, Self::Tls];

    const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Unix => "unix",
            Self::Tls => "tls",
        }
    }

    /// As a level.
    pub(crate) const fn level(self) -> Level {
        Level::Word(self.word())
    }
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
