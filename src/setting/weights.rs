//! `workload.weights`: how often an operation is which of the commands.

use super::{Column, ColumnKind, Heading, Kept, Key, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.weights",
    keys: &[Key {
        name: "weights",
        meaning: "Relative frequency of each of the `commands`",
        default: "if absent, each operation sends all of them",
        shape: Shape::Weights,
    }],
    kept: Kept::Own { workloads: &[Kind::Commands], default: None },
    columns: &[Column::of(
        "weights",
        ColumnKind::Text,
        "Requested relative frequency of each command; missing where each operation sends all of them.",
    )
    .said("weights {}")
    .unsaid("all commands")],
    heading: Heading::text("Weights").absent("all"),
    measures: true,
};
