//! The scheduler of a rehearsal.
//!
//! # Invariants
//!
//! - A task that can run is in `runnable` or in the executor's queue, once; a task is given out from `runnable` alone,
//!   which is in the order of their numbers: so it makes no difference who was woken first.
//! - The time is moved by the thread that runs the tasks alone. It never goes back, and never beyond an alarm that is set.
//! - No lock is held while anything is woken, cloned, dropped or chosen, and none while the registry is asked.

use std::{
    collections::{BTreeMap, btree_map::OccupiedEntry},
    ptr::NonNull,
    sync::Weak,
    task::Waker,
    time::{Duration, Instant},
};

use super::{
    super::{registry::Registry, snapshot::Snapshot},
    Choice, Choose, Fork, HandOver, Rehearsal, moment_of,
};
use crate::sync::{
    Arc, AtomicU64, Mutex, Ordering,
    alarm::Key,
    home::{Local, Queued},
    schedule::{AllWait, Scheduler, Watching},
    task::Task,
};

/// Why a rehearsal ends before all processes have.
pub(super) enum Ending {
    Stuck(Box<Snapshot>),
    TooLong { turns: usize },
    NoSuchOption { taken: usize, options: usize },
}

pub(super) struct Stage {
    /// Weak, for the registry knows the home that knows this.
    registry: Weak<Registry>,
    began: Instant,
    rehearsal: Rehearsal,
    /// How long after that it is. Readable without the lock, for who has the registry's asks for it.
    passed_ns: AtomicU64,
    chooser: Mutex<Box<dyn Choose>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    alarms: BTreeMap<Key, Waker>,
    /// How many alarms were set.
    numbers: u64,
    runnable: Vec<Queued>,
    turns: usize,
    /// Whether an operation has begun in this turn.
    has_begun: bool,
    /// Who runs, or ran last.
    runs: Option<(u32, String)>,
    /// What has changed hands in this turn.
    notes: Vec<Note>,
    hand_overs: Vec<HandOver>,
    choices: Vec<Choice>,
    ending: Option<Ending>,
}

/// A hand-over, as the channel tells of it.
#[derive(Debug, Clone, Copy)]
struct Note {
    at: Duration,
    channel: usize,
    from: Option<u32>,
    to: Option<u32>,
}

impl Stage {
    pub(super) fn new(
        registry: &Arc<Registry>,
        rehearsal: &Rehearsal,
        chooser: Box<dyn Choose>,
    ) -> Self {
        Self {
            registry: Arc::downgrade(registry),
            began: registry.began(),
            rehearsal: rehearsal.clone(),
            passed_ns: AtomicU64::new(0),
            chooser: Mutex::new(chooser),
            state: Mutex::new(State::default()),
        }
    }

    /// How much time has passed.
    pub(super) fn time(&self) -> Duration {
        Duration::from_nanos(self.passed_ns.load(Ordering::Acquire))
    }

    /// What has come of it.
    pub(super) fn take(&self) -> (Option<Ending>, Vec<HandOver>, Vec<Choice>) {
        self.write_down();
        let mut state = self.state.lock();
        // Of what was forgotten, and never dropped: its task knows the home that knows this.
        let forgotten = std::mem::take(&mut state.alarms);
        let taken = (
            state.ending.take(),
            std::mem::take(&mut state.hand_overs),
            std::mem::take(&mut state.choices),
        );
        drop(state);
        drop(forgotten);
        taken
    }

    /// Chooses one of several options.
    fn choose(&self, fork: Fork) -> usize {
        let options = fork.options();
        if options < 2 || self.state.lock().ending.is_some() {
            return 0;
        }
        let taken = self.chooser.lock().choose(fork);
        let mut state = self.state.lock();
        if taken >= options {
            state.ending = Some(Ending::NoSuchOption { taken, options });
            return 0;
        }
        state.choices.push(Choice { options, taken });
        taken
    }

    /// Time passes to the earliest alarm, which goes off with all of that instant; returns whether there is one.
    fn pass_time(&self) -> bool {
        let Some(at) = self.state.lock().alarms.keys().next().map(|(at, _)| *at) else {
            return false;
        };
        let passed = at.saturating_duration_since(self.began).as_nanos();
        // Six hundred years.
        let passed = u64::try_from(passed).unwrap_or(u64::MAX);
        // One that was set for an instant before now is due now.
        self.passed_ns.fetch_max(passed, Ordering::AcqRel);
        loop {
            let due = {
                let mut state = self.state.lock();
                let first = state.alarms.first_entry();
                let due = first.filter(|first| first.key().0 <= at);
                due.map(OccupiedEntry::remove)
            };
            match due {
                Some(waker) => waker.wake(),
                None => return true,
            }
        }
    }

