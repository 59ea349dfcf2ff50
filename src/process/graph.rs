//! The wait-for graph of a network, and the deadlocks in it.
//!
//! A process waits for *one* of several operations, each of which may be released by any of several others. So what
//! must be found is not a cycle but a *knot* of this OR-model (Chandy, Misra and Haas, 1983): a set of blocked
//! processes of which each operation of each member can be released only by members. The largest such set is found by
//! throwing out, again and again, who can be released by somebody who was thrown out.
//!
//! # Never a false alarm
//!
//! What is in the set is proved, not guessed:
//!
//! - A member is blocked: nobody polls it or has woken it, and nobody else has a clone of its waker.
//! - All its waiters are seen in lists of this network's channels, unclaimed. One that waits elsewhere too, or that a
//!   peer is about to wake, has more. One that was woken and not looked at since is *stranded*: its process was polled
//!   after that, for whoever could be about to wake it was not running, and it wakes nobody any more.
//! - Nobody outside the network has an end of a channel that it waits on.
//! - It is all collected twice. Who was blocked in the same turn both times was blocked all the time between; since that
//!   is so of each member, there was a moment at which it was so of all. From then on nobody but a member could have
//!   moved, and none can.

use std::collections::{HashMap, HashSet};

use smallvec::SmallVec;

use super::{
    cycle,
    registry::{ChannelEntry, Kind, ProcessEntry, Registry, Side, Tables},
    report::{Blocked, Deadlock, Wait, Waiting},
    snapshot,
    waiters::Waiters,
};
use crate::{
    channel::observe::{self, Observed, Operation},
    sync::{
        Arc,
        task::{State, Status},
    },
};

/// Its executor (or thread) and the registry hold a task; whoever else does may wake it.
const HOLDERS: usize = 2;

/// A process as it was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) serial: u64,
    pub(super) status: Status,
    pub(super) is_injected: bool,
    /// How many of its waiters hang with a lent handle, as it counts itself.
    waits: usize,
    holders: usize,
    /// How many of them were found, unclaimed.
    found: usize,
    /// How many were found that were woken and have not been looked at since.
    stranded: usize,
    kind: Kind,
    is_open: bool,
}

impl Seen {
    /// How many of its waiters were found, unclaimed.
    pub(super) fn found(&self) -> usize {
        self.found
    }

    /// How many were found that were woken and have not been looked at since.
    #[cfg(feature = "net")]
    pub(super) fn stranded(&self) -> usize {
        self.stranded
    }

    /// Whether nothing but what was found can wake it.
    pub(super) fn is_shut(&self) -> bool {
        self.holders == HOLDERS && self.waits == self.found + self.stranded
    }

    /// Whether it waits, for whatever it may be.
    pub(super) fn waits_for_something(&self) -> bool {
        let waits = matches!(self.status.state(), State::Blocked | State::Timed);
        waits && !self.is_injected && self.status.turn() > 0
    }

    /// How many others have a waker of it.
    pub(super) fn foreign_wakers(&self) -> usize {
        self.holders.saturating_sub(HOLDERS)
    }

    /// At how many places it waits that were not found.
    pub(super) fn waits_elsewhere(&self) -> usize {
        self.waits.saturating_sub(self.found + self.stranded)
    }

    /// Whether it is a thread that waits until an instant at most.
    pub(super) fn is_timed(&self) -> bool {
        self.status.state() == State::Timed
    }

    /// Whether it is certain that it is blocked on exactly the operations that were found.
    pub(super) fn is_certain(&self) -> bool {
        self.status.state() == State::Blocked
            && !self.is_injected
            && !self.is_open
            && self.is_shut()
            && match self.kind {
                // A thread is in one of our operations only while it waits with something.
                // And it looks once it was woken, whenever it comes to run.
                Kind::Thread => self.found > 0 && self.stranded == 0,
                // One that was not polled yet has not said what it waits for.
                Kind::Process | Kind::Attached => self.status.turn() > 0,
            }
    }
}

/// An operation that was found.
#[derive(Debug, Clone, Copy)]
pub(super) struct Op {
    pub(super) process: u32,
    pub(super) channel: u32,
    pub(super) wait: observe::Wait,
    acceptor: Option<u32>,
}

