//! CPU time of running processes, where the system has a clock for it.

use crate::units::Nanos;

/// User and system time of all threads of a process so far, exact to what the scheduler knows (not to ticks).
/// `None` if the process is gone.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
#[must_use]
pub fn process(pid: u32) -> Option<Nanos> {
    let mut clock: libc::clockid_t = 0;
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    #[expect(unsafe_code, reason = "rustix has no clock of another process")]
    // SAFETY: both calls write to the live local variable whose address they get and to nothing else. A process
    // number that is wrong or stale makes them return an error.
    let known = unsafe {
        libc::clock_getcpuclockid(pid.cast_signed(), &raw mut clock) == 0
            && libc::clock_gettime(clock, &raw mut time) == 0
    };
    let whole = u64::try_from(time.tv_sec).ok()?.checked_mul(1_000_000_000)?;
    known.then_some(Nanos(whole + u64::try_from(time.tv_nsec).ok()?))
}

/// Not known here while a process runs; `wait4` tells afterwards.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
#[must_use]
pub fn process(_pid: u32) -> Option<Nanos> {
    None
}

/// The time of several processes together; `None` if that of the first one, the one that matters, is not known.
#[must_use]
pub fn processes(pids: &[u32]) -> Option<Nanos> {
    let (&first, others) = pids.split_first()?;
    let others: u64 = others.iter().filter_map(|&pid| process(pid)).map(|time| time.0).sum();
    Some(Nanos(process(first)?.0 + others))
}

/// A process and all its descendants at this moment, the process first. Only the process itself where the system
/// does not list children.
///
/// A driver is often a wrapper (`uv run`, a shell): the work is then done by a descendant.
#[must_use]
pub fn family(pid: u32) -> Vec<u32> {
    let mut family = vec![pid];
    let mut seen = 0;
    while let Some(&parent) = family.get(seen) {
        seen += 1;
        let Ok(threads) = std::fs::read_dir(format!("/proc/{parent}/task")) else { continue };
        for thread in threads.flatten() {
            let Ok(children) = std::fs::read_to_string(thread.path().join("children")) else { break };
            family.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
    }
    family
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    #[test]
    fn work_shows_as_cpu_time() {
        let me = std::process::id();
        let before = process(me).unwrap();
        let until = before.0 + 2_000_000;
        while process(me).unwrap().0 < until {
            std::hint::black_box(until.wrapping_mul(31));
        }
        assert_eq!(process(u32::MAX >> 1), None, "a process that is not there has no time");
    }

    #[test]
    fn a_wrappers_children_belong_to_its_family() {
        use std::io::{BufRead, BufReader};
        let mut wrapper = std::process::Command::new("sh")
            .args(["-c", "sh -c 'sleep 1000 & echo $!; wait' & wait"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(wrapper.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        let family = family(wrapper.id());
        for &pid in family.iter().rev() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        wrapper.wait().unwrap();
        assert_eq!(family.len(), 3);
        assert_eq!(family[2], line.trim().parse::<u32>().unwrap());
    }
}
