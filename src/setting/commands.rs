//! `workload.commands`: the commands that make up an operation, or from which each operation is drawn.

use super::{Column, ColumnKind, Heading, Kept, Key, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.commands",
    keys: &[Key {
        name: "commands",
        meaning: "The commands of an operation, in their order; with `weights` one of them, drawn by weight",
        default: "",
        shape: Shape::Commands,
    }],
    kept: Kept::Own { workloads: &[Kind::Commands], default: None },
    columns: &[Column::of("commands", ColumnKind::Text, "The commands of an operation.").said("{}")],
    heading: Heading::text("Commands"),
    measures: true,
};
