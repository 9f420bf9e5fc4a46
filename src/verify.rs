//! The server has the last word: what a driver claims is checked against what the server counted and what the agent saw.
//! Pure decisions; sends no messages.

pub mod progress;
mod tasks;
pub mod timing;
pub mod traffic;

use crate::experiment::Amount;
use crate::latency;
use crate::protocol::{Counter, Delivered, Done, JobWorkload, Latency, ServerCounts, TrialResult};
use crate::record::LatencySummary;
use crate::workload::{Claim, Expected, Unlikely};

/// How far two clocks that measure different things may differ, as a share of the elapsed time.
pub(crate) const CLOCKS_APART: f64 = 0.1;
/// How far the agent's clock may differ from the driver's, as a share of the elapsed time: both begin at go and end at done
/// …
pub(crate) const CLAIM_APART: f64 = 0.03;
/// … and what passing messages may always cost in addition, in seconds.
pub(crate) const MESSAGES: f64 = 0.005;

/// What is known about a trial beforehand and determines what a server will count.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The job's workload; with several clients, that of any of them.
    pub workload: &'a JobWorkload,
    /// All workers together.
    pub workers: u32,
    /// How many drivers there are, each with a share of the workers.
    pub clients: u32,
    /// What every key begins with.
    pub key_prefix: &'a str,
    /// Whether the driver deletes its keys. Otherwise they stay on the server, which is flushed.
    pub deletes_keys: bool,
    /// Whether the driver has said that it does something other than what was asked for.
    pub differs: bool,
    /// Whether the server was started for this run, so that nobody else should use it.
    pub ours: bool,
    /// The number of processes that make up the server: the masters of a cluster, or one.
    pub nodes: u32,
}

