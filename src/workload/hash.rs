//! `hash`: a field of a new hash that is set, and then fetched.

use super::{BACK_TO_BACK, Count, Expected, GET_REPLY, Workload, calls, value_bytes};

/// `HSET`, `HGET`, the field in both, and what separates them, in the shortest form that a server understands.
const REQUESTS: u64 = 18;
/// `:1` and its line end.
const HSET_REPLY: u64 = 4;
/// The shortest that a key `<prefix><worker>:<index>` can be, without the prefix.
const SHORTEST_NAME: u64 = 3;

pub(super) const WORKLOAD: Workload = Workload {
    name: "hash",
    meaning: "An HSET of the field `f` of a new hash, followed by an HGET of the same.",
    operation: "an HSET and an HGET of the same field",
    commands: |_| ["hset", "hget"].map(str::to_owned).into(),
    expect: |claim| {
        let operations = claim.operations;
        let (shortest, longest) = value_bytes(claim.asked, operations);
        let key = claim.key_prefix + SHORTEST_NAME;
        Ok(Expected {
            calls: calls([("hset", Count::Exactly(operations)), ("hget", Count::Exactly(operations))]),
            keys: Some(operations),
            expiring: false,
            least_received: operations * (shortest + 2 * key + REQUESTS),
            least_sent: operations * (shortest + HSET_REPLY + GET_REPLY),
            most_values_sent: Some(operations * longest),
        })
    },
    ..BACK_TO_BACK
};
