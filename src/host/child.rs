//! A child process that leads a process group of its own and does not outlive this program.
//!
//! Three things end it: [`Child::end`], dropping it, and (on Linux and FreeBSD) the death of this program, even by
//! SIGKILL. The parent-death signal follows the *thread* that spawned the child, so children are spawned only from
//! a thread that lives as long as the program: the agent's single thread.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::signal::unix::{SignalKind, signal};
use wait4::{ResourceUsage, Wait4};

use crate::host::{placement, secrets};
use crate::measure::cpu;

/// A child process and its process group.
#[derive(Debug)]
pub struct Child {
    pid: Pid,
    /// Taken when the process is reaped: from then on nothing may be sent to its number.
    process: Option<std::process::Child>,
    /// Created before the process is, so that its end cannot be missed.
    deaths: tokio::signal::unix::Signal,
}

/// How a child ended.
#[derive(Clone, Copy, Debug)]
pub struct Ended {
    /// Its exit status or the signal that killed it.
    pub status: ExitStatus,
    /// What it used over its whole life, descendants that it waited for included.
    ///
    /// Linux counts the memory of the process that forked in the peak of the one that was forked, so the peak is
    /// never less than this program's own.
    pub usage: ResourceUsage,
}

impl Child {
    /// Starts `command` as the leader of a new process group, bound to `cpus` if some are given, without the variables
    /// that are [withheld](crate::host::secrets::withhold).
    ///
    /// # Errors
    /// When the program cannot be executed or cannot be bound.
    pub fn spawn(command: &mut Command, cpus: Option<&[u32]>) -> io::Result<Self> {
        let deaths = signal(SignalKind::child())?;
        secrets::withhold_from(command);
        let cpus = cpus.map(<[u32]>::to_vec);
        let parent = rustix::process::getpid();
        command.process_group(0);
        #[expect(unsafe_code, reason = "the parent-death signal and the CPUs are set between fork and exec")]
        // SAFETY: between fork and exec only async-signal-safe calls are allowed. `die_with` and `placement::bind`
        // make plain system calls on memory that is already there; they neither allocate nor lock.
        unsafe {
            command.pre_exec(move || {
                die_with(parent)?;
                cpus.as_deref().map_or(Ok(()), placement::bind)
            });
        }
        let process = command.spawn()?;
        let pid = Pid::from_child(&process);
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).insert(process.id());
        Ok(Self { pid, process: Some(process), deaths })
    }

    /// The process number, which is also that of the group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// The process as the standard library knows it, for its pipes; `None` once it was reaped.
    pub fn process(&mut self) -> Option<&mut std::process::Child> {
        self.process.as_mut()
    }

    /// Whether the leader has ended, without reaping it.
    #[must_use]
    pub fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is no such child any more.
        self.process.is_none() || !matches!(rustix::process::waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Waits until the leader has ended, without reaping it. May be cancelled and called again.
    pub async fn exited(&mut self) {
        while !self.has_exited() {
            self.deaths.recv().await;
        }
    }

    /// Kills what is left of the process group and reaps its leader.
    ///
    /// # Errors
    /// When the process was reaped before.
    pub fn end(&mut self) -> io::Result<Ended> {
        let process = self.process.take().ok_or_else(|| io::Error::other("the process was reaped before"))?;
        // The number cannot belong to anybody else: until the leader is reaped it stays taken. The only possible
        // error is that nobody is left who could be killed.
        let _ = rustix::process::kill_process_group(self.pid, Signal::KILL);
        let number = self.pid();
        let reaped = process.wait4();
        KNOWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
        let reaped = reaped?;
        Ok(Ended { status: reaped.status, usage: reaped.rusage })
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

/// Says how a process ended: `exit status 1`, `signal 9 (SIGKILL)`.
#[must_use]
pub fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => match signal_name(signal) {
            Some(name) => format!("signal {signal} ({name})"),
            None => format!("signal {signal}"),
        },
        (None, None) => status.to_string(),
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        libc::SIGHUP => "SIGHUP",
        libc::SIGINT => "SIGINT",
        libc::SIGILL => "SIGILL",
        libc::SIGABRT => "SIGABRT",
        libc::SIGBUS => "SIGBUS",
        libc::SIGFPE => "SIGFPE",
        libc::SIGKILL => "SIGKILL",
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGPIPE => "SIGPIPE",
        libc::SIGTERM => "SIGTERM",
        _ => return None,
    })
}

