//! One worker's way through a phase: which operation is next, when, and what came back.
//!
//! A mode's loop is `while worker.next() { …; worker.finish(&replies)?; }`. The clock is read twice an operation: in
//! `next`, when the key and the value are ready and before the client library is called, and in `finish`, before the
//! replies are looked at. What lies between the two belongs to the client library and the server.

use std::ops::{Deref, Range};
use std::sync::Arc;
use std::time::Instant;

use redis::{SetExpiry, SetOptions};

use super::failure::Failure;
use super::keys::Pair;
use super::pace::{self, Timer};
use super::phase::{Phase, Tally};
use super::script::{Script, Words};
use super::side::Hand;
use super::space::Space;
use crate::experiment::Amount;
use crate::protocol::{FailureKind, Job, JobWorkload};

/// How much is shown of a value that is not the right one.
const SHOWN_BYTES: usize = 40;

/// What a SET fetches, for [`Worker::finish`].
pub(super) const NOTHING: &[Option<Vec<u8>>] = &[];

/// One worker in one phase.
pub(super) struct Worker {
    number: u32,
    phase: Arc<Phase>,
    /// Operations still to begin.
    left: u64,
    /// The indexes of the operations under way: one, or as many as share a round trip.
    batch: Range<u64>,
    pair: Pair,
    /// Which of the existing keys each operation is about; absent where each has a new one. In a box, like what follows:
    /// with hundreds of threads every operation finds its worker thrown out of the cache, and should have little to fetch.
    space: Option<Box<Space>>,
    /// Whether the selected operation reads.
    reads: bool,
    /// The commands of the selected operation, where the workload lists them.
    script: Option<Box<Script>>,
    /// The moment from which the latency of the batch counts.
    began: Instant,
    tally: Tally,
    /// What it does from then on belongs to another slot of the progress.
    slot_end: Instant,
    timer: Option<Timer>,
}

/// What a worker is to do now.
enum Turn {
    Begin,
    Wait(Instant),
    End,
}

impl Hand for Worker {
    fn count(job: &Job) -> u32 {
        job.workers
    }

    fn new(phase: &Arc<Phase>, number: u32) -> Self {
        let job = &phase.job;
        let stem = phase.stem(number);
        let space = phase.space(number).map(Box::new);
        let pair = match space {
            Some(_) => Pair::of_space(&job.key_prefix, job.workload.value_bytes),
            None => Pair::new(&stem, job.workload.value_bytes, job.seed),
        };
        Self {
            number,
            left: match phase.amount {
                Amount::Operations(operations) => JobWorkload::share(operations, job.workers, number),
                Amount::Duration(_) => u64::MAX,
            },
            batch: 0..0,
            pair,
            space,
            reads: true,
            script: phase.script(number).map(Box::new),
            began: Instant::now(),
            tally: Tally { stem, ..Tally::default() },
            slot_end: Instant::now(),
            timer: None,
            phase: Arc::clone(phase),
        }
    }
}

impl Worker {
    /// Begins the next operation, or the next few that share a round trip; false when there is none. In an open loop
    /// it blocks this thread until it is time.
    pub(super) fn next(&mut self) -> bool {
        loop {
            match self.turn() {
                Turn::Begin => return true,
                Turn::Wait(due) => pace::sleep_until(due),
                Turn::End => return false,
            }
        }
    }

    /// The same for an asynchronous caller, which lets others go on while it waits.
    pub(super) async fn next_async(&mut self) -> Result<bool, Failure> {
        loop {
            match self.turn() {
                Turn::Begin => return Ok(true),
                Turn::Wait(due) => {
                    let timer = match &mut self.timer {
                        Some(timer) => timer,
                        none => none.insert(Timer::new()?),
                    };
                    timer.sleep_until(due).await?;
                }
                Turn::End => return Ok(false),
            }
        }
    }

    /// The indexes of the operations that were begun and share a round trip.
    pub(super) fn batch(&self) -> Range<u64> {
        self.batch.clone()
    }

    /// Makes `key` and `value` those of another operation of the batch; before, they are those of its first one.
    pub(super) fn select(&mut self, index: u64) {
        match &self.space {
            None => self.pair.set(index),
            Some(space) => {
                let (key, reads) = space.choose(index);
                self.pair.set(key);
                self.reads = reads;
            }
        }
        if let Some(script) = &mut self.script {
            script.select(index, &self.pair);
        }
    }

    /// The commands of the selected operation, word for word, of a workload that lists them.
    pub(super) fn commands(&self) -> &[Words] {
        self.script.as_ref().map_or(&[], |script| script.commands())
    }

    /// Ends a batch of such commands, all of which the server has answered without an error.
    pub(super) fn finish_commands(&mut self) {
        let batch = self.ended(0);
        if let Some(script) = &mut self.script {
            batch.for_each(|index| script.count(index));
        }
    }

