//! `workload.publishers`: how many publish messages.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, MAX_WORKERS, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.publishers",
    keys: &[Key {
        name: "publishers",
        meaning: "Publishers of the messages that every worker receives",
        default: "1 if absent",
        shape: Shape::Number(|n| match u32::try_from(n) {
            Ok(1..=MAX_WORKERS) => Ok(Level::Number(n)),
            _ => Err(format!("`publishers` must be from 1 to {MAX_WORKERS}")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::Pubsub], default: Some(|| Level::Number(1)) },
    columns: &[Column::of(
        "publishers",
        ColumnKind::Integer,
        "Publishers of the messages that every worker received.",
    )
    .said("{} publishers")
    .unsaid("no publishers")
    .axis("publishers")],
    heading: Heading::number("Publishers"),
    measures: true,
};
