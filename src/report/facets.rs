//! Which columns make the series, which one the horizontal axis, and which ones small multiples.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::analysis::samples::Sample;
use crate::experiment::Factor;
use crate::report::numbers::grouped;
use crate::setting::Column;

/// Columns that may have been varied, in the order in which they appear in the titles of pictures. Modes usually become the
/// series and workers the horizontal axis; a longer warm-up usually follows from something else.
fn settings() -> impl Iterator<Item = &'static str> {
    let others = |factor: &Factor| {
        !matches!(factor, Factor::Hosts | Factor::Warmup | Factor::Mode | Factor::Workers | Factor::Amount)
    };
    let others = Factor::columns().filter(move |(factor, _)| others(factor)).map(|(_, column)| column.name);
    ["hosts", "client_host", "server_host"].into_iter().chain(others).chain(["workers_asked"]).chain(AMOUNTS)
}

/// How long a trial takes, which usually follows from something else, such as a rate.
const AMOUNTS: [&str; 2] = ["operations_asked", "duration_asked_s"];

/// What a mode is given besides its job: it makes another variant of the mode, not a picture of its own.
const VARIANTS: [&str; 2] = ["mode_options", "mode_env"];

/// Columns that usually follow from others, and make pictures of their own only where they do not.
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
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The column whose values are series.
    pub series: &'static str,
    /// The column on the horizontal axis.
    pub x: &'static str,
    /// Columns that vary and are named together with the series.
    pub variants: Vec<&'static str>,
    /// The columns whose combinations are pictures.
    pub facets: Vec<&'static str>,
    /// The places on the horizontal axis, ascending.
    pub x_levels: Vec<f64>,
    /// What every sample shares, in words.
    pub everywhere: String,
}

impl Layout {
    /// For the samples of one experiment.
    #[must_use]
    pub fn of(samples: &[&Sample]) -> Self {
        let levels = |column: &str| samples.iter().map(|s| level(s, column)).collect::<HashSet<_>>().len();
        let is_number = |column: &str| samples.iter().all(|s| number(s, column).is_some());
        let axes =
            Factor::columns().filter(|(_, column)| column.axis.is_some()).map(|(_, column)| column.name);
        // Workers unless another number has more levels, and the first of those with as many.
        let x = ["workers_asked"]
            .into_iter()
            .chain(axes)
            .filter(|column| levels(column) > 1 && is_number(column))
            .reduce(|first, next| if levels(next) > levels(first) { next } else { first })
            .unwrap_or("workers_asked");
        let series = if levels("mode") > 1 {
            "mode"
        } else {
            let other = settings().find(|c| *c != x && (2..=8).contains(&levels(c)));
            other.unwrap_or("mode")
        };
        let varies = |column: &&'static str| series == "mode" && levels("mode") > 1 && levels(column) > 1;
        let variants: Vec<&'static str> = VARIANTS.into_iter().filter(varies).collect();
        let mut facets: Vec<&'static str> = Vec::new();
        for column in settings() {
            let mut known = facets.clone();
            known.push(x);
            known.extend(&variants);
            if series != "mode" {
                known.push(series);
            }
            let is_placed = column == x || column == series || variants.contains(&column);
            if !is_placed && !follows(samples, column, &known) {
                facets.push(column);
            }
        }
        for column in CONSEQUENCES {
            let known = [&facets[..], &variants, &[x, series]].concat();
            if is_ambiguous(samples, &known) && !follows(samples, column, &known) {
                facets.push(column);
            }
        }
        let mut x_levels: Vec<f64> = samples.iter().filter_map(|sample| number(sample, x)).collect();
        x_levels.sort_by(f64::total_cmp);
        x_levels.dedup();
        let shared = settings().chain(["server_version"]).filter(|c| levels(c) == 1);
        let said = shared.filter(|c| !matches!(*c, "hosts" | "workload" | "server" | "verify" | "split"));
        let everywhere: Vec<String> = said
            .filter_map(|column| samples.first()?.label.get(column).map(|value| named(column, Some(value))))
            .collect();
        Self { series, x, variants, facets, x_levels, everywhere: everywhere.join(" · ") }
    }

    /// The picture that a sample belongs to, as its title.
    #[must_use]
    pub fn facet(&self, sample: &Sample) -> String {
        // A setting that the workload does not have is not named.
        let is_told = |column: &&&'static str| level(sample, column).is_some() || !is_own(column);
        let parts = self.facets.iter().filter(is_told).map(|column| named(column, level(sample, column)));
        parts.collect::<Vec<_>>().join(" · ")
    }

