//! `workload.value_bytes`: bytes of each value.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};

/// The largest value that Redis stores in a string (`proto-max-bulk-len`).
const MOST_VALUE_BYTES: u64 = 512 * 1024 * 1024;

pub(super) const SETTING: Setting = Setting {
    name: "workload.value_bytes",
    keys: &[Key {
        name: "value_bytes",
        meaning: "Bytes of each value",
        default: "if absent, a value is the decimal index of the operation",
        shape: Shape::Number(|n| match n {
            0..=MOST_VALUE_BYTES => Ok(Level::Number(n)),
            _ => Err("a value has at most 536870912 bytes (512 MiB)".to_owned()),
        }),
    }],
    kept: Kept::Field {
        get: |settings| settings.workload.value_bytes.map(|bytes| Level::Number(bytes.into())),
        set: |settings, level| settings.workload.value_bytes = Some(level.into_number() as u32),
    },
    columns: &[Column::of(
        "value_bytes",
        ColumnKind::Integer,
        "Size of each value; missing where the value is the decimal index of the operation.",
    )
    .unit("bytes")
    .said("values of {} bytes")
    .unsaid("values are indices")
    .axis("bytes of a value")],
    heading: Heading::number("Value bytes").absent("index"),
    measures: true,
};
