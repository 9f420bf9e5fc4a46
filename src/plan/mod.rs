//! An [`Experiment`] becomes a lazy, deterministic sequence of trials.
//!
//! Nothing here grows with the number of trials: cells are numbers until somebody asks for one, counting is algebra
//! over the axes, and the shuffled order is a permutation that is computed, not stored.

mod cell;
mod grid;
mod order;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

pub use cell::{Cell, CellId};
pub use order::Permutation;

use crate::experiment::{
    Amount, Experiment, Factor, HostPair, Level, Link, Order, Repetitions, Settings, Warmup,
};
use crate::protocol::JobWorkload;
use crate::units::Nanos;
use crate::workload::Kind;
use grid::Grid;

/// The throughput assumed for a closed loop when an estimate is made before anything was measured, in operations/s.
const ASSUMED_RATE: f64 = 20_000.0;
/// Assumed cost of a trial besides its work and its warm-up: processes, reset, sample, journal.
const ASSUMED_OVERHEAD: Nanos = Nanos::from_millis(10);

/// A lazy, deterministic sequence of trials.
#[derive(Debug)]
pub struct Plan<'e> {
    experiment: &'e Experiment,
    grids: Vec<Grid<'e>>,
    /// Including the control.
    cells: u64,
    /// Cells before anything is excluded, and the control: the domain of the permutation.
    places: u64,
    /// The settings of the control: those of the first cell, if they are repeated in a place of their own after all others.
    control: Option<Settings>,
}

/// A trial to be executed.
#[derive(Clone, Debug, PartialEq)]
pub struct PlannedTrial {
    /// What is executed.
    pub cell: Cell,
    /// From 1.
    pub repetition: u32,
    /// Its position in the order, from 1.
    pub position: u64,
}

/// A server that the plan needs, on the server host of a pair and for the pair's clients.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NeededServer {
    /// Names of the hosts in the file.
    pub hosts: HostPair,
    /// Name of the server in the file.
    pub server: String,
    /// In place of the server's own arguments.
    pub args: Option<Vec<String>>,
}

impl<'e> Plan<'e> {
    /// Lays out the plan of an experiment. Its cells can be counted and numbered, but none is created yet.
    #[must_use]
    pub fn new(experiment: &'e Experiment) -> Self {
        let grids: Vec<_> = experiment.matrices.iter().map(Grid::new).collect();
        let cells = grids.iter().map(Grid::count).fold(0, u64::saturating_add);
        let places = grids.iter().map(Grid::places).fold(0, u64::saturating_add);
        let mut plan = Self { experiment, grids, cells, places, control: None };
        if experiment.run.control {
            let first = plan.cells().next();
            let control = u64::from(first.is_some());
            plan.control = first.map(|first| first.settings);
            (plan.cells, plan.places) = (cells.saturating_add(control), places.saturating_add(control));
        }
        plan
    }

