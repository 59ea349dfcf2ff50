//! A beat: an instant that comes again and again.

use std::{
    fmt,
    future::poll_fn,
    task::Poll,
    time::{Duration, Instant},
};

use crate::sync::{Mutex, alarm::Alarm, thread, time::Moment};

/// Makes a [`Ticker`] whose first tick is due one `period` from now, and one more each `period` after that.
///
/// ```
/// use std::time::Duration;
/// use handover::{channel, channel::tick, select};
///
/// let (stop, stopped) = channel::<()>();
/// let ticker = tick(Duration::from_millis(2));
/// let other = std::thread::spawn(move || stop.send(()));
/// let mut beats = 0;
/// loop {
///     select! {
///         tick(ticker) => beats += 1,
///         recv(stopped) -> _, if beats == 3 => break,
///     }
/// }
/// # assert!(other.join().is_ok());
/// ```
///
/// # Panics
///
/// If `period` is zero, for then every moment would be a tick; to look whether a guard can meet and go on, use
/// `default` in [`select!`](crate::select).
#[must_use = "a ticker does nothing by itself"]
pub fn tick(period: Duration) -> Ticker {
    assert!(
        !period.is_zero(),
        "a ticker needs a period longer than zero: with zero every moment is a tick; for a look without waiting \
         use `default`"
    );
    Ticker {
        period,
        next: Mutex::new(Moment::look(true).instant().checked_add(period)),
    }
}

/// An instant that comes again each period. Made by [`tick`].
///
/// It is waited for as the guard `tick(ticker)` of a [`select!`](crate::select), a
/// [`select_async!`](crate::select_async) or a [`Select`](super::Select), or alone with [`wait`](Self::wait) and
/// [`wait_async`](Self::wait_async). Each tick is met once, by whoever comes first.
///
/// # Missed ticks
///
/// A tick that is due stays due until somebody meets it, and those that come due meanwhile are one with it: after
/// a delay of ten periods there is one tick to meet, which says when the first of them was due. The beat is kept:
/// the tick after it is due at the next whole number of periods since the ticker was made, so it may be less
/// than a period away.
///
/// # Limits
///
/// A ticker holds two numbers, and costs nothing while nobody waits for it. A tick is never met early; how late
/// depends on the system, which wakes a thread or task some tens of microseconds late, and later under load. A
/// period so long that the clock cannot tell its end (centuries) never ends.
pub struct Ticker {
    period: Duration,
    /// When the next tick is due; `None` if the clock cannot tell that far ahead.
    next: Mutex<Option<Instant>>,
}

impl Ticker {
    /// Blocks the thread until the next tick is due, and meets it. Returns when it was due.
    pub fn wait(&self) -> Instant {
        let mut has_waited = false;
        loop {
            if let Some(due) = self.take(Moment::look(has_waited)) {
                return due;
            }
            match self.due() {
                Some(due) => {
                    thread::park_until(due);
                }
                None => thread::park(),
            }
            has_waited = true;
        }
    }

    /// Waits without blocking the thread, on any executor, until the next tick is due, and meets it. Returns when
    /// it was due.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped before it has resolved, it has met no tick.
    ///
    /// # Panics
    ///
    /// The future panics if the process may not start the one thread that wakes its tasks in time.
    pub async fn wait_async(&self) -> Instant {
        let alarm = Alarm::new();
        // The alarm is the future's own: shared it would tie the task to one thread.
        poll_fn(move |context| {
            if let Some(due) = self.take(Moment::look(alarm.is_set())) {
                return Poll::Ready(due);
            }
            if let Some(due) = self.due() {
                alarm.set(due, context);
            }
            Poll::Pending
        })
        .await
    }

    /// The time from one tick to the next.
    #[must_use]
    pub fn period(&self) -> Duration {
        self.period
    }

    /// When the next tick that nobody has met is due.
    pub(super) fn due(&self) -> Option<Instant> {
        *self.next.lock()
    }

    /// Meets the tick that is due at `moment`, if one is; returns when it was due.
    pub(super) fn take(&self, moment: Moment) -> Option<Instant> {
        let mut next = self.next.lock();
        let due = (*next).filter(|due| moment.has_come_to(*due))?;
        *next = beat_after(due, moment.instant(), self.period);
        Some(due)
    }
}

/// The first beat after `now`, where one was `due` before.
fn beat_after(due: Instant, now: Instant, period: Duration) -> Option<Instant> {
    let late = now.saturating_duration_since(due);
    let into_the_beat = if late < period {
        late
    } else {
        // Less than the period, which the program has outlived: that fits.
        u64::try_from(late.as_nanos() % period.as_nanos())
            .map_or(Duration::ZERO, Duration::from_nanos)
    };
    due.max(now)
        .checked_add(period.saturating_sub(into_the_beat))
}

impl fmt::Debug for Ticker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticker")
            .field("period", &self.period)
            .finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(10);

    #[test]
    fn the_next_beat_is_one_period_after_one_that_was_met_in_time() {
        let due = Instant::now();
        assert_eq!(beat_after(due, due, PERIOD), Some(due + PERIOD));
        let late = due + PERIOD.saturating_sub(Duration::from_nanos(1));
        assert_eq!(beat_after(due, late, PERIOD), Some(due + PERIOD));
    }

    #[test]
    fn after_missed_beats_the_next_is_at_a_whole_number_of_periods() {
        let due = Instant::now();
        assert_eq!(
            beat_after(due, due + 7 * PERIOD, PERIOD),
            Some(due + 8 * PERIOD)
        );
        let between = due + 7 * PERIOD + Duration::from_millis(3);
        assert_eq!(beat_after(due, between, PERIOD), Some(due + 8 * PERIOD));
    }

    #[test]
    fn a_period_beyond_the_clock_never_ends() {
        let ticker = tick(Duration::MAX);
        assert_eq!(ticker.due(), None);
        assert_eq!(ticker.take(Moment::look(true)), None);
    }
}
