//! Which series has which colour and mark. Up to eight series have one each, in every picture and table of a page. With
//! more, the colour says what they run on, or, where lines are drawn, which are the eight highest.

use std::collections::HashMap;

use crate::report::cells::Cell;
use crate::report::model::Key;
use crate::report::palette::{GREY, LOOKS};

/// Which colour belongs to which series.
#[derive(Clone, Debug, PartialEq)]
pub struct Looks {
    /// What a colour stands for.
    pub by: By,
    /// Each look with its name.
    pub key: Vec<Key>,
    of_series: HashMap<String, usize>,
}

/// What a colour stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// Which series it is.
    Series,
    /// What the client runs on.
    Kin,
    /// Whether the series is among the highest.
    Highest,
}

impl Looks {
    /// For all cells of an experiment. `is_lines` says that pictures are lines; more than eight of those cannot be told
    /// apart by what they run on.
    #[must_use]
    pub fn of(cells: &[Cell<'_>], is_lines: bool) -> Self {
        let mut series: Vec<&Cell<'_>> = Vec::new();
        for cell in cells {
            if series.iter().all(|known| known.series != cell.series) {
                series.push(cell);
            }
        }
        if series.len() <= LOOKS {
            let names = series.iter().map(|cell| cell.series.clone());
            return Self::each(By::Series, names.clone().zip(names).collect());
        }
        if is_lines {
            return Self::highest(cells, &series);
        }
        let is_one = series.iter().all(|cell| kin(cell) == kin(series[0]));
        let kin = |cell: &&Cell<'_>| (cell.series.clone(), if is_one { flavour(cell) } else { kin(cell) });
        Self::each(By::Kin, series.iter().map(kin).collect())
    }

    /// A look for each name; several series may share one.
    fn each(by: By, names: Vec<(String, String)>) -> Self {
        let mut key: Vec<Key> = Vec::new();
        let mut of_series = HashMap::new();
        for (series, name) in names {
            let known = key.iter().find(|known| known.name == name).map(|known| known.look);
            let look = known.unwrap_or_else(|| {
                let look = key.len().min(GREY);
                key.push(Key { name, look });
                look
            });
            of_series.insert(series, look);
        }
        let has_others = key.len() > LOOKS;
        key.retain(|key| key.look < GREY);
        if has_others {
            key.push(Key { name: "others".to_owned(), look: GREY });
        }
        Self { by, key, of_series }
    }

    fn highest(cells: &[Cell<'_>], series: &[&Cell<'_>]) -> Self {
        let peak = |name: &str| {
            let medians = cells.iter().filter(|cell| cell.series == name).filter_map(Cell::median);
            medians.fold(0.0, f64::max)
        };
        let mut ranked: Vec<(f64, &str)> =
            series.iter().map(|cell| (peak(&cell.series), cell.series.as_str())).collect();
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let look = |(place, (_, name)): (usize, &(f64, &str))| ((*name).to_owned(), place.min(GREY));
        let of_series: HashMap<String, usize> = ranked.iter().enumerate().map(look).collect();
        let mut key: Vec<Key> = ranked
            .iter()
            .take(LOOKS)
            .enumerate()
            .map(|(look, (_, name))| Key { name: (*name).to_owned(), look })
            .collect();
        key.push(Key { name: format!("{} others", series.len() - LOOKS), look: GREY });
        Self { by: By::Highest, key, of_series }
    }

    /// The look of a series.
    #[must_use]
    pub fn look(&self, series: &str) -> usize {
        self.of_series.get(series).copied().unwrap_or(GREY)
    }
}

/// What a client runs on with whatever follows its version: `CPython asyncio`.
fn flavour(cell: &Cell<'_>) -> String {
    let told = cell.sample.label.get("client_runtime").unwrap_or("unknown");
    let words = told.split([' ', ',']).filter(|word| !word.is_empty());
    words.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())).collect::<Vec<_>>().join(" ")
}

/// What a client runs on, without its version and whatever follows it: `CPython`, `Node.js`, `tokio`. The library, if that
/// is unknown.
#[must_use]
pub fn kin(cell: &Cell<'_>) -> String {
    let of = |column: &str| cell.sample.label.get(column);
    let told = of("client_runtime").or_else(|| of("client")).unwrap_or("unknown");
    let words = told.split([' ', ',']).take_while(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
    let words: Vec<&str> = words.collect();
    if words.is_empty() { told.to_owned() } else { words.join(" ") }
}
