//! Axes: which values they span, where their ticks stand. Knows nothing of pixels but the fraction of the way.

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

/// An axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Axis {
    /// What it shows, with its unit.
    pub label: String,
    /// How it is drawn at first.
    pub scale: Scale,
    /// Its ends when linear.
    pub linear: (f64, f64),
    /// Its ends when logarithmic; absent where that makes no sense.
    pub log: Option<(f64, f64)>,
    /// Ticks with names of their own, in place of round numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<(f64, String)>,
}

impl Axis {
    /// An axis for positive numbers that begins at 0 when it is linear. Logarithmic at first if the largest is more
    /// than `log_from` times the smallest.
    #[must_use]
    pub fn of(label: &str, values: impl Iterator<Item = f64>, log_from: f64) -> Self {
        let (low, high) = ends(values.filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        let margin = (high / low).powf(0.04).max(1.08);
        let scale = if high / low > log_from { Scale::Log } else { Scale::Linear };
        let log = Some((low / margin, high * margin));
        Self { label: label.to_owned(), scale, linear: (0.0, high * 1.05), log, names: Vec::new() }
    }

    /// An axis that is never logarithmic, with a margin at both ends.
    #[must_use]
    pub fn linear(label: &str, values: impl Iterator<Item = f64>) -> Self {
        let (low, high) = ends(values).unwrap_or((0.0, 1.0));
        let margin = ((high - low) * 0.05).max(f64::MIN_POSITIVE);
        let linear = if high > low { (low - margin, high + margin) } else { (low - 1.0, high + 1.0) };
        Self { label: label.to_owned(), scale: Scale::Linear, linear, log: None, names: Vec::new() }
    }

    /// How far along the axis a value lies, from 0 to 1.
    #[must_use]
    pub fn fraction(&self, value: f64) -> f64 {
        match (self.scale, self.log) {
            (Scale::Log, Some((low, high))) => (value / low).ln() / (high / low).ln(),
            _ => (value - self.linear.0) / (self.linear.1 - self.linear.0),
        }
    }

    /// The same axis drawn the other way; `None` where it has no other.
    #[must_use]
    pub fn switched(&self) -> Option<Self> {
        self.log?;
        let scale = if self.scale == Scale::Log { Scale::Linear } else { Scale::Log };
        Some(Self { scale, ..self.clone() })
    }

    /// At most about `most` ticks with their labels.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        if !self.names.is_empty() {
            return self.names.clone();
        }
        let values = match (self.scale, self.log) {
            (Scale::Log, Some(ends)) => log_ticks(ends, most),
            _ => linear_ticks(self.linear, most),
        };
        values.into_iter().map(|value| (value, super::numbers::short(value))).collect()
    }
}

fn ends(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.filter(|value| value.is_finite()).fold(None, |ends, value| {
        Some(ends.map_or((value, value), |(low, high): (f64, f64)| (low.min(value), high.max(value))))
    })
}

fn linear_ticks((low, high): (f64, f64), most: usize) -> Vec<f64> {
    let rough = (high - low) / most.max(1) as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|step| step * power).into_iter().find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

fn log_ticks((low, high): (f64, f64), most: usize) -> Vec<f64> {
    let decades = low.log10().floor() as i32..=high.log10().ceil() as i32;
    let inside = |steps: &[f64]| -> Vec<f64> {
        let all = decades.clone().flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
        all.filter(|value| (low..=high).contains(value)).collect()
    };
    let choices: [&[f64]; 4] =
        [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], &[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    choices
        .iter()
        .map(|steps| inside(steps))
        .find(|ticks| ticks.len() <= most)
        .unwrap_or_else(|| inside(&[1.0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let axis = Axis::of("x", [1.0, 200.0].into_iter(), 8.0);
        let labels = |axis: &Axis| axis.ticks(9).into_iter().map(|tick| tick.1).collect::<Vec<_>>().join(" ");
        assert_eq!(labels(&axis), "1 2 5 10 20 50 100 200");
        assert_eq!(labels(&axis.switched().unwrap()), "0 50 100 150 200");
    }

    #[test]
    fn an_axis_of_nothing_or_of_one_value_can_be_drawn() {
        for values in [vec![], vec![5.0], vec![f64::NAN, 0.0]] {
            let axis = Axis::of("x", values.clone().into_iter(), 8.0);
            assert!(axis.fraction(5.0).is_finite() && axis.ticks(5).len() < 20, "{axis:?}");
            assert!(Axis::linear("x", values.into_iter()).fraction(0.0).is_finite());
        }
    }
}
