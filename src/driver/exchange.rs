//! Where pushers and takers meet, in the workloads that have both: which task is next, how many are under way, and when the
//! first may be pushed.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::protocol::{Delivered, Job};
use crate::setting::{Factor, Level};
use crate::workload::Kind;

/// The group of consumers that reads a stream.
pub(super) const GROUP: &str = "workers";
/// The field of a stream's entry that holds the task.
pub(super) const FIELD: &str = "task";

/// In place of a number of tasks that somebody waits for: nobody does.
const NOBODY: u64 = u64::MAX;

/// What a queue is on the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Structure {
    /// LPUSH at one end, BRPOP or BLMOVE at the other.
    List,
    /// XADD and XREADGROUP.
    Stream,
}

/// What all pushers and takers of a phase share.
pub(super) struct Exchange {
    /// The queue, or the channels.
    pub(super) names: Vec<String>,
    pub(super) structure: Structure,
    pub(super) acknowledges: bool,
    /// The number of the task that is begun next.
    next: AtomicU64,
    /// How often a taker got a task.
    taken: AtomicU64,
    /// How many takers get each task.
    copies: u64,
    /// The most tasks under way.
    backlog: u64,
    /// How many preparations are still to be made before the first task may be pushed.
    unprepared: AtomicU32,
    pushing: AtomicU32,
    /// How many times the end of the tasks has to be announced.
    pub(super) ends: u32,
    /// When this many have been taken, somebody wants to be woken.
    wake_at: AtomicU64,
    waiting: Mutex<()>,
    threads: Condvar,
    tasks: Notify,
    received: Mutex<Vec<Received>>,
}

/// What one taker got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Received {
    pub(super) worker: u32,
    pub(super) tasks: u64,
    pub(super) numbers: Delivered,
}

impl Exchange {
    /// `None` where workers have nobody to meet. The warm-up has keys with an infix of its own, and no schedule.
    pub(super) fn new(job: &Job, infix: &str, is_scheduled: bool) -> Option<Box<Self>> {
        let own = &job.workload.own;
        let prefix = format!("{}{infix}", job.key_prefix);
        let (structure, names, copies) = match job.workload.kind {
            Kind::Queue => {
                let is_stream = own.word(Factor::Structure) == Some("stream");
                let structure = if is_stream { Structure::Stream } else { Structure::List };
                (structure, vec![format!("{prefix}queue")], 1)
            }
            Kind::Pubsub => {
                let channels = own.number(Factor::Channels).unwrap_or(1).max(1);
                let names = (0..channels).map(|channel| format!("{prefix}channel:{channel}"));
                (Structure::List, names.collect(), u64::from(job.workers))
            }
            _ => return None,
        };
        let backlog = own.number(Factor::Backlog).filter(|_| !is_scheduled);
        let unprepared = match (job.workload.kind, structure) {
            (Kind::Pubsub, _) => job.workers,
            (_, Structure::Stream) => 1,
            (_, Structure::List) => 0,
        };
        Some(Box::new(Self {
            names,
            structure,
            acknowledges: own.get(Factor::Acknowledge) == Some(&Level::Flag(true)),
            next: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            copies,
            backlog: backlog.unwrap_or(u64::MAX).max(1),
            unprepared: AtomicU32::new(unprepared),
            pushing: AtomicU32::new(job.workload.pushers()),
            ends: if copies == 1 { job.workers } else { 1 },
            wake_at: AtomicU64::new(NOBODY),
            waiting: Mutex::default(),
            threads: Condvar::new(),
            tasks: Notify::new(),
            received: Mutex::default(),
        }))
    }

