//! `workload.keys`: how many keys exist before anything is measured.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

/// Each worker fills its share by commands of a thousand keys: beyond this number that takes minutes.
const MOST: u64 = 100_000_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.keys",
    keys: &[Key {
        name: "keys",
        meaning: "Keys that exist before anything is measured",
        default: "10000 if absent",
        shape: Shape::Number(|n| match n {
            1..=MOST => Ok(Level::Number(n)),
            _ => Err(format!("`keys` must be from 1 to {MOST}")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::ReadWrite], default: Some(|| Level::Number(10_000)) },
    columns: &[Column::of("keys", ColumnKind::Integer, "Keys that existed before anything was measured.")
        .said("{} keys")
        .unsaid("no keys beforehand")
        .axis("keys")],
    heading: Heading::number("Keys"),
    measures: true,
};
