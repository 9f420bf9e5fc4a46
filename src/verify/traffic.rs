//! What a server counts besides the commands of a workload, checked against what a job implies: other commands, bytes,
//! reads. No client that did what was asked for can violate any of these bounds, whatever its library; counts that a server
//! does not report are not checked.

use super::{Circumstances, Disagreement};
use crate::protocol::{Done, ServerCounts};
use crate::workload::Expected;

/// Commands that are acceptable in any number from a driver, each with the reason.
const HARMLESS: &[&str] = &[
    // Setting up a connection: a load generator connects after `go`, others do to delete their keys.
    "hello",
    "auth",
    "select",
    "client",
    "ping",
    "quit",
    "reset",
    // What some clients ask a server about itself when they connect.
    "command",
    "config|get",
    "config",
    // And about the nodes of a cluster.
    "cluster|slots",
    "cluster|shards",
    "cluster|nodes",
    "readonly",
    // Around a pipeline, where a library makes each pipeline a transaction.
    "multi",
    "exec",
];
/// Commands that delete a driver's keys where the server is not flushed.
const DELETING: &[&str] = &["del", "unlink"];
/// Besides the harmless ones, commands that monitoring tools, or a server's replicas, send to see how it is doing.
const ADMINISTRATIVE: &[&str] = &[
    "dbsize", "time", "lastsave", "role", "slowlog", "latency", "memory", "cluster", "replconf", "acl",
    "config",
];
/// Commands of which a single call is enough to change what a trial measures, or may stand for many of a driver's own.
const WHOLESALE: &[&str] = &["monitor", "mset", "msetnx", "mget"];

/// Below this share of the calls, or of the time, other clients do not matter.
const NEGLIGIBLE: f64 = 0.01;
/// The calls that each worker may make for itself: those that connect, and one that ends.
const CALLS_A_WORKER: u64 = 8;

/// A network segment may be as short as this, in bytes, and be read separately.
const SEGMENT: u64 = 1024;
/// Reads that do not belong to operations: the agent's own, and for each worker those for connecting and for the end.
const READS: u64 = 64;
const READS_A_WORKER: u64 = 4;
/// The most that the server sends for an operation besides its value, including replies of transactions.
const LARGEST_REPLY: u64 = 64;
/// The most that it sends for each key that is deleted.
const DELETED: u64 = 8;
/// What else it sends, in bytes: the answers to the agent; and for each worker the answers to its library.
const ANSWERS: u64 = 32 * 1024;
const ANSWERS_A_WORKER: u64 = 1024;

fn most_sent(done: &Done, expected: &Expected, circumstances: &Circumstances<'_>) -> Option<u64> {
    let deleted = if circumstances.deletes_keys { DELETED } else { 0 };
    let besides = nodes(circumstances) * (ANSWERS + u64::from(circumstances.workers) * ANSWERS_A_WORKER);
    Some(expected.most_values_sent? + done.operations * (LARGEST_REPLY + deleted) + besides)
}

/// A round trip is one write on the client's side, or two if its buffer ends in the middle of it, and anything long is split
/// up on its way.
fn most_reads(operations: u64, counts: &ServerCounts, circumstances: &Circumstances<'_>) -> Option<u64> {
    let Circumstances { workload, workers, .. } = *circumstances;
    let connections = u64::from(workers) * nodes(circumstances);
    let round_trips = operations / u64::from(workload.pipeline) + connections;
    let own = workload.commands();
    let of_others = counts.others(&own).filter(|(name, _)| !["multi", "exec"].contains(&name.as_str()));
    let calls: u64 = of_others.map(|(_, other)| other.calls).sum();
    let segments = counts.received_bytes? / SEGMENT;
    Some(round_trips * 3 / 2 + segments + calls + connections * READS_A_WORKER + nodes(circumstances) * READS)
}

fn nodes(circumstances: &Circumstances<'_>) -> u64 {
    circumstances.nodes.into()
}

