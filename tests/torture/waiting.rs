//! Waits for what happens to processes and files: for the event itself, rather than for the next look at them.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// Waits until one of these is ready, and no longer than that. False if none is.
pub(crate) fn ready<H: AsFd>(handles: &[H], patience: Duration) -> bool {
    let mut handles: Vec<_> = handles.iter().map(|handle| PollFd::new(handle, PollFlags::IN)).collect();
    let patience = patience.try_into().expect("no test has so much patience");
    loop {
        match poll(&mut handles, Some(&patience)) {
            Err(Errno::INTR) => {}
            ready => return ready.expect("what is open can be waited for") > 0,
        }
    }
}

/// A handle of a process, which is ready when the process has ended; `None` if it has.
pub(crate) fn process(pid: i32) -> Option<OwnedFd> {
    Pid::from_raw(pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok())
}

/// Tells of what is new in directories.
pub(crate) struct Changes(OwnedFd);

impl Changes {
    pub(crate) fn new() -> Self {
        Self(
            inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).expect("there are inotify instances"),
        )
    }

    /// Looks at a directory from now on, if it is there: for new files and directories, and for new lines of its files if
    /// they matter.
    pub(crate) fn watch(&self, directory: &Path, lines: bool) {
        let mut what = WatchFlags::CREATE | WatchFlags::MOVED_TO;
        what.set(WatchFlags::MODIFY, lines);
        let _ = inotify::add_watch(&self.0, directory, what);
    }

    /// Waits until something is new since the last time, or the process of a handle has ended.
    pub(crate) fn wait(&self, process: &OwnedFd, patience: Duration) {
        ready(&[&self.0, process], patience);
        // What it was does not matter, and what is left of it is there the next time.
        let _ = rustix::io::read(&self.0, &mut [0_u8; 4096]);
    }
}
