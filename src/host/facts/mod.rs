//! What this machine is: asked once per run. Each system shows it in its own way and has a reader of its own.
//!
//! What cannot be found out is absent; nothing here is an error, and nothing here is guessed.

mod environment;
mod freebsd;
mod guest;
mod linux;
mod macos;

pub use self::environment::environment;
use crate::host::placement;
use crate::host::system_probe::LiveSystem;
use crate::protocol::{Build, HostFacts, REVISION};

/// The facts of the machine that this program runs on.
#[must_use]
pub fn gather() -> HostFacts {
    let uname = rustix::system::uname();
    let word = |word: &std::ffi::CStr| word.to_string_lossy().into_owned();
    let kernel = format!("{} {}", word(uname.sysname()), word(uname.release()));
    let common = HostFacts {
        hostname: word(uname.nodename()),
        os: kernel.clone(),
        kernel,
        arch: word(uname.machine()),
        cpus: std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(u32::MAX)),
        can_pin: placement::OBSTACLE.is_none(),
        revision: REVISION.map(str::to_owned),
        build: Some(Build::of_this_program()),
        ..HostFacts::default()
    };
    if cfg!(target_os = "linux") {
        linux::facts(&LiveSystem, common)
    } else if cfg!(target_os = "macos") {
        macos::facts(&LiveSystem, common)
    } else {
        freebsd::facts(&LiveSystem, common)
    }
}

/// The value of `key` in lines such as `model name\t: AMD EPYC` or `MemTotal:  1024 kB`.
fn field<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.trim() == key)
        .map(|(_, value)| value.trim())
        .filter(|value| !value.is_empty())
}

/// A name without the runs of spaces that processors have in theirs.
fn name(text: &str) -> Option<String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    Some(words.join(" ")).filter(|name| !name.is_empty())
}

/// A count of things of which there is at least one.
fn count(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|&count| count > 0)
}

/// The first of `1.52 1.60 1.71 1/83 26959`, or of `{ 1.52 1.60 1.71 }` as macOS and FreeBSD print it; some locales
/// write a comma.
fn load_average(text: &str) -> Option<f64> {
    let first = text.trim_matches(['{', '}', ' ']).split_ascii_whitespace().next()?;
    first.replace(',', ".").parse().ok().filter(|load: &f64| load.is_finite())
}

/// `performance, boost off`, or the parts that are known.
fn list(parts: impl IntoIterator<Item = Option<String>>) -> Option<String> {
    let known: Vec<String> = parts.into_iter().flatten().collect();
    Some(known.join(", ")).filter(|text| !text.is_empty())
}

/// `docker in kvm`, or the one that is known.
fn within(inner: Option<String>, outer: Option<String>) -> Option<String> {
    match (inner, outer) {
        (Some(inner), Some(outer)) => Some(format!("{inner} in {outer}")),
        (inner, outer) => inner.or(outer),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::host::system_probe::Noise;

    #[test]
    fn this_machine_has_the_facts_that_every_machine_has() {
        let facts = gather();
        assert!(!facts.hostname.is_empty() && !facts.os.is_empty() && !facts.arch.is_empty());
        assert!(facts.cpus > 0);
        assert!(facts.cores != Some(0));
        assert_eq!(facts.can_pin, cfg!(any(target_os = "linux", target_os = "freebsd")));
    }

    #[test]
    fn loads_are_read_with_braces_and_without() {
        assert_eq!(load_average("{ 1.52 1.60 1.71 }"), Some(1.52));
        assert_eq!(load_average("{ 2,10 1,60 1,71 }"), Some(2.10));
        assert_eq!(load_average("0.17 0.02 0.33 1/83 26959"), Some(0.17));
        assert_eq!(load_average("inf 0.02 0.33"), None);
    }

    #[test]
    fn facts_that_were_kept_before_cores_were_counted_are_read() {
        let kept = r#"{"hostname":"mercury","os":"","kernel":"","arch":"","cpu":null,"cpus":2,"memory_bytes":null,
            "virtualisation":null,"governor":"performance","clock":null,"load1":null,"can_pin":true}"#;
        let facts: HostFacts = serde_json::from_str(kept).unwrap();
        assert_eq!((facts.cpus, facts.cores, facts.governor.as_deref()), (2, None, Some("performance")));
        assert_eq!((facts.microcode, facts.numa_nodes, facts.environment.len()), (None, None, 0));
    }

    proptest! {
        #[test]
        fn whatever_a_machine_says_its_facts_can_be_written_and_read(
            text in prop_oneof![".{0,80}", "[0-9,:/{} \n-]{0,40}", "(processor|MemTotal|a)\t*: *[0-9kB]{0,30}\n?"]
        ) {
            for facts in [linux::facts, macos::facts, freebsd::facts] {
                let facts = facts(&Noise(text.clone()), HostFacts::default());
                let written = serde_json::to_string(&facts).unwrap();
                prop_assert_eq!(serde_json::from_str::<HostFacts>(&written).unwrap(), facts);
            }
        }
    }
}
