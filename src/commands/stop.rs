//! When a run may end, and by which rule it did. Decides from what is known of the trials, and reads and writes nothing.

use crate::analysis::precision::Precision;
use crate::experiment::Repetitions;
use crate::plan::Plan;
use crate::record::TrialRecord;
use crate::results::progress::RunState;
use crate::results::provenance::StopReason;

/// The rule of a plan, and what is known of its run.
#[derive(Clone, Debug)]
pub(super) struct Rule<'a> {
    plan: &'a Plan<'a>,
    precision: Precision,
    /// The last block that earlier sessions began.
    begun: u32,
}

impl<'a> Rule<'a> {
    /// For a run in which nothing has happened yet.
    pub(super) fn new(plan: &'a Plan<'a>) -> Self {
        Self { plan, precision: Precision::default(), begun: 0 }
    }

    /// For a run that goes on.
    pub(super) fn resumed(plan: &'a Plan<'a>, state: &RunState) -> Self {
        Self { plan, precision: state.precision.clone(), begun: state.progress.last_repetition() }
    }

    /// Adds an attempt.
    pub(super) fn observe(&mut self, record: &TrialRecord) {
        self.precision.observe(record);
    }

    /// How many blocks the run has at least: a block that was begun is finished, so that all cells have as many
    /// repetitions whether or not somebody stopped the run in between.
    pub(super) fn due(&self) -> u32 {
        self.begun.clamp(self.plan.least_blocks(), self.plan.blocks())
    }

    /// Whether a run in which this many blocks are done may end.
    pub(super) fn is_enough(&mut self, blocks: u32) -> bool {
        blocks == self.plan.blocks() || blocks >= self.due() && self.is_precise()
    }

    /// The rule by which a run that may end has ended.
    pub(super) fn reason(&mut self) -> StopReason {
        match self.plan.experiment().run.repetitions {
            Repetitions::Fixed(_) => StopReason::Fixed,
            Repetitions::Until { .. } if self.is_precise() => StopReason::Precise,
            Repetitions::Until { .. } => StopReason::MaxReached,
        }
    }

    fn is_precise(&mut self) -> bool {
        match self.plan.experiment().run.repetitions {
            Repetitions::Fixed(_) => false,
            Repetitions::Until { precision, .. } => {
                self.precision.is_reached(self.plan.cells().map(|cell| cell.id), precision)
            }
        }
    }
}
