//! The watch over a network that runs: it looks for deadlocks when everybody waits, and now and then in any case.
//!
//! A thread of its own looks every [`INTERVAL`], so that a process that computes for long delays nothing. Looking costs
//! the more the larger the network is; it never takes more than about a twentieth of the time.

use std::{
    collections::HashSet,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    time::{Duration, Instant},
};

use super::{graph, registry::Registry, report::Deadlock, trace};
use crate::sync::{Arc, Mutex, thread};

/// How long at most a deadlock is not looked for, in a network that is looked at in a few milliseconds.
const INTERVAL: Duration = Duration::from_millis(40);
/// How many times as long as it takes to look, it is not looked again.
const RESPITE: u32 = 20;
/// Of so many looks the shortest says how long it takes to look. One that waited for a lock, or for the processor, took
/// longer, and would make a small network wait for seconds.
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
}

impl fmt::Debug for OnDeadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Return => "Return",
            Self::Call(_) => "Call(..)",
            Self::Report => "Report",
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
    /// How long the last looks took; the oldest is overwritten next.
    took: [Duration; LOOKS_KNOWN],
    looks: usize,
    /// Not before then is it looked again.
    rests_until: Instant,
    /// The thread that watches, to be unparked at the end.
    watcher: Option<thread::Thread>,
    is_over: bool,
}

impl State {
    /// How long to rest after a look that took so long.
    fn respite(&mut self, took: Duration) -> Duration {
        self.took[self.looks % LOOKS_KNOWN] = took;
        self.looks += 1;
        let least = self.took.into_iter().min().unwrap_or(took);
        least * RESPITE
    }
}

impl Watch {
    pub(super) fn new(registry: Arc<Registry>, policy: OnDeadlock) -> Arc<Self> {
        Arc::new(Self {
            registry,
            state: Mutex::new(State {
                policy,
                told: HashSet::new(),
                took: [Duration::MAX; LOOKS_KNOWN],
                looks: 0,
                rests_until: Instant::now(),
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
        if Instant::now() < state.rests_until {
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

    /// Looks, and acts on what it sees; returns whether it may have woken somebody.
    fn look(&self, state: &mut State) -> bool {
        let began = Instant::now();
        let found = graph::look(&self.registry);
        let respite = state.respite(began.elapsed());
        let has_woken = !found.held_up.is_empty();
        for channel in found.held_up {
            // A foreign waker that panics has been heard of; it is not the end of the watch.
            let _ = catch_unwind(AssertUnwindSafe(|| channel.wake_others()));
        }
        if let Some((deadlock, serials)) = found.deadlock {
            self.act(state, &deadlock, serials);
        }
        state.rests_until = Instant::now() + respite;
        has_woken
    }

    fn act(&self, state: &mut State, deadlock: &Deadlock, serials: Vec<u64>) {
        if deadlock.is_total || matches!(state.policy, OnDeadlock::Return) {
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
            let now = Instant::now();
            if now >= state.rests_until {
                self.look(&mut state);
            }
            let wait = INTERVAL.max(state.rests_until.saturating_duration_since(now));
            drop(state);
            std::thread::park_timeout(wait);
        }
    }

    /// Has a thread keep the watch until what is returned is dropped. Where no thread can be started, it is looked for
    /// deadlocks only when everybody waits.
    pub(super) fn start(self: &Arc<Self>) -> Watching {
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
    fn a_look_that_was_held_up_once_makes_no_long_respite() {
        let watch = Watch::new(Arc::new(Registry::new("held up")), OnDeadlock::Report);
        let mut state = watch.state.lock();
        let usual = Duration::from_micros(50);
        assert_eq!(state.respite(usual), usual * RESPITE);
        assert_eq!(state.respite(Duration::from_secs(1)), usual * RESPITE);
        // A network that has grown is given what it costs after some looks.
        let long = Duration::from_millis(10);
        let respites: Vec<_> = (0..LOOKS_KNOWN).map(|_| state.respite(long)).collect();
        assert_eq!(respites.last(), Some(&(long * RESPITE)));
    }
}