impl Op {
    /// Of an accepted send: whether it is certain who holds its message.
    pub(super) fn has_acceptor(&self) -> bool {
        self.acceptor.is_some()
    }
}

/// An accepted send of somebody whom the network does not know, as of a link.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "net"),
    expect(dead_code, reason = "nobody looks from abroad")
)]
pub(super) struct ForeignAccepted {
    pub(super) channel: u32,
    /// Who holds its message, if that is certain.
    pub(super) acceptor: Option<u32>,
}

/// Where the network can go on in the middle of a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// A process is about to be looked at.
    Process(u32),
    /// Whether it was woken from elsewhere is known, and what it does not yet.
    Status(u32),
    /// A channel is about to be looked at.
    Channel(u32),
    /// One picture was taken, and the other was not.
    Between,
}

#[cfg(test)]
mod rehearsed;
#[cfg(not(test))]
mod rehearsed {
    pub(super) fn pause(_: super::At) {}
}

/// Some processes, of which there are seldom many.
pub(super) type Several = SmallVec<[u32; 4]>;

/// Everything at (nearly) one moment.
pub(super) struct Picture {
    /// By number.
    pub(super) processes: Vec<Option<Seen>>,
    pub(super) ops: Vec<Op>,
    pub(super) foreign_accepted: Vec<ForeignAccepted>,
    /// What each channel counts, by number.
    pub(super) tallies: Vec<Option<observe::Tally>>,
    /// The version of each channel, by number; none has version 0.
    versions: Vec<u64>,
}

/// Looks at everything once.
pub(super) fn collect(registry: &Registry, tables: &Tables) -> Picture {
    registry.among_channels(|| collect_all(tables))
}

impl Picture {
    /// The version of a channel, if it was there.
    pub(super) fn version(&self, channel: u32) -> Option<u64> {
        let version = self.versions.get(channel as usize).copied();
        version.filter(|&version| version != 0)
    }
}

fn collect_all(tables: &Tables) -> Picture {
    let mut picture = Picture {
        processes: vec![None; tables.processes.bound()],
        ops: Vec::new(),
        foreign_accepted: Vec::new(),
        tallies: vec![None; tables.channels.bound()],
        versions: vec![0; tables.channels.bound()],
    };
    // Before the channels: whoever is blocked here, and still is when the second picture is taken, was all the time.
    for (id, entry) in tables.processes.iter() {
        rehearsed::pause(At::Process(id));
        // First, for it is scheduled before that is taken back: so a wake shows in one of the two.
        let is_injected = entry.task.is_injected();
        rehearsed::pause(At::Status(id));
        picture.processes[id as usize] = Some(Seen {
            serial: entry.serial,
            status: entry.task.status(),
            is_injected,
            waits: entry.task.waits(),
            holders: entry.task.holders(),
            found: 0,
            stranded: 0,
            kind: entry.kind,
            is_open: entry.is_open,
        });
    }
    for (id, entry) in tables.channels.iter() {
        rehearsed::pause(At::Channel(id));
        let tally = look_at(tables, id, entry, &mut picture);
        picture.tallies[id as usize] = Some(tally);
        picture.versions[id as usize] = entry.version;
    }
    picture
}

fn look_at(
    tables: &Tables,
    channel: u32,
    entry: &ChannelEntry,
    picture: &mut Picture,
) -> observe::Tally {
    entry.observed.observe(&mut |wait| {
        // SAFETY: under the channel's lock whoever has a waiter in its lists is alive.
        let number = |task| unsafe { tables.process_of(task) };
        let acceptor = wait.acceptor.and_then(|task| tables.process_named(task));
        let Some(process) = wait.task.and_then(number) else {
            if wait.operation == Operation::Accepted {
                picture
                    .foreign_accepted
                    .push(ForeignAccepted { channel, acceptor });
            }
            return;
        };
        if let Some(seen) = &mut picture.processes[process as usize] {
            seen.found += usize::from(wait.is_free);
            seen.stranded += usize::from(wait.is_woken);
        }
        picture.ops.push(Op {
            process,
            channel,
            wait,
            acceptor,
        });
    })
}