/// A claim that is not true, or cannot be true.
#[derive(Debug, PartialEq, thiserror::Error)]
#[expect(missing_docs, reason = "the message of each variant says what it is and what its fields are")]
pub enum Disagreement {
    #[error("the driver claims {claimed} operations, the job asked for {asked}")]
    Operations { claimed: u64, asked: u64 },
    #[error(
        "the driver claims {claimed} operations, {due} were due within the duration at the rate that the job asks for"
    )]
    Due { claimed: u64, due: u64 },
    #[error("the driver ended after {elapsed:.3} s, the job asked for {asked:.3} s")]
    EndedEarly { elapsed: f64, asked: f64 },
    #[error("the driver claims {elapsed:.6} s, the agent's clock saw only {wall:.6} s")]
    LongerThanSeen { elapsed: f64, wall: f64 },
    #[error("{errors} of {operations} operations failed, says the driver")]
    Errors { errors: u64, operations: u64 },
    #[error(transparent)]
    Unlikely(#[from] Unlikely),
    #[error(
        "the driver claims {operations} operations, which are {claimed} calls; the server counted {counted} calls"
    )]
    Calls { operations: u64, claimed: String, counted: String },
    #[error("the server failed or rejected {0} of the calls")]
    FailedCalls(u64),
    #[error("the server ran scripts or functions ({0}): calls within them prove nothing")]
    Scripts(u64),
    #[error(
        "the driver claims {elapsed:.6} s, the server alone spent {executing:.6} s in executing its calls"
    )]
    ShorterThanExecuted { elapsed: f64, executing: f64 },
    #[error("{0} GETs found no key")]
    Misses(u64),
    #[error(
        "the driver claims {claimed} keys for {operations} operations, and did not say beforehand how it differs"
    )]
    OtherKeys { claimed: u64, operations: u64 },
    #[error("{found} keys exist that did not exist before the trial, {expected} were expected")]
    Keys { found: i64, expected: i64 },
    #[error("{expiring} of the new keys will expire, and {expected} should")]
    Expiring { expiring: i64, expected: i64 },
    #[error("the server executed commands that the job did not ask for: {0}")]
    OtherCommands(String),
    #[error("the server counted {0} calls after the driver had said that it was done")]
    AfterDone(String),
    #[error(
        "the server received {received} bytes: the keys and values of {operations} operations take {least} at least"
    )]
    Received { received: u64, operations: u64, least: u64 },
    #[error("the server sent {sent} bytes: the replies to {operations} operations take {least} at least")]
    Sent { sent: u64, operations: u64, least: u64 },
    #[error(
        "the server read from its connections only {reads} times, though {operations} operations with a pipeline of \
         {pipeline} take {least} reads at least: the driver sent more in one round trip than was asked for"
    )]
    FewReads { reads: u64, operations: u64, pipeline: u32, least: u64 },
    #[error(
        "the server read from its connections {reads} times, though {operations} operations with a pipeline of \
         {pipeline} take {most} reads at most: the driver sent less in one round trip than was asked for"
    )]
    ManyReads { reads: u64, operations: u64, pipeline: u32, most: u64 },
    #[error(
        "the driver claims an operation that took {longest:.6} s, longer than the whole trial of {elapsed:.6} s"
    )]
    LongerThanTheTrial { longest: f64, elapsed: f64 },
    #[error(
        "the driver claims {operations} operations in {elapsed:.6} s, before the last one was due: at {rate}/s that is after \
         {due:.6} s"
    )]
    AheadOfSchedule { operations: u64, elapsed: f64, due: f64, rate: u64 },
    #[error(
        "the driver took {elapsed:.6} s for operations of which the last was due after {due:.6} s at {rate}/s, though no \
         operation is said to have taken longer than {longest:.6} s from when it was due"
    )]
    BehindWithoutLatency { elapsed: f64, due: f64, rate: u64, longest: f64 },
    #[error(
        "the driver started an operation {late:.6} s late, but claims that none took longer than {longest:.6} s: its \
         latencies are not counted from when operations were due"
    )]
    LateWithoutLatency { late: f64, longest: f64 },
    #[error("the driver's progress goes backwards, or beyond the operations that it claims")]
    Progress,
    #[error("the driver's latencies count {latencies} operations of {operations}")]
    Latencies { latencies: u64, operations: u64 },
    #[error("the driver says nothing of its tasks: `enqueue_ns` is missing")]
    NothingOfTasks,
    #[error("of {operations} tasks some were not executed: {said}")]
    Lost { operations: u64, said: String },
    #[error("tasks that were executed more than once: {tasks}")]
    Again { tasks: String },
    #[error(
        "the driver claims that {producers} producers spent {enqueue:.3} s in handing tasks over, in a trial of {elapsed:.3} s"
    )]
    Enqueue { enqueue: f64, elapsed: f64, producers: u32 },
    #[error("the driver reports start times for {starts} of {operations} tasks")]
    Starts { starts: u64, operations: u64 },
    #[error(
        "the driver claims a task that began {start} ns after it was handed over, and none that ended later than {end} ns"
    )]
    StartsAfterEnd { start: u64, end: u64 },
    #[error(
        "by the marks on the server {missing} of {operations} tasks {} not executed: {tasks}",
        if *missing == 1 { "was" } else { "were" }
    )]
    NoMark { missing: u64, operations: u64, tasks: String },
    #[error(
        "by the marks on the server {operations} tasks were executed {executed} times: each was to be executed once"
    )]
    Marks { executed: u64, operations: u64 },
    #[error("the driver does not say that each of {0} was delivered once: `delivered` is missing")]
    NothingDelivered(String),
    #[error(
        "not each of {what} was delivered exactly once: the sum of the delivered numbers is {} and their exclusive or {}, where {} \
         and {} were expected", found.sum, found.xor, expected.sum, expected.xor
    )]
    Delivered { what: String, found: Delivered, expected: Delivered },
}

/// Checks a driver's claim against its job, its agent's clock and what the server counted.
///
/// # Errors
/// The first disagreement.
pub fn verify(
    result: &TrialResult,
    counts: &ServerCounts,
    circumstances: &Circumstances<'_>,
) -> Result<(), Disagreement> {
    claim(circumstances.workload, circumstances.workers, result)?;
    confirm(&result.done, counts, circumstances)
}

