//! `workload.rate`: operations per second of an open loop.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};

/// One each nanosecond.
const MOST: u64 = 1_000_000_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.rate",
    keys: &[Key {
        name: "rate",
        meaning: "Operations per second over all workers (open loop)",
        default: "if absent, as fast as they go",
        shape: Shape::Number(|n| match n {
            0 => Err("at a `rate` of 0 nothing happens; leave it out to go as fast as possible".to_owned()),
            1..=MOST => Ok(Level::PerSecond(n)),
            _ => Err(format!("`rate` is at most {MOST} operations per second")),
        }),
    }],
    kept: Kept::Field {
        get: |settings| settings.workload.rate.map(Level::PerSecond),
        set: |settings, level| settings.workload.rate = Some(level.into_per_second()),
    },
    columns: &[Column::of(
        "rate",
        ColumnKind::Integer,
        "Operations per second that were due, over all workers (open loop); missing where the client went as fast as \
         it could (closed loop).",
    )
    .unit("operations/s")
    .said("{} operations/s due").unsaid("closed loop")
    .axis("operations/s that are due")],
    heading: Heading::number("Rate").absent("closed loop"),
    measures: true,
};
