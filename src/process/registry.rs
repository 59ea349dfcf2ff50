//! What a network knows about itself: its processes, its channels, and who holds which end of what.
//!
//! # Invariants
//!
//! - Whoever holds an end is listed at its channel from before the end can be used until after it is gone. So of a
//!   channel that has closed somebody may still be listed, who runs; never the other way round.
//! - An end that nobody is listed for (taken out, or under way in a parcel) is counted as open.
//! - The lock of the tables is taken before that of a channel, never after.

use std::{cell::Cell, collections::HashMap, sync::OnceLock, task::Waker, time::Instant};

use smallvec::SmallVec;

use super::{
    ending::AllUnsent,
    error::{Failure, RunError},
    islands,
    report::{Crossing, Deadlock},
    snapshot::{self, History, Rate, Snapshot},
    trace,
};
use crate::{
    channel::{
        Reason,
        observe::{Observed, Unbound},
    },
    sync::{
        Arc, AtomicBool, Mutex, Ordering,
        home::Home,
        task::{Task, TaskId, TaskRef},
    },
};

/// Who polls a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Kind {
    /// The network's own scheduler.
    Process,
    /// Nobody: it is a thread, and blocks.
    Thread,
    /// An executor that is not the network's.
    Attached,
}

/// Which end of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Sending,
    Receiving,
}

pub(super) struct ProcessEntry {
    pub(super) name: Box<str>,
    pub(super) task: TaskRef,
    pub(super) kind: Kind,
    /// Whether it can end, or go on, because of something that the network cannot see.
    pub(super) is_open: bool,
    /// It has failed, and is about to poison what it holds.
    pub(super) has_failed: bool,
    /// Whether it may start others.
    pub(super) may_start: bool,
    /// No other process or channel ever has the same.
    pub(super) serial: u64,
    pub(super) history: Cell<History>,
}

pub(super) struct ChannelEntry {
    pub(super) name: Box<str>,
    /// No other channel or process ever has the same.
    pub(super) serial: u64,
    pub(super) observed: Arc<dyn Observed>,
    pub(super) senders: SmallVec<[u32; 1]>,
    pub(super) receivers: SmallVec<[u32; 1]>,
    /// Ends that nobody is listed for.
    pub(super) open: u32,
    /// Who has some of these.
    known_outside: Option<Box<KnownOutside>>,
    /// Who has the right to poison it; most channels have nobody.
    poisoners: Option<Box<Poisoners>>,
    /// Changes with every change of the above.
    pub(super) version: u64,
    pub(super) rate: Cell<Rate>,
}

/// Those who have open ends of a channel and are known by name, one for each end.
#[derive(Default)]
struct KnownOutside(Vec<Arc<Outsider>>);

/// Somebody outside who has an end, and whom reports can name.
#[derive(Debug)]
pub(super) struct Outsider {
    pub(super) name: Box<str>,
    /// Where the channel goes on, if it is a link that has the end.
    pub(super) crossing: Option<Crossing>,
}

/// Who has the right to poison a channel.
#[derive(Default)]
struct Poisoners {
    processes: Vec<u32>,
    /// How many have it whom the network does not know.
    outside: u32,
}

impl ChannelEntry {
    /// The processes that have the right to poison it.
    pub(super) fn poisoners(&self) -> &[u32] {
        self.poisoners.as_ref().map_or(&[], |all| &all.processes)
    }

    /// How many have that right whom the network does not know.
    pub(super) fn outside_poisoners(&self) -> u32 {
        self.poisoners.as_ref().map_or(0, |all| all.outside)
    }

    /// Those who have open ends and are known by name, one for each such end.
    pub(super) fn known_outside(&self) -> &[Arc<Outsider>] {
        self.known_outside.as_ref().map_or(&[], |all| &all.0)
    }

    pub(super) fn holders(&self, side: Side) -> &SmallVec<[u32; 1]> {
        match side {
            Side::Sending => &self.senders,
            Side::Receiving => &self.receivers,
        }
    }

