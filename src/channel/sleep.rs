//! Waiting for nothing but an instant; and what time it is.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use crate::sync::{
    alarm::Alarm,
    time::{self, Moment, deadline_after},
};

/// What time it is: the system's, or in a network that runs in a time of its own (a
/// [rehearsal](crate::process::rehearsal)) that one's.
///
/// In a process, ask this, and not [`Instant::now`]: then it can be rehearsed.
#[must_use]
pub fn now() -> Instant {
    time::now()
}

/// Waits for `duration`, without blocking the thread, on any executor; from this call on, and not from the first poll.
///
/// ```
/// use std::time::Duration;
/// use handover::{channel::sleep, process::Network};
///
/// let mut net = Network::new("nap");
/// net.process("sleeper", (), async |(): &()| {
///     sleep(Duration::from_millis(5)).await;
///     Ok(())
/// });
/// net.run()?;
/// # Ok::<(), handover::process::RunError>(())
/// ```
///
/// A blocked thread uses [`std::thread::sleep`].
pub fn sleep(duration: Duration) -> Sleep {
    Sleep {
        until: deadline_after(duration),
        alarm: Alarm::new(),
    }
}

/// As [`sleep`], until `instant`.
pub fn sleep_until(instant: Instant) -> Sleep {
    Sleep {
        until: Some(instant),
        alarm: Alarm::new(),
    }
}

/// A wait for an instant; made by [`sleep`] and [`sleep_until`].
///
/// It never ends early. How late it ends depends on the system: some tens of microseconds, and more under load. One that is
/// so far away that the clock cannot tell it (centuries) never ends.
///
/// # Cancel safety
///
/// It can be dropped at any time.
///
/// # Panics
///
/// It panics if the process may not start the one thread that wakes its tasks in time.
#[must_use = "a future waits for nothing unless it is polled"]
pub struct Sleep {
    until: Option<Instant>,
    alarm: Alarm,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(until) = self.until else {
            return Poll::Pending;
        };
        if Moment::look(self.alarm.is_set()).has_come_to(until) {
            self.alarm.clear();
            return Poll::Ready(());
        }
        self.alarm.set(until, context);
        Poll::Pending
    }
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}
