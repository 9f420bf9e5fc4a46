//! Which CPUs there are, and which of them are threads of one core, as the kernel tells it. Decides nothing.

use std::io;

use super::affinity;
use crate::host::system_probe::{LiveSystem, SystemProbe};

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
        let mut cores = if cfg!(target_os = "freebsd") {
            LiveSystem.sysctl("kern.sched.topology_spec").as_deref().map(threads_of_cores).unwrap_or_default()
        } else {
            allowed.iter().filter_map(|&cpu| siblings(&LiveSystem, cpu)).collect()
        };
        cores.sort();
        cores.dedup();
        Ok(Self { allowed, cores })
    }
}

/// The CPUs that are threads of the same core as `cpu`, itself among them. Linux tells.
pub(in crate::host) fn siblings(probe: &impl SystemProbe, cpu: u32) -> Option<Vec<u32>> {
    let list = probe.file(&format!("/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"))?;
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

/// Reads kern.sched.topology_spec of FreeBSD (smp(4)): nested `<group>`s, each with its `<cpu>`s and, after them, `<flag>`s. A
/// group that a flag marks as one of threads is a core.
fn threads_of_cores(spec: &str) -> Vec<Vec<u32>> {
    let mut cores = Vec::new();
    let mut group: Option<Vec<u32>> = None;
    for (tag, text) in spec.split('<').filter_map(|piece| piece.split_once('>')) {
        match tag.split_whitespace().next() {
            Some("group") => group = None,
            Some("cpu") => {
                group = text.split(',').map(|cpu| cpu.trim().parse().ok()).collect();
            }
            Some("flag") => {
                let of_threads =
                    ["THREAD", "SMT", "HTT"].iter().any(|name| tag.contains(&format!("\"{name}\"")));
                cores.extend(group.take_if(|_| of_threads));
            }
            _ => {}
        }
    }
    cores
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_kernels_lists_are_read() {
        assert_eq!(parse_list("0-2,8\n"), Some(vec![0, 1, 2, 8]));
        assert_eq!(parse_list("zero"), None);
        assert_eq!(parse_list("0-4294967295"), None);
    }

    /// FreeBSD 15.1 on an AMD Ryzen 9 3900X: twelve cores of two threads, three of which share a cache. The first of
    /// four such groups.
    const RYZEN: &str = r#"<groups>
 <group level="1" cache-level="0">
  <cpu count="24" mask="ffffff,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23</cpu>
  <children>
   <group level="2" cache-level="3">
    <cpu count="6" mask="3f,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">0, 1, 2, 3, 4, 5</cpu>
    <children>
     <group level="3" cache-level="2">
      <cpu count="2" mask="3,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">0, 1</cpu>
      <flags><flag name="THREAD">THREAD group</flag><flag name="SMT">SMT group</flag></flags>
     </group>
     <group level="3" cache-level="2">
      <cpu count="2" mask="c,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">2, 3</cpu>
      <flags><flag name="THREAD">THREAD group</flag><flag name="SMT">SMT group</flag></flags>
     </group>
     <group level="3" cache-level="2">
      <cpu count="2" mask="30,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">4, 5</cpu>
      <flags><flag name="THREAD">THREAD group</flag><flag name="SMT">SMT group</flag></flags>
     </group>
    </children>
   </group>
  </children>
 </group>
</groups>
"#;

    /// FreeBSD 14 on two Xeons without threads.
    const XEONS: &str = r#"<groups>
 <group level="1" cache-level="0">
  <cpu count="12" mask="fff,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11</cpu>
  <children>
   <group level="2" cache-level="3">
    <cpu count="6" mask="3f,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">0, 1, 2, 3, 4, 5</cpu>
    <flags><flag name="NODE">NUMA node</flag></flags>
   </group>
   <group level="2" cache-level="3">
    <cpu count="6" mask="fc0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0">6, 7, 8, 9, 10, 11</cpu>
    <flags><flag name="NODE">NUMA node</flag></flags>
   </group>
  </children>
 </group>
</groups>
"#;

    #[test]
    fn a_core_is_a_group_of_threads_and_no_larger_group() {
        assert_eq!(threads_of_cores(RYZEN), [[0, 1], [2, 3], [4, 5]]);
        assert_eq!(threads_of_cores(XEONS), [[0; 0]; 0]);
        assert_eq!(threads_of_cores(""), [[0; 0]; 0]);
    }

    proptest! {
        #[test]
        fn whatever_a_kernel_prints_is_read_or_left(
            text in prop_oneof![".{0,200}", "(<group|<cpu|<flag name=\"SMT\"|>|</cpu>|[0-9]{1,12}|, |-){0,30}"]
        ) {
            let _ = threads_of_cores(&text);
            let _ = parse_list(&text);
        }
    }
}
