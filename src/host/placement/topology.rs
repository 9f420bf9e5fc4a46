//! Which CPUs there are, and which of them are threads of one core, as the kernel tells it. Decides nothing.

use std::io;

use super::affinity;
use crate::host::look::{Here, Look};

/// Linux can be built for no more CPUs (NR_CPUS).
const MOST_CPUS: u32 = 8192;

/// The CPUs that this program may use, and which of them are threads of one core.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Topology {
    /// Ascending.
    pub allowed: Vec<u32>,
    /// Groups of CPUs that share a core. A CPU in no group has a core of its own.
    pub cores: Vec<Vec<u32>>,
}

impl Topology {
    /// What this process may use now.
    ///
    /// # Errors
    /// When the system does not tell, or does not bind processes to CPUs.
    pub fn here() -> io::Result<Self> {
        let allowed = affinity::allowed()?;
        let mut cores: Vec<Vec<u32>> = allowed.iter().filter_map(|&cpu| siblings(&Here, cpu)).collect();
        cores.sort();
        cores.dedup();
        Ok(Self { allowed, cores })
    }
}

/// The CPUs that are threads of the same core as `cpu`, itself among them. Linux tells.
pub(in crate::host) fn siblings(look: &impl Look, cpu: u32) -> Option<Vec<u32>> {
    let list = look.file(&format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))?;
    parse_list(&list)
}

/// Reads a list as the Linux kernel prints it: `0-3,8,10-11`.
pub(in crate::host) fn parse_list(text: &str) -> Option<Vec<u32>> {
    let cpu = |text: &str| text.parse::<u32>().ok().filter(|&cpu| cpu < MOST_CPUS);
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        match part.split_once('-') {
            Some((first, last)) => cpus.extend(cpu(first)?..=cpu(last)?),
            None => cpus.push(cpu(part)?),
        }
    }
    Some(cpus)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        assert_eq!(parse_list("0-2,8\n"), Some(vec![0, 1, 2, 8]));
        assert_eq!(parse_list("zero"), None);
        assert_eq!(parse_list("0-4294967295"), None);
    }
}
