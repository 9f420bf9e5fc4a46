//! `set-get`: a SET followed by a GET of the same new key, as in the seed article.

use super::{
    BACK_TO_BACK, Count, Expected, GET_REPLY, GET_REQUEST, SET_REPLY, SET_REQUEST, Workload, both, calls,
    value_bytes,
};
use crate::setting::Factor;

/// The shortest that a key `<prefix><worker>:<index>` can be, without the prefix.
const SHORTEST_NAME: u64 = 3;

pub(super) const WORKLOAD: Workload = Workload {
    name: "set-get",
    meaning: "A SET followed by a GET of the same key.",
    operation: "a SET and a GET of the same key",
    commands: both,
    expect: |claim| {
        let operations = claim.operations;
        let expires = claim.asked.own.get(Factor::Expire).is_some();
        let (shortest, longest) = value_bytes(claim.asked, operations);
        // A driver that writes other keys than were asked for has said so; they may be shorter.
        let key = if claim.keys.is_some() { 1 } else { claim.key_prefix + SHORTEST_NAME };
        Ok(Expected {
            calls: calls([("set", Count::Exactly(operations)), ("get", Count::Exactly(operations))]),
            // If keys expire, some may already be gone.
            keys: if expires { None } else { Some(claim.keys.unwrap_or(operations)) },
            expiring: expires,
            least_received: operations * (shortest + 2 * key + SET_REQUEST + GET_REQUEST),
            least_sent: operations * (shortest + SET_REPLY + GET_REPLY),
            most_values_sent: Some(operations * longest),
        })
    },
    ..BACK_TO_BACK
};
