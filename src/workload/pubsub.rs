//! `pubsub`: a message that a publisher sends and every subscriber receives, once. Workers are the subscribers.

use super::{BACK_TO_BACK, Count, Expected, Workload, calls, task_bytes};
use crate::setting::Factor;

/// The word, and what separates it from channel and message, in the shortest form that a server understands.
const PUBLISH: u64 = 9;
/// The part of a channel's name after the prefix: `channel:` and a digit …
const SHORTEST_NAME: u64 = 9;
/// … or a letter and the most digits possible.
const LONGEST_NAME: u64 = 14;
/// `message` and the lengths of that word, of the channel and of the message: at least, and at most.
const LEAST_AROUND: u64 = 20;
const MOST_AROUND: u64 = 48;

pub(super) const WORKLOAD: Workload = Workload {
    name: "pubsub",
    meaning: "A message that a publisher sends and every subscriber receives; the workers are the subscribers.",
    noun: "messages",
    operation: "published and received by every subscriber",
    // Some libraries end every kind of subscription, whether they have one or not.
    commands: |_| ["publish", "subscribe", "unsubscribe", "punsubscribe"].map(str::to_owned).into(),
    can_pipeline: false,
    is_back_to_back: false,
    least_value_bytes: 48,
    pushers: Some(Factor::Publishers),
    latencies: |operations, workers| operations * workers,
    is_delivered: true,
    expect: |claim| {
        let (shortest, longest) = task_bytes(claim.asked, claim.operations);
        let (name, longest_name) = (claim.key_prefix + SHORTEST_NAME, claim.key_prefix + LONGEST_NAME);
        // Each client has messages of its own for its share of the workers. One more message says that there are no more.
        let least = claim.workers / claim.clients.max(1);
        let most = claim.workers.div_ceil(claim.clients.max(1));
        let published = Count::Exactly(claim.operations + claim.clients);
        Ok(Expected {
            calls: calls([
                ("publish", published),
                ("subscribe", Count::AtLeast(0)),
                ("unsubscribe", Count::AtLeast(0)),
                ("punsubscribe", Count::AtLeast(0)),
            ]),
            keys: Some(0),
            expiring: false,
            least_received: shortest + claim.operations * (name + PUBLISH),
            least_sent: least * (shortest + claim.operations * (name + LEAST_AROUND)),
            most_values_sent: Some(most * (longest + claim.operations * (longest_name + MOST_AROUND))),
        })
    },
    ..BACK_TO_BACK
};
