//! The system calls that bind processes to CPUs: on Linux and FreeBSD, which can. Chooses no CPUs.

use std::io;

/// Why processes cannot be bound here; `None` if they can.
pub const OBSTACLE: Option<&str> = if cfg!(any(target_os = "linux", target_os = "freebsd")) {
    None
} else if cfg!(target_os = "macos") {
    Some("macOS does not bind processes to CPUs")
} else {
    Some("binding processes to CPUs is supported on Linux and FreeBSD only")
};

/// The CPUs that the calling thread may use, ascending.
pub(super) fn allowed() -> io::Result<Vec<u32>> {
    system::allowed()
}

/// Binds the calling thread to `cpus`. Makes one system call and allocates nothing, so that it may be called between
/// fork and exec.
///
/// # Errors
/// What the system call says.
pub fn bind(cpus: &[u32]) -> io::Result<()> {
    system::bind(cpus)
}

/// Binds every thread of a running process to `cpus`. Threads that it starts later inherit the binding.
///
/// # Errors
/// When the process is gone or may not be bound.
pub fn bind_process(pid: u32, cpus: &[u32]) -> io::Result<()> {
    system::bind_process(pid, cpus)
}

#[cfg(target_os = "linux")]
mod system {
    use std::io;

    use rustix::process::Pid;
    use rustix::thread::CpuSet;

    pub(super) fn allowed() -> io::Result<Vec<u32>> {
        let set = rustix::thread::sched_getaffinity(None)?;
        Ok((0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).map(|cpu| cpu as u32).collect())
    }

    pub(super) fn bind(cpus: &[u32]) -> io::Result<()> {
        bind_thread(None, cpus)
    }

    /// The kernel knows threads only, so all those of the process are bound one by one.
    pub(super) fn bind_process(pid: u32, cpus: &[u32]) -> io::Result<()> {
        for entry in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let thread =
                entry?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
            match bind_thread(thread, cpus) {
                // A thread may end while we look at it.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                done => done?,
            }
        }
        Ok(())
    }

    fn bind_thread(thread: Option<Pid>, cpus: &[u32]) -> io::Result<()> {
        let mut set = CpuSet::new();
        for &cpu in cpus {
            let cpu = cpu as usize;
            if cpu >= CpuSet::MAX_CPU {
                return Err(io::ErrorKind::InvalidInput.into());
            }
            set.set(cpu);
        }
        Ok(rustix::thread::sched_setaffinity(thread, &set)?)
    }
}

/// FreeBSD has sched_setaffinity(3) as well, but what that does with the number of a process differs between versions:
/// at first it bound all threads, later only the first one, as on Linux (reviews.freebsd.org/D38209).
/// cpuset_setaffinity(2) is told what the number is of.
#[cfg(target_os = "freebsd")]
mod system {
    use std::io;

    use libc::{c_ulong, cpuwhich_t, id_t};

    /// As many CPUs as the kernel has room for (CPU_MAXSIZE in sys/_cpuset.h). `libc::cpuset_t` has room for a quarter
    /// of them, and cpuset_getaffinity(2) fails if there are more CPUs than fit.
    const MOST_CPUS: usize = 1024;
    const WORD: usize = c_ulong::BITS as usize;

    type Mask = [c_ulong; MOST_CPUS / WORD];

    /// The calling thread or process (cpuset(2)).
    const CALLER: id_t = -1;

    pub(super) fn allowed() -> io::Result<Vec<u32>> {
        let mut mask: Mask = [0; MOST_CPUS / WORD];
        #[expect(unsafe_code, reason = "no safe library has cpuset_getaffinity")]
        // SAFETY: the kernel writes no more bytes than it is told there are, and any bits are a valid mask.
        let answer = unsafe {
            libc::cpuset_getaffinity(
                libc::CPU_LEVEL_WHICH,
                libc::CPU_WHICH_TID,
                CALLER,
                size_of::<Mask>(),
                (&raw mut mask).cast(),
            )
        };
        if answer != 0 {
            return Err(io::Error::last_os_error());
        }
        let is_set = |&cpu: &usize| mask[cpu / WORD] & (1 << (cpu % WORD)) != 0;
        Ok((0..MOST_CPUS).filter(is_set).map(|cpu| cpu as u32).collect())
    }

    pub(super) fn bind(cpus: &[u32]) -> io::Result<()> {
        set(libc::CPU_WHICH_TID, CALLER, cpus)
    }

    /// Given the number of a process, the kernel applies the mask to every thread of it (cpuset(2); `cpuset_setproc` in
    /// sys/kern/kern_cpuset.c), so one call does what takes one call for each thread on Linux.
    pub(super) fn bind_process(pid: u32, cpus: &[u32]) -> io::Result<()> {
        set(libc::CPU_WHICH_PID, id_t::from(pid), cpus)
    }

    fn set(which: cpuwhich_t, id: id_t, cpus: &[u32]) -> io::Result<()> {
        let mut mask: Mask = [0; MOST_CPUS / WORD];
        for &cpu in cpus {
            let cpu = cpu as usize;
            *mask.get_mut(cpu / WORD).ok_or(io::ErrorKind::InvalidInput)? |= 1 << (cpu % WORD);
        }
        #[expect(unsafe_code, reason = "no safe library has cpuset_setaffinity")]
        // SAFETY: the kernel reads no more bytes than it is told there are, and keeps no reference to them.
        let answer = unsafe {
            libc::cpuset_setaffinity(
                libc::CPU_LEVEL_WHICH,
                which,
                id,
                size_of::<Mask>(),
                (&raw const mask).cast(),
            )
        };
        if answer == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
mod system {
    use std::io;

    use super::OBSTACLE;

    pub(super) fn allowed() -> io::Result<Vec<u32>> {
        Err(io::Error::new(io::ErrorKind::Unsupported, OBSTACLE.unwrap_or("not supported")))
    }

    pub(super) fn bind(_cpus: &[u32]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(super) fn bind_process(_pid: u32, _cpus: &[u32]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(test)]
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_bound_may_use_those_cpus_only() {
        let before = allowed().unwrap();
        let last = *before.last().unwrap();
        // A thread of its own, so that the other tests stay free.
        let after = std::thread::spawn(move || bind(&[last]).and_then(|()| allowed())).join().unwrap();
        assert_eq!(after.unwrap(), [last]);
        assert_eq!(allowed().unwrap(), before);
    }

    #[test]
    fn a_cpu_that_no_system_has_is_refused() {
        assert!(bind(&[u32::MAX]).is_err());
    }

    #[test]
    fn a_process_that_is_gone_cannot_be_bound() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        assert!(bind_process(child.id(), &allowed().unwrap()).is_err());
    }
}