    fn holders_mut(&mut self, side: Side) -> &mut SmallVec<[u32; 1]> {
        match side {
            Side::Sending => &mut self.senders,
            Side::Receiving => &mut self.receivers,
        }
    }

    fn is_forsaken(&self) -> bool {
        self.open == 0
            && self.senders.is_empty()
            && self.receivers.is_empty()
            && self.poisoners.is_none()
    }
}

#[derive(Default)]
pub(super) struct Tables {
    pub(super) processes: Slots<ProcessEntry>,
    pub(super) channels: Slots<ChannelEntry>,
    /// How many serials and versions were given out.
    changes: u64,
    /// When it was looked at everything last.
    pub(super) looked_at_ms: Cell<u32>,
    /// The processes that the network's scheduler polls have been ended: none is taken in any more.
    is_closed: bool,
}

/// Entries with numbers that are used again.
pub(super) struct Slots<E> {
    entries: Vec<Option<E>>,
    free: Vec<u32>,
}

impl<E> Default for Slots<E> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<E> Slots<E> {
    fn reserve(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).expect("at most 2^32 of them at a time")
        })
    }

    fn put(&mut self, id: u32, entry: E) {
        self.entries[id as usize] = Some(entry);
    }

    fn take(&mut self, id: u32) -> Option<E> {
        let entry = self.entries[id as usize].take();
        if entry.is_some() {
            self.free.push(id);
        }
        entry
    }

    pub(super) fn get(&self, id: u32) -> Option<&E> {
        self.entries.get(id as usize)?.as_ref()
    }

    fn get_mut(&mut self, id: u32) -> Option<&mut E> {
        self.entries.get_mut(id as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &E)> {
        (0..)
            .zip(&self.entries)
            .filter_map(|(id, entry)| Some((id, entry.as_ref()?)))
    }

    /// How many numbers are in use, or were.
    pub(super) fn bound(&self) -> usize {
        self.entries.len()
    }
}

/// How a run comes to its end.
#[derive(Default)]
pub(super) struct Verdict {
    pub(super) failure: Option<Failure>,
    pub(super) deadlock: Option<Deadlock>,
    /// That deadlock ends the run now.
    is_condemned: bool,
    /// With which reason the first process that has failed poisons what it holds.
    first_reason: Option<Reason>,
}

pub(super) struct Registry {
    pub(super) name: Box<str>,
    pub(super) home: Arc<Home>,
    /// Set with the tables locked.
    islands: OnceLock<Vec<Arc<Home>>>,
    began: Instant,
    tables: Mutex<Tables>,
    verdict: Mutex<Verdict>,
    /// Who has ended with a message that nobody has taken.
    pub(super) unsent: AllUnsent,
    has_begun: AtomicBool,
    /// It was dropped before it has begun.
    is_abandoned: AtomicBool,
    has_ended: AtomicBool,
    /// Who waits for the run to begin.
    to_call: Mutex<Vec<Waker>>,
    /// Whether anybody can look, so that it is worth while to keep what there was to see.
    is_observed: AtomicBool,
    /// A deadlock that passes through this network and others.
    abroad: Mutex<Option<Abroad>>,
    /// The moment of the deadlock that has ended the run, for those who look afterwards.
    last_moment: Mutex<Option<Snapshot>>,
}

/// A deadlock that passes through this network and others.
pub(super) struct Abroad {
    deadlock: Deadlock,
    /// This network's processes in it, with their turns.
    processes: Vec<(u64, u64)>,
    /// The watch has heard of it.
    is_noted: bool,
    /// What follows from it may follow.
    is_final: bool,
}

/// The same, as the watch hears of it.
pub(super) struct FromAbroad {
    pub(super) deadlock: Deadlock,
    /// This network's processes in it.
    pub(super) processes: Vec<u64>,
    /// There are no others here.
    pub(super) is_all: bool,
}

