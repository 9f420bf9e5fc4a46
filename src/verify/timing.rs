//! Checks a driver's times against each other: elapsed time, schedule, lateness and latencies. All of them come from one
//! clock of the driver, so a contradiction here is an error whatever the machine was doing. Pure.

use hdrhistogram::Histogram;

use super::{Disagreement, MESSAGES};
use crate::latency;
use crate::protocol::{Done, JobWorkload};
use crate::units::Nanos;

/// How far apart two times that a driver reports may be, as a share: a histogram keeps three digits, the mean of a bucket
/// fewer.
const ROUNDING: f64 = 0.02;

/// Checks what a driver says about its times against its job and against itself.
///
/// In a closed loop, no operation takes longer than the whole trial. In an open loop, operation *k* is due at *k* ÷ rate. So
/// a trial cannot end before its last operation is due; if it ends later, some operation took at least that difference,
/// counted from when it was due; and the operation that was started latest took at least as long as it was late.
///
/// # Errors
/// The first contradiction.
pub(crate) fn confirm(asked: &JobWorkload, workers: u32, done: &Done) -> Result<(), Disagreement> {
    let elapsed = done.elapsed_ns.as_secs_f64();
    // Latencies that cannot be read are an error of their own.
    let latencies = done.latency.as_ref().and_then(|latencies| latency::decode(latencies).ok());
    let told = (asked.kind.workload().latencies)(done.operations, workers.into());
    if let Some(latencies) = latencies.as_ref().filter(|latencies| latencies.len() != told) {
        return Err(Disagreement::Latencies { latencies: latencies.len(), operations: told });
    }
    let longest = latencies.as_ref().filter(|latencies| !latencies.is_empty()).map(longest);
    let Some(rate) = asked.rate else {
        return match longest {
            Some(longest) if longest > most(elapsed) => {
                Err(Disagreement::LongerThanTheTrial { longest, elapsed })
            }
            _ => Ok(()),
        };
    };
    let last = LastDue::of(asked.pipeline, workers, done.operations, rate);
    if elapsed < last.earliest * (1.0 - ROUNDING) - MESSAGES {
        return Err(Disagreement::AheadOfSchedule {
            operations: done.operations,
            elapsed,
            due: last.earliest,
            rate,
        });
    }
    let Some(longest) = longest else { return Ok(()) };
    let late = done.max_lag_ns.map_or(0.0, Nanos::as_secs_f64);
    if late > most(longest) {
        return Err(Disagreement::LateWithoutLatency { late, longest });
    }
    if elapsed > most(last.latest + longest) {
        return Err(Disagreement::BehindWithoutLatency { elapsed, due: last.latest, rate, longest });
    }
    Ok(())
}

/// The smallest number of operations, as a multiple of those in flight, for which Little's law is meaningful: the time
/// before the first and after the last one of each worker must not matter.
const OPERATIONS_IN_FLIGHT: u64 = 20;

/// Little's law for one client in a closed loop: throughput × mean latency ÷ operations in flight, which is 1 whatever the
/// system. `None` without latencies, or with too few operations to tell.
#[must_use]
pub fn littles_law(pipeline: u32, workers: u32, done: &Done) -> Option<f64> {
    let latencies = latency::decode(done.latency.as_ref()?).ok()?;
    let in_flight = u64::from(workers) * u64::from(pipeline);
    let busy = latencies.mean() / 1e9 * done.operations as f64;
    let law = busy / (done.elapsed_ns.as_secs_f64() * in_flight as f64);
    (done.operations >= OPERATIONS_IN_FLIGHT * in_flight).then_some(law)
}

/// Whether an open loop took so much longer than its schedule that it did not keep the rate, whatever the driver says about
/// its lateness: more than a tenth longer, and by more than `allowed` seconds.
#[must_use]
pub fn missed_schedule(
    pipeline: u32,
    workers: u32,
    operations: u64,
    rate: u64,
    elapsed: f64,
    allowed: f64,
) -> bool {
    let due = LastDue::of(pipeline, workers, operations, rate).latest;
    elapsed > due * 1.1 && elapsed > due + allowed
}

fn longest(latencies: &Histogram<u64>) -> f64 {
    latencies.max() as f64 / 1e9
}

/// The largest acceptable value for a time that should not exceed this one, in seconds.
fn most(seconds: f64) -> f64 {
    seconds * (1.0 + ROUNDING) + MESSAGES
}

