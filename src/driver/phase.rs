//! One stretch of work for all workers, the warm-up or the measured part: what is to be done, and what was.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::exchange::{Exchange, Received};
use super::failure::Failure;
use super::pace::Schedule;
use super::progress::Progress;
use super::script::Script;
use super::space::Space;
use crate::experiment::Amount;
use crate::latency;
use crate::protocol::Job;
use crate::setting::Factor;

/// The most histograms there are. Two thousand of them would take hundreds of megabytes, and merging them after the work would
/// take longer than two clocks may be apart.
const HISTOGRAMS: usize = 64;

/// What all workers share. No operation writes to it, except to the histogram of its thread; threads share one only if there
/// are more of them than histograms.
pub(super) struct Phase {
    pub(super) job: Job,
    pub(super) amount: Amount,
    /// What stands in the keys between the job's prefix and the worker: the warm-up writes keys of its own.
    pub(super) infix: &'static str,
    /// Workers of a closed loop begin no operation after this, those of an open loop none that is due after it.
    pub(super) deadline: Option<Instant>,
    /// Absent in a closed loop.
    pub(super) schedule: Option<Schedule>,
    /// When it began.
    pub(super) start: Instant,
    /// Seconds until a key that is set expires, if it does.
    pub(super) expire: Option<u64>,
    /// Where those who push meet those who take, in a workload that has both.
    exchange: Option<Box<Exchange>>,
    /// For threads rather than for workers: two hundred histograms would not stay in the cache.
    latencies: [Mutex<Option<Histogram<u64>>>; HISTOGRAMS],
    progress: Mutex<Progress>,
    tallies: Mutex<Vec<Tally>>,
    /// Of each command, where the workload lists them.
    calls: Mutex<BTreeMap<String, u64>>,
    failed: AtomicBool,
    failure: Mutex<Option<Failure>>,
}

thread_local! {
    /// The number of the histogram of this thread.
    static THREAD: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % HISTOGRAMS
    };
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
    /// How many of them [`Phase::progress`] has; the others were all done in one slot of it.
    pub(super) in_progress: u64,
    /// GETs among them.
    pub(super) fetched: u64,
    pub(super) last_reply: Option<Instant>,
    /// The largest delay of a start.
    pub(super) max_lag: Duration,
}

/// What all workers did.
pub(super) struct Outcome {
    /// The first failure of any of them.
    pub(super) failure: Option<Failure>,
    pub(super) tallies: Vec<Tally>,
    /// Calls of each command, where the workload lists them.
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) latencies: Histogram<u64>,
    pub(super) progress: Progress,
    /// What each taker got, in a workload that has some.
    pub(super) received: Vec<Received>,
    /// The keys that may be left of its queue.
    pub(super) queues: Vec<String>,
}

impl Phase {
    /// The part that is not counted. It has no schedule even if the measured part has one: it is there to get warm.
    pub(super) fn warmup(job: &Job, amount: Amount) -> Arc<Self> {
        Self::new(job, amount, "w", Instant::now(), None)
    }

    /// The part that is counted.
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
            expire: job.workload.own.number(Factor::Expire),
            exchange: Exchange::new(job, infix, schedule.is_some()),
            job: job.clone(),
            amount,
            infix,
            deadline,
            schedule,
            start,
            latencies: [const { Mutex::new(None) }; HISTOGRAMS],
            progress: Mutex::default(),
            tallies: Mutex::default(),
            calls: Mutex::default(),
            failed: AtomicBool::new(false),
            failure: Mutex::default(),
        })
    }

    /// What the keys of a worker begin with.
    pub(super) fn stem(&self, worker: u32) -> String {
        format!("{}{}{worker}:", self.job.key_prefix, self.infix)
    }

    /// How a worker chooses among the existing keys; `None` where each operation has a new one.
    pub(super) fn space(&self, worker: u32) -> Option<Space> {
        // The warm-up does not choose the same keys in advance.
        let seed = if self.infix.is_empty() { self.job.seed } else { !self.job.seed };
        Space::new(&self.job.workload, (worker, self.job.workers), seed)
            .expect("the job was looked at before")
    }

    /// Where pushers and takers meet.
    pub(super) fn exchange(&self) -> &Exchange {
        self.exchange
            .as_deref()
            .expect("only sides ask for it, and only workloads with an exchange have sides")
    }

    /// The commands of a worker; `None` where the workload is not one that lists them.
    pub(super) fn script(&self, worker: u32) -> Option<Script> {
        Script::new(&self.job.workload, worker, self.job.seed).expect("the job was looked at before")
    }

    /// Counts `operations` that took `latency` each.
    pub(super) fn record(&self, latency: Duration, operations: u64) {
        let number = THREAD.with(|number| *number);
        let mut histogram = self.latencies[number].lock().unwrap_or_else(PoisonError::into_inner);
        let latency = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        histogram
            .get_or_insert_with(latency::empty)
            .record_n(latency, operations)
            .expect("a histogram that grows takes every value");
    }

    /// Adds to the progress what a worker has done since it was last here, and returns when it has to come again: if it came at
    /// each operation, it would find the slots that all share thrown out of the cache by others.
    pub(super) fn progress(&self, tally: &mut Tally, now: Instant) -> Instant {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(last) = tally.last_reply {
            progress.add(last - self.start, tally.done - tally.in_progress);
            tally.in_progress = tally.done;
        }
        self.start + progress.end_of_slot(now - self.start)
    }

    /// Takes a worker's tally when it ends, in whatever way.
    pub(super) fn hand_in(&self, mut tally: Tally) {
        self.progress(&mut tally, self.start);
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner).push(tally);
    }

    /// Adds the calls of a worker, by the names of the commands.
    pub(super) fn count_calls(&self, of_worker: impl Iterator<Item = (String, u64)>) {
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        for (command, more) in of_worker {
            *calls.entry(command).or_default() += more;
        }
    }

    /// A worker gives up, and so do all others at their next operation. The first failure is the one that is reported.
    pub(super) fn fail(&self, failure: Failure) {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
        self.failed.store(true, Ordering::SeqCst);
        if let Some(exchange) = &self.exchange {
            exchange.wake();
        }
    }

    /// Whether a worker has given up.
    pub(super) fn failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// What was done, once every worker has ended.
    pub(super) fn into_outcome(self: Arc<Self>) -> Outcome {
        let phase = Arc::into_inner(self).expect("every worker has ended");
        let mut histograms = phase
            .latencies
            .into_iter()
            .filter_map(|histogram| histogram.into_inner().unwrap_or_else(PoisonError::into_inner));
        let mut latencies = histograms.next().unwrap_or_else(latency::empty);
        for histogram in histograms {
            latency::merge(&mut latencies, &histogram);
        }
        Outcome {
            failure: phase.failure.into_inner().unwrap_or_else(PoisonError::into_inner),
            tallies: phase.tallies.into_inner().unwrap_or_else(PoisonError::into_inner),
            calls: phase.calls.into_inner().unwrap_or_else(PoisonError::into_inner),
            latencies,
            received: phase.exchange.as_ref().map_or_else(Vec::new, |exchange| exchange.received()),
            queues: phase.exchange.map_or_else(Vec::new, |exchange| exchange.names),
            progress: phase.progress.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }
}