/// Checks a driver's claim against its job and its agent's clock: all that can be checked for one of several clients.
///
/// # Errors
/// The first disagreement.
pub fn claim(asked: &JobWorkload, workers: u32, result: &TrialResult) -> Result<(), Disagreement> {
    let Done { operations, errors, .. } = result.done;
    let (elapsed, wall) = (result.done.elapsed_ns.as_secs_f64(), result.wall_ns.as_secs_f64());
    match asked.amount() {
        Some(Amount::Operations(asked)) if operations != asked => {
            return Err(Disagreement::Operations { claimed: operations, asked });
        }
        // An open loop ends when everything that is due within its duration is done, however late.
        Some(Amount::Duration(_)) if let Some(due) = asked.due().filter(|due| operations != *due) => {
            return Err(Disagreement::Due { claimed: operations, due });
        }
        Some(Amount::Duration(duration))
            if asked.rate.is_none() && elapsed < duration.as_secs_f64() * (1.0 - CLOCKS_APART) =>
        {
            return Err(Disagreement::EndedEarly { elapsed, asked: duration.as_secs_f64() });
        }
        _ => {}
    }
    if elapsed > wall + MESSAGES {
        return Err(Disagreement::LongerThanSeen { elapsed, wall });
    }
    if errors > 0 {
        return Err(Disagreement::Errors { errors, operations });
    }
    delivered(asked, &result.done)?;
    tasks::claim(asked, &result.done)?;
    timing::confirm(asked, workers, &result.done)?;
    progress::confirm(&result.done)
}

/// Checks what a driver says about the numbers that arrived against those that should have arrived.
fn delivered(asked: &JobWorkload, done: &Done) -> Result<(), Disagreement> {
    let workload = asked.kind.workload();
    if !workload.is_delivered || !asked.verify {
        return Ok(());
    }
    let what = format!("{} {}", done.operations, workload.noun);
    let Some(found) = done.delivered else { return Err(Disagreement::NothingDelivered(what)) };
    let expected = Delivered::each_once(done.operations);
    if found == expected { Ok(()) } else { Err(Disagreement::Delivered { what, found, expected }) }
}

/// Checks what all clients of a server claim together against what the server counted.
///
/// # Errors
/// The first disagreement.
pub fn confirm(
    done: &Done,
    counts: &ServerCounts,
    circumstances: &Circumstances<'_>,
) -> Result<(), Disagreement> {
    let operations = done.operations;
    let Circumstances { workload: asked, differs, deletes_keys, .. } = *circumstances;
    let workload = asked.kind.workload();
    if let Some(claimed) = done.keys.filter(|&claimed| claimed != operations && !differs) {
        return Err(Disagreement::OtherKeys { claimed, operations });
    }
    tasks::confirm(asked, done, counts)?;
    let expected = expected(done, circumstances)?;
    let commands = asked.commands();
    let counts_calls = counts.tells(Counter::Calls);
    if counts_calls && expected.calls.iter().any(|(command, calls)| !calls.agrees(counts.calls(command))) {
        return Err(Disagreement::Calls {
            operations,
            claimed: calls(&commands, |command| expected.calls[command]),
            counted: calls(&commands, |command| counts.calls(command)),
        });
    }
    let own = counts.sum(&commands);
    if own.failed > 0 {
        return Err(Disagreement::FailedCalls(own.failed));
    }
    let scripts = counts.sum(SCRIPTS.iter().filter(|name| !commands.iter().any(|own| own == *name))).calls;
    if scripts > 0 && !workload.freedom.of_commands() {
        return Err(Disagreement::Scripts(scripts));
    }
    // Commands are executed one after the other, on the main thread of each node. Its clock counts microseconds.
    let (elapsed, executing) = (done.elapsed_ns.as_secs_f64(), own.executing_ns.as_secs_f64());
    let executing = executing / f64::from(circumstances.nodes);
    if elapsed < executing * (1.0 - CLOCKS_APART) {
        return Err(Disagreement::ShorterThanExecuted { elapsed, executing });
    }
    if counts.keyspace_misses > 0 && !workload.freedom.of_keys() {
        return Err(Disagreement::Misses(counts.keyspace_misses));
    }
    let left = if deletes_keys && !workload.freedom.of_keys() { Some(0) } else { expected.keys };
    let left = left.map(u64::cast_signed).filter(|_| counts.tells(Counter::Keys));
    if let Some(expected) = left.filter(|&keys| counts.keys_added != keys) {
        return Err(Disagreement::Keys { found: counts.keys_added, expected });
    }
    let expiring = if expected.expiring { counts.keys_added } else { 0 };
    // On somebody else's server, others may have keys that expire.
    let is_told = counts.tells(Counter::Keys)
        && (expected.expiring || circumstances.ours && !workload.freedom.of_keys());
    if is_told && counts.expiring_added != expiring {
        return Err(Disagreement::Expiring { expiring: counts.expiring_added, expected: expiring });
    }
    traffic::confirm(done, counts, &expected, circumstances)
}

