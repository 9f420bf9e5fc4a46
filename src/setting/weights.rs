//! `workload.weights`: how often an operation is which of the commands.

use super::{Column, ColumnKind, Heading, Kept, Key, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.weights",
    keys: &[Key {
        name: "weights",
        meaning: "How often an operation is which of the `commands`, in proportion",
        default: "if absent, an operation is all of them",
        shape: Shape::Weights,
    }],
    kept: Kept::Own { workloads: &[Kind::Commands], default: None },
    columns: &[Column::of(
        "weights",
        ColumnKind::Text,
        "How often an operation was to be which of the commands; missing where it was all of them.",
    )
    .said("weights {}")
    .unsaid("all commands")],
    heading: Heading::text("Weights").absent("all"),
    measures: true,
};
