//! `workload.results`: whether the results of tasks are stored.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.results",
    keys: &[Key {
        name: "results",
        meaning: "Whether the library stores the result of each task on the server",
        default: "false if absent",
        shape: Shape::Flag,
    }],
    kept: Kept::Own { workloads: &[Kind::Tasks], default: Some(|| Level::Flag(false)) },
    columns: &[Column::of(
        "results",
        ColumnKind::Boolean,
        "Whether the library was to store the result of each task on the server.",
    )
    .said_of_both("results stored", "results not stored")
    .unsaid("no results")],
    heading: Heading::text("Results"),
    measures: true,
};
