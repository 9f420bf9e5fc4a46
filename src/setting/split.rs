//! `workload.split`: how operations are shared among workers.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Amount, Column, ColumnKind, Heading, Kept, Key, Level, MAX_WORKERS, Setting, Shape};

pub(super) const SETTING: Setting = Setting {
    name: "workload.split",
    keys: &[Key {
        name: "split",
        meaning: "How operations are shared among workers",
        default: "\"even\" if absent",
        shape: Shape::Word(&[
            (
                Split::Even.word(),
                "As evenly as possible: the first `operations % workers` workers do one more.",
            ),
            (
                Split::Divisor.word(),
                "The article's rule: the next larger worker count that divides the operations.",
            ),
        ]),
    }],
    kept: Kept::Field {
        get: |settings| Some(settings.workload.split.level()),
        set: |settings, level| {
            let divisor = level == Split::Divisor.level();
            settings.workload.split = if divisor { Split::Divisor } else { Split::Even };
        },
    },
    columns: &[Column::of("split", ColumnKind::Text, "How operations were shared among workers.")
        .required()
        .one_of(&["even", "divisor"])
        .said("split {}")],
    heading: Heading::text("Split"),
    measures: true,
};

/// How operations are shared among workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// As evenly as possible: the first `operations % workers` workers do one more.
    Even,
    /// The article's rule: the next larger worker count that divides the operations.
    Divisor,
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Split {
    const fn word(self) -> &'static str {
        match self {
            Self::Even => "even",
            Self::Divisor => "divisor",
        }
    }

    /// As a level.
    pub(crate) const fn level(self) -> Level {
        Level::Word(self.word())
    }

    /// The number of workers that actually work: with [`Split::Divisor`], the smallest divisor of `operations` that is no
    /// smaller than `workers` (the seed article's `closest_divistor`). In a checked experiment that is at most
    /// [`MAX_WORKERS`].
    #[must_use]
    pub fn workers(self, amount: Amount, workers: u32) -> u32 {
        match (self, amount) {
            (Self::Divisor, Amount::Operations(operations)) => {
                smallest_divisor(operations, workers).unwrap_or(workers)
            }
            _ => workers,
        }
    }
}

/// The smallest divisor of `n` that is no smaller than `from`, if it fits. Divisors come in pairs, one of which is at
/// most the square root.
fn smallest_divisor(n: u64, from: u32) -> Option<u32> {
    // For a checked experiment the divisor is found here, in at most as many steps as there may be workers.
    if let Some(near) = (from.max(1)..=MAX_WORKERS).find(|&divisor| n.is_multiple_of(u64::from(divisor))) {
        return Some(near);
    }
    (1..=n.isqrt())
        .filter(|&small| n.is_multiple_of(small))
        .flat_map(|small| [small, n / small])
        .filter(|&divisor| divisor >= u64::from(from))
        .min()
        .and_then(|divisor| u32::try_from(divisor).ok())
}

/// The largest divisor of `n` that is at most `limit`, which is at least 1.
pub(crate) fn largest_divisor(n: u64, limit: u32) -> u32 {
    (1..=limit).rev().find(|&divisor| n.is_multiple_of(u64::from(divisor))).unwrap_or(1)
}
