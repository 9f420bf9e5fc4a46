//! `tasks`: a task that a producer hands to a task-queue library, and that a worker process of that library executes, once.
//! Workers are whatever executes tasks in that library: processes, threads or coroutines.
//!
//! Which commands that takes is up to the library, so the server is asked something that no library can get around: the body
//! of task *k* sets bit *k* of a bitmap. If all bits are set, by exactly as many commands as there are bits, each task was
//! executed once.

use super::{BACK_TO_BACK, Count, Expected, Freedom, Workload, calls};
use crate::setting::Factor;

/// The command by which a task marks itself …
const MARK: &str = "setbit";
/// … and its bytes on the wire, in the long form of RESP: everything except key and number, and the digits of their lengths.
const MARK_WORDS: u64 = "*4\r\n$6\r\nSETBIT\r\n$\r\n\r\n$\r\n\r\n$1\r\n1\r\n".len() as u64;
/// `:0` and a line end.
const MARK_REPLY: u64 = 4;
/// The name of the bitmap, after the prefix of all keys.
const MARKS: &str = "done";

pub(super) const WORKLOAD: Workload = Workload {
    name: "tasks",
    meaning: "A task that a producer hands to a task-queue library and a worker process of that library executes, once.",
    noun: "tasks",
    operation: "handed to the library by a producer and executed once by one of its workers",
    commands: |asked| if asked.verify { vec![MARK.to_owned()] } else { Vec::new() },
    freedom: Freedom::Library,
    can_pipeline: false,
    is_back_to_back: false,
    pushers: Some(Factor::Producers),
    marks: Some(MARKS),
    expect: |claim| {
        let tasks = claim.operations;
        if !claim.asked.verify {
            return Ok(Expected::default());
        }
        let key = claim.key_prefix + MARKS.len() as u64;
        let received =
            tasks * (MARK_WORDS + key + digits(key)) + digits_below(tasks / claim.clients) * claim.clients;
        Ok(Expected {
            calls: calls([(MARK, Count::Exactly(tasks))]),
            least_received: received,
            least_sent: tasks * MARK_REPLY,
            ..Expected::default()
        })
    },
    ..BACK_TO_BACK
};

const fn digits(number: u64) -> u64 {
    match number.checked_ilog10() {
        Some(log) => log as u64 + 1,
        None => 1,
    }
}

/// The digits of all numbers from 0 to below `n`, plus the digits of the length of each.
fn digits_below(n: u64) -> u64 {
    let mut sum = 0;
    let (mut first, mut each) = (0_u64, 1);
    while first < n {
        let next = 10_u64.saturating_pow(each as u32).min(n);
        sum += (next - first) * (each + digits(each));
        (first, each) = (next, each + 1);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::JobWorkload;
    use crate::workload::{Claim, Kind};

    fn expected(operations: u64, verify: bool) -> Expected {
        let asked = JobWorkload { kind: Kind::Tasks, verify, ..JobWorkload::default() };
        let claim = Claim {
            asked: &asked,
            operations,
            workers: 3,
            clients: 1,
            calls: None,
            key_prefix: 2,
            keys: None,
        };
        (WORKLOAD.expect)(&claim).unwrap()
    }

    #[test]
    fn each_task_marks_itself_once_in_so_many_bytes() {
        let bytes = |k: u64| {
            let digits = k.to_string();
            format!("*4\r\n$6\r\nSETBIT\r\n$6\r\nt:done\r\n${}\r\n{digits}\r\n$1\r\n1\r\n", digits.len())
                .len() as u64
        };
        let expected = expected(1_234, true);
        assert_eq!(expected.calls, calls([("setbit", Count::Exactly(1_234))]));
        assert_eq!(expected.least_received, (0..1_234).map(bytes).sum::<u64>());
        assert_eq!((expected.least_sent, expected.keys), (4 * 1_234, None));
    }

    #[test]
    fn without_verification_nothing_is_asked_of_the_server() {
        assert_eq!(expected(1_234, false), Expected::default());
        assert_eq!(digits_below(0), 0);
    }
}
