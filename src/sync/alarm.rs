//! Waking tasks at an instant, on any executor. (A blocked thread needs none of this: it parks until its instant.)
//!
//! Where time is the system's, one thread for the whole process does it, which runs only while a task waits for an
//! instant; a network with a [scheduler](super::schedule) of its own has its alarms there.
//!
//! # Invariants
//!
//! - While an alarm is set with the system, the thread runs, and sleeps no longer than until the earliest alarm.
//! - A task has at most one alarm, in the future that it polls: so there are as many as tasks that wait.
//! - No foreign code runs under the lock: wakers are cloned, woken and dropped outside.
//! - An alarm goes off at its instant or later, never earlier, and is no longer set then.

use std::{cell::Cell, task::Context, time::Instant};

#[cfg(not(loom))]
use super::{
    Arc,
    home::Home,
    schedule::{Scheduler, System, home_of_current},
};

/// Wakes a task at an instant; cleared when it is dropped. It lives in the future that waits.
///
/// It is set with the scheduler of the task that runs then, and cleared there, whoever clears it.
pub(crate) struct Alarm {
    /// What was set, and has not been cleared since.
    set: Cell<Option<Set>>,
}

/// An alarm that was set.
struct Set {
    /// Where it stands among all that are set.
    key: Key,
    /// Whose scheduler has it, if it is not the system's.
    #[cfg(not(loom))]
    home: Option<Arc<Home>>,
}

impl Alarm {
    pub(crate) const fn new() -> Self {
        Self {
            set: Cell::new(None),
        }
    }

    /// Whether it was set, and not cleared since; it may have gone off.
    pub(crate) fn is_set(&self) -> bool {
        let set = self.set.take();
        let is_set = set.is_some();
        self.set.set(set);
        is_set
    }

    /// Lets the task of `context` be woken once the clock has come to `at`, and no longer at what was set before.
    #[cfg(not(loom))]
    pub(crate) fn set(&self, at: Instant, context: &Context<'_>) {
        let home = home_of_current();
        let before = self.set.take();
        let old = match before {
            Some(before) if is_same(before.home.as_ref(), home.as_ref()) => Some(before.key),
            Some(elsewhere) => {
                elsewhere.clear();
                None
            }
            None => None,
        };
        let key = scheduler_of(home.as_ref()).set_alarm(old, at, context.waker());
        self.set.set(Some(Set { key, home }));
    }

    /// Whoever waits for an instant is woken at once.
    #[cfg(loom)]
    pub(crate) fn set(&self, at: Instant, context: &Context<'_>) {
        context.waker().wake_by_ref();
        self.set.set(Some(Set { key: (at, 0) }));
    }

    /// Lets the task sleep.
    #[inline]
    pub(crate) fn clear(&self) {
        if let Some(set) = self.set.take() {
            set.clear();
        }
    }
}

impl Set {
    #[cfg(not(loom))]
    fn clear(self) {
        scheduler_of(self.home.as_ref()).clear_alarm(self.key);
    }

    /// Loom has no clock, and its threads end with each run.
    #[cfg(loom)]
    fn clear(self) {
        let _ = self.key;
    }
}

#[cfg(not(loom))]
fn scheduler_of(home: Option<&Arc<Home>>) -> &dyn Scheduler {
    home.map_or(&System, |home| home.scheduler())
}

#[cfg(not(loom))]
fn is_same(one: Option<&Arc<Home>>, other: Option<&Arc<Home>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (None, None) => true,
        _ => false,
    }
}

impl Drop for Alarm {
    #[inline]
    fn drop(&mut self) {
        self.clear();
    }
}

/// An alarm that is set, in the order in which they go off; the number tells those apart that are set to the same instant.
pub(crate) type Key = (Instant, u64);

/// The alarms of the system's scheduler.
#[cfg(not(loom))]
pub(super) mod service {
    use std::{
        collections::BTreeMap,
        mem,
        panic::{AssertUnwindSafe, catch_unwind},
        task::Waker,
        time::{Duration, Instant},
    };

    use super::Key;
    use crate::sync::{
        Mutex,
        thread::{self, Thread},
        time::now_of_system,
    };

    /// How long the thread stays when no alarm is left: an alternation in a loop sets one in each turn, and to
    /// start a thread each time would cost more than the wait.
    pub(super) const LINGER: Duration = Duration::from_millis(500);

    static ALARMS: Mutex<Alarms> = Mutex::new(Alarms::new());

