//! `run.placement`: on which CPUs client and server run.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};

pub(super) const SETTING: Setting = Setting {
    name: "run.placement",
    keys: &[Key {
        name: "placement",
        meaning: "On which CPUs client and server run",
        default: "\"free\" if absent",
        shape: Shape::Placement,
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Placement(settings.placement.clone())),
        set: |settings, level| settings.placement = level.into_placement(),
    },
    columns: &[Column::of(
        "placement",
        ColumnKind::Text,
        "What was asked for and the CPUs that server and client were bound to, each on its own host; `pinned` where \
         the host's table says so; `(not applied)` where the system cannot bind, `(not reached)` where the attempt ended before.",
    )
    .required()
    .from(ValueFrom::Record)
    .said("placement {}")
    .formerly("split", "separate-cpus")],
    heading: Heading::text("Placement"),
    measures: true,
};

/// On which CPUs client and server run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Placement {
    /// Wherever the scheduler puts them.
    Free,
    /// Both on one CPU.
    SameCore,
    /// The server on one CPU, the client on the others.
    // The word of earlier versions: identities of cells are hashes of what is serialized.
    #[serde(rename = "split", alias = "separate-cpus")]
    SeparateCpus,
    /// On these CPUs, by their numbers.
    Cpus {
        /// The server's CPUs.
        server: Vec<u32>,
        /// The client's CPUs.
        client: Vec<u32>,
    },
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Free => f.write_str("free"),
            Self::SameCore => f.write_str("same-core"),
            Self::SeparateCpus => f.write_str("separate-cpus"),
            Self::Cpus { server, client } => write!(f, "cpus server={server:?} client={client:?}"),
        }
    }
}
