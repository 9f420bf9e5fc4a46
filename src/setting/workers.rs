//! `workers`: how many talk to the server at once.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};

/// No cell has more workers than this: each has a connection, and the system limits their number.
pub const MAX_WORKERS: u32 = 10_000;

pub(super) const SETTING: Setting = Setting {
    name: "workers",
    keys: &[Key {
        name: "workers",
        meaning: "Concurrent workers",
        default: "1 if absent",
        shape: Shape::Number(|n| match u32::try_from(n) {
            Ok(1..=MAX_WORKERS) => Ok(Level::Number(n)),
            _ => Err(format!("`workers` must be from 1 to {MAX_WORKERS}")),
        }),
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Number(settings.workers.into())),
        set: |settings, level| settings.workers = level.into_number() as u32,
    },
    columns: &[Column::of(
        "workers_asked",
        ColumnKind::Integer,
        "Concurrent workers that the file asks for.",
    )
    .required()
    .said("{} workers")
    .axis("workers")],
    heading: Heading::number("Workers"),
    measures: false,
};