/// Lets a process that `command` starts be killed when the thread that starts it ends, where the system can.
pub fn die_with_this_thread(command: &mut Command) {
    let parent = rustix::process::getpid();
    #[expect(unsafe_code, reason = "the parent-death signal is set between fork and exec")]
    // SAFETY: as in `Child::spawn`.
    unsafe {
        command.pre_exec(move || die_with(parent));
    }
}

/// Whether processes come to this one when their parents die, so that it can end them.
static ADOPTS: AtomicBool = AtomicBool::new(false);
/// The children of this process that some [`Child`] stands for.
static KNOWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// From now on this process becomes the parent of every descendant whose own parent ends, even of one that has left its
/// process group and its session: [`end_orphans`] finds them. Linux only; does nothing elsewhere.
pub fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    ADOPTS.store(
        rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok(),
        Ordering::Relaxed,
    );
}

/// Kills every child of this process that no [`Child`] stands for. Call it when nobody else is starting processes.
pub fn end_orphans() {
    // When an orphan dies its own children come here.
    loop {
        let orphans = orphans();
        if orphans.is_empty() {
            return;
        }
        for pid in orphans.into_iter().filter_map(|pid| Pid::from_raw(pid.cast_signed())) {
            let _ = rustix::process::kill_process(pid, Signal::KILL);
            let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        }
    }
}

/// How many processes are still alive that were in a process group besides its leader, or that came to this process as orphans.
/// Only Linux tells.
#[must_use]
pub fn left_behind(leader: u32) -> usize {
    let orphans = orphans().into_iter().filter(|&pid| {
        let pid = Pid::from_raw(pid.cast_signed());
        // An orphan that is dead already is reaped, and does not count.
        !matches!(rustix::process::waitpid(pid, rustix::process::WaitOptions::NOHANG), Ok(Some(_)))
    });
    let mut left: BTreeSet<u32> = orphans.collect();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    left.extend(pids.filter(|&pid| pid != leader && group_if_alive(pid) == Some(leader)));
    left.len()
}

/// The process group of a process that is not a zombie.
fn group_if_alive(pid: u32) -> Option<u32> {
    // After the name, which may contain anything: state, parent, group (proc(5)).
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if fields.next() == Some("Z") { None } else { fields.nth(1)?.parse().ok() }
}

/// The children of this process that no [`Child`] stands for, if it adopts any.
fn orphans() -> Vec<u32> {
    if !ADOPTS.load(Ordering::Relaxed) {
        return Vec::new();
    }
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner).clone();
    cpu::children(std::process::id()).into_iter().filter(|pid| !known.contains(pid)).collect()
}

/// Lets the calling process be killed when its parent dies.
#[cfg(any(target_os = "linux", target_os = "freebsd"))]
fn die_with(parent: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    // The parent may have died before the line above.
    if rustix::process::getppid() == Some(parent) { Ok(()) } else { Err(io::ErrorKind::NotConnected.into()) }
}

/// There is no such signal here. Drivers end with their input; a server that was left behind is found and stopped by
/// the next agent.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
fn die_with(_parent: Pid) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Stdio;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    #[test]
    fn the_end_of_a_child_is_the_end_of_its_whole_group() {
        runtime().block_on(async {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 1000 & echo $!"]).stdout(Stdio::piped());
            let mut child = Child::spawn(&mut command, None).unwrap();
            child.exited().await;
            let mut grandchild = String::new();
            let mut line = std::io::BufReader::new(child.process().unwrap().stdout.take().unwrap());
            std::io::BufRead::read_line(&mut line, &mut grandchild).unwrap();
            assert!(child.end().unwrap().status.success());
            // The grandchild holds the other end of this pipe: the end of file is its end.
            std::io::Read::read_to_end(&mut line, &mut Vec::new()).unwrap();
            assert!(child.end().is_err(), "a process is reaped only once");
        });
    }

    #[test]
    fn a_dropped_child_is_a_dead_child() {
        runtime().block_on(async {
            let mut command = Command::new("sleep");
            let child = Child::spawn(command.arg("1000"), None).unwrap();
            let pid = child.pid;
            assert!(!child.has_exited());
            drop(child);
            assert!(rustix::process::test_kill_process(pid).is_err());
        });
    }

    #[test]
    fn an_exit_is_described_in_words() {
        insta::assert_snapshot!(describe(ExitStatus::from_raw(3 << 8)), @"exit status 3");
        insta::assert_snapshot!(describe(ExitStatus::from_raw(9)), @"signal 9 (SIGKILL)");
    }
}
