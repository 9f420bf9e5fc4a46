//! How a trial progressed: its operations in equal parts of its time. A client that is not warm at `go`, or does something
//! else at first, shows up here but not in any total.

use super::Disagreement;
use crate::protocol::Done;
use crate::units::Nanos;

/// A trial is divided into this many parts of equal length, three in each quarter.
pub const PARTS: usize = 12;

/// With fewer points than this, a driver does not report enough.
const LEAST_POINTS: usize = 8;
/// Nothing is said about a shorter trial: how its workers start one after the other is a part of it.
const LEAST_TIME: Nanos = Nanos::from_millis(100);
/// Nor about fewer operations than this in each part.
const LEAST_OPERATIONS: u64 = 20;
/// How far the first quarter may be from the median of the others, as a share of that.
const UNLIKE: f64 = 0.15;
/// And the smallest allowed ratio of the operations of the first half to those of the second: some clients are cold for
/// longer than a quarter. The reverse means nothing: workers that finish early leave the end of the trial to the others.
const SLOW_HALF: f64 = 0.7;

/// Checks that what a driver says about its progress is consistent.
///
/// # Errors
/// If time or operations go backwards, or there are more operations than were done.
pub(super) fn confirm(done: &Done) -> Result<(), Disagreement> {
    let points = done.progress.as_deref().unwrap_or_default();
    let ascend = points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1);
    if ascend && points.last().is_none_or(|(_, operations)| *operations <= done.operations) {
        return Ok(());
    }
    Err(Disagreement::Progress)
}

/// The operations in each of [`PARTS`] parts of the time `elapsed`, which is the driver's own or that of the slowest of
/// several; between the reported points they are spread evenly. `None` if too few points were reported.
#[must_use]
pub fn parts(done: &Done, elapsed: Nanos) -> Option<Vec<u64>> {
    let points = done.progress.as_deref().filter(|points| points.len() >= LEAST_POINTS)?;
    let own = done.elapsed_ns.0;
    // An agent's clock, by which a driver's messages are timed, may be a little ahead of the driver's.
    let points = || points.iter().map(|&(at, operations)| (at.min(own), operations));
    let all = || [(0, 0)].into_iter().chain(points()).chain([(own, done.operations)]);
    let by = |moment: u64| {
        let (at, operations) = all().take_while(|(at, _)| *at <= moment).last().unwrap_or_default();
        match all().find(|(later, _)| *later > moment) {
            Some((next, by_then)) => {
                let share = (moment - at) as f64 / (next - at) as f64;
                operations + (share * (by_then - operations) as f64).round() as u64
            }
            None => done.operations,
        }
    };
    let ends =
        (1..=PARTS as u64).map(|part| by((u128::from(elapsed.0) * u128::from(part) / PARTS as u128) as u64));
    let mut before = 0;
    Some(ends.map(|end| end - std::mem::replace(&mut before, end)).collect())
}

