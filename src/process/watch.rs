//! The watch over a network that runs: it looks for deadlocks when everybody waits, and now and then in any case.
//!
//! A thread of its own looks every [`INTERVAL`], so that a process that computes for long delays nothing. Looking costs
//! the more the larger the network is, so a large one is looked at less often: of the time of a network that is busy it
//! takes a fiftieth of one processor at most ([`RESPITE`]), and somewhat more only where everybody has waited since
//! ([`RESPITE_IDLE`]). What counts is the time for which the processor had to do with it: a look that was held up (it
//! waited for a lock, or for a processor that had other work) does not make the next one late.
//!
//! Who looks, and what the time is, is for the [scheduler](crate::sync::schedule) to say: where time is virtual there is no
//! such thread.

use std::{
    collections::HashSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use super::{graph, registry::Registry, report::Deadlock, trace};
use crate::sync::{Arc, Mutex, thread, time::Stint};

/// How long at most a deadlock is not looked for, in a network that is looked at in a few milliseconds.
const INTERVAL: Duration = Duration::from_millis(40);
/// How many times as long as it takes to look, it is not looked again: a busy network gives a fiftieth to it.
const RESPITE: u32 = 50;
/// The same for the thread that watches, where everybody has waited since: maybe they still do, and the time is taken from
/// nobody.
const RESPITE_IDLE: u32 = 10;
/// Where the time on the processor cannot be told, of so many looks the shortest says how long it takes to look: one that
/// was held up took longer, and would make a small network wait for seconds.
const LOOKS_KNOWN: usize = 4;

/// What follows when some processes of a network are deadlocked while others still run.
pub enum OnDeadlock {
    /// The run ends, and returns the deadlock.
    Return,
    /// The closure is called, from the thread that watches, once for each set of processes that is found. A panic of
    /// it is printed, and goes no further.
    Call(Box<dyn FnMut(&Deadlock) + Send>),
    /// It shows in snapshots and reports, and nothing else follows.
    Report,
    /// Nobody looks for one, neither while others run nor when nobody can go on: there is no thread that watches, and
    /// nothing is done when everybody waits. Processes that wait for each other wait for ever then, and the run with
    /// them, as in other runtimes: [`run`](super::Network::run) does not return.
    ///
    /// For measuring what the search costs, and for a network that must not have another thread. A hand-over takes the
    /// same instructions either way. [`Observer::snapshot`](super::Observer::snapshot) still finds a deadlock at the
    /// moment for which it is asked; what is measured over time (rates, the part for which a process was blocked) is
    /// measured from one snapshot to the next.
    Ignore,
}

impl fmt::Debug for OnDeadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Return => "Return",
            Self::Call(_) => "Call(..)",
            Self::Report => "Report",
            Self::Ignore => "Ignore",
        })
    }
}

pub(super) struct Watch {
    registry: Arc<Registry>,
    state: Mutex<State>,
}

struct State {
    policy: OnDeadlock,
    /// The sets of processes that were told of, by their serials.
    told: HashSet<Vec<u64>>,
    rest: Rest,
    /// The thread that watches, to be unparked at the end.
    watcher: Option<thread::Thread>,
    is_over: bool,
}

/// When it may be looked again.
struct Rest {
    /// How long the last looks took by the clock, where that is all that can be told; the oldest is overwritten next.
    took: [Duration; LOOKS_KNOWN],
    looks: usize,
    ended: Instant,
    /// How much of the processor's time the last look is counted for.
    cost: Duration,
    /// Everybody waited at some moment since.
    is_idle: bool,
}

impl Rest {
    fn new(now: Instant) -> Self {
        Self {
            took: [Duration::MAX; LOOKS_KNOWN],
            looks: 0,
            ended: now,
            cost: Duration::ZERO,
            is_idle: false,
        }
    }

    /// A look has ended `now`, which has cost `on_processor`, or has taken `by_the_clock` if that cannot be told.
    fn begin(&mut self, now: Instant, on_processor: Option<Duration>, by_the_clock: Duration) {
        self.took[self.looks % LOOKS_KNOWN] = by_the_clock;
        self.looks += 1;
        let least = || self.took.into_iter().min().unwrap_or(by_the_clock);
        self.cost = on_processor.unwrap_or_else(least);
        self.ended = now;
        self.is_idle = false;
    }

