//! Several clients of one server: the job of each, and the combined result. A single client is treated as a team of one, and
//! nothing here changes its numbers. Pure decisions; sends no messages.

use std::collections::BTreeMap;

use crate::experiment::Warmup;
use crate::latency;
use crate::protocol::AppliedPlacement;
use crate::protocol::{Done, Job, JobWorkload, Latency, TaskClaim, TrialResult, WorkerUse};
use crate::record::{ClientLabel, HostLabel, Part};
use crate::units::Nanos;
use crate::verify::progress;

/// What each of `clients` hosts has to do of a job. Workers are shared as evenly as possible, and each worker brings its
/// share of the operations with it, so that every worker does what it would do on one host.
pub(super) fn jobs(job: Job, clients: usize) -> Vec<Job> {
    if clients == 1 {
        return vec![job];
    }
    let n = clients as u32;
    let mut first = 0;
    let mut jobs = Vec::new();
    for client in 0..n {
        let workers = JobWorkload::share(u64::from(job.workers), n, client) as u32;
        let share =
            |all: u64| (first..first + workers).map(|w| JobWorkload::share(all, job.workers, w)).sum::<u64>();
        let mut part = job.clone();
        part.workers = workers;
        part.workload.operations = job.workload.operations.map(share);
        part.workload.rate = job.workload.rate.map(|rate| JobWorkload::share(rate, n, client));
        if let Warmup::Operations(operations) = job.warmup {
            part.warmup = Warmup::Operations(share(operations));
        }
        // Every driver numbers its workers anew, and no two workers may use the same keys, unless all work on the same keys.
        if job.workload.keys_beforehand() == 0 {
            part.key_prefix = format!("{}{client}:", job.key_prefix);
        }
        part.seed = job.seed.wrapping_add(u64::from(client) << 32);
        first += workers;
        jobs.push(part);
    }
    jobs
}

/// What all clients did, as if they had been one. `wall` is how long they took together, by the coordinator's clock: the
/// clocks of their hosts cannot be compared.
///
/// # Errors
/// If latencies cannot be read.
pub(super) fn result(parts: &[Part], wall: Nanos) -> Result<TrialResult, String> {
    if let [part] = parts {
        return Ok(part.result.clone());
    }
    let results = || parts.iter().map(|part| &part.result);
    let sum = |of: &dyn Fn(&TrialResult) -> Nanos| Nanos(results().map(|result| of(result).0).sum());
    // For numbers that not every system reports, there is a sum only if all reported one.
    let told = |of: &dyn Fn(&TrialResult) -> Option<Nanos>| {
        let all: Option<Vec<Nanos>> = results().map(of).collect();
        all.map(|all| Nanos(all.iter().map(|time| time.0).sum()))
    };
    let latency = merged(results().map(|result| result.done.latency.as_ref()))?;
    let keys = |result: &TrialResult| result.done.keys.unwrap_or(result.done.operations);
    let other_keys = results().any(|result| result.done.keys.is_some());
    Ok(TrialResult {
        done: Done {
            elapsed_ns: results().map(|result| result.done.elapsed_ns).max().unwrap_or_default(),
            operations: results().map(|result| result.done.operations).sum(),
            errors: results().map(|result| result.done.errors).sum(),
            latency,
            max_lag_ns: results().filter_map(|result| result.done.max_lag_ns).max(),
            keys: other_keys.then(|| results().map(keys).sum()),
            calls: calls(results()),
            // Each client has tasks of its own, and was checked against them.
            delivered: None,
            tasks: tasks(parts)?,
            // The clients' times coincide only by chance; see `progress`.
            progress: None,
        },
        wall_ns: wall,
        cpu_ns: told(&|result| result.cpu_ns),
        busiest_thread_ns: results().filter_map(|result| result.busiest_thread_ns).max(),
        total_cpu_ns: sum(&|result| result.total_cpu_ns),
        peak_rss_bytes: results().map(|result| result.peak_rss_bytes).sum(),
        workers: workers(results()),
        foreign_cpu_ns: told(&|result| result.foreign_cpu_ns),
        steal_ns: told(&|result| result.steal_ns),
        load1: results().filter_map(|result| result.load1).max_by(f64::total_cmp),
    })
}

/// The latencies of several clients as those of one; `None` if any of them does not know its own.
fn merged<'a>(several: impl Iterator<Item = Option<&'a Latency>>) -> Result<Option<Latency>, String> {
    let mut all = latency::empty();
    for one in several {
        let Some(one) = one else { return Ok(None) };
        let one = latency::decode(one).map_err(|error| format!("a driver's latencies: {error}"))?;
        latency::merge(&mut all, &one);
    }
    Ok(Some(latency::encode(&all)))
}

