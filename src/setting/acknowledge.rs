//! `workload.acknowledge`: whether a task stays on the server until it is done.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.acknowledge",
    keys: &[Key {
        name: "acknowledge",
        meaning: "Whether a task that was taken stays on the server until its consumer acknowledges it",
        default: "false if absent",
        shape: Shape::Flag,
    }],
    kept: Kept::Own { workloads: &[Kind::Queue], default: Some(|| Level::Flag(false)) },
    columns: &[Column::of(
        "acknowledge",
        ColumnKind::Boolean,
        "Whether a task that was taken stayed on the server until its consumer acknowledged it.",
    )
    .said_of_both("acknowledged", "not acknowledged")
    .unsaid("no acknowledgement")],
    heading: Heading::text("Acknowledged"),
    measures: true,
};
