//! What a reader must know about an attempt that ended well. Pure decisions; sends no messages.

use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::experiment::{Placement, Threads};
use crate::protocol::{AppliedPlacement, HostFacts, JobWorkload, ServerIdentity};
use crate::record::{Flag, Measured, Part, TrialRecord};
use crate::units::Nanos;
use crate::verify::{CLAIM_APART, CLOCKS_APART, MESSAGES, progress, timing};

/// The share of a CPU above which a thread counts as saturated.
const SATURATED: f64 = 0.9;
/// CPU time of other programs, as a share of one CPU, above which a trial is flagged.
const FOREIGN: f64 = 0.1;
/// Stolen time, as a share of all CPUs, above which a trial is flagged.
const STOLEN: f64 = 0.02;
/// The least time, in seconds, that counts where the system reports clock ticks of 10 ms: three of them.
const TICKS: f64 = 0.030;
/// How late, in seconds, the last operation of an open loop may start before the schedule counts as missed.
const BEHIND: f64 = 0.010;
/// How much earlier than the last of several clients, as a share of its time, another one may finish.
const UNEVEN: f64 = 0.1;

/// The accepted range for Little's law. The first 930 trials in `results` that had it all lie between 0.91 and 1.00;
/// latencies that leave out half of the time give 0.5 at most.
const LITTLES_LAW: RangeInclusive<f64> = 0.75..=1.02;

/// What a reader must know about an attempt that ended well. `clients` are those that took part, each with the facts about
/// its machine. `threads` is what is known about their threads. Nothing is known about somebody else's driver: it may have
/// as many threads as there are CPUs. It may also have only one, or one that does all the work, so the time of its busiest
/// thread counts too, where the system reported it.
pub(super) fn flags(
    record: &TrialRecord,
    measured: &Measured,
    clients: &[(Part, Rc<HostFacts>)],
    threads: Option<Threads>,
) -> Vec<Flag> {
    let elapsed = measured.elapsed_ns.as_secs_f64();
    let wall = measured.wall_ns.as_secs_f64();
    let any = |is: &dyn Fn(&Part, &HostFacts) -> bool| clients.iter().any(|(part, facts)| is(part, facts));
    let pushers = JobWorkload::from(&record.settings).pushers();
    let mut flags = Vec::new();
    let mut flag = |which, when| {
        if when {
            flags.push(which);
        }
    };
    flag(Flag::ClientBound, any(&|part, facts| is_bound(part, facts, threads, pushers)));
    let server = measured.server.main_thread_cpu_ns;
    // For a cluster, all of its nodes: as long as one is idle, the server is not what holds things up.
    let nodes = record.server.as_ref().map_or(1, ServerIdentity::nodes);
    let busy = |time: Nanos| time.as_secs_f64() / wall / f64::from(nodes);
    flag(Flag::ServerBound, server.is_some_and(|time| busy(time) > SATURATED));
    flag(Flag::BackgroundLoad, any(&has_background_load));
    flag(Flag::CpuSteal, any(&has_cpu_steal));
    let workload = &record.settings.workload;
    let is_doubtful = |(part, _): &(Part, _)| has_doubtful_latency(part, workload.pipeline);
    let applies = workload.rate.is_none() && workload.kind.workload().is_back_to_back;
    flag(Flag::LatencyDoubtful, applies && clients.iter().any(is_doubtful));
    let is_late = measured.max_lag_ns.is_some_and(|lag| lag.as_secs_f64() > BEHIND);
    let workers = clients.iter().map(|(part, _)| part.client.workers).sum();
    let missed = |rate| {
        timing::missed_schedule(workload.pipeline, workers, measured.operations, rate, elapsed, BEHIND)
    };
    flag(Flag::BehindSchedule, is_late || workload.rate.is_some_and(missed));
    // The time for deleting its keys is included in what the agent's clock saw, but not in what the driver claims.
    let deleted = measured.server.sum(["del", "unlink"]).calls > 0;
    let apart = if deleted { CLOCKS_APART } else { CLAIM_APART };
    flag(Flag::ClockDisagrees, clients.iter().any(|(part, _)| has_another_clock(part, apart)));
    flag(Flag::Persistence, record.server.as_ref().is_some_and(|server| server.persistence));
    let applied = record.client.as_ref().map(|client| &client.placement);
    let asked = record.settings.placement != Placement::Free;
    flag(
        Flag::NotPlaced,
        matches!(applied, Some(AppliedPlacement::NotApplied { .. }))
            || asked && !matches!(applied, Some(AppliedPlacement::Pinned { .. })),
    );
    let first =
        clients.iter().map(|(part, _)| part.result.done.elapsed_ns.as_secs_f64()).fold(elapsed, f64::min);
    flag(Flag::UnevenClients, first < elapsed * (1.0 - UNEVEN));
    let starts_otherwise = |parts: &Vec<u64>| progress::starts_otherwise(parts, measured.elapsed_ns);
    flag(Flag::UnsteadyStart, measured.progress.as_ref().is_some_and(starts_otherwise));
    flags
}