/// What all clients report about the tasks of a library, if all do; each was checked against its own statement about lost
/// tasks.
fn tasks(parts: &[Part]) -> Result<Option<TaskClaim>, String> {
    let each: Option<Vec<&TaskClaim>> = parts.iter().map(|part| part.result.done.tasks.as_ref()).collect();
    let Some(each) = each else { return Ok(None) };
    Ok(Some(TaskClaim {
        enqueue_ns: Nanos(each.iter().map(|tasks| tasks.enqueue_ns.0).sum()),
        start_latency: merged(each.iter().map(|tasks| tasks.start_latency.as_ref()))?,
        ..TaskClaim::default()
    }))
}

/// What the worker processes of all clients used, if all have some.
fn workers<'a>(results: impl Iterator<Item = &'a TrialResult>) -> Option<WorkerUse> {
    let each: Vec<WorkerUse> = results.map(|result| result.workers).collect::<Option<_>>()?;
    let sum = |of: fn(&WorkerUse) -> Option<u64>| each.iter().map(of).sum::<Option<u64>>();
    Some(WorkerUse {
        cpu_ns: sum(|one| one.cpu_ns.map(|time| time.0)).map(Nanos),
        peak_rss_bytes: sum(|one| one.peak_rss_bytes),
    })
}

/// The bitmaps in which the operations of each client mark themselves, if they do.
pub(super) fn marks(jobs: &[Job]) -> Vec<String> {
    jobs.iter().filter_map(Job::marks).collect()
}

/// The calls of all clients together, if all report them.
fn calls<'a>(results: impl Iterator<Item = &'a TrialResult>) -> Option<BTreeMap<String, u64>> {
    let mut sum = BTreeMap::new();
    for result in results {
        for (command, calls) in result.done.calls.as_ref()? {
            *sum.entry(command.clone()).or_default() += calls;
        }
    }
    Some(sum)
}

/// The operations of all clients together in equal parts of the time of the slowest; `None` if any of them does not report
/// progress.
pub(super) fn progress(parts: &[Part]) -> Option<Vec<u64>> {
    let elapsed = parts.iter().map(|part| part.result.done.elapsed_ns).max()?;
    let of_each = parts.iter().map(|part| progress::parts(&part.result.done, elapsed));
    of_each.collect::<Option<Vec<_>>>()?.into_iter().reduce(|mut sum, operations| {
        sum.iter_mut().zip(operations).for_each(|(sum, operations)| *sum += operations);
        sum
    })
}

/// The labels of several hosts, combined into one.
pub(super) fn host(labels: &[HostLabel]) -> HostLabel {
    HostLabel {
        name: labels.iter().map(|label| label.name.as_str()).collect::<Vec<_>>().join("+"),
        os: distinct(labels.iter().map(|label| &label.os)),
        arch: distinct(labels.iter().map(|label| &label.arch)),
        cpu: distinct(labels.iter().map(|label| &label.cpu)),
    }
}

/// The labels of several clients, combined into one.
pub(super) fn client(labels: &[ClientLabel]) -> ClientLabel {
    let comparability = distinct(labels.iter().filter_map(|label| label.comparability.as_ref()));
    ClientLabel {
        client: distinct(labels.iter().map(|label| &label.client)),
        runtime: distinct(labels.iter().map(|label| &label.runtime)),
        workers: labels.iter().map(|label| label.workers).sum(),
        placement: placement(labels),
        comparability: Some(comparability).filter(|text| !text.is_empty()),
    }
}

/// Where several clients ran: the numbers of all CPUs that any of them was bound to; the parts say which client had which.
fn placement(labels: &[ClientLabel]) -> AppliedPlacement {
    let mut all: Option<(Vec<u32>, Vec<u32>)> = None;
    for label in labels {
        match &label.placement {
            AppliedPlacement::Pinned { server, client } => {
                let (servers, clients) = all.get_or_insert_default();
                servers.extend(server);
                clients.extend(client);
            }
            other => return other.clone(),
        }
    }
    let Some((mut server, mut client)) = all else { return AppliedPlacement::Free };
    for cpus in [&mut server, &mut client] {
        cpus.sort_unstable();
        cpus.dedup();
    }
    AppliedPlacement::Pinned { server, client }
}