    /// The number of the next task, which is then the caller's to push.
    pub(super) fn begin(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    /// A taker got a task.
    pub(super) fn took(&self) {
        // In one order for all threads, as those that wait register before they look: one of the two sees the other.
        let taken = self.taken.fetch_add(1, Ordering::SeqCst) + 1;
        if taken >= self.wake_at.load(Ordering::SeqCst) {
            self.wake();
        }
    }

    /// One of the preparations for the first task has been made.
    pub(super) fn prepared(&self) {
        self.unprepared.fetch_sub(1, Ordering::SeqCst);
        self.wake();
    }

    /// Whether the caller was the last pusher, and has to announce the end of the tasks.
    pub(super) fn ended(&self) -> bool {
        self.pushing.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Blocks this thread until all is prepared, or `failed`.
    pub(super) fn await_preparation(&self, failed: impl Fn() -> bool) {
        self.block_until(|| self.is_prepared() || failed());
    }

    /// The same for an asynchronous caller.
    pub(super) async fn await_preparation_async(&self, failed: impl Fn() -> bool) {
        self.until(|| self.is_prepared() || failed()).await;
    }

    /// Blocks this thread while too many tasks are under way for the one with this number, unless another worker `failed`.
    pub(super) fn await_room(&self, number: u64, failed: impl Fn() -> bool) {
        if !self.has_room(number) {
            self.block_until(|| self.half_empty(number) || failed());
        }
    }

    /// The same for an asynchronous caller.
    pub(super) async fn await_room_async(&self, number: u64, failed: impl Fn() -> bool) {
        if !self.has_room(number) {
            self.until(|| self.half_empty(number) || failed()).await;
        }
    }

    /// Makes everybody who waits look again.
    pub(super) fn wake(&self) {
        let waiting = self.lock();
        self.wake_at.store(NOBODY, Ordering::SeqCst);
        self.threads.notify_all();
        drop(waiting);
        self.tasks.notify_waiters();
    }

    /// Takes what a taker got when it ends.
    pub(super) fn hand_in(&self, received: Received) {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).push(received);
    }

    /// What each taker got, by its number.
    pub(super) fn received(&self) -> Vec<Received> {
        let mut received = self.received.lock().unwrap_or_else(PoisonError::into_inner).clone();
        received.sort_by_key(|received| received.worker);
        received
    }

    fn is_prepared(&self) -> bool {
        self.unprepared.load(Ordering::SeqCst) == 0
    }

    fn has_room(&self, number: u64) -> bool {
        number < (self.taken.load(Ordering::Relaxed) / self.copies).saturating_add(self.backlog)
    }

    /// A pusher that had to wait goes on when half of the backlog is gone: a full queue would otherwise cost a wake-up for each
    /// task.
    fn half_empty(&self, number: u64) -> bool {
        let needed = (number + 1).saturating_sub(self.backlog.div_ceil(2)) * self.copies;
        self.wake_at.fetch_min(needed, Ordering::SeqCst);
        self.taken.load(Ordering::SeqCst) >= needed
    }

    fn block_until(&self, there: impl Fn() -> bool) {
        let mut waiting = self.lock();
        while !there() {
            waiting = self.threads.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
    }

    async fn until(&self, there: impl Fn() -> bool) {
        loop {
            let mut woken = std::pin::pin!(self.tasks.notified());
            woken.as_mut().enable();
            if there() {
                return;
            }
            woken.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::protocol::{Endpoint, JobWorkload};
    use crate::setting::{Own, Warmup};

    fn exchange(backlog: u64) -> Exchange {
        let mut own = Own::defaults();
        own.set(Factor::Backlog, Level::Number(backlog));
        own.complete(Kind::Queue);
        let job = Job {
            protocol: 2,
            mode: "sync".to_owned(),
            server: Endpoint::local(1),
            workload: JobWorkload { kind: Kind::Queue, own, ..JobWorkload::default() },
            workers: 2,
            key_prefix: "t:".to_owned(),
            warmup: Warmup::Operations(0),
            seed: 1,
            delete_keys: false,
            options: Default::default(),
        };
        *Exchange::new(&job, "", false).unwrap()
    }

    #[test]
    fn no_more_tasks_are_under_way_than_the_backlog_allows() {
        for backlog in [1, 2, 7] {
            let exchange = Arc::new(exchange(backlog));
            let (queue, tasks) = std::sync::mpsc::channel();
            let pusher = {
                let exchange = Arc::clone(&exchange);
                std::thread::spawn(move || {
                    for number in 0..1_000 {
                        exchange.await_room(number, || false);
                        queue.send(number - exchange.taken.load(Ordering::SeqCst)).unwrap();
                    }
                })
            };
            let mut most = 0;
            for under_way in tasks {
                most = most.max(under_way);
                exchange.took();
            }
            pusher.join().unwrap();
            assert!(most < backlog, "{most} others were under way");
        }
    }

    #[test]
    fn who_waits_is_woken_when_another_worker_fails() {
        let exchange = Arc::new(exchange(1));
        let failed = Arc::new(AtomicBool::new(false));
        let pusher = {
            let (exchange, failed) = (Arc::clone(&exchange), Arc::clone(&failed));
            std::thread::spawn(move || exchange.await_room(5, || failed.load(Ordering::SeqCst)))
        };
        failed.store(true, Ordering::SeqCst);
        exchange.wake();
        pusher.join().unwrap();
    }

    #[tokio::test]
    async fn tasks_wait_as_threads_do() {
        let exchange = Arc::new(exchange(3));
        let taker = {
            let exchange = Arc::clone(&exchange);
            tokio::spawn(async move {
                for _ in 0..100 {
                    exchange.took();
                    tokio::task::yield_now().await;
                }
            })
        };
        for number in 0..100 {
            exchange.await_room_async(number, || false).await;
        }
        taker.await.unwrap();
    }
}
