//! Which columns make the series, which one the horizontal axis, and which ones small multiples.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::analysis::samples::Sample;
use crate::experiment::Factor;
use crate::report::numbers::grouped;
use crate::setting::Column;

/// Columns that somebody may have varied, in the order in which they head pictures. Series are mostly modes and the horizontal
/// axis mostly workers; and a longer warm-up is mostly a consequence.
fn settings() -> impl Iterator<Item = &'static str> {
    let others =
        |factor: &Factor| !matches!(factor, Factor::Hosts | Factor::Warmup | Factor::Mode | Factor::Workers);
    let others = Factor::columns().filter(move |(factor, _)| others(factor)).map(|(_, column)| column.name);
    ["hosts", "client_host", "server_host"].into_iter().chain(others)
}

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
        let mut axes =
            Factor::columns().filter(|(_, column)| column.axis.is_some()).map(|(_, column)| column.name);
        let x = if levels("workers_asked") > 1 {
            "workers_asked"
        } else {
            axes.find(|c| levels(c) > 1 && is_number(c)).unwrap_or("workers_asked")
        };
        let series = if levels("mode") > 1 {
            "mode"
        } else {
            let other = settings().find(|c| *c != x && (2..=8).contains(&levels(c)));
            other.unwrap_or("mode")
        };
        let mut facets: Vec<&'static str> = Vec::new();
        for column in settings() {
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
        let shared = settings().chain(["server_version"]).filter(|c| levels(c) == 1);
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
        setting(self.x).and_then(|column| column.axis).unwrap_or(self.x)
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
            column => named(column, Some(&number)),
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

/// The column of a setting.
fn setting(name: &str) -> Option<&'static Column> {
    Factor::columns().find(|(_, column)| column.name == name).map(|(_, column)| column)
}

fn named(column: &str, value: Option<&str>) -> String {
    if let Some(setting) = setting(column) {
        return setting.words(value);
    }
    let name = column.replace('_', " ");
    match (column, value) {
        (_, None) => format!("no {name}"),
        ("client_host", Some(host)) => format!("client on {host}"),
        ("server_host", Some(host)) => format!("server on {host}"),
        ("server_version" | "client" | "client_runtime", Some(value)) => value.to_owned(),
        (_, Some(value)) => format!("{name} {value}"),
    }
}
