//! `read-write`: a GET or a SET of one of the existing keys. The value of a key is always the same, so that every GET
//! can be checked although workers share the keys.

use super::{
    BACK_TO_BACK, Count, Expected, GET_REPLY, GET_REQUEST, SET_REPLY, SET_REQUEST, Unlikely, Workload, both,
    calls, is_by_chance, value_bytes,
};
use crate::setting::Factor;

/// The shortest that a key `<prefix><index>` can be, without the prefix.
const SHORTEST_NAME: u64 = 1;

pub(super) const WORKLOAD: Workload = Workload {
    name: "read-write",
    meaning: "A GET or a SET of an existing key.",
    operation: "a GET or a SET of an existing key",
    commands: both,
    fill: |asked| asked.own.number(Factor::Keys).unwrap_or(0),
    expect: |claim| {
        let operations = claim.operations;
        let claimed = claim.calls.ok_or_else(|| Unlikely::Unsaid("GET and SET".to_owned()))?;
        let called = |command| claimed.get(command).copied().unwrap_or(0);
        let (reads, writes) = (called("get"), called("set"));
        if reads.checked_add(writes) != Some(operations) {
            return Err(Unlikely::Sum { calls: reads.saturating_add(writes), operations });
        }
        let share = claim.asked.own.share(Factor::Reads).unwrap_or(0.0);
        if !is_by_chance(reads, operations, share) {
            let command = "GET".to_owned();
            return Err(Unlikely::Share { command, calls: reads, operations, asked: share.to_string() });
        }
        let keys = claim.asked.own.number(Factor::Keys).unwrap_or(0);
        let (shortest, longest) = value_bytes(claim.asked, keys);
        let key = claim.key_prefix + SHORTEST_NAME;
        Ok(Expected {
            calls: calls([("set", Count::Exactly(writes)), ("get", Count::Exactly(reads))]),
            keys: Some(0),
            expiring: false,
            least_received: reads * (key + GET_REQUEST) + writes * (key + shortest + SET_REQUEST),
            least_sent: reads * (shortest + GET_REPLY) + writes * SET_REPLY,
            most_values_sent: Some(reads * longest),
        })
    },
    ..BACK_TO_BACK
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::JobWorkload;
    use crate::setting::{Level, Own, Share};
    use crate::workload::{Claim, Kind};

    fn asked(reads: f64) -> JobWorkload {
        let mut own = Own::default();
        own.set(Factor::Keys, Level::Number(100));
        own.set(Factor::Reads, Level::Share(Share::new(reads).unwrap()));
        JobWorkload {
            kind: Kind::ReadWrite,
            operations: Some(1_000),
            value_bytes: Some(50),
            own,
            ..JobWorkload::default()
        }
    }

    fn expected(asked: &JobWorkload, calls: &[(&str, u64)]) -> Result<Expected, Unlikely> {
        let calls = calls.iter().map(|(name, calls)| ((*name).to_owned(), *calls)).collect();
        (WORKLOAD.expect)(&Claim {
            asked,
            operations: 1_000,
            workers: 1,
            clients: 1,
            calls: Some(&calls),
            key_prefix: 2,
            keys: None,
        })
    }

    #[test]
    fn a_server_must_have_counted_the_reads_and_writes_that_a_driver_claims() {
        let expected = expected(&asked(0.9), &[("get", 890), ("set", 110)]).unwrap();
        assert_eq!(
            expected.calls,
            super::calls([("set", Count::Exactly(110)), ("get", Count::Exactly(890))])
        );
        assert_eq!((expected.keys, expected.most_values_sent), (Some(0), Some(890 * 50)));
        assert_eq!(expected.least_received, 890 * (3 + 6) + 110 * (3 + 50 + 7));
        assert_eq!(expected.least_sent, 890 * (50 + 5) + 110 * 5);
    }

    #[test]
    fn another_mix_than_was_asked_for_is_no_chance() {
        let share = |calls, asked: &str| {
            let (command, asked) = ("GET".to_owned(), asked.to_owned());
            Err(Unlikely::Share { command, calls, operations: 1_000, asked })
        };
        assert_eq!(expected(&asked(0.9), &[("get", 1_000)]), share(1_000, "0.9"));
        assert_eq!(expected(&asked(0.5), &[("get", 400), ("set", 600)]), share(400, "0.5"));
        assert!(expected(&asked(0.5), &[("get", 450), ("set", 550)]).is_ok());
        assert_eq!(expected(&asked(1.0), &[("get", 999), ("set", 1)]), share(999, "1"));
        assert!(expected(&asked(1.0), &[("get", 1_000)]).is_ok());
    }

    #[test]
    fn operations_that_are_no_calls_and_calls_of_which_nothing_is_said_are_refused() {
        let sum = Unlikely::Sum { calls: 990, operations: 1_000 };
        assert_eq!(expected(&asked(0.9), &[("get", 890), ("set", 100)]), Err(sum));
        let silent = Claim {
            asked: &asked(0.9),
            operations: 1_000,
            workers: 1,
            clients: 1,
            calls: None,
            key_prefix: 2,
            keys: None,
        };
        assert!(matches!((WORKLOAD.expect)(&silent), Err(Unlikely::Unsaid(_))));
    }
}
