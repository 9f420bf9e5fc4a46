//! The schedule of an open loop, and waiting for it as precisely as the system can.

use std::time::{Duration, Instant};

/// Nobody waits longer than this without checking whether another worker has failed.
pub(super) const LONGEST_WAIT: Duration = Duration::from_millis(100);

/// A thread that sleeps wakes up late by about this much; so it sleeps less and yields for the rest.
const WAKE_UP: Duration = Duration::from_micros(50);

/// Operation `k` of an open loop is due at start + k ÷ rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schedule {
    pub(super) start: Instant,
    /// Operations per second; not 0.
    pub(super) rate: u64,
}

impl Schedule {
    /// When the operation with this number, counted over all workers, is due.
    pub(super) fn due(&self, operation: u64) -> Instant {
        let nanos = u128::from(operation) * 1_000_000_000 / u128::from(self.rate);
        self.start + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2))
    }
}

/// Blocks this thread until `due`, or for [`LONGEST_WAIT`] if that is sooner.
///
/// The last stretch is not slept but yielded away: whoever else wants this CPU, such as a server on the same core,
/// gets it.
pub(super) fn sleep_until(due: Instant) {
    let wait = due.saturating_duration_since(Instant::now());
    if wait > LONGEST_WAIT {
        std::thread::sleep(LONGEST_WAIT);
        return;
    }
    if let Some(sleep) = wait.checked_sub(WAKE_UP) {
        std::thread::sleep(sleep);
    }
    while Instant::now() < due {
        std::thread::yield_now();
    }
}

/// Lets a task wait. One for each task, made when it first has to.
pub(super) use timer::Timer;

/// tokio's own timer counts in milliseconds; the kernel's timers do not.
#[cfg(target_os = "linux")]
mod timer {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Instant;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    use super::LONGEST_WAIT;

    pub(in crate::driver) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(in crate::driver) fn new() -> io::Result<Self> {
            let fd =
                timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
            // SAFETY: an `OwnedFd` is the same open file until it is dropped, and only the `AsyncFd` can drop it.
            #[expect(unsafe_code, reason = "the safe form is deprecated, for types other than `OwnedFd`")]
            let fd = unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE)? };
            Ok(Self(fd))
        }

        /// Waits until `due`, or for [`LONGEST_WAIT`] if that is sooner.
        pub(in crate::driver) async fn sleep_until(&mut self, due: Instant) -> io::Result<()> {
            let wait = due.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
            if wait.is_zero() {
                return Ok(());
            }
            let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
            // Less than a second, see above.
            let value = Timespec { tv_sec: 0, tv_nsec: wait.subsec_nanos().into() };
            timerfd_settime(
                self.0.get_ref(),
                TimerfdTimerFlags::empty(),
                &Itimerspec { it_interval: zero, it_value: value },
            )?;
            self.0.async_io(Interest::READABLE, |fd| Ok(rustix::io::read(fd, &mut [0; 8])?)).await.map(drop)
        }
    }
}

/// Elsewhere it is tokio's own timer: operations start up to a millisecond or two after they are due, and that is
/// recorded as lag and counted as latency.
#[cfg(not(target_os = "linux"))]
mod timer {
    use std::io;
    use std::time::Instant;

    use super::LONGEST_WAIT;

    pub(in crate::driver) struct Timer;

    impl Timer {
        pub(in crate::driver) fn new() -> io::Result<Self> {
            Ok(Self)
        }

        /// Waits until `due`, or for [`LONGEST_WAIT`] if that is sooner.
        pub(in crate::driver) async fn sleep_until(&mut self, due: Instant) -> io::Result<()> {
            tokio::time::sleep_until(due.min(Instant::now() + LONGEST_WAIT).into()).await;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_due_evenly_without_drift() {
        let schedule = Schedule { start: Instant::now(), rate: 3 };
        let due = |operation| (schedule.due(operation) - schedule.start).as_nanos();
        assert_eq!((due(0), due(1), due(2), due(3)), (0, 333_333_333, 666_666_666, 1_000_000_000));
        assert_eq!(due(3_000_000), 1_000_000 * 1_000_000_000);
    }

    #[test]
    fn nobody_wakes_up_before_an_operation_is_due() {
        for wait in [0, 10, 80, 300, 2_000].map(Duration::from_micros) {
            let due = Instant::now() + wait;
            sleep_until(due);
            assert!(Instant::now() >= due);
        }
    }
}
