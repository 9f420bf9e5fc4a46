//! CPU time of running processes, where the system has a clock for it.

use std::collections::BTreeMap;

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

/// Unknown on this system while a process runs; `wait4` reports it afterwards.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
#[must_use]
pub fn process(_pid: u32) -> Option<Nanos> {
    None
}

/// The total time of several processes and of their children that have ended; `None` if the time of the first process, the
/// one that matters, is unknown.
#[must_use]
pub fn processes(pids: &[u32]) -> Option<Nanos> {
    let (&first, others) = pids.split_first()?;
    let running: u64 = others.iter().filter_map(|&pid| process(pid)).map(|time| time.0).sum();
    let ended: u64 = pids.iter().filter_map(|&pid| ended_children(pid)).map(|time| time.0).sum();
    Some(Nanos(process(first)?.0 + running + ended))
}

/// Beyond this number, threads are not examined one by one: that would take CPU time from what is measured.
const MOST_THREADS: usize = 64;

/// User and system time so far of every thread, by process and thread.
pub type ThreadTimes = BTreeMap<(u32, u32), Nanos>;

/// The times of all threads of some processes. `None` where the system does not report them, or where there are too many
/// threads to examine.
#[must_use]
pub fn threads(pids: &[u32]) -> Option<ThreadTimes> {
    let mut times = ThreadTimes::new();
    for &pid in pids {
        // A process or a thread that has just ended has no entry; without `/proc` none has.
        let Ok(threads) = std::fs::read_dir(format!("/proc/{pid}/task")) else { continue };
        for thread in threads.flatten() {
            if times.len() == MOST_THREADS {
                return None;
            }
            let number = thread.file_name().to_str().and_then(|name| name.parse().ok());
            // Its first word is the time on a CPU, in nanoseconds.
            let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok();
            let time = stat.and_then(|stat| stat.split_ascii_whitespace().next()?.parse().ok());
            if let (Some(number), Some(time)) = (number, time) {
                times.insert((pid, number), Nanos(time));
            }
        }
    }
    Some(times).filter(|times| !times.is_empty())
}

/// The time that the busiest thread used between two snapshots. A thread missing from the first one counts from zero.
#[must_use]
pub fn busiest(before: &ThreadTimes, after: &ThreadTimes) -> Option<Nanos> {
    let used = |(thread, time): (&(u32, u32), &Nanos)| {
        Nanos(time.0.saturating_sub(before.get(thread).map_or(0, |before| before.0)))
    };
    after.iter().map(used).max()
}

/// User and system time of the children that a process has waited for, in clock ticks (proc(5): cutime and cstime).
/// `None` where there is no `/proc`.
fn ended_children(pid: u32) -> Option<Nanos> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field, a name, may contain anything; the third field starts after its last bracket.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let user: u64 = fields.nth(16 - 3)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(Nanos((user + system) * 1_000_000_000 / rustix::param::clock_ticks_per_second()))
}

/// The children of a process at this moment; none where the system does not list them.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let mut all = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let Ok(children) = std::fs::read_to_string(thread.path().join("children")) else { break };
        all.extend(children.split_ascii_whitespace().filter_map(|child| child.parse::<u32>().ok()));
    }
    all
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
        family.extend(children(parent));
    }
    family
}

/// The time of several processes and of all their descendants, including those that have ended; `None` if there are no
/// processes, or where the system does not report it.
#[must_use]
pub fn trees(roots: &[u32]) -> Option<Nanos> {
    let times: Option<Vec<Nanos>> = roots.iter().map(|&root| processes(&family(root))).collect();
    times.filter(|times| !times.is_empty()).map(|times| Nanos(times.iter().map(|time| time.0).sum()))
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
        // Linux has no process number above 2^22.
        assert_eq!(process((1 << 22) + 1), None, "a process that is not there has no time");
    }

    #[test]
    fn the_thread_that_worked_most_is_found_among_those_that_slept() {
        let me = std::process::id();
        let before = threads(&[me]).unwrap();
        let both = std::sync::Barrier::new(2);
        let after = std::thread::scope(|scope| {
            scope.spawn(|| {
                let until = process(me).unwrap().0 + 50_000_000;
                while process(me).unwrap().0 < until {
                    std::hint::black_box(until.wrapping_mul(31));
                }
                both.wait();
                both.wait();
            });
            both.wait();
            let after = threads(&[me]).unwrap();
            both.wait();
            after
        });
        assert!(busiest(&before, &after).unwrap().0 >= 25_000_000, "{before:?} {after:?}");
        let times =
            |list: &[(u32, u64)]| list.iter().map(|&(n, t)| ((1, n), Nanos(t))).collect::<ThreadTimes>();
        assert_eq!(
            busiest(&times(&[(1, 50), (2, 10)]), &times(&[(1, 60), (2, 40), (3, 20)])),
            Some(Nanos(30))
        );
        assert_eq!(busiest(&times(&[(1, 50)]), &times(&[(1, 60), (9, 20)])), Some(Nanos(20)), "it was new");
    }

    #[test]
    fn work_of_children_that_have_ended_counts() {
        let mut shell = std::process::Command::new("sh")
            .args(["-c", "sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo; read line"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let (all, own) = (processes(&[shell.id()]).unwrap(), process(shell.id()).unwrap());
        drop(shell.stdin.take());
        shell.wait().unwrap();
        assert!(all.0 >= own.0 + 50_000_000, "{all:?} with children, {own:?} without");
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
