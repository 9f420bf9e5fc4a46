//! `workload.operations` or `workload.duration`: when a trial ends.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Column, ColumnKind, Datum, Heading, Kept, Key, Level, Setting, Shape, ValueFrom};
use crate::units::Nanos;

/// 2^53: the largest number up to which every whole number is exact in a JSON reader and in a double.
pub(crate) const MOST_EXACT: u64 = 1 << 53;

pub(super) const SETTING: Setting = Setting {
    name: "workload.amount",
    keys: &[
        Key {
            name: "operations",
            meaning: "Operations per trial, shared among the workers",
            default: "20000 if neither this nor `duration` is given",
            shape: Shape::Number(|n| match n {
                1..=MOST_EXACT => Ok(Level::Amount(Amount::Operations(n))),
                _ => Err("`operations` must be from 1 to 2^53".to_owned()),
            }),
        },
        Key {
            name: "duration",
            meaning: "How long a trial measures",
            default: "instead of `operations`",
            shape: Shape::Time(|time| match time {
                Nanos(0) => Err("a trial without duration measures nothing".to_owned()),
                time => Ok(Level::Amount(Amount::Duration(time))),
            }),
        },
    ],
    kept: Kept::Field {
        get: |settings| Some(Level::Amount(settings.workload.amount)),
        set: |settings, level| settings.workload.amount = level.into_amount(),
    },
    columns: &[
        Column::of(
            "operations_asked",
            ColumnKind::Integer,
            "Operations that the file asks for, over all workers; missing where it asks for a duration.",
        )
        .from(ValueFrom::Settings(|settings| match settings.workload.amount {
            Amount::Operations(operations) => Some(Datum::Integer(operations)),
            Amount::Duration(_) => None,
        }))
        .said("{} operations a trial"),
        Column::of(
            "duration_asked_s",
            ColumnKind::Number,
            "Duration that the file asks for; missing where it asks for operations.",
        )
        .unit("s")
        .from(ValueFrom::Settings(|settings| match settings.workload.amount {
            Amount::Operations(_) => None,
            Amount::Duration(duration) => Some(Datum::Number(duration.as_secs_f64())),
        }))
        .said("{} s a trial"),
    ],
    heading: Heading::number("Amount"),
    measures: true,
};

/// When a trial ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// After this many operations, over all workers.
    Operations(u64),
    /// When this much time has passed.
    #[serde(rename = "duration_ns")]
    Duration(Nanos),
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operations(n) => write!(f, "{n} operations"),
            Self::Duration(d) => d.fmt(f),
        }
    }
}
