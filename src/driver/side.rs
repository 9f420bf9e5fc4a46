//! Pushers and takers of tasks or messages. A mode's loops are `while pusher.next() { … }` and `while taker.more() { …;
//! taker.took(&task)?; }`; numbers, times, room and the end are dealt with here.

use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::exchange::{Exchange, Received};
use super::failure::Failure;
use super::pace::{self, Timer};
use super::phase::{Phase, Tally};
use super::worker::shown;
use crate::experiment::Amount;
use crate::protocol::{Delivered, FailureKind, Job};
use crate::workload::Kind;

/// How long a command waits for a task before its taker checks whether another worker has failed, in seconds.
pub(super) const PATIENCE: f64 = 1.0;
/// The same in milliseconds, which is what commands for streams take.
pub(super) const PATIENCE_MS: u64 = 1_000;

/// In place of a task: there are no more.
const END: &[u8] = b"end";

/// What works through a phase on a connection of its own.
pub(super) trait Hand: Sized {
    /// How many of them a job needs.
    fn count(job: &Job) -> u32;
    /// One of them, by its number.
    fn new(phase: &Arc<Phase>, number: u32) -> Self;
}

/// A pusher or a taker. The workers of a job take; pushers are numbered after them.
pub(super) enum Side {
    Pushes(Pusher),
    Takes(Taker),
}

/// Pushes tasks.
pub(super) struct Pusher {
    phase: Arc<Phase>,
    number: u64,
    task: Vec<u8>,
    size: usize,
    /// `None` as long as tasks are still to come; afterwards, how many times the end has yet to be announced.
    ends: Option<u32>,
    tally: Tally,
    timer: Option<Timer>,
}

/// Takes tasks.
pub(super) struct Taker {
    phase: Arc<Phase>,
    number: u32,
    has_ended: bool,
    received: Received,
    tally: Tally,
    /// What it does from then on belongs to another slot of the progress.
    slot_end: Instant,
}

/// What a pusher is to do now.
enum Turn {
    Push,
    Wait(Instant),
    End,
}

impl Hand for Side {
    fn count(job: &Job) -> u32 {
        job.workers + job.workload.pushers()
    }

    fn new(phase: &Arc<Phase>, number: u32) -> Self {
        let phase = Arc::clone(phase);
        if number < phase.job.workers {
            Self::Takes(Taker {
                phase,
                number,
                has_ended: false,
                received: Received { worker: number, ..Received::default() },
                tally: Tally::default(),
                slot_end: Instant::now(),
            })
        } else {
            let size = phase.job.workload.value_bytes.map_or(0, |bytes| bytes as usize);
            let (task, tally) = (Vec::with_capacity(size.max(48)), Tally::default());
            Self::Pushes(Pusher { phase, number: 0, task, size, ends: None, tally, timer: None })
        }
    }
}

impl Pusher {
    pub(super) fn exchange(&self) -> &Exchange {
        self.phase.exchange()
    }

    /// Begins the next task; false when there is none. Blocks this thread until it is time, and until there is room.
    pub(super) fn next(&mut self) -> bool {
        if !self.is_under_way() {
            self.exchange().await_preparation(|| self.phase.failed());
        }
        if let Some(more) = self.say_the_end() {
            return more;
        }
        self.exchange().await_room(self.number, || self.phase.failed());
        loop {
            match self.turn() {
                Turn::Push => return true,
                Turn::Wait(due) => pace::sleep_until(due),
                Turn::End => return self.say_the_end().unwrap_or(false),
            }
        }
    }

    /// The same for an asynchronous caller, which lets others go on while it waits.
    pub(super) async fn next_async(&mut self) -> Result<bool, Failure> {
        if !self.is_under_way() {
            self.exchange().await_preparation_async(|| self.phase.failed()).await;
        }
        if let Some(more) = self.say_the_end() {
            return Ok(more);
        }
        self.exchange().await_room_async(self.number, || self.phase.failed()).await;
        loop {
            match self.turn() {
                Turn::Push => return Ok(true),
                Turn::Wait(due) => {
                    let timer = match &mut self.timer {
                        Some(timer) => timer,
                        none => none.insert(Timer::new()?),
                    };
                    timer.sleep_until(due).await?;
                }
                Turn::End => return Ok(self.say_the_end().unwrap_or(false)),
            }
        }
    }

    /// Where the task goes: the queue, or its channel.
    pub(super) fn name(&self) -> &str {
        let names = &self.exchange().names;
        &names[(self.number % names.len() as u64) as usize]
    }

    /// The task, or the marker that there are no more.
    pub(super) fn task(&self) -> &[u8] {
        &self.task
    }

    fn is_under_way(&self) -> bool {
        self.tally.begun > 0
    }

    /// Takes the number of the next task and returns `None`; if there is no next task, returns whether the end has to be
    /// announced once more.
    fn say_the_end(&mut self) -> Option<bool> {
        if self.phase.failed() {
            return Some(false);
        }
        if self.ends.is_none() {
            let now = Instant::now();
            // In a closed loop nothing is begun after the end. A number that was taken is pushed, so that there is no gap.
            let is_over =
                self.phase.schedule.is_none() && self.phase.deadline.is_some_and(|deadline| now >= deadline);
            if !is_over {
                self.number = self.exchange().begin();
                self.tally.begun += 1;
                match self.phase.amount {
                    Amount::Operations(operations) if self.number >= operations => {}
                    _ => return None,
                }
            }
            self.end();
        }
        let ends = self.ends.as_mut()?;
        let is_more = *ends > 0;
        *ends = ends.saturating_sub(1);
        Some(is_more)
    }

