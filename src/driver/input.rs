//! The driver's standard input: its lines, and the end of the process when it closes.

use std::io::{self, BufRead, Read as _};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::stdio::stdin;

use super::failure::Failure;
use crate::protocol::{FailureKind, Go, MAX_LINE};

/// Whether the work is over: the process then ends by itself, undisturbed.
static ENDED: AtomicBool = AtomicBool::new(false);

/// The exit status of a driver whose input closed too early. There is nobody to tell why.
const ABANDONED: i32 = 1;

/// Reads a line that is not too long; `None` at the end of the input.
pub(super) fn read_line(input: &mut impl BufRead) -> Result<Option<String>, Failure> {
    let protocol = |error: String| Failure::new(FailureKind::Protocol, error);
    let mut line = String::new();
    let read = input.take(MAX_LINE as u64 + 1).read_line(&mut line);
    let read = read.map_err(|error| protocol(format!("cannot read a line: {error}")))?;
    if line.trim_end_matches('\n').len() > MAX_LINE {
        return Err(protocol(format!("a line is longer than {MAX_LINE} bytes")));
    }
    Ok((read > 0).then_some(line))
}

/// Waits for `{"go":true}`.
pub(super) fn await_go(input: &mut impl BufRead) -> Result<(), Failure> {
    let Some(line) = read_line(input)? else { process::exit(ABANDONED) };
    match serde_json::from_str(&line) {
        Ok(Go { go: true }) => Ok(()),
        _ => {
            let error = format!("expected {{\"go\":true}}, got {}", line.trim_end());
            Err(Failure::new(FailureKind::Protocol, error))
        }
    }
}

/// From now on the process ends at once when its standard input closes, whatever it is doing.
pub(super) fn end_when_closed() -> io::Result<()> {
    watch::start()
}

/// From now on it does not.
pub(super) fn work_is_over() {
    ENDED.store(true, Ordering::SeqCst);
}

/// Whether the other end of the standard input has been closed. Safe in a signal handler.
fn closed(timeout: Option<&Timespec>) -> bool {
    #[cfg(target_os = "linux")]
    let (wanted, closed) = (PollFlags::RDHUP, PollFlags::RDHUP | PollFlags::HUP);
    #[cfg(not(target_os = "linux"))]
    let (wanted, closed) = (PollFlags::empty(), PollFlags::HUP);
    let mut input = [PollFd::from_borrowed_fd(stdin(), wanted)];
    poll(&mut input, timeout).is_ok() && input[0].revents().intersects(closed)
}

/// On Linux the kernel sends a signal when something happens to the input.
///
/// A thread that waits for it would be simpler, and was here first. But the C library and the kernel take locks in
/// a process with two threads that they do without in a process with one, and every operation of a mode that needs
/// only one thread paid for them.
#[cfg(target_os = "linux")]
mod watch {
    use std::io;
    use std::ptr;
    use std::sync::atomic::Ordering;

    use rustix::event::Timespec;

    use super::{ABANDONED, ENDED, closed};

    #[expect(unsafe_code, reason = "there is no safe way to ask for a signal when a file changes")]
    pub(super) fn start() -> io::Result<()> {
        let handler: extern "C" fn(libc::c_int) = on_input;
        // SAFETY: `sigaction` is a plain struct for which zeros are valid (no flags, an empty mask), the handler
        // calls nothing but what signal-safety(7) allows, and the other calls are given no pointers.
        let results = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as libc::sighandler_t;
            action.sa_flags = libc::SA_RESTART;
            [
                libc::sigaction(libc::SIGIO, &raw const action, ptr::null_mut()),
                libc::fcntl(libc::STDIN_FILENO, libc::F_SETOWN, libc::getpid()),
                libc::fcntl(
                    libc::STDIN_FILENO,
                    libc::F_SETFL,
                    libc::fcntl(libc::STDIN_FILENO, libc::F_GETFL) | libc::O_ASYNC,
                ),
            ]
        };
        if results.contains(&-1) {
            return Err(io::Error::last_os_error());
        }
        // It may have been closed before anybody looked.
        on_input(libc::SIGIO);
        Ok(())
    }

    extern "C" fn on_input(_signal: libc::c_int) {
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        if closed(Some(&at_once)) && !ENDED.load(Ordering::SeqCst) {
            #[expect(unsafe_code, reason = "`std::process::exit` may not be called in a signal handler")]
            // SAFETY: `_exit` may be called here (signal-safety(7)), takes no pointer and does not return.
            unsafe {
                libc::_exit(ABANDONED);
            }
        }
    }
}

/// Elsewhere it is a thread that waits.
#[cfg(not(target_os = "linux"))]
mod watch {
    use std::io;
    use std::process;
    use std::sync::atomic::Ordering;
    use std::thread;

    use super::{ABANDONED, ENDED, closed};

    pub(super) fn start() -> io::Result<()> {
        thread::Builder::new().name("input".to_owned()).spawn(|| {
            while !closed(None) {}
            if !ENDED.load(Ordering::SeqCst) {
                process::exit(ABANDONED);
            }
        })?;
        Ok(())
    }
}
