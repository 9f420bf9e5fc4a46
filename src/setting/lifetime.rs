//! `server.lifetime`: how long one process of a server serves.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};

pub(super) const SETTING: Setting = Setting {
    name: "server.lifetime",
    keys: &[Key {
        name: "lifetime",
        meaning: "How long one process serves",
        default: "",
        shape: Shape::Word(&[
            (Lifetime::Run.word(), "One process for the run, FLUSHALL between trials."),
            (Lifetime::Trial.word(), "A fresh process for every trial."),
        ]),
    }],
    kept: Kept::Field {
        get: |settings| settings.lifetime.map(|lifetime| Level::Word(lifetime.word())),
        set: |settings, level| {
            let trial = level.into_word() == Lifetime::Trial.word();
            settings.lifetime = Some(if trial { Lifetime::Trial } else { Lifetime::Run });
        },
    },
    columns: &[Column::of(
        "server_lifetime",
        ColumnKind::Text,
        "In place of the server's own lifetime; missing where it had its own.",
    )
    .one_of(&["run", "trial"])
    .said("server lifetime {}")],
    heading: Heading::text("Lifetime").absent("its own"),
    measures: true,
};

/// How long one server process serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Lifetime {
    /// One process for the run, FLUSHALL between trials.
    Run,
    /// A fresh process for every trial.
    Trial,
}

impl Lifetime {
    const fn word(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Trial => "trial",
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