    /// From now on there are no more tasks.
    fn end(&mut self) {
        let exchange = self.phase.exchange();
        self.ends = Some(if exchange.ended() { exchange.ends } else { 0 });
        self.number = 0;
        self.task.clear();
        self.task.extend_from_slice(END);
    }

    fn turn(&mut self) -> Turn {
        if self.phase.failed() {
            return Turn::End;
        }
        let now = Instant::now();
        let mut began = now;
        if let Some(schedule) = self.phase.schedule {
            let due = schedule.due(self.number);
            // What is due before the end is pushed, however late.
            if self.phase.deadline.is_some_and(|deadline| due >= deadline) {
                self.end();
                return Turn::End;
            }
            if now < due {
                return Turn::Wait(due);
            }
            self.tally.max_lag = self.tally.max_lag.max(now - due);
            began = due;
        }
        let since = began - self.phase.start;
        self.task.clear();
        write!(self.task, "{}:{}", self.number, since.as_nanos())
            .expect("a vector takes whatever is written");
        if self.task.len() < self.size {
            self.task.push(b':');
            self.task.resize(self.size, b'x');
        }
        Turn::Push
    }
}

impl Drop for Pusher {
    fn drop(&mut self) {
        // Its tasks are counted where they arrive.
        self.phase.hand_in(Tally { max_lag: self.tally.max_lag, ..Tally::default() });
    }
}

impl Taker {
    pub(super) fn exchange(&self) -> &Exchange {
        self.phase.exchange()
    }

    /// The worker's number.
    pub(super) const fn number(&self) -> u32 {
        self.number
    }

    /// Where tasks are that it has taken and not acknowledged.
    pub(super) fn taken(&self) -> String {
        let job = &self.phase.job;
        format!("{}{}taken:{}", job.key_prefix, self.phase.infix, self.number)
    }

    /// Whether it is the one that makes a stream's group of consumers.
    pub(super) const fn is_first(&self) -> bool {
        self.number == 0
    }

    /// Blocks this thread until all is prepared.
    pub(super) fn await_preparation(&self) {
        self.exchange().await_preparation(|| self.phase.failed());
    }

    /// The same for an asynchronous caller.
    pub(super) async fn await_preparation_async(&self) {
        self.exchange().await_preparation_async(|| self.phase.failed()).await;
    }

    /// Whether there are more to take.
    pub(super) fn more(&self) -> bool {
        !self.has_ended && !self.phase.failed()
    }

    /// It has got a task.
    ///
    /// # Errors
    /// If it is not one that was pushed.
    pub(super) fn took(&mut self, task: &[u8]) -> Result<(), Failure> {
        if task == END {
            self.has_ended = true;
            return Ok(());
        }
        let now = Instant::now();
        let (number, began) = self.read(task)?;
        let latency = (now - self.phase.start).saturating_sub(Duration::from_nanos(began));
        self.phase.record(latency, 1);
        self.received.tasks += 1;
        self.received.numbers.add(number);
        // A message that all receive counts once, when the first of the takers gets it.
        if self.phase.job.workload.kind == Kind::Queue || self.number == 0 {
            if now >= self.slot_end {
                self.slot_end = self.phase.progress(&mut self.tally, now);
            }
            self.tally.done += 1;
        }
        self.tally.last_reply = Some(now);
        self.exchange().took();
        Ok(())
    }

    /// It has acknowledged what it got.
    pub(super) fn acknowledged(&mut self) {
        self.tally.last_reply = self.tally.last_reply.map(|_| Instant::now());
    }

    fn read(&self, task: &[u8]) -> Result<(u64, u64), Failure> {
        let size = self.phase.job.workload.value_bytes;
        let text =
            str::from_utf8(task).ok().filter(|text| size.is_none_or(|size| text.len() == size as usize));
        let mut parts = text.into_iter().flat_map(|text| text.split(':'));
        let mut number = || parts.next()?.parse().ok();
        match (number(), number()) {
            (Some(number), Some(began)) => Ok((number, began)),
            _ => Err(Failure::new(
                FailureKind::Verification,
                format!("no task was pushed that is {}", shown(task)),
            )),
        }
    }
}

impl Drop for Taker {
    /// However it ends, what it got is known.
    fn drop(&mut self) {
        self.exchange().hand_in(self.received);
        self.phase.hand_in(std::mem::take(&mut self.tally));
    }
}

/// Checks that each task arrived once, as far as the takers can tell; for messages that all receive, that all received the
/// same.
pub(super) fn delivered(job: &Job, received: &[Received]) -> Result<Delivered, Failure> {
    let mut sum = Delivered::default();
    if job.workload.kind == Kind::Queue {
        for Received { numbers, .. } in received {
            sum.sum = sum.sum.wrapping_add(numbers.sum);
            sum.xor ^= numbers.xor;
        }
        return Ok(sum);
    }
    let Some(first) = received.first() else { return Ok(sum) };
    let is_other = |of: &&Received| (of.tasks, of.numbers) != (first.tasks, first.numbers);
    match received.iter().find(is_other) {
        None => Ok(first.numbers),
        Some(other) => {
            let error =
                format!("received {} messages that are not the {} of worker 0", other.tasks, first.tasks);
            Err(Failure::new(FailureKind::Verification, error).of_worker(other.worker))
        }
    }
}