    /// All alarms that are set, and the thread that makes them go off.
    pub(super) struct Alarms {
        set: BTreeMap<Key, Waker>,
        numbers: u64,
        thread: Option<Thread>,
        sleep: Sleep,
    }

    /// Until when the thread sleeps, if nobody wakes it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(super) enum Sleep {
        /// It is awake, and will look before it sleeps.
        Awake,
        /// Until an alarm.
        Alarm(Instant),
        /// No alarm was left: until it may end.
        Linger(Instant),
    }

    /// What the thread does next.
    pub(super) enum Next {
        Wake(Waker),
        Sleep(Instant),
        End,
    }

    impl Alarms {
        pub(super) const fn new() -> Self {
            Self {
                set: BTreeMap::new(),
                numbers: 0,
                thread: None,
                sleep: Sleep::Awake,
            }
        }

        /// Whether the alarm `key` is set to `at` and wakes what `waker` wakes.
        fn has(&self, key: Key, at: Instant, waker: &Waker) -> bool {
            key.0 == at
                && self
                    .set
                    .get(&key)
                    .is_some_and(|known| known.will_wake(waker))
        }

        /// Sets an alarm in the place of `old`. Returns its key, what it replaced, and whether the thread must
        /// look again, because it would sleep too long.
        pub(super) fn insert(
            &mut self,
            old: Option<Key>,
            at: Instant,
            waker: Waker,
        ) -> (Key, Option<Waker>, bool) {
            let replaced = old.and_then(|old| self.set.remove(&old));
            let key = (at, self.numbers);
            self.numbers += 1;
            self.set.insert(key, waker);
            let too_long = match self.sleep {
                Sleep::Awake => false,
                Sleep::Alarm(until) | Sleep::Linger(until) => at < until,
            };
            if too_long {
                self.sleep = Sleep::Awake;
            }
            (key, replaced, too_long)
        }

        /// Takes an alarm back. Returns its waker, and whether the thread must look again, because it sleeps for
        /// an alarm, maybe for hours, and none is left.
        pub(super) fn remove(&mut self, key: Key) -> (Option<Waker>, bool) {
            let removed = self.set.remove(&key);
            let for_nothing = self.set.is_empty() && matches!(self.sleep, Sleep::Alarm(_));
            if for_nothing {
                self.sleep = Sleep::Awake;
            }
            (removed, for_nothing)
        }

        /// What the thread does next, if it is `now`.
        pub(super) fn next(&mut self, now: Instant) -> Next {
            if let Some(first) = self.set.first_entry() {
                let (at, _) = *first.key();
                if at <= now {
                    self.sleep = Sleep::Awake;
                    return Next::Wake(first.remove());
                }
                self.sleep = Sleep::Alarm(at);
                return Next::Sleep(at);
            }
            match self.sleep {
                Sleep::Linger(until) if until <= now => {
                    self.sleep = Sleep::Awake;
                    self.thread = None;
                    Next::End
                }
                Sleep::Linger(until) => Next::Sleep(until),
                Sleep::Awake | Sleep::Alarm(_) => {
                    let until = now + LINGER;
                    self.sleep = Sleep::Linger(until);
                    Next::Sleep(until)
                }
            }
        }
    }

    pub(in crate::sync) fn set(old: Option<Key>, at: Instant, waker: &Waker) -> Key {
        if let Some(old) = old
            && ALARMS.lock().has(old, at, waker)
        {
            return old;
        }
        // Cloned before the lock is taken, and what is replaced is dropped after: both are foreign code.
        let waker = waker.clone();
        let mut alarms = ALARMS.lock();
        if alarms.thread.is_none() {
            alarms.thread = Some(start());
            alarms.sleep = Sleep::Awake;
        }
        let (key, replaced, must_look) = alarms.insert(old, at, waker);
        let thread = alarms.thread.clone().filter(|_| must_look);
        drop(alarms);
        if let Some(thread) = thread {
            thread.unpark();
        }
        drop(replaced);
        key
    }

    pub(in crate::sync) fn clear(key: Key) {
        let mut alarms = ALARMS.lock();
        let (removed, must_look) = alarms.remove(key);
        let thread = alarms.thread.clone().filter(|_| must_look);
        drop(alarms);
        if let Some(thread) = thread {
            thread.unpark();
        }
        drop(removed);
    }

    /// Starts the thread. It waits for the lock, which the caller holds.
    fn start() -> Thread {
        match std::thread::Builder::new()
            .name("handover-timer".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(run)
        {
            Ok(started) => started.thread().clone(),
            Err(error) => panic!(
                "cannot start the one thread that wakes tasks in time: {error}; allow this process one more thread"
            ),
        }
    }

    /// The thread calls wakers and nothing else; they push to run queues and wake threads.
    const STACK_BYTES: usize = 256 * 1024;

    fn run() {
        loop {
            let now = now_of_system();
            let next = ALARMS.lock().next(now);
            match next {
                Next::Wake(waker) => {
                    // A foreign waker that panics has told of it, and must not silence all other alarms. What it
                    // threw is forgotten, because dropping it is foreign code too.
                    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                        mem::forget(payload);
                    }
                }
                Next::Sleep(until) => {
                    thread::park_until(until);
                }
                Next::End => return,
            }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::{
        task::Waker,
        time::{Duration, Instant},
    };

    use super::service::{Alarms, LINGER, Next};

    const SECOND: Duration = Duration::from_secs(1);

    fn waker() -> Waker {
        Waker::noop().clone()
    }

    fn sleeps_until(alarms: &mut Alarms, now: Instant) -> Instant {
        match alarms.next(now) {
            Next::Sleep(until) => until,
            Next::Wake(_) => panic!("an alarm went off"),
            Next::End => panic!("the thread ended"),
        }
    }

    #[test]
    fn alarms_go_off_in_the_order_of_their_instants_and_none_early() {
        let mut alarms = Alarms::new();
        let now = Instant::now();
        for seconds in [3, 1, 2, 1] {
            alarms.insert(None, now + seconds * SECOND, waker());
        }
        assert_eq!(sleeps_until(&mut alarms, now), now + SECOND);
        let almost = now + SECOND.saturating_sub(Duration::from_nanos(1));
        assert_eq!(sleeps_until(&mut alarms, almost), now + SECOND);
        for _ in 0..2 {
            assert!(matches!(alarms.next(now + SECOND), Next::Wake(_)));
        }
        assert_eq!(sleeps_until(&mut alarms, now + SECOND), now + 2 * SECOND);
    }

    #[test]
    fn the_thread_is_woken_for_an_alarm_before_the_one_that_it_sleeps_for_and_for_no_other() {
        let mut alarms = Alarms::new();
        let now = Instant::now();
        alarms.insert(None, now + 2 * SECOND, waker());
        sleeps_until(&mut alarms, now);
        let (.., must_look) = alarms.insert(None, now + 3 * SECOND, waker());
        assert!(!must_look);
        let (.., must_look) = alarms.insert(None, now + SECOND, waker());
        assert!(must_look);
        let (.., twice) = alarms.insert(None, now + SECOND / 2, waker());
        assert!(!twice, "it was woken and has not slept since");
    }

    #[test]
    fn an_alarm_that_is_set_anew_goes_off_once() {
        let mut alarms = Alarms::new();
        let now = Instant::now();
        let (key, ..) = alarms.insert(None, now + SECOND, waker());
        let (_, replaced, _) = alarms.insert(Some(key), now + 2 * SECOND, waker());
        assert!(replaced.is_some());
        assert_eq!(sleeps_until(&mut alarms, now + SECOND), now + 2 * SECOND);
    }

    #[test]
    fn with_no_alarm_left_the_thread_lingers_and_ends() {
        let mut alarms = Alarms::new();
        let now = Instant::now();
        let (key, ..) = alarms.insert(None, now + 3_600 * SECOND, waker());
        sleeps_until(&mut alarms, now);
        let (removed, must_look) = alarms.remove(key);
        assert!(removed.is_some() && must_look, "else it would stay an hour");
        assert_eq!(sleeps_until(&mut alarms, now), now + LINGER);
        // An alarm after that does not wake it, nor does taking it back.
        let (key, _, must_look) = alarms.insert(None, now + 3_600 * SECOND, waker());
        assert!(!must_look);
        assert!(!alarms.remove(key).1);
        assert_eq!(sleeps_until(&mut alarms, now), now + LINGER);
        assert!(matches!(alarms.next(now + LINGER), Next::End));
    }

    #[test]
    fn an_alarm_that_was_taken_back_is_silent() {
        let mut alarms = Alarms::new();
        let now = Instant::now();
        let (key, ..) = alarms.insert(None, now, waker());
        alarms.remove(key);
        sleeps_until(&mut alarms, now);
        assert!(alarms.remove(key).0.is_none(), "it is gone");
    }
}