/// What a look has found.
#[derive(Default)]
pub(super) struct Found {
    /// A deadlock, and the serials of the processes in it, by which it can be told from another.
    pub(super) deadlock: Option<(Deadlock, Vec<u64>)>,
    /// Channels at which a message and a receiver wait for each other, because another receiver was woken who does not
    /// look.
    pub(super) held_up: Vec<Arc<dyn Observed>>,
}

/// Looks for a deadlock.
pub(super) fn look(registry: &Registry) -> Found {
    let first = registry.read(|tables| {
        let picture = collect(registry, tables);
        snapshot::note(registry, tables, &picture);
        picture
    });
    let is_held_up = |tally: &observe::Tally| tally.is_held_up;
    let is_one_held_up = first.tallies.iter().flatten().any(is_held_up);
    if !first.processes.iter().flatten().any(Seen::is_certain) && !is_one_held_up {
        return Found::default();
    }
    rehearsed::pause(At::Between);
    registry.read(|tables| {
        let candidates = knot(tables, &first);
        if candidates.iter().all(|is_in| !is_in) && !is_one_held_up {
            return Found::default();
        }
        let second = collect(registry, tables);
        let held_up = held_up(tables, &first, &second);
        let may_be_woken = being_woken(tables, &first, &second);
        let proved = knot(tables, &second);
        let same = |id: usize| {
            candidates[id]
                && proved[id]
                && first.processes.get(id) == second.processes.get(id)
                && !may_be_woken.contains(&id)
        };
        let members: Vec<bool> = (0..proved.len())
            .map(|id| id < candidates.len() && same(id))
            .collect();
        // What is left must be a knot by itself, with the same holders in both pictures. In the first above all: what
        // its members wait for there they still do when the second begins. Who moves after that may show in the second
        // with operations of a later turn.
        let is_sound = |op: &Op| first.version(op.channel) == second.version(op.channel);
        let members = shrink(tables, &first, members, is_sound);
        let members = shrink(tables, &second, members, is_sound);
        let serials: Vec<u64> = members
            .iter()
            .zip(&second.processes)
            .filter_map(|(is_in, seen)| is_in.then_some(seen.as_ref()?.serial))
            .collect();
        let describe = || describe(registry, tables, &second, &members);
        Found {
            deadlock: (!serials.is_empty()).then(|| (describe(), serials)),
            held_up,
        }
    })
}

/// Channels at which a message is held up in both pictures, while none has changed hands.
fn held_up(tables: &Tables, first: &Picture, second: &Picture) -> Vec<Arc<dyn Observed>> {
    let tally = |picture: &Picture, id: u32| *picture.tallies.get(id as usize)?;
    let is_so = |id: u32| {
        let (before, now) = (tally(first, id)?, tally(second, id)?);
        let stays = before.is_held_up && now.is_held_up;
        Some(stays && before.handed_over == now.handed_over)
    };
    let channels = tables.channels.iter();
    let held_up = channels.filter(|(id, _)| is_so(*id) == Some(true));
    held_up
        .map(|(_, entry)| Arc::clone(&entry.observed))
        .collect()
}

/// Processes with a waiter that was woken, of which it is not certain that the process has heard of it.
///
/// Who has taken a waiter's handle out under the lock, and has not used it yet, counts as a holder of the task; but not
/// where it runs on the one thread that runs the task too. Then it is in the middle of a turn, and has an end of that
/// channel, or may poison it. So if all of these were seen to be in no turn, and in none between the pictures, the task
/// was woken before, and has been polled since.
fn being_woken(tables: &Tables, first: &Picture, second: &Picture) -> HashSet<usize> {
    let seen = |picture: &Picture, id: u32| {
        let seen = picture.processes.get(id as usize)?.as_ref()?;
        Some((seen.serial, seen.status))
    };
    let rests = |id: u32| {
        let now = seen(second, id);
        let runs = |(_, status): (u64, Status)| {
            matches!(
                status.state(),
                State::Running | State::RunningWoken | State::Done
            )
        };
        now == seen(first, id) && now.is_some_and(|now| !runs(now))
    };
    let mut at_rest: HashMap<u32, bool> = HashMap::new();
    let mut is_at_rest = |channel: u32| {
        *at_rest.entry(channel).or_insert_with(|| {
            tables.channels.get(channel).is_some_and(|entry| {
                let holders = entry.senders.iter().chain(&entry.receivers);
                let mut all = holders.chain(entry.poisoners());
                entry.open == 0 && entry.outside_poisoners() == 0 && all.all(|&id| rests(id))
            })
        })
    };
    let woken = second.ops.iter().filter(|op| op.wait.is_woken);
    let woken = woken.filter(|op| !is_at_rest(op.channel));
    woken.map(|op| op.process as usize).collect()
}

