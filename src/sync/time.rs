//! The one place that time comes from: whoever waits for an instant looks here, and only here.
//!
//! What waits for an instant parks a thread ([`park_until`](super::thread::park_until)) or sets an
//! [alarm](super::alarm). A process of a network that has a [scheduler](super::schedule) of its own is told that one's
//! time, wherever it asks; everybody else the system's.

use std::time::{Duration, Instant};

/// What the clock said when somebody looked at it.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    now: Instant,
    #[cfg(loom)]
    has_waited: bool,
}

impl Moment {
    /// Looks at the clock. `has_waited` says whether whoever looks has let its peers know that it waits.
    ///
    /// Loom has no clock: there, an instant has come if and only if somebody has waited for it, so that what is
    /// tried is the race of a timer with a meeting.
    pub(crate) fn look(has_waited: bool) -> Self {
        #[cfg(not(loom))]
        let _ = has_waited;
        Self {
            now: now(),
            #[cfg(loom)]
            has_waited,
        }
    }

    pub(crate) fn has_come_to(self, instant: Instant) -> bool {
        #[cfg(not(loom))]
        return instant <= self.now;
        #[cfg(loom)]
        {
            let _ = instant;
            self.has_waited
        }
    }

    pub(crate) fn instant(self) -> Instant {
        self.now
    }
}

/// When `timeout` from now is; `None`, which never comes, if the clock cannot tell that far ahead.
pub(crate) fn deadline_after(timeout: Duration) -> Option<Instant> {
    now().checked_add(timeout)
}

/// What time it is for whoever asks.
#[inline]
pub(crate) fn now() -> Instant {
    #[cfg(not(loom))]
    if let Some(now) = super::schedule::now_of_current() {
        return now;
    }
    now_of_system()
}

/// What time it is outside all networks.
pub(super) fn now_of_system() -> Instant {
    Instant::now()
}

/// Some work of this thread, whose time is told: on the processor, where the system can tell that, and by the clock.
#[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
pub(crate) struct Stint {
    began: Instant,
    on_processor: Option<Duration>,
}

#[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
impl Stint {
    pub(crate) fn begin() -> Self {
        Self {
            began: Instant::now(),
            on_processor: time_on_processor(),
        }
    }

    /// How long this thread had a processor meanwhile, and how long it took. Of the same thread.
    pub(crate) fn end(self) -> (Option<Duration>, Duration) {
        let on_processor = time_on_processor().zip(self.on_processor);
        (
            on_processor.map(|(now, before)| now.saturating_sub(before)),
            self.began.elapsed(),
        )
    }
}

/// For how long this thread has had a processor since it began.
#[cfg(all(target_os = "linux", not(loom), not(miri)))]
fn time_on_processor() -> Option<Duration> {
    use rustix::time::{ClockId, clock_gettime};

    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).ok()
}

#[cfg(not(all(target_os = "linux", not(loom), not(miri))))]
#[cfg_attr(loom, allow(dead_code, reason = "no network runs under loom"))]
fn time_on_processor() -> Option<Duration> {
    None
}