fn distinct<'a>(texts: impl Iterator<Item = &'a String>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for text in texts {
        if !seen.contains(&text.as_str()) {
            seen.push(text);
        }
    }
    seen.join(" + ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::Endpoint;
    use crate::workload::Kind;

    fn job(workers: u32, operations: Option<u64>, rate: Option<u64>) -> Job {
        Job {
            protocol: 1,
            mode: "sync".to_owned(),
            server: Endpoint::local(1),
            workload: JobWorkload {
                kind: Kind::SetGet,
                operations,
                duration_ns: operations.is_none().then_some(Nanos::from_secs(1)),
                value_bytes: None,
                pipeline: 1,
                rate,
                verify: true,
                ..JobWorkload::default()
            },
            workers,
            key_prefix: "t:".to_owned(),
            warmup: Warmup::Operations(operations.unwrap_or(7)),
            seed: 7,
            delete_keys: false,
            options: Default::default(),
        }
    }

    #[test]
    fn one_client_gets_the_job_as_it_is() {
        assert_eq!(jobs(job(3, Some(10), Some(5)), 1), [job(3, Some(10), Some(5))]);
    }

    proptest! {
        #[test]
        fn every_worker_does_what_it_would_do_on_one_host(clients in 2_usize..9, more in 0_u32..40, operations in 60_u64..9_000, rate in 9_u64..1_000) {
            let whole = job(clients as u32 + more, Some(operations), Some(rate));
            let parts = jobs(whole.clone(), clients);
            let shares = |job: &Job| (0..job.workers).map(|w| JobWorkload::share(job.workload.operations.unwrap(), job.workers, w)).collect::<Vec<_>>();
            prop_assert_eq!(parts.iter().flat_map(shares).collect::<Vec<_>>(), shares(&whole));
            prop_assert_eq!(parts.iter().map(|part| part.workload.rate.unwrap()).sum::<u64>(), rate);
            prop_assert!(parts.iter().all(|part| part.workers > 0 && part.workload.rate > Some(0)));
            let prefixes: std::collections::BTreeSet<_> = parts.iter().map(|part| &part.key_prefix).collect();
            prop_assert_eq!(prefixes.len(), clients);
        }
    }

    fn part(elapsed: u64, latencies: &[u64]) -> Part {
        let mut histogram = latency::empty();
        latencies.iter().for_each(|&latency| histogram.record(latency).unwrap());
        Part {
            host: HostLabel {
                name: "a".to_owned(),
                os: "Linux".to_owned(),
                arch: String::new(),
                cpu: String::new(),
            },
            client: ClientLabel {
                client: "c".to_owned(),
                runtime: "r".to_owned(),
                workers: 2,
                placement: AppliedPlacement::Pinned { server: vec![], client: vec![elapsed as u32] },
                comparability: None,
            },
            rtt_us: None,
            result: TrialResult {
                done: Done {
                    elapsed_ns: Nanos(elapsed),
                    operations: latencies.len() as u64,
                    latency: Some(latency::encode(&histogram)),
                    progress: None,
                    ..Done::default()
                },
                wall_ns: Nanos(elapsed),
                cpu_ns: Some(Nanos(5)),
                busiest_thread_ns: Some(Nanos(elapsed)),
                workers: None,
                total_cpu_ns: Nanos(6),
                peak_rss_bytes: 7,
                foreign_cpu_ns: None,
                steal_ns: Some(Nanos(1)),
                load1: Some(elapsed as f64),
            },
        }
    }

    #[test]
    fn what_clients_did_together_is_counted_once_and_took_as_long_as_the_slowest() {
        let parts = [part(3, &[100, 200]), part(9, &[300])];
        let all = result(&parts, Nanos(11)).unwrap();
        assert_eq!((all.done.operations, all.done.elapsed_ns, all.wall_ns), (3, Nanos(9), Nanos(11)));
        assert_eq!((all.cpu_ns, all.foreign_cpu_ns, all.steal_ns), (Some(Nanos(10)), None, Some(Nanos(2))));
        assert_eq!(all.busiest_thread_ns, Some(Nanos(9)), "it is one thread of one of them");
        let merged = latency::decode(all.done.latency.as_ref().unwrap()).unwrap();
        assert_eq!((merged.len(), merged.min(), merged.max()), (3, 100, 300));
        let labels: Vec<_> = parts.iter().map(|part| part.client.clone()).collect();
        let label = client(&labels);
        assert_eq!((label.client.as_str(), label.workers), ("c", 4));
        assert_eq!(label.placement, AppliedPlacement::Pinned { server: vec![], client: vec![3, 9] });
        let hosts: Vec<_> = parts.iter().map(|part| part.host.clone()).collect();
        assert_eq!((host(&hosts).name.as_str(), host(&hosts).os.as_str()), ("a+a", "Linux"));
    }

    #[test]
    fn the_progress_of_all_clients_is_that_of_each_one_after_the_other_or_at_once() {
        let with = |elapsed: u64, each: u64| {
            let mut part = part(elapsed, &[1]);
            part.result.done.operations = 12 * each;
            part.result.done.progress =
                Some((1..=12).map(|twelfth| (twelfth * elapsed / 12, twelfth * each)).collect());
            part
        };
        let both = progress(&[with(1_200, 10), with(2_400, 10)]).unwrap();
        assert_eq!(both, [30, 30, 30, 30, 30, 30, 10, 10, 10, 10, 10, 10]);
        assert_eq!(progress(&[with(1_200, 10), part(1_200, &[1])]), None);
    }

    #[test]
    fn latencies_that_one_client_does_not_know_are_not_known() {
        let mut silent = part(3, &[1]);
        silent.result.done.latency = None;
        assert_eq!(result(&[silent, part(3, &[1])], Nanos(4)).unwrap().done.latency, None);
    }
}
