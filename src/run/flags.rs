//! What a reader must know of an attempt that ended well. Pure decisions, no message is sent here.

use crate::experiment::{Placement, Threads};
use crate::protocol::{AppliedPlacement, HostFacts};
use crate::record::{Flag, Measured, TrialRecord};
use crate::units::Nanos;
use crate::verify::{CLOCKS_APART, MESSAGES};

/// The share of a CPU from which on a thread counts as saturated.
const SATURATED: f64 = 0.9;
/// CPU time of others, as a share of one CPU, from which on a trial is flagged.
const FOREIGN: f64 = 0.1;
/// Stolen time, as a share of all CPUs, from which on a trial is flagged.
const STOLEN: f64 = 0.02;
/// The least that counts, in seconds, of what the system tells in clock ticks of 10 ms: three of them.
const TICKS: f64 = 0.030;
/// How late, in seconds, the last operation of an open loop may start before the schedule counts as missed.
const BEHIND: f64 = 0.010;

/// What a reader must know of an attempt that ended well. `threads` is what is known of the client's: of somebody
/// else's driver nothing, and then it may have as many as there are CPUs.
pub(super) fn flags(
    record: &TrialRecord,
    measured: &Measured,
    client_host: &HostFacts,
    threads: Option<Threads>,
) -> Vec<Flag> {
    let elapsed = measured.elapsed_ns.as_secs_f64();
    let wall = measured.wall_ns.as_secs_f64();
    let share = |time: Option<Nanos>| time.map_or(0.0, |time| time.as_secs_f64() / wall);
    let applied = record.client.as_ref().map(|client| &client.placement);
    let client_cpus = match applied {
        Some(AppliedPlacement::Pinned { client, .. }) => client.len() as u32,
        _ => client_host.cpus,
    };
    let workers = record.client.as_ref().map_or(1, |client| client.workers);
    let usable = threads.unwrap_or(Threads::PerCpu).can_use(workers, client_cpus);
    let server_share = share(measured.server.main_thread_cpu_ns);
    let client_share = share(measured.client_cpu_ns);
    let mut flags = Vec::new();
    let mut flag = |which, when| {
        if when {
            flags.push(which);
        }
    };
    flag(Flag::ClientBound, client_share > SATURATED * f64::from(usable));
    flag(Flag::ServerBound, server_share > SATURATED);
    let ticks = |time: Option<Nanos>| time.is_some_and(|time| time.as_secs_f64() >= TICKS);
    let foreign = measured.foreign_cpu_ns;
    flag(Flag::ForeignLoad, share(foreign) > FOREIGN && ticks(foreign));
    let stolen = STOLEN * f64::from(client_host.cpus);
    flag(Flag::Throttled, share(measured.steal_ns) > stolen && ticks(measured.steal_ns));
    flag(Flag::BehindSchedule, measured.max_lag_ns.is_some_and(|lag| lag.as_secs_f64() > BEHIND));
    flag(Flag::ClockDisagrees, wall - elapsed > CLOCKS_APART * wall + MESSAGES);
    flag(Flag::Persistence, record.server.as_ref().is_some_and(|server| server.persistence));
    flag(
        Flag::NotPlaced,
        record.settings.placement != Placement::Free
            && !matches!(applied, Some(AppliedPlacement::Pinned { .. })),
    );
    flags
}
