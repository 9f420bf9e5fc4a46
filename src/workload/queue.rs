//! `queue`: a task that a producer pushes and a consumer takes, once. Workers are the consumers.

use super::{BACK_TO_BACK, Count, Expected, Workload, calls, task_bytes};
use crate::protocol::JobWorkload;
use crate::setting::{Factor, Level};

/// The words of the longest command except its key and its task, and what separates them, in their shortest form.
const LEAST_WORDS: u64 = 6;
/// What a server answers to a push, at least.
const PUSHED: u64 = 4;
/// What surrounds a task when it is taken, besides the queue's name: for a stream, also entry and field.
const AROUND: u64 = 96;

/// The part of a queue's name after the prefix: `queue`, and in a warm-up a letter.
const NAME: u64 = 6;

pub(super) const WORKLOAD: Workload = Workload {
    name: "queue",
    meaning: "A task that a producer pushes and a consumer takes, once; the workers are the consumers.",
    noun: "tasks",
    operation: "pushed by a producer and taken by a consumer",
    commands: |asked| {
        let (push, take, rest) = commands(asked);
        [push, take].into_iter().chain(rest.iter().map(|(command, _)| *command)).map(str::to_owned).collect()
    },
    can_pipeline: false,
    is_back_to_back: false,
    least_value_bytes: 48,
    pushers: Some(Factor::Producers),
    is_delivered: true,
    expect: |claim| {
        let (push, take, rest) = commands(claim.asked);
        // When there are no more tasks, each consumer gets one that says so.
        let pushed = claim.operations + claim.workers;
        let mut calls = calls([(push, Count::Exactly(pushed)), (take, Count::AtLeast(pushed))]);
        calls.extend(rest.iter().map(|&(command, is_each)| {
            let count = if is_each { Count::Exactly(pushed) } else { Count::AtLeast(0) };
            (command.to_owned(), count)
        }));
        let (shortest, longest) = task_bytes(claim.asked, claim.operations);
        let key = claim.key_prefix + NAME;
        Ok(Expected {
            calls,
            // An empty list does not exist as a key; in a stream the entries stay.
            keys: Some(if is_list(claim.asked) { 0 } else { claim.clients }),
            expiring: false,
            least_received: shortest + claim.operations * LEAST_WORDS,
            least_sent: shortest + claim.operations * PUSHED,
            most_values_sent: Some(longest + pushed * (key + AROUND)),
        })
    },
    ..BACK_TO_BACK
};

fn is_list(asked: &JobWorkload) -> bool {
    asked.own.word(Factor::Structure) != Some("stream")
}

/// The command that pushes, the one that takes, and others, each with whether it is needed for every task.
fn commands(asked: &JobWorkload) -> (&'static str, &'static str, &'static [(&'static str, bool)]) {
    let acknowledges = asked.own.get(Factor::Acknowledge) == Some(&Level::Flag(true));
    match (is_list(asked), acknowledges) {
        (true, false) => ("lpush", "brpop", &[]),
        (true, true) => ("lpush", "blmove", &[("lrem", true)]),
        (false, false) => ("xadd", "xreadgroup", &[("xgroup", false)]),
        (false, true) => ("xadd", "xreadgroup", &[("xack", true), ("xgroup", false)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::setting::Own;
    use crate::workload::{Claim, Kind};

    fn expected(structure: &'static str, acknowledge: bool) -> Expected {
        let mut own = Own::defaults();
        own.set(Factor::Structure, Level::Word(structure));
        own.set(Factor::Acknowledge, Level::Flag(acknowledge));
        let asked = JobWorkload { kind: Kind::Queue, value_bytes: Some(100), own, ..JobWorkload::default() };
        let claim = Claim {
            asked: &asked,
            operations: 1_000,
            workers: 3,
            clients: 1,
            calls: None,
            key_prefix: 2,
            keys: None,
        };
        (WORKLOAD.expect)(&claim).unwrap()
    }

    #[test]
    fn each_task_is_pushed_and_taken_and_each_consumer_is_told_of_the_end() {
        let pushed = Count::Exactly(1_003);
        let list = expected("list", false);
        assert_eq!(list.calls, calls([("lpush", pushed), ("brpop", Count::AtLeast(1_003))]));
        assert_eq!((list.keys, list.least_received), (Some(0), 100_000 + 6_000));
        let acknowledged = expected("list", true);
        assert_eq!(acknowledged.calls["lrem"], pushed);
        assert_eq!(acknowledged.calls["blmove"], Count::AtLeast(1_003));
        let stream = expected("stream", true);
        assert_eq!((stream.calls["xadd"], stream.calls["xack"], stream.keys), (pushed, pushed, Some(1)));
        assert!(!expected("stream", false).calls.contains_key("xack"));
    }
}
