//! `mode.options`: what a client is told beside its job, in words of its own.

use super::{Column, ColumnKind, Heading, Kept, Key, Setting, Shape};
use crate::workload::Kind;

pub(super) const SETTING: Setting = Setting {
    name: "mode.options",
    keys: &[Key {
        name: "options",
        meaning: "Client options, such as { pool = [1, 8] }: every combination of their values is a level",
        default: "",
        shape: Shape::Options,
    }],
    kept: Kept::Own { workloads: Kind::ALL, default: None },
    columns: &[Column::of(
        "mode_options",
        ColumnKind::Text,
        "Client options that the matrix sets, in addition to those of its mode; `default` where it explicitly sets none.",
    )
    .said("{}")
    .unsaid("no options")],
    heading: Heading::text("Options"),
    measures: true,
};
