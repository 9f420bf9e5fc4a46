//! `workload.distribution`: how often each key is read and written.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "workload.distribution",
    keys: &[Key {
        name: "distribution",
        meaning: "Which keys are read and written how often",
        default: "\"uniform\" if absent",
        shape: Shape::Word(&[
            ("uniform", "Every key as often as any other."),
            (
                "zipf",
                "The k-th most frequent key 1/k as often as the first (Zipf's law with the exponent 1).",
            ),
            ("sequential", "One after the other, and again from the first."),
        ]),
    }],
    kept: Kept::Own { workloads: &[Kind::ReadWrite], default: Some(|| Level::Word("uniform")) },
    columns: &[Column::of("distribution", ColumnKind::Text, "Which keys were read and written how often.")
        .one_of(&["uniform", "zipf", "sequential"])
        .said("{} keys")
        .unsaid("no distribution of keys")],
    heading: Heading::text("Distribution"),
    measures: true,
};
