//! The system calls that bind processes to CPUs, on Linux. Chooses no CPUs.

use std::io;

/// Why processes cannot be bound here; `None` if they can.
pub const OBSTACLE: Option<&str> = if cfg!(target_os = "linux") {
    None
} else if cfg!(target_os = "macos") {
    Some("macOS does not bind processes to CPUs")
} else {
    Some("binding processes to CPUs is supported on Linux only")
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

#[cfg(not(target_os = "linux"))]
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
#[cfg(target_os = "linux")]
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