/// What the server must have counted if a driver's claim is true.
pub(crate) fn expected(done: &Done, circumstances: &Circumstances<'_>) -> Result<Expected, Unlikely> {
    let asked = circumstances.workload;
    (asked.kind.workload().expect)(&Claim {
        asked,
        operations: done.operations,
        workers: circumstances.workers.into(),
        clients: circumstances.clients.into(),
        calls: done.calls.as_ref(),
        key_prefix: circumstances.key_prefix.len() as u64,
        keys: circumstances.differs.then(|| done.keys.unwrap_or(done.operations)),
    })
}

/// As in `3 SET and 4 GET`.
pub(crate) fn calls<N: std::fmt::Display>(commands: &[String], of: impl Fn(&str) -> N) -> String {
    let distinct: std::collections::BTreeSet<&String> = commands.iter().collect();
    let named =
        distinct.into_iter().rev().map(|command| format!("{} {}", of(command), command.to_uppercase()));
    let named: Vec<String> = named.collect();
    match named.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} and {last}", others.join(", ")),
        None => String::new(),
    }
}

/// The commands that run a script or a function.
const SCRIPTS: &[&str] = &["eval", "evalsha", "eval_ro", "evalsha_ro", "fcall", "fcall_ro"];

/// The latencies of a trial in the form in which they are stored, and their summary.
///
/// # Errors
/// If they cannot be read.
pub fn latency(result: &TrialResult) -> Result<(Option<Latency>, Option<LatencySummary>), String> {
    let Some(latencies) = &result.done.latency else { return Ok((None, None)) };
    let histogram = latency::decode(latencies).map_err(|error| format!("the driver's latencies: {error}"))?;
    Ok((Some(latency::encode(&histogram)), Some(latency::summary(&histogram))))
}

#[cfg(test)]
mod tests {
    use super::{Circumstances, Disagreement};
    use crate::protocol::{CommandCounts, Done, JobWorkload, ServerCounts, TrialResult};
    use crate::units::Nanos;
    use crate::workload::Kind;

    const LEFT: (bool, bool) = (false, false);
    const DELETED: (bool, bool) = (true, false);
    const DIFFERS: (bool, bool) = (false, true);

    fn verify(
        asked: &JobWorkload,
        result: &TrialResult,
        counts: &ServerCounts,
        (deletes_keys, differs): (bool, bool),
    ) -> Result<(), Disagreement> {
        let circumstances = Circumstances {
            workload: asked,
            workers: 1,
            clients: 1,
            key_prefix: "",
            deletes_keys,
            differs,
            ours: true,
            nodes: 1,
        };
        super::verify(result, counts, &circumstances)
    }

    /// Equally many calls of SET and of GET.
    fn called(set: u64, get: u64) -> ServerCounts {
        let of = |calls| CommandCounts { calls, ..CommandCounts::default() };
        let commands = [("set".to_owned(), of(set)), ("get".to_owned(), of(get))].into();
        ServerCounts { commands, keys_added: set.cast_signed(), ..ServerCounts::default() }
    }

    fn asked() -> JobWorkload {
        JobWorkload {
            kind: Kind::SetGet,
            operations: Some(100),
            duration_ns: None,
            value_bytes: None,
            pipeline: 1,
            rate: None,
            verify: true,
            ..JobWorkload::default()
        }
    }

