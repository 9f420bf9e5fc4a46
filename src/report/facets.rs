//! Which columns make the series, which one the horizontal axis, and which ones small multiples.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::analysis::samples::Sample;
use crate::report::numbers::grouped;

/// Columns that somebody may have varied, in the order in which they head pictures.
const SETTINGS: [&str; 16] = [
    "hosts",
    "client_host",
    "server_host",
    "server",
    "server_args",
    "server_lifetime",
    "link",
    "placement",
    "workload",
    "value_bytes",
    "pipeline",
    "rate",
    "verify",
    "split",
    "operations_asked",
    "duration_asked_s",
];

/// Columns that follow from others, and make pictures of their own only where they do not.
const CONSEQUENCES: [&str; 14] = [
    "warmup_operations",
    "warmup_s",
    "server_version",
    "client",
    "client_runtime",
    "comparability",
    "workers",
    "client_os",
    "client_arch",
    "client_cpu",
    "server_os",
    "server_arch",
    "server_cpu",
    "cell",
];

/// Numbers that can stand on a horizontal axis, if the workers do not vary.
const NUMBERS: [&str; 3] = ["value_bytes", "pipeline", "rate"];

/// What goes where in the figures of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// The column whose values are series.
    pub series: &'static str,
    /// The column on the horizontal axis.
    pub x: &'static str,
    /// The columns whose combinations are pictures.
    pub facets: Vec<&'static str>,
    /// What every sample shares, in words.
    pub everywhere: String,
}

impl Layout {
    /// For the samples of one experiment.
    #[must_use]
    pub fn of(samples: &[&Sample]) -> Self {
        let levels = |column: &str| samples.iter().map(|s| s.label.get(column)).collect::<HashSet<_>>().len();
        let is_number = |column: &str| samples.iter().all(|s| number(s, column).is_some());
        let x = if levels("workers_asked") > 1 {
            "workers_asked"
        } else {
            NUMBERS.into_iter().find(|c| levels(c) > 1 && is_number(c)).unwrap_or("workers_asked")
        };
        let series = if levels("mode") > 1 {
            "mode"
        } else {
            let other = SETTINGS.into_iter().find(|c| *c != x && (2..=8).contains(&levels(c)));
            other.unwrap_or("mode")
        };
        let mut facets: Vec<&'static str> = Vec::new();
        for column in SETTINGS {
            let mut known = facets.clone();
            known.push(x);
            if series != "mode" {
                known.push(series);
            }
            if column != x && column != series && !follows(samples, column, &known) {
                facets.push(column);
            }
        }
        for column in CONSEQUENCES {
            let known = [&facets[..], &[x, series]].concat();
            if is_ambiguous(samples, &known) && !follows(samples, column, &known) {
                facets.push(column);
            }
        }
        let shared = SETTINGS.into_iter().chain(["server_version"]).filter(|c| levels(c) == 1);
        let said = shared.filter(|c| !matches!(*c, "hosts" | "workload" | "server" | "verify" | "split"));
        let everywhere: Vec<String> = said
            .filter_map(|column| samples.first()?.label.get(column).map(|value| named(column, Some(value))))
            .collect();
        Self { series, x, facets, everywhere: everywhere.join(" · ") }
    }

    /// The picture that a sample belongs to, as its title.
    #[must_use]
    pub fn facet(&self, sample: &Sample) -> String {
        let parts = self.facets.iter().map(|column| named(column, sample.label.get(column)));
        parts.collect::<Vec<_>>().join(" · ")
    }

    /// The series that a sample belongs to.
    #[must_use]
    pub fn name(&self, sample: &Sample) -> String {
        match self.series {
            "mode" => sample.label.get("mode").unwrap_or("no mode").to_owned(),
            column => named(column, sample.label.get(column)),
        }
    }

    /// Where a sample stands on the horizontal axis.
    #[must_use]
    pub fn x_of(&self, sample: &Sample) -> f64 {
        number(sample, self.x).unwrap_or(1.0)
    }

    /// What the horizontal axis shows.
    #[must_use]
    pub fn x_label(&self) -> &'static str {
        match self.x {
            "value_bytes" => "bytes of a value",
            "pipeline" => "operations that share a round trip",
            "rate" => "operations/s that are due",
            _ => "workers",
        }
    }

    /// A place on the horizontal axis in words.
    #[must_use]
    pub fn x_words(&self, x: f64) -> String {
        let number = if x.fract() == 0.0 {
            grouped(x).split('.').next().unwrap_or_default().to_owned()
        } else {
            x.to_string()
        };
        match self.x {
            "workers_asked" if x == 1.0 => "1 worker".to_owned(),
            "workers_asked" => format!("{number} workers"),
            "value_bytes" => format!("values of {number} bytes"),
            "pipeline" => format!("pipeline {number}"),
            _ => format!("{number} operations/s due"),
        }
    }
}

/// Numbers in texts before others, as a person would sort them: `pipeline 2` stands before `pipeline 16`.
#[must_use]
pub fn natural(text: &str) -> Vec<(u64, String)> {
    let mut parts: Vec<(u64, String)> = vec![(0, String::new())];
    let mut digits = false;
    for c in text.chars().filter(|c| *c != ',') {
        match (c.to_digit(10), digits, parts.last_mut()) {
            (Some(digit), true, Some(last)) => {
                last.0 = last.0.saturating_mul(10).saturating_add(digit.into());
            }
            (Some(digit), false, _) => parts.push((digit.into(), String::new())),
            (None, _, Some(last)) => last.1.push(c),
            _ => {}
        }
        digits = c.is_ascii_digit();
    }
    parts
}

fn number(sample: &Sample, column: &str) -> Option<f64> {
    sample.label.get(column)?.parse().ok().filter(|value: &f64| value.is_finite() && *value > 0.0)
}

/// Whether the values of these columns say what the value of `column` is.
fn follows(samples: &[&Sample], column: &str, from: &[&'static str]) -> bool {
    let mut seen: HashMap<Vec<Option<&str>>, Option<&str>> = HashMap::new();
    samples.iter().all(|sample| {
        let key = from.iter().map(|column| sample.label.get(column)).collect();
        let value = sample.label.get(column);
        *seen.entry(key).or_insert(value) == value
    })
}

/// Whether two samples have the same values in all of these columns.
fn is_ambiguous(samples: &[&Sample], columns: &[&'static str]) -> bool {
    let keys: BTreeSet<Vec<Option<&str>>> = samples
        .iter()
        .map(|sample| columns.iter().map(|column| sample.label.get(column)).collect())
        .collect();
    keys.len() < samples.len()
}

fn named(column: &str, value: Option<&str>) -> String {
    let Some(value) = value else {
        return match column {
            "value_bytes" => "values are indices".to_owned(),
            "rate" => "closed loop".to_owned(),
            "server_args" => "server's own arguments".to_owned(),
            other => format!("no {}", other.replace('_', " ")),
        };
    };
    match column {
        "value_bytes" => format!("values of {value} bytes"),
        "rate" => format!("{value} operations/s due"),
        "operations_asked" => format!("{value} operations a trial"),
        "duration_asked_s" => format!("{value} s a trial"),
        "client_host" => format!("client on {value}"),
        "server_host" => format!("server on {value}"),
        "hosts" => format!("hosts {value}"),
        "placement" => format!("placement {value}"),
        "pipeline" => format!("pipeline {value}"),
        "server" => format!("server {value}"),
        "server_version" | "client" | "client_runtime" | "link" => value.to_owned(),
        other => format!("{} {value}", other.replace('_', " ")),
    }
}
