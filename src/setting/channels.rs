//! `workload.channels`: over how many channels messages are spread.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

/// Every subscriber subscribes to all of them.
const MOST: u64 = 10_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.channels",
    keys: &[Key {
        name: "channels",
        meaning: "Channels that the messages are spread over, each with every worker as a subscriber",
        default: "1 if absent",
        shape: Shape::Number(|n| match n {
            1..=MOST => Ok(Level::Number(n)),
            _ => Err(format!("`channels` must be from 1 to {MOST}")),
        }),
    }],
    kept: Kept::Own { workloads: &[Kind::Pubsub], default: Some(|| Level::Number(1)) },
    columns: &[Column::of("channels", ColumnKind::Integer, "Channels that the messages were spread over.")
        .said("{} channels")
        .unsaid("no channels")
        .axis("channels")],
    heading: Heading::number("Channels"),
    measures: true,
};
