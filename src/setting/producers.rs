//! `workload.producers`: how many push tasks.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, MAX_WORKERS, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.producers",
    keys: &[Key {
        name: "producers",
        meaning: "Producers, which push the tasks that the workers take",
        default: "1 if absent",
        shape: Shape::Number(|n| match u32::try_from(n) {
            Ok(1..=MAX_WORKERS) => Ok(Level::Number(n)),
            _ => Err(format!("`producers` must be from 1 to {MAX_WORKERS}")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::Queue, Kind::Tasks], default: Some(|| Level::Number(1)) },
    columns: &[Column::of(
        "producers",
        ColumnKind::Integer,
        "Producers, which pushed the tasks that the workers took.",
    )
    .said("{} producers")
    .unsaid("no producers")
    .axis("producers")],
    heading: Heading::number("Producers"),
    measures: true,
};