    /// Whether the selected operation is a GET, of a workload in which it is that or a SET.
    pub(super) const fn reads(&self) -> bool {
        self.reads
    }

    /// The key of the selected operation.
    pub(super) fn key(&self) -> &[u8] {
        self.pair.key()
    }

    /// How its key is to be set, if with any options.
    pub(super) fn set_options(&self) -> Option<SetOptions> {
        self.phase.expire.map(|seconds| SetOptions::default().with_expiration(SetExpiry::EX(seconds)))
    }

    /// The value that the selected operation stores.
    pub(super) fn value(&self) -> &[u8] {
        self.pair.value()
    }

    /// Ends the batch: what its GETs fetched, in order, as bytes of whatever type the library has for them.
    ///
    /// # Errors
    /// If the job asks for verification and one of them is not what was stored.
    pub(super) fn finish<B: Deref<Target = [u8]>>(&mut self, fetched: &[Option<B>]) -> Result<(), Failure> {
        self.ended(fetched.len());
        if self.phase.job.workload.verify { self.verify(fetched) } else { Ok(()) }
    }

    /// Counts the batch, which fetched so much, as done now.
    fn ended(&mut self, fetched: usize) -> Range<u64> {
        let now = Instant::now();
        let size = self.batch.end - self.batch.start;
        self.phase.record(now - self.began, size);
        if now >= self.slot_end {
            self.slot_end = self.phase.progress(&mut self.tally, now);
        }
        self.tally.last_reply = Some(now);
        self.tally.done += size;
        self.tally.fetched += fetched as u64;
        self.left -= size;
        self.batch()
    }

    fn turn(&mut self) -> Turn {
        if self.left == 0 || self.phase.failed() {
            return Turn::End;
        }
        let first = self.batch.end;
        self.select(first);
        let mut began = Instant::now();
        let due = self.due(first);
        // What is due before the end is done, however late: otherwise just those that had to wait the longest would be left
        // out.
        if self.phase.deadline.is_some_and(|deadline| due.unwrap_or(began) >= deadline) {
            return Turn::End;
        }
        if let Some(due) = due {
            if began < due {
                return Turn::Wait(due);
            }
            self.tally.max_lag = self.tally.max_lag.max(began - due);
            // Had it been begun in time, it would have had to wait from then on.
            began = due;
        }
        self.began = began;
        self.batch = first..first + self.left.min(u64::from(self.phase.job.workload.pipeline));
        self.tally.begun = self.batch.end;
        Turn::Begin
    }

    /// When the batch that begins with this index is due; `None` in a closed loop.
    ///
    /// Batches are dealt out to the workers in turn, so that with a pipeline of 1 worker w does the operations w,
    /// w + workers, w + 2 × workers and so on.
    fn due(&self, index: u64) -> Option<Instant> {
        let schedule = self.phase.schedule?;
        let pipeline = u64::from(self.phase.job.workload.pipeline);
        let round = index / pipeline;
        let batch = round * u64::from(self.phase.job.workers) + u64::from(self.number);
        Some(schedule.due(batch * pipeline))
    }

    fn verify<B: Deref<Target = [u8]>>(&mut self, fetched: &[Option<B>]) -> Result<(), Failure> {
        let mut left = fetched.iter();
        for index in self.batch() {
            self.select(index);
            if !self.reads {
                continue;
            }
            match left.next() {
                Some(Some(value)) if **value == *self.pair.value() => {}
                Some(other) => return Err(self.mismatch(other.as_deref())),
                None => return Err(self.wrong_number(fetched.len())),
            }
        }
        if left.next().is_some() { Err(self.wrong_number(fetched.len())) } else { Ok(()) }
    }

    #[cold]
    fn wrong_number(&mut self, replies: usize) -> Failure {
        let mut reads = 0;
        for index in self.batch() {
            self.select(index);
            reads += u32::from(self.reads);
        }
        Failure::new(FailureKind::Verification, format!("{replies} replies to {reads} GETs"))
    }

    #[cold]
    fn mismatch(&self, fetched: Option<&[u8]>) -> Failure {
        let got = fetched.map_or_else(|| "nothing".to_owned(), shown);
        let (key, stored) = (shown(self.key()), shown(self.value()));
        Failure::new(
            FailureKind::Verification,
            format!("GET of {key} returned {got} where {stored} was stored"),
        )
    }
}

impl Drop for Worker {
    /// However a worker ends, what it did is known.
    fn drop(&mut self) {
        if let Some(script) = &self.script {
            self.phase.count_calls(script.counted());
        }
        self.phase.hand_in(std::mem::take(&mut self.tally));
    }
}

/// Bytes as text, with what is not printable escaped and what is too long left out.
pub(super) fn shown(bytes: &[u8]) -> String {
    let more = if bytes.len() > SHOWN_BYTES { format!("… ({} bytes)", bytes.len()) } else { String::new() };
    format!("\"{}\"{more}", bytes[..bytes.len().min(SHOWN_BYTES)].escape_ascii())
}
