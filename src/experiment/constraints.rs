//! What must hold of cells: that a mode can do what a cell asks of it, that no cell stands in two matrices, that
//! their number can be counted. Asks [`super::grid`] about regions and never walks through cells.

use std::collections::HashMap;
use std::time::Duration;

use super::diagnose::{Findings, Place};
use super::grid::{Budget, Cut, Grid, TooTangled};
use super::matrix::{Column, Draft};
use super::tables::Names;
use super::{Amount, BuiltinMode, Factor, Level, Link, MAX_WORKERS, Split, Warmup};
use crate::setting::{MOST_EXACT, largest_divisor};
use crate::units::Nanos;

/// An exclusion of more levels than this is not helpful.
const LONGEST_HELP: usize = 20;

/// Checks the cells of every matrix, and all of them against each other.
pub(super) struct CellChecks<'a> {
    pub(super) findings: &'a mut Findings,
    pub(super) names: &'a Names<'a>,
    pub(super) budget: Budget,
}

/// Who supports a feature.
struct Able {
    builtin: fn(&BuiltinMode) -> bool,
    /// Whether all load generators can.
    load_generators: bool,
}

/// Two factors some of whose levels do not go together.
pub(super) struct Conflict<'a> {
    /// A finding for each level of this factor; it is where the caret stands.
    pub(super) one: Factor,
    pub(super) other: Factor,
    /// Whether the levels do not go together.
    pub(super) forbids: &'a dyn Fn(&Level, &Level) -> bool,
    /// What is wrong with them.
    pub(super) says: &'a dyn Fn(&Level, &Level) -> String,
    /// Only in cells of this level.
    pub(super) only: Option<(Factor, Level)>,
    /// What to do if nothing can be excluded.
    pub(super) help: String,
}