    /// Takes in those that can run.
    fn take_in(&self, queue: &Local) {
        let mut state = self.state.lock();
        while let Some(task) = queue.take_first().or_else(|| queue.take_next()) {
            let number = number_of(task);
            let at = state
                .runnable
                .partition_point(|Queued(other)| number_of(*other) < number);
            state.runnable.insert(at, Queued(task));
        }
    }

    /// Says in words what has changed hands in the turn that is over. Who has ended in it is known by its name still, and
    /// the channel by the other, who has not run since.
    fn write_down(&self) {
        let (notes, runs) = {
            let mut state = self.state.lock();
            if state.notes.is_empty() {
                return;
            }
            (std::mem::take(&mut state.notes), state.runs.clone())
        };
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let told = registry.read(|tables| {
            let process = |id: u32| match &runs {
                Some((own, name)) if *own == id => Some(name.clone()),
                _ => Some(tables.processes.get(id)?.name.to_string()),
            };
            let channel = |place| {
                let mut all = tables.channels.iter();
                let found = all.find(|(_, entry)| entry.observed.contains(place));
                found.map(|(_, entry)| entry.name.to_string())
            };
            let tell = |note: Note| HandOver {
                at: note.at,
                channel: channel(note.channel).unwrap_or_else(|| "?".to_owned()),
                from: note.from.and_then(process),
                to: note.to.and_then(process),
            };
            notes.into_iter().map(tell).collect::<Vec<_>>()
        });
        self.state.lock().hand_overs.extend(told);
    }

    /// The task gets a turn.
    fn begin_turn(&self, task: NonNull<Task>) {
        let number = number_of(task);
        let name = self
            .registry
            .upgrade()
            .map(|registry| registry.name_of(number));
        let mut state = self.state.lock();
        state.turns += 1;
        state.has_begun = false;
        state.runs = name.map(|name| (number, name));
    }

    /// Whether it is over, whoever could run.
    fn is_over(&self) -> bool {
        let mut state = self.state.lock();
        if state.turns >= self.rehearsal.turns_max && state.ending.is_none() {
            let turns = state.turns;
            state.ending = Some(Ending::TooLong { turns });
        }
        state.ending.is_some()
    }
}

fn number_of(task: NonNull<Task>) -> u32 {
    // SAFETY: what is in a queue is alive.
    unsafe { task.as_ref() }.id()
}

impl Scheduler for Stage {
    fn now(&self) -> Instant {
        self.began + self.time()
    }

    fn set_alarm(&self, old: Option<Key>, at: Instant, waker: &Waker) -> Key {
        let waker = waker.clone();
        let mut state = self.state.lock();
        let replaced = old.and_then(|old| state.alarms.remove(&old));
        let key = (at, state.numbers);
        state.numbers += 1;
        state.alarms.insert(key, waker);
        drop(state);
        drop(replaced);
        key
    }

    fn clear_alarm(&self, alarm: Key) {
        let removed = self.state.lock().alarms.remove(&alarm);
        drop(removed);
    }

    fn runs_within(&self) -> bool {
        false
    }

    fn next(&self, _runnable: &Local, _straight: u32) -> Option<NonNull<Task>> {
        None
    }

    fn first(&self, runnable: &Local) -> Option<NonNull<Task>> {
        self.write_down();
        loop {
            self.take_in(runnable);
            let (count, has_alarm) = {
                let state = self.state.lock();
                (state.runnable.len(), !state.alarms.is_empty())
            };
            if count == 0 || self.is_over() {
                return None;
            }
            let time = self.rehearsal.time_may_pass && has_alarm;
            let taken = self.choose(Fork::Turn {
                runnable: count,
                time,
            });
            if taken == count {
                self.pass_time();
                continue;
            }
            let Queued(task) = self.state.lock().runnable.remove(taken);
            self.begin_turn(task);
            return Some(task);
        }
    }

    fn pick(&self, guards: usize) -> usize {
        self.choose(Fork::Guard { able: guards })
    }

    fn may_begin(&self) -> bool {
        let mut state = self.state.lock();
        let has_begun = std::mem::replace(&mut state.has_begun, true);
        !has_begun || !self.rehearsal.operations_apart
    }

    fn all_wait(&self) -> AllWait {
        if self.is_over() {
            return AllWait::End;
        }
        let Some(registry) = self.registry.upgrade() else {
            return AllWait::End;
        };
        if registry.home.has_injected() || self.pass_time() {
            return AllWait::GoOn;
        }
        let moment = moment_of(&registry);
        self.state.lock().ending = Some(Ending::Stuck(moment));
        AllWait::End
    }

    fn watching(&self) -> Watching {
        if self.is_over() {
            Watching::Nobody
        } else {
            Watching::AtRest
        }
    }

    fn is_to_look(&self) -> bool {
        self.rehearsal.looks_between_turns
    }

    fn has_changed_hands(&self, channel: usize, from: Option<u32>, to: Option<u32>) {
        let at = self.time();
        self.state.lock().notes.push(Note {
            at,
            channel,
            from,
            to,
        });
    }
}
