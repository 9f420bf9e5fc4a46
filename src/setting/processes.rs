//! `workload.processes`: over how many programs of a task-queue library the workers are spread.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, MAX_WORKERS, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.processes",
    keys: &[Key {
        name: "processes",
        meaning: "Worker programs of the library that are started, each with its share of the workers",
        default: "1 if absent",
        shape: Shape::Number(|n| match u32::try_from(n) {
            Ok(1..=MAX_WORKERS) => Ok(Level::Number(n)),
            _ => Err(format!("`processes` must be from 1 to {MAX_WORKERS}")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::Tasks], default: Some(|| Level::Number(1)) },
    columns: &[Column::of(
        "processes",
        ColumnKind::Integer,
        "Worker programs of the library that were started, each with its share of the workers.",
    )
    .said("worker programs: {}")
    .unsaid("no worker programs")
    .axis("worker programs")],
    heading: Heading::number("Processes"),
    measures: true,
};