    /// Whether `respite` times what the last look has cost has passed at `now`.
    fn is_over(&self, respite: u32, now: Instant) -> bool {
        now.saturating_duration_since(self.ended) >= self.cost.saturating_mul(respite)
    }

    /// Whether the thread that watches may look.
    fn is_over_for_watcher(&self, now: Instant) -> bool {
        let respite = if self.is_idle { RESPITE_IDLE } else { RESPITE };
        self.is_over(respite, now)
    }
}

impl Watch {
    pub(super) fn new(registry: Arc<Registry>, policy: OnDeadlock) -> Arc<Self> {
        let rest = Rest::new(registry.now());
        Arc::new(Self {
            registry,
            state: Mutex::new(State {
                policy,
                told: HashSet::new(),
                rest,
                watcher: None,
                is_over: false,
            }),
        })
    }

    /// Everybody waits: looks at once, unless it was looked so lately that the looking would take too much time, or
    /// somebody looks at this moment. Where a closure may have to be called, the thread that watches looks: whoever
    /// runs processes does not wait for it.
    ///
    /// Returns whether it may have woken somebody.
    pub(super) fn look_while_idle(&self) -> bool {
        let Some(mut state) = self.state.try_lock() else {
            return false;
        };
        if matches!(state.policy, OnDeadlock::Ignore) {
            return false;
        }
        // If it is too early, the thread that watches looks the sooner for it.
        state.rest.is_idle = true;
        if !state.rest.is_over(RESPITE, self.registry.now()) {
            return false;
        }
        match (&state.policy, &state.watcher) {
            (OnDeadlock::Call(_), Some(watcher)) => {
                watcher.unpark();
                false
            }
            _ => self.look(&mut state),
        }
    }

    /// Looks at once, whoever asks, and has the closure of [`OnDeadlock::Call`] called here: where there is no thread that
    /// watches. Returns whether it may have woken somebody.
    pub(super) fn look_now(&self) -> bool {
        let mut state = self.state.lock();
        !matches!(state.policy, OnDeadlock::Ignore) && self.look(&mut state)
    }

    /// Looks, and acts on what it sees; returns whether it may have woken somebody.
    fn look(&self, state: &mut State) -> bool {
        let stint = Stint::begin();
        let found = graph::look(&self.registry);
        let (on_processor, by_the_clock) = stint.end();
        let has_woken = !found.held_up.is_empty();
        for channel in found.held_up {
            // A foreign waker that panics has been heard of; it is not the end of the watch.
            let _ = catch_unwind(AssertUnwindSafe(|| channel.wake_others()));
        }
        if let Some((deadlock, serials)) = found.deadlock {
            let is_all = deadlock.is_total;
            self.act(state, &deadlock, serials, is_all);
        }
        let [noted, last] = self.registry.news_from_abroad();
        if let Some(news) = noted
            && Self::ends_the_run(state, news.is_all)
        {
            self.registry.sentence(&news.deadlock);
        }
        if let Some(news) = last {
            self.act(state, &news.deadlock, news.processes, news.is_all);
        }
        let now = self.registry.now();
        state.rest.begin(now, on_processor, by_the_clock);
        has_woken
    }

    fn ends_the_run(state: &State, is_all: bool) -> bool {
        is_all || matches!(state.policy, OnDeadlock::Return)
    }

    /// Acts on a deadlock of these processes; `is_all` says that there are no others.
    fn act(&self, state: &mut State, deadlock: &Deadlock, serials: Vec<u64>, is_all: bool) {
        if Self::ends_the_run(state, is_all) {
            self.registry.condemn(deadlock);
        } else if state.told.insert(serials) {
            trace::deadlocked(deadlock);
            if let OnDeadlock::Call(call) = &mut state.policy {
                // A panic of the closure is printed, and goes no further: without a watch no other deadlock were found.
                let _ = catch_unwind(AssertUnwindSafe(|| call(deadlock)));
            }
        }
    }

    /// Looks now and then until the watch is over.
    fn keep(&self) {
        loop {
            let mut state = self.state.lock();
            if state.is_over {
                return;
            }
            if state.rest.is_over_for_watcher(self.registry.now()) {
                self.look(&mut state);
            }
            drop(state);
            // Also where it rests for longer: it may be idle by then.
            std::thread::park_timeout(INTERVAL);
        }
    }

