//! How a blocked thread waits before it parks: its partner will probably come at once.
//!
//! It looks a few times, then offers its processor to others between looks, at most [`YIELDS`] times.
//!
//! A wait that ends so is several times cheaper than parking, and earns [`SAVING_NS`]. One that does not is a
//! loss, paid from what was earned; once that is gone, the channel's threads park at once for [`RESPITE`] times
//! as long as the rest of the loss. So a pair of threads that answer each other at once never sleeps, while a
//! thread that waits long, or that gets its processor back late because another program is busy on it, soon
//! costs nothing. (Yielding without such an account is what makes a hand-over take whole time slices, some
//! milliseconds, beside two busy programs on two processors.)

use std::{hint, num::NonZero, sync::OnceLock, thread, time::Instant};

use super::{AtomicU64, Ordering};

/// The account of one channel. A lost update costs a little time and nothing else, so `Relaxed` is enough.
pub struct Spin {
    /// What waits that paid have saved, less what others lost, in nanoseconds.
    earned: AtomicU64,
    /// Until when threads park at once, on the clock of [`nanoseconds`].
    park_until: AtomicU64,
}

/// Looks before the first yield: about as long as a partner at work on another processor needs.
const LOOKS: u32 = 12;
/// Yields before parking. With nobody to yield to they take about as long as parking a thread and waking it on
/// another processor, so a wait in vain about doubles that cost.
const YIELDS: u32 = 64;
/// A wait is a loss, however it ends, once it took this long: the processor went to a program that keeps it
/// for whole time slices, and a thread that parks gets it back sooner.
const LATE_NS: u64 = 500_000;
/// What parking and being woken would have cost at least.
const SAVING_NS: u64 = 5_000;
/// The most that can be earned ahead: a loss of some time slices of other programs.
const EARNED_MAX_NS: u64 = 50_000_000;
/// The most that one loss counts for, however long the machine was asleep meanwhile.
const LOSS_MAX_NS: u64 = 100_000_000;
/// A loss is not risked again before this many times as long, so at most one part in so many is wasted.
const RESPITE: u64 = 50;

impl Spin {
    pub(crate) fn new() -> Self {
        Self {
            earned: AtomicU64::new(0),
            park_until: AtomicU64::new(0),
        }
    }

    /// Waits until `done` says so; returns false once it is time to park instead.
    #[inline]
    pub(crate) fn until(&self, mut done: impl FnMut() -> bool) -> bool {
        let looks = if partner_may_run_meanwhile() {
            LOOKS
        } else {
            1
        };
        for _ in 0..looks {
            if done() {
                return true;
            }
            hint::spin_loop();
        }
        self.yield_until(done)
    }

    fn yield_until(&self, mut done: impl FnMut() -> bool) -> bool {
        let began = nanoseconds();
        if began < self.park_until.load(Ordering::Relaxed) {
            return done();
        }
        let mut waited = 0;
        for _ in 0..YIELDS {
            thread::yield_now();
            let is_done = done();
            waited = nanoseconds() - began;
            if waited > LATE_NS {
                self.lose(waited);
                return is_done;
            }
            if is_done {
                self.earn();
                return true;
            }
        }
        self.lose(waited);
        false
    }

    fn earn(&self) {
        let earned = self.earned.load(Ordering::Relaxed);
        if earned < EARNED_MAX_NS {
            self.earned.store(earned + SAVING_NS, Ordering::Relaxed);
        }
    }

    fn lose(&self, waited: u64) {
        let loss = waited.min(LOSS_MAX_NS);
        let earned = self.earned.load(Ordering::Relaxed);
        self.earned
            .store(earned.saturating_sub(loss), Ordering::Relaxed);
        if let Some(unpaid) = loss.checked_sub(earned) {
            self.park_until
                .store(nanoseconds() + unpaid * RESPITE, Ordering::Relaxed);
        }
    }
}

/// Since the first call.
fn nanoseconds() -> u64 {
    static BEGAN: OnceLock<Instant> = OnceLock::new();
    let began = BEGAN.get_or_init(Instant::now);
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Whether there is another core on which the partner could run meanwhile.
fn partner_may_run_meanwhile() -> bool {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| thread::available_parallelism().map_or(1, NonZero::get)) > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_in_vain_ends() {
        let mut looks = 0;
        let is_done = Spin::new().until(|| {
            looks += 1;
            false
        });
        assert!(!is_done);
        assert!(looks <= LOOKS + YIELDS, "{looks} looks");
    }

    #[test]
    fn a_loss_that_was_not_earned_is_followed_by_respite() {
        let spin = Spin::new();
        let before = nanoseconds();
        spin.lose(LATE_NS);
        let park_until = spin.park_until.load(Ordering::Relaxed);
        assert!(park_until >= before + LATE_NS * RESPITE);
    }

    #[test]
    fn in_respite_a_thread_does_not_yield() {
        let spin = Spin::new();
        spin.park_until.store(u64::MAX, Ordering::Relaxed);
        let mut looks = 0;
        assert!(!spin.until(|| {
            looks += 1;
            false
        }));
        assert!(looks <= LOOKS + 1, "{looks} looks");
    }

    #[test]
    fn waits_that_paid_make_up_for_a_loss() {
        let spin = Spin::new();
        for _ in 0..=LATE_NS / SAVING_NS {
            spin.earn();
        }
        spin.lose(LATE_NS);
        assert_eq!(spin.park_until.load(Ordering::Relaxed), 0);
        spin.lose(LATE_NS);
        assert_ne!(spin.park_until.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn earnings_and_losses_have_limits() {
        let spin = Spin::new();
        for _ in 0..2 * EARNED_MAX_NS / SAVING_NS {
            spin.earn();
        }
        assert_eq!(spin.earned.load(Ordering::Relaxed), EARNED_MAX_NS);
        let spin = Spin::new();
        spin.lose(u64::MAX);
        let respite = spin.park_until.load(Ordering::Relaxed) - nanoseconds();
        assert!(respite <= LOSS_MAX_NS * RESPITE);
    }
}
