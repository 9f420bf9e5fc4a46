//! Merges the rows of many pieces and tables into samples.

use std::collections::{BTreeMap, HashMap};

use rayon::prelude::*;

use crate::analysis::samples::{Failure, LABELS, Label, Sample, Samples, Trial};
use crate::results::read::ReadError;
use crate::results::read::table::Rows;

/// What determines which trials belong together.
const IDENTITY: [&str; 4] = ["experiment", "cell", "client_host", "server_host"];

/// What has been collected so far.
#[derive(Default)]
pub(in crate::results) struct Gathered {
    runs: Vec<String>,
    runs_by_name: HashMap<String, u32>,
    samples: Vec<Growing>,
    samples_by_identity: HashMap<Vec<String>, usize>,
    unknown_flags: Vec<String>,
    remarks: Vec<String>,
    rows: usize,
}

/// A sample, and the attempt numbers of its failures.
struct Growing {
    sample: Sample,
    attempts: Vec<u32>,
}

impl Gathered {
    pub(super) fn remark(&mut self, remark: String) {
        self.remarks.push(remark);
    }

    /// Rows that were added.
    pub(super) const fn rows(&self) -> usize {
        self.rows
    }

    /// Adds the rows of a chunk. Chunks are added in the order of the table.
    pub(in crate::results) fn add(&mut self, rows: Rows) {
        self.rows += rows.trials.len() + rows.failures.len();
        let runs: Vec<u32> = rows.runs.into_iter().map(|run| self.run(run)).collect();
        let samples: Vec<usize> = rows.labels.iter().map(|label| self.sample(label)).collect();
        let mut is_known = vec![false; samples.len()];
        for (label, mut trial) in rows.trials {
            let growing = &mut self.samples[samples[label as usize]];
            if !is_known[label as usize] {
                is_known[label as usize] = true;
                growing.met(&rows.labels[label as usize], runs[trial.run as usize]);
            }
            trial.run = runs[trial.run as usize];
            growing.sample.trials.push(trial);
        }
        for (label, attempt, mut failure) in rows.failures {
            let growing = &mut self.samples[samples[label as usize]];
            failure.run = runs[failure.run as usize];
            growing.sample.failures.push(failure);
            growing.attempts.push(attempt);
        }
        for flag in rows.unknown_flags {
            if !self.unknown_flags.contains(&flag) {
                self.unknown_flags.push(flag);
            }
        }
    }

    /// Everything, with each trial once.
    pub(in crate::results) fn finish(mut self) -> Result<Samples, ReadError> {
        let runs = &self.runs;
        let doubled: Vec<Vec<u32>> =
            self.samples.par_iter_mut().map(|growing| growing.once(runs)).collect::<Result<_, _>>()?;
        let mut rows: BTreeMap<u32, usize> = BTreeMap::new();
        for run in doubled.into_iter().flatten() {
            *rows.entry(run).or_default() += 1;
        }
        for (run, count) in rows {
            let rows = if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
            self.remarks.push(format!(
                "{rows} of run {} appeared more than once: each counts once",
                self.runs[run as usize]
            ));
        }
        if !self.unknown_flags.is_empty() {
            self.remarks.push(format!(
                "this version does not know the flags {}: they were left out",
                self.unknown_flags.join(", ")
            ));
        }
        let samples = self.samples.into_iter().map(|growing| growing.sample).collect();
        Ok(Samples { runs: self.runs, samples, remarks: self.remarks })
    }

    fn run(&mut self, name: String) -> u32 {
        let next = self.runs.len() as u32;
        *self.runs_by_name.entry(name).or_insert_with_key(|name| {
            self.runs.push(name.clone());
            next
        })
    }

    fn sample(&mut self, label: &Label) -> usize {
        let identity = IDENTITY.map(|column| label.get(column).unwrap_or_default().to_owned()).to_vec();
        *self.samples_by_identity.entry(identity).or_insert_with(|| {
            let sample = Sample { label: label.clone(), ..Sample::default() };
            self.samples.push(Growing { sample, attempts: Vec::new() });
            self.samples.len() - 1
        })
    }
}

impl Growing {
    /// A trial with this label is about to be added.
    fn met(&mut self, label: &Label, run: u32) {
        if self.sample.trials.is_empty() {
            self.sample.label = label.clone();
        }
        if self.sample.label != *label && self.sample.others.iter().all(|(known, _)| *known != run) {
            self.sample.others.push((run, label.clone()));
        }
        for (index, column) in LABELS.iter().copied().enumerate() {
            if self.sample.label.differs(label, column) && !self.sample.mixed.contains(&column) {
                self.sample.mixed.push(column);
            }
            if column == "driver_sha256" && self.sample.label.get(column).is_none() {
                self.sample.label.values[index].clone_from(&label.values[index]);
            }
        }
    }

    /// Drops rows that occur more than once, and reports the runs concerned.
    fn once(&mut self, runs: &[String]) -> Result<Vec<u32>, ReadError> {
        let mut doubled = Vec::new();
        let trials = std::mem::take(&mut self.sample.trials);
        let mut repeated = repeats(&trials, |trial| (trial.run, trial.repetition, 0)).into_iter().peekable();
        if repeated.peek().is_some() {
            let mut leave_out = vec![false; trials.len()];
            for (first, again) in repeated {
                let (trial, other): (&Trial, &Trial) = (&trials[first], &trials[again]);
                if trial != other {
                    return Err(ReadError::Contradiction {
                        run: runs[trial.run as usize].clone(),
                        cell: self.sample.label.get("cell").unwrap_or_default().to_owned(),
                        repetition: trial.repetition,
                    });
                }
                leave_out[again] = true;
                doubled.push(trial.run);
            }
            let kept = trials.into_iter().zip(leave_out).filter(|(_, is_out)| !is_out);
            self.sample.trials = kept.map(|(trial, _)| trial).collect();
        } else {
            self.sample.trials = trials;
        }
        let failures: Vec<(u32, Failure)> =
            self.attempts.drain(..).zip(std::mem::take(&mut self.sample.failures)).collect();
        let again: Vec<usize> =
            repeats(&failures, |(attempt, failure)| (failure.run, failure.repetition, *attempt))
                .into_iter()
                .map(|(_, again)| again)
                .collect();
        for (index, (_, failure)) in failures.into_iter().enumerate() {
            if again.contains(&index) {
                doubled.push(failure.run);
            } else {
                self.sample.failures.push(failure);
            }
        }
        Ok(doubled)
    }
}

/// Pairs of places with the same key: the first one, and each further one.
fn repeats<T>(rows: &[T], key: impl Fn(&T) -> (u32, u32, u32)) -> Vec<(usize, usize)> {
    let mut keyed: Vec<_> = rows.iter().enumerate().map(|(index, row)| (key(row), index)).collect();
    keyed.sort_unstable();
    let same = keyed.chunk_by(|(a, _), (b, _)| a == b).filter(|same| same.len() > 1);
    same.flat_map(|same| same[1..].iter().map(|(_, again)| (same[0].1, *again))).collect()
}