    /// Has a thread keep the watch until what is returned is dropped. Where no thread can be started, it is looked for
    /// deadlocks only when everybody waits; where they are ignored, there is none and nobody looks.
    pub(super) fn start(self: &Arc<Self>) -> Watching {
        if matches!(self.state.lock().policy, OnDeadlock::Ignore) {
            return Watching {
                watch: Arc::clone(self),
                thread: None,
            };
        }
        let watch = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("handover-watch".to_owned())
            .spawn(move || watch.keep());
        // Should it look before it is known here: it begins by looking.
        self.state.lock().watcher = thread.as_ref().ok().map(|started| started.thread().clone());
        Watching {
            watch: Arc::clone(self),
            thread: thread.ok(),
        }
    }
}

pub(super) struct Watching {
    watch: Arc<Watch>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        {
            let mut state = self.watch.state.lock();
            state.is_over = true;
            if let Some(watcher) = &state.watcher {
                watcher.unpark();
            }
        }
        if let Some(thread) = self.thread.take() {
            // A panic of the callback was printed; the run itself is over.
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_network_gives_a_fiftieth_and_an_idle_one_a_tenth() {
        let now = Instant::now();
        let mut rest = Rest::new(now);
        assert!(rest.is_over_for_watcher(now), "it begins by looking");
        let cost = Duration::from_millis(3);
        rest.begin(now, Some(cost), Duration::from_secs(1));
        let after = |rest: &Rest, respite| rest.is_over_for_watcher(rest.ended + cost * respite);
        assert!(!after(&rest, RESPITE - 1) && after(&rest, RESPITE));
        rest.is_idle = true;
        assert!(!after(&rest, RESPITE_IDLE - 1) && after(&rest, RESPITE_IDLE));
        // Whether it is idle is to be said again after each look.
        rest.begin(now, Some(cost), Duration::from_secs(1));
        assert!(!after(&rest, RESPITE - 1));
    }

    #[test]
    fn where_only_the_clock_tells_a_look_that_was_held_up_once_makes_no_long_rest() {
        let now = Instant::now();
        let mut rest = Rest::new(now);
        let mut cost_after = |took| {
            rest.begin(now, None, took);
            rest.cost
        };
        let usual = Duration::from_micros(50);
        assert_eq!(cost_after(usual), usual);
        assert_eq!(cost_after(Duration::from_secs(1)), usual);
        // A network that has grown is given what it costs after some looks.
        let long = Duration::from_millis(10);
        let costs: Vec<_> = (0..LOOKS_KNOWN).map(|_| cost_after(long)).collect();
        assert_eq!(costs.last(), Some(&long));
    }

    /// Whoever looks waits for the tables. However often that takes long, a small network is looked at again soon.
    #[test]
    fn looks_that_are_all_held_up_make_no_long_rest() {
        const HELD_UP: Duration = Duration::from_millis(40);

        if Stint::begin().end().0.is_none() {
            // The time on the processor cannot be told here.
            return;
        }
        let registry = Arc::new(Registry::new("held up"));
        let watch = Watch::new(Arc::clone(&registry), OnDeadlock::Report);
        for _ in 0..2 * LOOKS_KNOWN {
            let (told, is_held) = std::sync::mpsc::channel();
            let holder = std::thread::spawn({
                let registry = Arc::clone(&registry);
                move || {
                    registry.read(|_| {
                        told.send(()).unwrap();
                        std::thread::sleep(HELD_UP);
                    });
                }
            });
            is_held.recv().unwrap();
            let mut state = watch.state.lock();
            watch.look(&mut state);
            let cost = state.rest.cost;
            assert!(cost < HELD_UP / 2, "waiting counts: {cost:?}");
            holder.join().unwrap();
        }
    }

    #[test]
    fn where_deadlocks_are_ignored_nobody_looks_and_no_thread_does() {
        let registry = Arc::new(Registry::new("ignored"));
        let watch = Watch::new(Arc::clone(&registry), OnDeadlock::Ignore);
        let watching = watch.start();
        assert!(watching.thread.is_none());
        watch.look_while_idle();
        assert_eq!(watch.state.lock().rest.looks, 0);
    }
}
