//! `workload.backlog`: how far producers may be ahead of consumers.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

/// More than a server should have to hold in memory.
const MOST: u64 = 100_000_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.backlog",
    keys: &[Key {
        name: "backlog",
        meaning: "Maximum number of tasks or messages in flight; not used where a rate is given",
        default: "1000 if absent",
        shape: Shape::Number(|n| match n {
            1..=MOST => Ok(Level::Number(n)),
            _ => Err(format!("`backlog` must be from 1 to {MOST}")),
        }),
    }],
    kept: Kept::Own {
        workloads: &[Kind::Queue, Kind::Pubsub, Kind::Tasks],
        default: Some(|| Level::Number(1_000)),
    },
    columns: &[Column::of(
        "backlog",
        ColumnKind::Integer,
        "Maximum number of tasks or messages in flight; not used where a rate is given.",
    )
    .said("a backlog of {}")
    .unsaid("no backlog")
    .axis("tasks or messages in flight at most")],
    heading: Heading::number("Backlog"),
    measures: true,
};