/// The largest set of processes that can be released by nobody outside of it.
fn knot(tables: &Tables, picture: &Picture) -> Vec<bool> {
    let members = picture
        .processes
        .iter()
        .map(|seen| seen.as_ref().is_some_and(Seen::is_certain))
        .collect();
    // A channel that has changed since the picture was taken is out of the question.
    shrink(tables, picture, members, |op| {
        let now = tables.channels.get(op.channel).map(|entry| entry.version);
        now == picture.version(op.channel)
    })
}

/// Throws out who can be released by somebody outside, until nobody is left to be thrown out. `is_sound` tells whether
/// what is known of an operation's channel holds.
fn shrink(
    tables: &Tables,
    picture: &Picture,
    members: Vec<bool>,
    is_sound: impl Fn(&Op) -> bool,
) -> Vec<bool> {
    shrink_by(picture, members, |op| {
        if is_sound(op) {
            all_releasers(tables, picture, op)
        } else {
            None
        }
    })
}

/// As [`shrink`], where `releasers` tells who can release an operation.
pub(super) fn shrink_by(
    picture: &Picture,
    mut members: Vec<bool>,
    releasers: impl Fn(&Op) -> Option<Several>,
) -> Vec<bool> {
    let mut shrinking = Shrinking::new(picture, &mut members);
    // Which operations are released by whom, so that each is looked at once for each of its releasers.
    let mut waiting_for = Waiters::of(picture.processes.len());
    for (at, op) in picture.ops.iter().enumerate() {
        // What was woken and is not looked at wakes nobody any more.
        if !shrinking.members[op.process as usize] || op.wait.is_woken {
            continue;
        }
        let Some(releasers) = releasers(op) else {
            shrinking.can_be_released(at);
            continue;
        };
        for releaser in releasers {
            if shrinking.members.get(releaser as usize) == Some(&true) {
                waiting_for.add(releaser, at);
            } else {
                shrinking.can_be_released(at);
            }
        }
    }
    while let Some(one) = shrinking.gone.pop() {
        for at in waiting_for.at(one) {
            shrinking.can_be_released(at);
        }
    }
    members
}

/// A set of processes that gets smaller.
struct Shrinking<'a> {
    picture: &'a Picture,
    members: &'a mut Vec<bool>,
    /// Who was thrown out, and those who wait for it have not been looked at.
    gone: Vec<u32>,
    /// Of processes that need several operations all done (AND): those of them that nobody outside can release. While
    /// there is one, the others do not help.
    needed: HashMap<u32, Vec<usize>>,
}

impl<'a> Shrinking<'a> {
    fn new(picture: &'a Picture, members: &'a mut Vec<bool>) -> Self {
        let mut needed: HashMap<u32, Vec<usize>> = HashMap::new();
        for (at, op) in picture.ops.iter().enumerate() {
            if op.wait.is_one_of_all {
                needed.entry(op.process).or_default().push(at);
            }
        }
        Self {
            picture,
            members,
            gone: Vec::new(),
            needed,
        }
    }

    /// Somebody outside can release this operation.
    fn can_be_released(&mut self, at: usize) {
        let op = &self.picture.ops[at];
        if op.wait.is_one_of_all {
            let needed = self.needed.entry(op.process).or_default();
            needed.retain(|&other| other != at);
            if !needed.is_empty() {
                return;
            }
        }
        if std::mem::take(&mut self.members[op.process as usize]) {
            self.gone.push(op.process);
        }
    }
}

