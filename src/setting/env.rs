//! `mode.env`: variables of a client's environment.

use super::{Column, ColumnKind, Heading, Kept, Key, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "mode.env",
    keys: &[Key {
        name: "env",
        meaning: "Environment variables of the client, such as { MALLOC_ARENA_MAX = [1, 4] }: every combination of their \
                  values is a level",
        default: "",
        shape: Shape::Options,
    }],
    kept: Kept::Own { workloads: Kind::ALL, default: None },
    columns: &[Column::of(
        "mode_env",
        ColumnKind::Text,
        "Environment variables that the matrix sets for the client, in addition to those of its mode; `default` where it \
         explicitly sets none.",
    )
    .said("{}")
    .unsaid("no variables")],
    heading: Heading::text("Environment"),
    measures: true,
};
