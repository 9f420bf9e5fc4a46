//! Axes: which values they span, where their ticks are. Knows nothing of pixels, only fractions of the axis.

use serde::Serialize;

/// How values become lengths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Equal differences are equal lengths.
    Linear,
    /// Equal ratios are equal lengths.
    Log,
}

/// Values that span more than this factor are drawn on a logarithmic axis.
pub const LOG_FROM: f64 = 5.0;

/// Values that span less than this factor are not drawn from zero, where only positions are read, not lengths.
const CLOSE: f64 = 2.0;

/// Numbers beyond this, and positive ones below its inverse, are drawn as if they were this: no experiment measures them,
/// but a table may hold them, and what is computed from them here must stay finite.
const FARTHEST: f64 = 1e140;

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// What it shows.
    pub label: String,
    /// How it is drawn.
    pub scale: Scale,
    /// Its ends.
    pub ends: (f64, f64),
    /// What follows the number of each tick.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub suffix: &'static str,
    /// Ticks with names of their own, in place of round numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<(f64, String)>,
}

impl Axis {
    /// An axis for positive numbers: logarithmic if they span a factor of five or more, otherwise from zero if they span a
    /// factor of two or more.
    #[must_use]
    pub fn of(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = ends(values.filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        if high / low >= LOG_FROM {
            let margin = (high / low).powf(0.04).max(1.08);
            return Self::with(label, Scale::Log, (low / margin, high * margin));
        }
        if high / low >= CLOSE {
            return Self::with(label, Scale::Linear, (0.0, high * 1.05));
        }
        let margin = ((high - low) * 0.08).max(high * 0.004);
        Self::with(label, Scale::Linear, (low - margin, high + margin))
    }

    /// An axis for positive numbers that begins at zero, whatever they span.
    #[must_use]
    pub fn from_zero(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let high = ends(values).map(|(_, high)| high).filter(|high| *high > 0.0).unwrap_or(1.0);
        Self::with(label, Scale::Linear, (0.0, high * 1.05))
    }

    /// An axis that is never logarithmic, with a margin at both ends.
    #[must_use]
    pub fn linear(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = ends(values).unwrap_or((0.0, 1.0));
        let margin = ((high - low) * 0.03).max(f64::MIN_POSITIVE);
        let ends = if high > low { (low - margin, high + margin) } else { around(low) };
        Self::with(label, Scale::Linear, ends)
    }

    /// An axis whose ticks are the numbers that were measured, and whose ends are the first and the last of them.
    #[must_use]
    pub fn of_levels(label: &str, levels: &[f64]) -> Self {
        let (low, high) = ends(levels.iter().copied()).unwrap_or((1.0, 2.0));
        let is_log = low > 0.0 && high / low >= LOG_FROM;
        let ends = match (is_log, high > low) {
            (true, _) => (low / (high / low).powf(0.015), high * (high / low).powf(0.015)),
            (false, true) => (low - (high - low) * 0.015, high + (high - low) * 0.015),
            (false, false) => around(low),
        };
        let scale = if is_log { Scale::Log } else { Scale::Linear };
        let names = levels.iter().map(|level| (*level, super::numbers::short(*level))).collect();
        Self { names, ..Self::with(label, scale, ends) }
    }

    fn with(label: &str, scale: Scale, ends: (f64, f64)) -> Self {
        Self { label: label.to_owned(), scale, ends, suffix: "", names: Vec::new() }
    }

    /// How it is scaled, in words for a caption.
    #[must_use]
    pub fn words(&self) -> &'static str {
        match self.scale {
            Scale::Log => "log scale",
            Scale::Linear if self.ends.0.total_cmp(&0.0).is_eq() => "from zero",
            Scale::Linear => "not from zero",
        }
    }

    /// How far along the axis a value lies, from 0 to 1.
    #[must_use]
    pub fn fraction(&self, value: f64) -> f64 {
        let (low, high) = self.ends;
        let value = drawable(value);
        match self.scale {
            Scale::Log => (value / low).ln() / (high / low).ln(),
            Scale::Linear => (value - low) / (high - low),
        }
    }

    /// Roughly `most` ticks at most, with their labels.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        if !self.names.is_empty() {
            return self.names.clone();
        }
        let values = match self.scale {
            Scale::Log => log_ticks(self.ends, most),
            Scale::Linear => linear_ticks(self.ends, most),
        };
        values.into_iter().map(|value| (value, super::numbers::short(value) + self.suffix)).collect()
    }
}

