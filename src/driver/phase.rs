//! One stretch of work for all workers, the warm-up or the measured part: what is to be done, and what was.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use thread_local::ThreadLocal;

use super::failure::Failure;
use super::pace::Schedule;
use crate::experiment::Amount;
use crate::latency;
use crate::protocol::Job;

/// What all workers share. Nobody writes to it for an operation, except to the histogram of his own thread.
pub(super) struct Phase {
    pub(super) job: Job,
    pub(super) amount: Amount,
    /// What stands in the keys between the job's prefix and the worker: the warm-up writes keys of its own.
    infix: &'static str,
    /// Workers of a closed loop begin no operation after this, those of an open loop none that is due after it.
    pub(super) deadline: Option<Instant>,
    /// Absent in a closed loop.
    pub(super) schedule: Option<Schedule>,
    /// A histogram for every thread rather than for every worker: two hundred of them would not stay in the cache.
    latencies: ThreadLocal<RefCell<Histogram<u64>>>,
    tallies: Mutex<Vec<Tally>>,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

/// What one worker did.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// Its keys are this and an index.
    pub(super) stem: String,
    /// Operations of which at least the request may have been sent: indexes below this may exist as keys.
    pub(super) begun: u64,
    /// Operations whose reply has come.
    pub(super) done: u64,
    pub(super) last_reply: Option<Instant>,
    /// The largest delay of a start.
    pub(super) max_lag: Duration,
}

/// What all workers did.
pub(super) struct Outcome {
    /// The first failure of any of them.
    pub(super) failure: Option<Failure>,
    pub(super) tallies: Vec<Tally>,
    pub(super) latencies: Histogram<u64>,
}

impl Phase {
    /// The part that is not counted. It has no schedule even if the measured part has one: it is there to get warm.
    pub(super) fn warmup(job: &Job, amount: Amount) -> Arc<Self> {
        Self::new(job, amount, "w", Instant::now(), None)
    }

    /// The part that is.
    pub(super) fn measured(job: &Job, amount: Amount, start: Instant) -> Arc<Self> {
        let schedule = job.workload.rate.map(|rate| Schedule { start, rate });
        Self::new(job, amount, "", start, schedule)
    }

    fn new(
        job: &Job,
        amount: Amount,
        infix: &'static str,
        start: Instant,
        schedule: Option<Schedule>,
    ) -> Arc<Self> {
        let deadline = match amount {
            Amount::Operations(_) => None,
            Amount::Duration(duration) => Some(start + duration.duration()),
        };
        Arc::new(Self {
            job: job.clone(),
            amount,
            infix,
            deadline,
            schedule,
            latencies: ThreadLocal::new(),
            tallies: Mutex::default(),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
        })
    }

    /// What the keys of a worker begin with.
    pub(super) fn stem(&self, worker: u32) -> String {
        format!("{}{}{worker}:", self.job.key_prefix, self.infix)
    }

    /// Counts `operations` that took `nanos` each.
    pub(super) fn record(&self, nanos: u64, operations: u64) {
        let mut histogram = self.latencies.get_or(|| RefCell::new(latency::empty())).borrow_mut();
        histogram.record_n(nanos, operations).expect("a histogram that grows takes every value");
    }

    /// Takes a worker's tally when it ends, in whatever way.
    pub(super) fn hand_in(&self, tally: Tally) {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(tally);
    }

    /// A worker gives up, and so do all others at their next operation. The first failure is the one that is told.
    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.failed.store(true, Ordering::Relaxed);
    }

    /// Whether a worker has given up.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// What was done, once every worker has ended.
    pub(super) fn into_outcome(self: Arc<Self>) -> Outcome {
        let phase = Arc::into_inner(self).expect("every worker has ended");
        let mut histograms = phase.latencies.into_iter().map(RefCell::into_inner);
        let mut latencies = histograms.next().unwrap_or_else(latency::empty);
        for histogram in histograms {
            latency::merge(&mut latencies, &histogram);
        }
        Outcome {
            failure: phase.failure.into_inner().unwrap_or_else(PoisonError::into_inner),
            tallies: phase.tallies.into_inner().unwrap_or_else(PoisonError::into_inner),
            latencies,
        }
    }
}