/// Whether the beginning of a trial differed from the rest: either the throughput of its first quarter is more than 15% from
/// the median of the three other quarters, and further from all of them than they are from each other; or that of its first
/// half is below 70% of that of the second.
#[must_use]
pub fn starts_otherwise(parts: &[u64], elapsed: Nanos) -> bool {
    let quarter = PARTS / 4;
    if parts.len() != PARTS
        || elapsed < LEAST_TIME
        || parts.iter().sum::<u64>() < LEAST_OPERATIONS * PARTS as u64
    {
        return false;
    }
    let quarters: Vec<f64> = parts.chunks(quarter).map(|parts| parts.iter().sum::<u64>() as f64).collect();
    let (first, mut rest) = (quarters[0], quarters[1..].to_vec());
    rest.sort_by(f64::total_cmp);
    let (least, median, most) = (rest[0], rest[1], rest[2]);
    let apart = most - least;
    let halves = [&quarters[..2], &quarters[2..]].map(|half| half.iter().sum::<f64>());
    let far = (first - median).abs() > UNLIKE * median && (first < least - apart || first > most + apart);
    far || halves[0] < SLOW_HALF * halves[1]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(operations: u64, elapsed: u64, progress: &[(u64, u64)]) -> Done {
        Done {
            elapsed_ns: Nanos::from_millis(elapsed),
            operations,
            progress: Some(progress.iter().map(|&(ms, done)| (Nanos::from_millis(ms).0, done)).collect()),
            ..Done::default()
        }
    }

    /// A point every tenth of a second for 1.2 s, with this many operations each.
    fn trial(rates: [u64; 12]) -> Done {
        let mut sum = 0;
        let points: Vec<_> = (1..)
            .zip(rates)
            .map(|(tenth, rate)| {
                sum += rate;
                (tenth * 100, sum)
            })
            .collect();
        done(sum, 1_200, &points)
    }

    #[test]
    fn operations_are_counted_in_the_part_in_which_they_were_done() {
        let rates = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
        let trial = trial(rates);
        assert_eq!(parts(&trial, trial.elapsed_ns).unwrap(), rates);
        let half = parts(&trial, Nanos::from_millis(2_400)).unwrap();
        assert_eq!(half, [3, 7, 11, 15, 19, 23, 0, 0, 0, 0, 0, 0], "another client took twice as long");
    }

    #[test]
    fn between_points_they_are_spread_evenly_and_none_is_lost() {
        let points: Vec<_> = (1..=8).map(|point| (point * 150, point * 999)).collect();
        let trial = done(8 * 999 + 7, 1_300, &points);
        let parts = parts(&trial, trial.elapsed_ns).unwrap();
        assert_eq!(parts.iter().sum::<u64>(), 8 * 999 + 7);
        let (least, most) = (parts[..11].iter().min().unwrap(), parts[..11].iter().max().unwrap());
        assert!(most - least <= 1, "{parts:?}");
    }

    #[test]
    fn a_driver_that_says_little_says_nothing() {
        let trial = done(700, 700, &[(100, 100), (200, 200), (300, 300)]);
        assert_eq!(parts(&trial, trial.elapsed_ns), None);
    }

    #[test]
    fn what_goes_backwards_or_beyond_what_was_done_is_not_believed() {
        assert_eq!(confirm(&done(100, 10, &[(1, 10), (2, 100)])), Ok(()));
        for bad in [&[(1, 10), (2, 9)][..], &[(2, 10), (1, 11)], &[(1, 101)]] {
            assert_eq!(confirm(&done(100, 10, bad)), Err(Disagreement::Progress));
        }
    }

    fn starts_otherwise_at(rates: [u64; 12]) -> bool {
        let trial = trial(rates);
        starts_otherwise(&parts(&trial, trial.elapsed_ns).unwrap(), trial.elapsed_ns)
    }

    #[test]
    fn a_first_quarter_that_is_slower_or_faster_than_all_others_is_seen() {
        assert!(starts_otherwise_at([0, 0, 0, 99, 101, 100, 99, 100, 100, 101, 100, 100]));
        assert!(starts_otherwise_at([50, 70, 90, 99, 101, 100, 99, 100, 100, 101, 100, 100]));
        assert!(starts_otherwise_at([25, 25, 25, 25, 25, 25, 25, 25, 25, 50, 100, 100]), "cold for long");
        assert!(starts_otherwise_at([200, 150, 110, 99, 101, 100, 99, 100, 100, 101, 100, 100]));
    }

    #[test]
    fn a_start_that_is_no_further_from_the_rest_than_the_rest_scatters_is_not() {
        assert!(!starts_otherwise_at([100; 12]));
        assert!(!starts_otherwise_at([90, 90, 95, 99, 101, 100, 99, 100, 100, 101, 100, 100]));
        assert!(!starts_otherwise_at([75, 75, 75, 85, 85, 85, 100, 100, 100, 115, 115, 115]));
        assert!(
            !starts_otherwise_at([100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 30, 0]),
            "workers that finish one after the other do not start at once"
        );
    }
}
