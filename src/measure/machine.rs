//! CPU time of the whole machine, and its load. Only Linux reports these; elsewhere they are absent.

use crate::units::Nanos;

/// CPU time of the whole machine since it was started, over all CPUs, in steps of the kernel's tick (mostly 10 ms).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MachineCpu {
    /// Spent on any work, interrupts included: neither idle, nor waiting for a disk, nor stolen.
    pub busy: Nanos,
    /// Taken by the hypervisor while a CPU here had work to do.
    pub steal: Nanos,
}

impl MachineCpu {
    /// From the machine's start until now.
    #[must_use]
    pub fn now() -> Option<Self> {
        if cfg!(not(target_os = "linux")) {
            return None;
        }
        Self::parse(&std::fs::read_to_string("/proc/stat").ok()?, rustix::param::clock_ticks_per_second())
    }

    /// Reads the first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal; guest time is
    /// part of user time (proc_stat(5)).
    fn parse(stat: &str, ticks_per_second: u64) -> Option<Self> {
        let mut words = stat.lines().next()?.split_ascii_whitespace();
        if words.next()? != "cpu" {
            return None;
        }
        let ticks: Vec<u64> = words.map_while(|word| word.parse().ok()).collect();
        let [user, nice, system, _idle, _iowait, irq, softirq, steal, ..] = ticks[..] else { return None };
        let tick = 1_000_000_000 / ticks_per_second.max(1);
        let busy = [user, nice, system, irq, softirq].into_iter().fold(0, u64::saturating_add);
        let nanos = |ticks: u64| Nanos(ticks.saturating_mul(tick));
        Some(Self { busy: nanos(busy), steal: nanos(steal) })
    }
}

/// Load average over one minute.
#[must_use]
pub fn load1() -> Option<f64> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    std::fs::read_to_string("/proc/loadavg").ok()?.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_is_neither_idle_nor_waiting_nor_stolen() {
        let stat = "cpu  42962 0 9148 200031 629 0 83 22 0 0\ncpu0 21349 0 3763 101037 207 0 24 9 0 0\n";
        let cpu = MachineCpu::parse(stat, 100).unwrap();
        assert_eq!(cpu, MachineCpu { busy: Nanos(521_930_000_000), steal: Nanos(220_000_000) });
    }

    #[test]
    fn what_is_no_proc_stat_is_no_number() {
        assert_eq!(MachineCpu::parse("", 100), None);
        assert_eq!(MachineCpu::parse("cpu 1 2 3", 100), None);
        let most = ["cpu", &[u64::MAX.to_string().as_str(); 8].join(" ")].join(" ");
        let cpu = MachineCpu::parse(&most, 100).unwrap();
        assert_eq!(cpu, MachineCpu { busy: Nanos(u64::MAX), steal: Nanos(u64::MAX) });
    }
}
