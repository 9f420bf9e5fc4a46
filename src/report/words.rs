//! What flags are called in texts for readers, and what they mean. The words in the column `flags` are for programs.

use crate::record::Flag;

/// The parts of a text, and whether each is code, which stands between backticks. If one of these has no partner, all is text.
pub(super) fn code_spans(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let has_pairs = text.matches('`').count().is_multiple_of(2);
    let parts = text.split(move |c| has_pairs && c == '`');
    parts.enumerate().map(|(i, part)| (part, i % 2 == 1))
}

/// A flag in words.
#[must_use]
pub const fn said(flag: Flag) -> &'static str {
    match flag {
        Flag::ClientBound => "client CPU saturated",
        Flag::ServerBound => "server CPU saturated",
        Flag::BackgroundLoad => "background load",
        Flag::CpuSteal => "CPU steal",
        Flag::BehindSchedule => "behind schedule",
        Flag::ClockDisagrees => "clocks disagree",
        Flag::Persistence => "persistence",
        Flag::NotPlaced => "placement not applied",
        Flag::UnevenClients => "uneven clients",
        Flag::OtherClients => "other clients",
        Flag::Unchecked => "not fully checked",
        Flag::UnsteadyStart => "unsteady start",
        Flag::LatencyDoubtful => "doubtful latencies",
        Flag::Outlier => "outlier",
    }
}

/// What a flag says about a trial.
#[must_use]
pub const fn meaning(flag: Flag) -> &'static str {
    match flag {
        Flag::ClientBound => {
            "the client, or one thread of it, used over 90% of the CPU available to it; the number is about the client"
        }
        Flag::ServerBound => {
            "the server's main thread used over 90% of a CPU; the number is about the server"
        }
        Flag::BackgroundLoad => "other programs used more than a tenth of a CPU on the client's machine",
        Flag::CpuSteal => "the hypervisor took more than a fiftieth of the machine's CPU time",
        Flag::BehindSchedule => "the client fell behind the rate that it was to keep",
        Flag::ClockDisagrees => "two clocks disagree about the elapsed time by more than 3% and 5 ms",
        Flag::Persistence => "the server wrote to disk, as its arguments asked",
        Flag::UnevenClients => {
            "one of several clients finished long before the others; for a while not all were working"
        }
        Flag::UnsteadyStart => {
            "the beginning of the trial differed from the rest of it; a longer `warmup` may help"
        }
        Flag::LatencyDoubtful => {
            "the latencies do not match the throughput (Little's law): they are wrong or incomplete"
        }
        Flag::OtherClients => "other clients were using the server, which orchestrate did not start",
        Flag::Unchecked => {
            "the server does not report all that it counted, so the client's claim was not fully checked"
        }
        Flag::Outlier => {
            "far from the other trials of the cell (modified z-score above 3.5); kept all the same"
        }
        Flag::NotPlaced => "client and server could not be bound to the CPUs that were asked for",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_stands_between_backticks_that_have_partners() {
        let spans =
            |text| code_spans(text).map(|(part, is_code)| format!("{part}:{is_code}")).collect::<Vec<_>>();
        assert_eq!(spans("a `b c` d"), ["a :false", "b c:true", " d:false"]);
        assert_eq!(spans("`a`"), [":false", "a:true", ":false"]);
        assert_eq!(spans("a ` b"), ["a ` b:false"]);
        assert_eq!(spans(""), [":false"]);
    }
}