    fn claimed() -> TrialResult {
        TrialResult {
            done: Done {
                elapsed_ns: Nanos::from_millis(900),
                operations: 100,
                progress: None,
                ..Done::default()
            },
            wall_ns: Nanos::from_millis(901),
            cpu_ns: None,
            busiest_thread_ns: None,
            total_cpu_ns: Nanos(0),
            peak_rss_bytes: 0,
            ..TrialResult::default()
        }
    }

    fn counted() -> ServerCounts {
        called(100, 100)
    }

    #[test]
    fn a_claim_that_the_server_confirms_is_accepted() {
        assert_eq!(verify(&asked(), &claimed(), &counted(), LEFT), Ok(()));
        let deleted = ServerCounts { keys_added: 0, ..counted() };
        assert_eq!(verify(&asked(), &claimed(), &deleted, DELETED), Ok(()));
    }

    #[test]
    fn whatever_the_driver_says_the_server_has_the_last_word() {
        let verdict = |counts| verify(&asked(), &claimed(), &counts, LEFT).unwrap_err();
        assert_eq!(
            verdict(called(100, 99)),
            Disagreement::Calls {
                operations: 100,
                claimed: "100 SET and 100 GET".to_owned(),
                counted: "100 SET and 99 GET".to_owned()
            }
        );
        let with = |command: &str, change: fn(&mut CommandCounts)| {
            let mut counts = counted();
            change(counts.commands.entry(command.to_owned()).or_default());
            verdict(counts)
        };
        assert_eq!(with("evalsha", |counts| counts.calls = 1), Disagreement::Scripts(1));
        assert_eq!(
            with("set", |counts| counts.executing_ns = Nanos::from_secs(2)),
            Disagreement::ShorterThanExecuted { elapsed: 0.9, executing: 2.0 }
        );
        assert_eq!(verdict(ServerCounts { keyspace_misses: 1, ..counted() }), Disagreement::Misses(1));
        assert_eq!(with("get", |counts| counts.failed = 2), Disagreement::FailedCalls(2));
        assert_eq!(
            verdict(ServerCounts { keys_added: 7, ..counted() }),
            Disagreement::Keys { found: 7, expected: 100 }
        );
        // Keys that a driver should have deleted.
        assert_eq!(
            verify(&asked(), &claimed(), &counted(), DELETED),
            Err(Disagreement::Keys { found: 100, expected: 0 })
        );
    }

    #[test]
    fn only_who_says_so_beforehand_writes_other_keys() {
        let mut one_key = claimed();
        one_key.done.keys = Some(1);
        let counts = ServerCounts { keys_added: 1, ..counted() };
        assert_eq!(verify(&asked(), &one_key, &counts, DIFFERS), Ok(()));
        assert_eq!(
            verify(&asked(), &one_key, &counts, LEFT),
            Err(Disagreement::OtherKeys { claimed: 1, operations: 100 })
        );
        assert_eq!(
            verify(&asked(), &one_key, &counted(), DIFFERS),
            Err(Disagreement::Keys { found: 100, expected: 1 })
        );
    }

    #[test]
    fn a_claim_that_contradicts_the_job_or_the_clock_is_refused() {
        let verdict = |change: fn(&mut TrialResult)| {
            let mut result = claimed();
            change(&mut result);
            let counts = called(result.done.operations, result.done.operations);
            verify(&asked(), &result, &counts, LEFT).unwrap_err()
        };
        assert_eq!(
            verdict(|result| result.done.operations = 99),
            Disagreement::Operations { claimed: 99, asked: 100 }
        );
        assert_eq!(
            verdict(|result| result.done.errors = 1),
            Disagreement::Errors { errors: 1, operations: 100 }
        );
        assert_eq!(
            verdict(|result| result.wall_ns = Nanos::from_millis(500)),
            Disagreement::LongerThanSeen { elapsed: 0.9, wall: 0.5 }
        );
        let timed = JobWorkload { operations: None, duration_ns: Some(Nanos::from_secs(2)), ..asked() };
        assert_eq!(
            verify(&timed, &claimed(), &counted(), LEFT),
            Err(Disagreement::EndedEarly { elapsed: 0.9, asked: 2.0 })
        );
    }
}