/// The range of moments, in seconds after the start, at which the last batch of an open loop may be due. How many batches
/// each worker has is up to the driver; with one operation per batch there is nothing to choose.
struct LastDue {
    earliest: f64,
    latest: f64,
}

impl LastDue {
    fn of(pipeline: u32, workers: u32, operations: u64, rate: u64) -> Self {
        let pipeline = u64::from(pipeline);
        let workers = u64::from(workers).max(1);
        let due = |batch: u64| (batch * pipeline) as f64 / rate as f64;
        let all = operations.div_ceil(pipeline);
        // Each worker's last batch may be incomplete.
        let with_partial = operations.div_ceil(workers).div_ceil(pipeline) * workers;
        let latest = if pipeline == 1 { all } else { with_partial.max(all) };
        Self { earliest: due(all.saturating_sub(1)), latest: due(latest.saturating_sub(1)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Kind;

    fn asked(rate: Option<u64>, pipeline: u32) -> JobWorkload {
        JobWorkload {
            kind: Kind::SetGet,
            operations: Some(1_000),
            duration_ns: None,
            value_bytes: None,
            pipeline,
            rate,
            verify: true,
            ..JobWorkload::default()
        }
    }

    /// 1,000 operations in this many milliseconds, the slowest taking `longest`, started `lag` late.
    fn done(elapsed: u64, longest: u64, lag: Option<u64>) -> Done {
        let mut latencies = latency::empty();
        latencies.record_n(100_000, 999).unwrap();
        latencies.record(longest * 1_000_000).unwrap();
        Done {
            elapsed_ns: Nanos::from_millis(elapsed),
            operations: 1_000,
            latency: Some(latency::encode(&latencies)),
            max_lag_ns: lag.map(Nanos::from_millis),
            progress: None,
            ..Done::default()
        }
    }

    #[test]
    fn no_operation_takes_longer_than_a_closed_loop() {
        assert_eq!(confirm(&asked(None, 1), 1, &done(500, 500, None)), Ok(()));
        let error = confirm(&asked(None, 1), 1, &done(1_000, 1_000_000, None)).unwrap_err();
        assert!(error.to_string().contains("longer than the whole trial"), "{error}");
    }

    #[test]
    fn a_schedule_is_kept_or_the_latencies_say_by_how_much_it_was_missed() {
        let verdict =
            |elapsed, longest, lag| confirm(&asked(Some(1_000), 1), 10, &done(elapsed, longest, lag));
        assert_eq!(verdict(1_000, 1, Some(0)), Ok(()));
        assert_eq!(verdict(1_400, 402, Some(400)), Ok(()), "a pause at the end is in the latencies");
        let error = verdict(20, 19, Some(0)).unwrap_err();
        assert!(error.to_string().contains("before the last one was due"), "{error}");
        let error = verdict(2_400, 1, Some(0)).unwrap_err();
        assert!(
            error.to_string().contains("though no operation is said to have taken longer than"),
            "{error}"
        );
        let error = verdict(1_400, 3, Some(400)).unwrap_err();
        assert!(error.to_string().contains("not counted from when operations were due"), "{error}");
        assert!(verdict(2_400, 1, None).is_err(), "it does not help to say nothing of lateness");
    }

    #[test]
    fn a_pipeline_is_due_with_its_first_operation() {
        let verdict = |elapsed| confirm(&asked(Some(1_000), 100), 3, &done(elapsed, 2, Some(0)));
        assert_eq!(verdict(902), Ok(()));
        assert_eq!(
            verdict(1_101),
            Ok(()),
            "three workers have four batches each, of which the last are not full"
        );
        assert!(verdict(850).is_err());
        assert!(verdict(1_300).is_err());
    }

    #[test]
    fn a_rate_that_was_missed_shows_without_a_word_of_the_driver() {
        let missed = |elapsed| missed_schedule(1, 4, 10_000, 5_000, elapsed, 0.01);
        assert!(missed(4.13));
        assert!(!missed(2.05));
        assert!(!missed_schedule(1, 4, 10, 5_000, 0.009, 0.01), "of a few milliseconds nothing can be said");
    }

    #[test]
    fn a_client_is_held_to_its_own_time() {
        let mut half = done(500, 1, None);
        half.latency.replace(crate::protocol::Latency::Buckets(vec![(500_000, 1_000)]));
        let law = littles_law(1, 1, &half).unwrap();
        assert!((law - 1.0).abs() < 0.01, "{law}");
        assert_eq!(littles_law(1, 51, &half), None, "less than 20 operations for each in flight");
    }
}