impl CellChecks<'_> {
    /// All checks of one matrix by itself. Returns the number of its cells.
    pub(super) fn matrix(&mut self, draft: &Draft<'_>) -> u128 {
        let before = self.findings.len();
        let answered =
            self.conflicts(draft).and_then(|()| draft.grid.count(draft.grid.whole(), &mut self.budget));
        match answered {
            Ok(0) if self.findings.len() == before => {
                self.findings.error(&draft.place, "no cell is left: `exclude` matches all of them");
                0
            }
            Ok(cells) => cells,
            Err(TooTangled) => {
                self.findings
                    .error(
                        &draft.place,
                        "the exclusions of this matrix overlap in too many ways to be checked",
                    )
                    .help("write fewer and larger ones, or several matrices");
                0
            }
        }
    }

    fn conflicts(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        self.workloads(draft)?;
        self.abilities(draft)?;
        self.servers(draft)?;
        self.amounts(draft)?;
        self.clients(draft)?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Hosts,
                other: Factor::Link,
                forbids: &|hosts, link| {
                    matches!(hosts, Level::Hosts(pair) if pair.is_network()) && *link == Link::Unix.level()
                },
                says: &|hosts, _| format!("a Unix socket does not lead from one host to another: `{hosts}`"),
                only: None,
                help: "use workload.link = \"tcp\", or one host".to_owned(),
            },
        )
    }

    /// What built-in modes and load generators cannot do. Any other driver says so itself when it gets its job.
    fn abilities(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let asks_pipeline = |level: &Level| matches!(level, Level::Number(2..));
        let asks_rate = |level: &Level| matches!(level, Level::PerSecond(_));
        let asks_time = |level: &Level| matches!(level, Level::Amount(Amount::Duration(_)));
        for (factor, asks, can, what) in [
            (
                Factor::Pipeline,
                &asks_pipeline as &dyn Fn(&Level) -> bool,
                Able { builtin: |mode| mode.can_pipeline, load_generators: true },
                "put more than one operation into a round trip",
            ),
            (
                Factor::Rate,
                &asks_rate,
                Able { builtin: |mode| mode.can_rate, load_generators: false },
                "keep to a rate",
            ),
            (
                Factor::Amount,
                &asks_time,
                Able { builtin: |_| true, load_generators: false },
                "work for a given time",
            ),
        ] {
            self.ability(draft, factor, asks, &can, what)?;
        }
        Ok(())
    }

    fn ability(
        &mut self,
        draft: &Draft<'_>,
        factor: Factor,
        asks: &dyn Fn(&Level) -> bool,
        can: &Able,
        what: &str,
    ) -> Result<(), TooTangled> {
        let (builtin, own) = (self.names.builtin.modes, &self.names.modes);
        let is_load_generator = |name: &str| own.get(name).is_some_and(|mode| mode.load_generator.is_some());
        let cannot = |level: &Level| {
            let Level::Name(name) = level else { return false };
            builtin.iter().any(|mode| mode.name == name && !(can.builtin)(mode))
                || !can.load_generators && is_load_generator(name)
        };
        let able: Vec<_> = builtin
            .iter()
            .filter(|mode| (can.builtin)(mode))
            .map(|mode| format!("`{}`", mode.name))
            .collect();
        let help = match able.as_slice() {
            [] => "no built-in mode can".to_owned(),
            able => format!("built-in modes that can: {}", able.join(", ")),
        };
        let asked = draft.column(factor);
        let first = asked.levels.iter().position(|level| level.is_some_and(asks));
        if let Some(first) = first
            && draft.column(Factor::Mode).levels.iter().flatten().all(|level| cannot(level))
        {
            let name = factor.name();
            self.findings
                .error(draft.place_of(&asked, first), format!("no mode of this matrix uses `{name}`"))
                .related(draft.place_of(&draft.column(Factor::Mode), 0), format!("no mode here can {what}"))
                .help(help);
            return Ok(());
        }
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Mode,
                other: factor,
                forbids: &|mode, level| asks(level) && cannot(mode),
                says: &|mode, level| {
                    let (key, value) = (factor.key_of(level), level.in_file());
                    format!("the mode `{mode}` cannot {what}, but a cell has {key} = {value}")
                },
                only: None,
                help,
            },
        )
    }

    /// What must hold between the amount of work, who does it, and the time there is.
    fn amounts(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Amount,
                other: Factor::Workers,
                forbids: &|amount, workers| match (amount, workers) {
                    (Level::Amount(Amount::Operations(n)), Level::Number(workers)) => *n < *workers,
                    _ => false,
                },
                says: &|amount, workers| format!("{amount} are too few for {workers} workers"),
                only: None,
                help: "every worker needs at least one operation".to_owned(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Amount,
                other: Factor::Pipeline,
                forbids: &|amount, pipeline| match (amount, pipeline) {
                    (Level::Amount(Amount::Operations(n)), Level::Number(pipeline)) => *n < *pipeline,
                    _ => false,
                },
                says: &|amount, pipeline| format!("{amount} never fill a pipeline of {pipeline}"),
                only: None,
                help: "a worker sends at most the operations that it has".to_owned(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Split,
                other: Factor::Amount,
                forbids: &|split, amount| {
                    *split == Split::Divisor.level() && matches!(amount, Level::Amount(Amount::Duration(_)))
                },
                says: &|_, amount| {
                    format!("the split \"divisor\" divides operations; {amount} has none to divide")
                },
                only: None,
                help: "use workload.operations, or split = \"even\"".to_owned(),
            },
        )?;
        self.divisors(draft)?;
        let (timeout, timeout_place) = draft.timeout();
        let limit = format!("the timeout of {timeout}");
        let help = match timeout_place {
            Some(_) => "raise `timeout` in [run]".to_owned(),
            None => "raise the timeout: timeout = \"…\" in [run]".to_owned(),
        };
        let due = |amount: &Level, rate: &Level| match (amount, rate) {
            (Level::Amount(Amount::Operations(n)), Level::PerSecond(rate)) => {
                Nanos((*n as f64 / *rate as f64 * 1e9) as u64)
            }
            _ => Nanos(0),
        };
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Amount,
                other: Factor::Rate,
                forbids: &|amount, rate| due(amount, rate).0 >= timeout.0,
                says: &|amount, rate| {
                    let due = Duration::from_secs(due(amount, rate).0 / 1_000_000_000);
                    format!("{amount} at {rate} take {}, which does not fit into {limit}", Nanos::from(due))
                },
                only: None,
                help: help.clone(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Amount,
                other: Factor::Warmup,
                forbids: &|amount, warmup| {
                    let (Level::Amount(amount), Level::Warmup(warmup)) = (amount, warmup) else {
                        return false;
                    };
                    let measured = if let Amount::Duration(time) = amount { *time } else { Nanos(0) };
                    let warm = if let Warmup::Duration(time) = warmup { *time } else { Nanos(0) };
                    measured.0.saturating_add(warm.0) >= timeout.0
                },
                says: &|amount, warmup| match amount {
                    Level::Amount(Amount::Duration(_)) => {
                        format!("{amount} of measuring after {warmup} of warm-up do not fit into {limit}")
                    }
                    _ => format!("a warm-up of {warmup} does not fit into {limit}"),
                },
                only: None,
                help,
            },
        )
    }

    /// Several clients share workers and rate: there must be at least one of each for every client.
    fn clients(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let clients = |hosts: &Level| match hosts {
            Level::Hosts(pair) => pair.clients.len() as u64,
            _ => 1,
        };
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Hosts,
                other: Factor::Workers,
                forbids: &|hosts, workers| {
                    matches!(workers, Level::Number(workers) if *workers < clients(hosts))
                },
                says: &|hosts, workers| {
                    format!("workers = {workers} cannot be shared among {} clients", clients(hosts))
                },
                only: None,
                help: "every client needs at least one worker".to_owned(),
            },
        )?;
        self.conflict(
            draft,
            &Conflict {
                one: Factor::Hosts,
                other: Factor::Rate,
                forbids: &|hosts, rate| matches!(rate, Level::PerSecond(rate) if *rate < clients(hosts)),
                says: &|hosts, rate| {
                    format!("a rate of {rate} cannot be shared among {} clients", clients(hosts))
                },
                only: None,
                help: "every client needs at least one operation per second".to_owned(),
            },
        )
    }

    /// With the split "divisor" there can be many more workers than were asked for.
    fn divisors(&mut self, draft: &Draft<'_>) -> Result<(), TooTangled> {
        let divisor = Split::Divisor.level();
        if !draft.column(Factor::Split).levels.contains(&Some(&divisor)) {
            return Ok(());
        }
        let mut most = HashMap::new();
        for level in draft.column(Factor::Amount).levels.into_iter().flatten() {
            if let Level::Amount(Amount::Operations(n)) = level {
                most.insert(*n, largest_divisor(*n, MAX_WORKERS));
            }
        }
        self.conflict(draft, &Conflict {
            one: Factor::Amount,
            other: Factor::Workers,
            forbids: &|amount, workers| match (amount, workers) {
                // Fewer operations than workers is already reported.
                (Level::Amount(Amount::Operations(n)), Level::Number(workers)) => {
                    *n >= *workers && most.get(n).is_some_and(|most| *workers > u64::from(*most))
                }
                _ => false,
            },
            says: &|amount, workers| {
                format!("no worker count from {workers} to {MAX_WORKERS} divides {amount}, as the split \"divisor\" needs")
            },
            only: Some((Factor::Split, divisor.clone())),
            help: "choose a number of operations with more divisors, or split = \"even\"".to_owned(),
        })
    }

    /// Notes each level of one factor that some cell combines with an incompatible level of another.
    pub(super) fn conflict(&mut self, draft: &Draft<'_>, conflict: &Conflict<'_>) -> Result<(), TooTangled> {
        let (one, other) = (draft.column(conflict.one), draft.column(conflict.other));
        let mut whole = draft.grid.whole();
        // An exclusion needs to name that level if there are others.
        let mut only = None;
        if let Some((factor, level)) = &conflict.only {
            let column = draft.column(*factor);
            match (column.axis, column.levels.iter().position(|other| *other == Some(level))) {
                (Some(axis), Some(at)) => {
                    whole[axis] = vec![at as u32];
                    only = (column.levels.len() > 1).then(|| (factor.key_of(level), level.in_file()));
                }
                (None, Some(_)) => {}
                (_, None) => return Ok(()),
            }
        }
        for (i, level) in one.levels.iter().enumerate() {
            let Some(level) = level else { continue };
            let bad = other.levels.iter().zip(0..).filter_map(|(other, at)| {
                other.is_some_and(|other| (conflict.forbids)(level, other)).then_some(at)
            });
            let bad: Vec<u32> = bad.collect();
            let mut region = whole.clone();
            if let Some(axis) = one.axis {
                region[axis] = vec![i as u32];
            }
            match other.axis {
                Some(axis) => region[axis].clone_from(&bad),
                None if bad.is_empty() => continue,
                None => {}
            }
            let Some(cell) = draft.grid.find(region, &mut self.budget)? else { continue };
            let at = other.axis.map_or(0, |axis| cell[axis] as usize);
            let example = other.levels[at].expect("only levels that are set conflict");
            let help =
                exclusion(&one, i, &other, &bad, only.clone()).unwrap_or_else(|| conflict.help.clone());
            let finding = self.findings.error(draft.place_of(&one, i), (conflict.says)(level, example));
            let second = draft.place_of(&other, at);
            if second != draft.place_of(&one, i) && *second != draft.place {
                finding.related(second, "together with this");
            }
            finding.help(help);
        }
        Ok(())
    }

    /// Notes every two matrices that have a cell in common.
    pub(super) fn duplicates(&mut self, drafts: &[Draft<'_>]) {
        for (i, second) in drafts.iter().enumerate() {
            for first in &drafts[..i] {
                if self.findings.is_full() {
                    return;
                }
                match common_cell(first, second, &mut self.budget) {
                    Ok(None) => {}
                    Ok(Some(cell)) => {
                        self.findings
                            .error(&second.place, "this matrix has a cell of another one")
                            .label(format!("the cell with {cell}"))
                            .related(&first.place, "is already here")
                            .help("take it out of one of them, with `exclude` or fewer levels");
                    }
                    Err(TooTangled) => {
                        self.findings
                            .error(&second.place, "the exclusions overlap too much to find duplicate cells")
                            .help("write fewer and larger ones");
                        return;
                    }
                }
            }
        }
    }

    /// Notes a plan with so many trials that not every program that reads their numbers can represent them exactly.
    pub(super) fn trials(&mut self, cells: u128, repetitions: u32, place: &Place) {
        let trials = cells.saturating_mul(u128::from(repetitions));
        if trials > u128::from(MOST_EXACT) {
            self.findings.error(place, format!("the plan has {trials} trials; 2^53 is the limit"));
        }
    }
}