/// Who can release an operation; `None` if somebody can whom the network does not know.
///
/// That is whoever holds an opposite end, or has the right to poison the channel; for what was accepted, its acceptor.
fn releasers(tables: &Tables, picture: &Picture, op: &Op) -> Option<Several> {
    let entry = tables.channels.get(op.channel)?;
    let tally = picture.tallies.get(op.channel as usize)?.as_ref()?;
    if entry.open > 0 || entry.outside_poisoners() > 0 {
        return None;
    }
    match op.wait.operation {
        Operation::Accepted if op.acceptor.is_none() => return None,
        // What was taken into custody within credit may be handed back, by whoever has it.
        Operation::Receive if tally.credit_untaken > 0 => return None,
        _ => {}
    }
    known_releasers(tables, picture, op)
}

/// Those whom the network knows that can release an operation, as if there were nobody else; `None` if it is about to be
/// released.
pub(super) fn known_releasers(tables: &Tables, picture: &Picture, op: &Op) -> Option<Several> {
    let entry = tables.channels.get(op.channel)?;
    let tally = picture.tallies.get(op.channel as usize)?.as_ref()?;
    let holders = |side| entry.holders(side).iter().copied();
    let mut releasers: Several = match op.wait.operation {
        // Poison does not touch what was accepted.
        Operation::Accepted => return Some(op.acceptor.into_iter().collect()),
        // Whoever waits is about to hear of it.
        _ if tally.poisoned => return None,
        // They can meet, once somebody is woken for it.
        Operation::Send | Operation::Receive if tally.is_held_up => return None,
        Operation::Send | Operation::Demand => holders(Side::Receiving).collect(),
        Operation::Receive => holders(Side::Sending).collect(),
        Operation::Closing => {
            let has = |side| entry.holders(side).contains(&op.process);
            match (has(Side::Sending), has(Side::Receiving)) {
                (true, false) => holders(Side::Receiving).collect(),
                (false, true) => holders(Side::Sending).collect(),
                // Which side it waits for is not seen. If it is its own too, it waits for itself.
                _ => {
                    let mut all: Several = holders(Side::Sending).collect();
                    all.extend(holders(Side::Receiving));
                    all
                }
            }
        }
    };
    // With nobody on the other side the channel is closed, and whoever waits is about to hear of it.
    if releasers.is_empty() && entry.open == 0 {
        return None;
    }
    let others = |poisoner: &&u32| **poisoner != op.process;
    releasers.extend(entry.poisoners().iter().filter(others).copied());
    Some(releasers)
}

fn all_releasers(tables: &Tables, picture: &Picture, op: &Op) -> Option<Several> {
    let releasers = releasers(tables, picture, op)?;
    Some(with_those_that_may_fail(tables, op, releasers))
}

/// With those too who hold an end of the channel and may end a wait on it by failing while the run goes on as if nothing
/// had happened, or have failed.
///
/// A process that fails poisons its channels, on either side. That it *may* fail releases nobody: no message will change
/// hands by it, and the run has failed then. But the failure of an attached process is told to its owner alone.
pub(super) fn with_those_that_may_fail(
    tables: &Tables,
    op: &Op,
    mut releasers: Several,
) -> Several {
    let Some(entry) = tables.channels.get(op.channel) else {
        return releasers;
    };
    // What was accepted poison does not touch.
    if op.wait.operation == Operation::Accepted {
        return releasers;
    }
    let others = |&id: &u32| id != op.process;
    releasers.extend(those_that_may_fail(tables, entry).filter(others));
    releasers
}

/// Those who hold an end of a channel and may poison it while the run goes on as if nothing had happened.
pub(super) fn those_that_may_fail<'a>(
    tables: &'a Tables,
    entry: &'a ChannelEntry,
) -> impl Iterator<Item = u32> + 'a {
    let holders = entry.holders(Side::Sending).iter();
    let holders = holders.chain(entry.holders(Side::Receiving)).copied();
    holders.filter(|&id| {
        let holder = tables.processes.get(id);
        holder.is_some_and(|holder| holder.kind == Kind::Attached || holder.has_failed)
    })
}

