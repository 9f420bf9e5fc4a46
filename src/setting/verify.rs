//! `workload.verify`: whether replies are looked at.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};

pub(super) const SETTING: Setting = Setting {
    name: "workload.verify",
    keys: &[Key {
        name: "verify",
        meaning: "Whether every GET must return what its SET stored",
        default: "true if absent",
        shape: Shape::Flag,
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Flag(settings.workload.verify)),
        set: |settings, level| settings.workload.verify = level.into_flag(),
    },
    columns: &[Column::of(
        "verify",
        ColumnKind::Boolean,
        "Whether every GET had to return what its SET stored.",
    )
    .required()
    .said_of_both("replies checked", "replies not checked")],
    heading: Heading::text("Verify"),
    measures: true,
};
