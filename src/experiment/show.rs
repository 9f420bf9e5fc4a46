//! A single setting in the words in which its level would be shown.

use super::{Factor, Settings};

/// In place of a setting that is not given.
const ABSENT: &str = "absent";

impl Settings {
    /// What a factor is in these settings, as its level is displayed; `absent` if it is not given.
    #[must_use]
    pub fn show(&self, factor: Factor) -> String {
        let workload = &self.workload;
        match factor {
            Factor::Hosts => self.hosts.to_string(),
            Factor::Server => self.server.clone(),
            Factor::Mode => self.mode.clone(),
            Factor::Workers => self.workers.to_string(),
            Factor::Amount => workload.amount.to_string(),
            Factor::ValueBytes => or_absent(workload.value_bytes),
            Factor::Pipeline => workload.pipeline.to_string(),
            Factor::Rate => or_absent(workload.rate.map(|rate| format!("{rate}/s"))),
            Factor::Verify => workload.verify.to_string(),
            Factor::Split => workload.split.to_string(),
            Factor::Link => workload.link.to_string(),
            Factor::ServerArgs => or_absent(self.server_args.as_deref().map(words)),
            Factor::Lifetime => or_absent(self.lifetime),
            Factor::Placement => self.placement.to_string(),
            Factor::Warmup => self.warmup.to_string(),
        }
    }
}

/// A command line as one would type it: a word that is empty, or has a space or a quote in it, stands in quotes. So
/// two lists of words that differ never look alike.
pub(crate) fn words(args: &[String]) -> String {
    let quoted = |word: &String| {
        if word.is_empty() || word.contains(|c: char| c.is_whitespace() || c == '"') {
            format!("{word:?}")
        } else {
            word.clone()
        }
    };
    args.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

/// A value as it is displayed, or the word for its absence.
pub(crate) fn or_absent(value: Option<impl ToString>) -> String {
    value.map_or_else(|| ABSENT.to_owned(), |value| value.to_string())
}
