//! Memory of running processes, where the system reports it.

use crate::measure::cpu;

/// The sum of the peak resident memory of several processes and of their descendants, in bytes; memory that they share is
/// counted once for each. `None` on systems without `/proc`.
#[must_use]
pub fn peaks(roots: &[u32]) -> Option<u64> {
    let all = roots.iter().flat_map(|&root| cpu::family(root));
    let peaks: Vec<u64> = all.filter_map(peak).collect();
    (!peaks.is_empty()).then(|| peaks.iter().sum())
}

/// The peak of one process: `VmHWM` of proc(5), which is in kibibytes.
fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim_end().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn the_peak_of_a_process_stays_when_it_has_given_memory_back() {
        let me = std::process::id();
        let before = peak(me).unwrap();
        let large = vec![1_u8; 64 << 20];
        assert!(large.iter().all(|byte| *byte == 1));
        drop(large);
        assert!(peak(me).unwrap() >= before.max(64 << 20));
        assert!(peaks(&[me]).unwrap() >= 64 << 20);
        // Linux has no process number above 2^22.
        assert_eq!(peaks(&[(1 << 22) + 1]), None);
    }
}