impl Abroad {
    /// Whether none of the processes has moved.
    fn holds(&self, tables: &Tables) -> bool {
        let turns: HashMap<u64, u64> = tables
            .processes
            .iter()
            .map(|(_, entry)| (entry.serial, entry.task.status().turn() as u64))
            .collect();
        let mut processes = self.processes.iter();
        processes.all(|(process, turn)| turns.get(process) == Some(turn))
    }
}

impl Registry {
    pub(super) fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            home: Arc::new(Home::new()),
            islands: OnceLock::new(),
            began: Instant::now(),
            tables: Mutex::new(Tables::default()),
            verdict: Mutex::new(Verdict::default()),
            unsent: AllUnsent::default(),
            has_begun: AtomicBool::new(false),
            is_abandoned: AtomicBool::new(false),
            has_ended: AtomicBool::new(false),
            to_call: Mutex::new(Vec::new()),
            is_observed: AtomicBool::new(false),
            abroad: Mutex::new(None),
            last_moment: Mutex::new(None),
        }
    }

    /// The run begins: tokens are inert from now on.
    pub(super) fn begin(&self) {
        self.has_begun.store(true, Ordering::Release);
        self.forget_forsaken();
        // Where it is open who meets whom, the straight way is too straight.
        if !self.home.is_rehearsed() {
            self.own_channels();
        }
        let to_call = std::mem::take(&mut *self.to_call.lock());
        for waker in to_call {
            waker.wake();
        }
    }

    /// What declares the processes is gone. If they have not begun they never will, and who waits for that hears it.
    pub(super) fn abandon(&self) {
        if self.has_begun() {
            return;
        }
        self.is_abandoned.store(true, Ordering::Release);
        let to_call = std::mem::take(&mut *self.to_call.lock());
        for waker in to_call {
            waker.wake();
        }
    }

    /// Whether the run will never begin. To be asked after [`call_at_begin`](Self::call_at_begin).
    #[cfg(feature = "net")]
    pub(super) fn is_abandoned(&self) -> bool {
        // Whoever has come too late to be called finds the flag: it is set before they are.
        let _to_call = self.to_call.lock();
        self.is_abandoned.load(Ordering::Acquire)
    }

    /// Several threads will run the processes, which have not begun: some are to be run by one of them at a time.
    pub(super) fn part(&self, threads: usize) {
        self.read(|tables| {
            let parted = self.islands.set(islands::part(tables, &self.home, threads));
            debug_assert!(parted.is_ok(), "a network runs once");
        });
    }

    /// The homes of processes that one thread at a time runs, where several run the network.
    pub(super) fn islands(&self) -> &[Arc<Home>] {
        self.islands.get().map_or(&[], Vec::as_slice)
    }

    /// What one thread at a time runs owns the channels of which nobody else has an end.
    fn own_channels(&self) {
        self.read(|tables| {
            let home_of = |id: &u32| tables.processes.get(*id)?.task.home();
            for (_, entry) in tables.channels.iter() {
                let mut holders = entry.senders.iter().chain(&entry.receivers);
                let Some(home) = holders.next().and_then(home_of) else {
                    continue;
                };
                let is_run_here = |id| home_of(id).is_some_and(|other| Arc::ptr_eq(home, other));
                // Who may poison it hardly ever does.
                let are_processes = entry.poisoners().iter().all(|id| home_of(id).is_some());
                let is_closed = entry.open == 0 && entry.outside_poisoners() == 0;
                if is_closed
                    && are_processes
                    && !home.is_shared()
                    && holders.all(is_run_here)
                    && home.will_own()
                {
                    entry.observed.own(home);
                }
            }
        });
    }

    /// Has `waker` woken when the run begins; returns whether it has begun already.
    pub(super) fn call_at_begin(&self, waker: &Waker) -> bool {
        let waker = waker.clone();
        let old = {
            let mut to_call = self.to_call.lock();
            // Whoever begins sets the flag before it comes for the wakers.
            if self.has_begun() {
                return true;
            }
            let known = to_call.iter_mut().find(|other| other.will_wake(&waker));
            let Some(other) = known else {
                to_call.push(waker);
                return false;
            };
            std::mem::replace(other, waker)
        };
        drop(old);
        false
    }

    pub(super) fn is_running(&self) -> bool {
        self.has_begun() && !self.has_ended.load(Ordering::Acquire)
    }

    /// Somebody can look from now on.
    pub(super) fn note_observer(&self) {
        self.is_observed.store(true, Ordering::Release);
    }

    /// What there was to see when a deadlock has ended the run.
    pub(super) fn last_moment(&self) -> Option<Snapshot> {
        self.last_moment.lock().clone()
    }

    pub(super) fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// For how long it has existed, in milliseconds; after seven weeks it stands still.
    pub(super) fn age_ms(&self) -> u32 {
        let age = self.now().saturating_duration_since(self.began);
        u32::try_from(age.as_millis()).unwrap_or(u32::MAX)
    }

    /// What time it is here.
    pub(super) fn now(&self) -> Instant {
        self.home.scheduler().now()
    }

    /// Since when it exists.
    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// What it knows, for as long as `read` takes: nobody can take up or give up an end meanwhile.
    pub(super) fn read<R>(&self, read: impl FnOnce(&Tables) -> R) -> R {
        read(&self.tables.lock())
    }

    /// For while all channels are looked at: the thread that owns some of them takes their locks as everybody does,
    /// which costs it time, so this is to be as short as it can be.
    pub(super) fn among_channels<R>(&self, look: impl FnOnce() -> R) -> R {
        let _suspension = self.home.suspend_bias_for_long(self.islands());
        look()
    }

    pub(super) fn add_channel<T: Send + 'static>(&self, name: &str, channel: &Unbound<T>) -> u32 {
        let mut tables = self.tables.lock();
        let id = tables.channels.reserve();
        tables.changes += 1;
        let version = tables.changes;
        tables.channels.put(
            id,
            ChannelEntry {
                name: name.into(),
                serial: version,
                observed: channel.observed(),
                senders: SmallVec::new(),
                receivers: SmallVec::new(),
                open: 0,
                known_outside: None,
                poisoners: None,
                version,
                rate: Cell::new(Rate::default()),
            },
        );
        id
    }

    /// A number for a process that is about to be added.
    pub(super) fn reserve_process(&self) -> u32 {
        self.tables.lock().processes.reserve()
    }

    /// Returns false if it is too late: its scheduler has ended.
    pub(super) fn add_process(&self, name: &str, task: TaskRef, kind: Kind, is_open: bool) -> bool {
        let mut tables = self.tables.lock();
        if tables.is_closed && kind == Kind::Process {
            drop(tables);
            drop(task);
            return false;
        }
        tables.changes += 1;
        let serial = tables.changes;
        let id = task.id();
        tables.processes.put(
            id,
            ProcessEntry {
                name: name.into(),
                task,
                kind,
                is_open,
                has_failed: false,
                may_start: false,
                serial,
                history: Cell::new(History::begun(self.age_ms())),
            },
        );
        true
    }

    /// It is certain that a process ends, or goes on, only because of what the network can see.
    pub(super) fn close_process(&self, id: u32) {
        if let Some(entry) = self.tables.lock().processes.get_mut(id) {
            entry.is_open = false;
        }
    }

    /// A process may start others.
    pub(super) fn note_starter(&self, id: u32) {
        if let Some(entry) = self.tables.lock().processes.get_mut(id) {
            entry.may_start = true;
        }
    }

    /// Where those are run that the process `id` starts: where it is run itself, if we run it.
    pub(super) fn home_of(&self, id: u32) -> Arc<Home> {
        self.read(|tables| {
            let entry = tables.processes.get(id);
            let own = entry.and_then(|entry| entry.task.home());
            Arc::clone(own.unwrap_or(&self.home))
        })
    }

    /// A process has failed: whoever waits at a channel of which it has an end is about to hear of it.
    pub(super) fn note_failing(&self, id: u32) {
        if let Some(entry) = self.tables.lock().processes.get_mut(id) {
            entry.has_failed = true;
        }
    }

    /// A process has ended, and its ends are gone.
    pub(super) fn remove_process(&self, id: u32) {
        let entry = self.tables.lock().processes.take(id);
        // The last hold of a task drops its future, which is foreign code.
        drop(entry);
    }

    /// The same, unless it has said so itself: then its number may be another's by now.
    pub(super) fn remove_task(&self, task: &TaskRef) {
        let entry = {
            let mut tables = self.tables.lock();
            if tables.is_of(task) {
                tables.processes.take(task.id())
            } else {
                None
            }
        };
        drop(entry);
    }

    pub(super) fn name_of_task(&self, task: &TaskRef) -> String {
        self.read(|tables| {
            let entry = tables.processes.get(task.id());
            match entry.filter(|_| tables.is_of(task)) {
                Some(entry) => entry.name.to_string(),
                None => "a process that has ended".to_owned(),
            }
        })
    }

    pub(super) fn name_of(&self, id: u32) -> String {
        self.read(|tables| match tables.processes.get(id) {
            Some(entry) => entry.name.to_string(),
            None => format!("process {id}"),
        })
    }

    fn change_channel(&self, id: u32, change: impl FnOnce(&mut ChannelEntry)) {
        let forsaken = {
            let mut tables = self.tables.lock();
            tables.changes += 1;
            let version = tables.changes;
            let Some(entry) = tables.channels.get_mut(id) else {
                return;
            };
            change(entry);
            entry.version = version;
            if entry.is_forsaken() {
                tables.channels.take(id)
            } else {
                None
            }
        };
        // Messages within credit may be dropped with it, which is foreign code.
        drop(forsaken);
    }

    /// A process takes up an end.
    pub(super) fn hold(&self, channel: u32, side: Side, process: u32) {
        self.change_channel(channel, |entry| entry.holders_mut(side).push(process));
    }

    /// A process has given up an end.
    pub(super) fn let_go(&self, channel: u32, side: Side, process: u32) {
        self.change_channel(channel, |entry| {
            let holders = entry.holders_mut(side);
            if let Some(at) = holders.iter().position(|&holder| holder == process) {
                holders.swap_remove(at);
            }
        });
    }

    /// An end is out in the open.
    pub(super) fn open(&self, channel: u32) {
        self.change_channel(channel, |entry| {
            entry.open += 1;
            entry.observed.disown();
        });
    }

    /// An end is out in the open no more.
    pub(super) fn close(&self, channel: u32) {
        self.change_channel(channel, |entry| entry.open -= 1);
    }

    /// An end is with somebody outside who is known by name.
    #[cfg(feature = "net")]
    pub(super) fn open_for(&self, channel: u32, holder: &Arc<Outsider>) {
        self.change_channel(channel, |entry| {
            entry.open += 1;
            let known = entry.known_outside.get_or_insert_default();
            known.0.push(Arc::clone(holder));
            entry.observed.disown();
        });
    }

    /// It is not any more.
    #[cfg(feature = "net")]
    pub(super) fn close_for(&self, channel: u32, holder: &Arc<Outsider>) {
        self.change_channel(channel, |entry| {
            entry.open -= 1;
            let Some(known) = &mut entry.known_outside else {
                return;
            };
            if let Some(at) = known.0.iter().position(|other| Arc::ptr_eq(other, holder)) {
                known.0.swap_remove(at);
            }
            if known.0.is_empty() {
                entry.known_outside = None;
            }
        });
    }

    /// A process, or somebody outside where none is named, has the right to poison a channel from now on.
    pub(super) fn take_poison(&self, channel: u32, process: Option<u32>) {
        self.change_channel(channel, |entry| {
            let poisoners = entry.poisoners.get_or_insert_default();
            match process {
                Some(process) => poisoners.processes.push(process),
                None => poisoners.outside += 1,
            }
        });
    }

    /// It has that right no more.
    pub(super) fn leave_poison(&self, channel: u32, process: Option<u32>) {
        self.change_channel(channel, |entry| {
            let Some(poisoners) = &mut entry.poisoners else {
                return;
            };
            match process {
                Some(process) => {
                    let mut all = poisoners.processes.iter();
                    if let Some(at) = all.position(|&other| other == process) {
                        poisoners.processes.swap_remove(at);
                    }
                }
                None => poisoners.outside -= 1,
            }
            if poisoners.processes.is_empty() && poisoners.outside == 0 {
                entry.poisoners = None;
            }
        });
    }

    /// Channels of which nobody has an end, from which nothing can come any more, are forgotten.
    pub(super) fn forget_forsaken(&self) {
        let forsaken: Vec<_> = {
            let mut tables = self.tables.lock();
            let ids: Vec<u32> = tables
                .channels
                .iter()
                .filter(|(_, entry)| entry.is_forsaken())
                .map(|(id, _)| id)
                .collect();
            ids.into_iter().map(|id| tables.channels.take(id)).collect()
        };
        drop(forsaken);
    }

    /// Poisons every channel, so that whoever is blocked at one hears of it.
    pub(super) fn poison_all(&self, reason: &Reason) {
        let channels: Vec<_> = self.read(|tables| {
            tables
                .channels
                .iter()
                .map(|(_, entry)| Arc::clone(&entry.observed))
                .collect()
        });
        for channel in channels {
            channel.poison(reason.clone());
        }
    }

    /// Takes in no process any more; returns the tasks of all that have not ended and that are polled by the network's
    /// scheduler.
    pub(super) fn close_to_processes(&self) -> Vec<TaskRef> {
        let mut tables = self.tables.lock();
        tables.is_closed = true;
        tables
            .processes
            .iter()
            .filter(|(_, entry)| entry.kind == Kind::Process)
            .map(|(_, entry)| entry.task.clone())
            .collect()
    }

    /// Notes that a process has failed; the first one is what the run says at its end. Returns with which reason it
    /// poisons what it holds.
    pub(super) fn fail(&self, failure: Failure) -> Reason {
        trace::failed(self, &failure);
        let reason = self.reason_of(failure.to_string());
        let mut verdict = self.verdict.lock();
        // What fails after a deadlock has ended the run fails because of it.
        if verdict.deadlock.is_none() {
            verdict.failure.get_or_insert(failure);
        }
        reason
    }

    /// Why a process poisons what it holds, which has failed for what `words` say. If it was poisoned itself by the first
    /// one that has failed, then for the reason of that one: or else the words would grow from process to process.
    pub(super) fn reason_of(&self, words: String) -> Reason {
        let mut verdict = self.verdict.lock();
        match &verdict.first_reason {
            Some(first) if words.contains(first.as_str()) => first.clone(),
            Some(_) => words.into(),
            None => verdict.first_reason.insert(words.into()).clone(),
        }
    }

    /// Its processes are about to be dropped, and with them all that could be seen of a deadlock.
    fn keep_moment(&self, deadlock: &Deadlock) {
        let is_observed = self.is_observed.load(Ordering::Acquire);
        if is_observed && self.last_moment.lock().is_none() {
            let moment = snapshot::of(self, Some(deadlock.clone()));
            self.last_moment.lock().get_or_insert(moment);
        }
    }

    /// Notes a deadlock that ends the run, and ends it.
    pub(super) fn condemn(&self, deadlock: &Deadlock) {
        self.keep_moment(deadlock);
        let is_first = {
            let mut verdict = self.verdict.lock();
            verdict.deadlock.get_or_insert_with(|| deadlock.clone());
            !std::mem::replace(&mut verdict.is_condemned, true)
        };
        if is_first {
            trace::deadlocked(deadlock);
        }
        self.home.stop();
    }

    /// A deadlock was found that passes through this network and others, with its processes here and their turns.
    #[cfg(feature = "net")]
    pub(super) fn note_abroad(&self, deadlock: Deadlock, processes: Vec<(u64, u64)>) {
        *self.abroad.lock() = Some(Abroad {
            deadlock,
            processes,
            is_noted: false,
            is_final: false,
        });
    }

    /// Whether the watch has heard of that deadlock.
    #[cfg(feature = "net")]
    pub(super) fn is_abroad_noted(&self) -> bool {
        let abroad = self.abroad.lock();
        abroad.as_ref().is_some_and(|abroad| abroad.is_noted)
    }

    /// What follows from that deadlock may follow.
    #[cfg(feature = "net")]
    pub(super) fn finish_abroad(&self) {
        if let Some(abroad) = &mut *self.abroad.lock() {
            abroad.is_final = true;
        }
    }

    /// The deadlock that passes through this network and others, if there is one.
    pub(super) fn abroad(&self) -> Option<Deadlock> {
        self.read(|tables| {
            let abroad = self.abroad.lock();
            let abroad = abroad.as_ref().filter(|abroad| abroad.holds(tables))?;
            Some(abroad.deadlock.clone())
        })
    }

    /// A deadlock that passes through this network and others, of which the watch has not heard; and one of which it may
    /// see to what follows.
    pub(super) fn news_from_abroad(&self) -> [Option<FromAbroad>; 2] {
        let mut abroad = self.abroad.lock();
        let Some(abroad) = &mut *abroad else {
            return [None, None];
        };
        let is_known = std::mem::replace(&mut abroad.is_noted, true);
        let is_final = std::mem::take(&mut abroad.is_final);
        let tell = || FromAbroad {
            deadlock: abroad.deadlock.clone(),
            processes: abroad
                .processes
                .iter()
                .map(|&(process, _)| process)
                .collect(),
            is_all: self.home.live() == abroad.processes.len(),
        };
        [(!is_known).then(tell), is_final.then(tell)]
    }

    /// A deadlock will end the run, and whatever fails from now on fails because of it.
    pub(super) fn sentence(&self, deadlock: &Deadlock) {
        self.keep_moment(deadlock);
        let mut verdict = self.verdict.lock();
        if verdict.failure.is_none() {
            verdict.deadlock.get_or_insert_with(|| deadlock.clone());
        }
    }

    /// Whether a deadlock has ended the run, and what it is called.
    pub(super) fn deadlock(&self) -> Option<String> {
        self.verdict
            .lock()
            .deadlock
            .as_ref()
            .map(ToString::to_string)
    }

    /// What the run has come to.
    pub(super) fn result(&self) -> Result<(), RunError> {
        self.has_ended.store(true, Ordering::Release);
        let mut verdict = self.verdict.lock();
        match (verdict.failure.take(), verdict.deadlock.take()) {
            (Some(failure), _) => Err(failure.into()),
            (None, Some(deadlock)) => Err(RunError::Deadlock(Box::new(deadlock))),
            (None, None) => Ok(()),
        }
    }
}

impl Tables {
    /// The number of the process that runs as `task`, if it is one of this network.
    ///
    /// # Safety
    ///
    /// The task is alive.
    pub(super) unsafe fn process_of(&self, task: std::ptr::NonNull<Task>) -> Option<u32> {
        // SAFETY: by the caller's word.
        let id = unsafe { task.as_ref() }.id();
        let entry = self.processes.get(id)?;
        (entry.task.as_ptr() == task).then_some(id)
    }

    /// Whether the process that is listed by the number of `task` is that one.
    fn is_of(&self, task: &TaskRef) -> bool {
        let entry = self.processes.get(task.id());
        entry.is_some_and(|entry| entry.task.as_ptr() == task.as_ptr())
    }

    /// As [`process_of`](Self::process_of), of a task that may have ended.
    pub(super) fn process_named(&self, task: TaskId) -> Option<u32> {
        let entry = self.processes.get(task.number())?;
        task.is_of(&entry.task).then_some(task.number())
    }
}
