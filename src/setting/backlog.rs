//! `workload.backlog`: how far producers may be ahead of consumers.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

/// More than a server should have to hold in memory.
const MOST: u64 = 100_000_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.backlog",
    keys: &[Key {
        name: "backlog",
        meaning: "The most tasks or messages that are under way at once; without a meaning where there is a rate",
        default: "1000 if absent",
        shape: Shape::Number(|n| match n {
            1..=MOST => Ok(Level::Number(n)),
            _ => Err(format!("`backlog` is from 1 to {MOST}")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::Queue, Kind::Pubsub, Kind::Tasks], default: Some(|| Level::Number(1_000)) },
    columns: &[Column::of(
        "backlog",
        ColumnKind::Integer,
        "The most tasks or messages that were to be under way at once; without a meaning where there is a rate.",
    )
    .said("a backlog of {}")
    .unsaid("no backlog")
    .axis("most tasks or messages under way")],
    heading: Heading::number("Backlog"),
    measures: true,
};
