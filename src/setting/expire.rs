//! `workload.expire`: how long a key that is set lives.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

/// A year: beyond that nobody waits.
const MOST: u64 = 31_536_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.expire",
    keys: &[Key {
        name: "expire",
        meaning: "Seconds until a key that is set expires, by SET with EX",
        default: "never if absent",
        shape: Shape::Number(|n| match n {
            1..=MOST => Ok(Level::Number(n)),
            _ => Err(format!("`expire` must be from 1 to {MOST} seconds")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::SetGet], default: None },
    columns: &[Column::of(
        "expire_s",
        ColumnKind::Integer,
        "Seconds until a key that was set expires, by SET with EX.",
    )
    .unit("s")
    .said("keys that expire after {} s")
    .unsaid("keys that never expire")],
    heading: Heading::number("Expire, s"),
    measures: true,
};