/// Checks what all clients of a server claim together against what else the server counted.
///
/// # Errors
/// The first disagreement.
pub(crate) fn confirm(
    done: &Done,
    counts: &ServerCounts,
    expected: &Expected,
    circumstances: &Circumstances<'_>,
) -> Result<(), Disagreement> {
    let operations = done.operations;
    let Circumstances { workload, workers, differs, .. } = *circumstances;
    if circumstances.ours && !workload.kind.workload().freedom.of_commands() {
        let others = strangers(counts, circumstances);
        if !others.is_empty() {
            return Err(Disagreement::OtherCommands(others.join(", ")));
        }
    }
    let own = workload.commands();
    if let Some(after) = &counts.after_done {
        let calls = |command: &str| after.get(command).copied().unwrap_or(0);
        if own.iter().any(|command| calls(command) > 0) {
            return Err(Disagreement::AfterDone(super::calls(&own, calls)));
        }
    }
    let least = expected.least_received;
    if let Some(received) = counts.received_bytes.filter(|&received| received < least) {
        return Err(Disagreement::Received { received, operations, least });
    }
    let least = expected.least_sent;
    if let Some(sent) = counts.sent_bytes.filter(|&sent| sent < least) {
        return Err(Disagreement::Sent { sent, operations, least });
    }
    // A library may do whatever it likes with a round trip.
    let is_free = workload.kind.workload().freedom.of_commands();
    let (Some(reads), false) = (counts.reads, differs || is_free) else { return Ok(()) };
    let pipeline = workload.pipeline;
    // On its own connection, a worker sends its next round trip only after the previous one has come back, so no two are
    // read at once. If workers share a connection, they may be.
    let all = u64::from(workers) * nodes(circumstances);
    let own_connections = counts.connections.is_some_and(|connections| connections >= all);
    let least = operations.div_ceil(u64::from(pipeline));
    if own_connections && reads < least {
        return Err(Disagreement::FewReads { reads, operations, pipeline, least });
    }
    match most_reads(operations, counts, circumstances) {
        Some(most) if pipeline > 1 && reads > most => {
            Err(Disagreement::ManyReads { reads, operations, pipeline, most })
        }
        _ => Ok(()),
    }
}

/// Whether others were active on somebody else's server to a noticeable extent: calls, or time executing them, beyond a
/// hundredth of the driver's; one of the few commands that count for many; or more bytes sent than the driver can have asked
/// for, as to a MONITOR that was already running.
#[must_use]
pub fn others_were_at_work(done: &Done, counts: &ServerCounts, circumstances: &Circumstances<'_>) -> bool {
    let Circumstances { workload, deletes_keys, .. } = *circumstances;
    let own = workload.commands();
    let known = |name: &str| {
        listed(HARMLESS, name) || listed(ADMINISTRATIVE, name) || listed(DELETING, name) && deletes_keys
    };
    let strange = || counts.others(&own).filter(|(name, _)| !known(name));
    let asked: u64 = counts
        .others(&own)
        .filter(|(name, _)| !["multi", "exec"].contains(&name.as_str()))
        .filter(|(name, _)| !(listed(DELETING, name) && deletes_keys))
        .map(|(_, other)| other.calls)
        .sum();
    // A driver deletes at most what it wrote.
    let deleting = counts.sum(DELETING).calls;
    let strange_calls: u64 = strange().map(|(_, other)| other.calls).sum();
    let strange_time: u64 = strange().map(|(_, other)| other.executing_ns.0).sum();
    let connections = u64::from(circumstances.workers) * nodes(circumstances);
    let negligible = |ours: u64| (ours as f64 * NEGLIGIBLE) as u64;
    let calls = counts.sum(&own).calls;
    let expected = super::expected(done, circumstances).ok();
    let most_sent = expected.and_then(|expected| most_sent(done, &expected, circumstances));
    counts.others(&own).any(|(name, _)| listed(WHOLESALE, name))
        || deleting > done.operations
        || strange_calls > negligible(calls)
        || strange_time > negligible(done.elapsed_ns.0)
        || asked > negligible(calls) + connections * CALLS_A_WORKER
        || counts.sent_bytes.is_some_and(|sent| most_sent.is_some_and(|most| sent > most))
}

