//! How a phase went: operations counted in slots of time, so that a start unlike the rest shows afterwards without anybody
//! looking at the workers while they work.

use std::time::Duration;

use crate::units::Nanos;

/// The most slots there are; a trial that fills them has between half as many and all.
const SLOTS: usize = 64;
/// The width of a slot at first, as a power of two in nanoseconds: about a millisecond.
const FIRST_WIDTH: u32 = 20;

/// Operations by the time at which they were done. Takes the same small amount of memory however long a phase is: when a time
/// lies beyond the last slot, all slots double in width.
#[derive(Clone, Debug)]
pub(super) struct Progress {
    /// Of a slot, as a power of two in nanoseconds.
    width: u32,
    operations: [u64; SLOTS],
}

impl Default for Progress {
    fn default() -> Self {
        Self { width: FIRST_WIDTH, operations: [0; SLOTS] }
    }
}

impl Progress {
    /// Counts operations that were done this long after the start.
    pub(super) fn add(&mut self, since: Duration, operations: u64) {
        let since = Nanos::from(since).0;
        while since >> self.width >= SLOTS as u64 {
            self.widen();
        }
        self.operations[(since >> self.width) as usize] += operations;
    }

    /// How long after the start an operation can be done and still belong to the same slot as one that is done at this time,
    /// however wide the slots become.
    pub(super) fn end_of_slot(&self, since: Duration) -> Duration {
        let slot = Nanos::from(since).0 >> self.width;
        Duration::from_nanos((slot + 1) << self.width)
    }

    /// Operations done by the end of each slot, in the protocol's form; the last slot ends with the phase, after `elapsed`.
    pub(super) fn points(&self, elapsed: Nanos) -> Vec<(u64, u64)> {
        let mut done = 0;
        let slots = (1_u64..).zip(self.operations);
        let points = slots.map(|(number, operations)| {
            done += operations;
            ((number << self.width).min(elapsed.0), done)
        });
        let mut points: Vec<(u64, u64)> = points.collect();
        points.dedup_by_key(|point| point.0);
        // Of the points at the very end the first one is kept; all that was done is known there.
        if let Some(last) = points.last_mut() {
            last.1 = done;
        }
        points
    }

    fn widen(&mut self) {
        for slot in 0..SLOTS {
            let pair = self.operations.get(2 * slot..2 * slot + 2);
            self.operations[slot] = pair.map_or(0, |pair| pair.iter().sum());
        }
        self.width += 1;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_long_it_takes_and_however_many_count_every_operation_stays_where_it_was_done(
            mut done in proptest::collection::vec((0_u64..100_000_000_000, 1_u64..100, 0_usize..3), 1..200)
        ) {
            done.sort_unstable();
            let mut all = Progress::default();
            // As workers do: each counts for itself and tells it when a slot is over.
            let mut workers = [(Duration::ZERO, 0, 0); 3];
            for &(since, operations, worker) in &done {
                let (end_of_slot, last, counted) = &mut workers[worker];
                let now = Duration::from_nanos(since);
                if now >= *end_of_slot {
                    all.add(Duration::from_nanos(*last), *counted);
                    *end_of_slot = all.end_of_slot(now);
                    *counted = 0;
                }
                *last = since;
                *counted += operations;
            }
            for (_, last, counted) in workers {
                all.add(Duration::from_nanos(last), counted);
            }
            let elapsed = Nanos(done.last().unwrap().0 + 1);
            let points = all.points(elapsed);
            prop_assert!(points.len() <= SLOTS && points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1));
            for &(end, by_then) in &points {
                let before = done.iter().filter(|(since, ..)| *since < end).map(|(_, operations, _)| operations).sum::<u64>();
                prop_assert_eq!(by_then, before);
            }
            prop_assert_eq!(points.last().unwrap().0, elapsed.0);
        }
    }
}