/// As names, in alphabetical order, each once; and by their serials, in the order of the names.
pub(super) fn names(
    tables: &Tables,
    processes: impl IntoIterator<Item = u32>,
) -> (Vec<String>, Vec<u64>) {
    let mut all: Vec<(&str, u64)> = processes
        .into_iter()
        .filter_map(|id| tables.processes.get(id))
        .map(|entry| (&*entry.name, entry.serial))
        .collect();
    all.sort_unstable();
    all.dedup();
    let serials = all.iter().map(|&(_, serial)| serial).collect();
    all.dedup_by_key(|(name, _)| *name);
    let names = all.into_iter().map(|(name, _)| name.to_owned());
    (names.collect(), serials)
}

/// An operation in words.
pub(super) fn describe_op(tables: &Tables, picture: &Picture, op: &Op) -> Wait {
    let releasers = if op.wait.is_woken {
        Some(Several::new())
    } else {
        releasers(tables, picture, op)
    };
    let entry = tables.channels.get(op.channel);
    let is_open = releasers.is_none();
    let (waits_for, waits_for_ids) = match (releasers, entry) {
        (Some(releasers), _) => names(tables, releasers),
        (None, Some(entry)) => {
            let side = match op.wait.operation {
                Operation::Receive => Side::Sending,
                _ => Side::Receiving,
            };
            names(tables, entry.holders(side).iter().copied())
        }
        (None, None) => Default::default(),
    };
    Wait {
        operation: match op.wait.operation {
            Operation::Send => Waiting::Send,
            Operation::Accepted => Waiting::Accepted,
            Operation::Receive => Waiting::Receive,
            Operation::Demand => Waiting::Demand,
            Operation::Closing => Waiting::Closing,
        },
        channel: entry
            .map(|entry| entry.name.to_string())
            .unwrap_or_default(),
        channel_id: entry.map(|entry| entry.serial).unwrap_or_default(),
        site: op.wait.location.into(),
        is_one_of_all: op.wait.is_one_of_all,
        is_stranded: op.wait.is_woken,
        is_open,
        waits_for,
        waits_for_ids,
    }
}

/// Puts a deadlock into words.
fn describe(registry: &Registry, tables: &Tables, picture: &Picture, members: &[bool]) -> Deadlock {
    let mut waits: HashMap<u32, Vec<&Op>> = HashMap::new();
    for op in &picture.ops {
        if members[op.process as usize] {
            waits.entry(op.process).or_default().push(op);
        }
    }
    for ops in waits.values_mut() {
        ops.sort_by_key(|op| op.wait.is_woken);
    }
    let all: Vec<u32> = (0..)
        .zip(members)
        .filter_map(|(id, is_in)| is_in.then_some(id))
        .collect();
    let edges: HashMap<u32, Vec<u32>> = waits
        .iter()
        .map(|(&process, ops)| {
            let mut to: Vec<u32> = ops
                .iter()
                .filter(|op| !op.wait.is_woken)
                .filter_map(|op| releasers(tables, picture, op))
                .flatten()
                .collect();
            to.sort_unstable();
            to.dedup();
            (process, to)
        })
        .collect();
    let cycle = cycle::shortest(&all, &edges);
    let entry = |id| tables.processes.get(id);
    let blocked = |id: u32| Blocked {
        process: entry(id)
            .map(|entry| entry.name.to_string())
            .unwrap_or_default(),
        process_id: entry(id).map(|entry| entry.serial).unwrap_or_default(),
        waits: waits
            .get(&id)
            .into_iter()
            .flatten()
            .map(|op| describe_op(tables, picture, op))
            .collect(),
    };
    let others = all.iter().filter(|id| !cycle.contains(id));
    let counts = |id: u32, entry: &ProcessEntry| {
        entry.kind != Kind::Attached && members.get(id as usize) == Some(&true)
    };
    // A thread that has not begun is not listed yet, but lives.
    let is_total = registry.home.live()
        == tables
            .processes
            .iter()
            .filter(|&(id, entry)| counts(id, entry))
            .count();
    Deadlock {
        network: registry.name.to_string(),
        is_total,
        cycle: cycle.iter().map(|&id| blocked(id)).collect(),
        others: others.map(|&id| blocked(id)).collect(),
    }
}
