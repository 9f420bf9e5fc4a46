//! `workload.structure`: what a queue is made of on the server.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.structure",
    keys: &[Key {
        name: "structure",
        meaning: "What the queue is on the server",
        default: "\"list\" if absent",
        shape: Shape::Word(&[
            ("list", "A list: LPUSH and BRPOP, or BLMOVE and LREM."),
            ("stream", "A stream with a group of consumers: XADD and XREADGROUP, and XACK."),
        ]),
    }],
    kept: Kept::Own { workloads: &[Kind::Queue], default: Some(|| Level::Word("list")) },
    columns: &[Column::of("structure", ColumnKind::Text, "What the queue was on the server.")
        .one_of(&["list", "stream"])
        .said("{}")
        .unsaid("no queue")],
    heading: Heading::text("Structure"),
    measures: true,
};
