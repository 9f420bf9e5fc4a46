//! `workload.pipeline`: operations that share a round trip.

use super::{Column, ColumnKind, Heading, Kept, Key, Level, Setting, Shape};

/// More than anyone sends at once.
const MOST: u64 = 1_000_000;

pub(super) const SETTING: Setting = Setting {
    name: "workload.pipeline",
    keys: &[Key {
        name: "pipeline",
        meaning: "Operations per round trip",
        default: "1 if absent",
        shape: Shape::Number(|n| match n {
            1..=MOST => Ok(Level::Number(n)),
            _ => Err(format!("`pipeline` must be from 1 to {MOST}")),
        }),
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Number(settings.workload.pipeline.into())),
        set: |settings, level| settings.workload.pipeline = level.into_number() as u32,
    },
    columns: &[Column::of("pipeline", ColumnKind::Integer, "Operations that share a round trip.")
        .required()
        .said("pipeline {}")
        .axis("operations that share a round trip")],
    heading: Heading::number("Pipeline"),
    measures: true,
};