/// The commands that should not have been called on a server of ours, as in `2 MSET`.
fn strangers(counts: &ServerCounts, circumstances: &Circumstances<'_>) -> Vec<String> {
    let Circumstances { workload, deletes_keys, .. } = *circumstances;
    let allowed = |name: &str| listed(HARMLESS, name) || listed(DELETING, name) && deletes_keys;
    let own = workload.commands();
    let strange = counts.others(&own).filter(|(name, _)| !allowed(name));
    strange
        .map(|(name, other)| format!("{} {}", other.calls, name.replace('|', " ").to_uppercase()))
        .collect()
}

/// Whether a command, or the one of which it is a form (`client|setinfo`), is in a list. `config|set` does not count as
/// `config`: only servers that do not distinguish the forms count that.
fn listed(list: &[&str], name: &str) -> bool {
    let whole = name.split('|').next().unwrap_or(name);
    list.contains(&name) || whole != "config" && list.contains(&whole)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::protocol::{CommandCounts, JobWorkload};
    use crate::units::Nanos;
    use crate::workload::Kind;

    /// 2,000 operations with values of 1,000 bytes.
    fn workload(pipeline: u32) -> JobWorkload {
        JobWorkload {
            kind: Kind::SetGet,
            operations: Some(2000),
            duration_ns: None,
            value_bytes: Some(1000),
            pipeline,
            rate: None,
            verify: true,
            ..JobWorkload::default()
        }
    }

    fn expected(workload: &JobWorkload) -> Circumstances<'_> {
        Circumstances {
            workload,
            workers: 1,
            clients: 1,
            key_prefix: "t:",
            deletes_keys: false,
            differs: false,
            ours: true,
            nodes: 1,
        }
    }

    fn done() -> Done {
        let elapsed_ns = Nanos::from_millis(500);
        Done { elapsed_ns, operations: 2000, progress: None, ..Done::default() }
    }

    fn confirm(
        done: &Done,
        counts: &ServerCounts,
        circumstances: &Circumstances<'_>,
    ) -> Result<(), Disagreement> {
        let expected = super::super::expected(done, circumstances).unwrap();
        super::confirm(done, counts, &expected, circumstances)
    }

    fn both() -> BTreeMap<String, CommandCounts> {
        let calls = CommandCounts { calls: 2000, ..CommandCounts::default() };
        ["set", "get"].map(|command| (command.to_owned(), calls)).into()
    }

    /// As a redis-server 7.0.15 counted it for an honest client, with 50 operations per round trip.
    fn honest() -> ServerCounts {
        ServerCounts {
            commands: both(),
            reads: Some(140),
            received_bytes: Some(2_300_000),
            sent_bytes: Some(2_030_000),
            connections: Some(1),
            after_done: Some(BTreeMap::new()),
            ..ServerCounts::default()
        }
    }

    fn called(counts: &ServerCounts, name: &str, calls: u64, executing_ns: Nanos) -> ServerCounts {
        let mut counts = counts.clone();
        counts.commands.insert(name.to_owned(), CommandCounts { calls, executing_ns, failed: 0 });
        counts
    }

    fn verdict(pipeline: u32, counts: &ServerCounts) -> Result<(), Disagreement> {
        confirm(&done(), counts, &expected(&workload(pipeline)))
    }

    #[test]
    fn traffic_that_a_job_implies_is_accepted_and_so_is_what_a_server_does_not_tell() {
        assert_eq!(verdict(50, &honest()), Ok(()));
        assert_eq!(verdict(1, &ServerCounts { reads: Some(4010), ..honest() }), Ok(()));
        // SET and GET in one round trip.
        assert_eq!(verdict(1, &ServerCounts { reads: Some(2000), ..honest() }), Ok(()));
        let silent = ServerCounts { commands: both(), ..ServerCounts::default() };
        assert_eq!(verdict(50, &silent), Ok(()));
    }

    #[test]
    fn values_that_are_too_small_do_not_fill_the_bytes_that_they_must_take() {
        let small = ServerCounts { received_bytes: Some(120_000), ..honest() };
        let least = 2000 * (1000 + 2 * 5 + 13);
        assert_eq!(
            verdict(50, &small),
            Err(Disagreement::Received { received: 120_000, operations: 2000, least })
        );
        let small = ServerCounts { sent_bytes: Some(26_000), ..honest() };
        let least = 2000 * 1010;
        assert_eq!(verdict(50, &small), Err(Disagreement::Sent { sent: 26_000, operations: 2000, least }));
    }

    #[test]
    fn a_pipeline_shows_in_the_reads_whether_it_was_asked_for_or_not() {
        let counts = ServerCounts { reads: Some(4010), ..honest() };
        assert!(matches!(
            verdict(50, &counts),
            Err(Disagreement::ManyReads { reads: 4010, pipeline: 50, .. })
        ));
        // Twice as many operations in a round trip as were asked for; all of them.
        for reads in [1000, 5] {
            let counts = ServerCounts { reads: Some(reads), ..honest() };
            let few = Disagreement::FewReads { reads, operations: 2000, pipeline: 1, least: 2000 };
            assert_eq!(verdict(1, &counts), Err(few));
        }
        // Workers that share a connection have their requests read together.
        let shared = ServerCounts { reads: Some(300), ..honest() };
        let workload = workload(1);
        let expected = Circumstances { workers: 20, ..expected(&workload) };
        assert_eq!(confirm(&done(), &shared, &expected), Ok(()));
        let differs = Circumstances { workers: 1, differs: true, ..expected };
        assert_eq!(confirm(&done(), &shared, &differs), Ok(()));
    }

    #[test]
    fn a_command_that_nobody_asked_for_is_named_on_a_server_of_ours() {
        let verdict = |name, deletes_keys| {
            let workload = workload(50);
            let expected = Circumstances { deletes_keys, ..expected(&workload) };
            confirm(&done(), &called(&honest(), name, 2, Nanos(0)), &expected)
        };
        for harmless in ["hello", "client|setinfo", "config|get", "multi", "command|docs"] {
            assert_eq!(verdict(harmless, false), Ok(()), "{harmless}");
        }
        for (other, said) in [("mset", "2 MSET"), ("config|set", "2 CONFIG SET"), ("del", "2 DEL")] {
            assert_eq!(verdict(other, false), Err(Disagreement::OtherCommands(said.to_owned())));
        }
        assert_eq!(verdict("del", true), Ok(()));
    }

    #[test]
    fn work_after_done_is_refused() {
        let late = ServerCounts { after_done: Some([("get".to_owned(), 3)].into()), ..honest() };
        assert_eq!(verdict(50, &late), Err(Disagreement::AfterDone("0 SET and 3 GET".to_owned())));
    }

    #[test]
    fn others_on_a_server_of_somebody_else_are_noticed_when_they_may_be_felt() {
        let felt = |counts: ServerCounts| {
            let workload = workload(50);
            let expected = Circumstances { deletes_keys: true, ours: false, ..expected(&workload) };
            assert_eq!(confirm(&done(), &counts, &expected), Ok(()));
            others_were_at_work(&done(), &counts, &expected)
        };
        assert!(!felt(honest()));
        for (name, calls, executing) in
            [("incr", 40, 0), ("ping", 40, 0), ("del", 2000, 9_000_000), ("slowlog|get", 5, 9_000_000)]
        {
            assert!(!felt(called(&honest(), name, calls, Nanos(executing))), "{name}");
        }
        for (name, calls, executing) in [
            ("incr", 41, 0),
            ("ping", 1000, 0),
            ("keys", 1, 6_000_000),
            ("monitor", 1, 0),
            ("mset", 1, 0),
            ("del", 2001, 0),
        ] {
            assert!(felt(called(&honest(), name, calls, Nanos(executing))), "{name}");
        }
        // Another client is sent everything that happens.
        assert!(felt(ServerCounts { sent_bytes: Some(4_600_000), ..honest() }));
    }
}