/// The ends of an axis with one value.
fn around(value: f64) -> (f64, f64) {
    let margin = if value + 1.0 > value { 1.0 } else { value.abs() * 0.01 };
    (value - margin, value + margin)
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).map(drawable).fold(None, |ends, value| {
        Some(ends.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

/// The nearest number that an axis can show.
fn drawable(value: f64) -> f64 {
    let value = value.clamp(-FARTHEST, FARTHEST);
    if value > 0.0 { value.max(FARTHEST.recip()) } else { value }
}

fn linear_ticks((low, high): (f64, f64), most: usize) -> Vec<f64> {
    let rough = (high - low) / most.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil();
    let further = (high / step).floor() - first;
    // Ends that differ by less than their last digits have no round numbers in between.
    if !(0.0..=most.max(1) as f64 + 1.0).contains(&further) {
        return Vec::new();
    }
    let mut ticks: Vec<f64> = (0..=further as u32).map(|i| (first + f64::from(i)) * step).collect();
    ticks.dedup();
    ticks
}

fn log_ticks((low, high): (f64, f64), most: usize) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let inside = |steps: &[f64]| -> Vec<f64> {
        let all = decades.clone().flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
        all.filter(|value| (low..=high).contains(value)).collect()
    };
    let choices: [&[f64]; 4] =
        [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    choices.iter().map(|steps| inside(steps)).find(|ticks| ticks.len() <= most).unwrap_or_else(|| {
        let powers = inside(&[1.0]);
        let every = powers.len().div_ceil(most.max(1));
        powers.into_iter().step_by(every).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis) -> String {
        axis.ticks(9).into_iter().map(|tick| tick.1).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        assert_eq!(labels(&Axis::of("x", [1.0, 200.0].into_iter())), "1 2 5 10 20 50 100 200");
        assert_eq!(labels(&Axis::from_zero("x", [1.0, 200.0].into_iter())), "0 50 100 150 200");
        assert_eq!(labels(&Axis::of_levels("workers", &[1.0, 7.0, 2000.0])), "1 7 2k");
    }

    #[test]
    fn values_that_span_little_are_not_drawn_from_zero_and_the_axis_says_so() {
        let words = |values: [f64; 2]| Axis::of("x", values.into_iter()).words();
        assert_eq!(
            [words([10.0, 11.0]), words([10.0, 30.0]), words([10.0, 50.0])],
            ["not from zero", "from zero", "log scale"]
        );
    }

    #[test]
    fn numbers_that_nobody_measures_cost_no_memory_and_have_a_place() {
        let (least, most) = (f64::from_bits(1), f64::MAX);
        for values in [
            vec![least],
            vec![least, 5.0],
            vec![least, most],
            vec![5.0, 1e308],
            vec![1e308, most],
            vec![-most, most],
            vec![1e16, 1e16 + 2.0],
            vec![least, 2.0 * least],
        ] {
            let axes = [
                Axis::of("x", values.clone().into_iter()),
                Axis::from_zero("x", values.clone().into_iter()),
                Axis::linear("x", values.clone().into_iter()),
                Axis::of_levels("x", &values),
            ];
            for axis in axes {
                assert!(axis.ends.0 < axis.ends.1, "{axis:?}");
                assert!(axis.ticks(5).len() < 20, "{axis:?}");
                for value in values.iter().filter(|value| **value > 0.0) {
                    let place = axis.fraction(*value);
                    assert!((-0.01..=1.01).contains(&place), "{value} at {place} of {axis:?}");
                }
            }
        }
    }

    #[test]
    fn an_axis_of_nothing_or_of_one_value_can_be_drawn() {
        for values in [vec![], vec![5.0], vec![f64::NAN, 0.0]] {
            let axes = [
                Axis::of("x", values.clone().into_iter()),
                Axis::from_zero("x", values.clone().into_iter()),
                Axis::linear("x", values.clone().into_iter()),
                Axis::of_levels("x", &values),
            ];
            for axis in axes {
                assert!(axis.fraction(5.0).is_finite() && axis.ticks(5).len() < 20, "{axis:?}");
            }
        }
    }
}