    /// The series that a sample belongs to.
    #[must_use]
    pub fn name(&self, sample: &Sample) -> String {
        let name = match self.series {
            "mode" => sample.label.get("mode").unwrap_or("no mode").to_owned(),
            column => named(column, level(sample, column)),
        };
        let variants: Vec<&str> =
            self.variants.iter().filter_map(|column| sample.label.get(column)).collect();
        if variants.is_empty() { name } else { format!("{name} ({})", variants.join(", ")) }
    }

    /// Whether there is more than one place on the horizontal axis.
    #[must_use]
    pub const fn has_x(&self) -> bool {
        self.x_levels.len() > 1
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
        named(self.x, Some(&x_number(x)))
    }

    /// A part of the horizontal axis in words: `1 to 16 workers`, `pipeline 1 to 16`.
    #[must_use]
    pub fn x_range(&self, from: f64, to: f64) -> String {
        if from.total_cmp(&to).is_eq() {
            return self.x_words(from);
        }
        let (first, last) = (x_number(from), x_number(to));
        let words = self.x_words(to);
        if words.starts_with(&last) {
            format!("{first} to {words}")
        } else {
            format!("{} to {last}", self.x_words(from))
        }
    }
}

fn x_number(x: f64) -> String {
    if x.fract() == 0.0 { grouped(x).split('.').next().unwrap_or_default().to_owned() } else { x.to_string() }
}

/// The heading of a column in a table for readers, and whether its values are numbers.
#[must_use]
pub fn heading(column: &str) -> (String, bool) {
    let own = Factor::columns().find(|(_, own)| own.name == column);
    match own.map(|(factor, _)| factor.setting()) {
        Some(setting) if setting.columns.len() == 1 => {
            (setting.heading.name.to_owned(), setting.heading.numeric)
        }
        _ => {
            let mut words = column.replace('_', " ");
            if let Some(first) = words.get_mut(..1) {
                first.make_ascii_uppercase();
            }
            (words, false)
        }
    }
}

/// What a table for readers shows in place of a missing value of this column.
#[must_use]
pub fn absent(column: &str) -> &'static str {
    let own = Factor::columns().find(|(_, own)| own.name == column);
    own.map_or("–", |(factor, _)| factor.setting().heading.absent)
}

/// The value of a column by which cells are grouped. For a placement, only what was asked for, where that is a word: an
/// attempt that failed early cannot say what was applied.
#[must_use]
pub fn level<'s>(sample: &'s Sample, column: &str) -> Option<&'s str> {
    let value = sample.label.get(column)?;
    let first = value.split(' ').next().unwrap_or(value);
    let is_word = column == "placement" && ["free", "same-core", "split", "separate-cpus"].contains(&first);
    Some(if is_word { first } else { value })
}

/// Whether a column is that of a setting that only some workloads have.
fn is_own(column: &str) -> bool {
    Factor::columns().any(|(factor, own)| factor.is_own() && own.name == column)
}

/// A key that sorts texts as a person would, by the numbers in them: `pipeline 2` comes before `pipeline 16`.
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

/// Whether the values of these columns determine the value of `column`.
fn follows(samples: &[&Sample], column: &str, from: &[&'static str]) -> bool {
    let mut seen: HashMap<Vec<Option<&str>>, Option<&str>> = HashMap::new();
    samples.iter().all(|sample| {
        let key = from.iter().map(|column| level(sample, column)).collect();
        let value = level(sample, column);
        *seen.entry(key).or_insert(value) == value
    })
}

/// Whether any two samples have the same values in all of these columns.
fn is_ambiguous(samples: &[&Sample], columns: &[&'static str]) -> bool {
    let keys: BTreeSet<Vec<Option<&str>>> =
        samples.iter().map(|sample| columns.iter().map(|column| level(sample, column)).collect()).collect();
    keys.len() < samples.len()
}

/// The column of a setting.
fn setting(name: &str) -> Option<&'static Column> {
    Factor::columns().find(|(_, column)| column.name == name).map(|(_, column)| column)
}

fn named(column: &str, value: Option<&str>) -> String {
    if column == "workers_asked" && value == Some("1") {
        return "1 worker".to_owned();
    }
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