/// Whether a client's latencies and throughput contradict each other. Each client is judged by its own time: one of several
/// may finish long before the others.
fn has_doubtful_latency(part: &Part, pipeline: u32) -> bool {
    let law = timing::littles_law(pipeline, part.client.workers, &part.result.done);
    law.is_some_and(|law| !LITTLES_LAW.contains(&law))
}

/// A share of the time that a client's agent saw.
fn share(part: &Part, time: Option<Nanos>) -> f64 {
    time.map_or(0.0, |time| time.as_secs_f64() / part.result.wall_ns.as_secs_f64())
}

fn ticks(time: Option<Nanos>) -> bool {
    time.is_some_and(|time| time.as_secs_f64() >= TICKS)
}

fn is_bound(part: &Part, facts: &HostFacts, threads: Option<Threads>, pushers: u32) -> bool {
    let cpus = match &part.client.placement {
        AppliedPlacement::Pinned { client, .. } => client.len() as u32,
        _ => facts.cpus,
    };
    let usable = threads.unwrap_or(Threads::PerCpu).can_use(part.client.workers + pushers, cpus);
    share(part, part.result.cpu_ns) > SATURATED * f64::from(usable)
        || share(part, part.result.busiest_thread_ns) > SATURATED
}

fn has_background_load(part: &Part, _: &HostFacts) -> bool {
    let foreign = part.result.foreign_cpu_ns;
    share(part, foreign) > FOREIGN && ticks(foreign)
}

/// Each client is compared with the clock of its own agent.
fn has_another_clock(part: &Part, apart: f64) -> bool {
    let (elapsed, wall) = (part.result.done.elapsed_ns.as_secs_f64(), part.result.wall_ns.as_secs_f64());
    wall - elapsed > apart * wall + MESSAGES
}

fn has_cpu_steal(part: &Part, facts: &HostFacts) -> bool {
    let stolen = part.result.steal_ns;
    share(part, stolen) > STOLEN * f64::from(facts.cpus) && ticks(stolen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Done, TrialResult};
    use crate::record::{ClientLabel, HostLabel};

    /// One client that worked for a second on a machine with eight CPUs.
    fn bound(all: u64, busiest: Option<u64>, threads: Option<Threads>) -> bool {
        let part = Part {
            host: HostLabel {
                name: "a".to_owned(),
                os: "Linux".to_owned(),
                arch: String::new(),
                cpu: String::new(),
            },
            client: ClientLabel {
                client: "c".to_owned(),
                runtime: "r".to_owned(),
                workers: 100,
                placement: AppliedPlacement::Free,
                comparability: None,
            },
            rtt_us: None,
            result: TrialResult {
                done: Done {
                    elapsed_ns: Nanos::from_secs(1),
                    operations: 1,
                    progress: None,
                    ..Done::default()
                },
                wall_ns: Nanos::from_secs(1),
                cpu_ns: Some(Nanos::from_millis(all)),
                busiest_thread_ns: busiest.map(Nanos::from_millis),
                total_cpu_ns: Nanos::from_millis(all),
                ..TrialResult::default()
            },
        };
        is_bound(&part, &HostFacts { cpus: 8, ..HostFacts::default() }, threads, 0)
    }

    #[test]
    fn a_client_is_bound_by_its_busiest_thread_however_many_cpus_are_idle() {
        assert!(bound(1000, Some(990), None));
        assert!(bound(3000, Some(950), None), "others may have worked beside it");
        assert!(!bound(3000, Some(800), None));
        assert!(bound(7500, Some(850), None), "all CPUs together count as well");
    }

    #[test]
    fn where_nothing_is_known_of_single_threads_all_cpus_count() {
        assert!(!bound(1000, None, None));
        assert!(bound(7500, None, None));
        assert!(bound(950, None, Some(Threads::One)));
        assert!(!bound(1000, None, Some(Threads::PerWorker)));
    }
}