    /// What the plan was made from.
    #[must_use]
    pub const fn experiment(&self) -> &'e Experiment {
        self.experiment
    }

    /// Number of cells, the control among them.
    #[must_use]
    pub const fn cell_count(&self) -> u64 {
        self.cells
    }

    /// Number of trials; the largest possible one if repetitions depend on the precision reached.
    #[must_use]
    pub const fn trial_count(&self) -> u64 {
        self.trials_in(self.blocks())
    }

    /// Number of trials in this many blocks.
    #[must_use]
    pub const fn trials_in(&self, blocks: u32) -> u64 {
        self.cells.saturating_mul(blocks as u64)
    }

    /// Number of repetitions of every cell, at most.
    #[must_use]
    pub const fn blocks(&self) -> u32 {
        self.experiment.run.repetitions.most()
    }

    /// Number of repetitions of every cell, at least.
    #[must_use]
    pub const fn least_blocks(&self) -> u32 {
        self.experiment.run.repetitions.least()
    }

    /// All cells in the order of the file; the control is the last one.
    pub fn cells(&self) -> impl Iterator<Item = Cell> + '_ {
        (0..self.places).filter_map(|place| self.cell(place))
    }

    /// Whether one of the cells is a control.
    #[must_use]
    pub const fn has_control(&self) -> bool {
        self.control.is_some()
    }

    /// One repetition of every cell, in the order in which they are to be executed.
    ///
    /// `repetition` counts from 1.
    pub fn block(&self, repetition: u32) -> impl Iterator<Item = PlannedTrial> + '_ {
        let shuffle = match self.experiment.run.order {
            Order::Sequential => None,
            // A single cell has only one order, and shuffling it would cost as much as shuffling a hundred.
            Order::ShuffledBlocks if self.places == 1 => None,
            Order::ShuffledBlocks => {
                Some(Permutation::new(self.experiment.run.seed, u64::from(repetition), self.places))
            }
        };
        let first = u64::from(repetition - 1) * self.cells + 1;
        (0..self.places)
            .filter_map(move |k| self.cell(shuffle.as_ref().map_or(k, |shuffle| shuffle.at(k))))
            .zip(first..)
            .map(move |(cell, position)| PlannedTrial { cell, repetition, position })
    }

    /// All trials in the order in which they are to be executed, up to the largest possible number.
    pub fn trials(&self) -> impl Iterator<Item = PlannedTrial> + '_ {
        (1..=self.blocks()).flat_map(|repetition| self.block(repetition))
    }

    /// An estimate of how long this many blocks take: exact for what is given as a duration, and assuming 20,000
    /// operations/s for what is given as a number of operations.
    #[must_use]
    pub fn estimate(&self, blocks: u32) -> Nanos {
        let seconds = |cells: u64, amount: Amount, warmup: Warmup, rate: Option<u64>| {
            let per_second = rate.map_or(ASSUMED_RATE, |rate| rate as f64);
            let work = match amount {
                Amount::Operations(n) => n as f64 / per_second,
                Amount::Duration(d) => d.as_secs_f64(),
            };
            let warm = match warmup {
                Warmup::Operations(n) => n as f64 / ASSUMED_RATE,
                Warmup::Duration(d) => d.as_secs_f64(),
            };
            cells as f64 * (work + warm + ASSUMED_OVERHEAD.as_secs_f64())
        };
        let per_block: f64 = self
            .grids
            .iter()
            .flat_map(|grid| grid.project(&[Factor::Amount, Factor::Warmup, Factor::Rate]))
            .chain(self.control.clone().map(|settings| (settings, 1)))
            .map(|(settings, cells)| {
                seconds(cells, settings.workload.amount, settings.warmup, settings.workload.rate)
            })
            .sum();
        Nanos((per_block * f64::from(blocks) * 1e9) as u64)
    }

    /// Every host that any cell needs.
    #[must_use]
    pub fn hosts(&self) -> BTreeSet<String> {
        self.grids
            .iter()
            .flat_map(|grid| grid.project(&[Factor::Hosts]))
            .flat_map(|(settings, _)| settings.hosts.all().cloned().collect::<Vec<_>>())
            .collect()
    }

    /// Every server that any cell needs, with the hosts of server and client.
    #[must_use]
    pub fn servers(&self) -> BTreeSet<NeededServer> {
        self.grids
            .iter()
            .flat_map(|grid| grid.project(&[Factor::Hosts, Factor::Server, Factor::ServerArgs]))
            .map(|(settings, _)| NeededServer {
                hosts: settings.hosts,
                server: settings.server,
                args: settings.server_args,
            })
            .collect()
    }

    /// The largest number of connections that workers have to each server at once: one each, except in modes whose workers
    /// share one, which their names say.
    #[must_use]
    pub fn connections(&self) -> BTreeMap<String, u32> {
        let mut most = BTreeMap::new();
        let mut factors = vec![
            Factor::Mode,
            Factor::Server,
            Factor::Workers,
            Factor::Amount,
            Factor::Split,
            Factor::Workload,
        ];
        factors.extend(Kind::ALL.iter().filter_map(|kind| kind.workload().pushers));
        for (settings, _) in self.grids.iter().flat_map(|grid| grid.project(&factors)) {
            let workload = &settings.workload;
            let shared = settings.mode.ends_with("multiplexed");
            let workers = if shared { 1 } else { workload.split.workers(workload.amount, settings.workers) };
            let workers = workers + JobWorkload::from(&settings).pushers();
            let known = most.entry(settings.server).or_default();
            *known = workers.max(*known);
        }
        most
    }

    /// The servers that we start and that some cell reaches over TLS.
    #[must_use]
    pub fn speak_tls(&self) -> BTreeSet<String> {
        let cells = self.grids.iter().flat_map(|grid| grid.project(&[Factor::Server, Factor::Link]));
        cells
            .filter(|(settings, _)| settings.workload.link == Link::Tls)
            .map(|(settings, _)| settings.server)
            .collect()
    }

    /// Every mode that any cell needs, with the host of its client, in the order of hosts and names.
    #[must_use]
    pub fn modes(&self) -> BTreeSet<(String, String)> {
        self.grids
            .iter()
            .flat_map(|grid| grid.project(&[Factor::Hosts, Factor::Mode]))
            .flat_map(|(settings, _)| {
                let mode = settings.mode;
                settings.hosts.clients.into_iter().map(move |client| (client, mode.clone()))
            })
            .collect()
    }

    /// The factors that have more than one level anywhere in the experiment, in the order of the file.
    #[must_use]
    pub fn varying(&self) -> Vec<Factor> {
        let mut levels: Vec<(Factor, Vec<Level>)> = Vec::new();
        for axis in self.experiment.matrices.iter().flat_map(|matrix| &matrix.axes) {
            match levels.iter_mut().find(|(factor, _)| *factor == axis.factor) {
                Some((_, seen)) => seen.extend(axis.levels.iter().cloned()),
                None => levels.push((axis.factor, axis.levels.clone())),
            }
        }
        let varies = |levels: &[Level]| levels.iter().any(|level| *level != levels[0]);
        levels.into_iter().filter(|(_, levels)| varies(levels)).map(|(factor, _)| factor).collect()
    }

    /// SHA-256 over everything that decides which trials are executed in which order, in hexadecimal.
    ///
    /// Walks over all cells once.
    #[must_use]
    pub fn hash(&self) -> String {
        let run = &self.experiment.run;
        let mut hash = Sha256::new();
        hash.update(format!("order {} seed {} blocks {}\n", run.order, run.seed, self.blocks()));
        if let Repetitions::Until { min, precision, .. } = run.repetitions {
            hash.update(format!("from {min} until {precision}\n"));
        }
        for cell in self.cells() {
            hash.update(cell.id.as_u64().to_be_bytes());
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The cell at a place, or `None` if it is excluded.
    fn cell(&self, mut place: u64) -> Option<Cell> {
        for grid in &self.grids {
            if place < grid.places() {
                return grid.settings(place).map(|settings| Cell::new(self.experiment, settings));
            }
            place -= grid.places();
        }
        self.control.clone().map(|settings| Cell::new(self.experiment, settings).twin())
    }
}

#[cfg(test)]
mod tests;
