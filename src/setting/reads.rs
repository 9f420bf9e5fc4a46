//! `workload.reads`: the share of reads.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape, Share};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.reads",
    keys: &[Key {
        name: "reads",
        meaning: "The share of operations that read, from 0 to 1; the others write",
        default: "0.9 if absent",
        shape: Shape::Share,
    }],
    kept: Kept::Own {
        workloads: &[Kind::ReadWrite],
        default: Some(|| Level::Share(Share::new(0.9).expect("it is from 0 to 1"))),
    },
    columns: &[Column::of(
        "reads",
        ColumnKind::Number,
        "The share of operations that were to read; the others write.",
    )
    .said("reads {}")
    .unsaid("no share of reads")
    .axis("share of reads")],
    heading: Heading::number("Reads"),
    measures: true,
};
