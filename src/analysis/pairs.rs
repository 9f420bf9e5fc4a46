//! Which sample is compared with which: those of the same cell on two sides, or those that differ in one factor only.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::analysis::samples::{Sample, Samples};
use crate::experiment::{Factor, suggest};

/// The columns that say what was asked for and where. What follows from them or changes by itself, such as the version of a
/// server, is not among them.
pub static SETTINGS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let settings = Factor::columns().map(|(_, column)| column.name);
    ["experiment", "client_host", "server_host"].into_iter().chain(settings).collect()
});

/// Columns that differ where the machines do.
const MACHINES: [&str; 4] = ["hosts", "client_host", "server_host", "link"];

/// Samples side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pairs<'a> {
    /// Base and new.
    pub pairs: Vec<(&'a Sample, &'a Sample)>,
    /// Without a partner.
    pub only_base: Vec<&'a Sample>,
    /// Without a partner.
    pub only_new: Vec<&'a Sample>,
    /// The column in which the sides differ on purpose.
    pub factor: Option<&'static str>,
}

/// Why there are no pairs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Not a setting.
    #[error("`{factor}` is not a factor: {}", suggest(factor, "the factors are", Factor::names()))]
    Factor {
        /// As it was given.
        factor: String,
    },
    /// Nothing has this level.
    #[error("no trial has {factor} `{level}`; there are {}", levels.join(", "))]
    Level {
        /// The factor's column.
        factor: &'static str,
        /// As it was given.
        level: String,
        /// All levels that there are.
        levels: Vec<String>,
    },
}

/// Pairs samples of the same cell, leaving controls out: first those of the same experiment and machines, then those that are
/// the only ones left for their cell.
#[must_use]
pub fn by_cell<'a>(base: &'a Samples, new: &'a Samples) -> Pairs<'a> {
    let mut pairs = Pairs {
        only_base: candidates(&base.samples).collect(),
        only_new: candidates(&new.samples).collect(),
        ..Pairs::default()
    };
    let columns = ["cell", "client_host", "server_host", "experiment"];
    for known in [4, 3, 1] {
        pairs.join(|sample| key(sample, &columns[..known]));
    }
    pairs.sort();
    pairs
}

/// Pairs samples with the level `base` of a factor with those that have the level `new` of it and are the same in all other
/// [`SETTINGS`]. An empty level stands for a missing value.
///
/// # Errors
/// When there is no such factor or level.
pub fn by_factor<'a>(
    samples: &[&'a Sample],
    factor: &str,
    base: &str,
    new: &str,
) -> Result<Pairs<'a>, PairError> {
    let named = SETTINGS.iter().copied().find(|column| *column == factor);
    let Some(factor) = named.or_else(|| Factor::column_of(factor).map(|column| column.name)) else {
        return Err(PairError::Factor { factor: factor.to_owned() });
    };
    let with = |level: &str| -> Result<Vec<&'a Sample>, PairError> {
        let level = &*Factor::current(factor, level);
        let candidates = candidates(samples.iter().copied());
        let of: Vec<_> = candidates.filter(|sample| has_level(sample, factor, level)).collect();
        if of.is_empty() {
            let mut levels: Vec<String> = samples.iter().map(|sample| setting(sample, factor)).collect();
            levels.sort();
            levels.dedup();
            return Err(PairError::Level { factor, level: level.to_owned(), levels });
        }
        Ok(of)
    };
    let mut pairs =
        Pairs { only_base: with(base)?, only_new: with(new)?, factor: Some(factor), ..Pairs::default() };
    let is_other =
        |column: &&str| *column != factor && !(MACHINES.contains(&factor) && MACHINES.contains(column));
    let others: Vec<&str> = SETTINGS.iter().copied().filter(is_other).collect();
    pairs.join(|sample| key(sample, &others));
    pairs.sort();
    Ok(pairs)
}

/// Everything but controls: such a sample repeats a cell to show the noise of its run, and a comparison would count that cell
/// twice.
fn candidates<'a>(samples: impl IntoIterator<Item = &'a Sample>) -> impl Iterator<Item = &'a Sample> {
    samples.into_iter().filter(|sample| !sample.is_control())
}

impl<'a> Pairs<'a> {
    /// Pairs samples that have the same key, if each is the only one with it on its side.
    fn join(&mut self, key: impl Fn(&Sample) -> Vec<String>) {
        let mut sides: HashMap<Vec<String>, [Vec<&'a Sample>; 2]> = HashMap::new();
        for (side, samples) in [&self.only_base, &self.only_new].into_iter().enumerate() {
            for sample in samples {
                sides.entry(key(sample)).or_default()[side].push(sample);
            }
        }
        let is_pair = |sample: &Sample| {
            sides.get(&key(sample)).is_some_and(|sides| sides.iter().all(|side| side.len() == 1))
        };
        self.pairs.extend(self.only_base.iter().filter(|sample| is_pair(sample)).filter_map(|sample| {
            let [base, new] = sides.get(&key(sample))?;
            Some((*base.first()?, *new.first()?))
        }));
        self.only_base.retain(|sample| !is_pair(sample));
        self.only_new.retain(|sample| !is_pair(sample));
    }

    /// Trials are executed in a shuffled order; readers expect the order of the settings.
    fn sort(&mut self) {
        self.pairs.sort_by_cached_key(|(base, _)| order(base));
        self.only_base.sort_by_cached_key(|sample| order(sample));
        self.only_new.sort_by_cached_key(|sample| order(sample));
    }
}

fn key(sample: &Sample, columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| setting(sample, column)).collect()
}

/// The value of a column; for a placement only what was asked for, where that is a word, since an attempt that failed early
/// cannot say what was applied.
fn setting(sample: &Sample, column: &str) -> String {
    let value = sample.label.get(column).unwrap_or_default();
    let first = value.split(' ').next().unwrap_or_default();
    let is_word = column == "placement" && ["free", "same-core", "separate-cpus"].contains(&first);
    if is_word { first.to_owned() } else { value.to_owned() }
}

fn has_level(sample: &Sample, column: &str, level: &str) -> bool {
    setting(sample, column) == level || sample.label.get(column).unwrap_or_default() == level
}

/// By all settings, and by the cell, so that the order never depends on chance.
fn order(sample: &Sample) -> Vec<(bool, u64, String)> {
    SETTINGS.iter().copied().chain(["cell"]).map(|column| rank(&setting(sample, column))).collect()
}

/// Numbers in the order of numbers, before words.
fn rank(value: &str) -> (bool, u64, String) {
    let number = value.parse::<f64>().ok().filter(|number| *number >= 0.0);
    // The bits of numbers that are not negative are in the order of the numbers.
    (number.is_none(), number.map_or(0, f64::to_bits), value.to_owned())
}
