//! `run.warmup`: what is done before the measured part.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnKind, Datum, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};
use crate::units::Nanos;

pub(super) const SETTING: Setting = Setting {
    name: "run.warmup",
    keys: &[Key {
        name: "warmup",
        meaning: "What is done before the measured part",
        default: "\"500ms\" if absent",
        shape: Shape::Warmup,
    }],
    kept: Kept::Field {
        get: |settings| Some(Level::Warmup(settings.warmup)),
        set: |settings, level| settings.warmup = level.into_warmup(),
    },
    columns: &[
        Column::of(
            "warmup_operations",
            ColumnKind::Integer,
            "Operations before the measured part; missing where a duration was asked for.",
        )
        .from(ValueFrom::Settings(|settings| match settings.warmup {
            Warmup::Operations(operations) => Some(Datum::Integer(operations)),
            Warmup::Duration(_) => None,
        }))
        .said("warmup operations {}"),
        Column::of(
            "warmup_s",
            ColumnKind::Number,
            "Duration of what was done before the measured part; missing where operations were asked for.",
        )
        .unit("s")
        .from(ValueFrom::Settings(|settings| match settings.warmup {
            Warmup::Operations(_) => None,
            Warmup::Duration(duration) => Some(Datum::Number(duration.as_secs_f64())),
        }))
        .said("warmup s {}"),
    ],
    heading: Heading::number("Warm-up"),
    measures: true,
};

/// What is done before the measured part, and not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Warmup {
    /// Operations over all workers; may be 0.
    Operations(u64),
    /// For this long.
    #[serde(rename = "duration_ns")]
    Duration(Nanos),
}

impl fmt::Display for Warmup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations(n) => write!(f, "{n} operations"),
            Self::Duration(d) => d.fmt(f),
        }
    }
}