/// The line that takes the conflicting cells out, unless it would take out all cells.
fn exclusion(
    one: &Column<'_>,
    level: usize,
    other: &Column<'_>,
    bad: &[u32],
    only: Option<(String, String)>,
) -> Option<String> {
    let varied = |column: &Column<'_>| column.axis.is_some() && column.levels.len() > 1;
    if bad.len() > LONGEST_HELP {
        return None;
    }
    let mut entries = Vec::new();
    if varied(one) {
        entries.push(vec![one.in_file(level)?]);
    }
    if varied(other) && bad.len() < other.levels.len() {
        entries.push(bad.iter().filter_map(|&at| other.in_file(at as usize)).collect());
    }
    if entries.is_empty() {
        return None;
    }
    entries.extend(only.map(|level| vec![level]));
    let entries = entries.iter().filter_map(|levels| {
        let (key, value) = levels.first()?;
        let all: Vec<_> = levels.iter().map(|(_, value)| value.as_str()).collect();
        Some(if all.len() == 1 {
            format!("{key} = {value}")
        } else {
            format!("{key} = [{}]", all.join(", "))
        })
    });
    let entries: Vec<_> = entries.collect();
    Some(format!("leave these cells out: exclude = [{{ {} }}]", entries.join(", ")))
}

/// An axis of a matrix as one of the grid that it has in common with another.
struct Renumbered {
    /// Which axis of the common grid.
    at: usize,
    /// From the indices of its levels to those of the common ones.
    levels: HashMap<u32, u32>,
}

