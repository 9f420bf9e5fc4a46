//! What a cell is called outside its run.
//!
//! Histories of results identify cells by name, so a name follows from the cell alone: its experiment, mode and workers, and
//! each setting that does not have its default value. If another setting begins to vary, existing cells keep their names. A
//! name has no character with a special meaning in a log, a URL or a shell.

use crate::experiment::{Amount, Factor, Level, Settings, Warmup};

/// The most characters of one value. Lists of commands and of arguments are longer.
const LONGEST: usize = 60;

/// Such as `quickstart/sync/workers=50/placement=same-core`. Where a value had to be shortened or rewritten, the beginning
/// of the cell's identity keeps the names of different cells distinct.
#[must_use]
pub fn name(experiment: &str, settings: &Settings, cell: &str) -> String {
    let defaults = Settings::defaults();
    let mut parts =
        vec![experiment.to_owned(), settings.mode.clone(), format!("workers={}", settings.workers)];
    let mut is_rewritten = false;
    for &factor in Factor::ALL.iter().filter(|factor| !matches!(factor, Factor::Mode | Factor::Workers)) {
        let Some(level) = factor.get(settings).filter(|level| factor.get(&defaults).as_ref() != Some(level))
        else {
            continue;
        };
        let key = factor.key_of(&level);
        let key = key.rsplit_once('.').map_or(key.as_str(), |(_, key)| key);
        let value = plain(&level);
        let safe = safe(&value);
        is_rewritten |= safe != value;
        parts.push(format!("{key}={safe}"));
    }
    if is_rewritten {
        parts.push(cell.chars().take(8).collect());
    }
    parts.join("/")
}

/// The key already says what a number counts.
fn plain(level: &Level) -> String {
    match level {
        Level::PerSecond(n) | Level::Amount(Amount::Operations(n)) | Level::Warmup(Warmup::Operations(n)) => {
            n.to_string()
        }
        other => other.to_string(),
    }
}

fn safe(value: &str) -> String {
    let kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '=' | '+' | ':' | '%' | '-');
    let mut safe = String::new();
    for c in value.chars() {
        if kept(c) {
            safe.push(c);
        } else if !safe.ends_with('-') {
            safe.push('-');
        }
    }
    safe.trim_matches('-').chars().take(LONGEST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{HostPair, Placement};
    use crate::units::Nanos;

    const CELL: &str = "00c0ffee00c0ffee";

    fn settings() -> Settings {
        let mut settings = Settings { mode: "sync".to_owned(), workers: 50, ..Settings::defaults() };
        settings.complete();
        settings
    }

    #[test]
    fn a_name_has_what_is_not_as_it_is_by_default() {
        assert_eq!(name("first", &settings(), CELL), "first/sync/workers=50");
        let mut other =
            Settings { placement: Placement::SameCore, warmup: Warmup::Operations(100), ..settings() };
        other.workload.amount = Amount::Duration(Nanos::from_secs(2));
        other.workload.value_bytes = Some(16);
        assert_eq!(
            name("first", &other, CELL),
            "first/sync/workers=50/placement=same-core/duration=2s/value_bytes=16/warmup=100"
        );
    }

    #[test]
    fn what_had_to_be_rewritten_is_kept_apart_by_its_identity() {
        let pair = HostPair { clients: vec!["a".to_owned()], server: "b".to_owned() };
        let hosts = Settings { hosts: pair, ..settings() };
        assert_eq!(name("first", &hosts, CELL), "first/sync/workers=50/hosts=a-b/00c0ffee");
        let long = Settings { server_args: Some(vec!["x".repeat(100)]), ..settings() };
        let named = name("first", &long, CELL);
        assert!(named.ends_with("x/00c0ffee") && named.len() < 110, "{named}");
    }
}
