//! Checks what a library's driver and the marks on the server say about its tasks against each other. Pure.

use super::{CLOCKS_APART, Disagreement, MESSAGES};
use crate::latency;
use crate::protocol::{Done, JobWorkload, ServerCounts, TaskClaim};
use crate::workload::Freedom;

/// The most numbers that a message lists.
const NAMED: usize = 10;

/// Checks what a driver says about its tasks, on its own.
///
/// # Errors
/// If the driver itself says that tasks were lost or executed twice, or if what it says contradicts itself.
pub(super) fn claim(asked: &JobWorkload, done: &Done) -> Result<(), Disagreement> {
    if asked.kind.workload().freedom != Freedom::Library {
        return Ok(());
    }
    let Some(tasks) = &done.tasks else { return Err(Disagreement::NothingOfTasks) };
    let operations = done.operations;
    if !tasks.lost.is_empty() {
        return Err(Disagreement::Lost { operations, said: lost(tasks) });
    }
    if !tasks.twice.is_empty() {
        return Err(Disagreement::Again { tasks: numbers(&tasks.twice) });
    }
    let (enqueue, elapsed) = (tasks.enqueue_ns.as_secs_f64(), done.elapsed_ns.as_secs_f64());
    let most = elapsed * f64::from(asked.pushers().max(1)) * (1.0 + CLOCKS_APART) + MESSAGES;
    if enqueue > most {
        return Err(Disagreement::Enqueue { enqueue, elapsed, producers: asked.pushers() });
    }
    let read = |latencies| latency::decode(latencies).ok();
    let (starts, ends) = (tasks.start_latency.as_ref().and_then(read), done.latency.as_ref().and_then(read));
    if let Some(starts) = &starts {
        if starts.len() != operations {
            return Err(Disagreement::Starts { starts: starts.len(), operations });
        }
        if let Some(ends) = ends.filter(|ends| starts.max() > ends.max()) {
            return Err(Disagreement::StartsAfterEnd { start: starts.max(), end: ends.max() });
        }
    }
    Ok(())
}

/// Checks what the marks on the server say.
///
/// # Errors
/// If a task has no mark, or there were more marks than tasks.
pub(super) fn confirm(asked: &JobWorkload, done: &Done, counts: &ServerCounts) -> Result<(), Disagreement> {
    let operations = done.operations;
    let Some(marks) = &counts.marks else { return Ok(()) };
    let executed = counts.sum(asked.commands()).calls;
    if marks.set < operations {
        let missing = operations - marks.set;
        return Err(Disagreement::NoMark { missing, operations, tasks: first_of(&marks.missing, missing) });
    }
    if executed > operations {
        return Err(Disagreement::Marks { executed, operations });
    }
    Ok(())
}

fn lost(tasks: &TaskClaim) -> String {
    let mut said = numbers(&tasks.lost);
    if !tasks.begun.is_empty() {
        said += &format!("; begun and not ended: {}", numbers(&tasks.begun));
    }
    match tasks.left {
        Some(0) => said += "; the library has none of them on the server any more",
        Some(left) => said += &format!("; the library still has {left} on the server"),
        None => {}
    }
    said
}

/// As in `3, 17 and 203`.
fn numbers(all: &[u64]) -> String {
    first_of(all, all.len() as u64)
}

/// The same where only the first ones are known.
fn first_of(known: &[u64], all: u64) -> String {
    let shown: Vec<String> = known.iter().take(NAMED).map(u64::to_string).collect();
    let more = all.saturating_sub(shown.len() as u64);
    match shown.as_slice() {
        _ if more > 0 => format!("{} and {more} more", shown.join(", ")),
        [one] => one.clone(),
        [others @ .., last] => format!("{} and {last}", others.join(", ")),
        [] => "none that it can name".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{CommandCounts, Latency, Marks};
    use crate::units::Nanos;
    use crate::workload::Kind;

    fn asked() -> JobWorkload {
        JobWorkload { kind: Kind::Tasks, operations: Some(4), verify: true, ..JobWorkload::default() }
    }

    fn done(tasks: TaskClaim) -> Done {
        Done { elapsed_ns: Nanos::from_secs(1), operations: 4, tasks: Some(tasks), ..Done::default() }
    }

    fn said(tasks: TaskClaim) -> String {
        claim(&asked(), &done(tasks)).unwrap_err().to_string()
    }

    #[test]
    fn tasks_that_were_lost_or_done_again_are_named() {
        assert_eq!(claim(&asked(), &done(TaskClaim::default())), Ok(()));
        let lost = TaskClaim { lost: vec![1, 3], begun: vec![3], left: Some(1), ..TaskClaim::default() };
        assert_eq!(
            said(lost),
            "of 4 tasks some were not executed: 1 and 3; begun and not ended: 3; the library still has 1 on the server"
        );
        let again = TaskClaim { twice: (0..12).collect(), ..TaskClaim::default() };
        assert_eq!(
            said(again),
            "tasks that were executed more than once: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more"
        );
        assert!(claim(&asked(), &Done { tasks: None, ..done(TaskClaim::default()) }).is_err());
    }

    #[test]
    fn times_that_contradict_each_other_are_refused() {
        let buckets = |pairs: &[(u64, u64)]| Some(Latency::Buckets(pairs.to_vec()));
        let all = |enqueue: u64, starts: &[(u64, u64)]| {
            let tasks = TaskClaim {
                enqueue_ns: Nanos::from_millis(enqueue),
                start_latency: buckets(starts),
                ..TaskClaim::default()
            };
            claim(&asked(), &Done { latency: buckets(&[(2_000, 4)]), ..done(tasks) })
        };
        assert_eq!(all(900, &[(1_000, 4)]), Ok(()));
        assert!(matches!(all(2_000, &[(1_000, 4)]), Err(Disagreement::Enqueue { .. })));
        assert!(matches!(all(900, &[(1_000, 3)]), Err(Disagreement::Starts { starts: 3, .. })));
        assert!(matches!(all(900, &[(3_000, 4)]), Err(Disagreement::StartsAfterEnd { .. })));
    }

    #[test]
    fn the_server_names_tasks_without_a_mark_and_counts_executions() {
        let counts = |set, missing: &[u64], calls| ServerCounts {
            commands: [("setbit".to_owned(), CommandCounts { calls, ..CommandCounts::default() })].into(),
            marks: Some(Marks { set, missing: missing.to_vec() }),
            ..ServerCounts::default()
        };
        let verdict = |counts: &ServerCounts| confirm(&asked(), &done(TaskClaim::default()), counts);
        assert_eq!(verdict(&counts(4, &[], 4)), Ok(()));
        assert_eq!(
            verdict(&counts(3, &[2], 3)).unwrap_err().to_string(),
            "by the marks on the server 1 of 4 tasks was not executed: 2"
        );
        assert_eq!(
            verdict(&counts(4, &[], 6)).unwrap_err().to_string(),
            "by the marks on the server 4 tasks were executed 6 times: each was to be executed once"
        );
    }
}