/// The levels of a cell that two matrices have in common, if there is one.
///
/// Only factors that at least one of them varies can tell their cells apart: the rest comes from the same tables.
fn common_cell(a: &Draft<'_>, b: &Draft<'_>, budget: &mut Budget) -> Result<Option<String>, TooTangled> {
    let mut factors: Vec<_> = a.axes.iter().chain(&b.axes).map(|axis| axis.factor).collect();
    factors.sort_unstable();
    factors.dedup();
    // A short list is soon found to have nothing in common with another.
    factors.sort_by_key(|&factor| a.count(factor).min(b.count(factor)));
    let mut common: Vec<Vec<Option<&Level>>> = Vec::new();
    let mut renumbered: [HashMap<usize, Renumbered>; 2] = Default::default();
    for (at, &factor) in factors.iter().enumerate() {
        let columns = [a.column(factor), b.column(factor)];
        let in_b: HashMap<_, u32> = columns[1].levels.iter().zip(0..).collect();
        let mut levels = Vec::new();
        for (level, index_a) in columns[0].levels.iter().zip(0u32..) {
            let Some(&index_b) = in_b.get(level) else { continue };
            for (side, index) in [(0, index_a), (1, index_b)] {
                if let Some(axis) = columns[side].axis {
                    let axis = renumbered[side]
                        .entry(axis)
                        .or_insert_with(|| Renumbered { at, levels: HashMap::new() });
                    axis.levels.insert(index, levels.len() as u32);
                }
            }
            levels.push(*level);
        }
        if levels.is_empty() {
            return Ok(None);
        }
        common.push(levels);
    }
    let mut grid = Grid { sizes: common.iter().map(Vec::len).collect(), excludes: Vec::new() };
    for (draft, renumbered) in [a, b].into_iter().zip(&renumbered) {
        for cut in &draft.grid.excludes {
            let translated = cut.iter().map(|(axis, levels)| {
                let axis = &renumbered[axis];
                let mut levels: Vec<_> =
                    levels.iter().filter_map(|level| axis.levels.get(level).copied()).collect();
                levels.sort_unstable();
                (axis.at, levels)
            });
            grid.excludes.push(translated.collect::<Cut>());
        }
    }
    let Some(cell) = grid.find(grid.whole(), budget)? else { return Ok(None) };
    let levels = cell.iter().zip(&common).map(|(&index, levels)| levels[index as usize]);
    let named = factors
        .iter()
        .zip(levels)
        .filter_map(|(factor, level)| Some((factor.key_of(level?), level?.in_file())));
    let named: Vec<_> = named.map(|(key, value)| format!("{key} = {value}")).collect();
    Ok(Some(named.join(", ")))
}
