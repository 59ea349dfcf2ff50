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
//!   peer is about to wake, has more.
//! - Nobody outside the network has an end of a channel that it waits on.
//! - It is all collected twice. Who was blocked in the same turn both times was blocked all the time between; since that
//!   is so of each member, there was a moment at which it was so of all. From then on nobody but a member could have
//!   moved, and none can.

use std::collections::HashMap;

use smallvec::{SmallVec, smallvec};

use super::{
    cycle,
    registry::{ChannelEntry, Kind, ProcessEntry, Registry, Side, Tables},
    report::{Blocked, Deadlock, Wait, Waiting},
    snapshot,
    waiters::Waiters,
};
use crate::{
    channel::observe::{self, Operation},
    sync::task::{State, Status},
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
    kind: Kind,
    is_open: bool,
}

impl Seen {
    /// How many of its waiters were found, unclaimed.
    pub(super) fn found(&self) -> usize {
        self.found
    }

    /// Whether nothing but what was found can wake it.
    pub(super) fn is_shut(&self) -> bool {
        self.holders == HOLDERS && self.waits == self.found
    }

    /// Whether it is certain that it is blocked on exactly the operations that were found.
    fn is_certain(&self) -> bool {
        self.status.state() == State::Blocked
            && !self.is_injected
            && !self.is_open
            && self.is_shut()
            && match self.kind {
                // A thread is in one of our operations only while it waits with something.
                Kind::Thread => self.found > 0,
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
type Several = SmallVec<[u32; 4]>;

/// Everything at (nearly) one moment.
pub(super) struct Picture {
    /// By number.
    pub(super) processes: Vec<Option<Seen>>,
    pub(super) ops: Vec<Op>,
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
    fn version(&self, channel: u32) -> Option<u64> {
        let version = self.versions.get(channel as usize).copied();
        version.filter(|&version| version != 0)
    }
}

fn collect_all(tables: &Tables) -> Picture {
    let mut picture = Picture {
        processes: vec![None; tables.processes.bound()],
        ops: Vec::new(),
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
        let Some(process) = wait.task.and_then(number) else {
            return;
        };
        if wait.is_free
            && let Some(seen) = &mut picture.processes[process as usize]
        {
            seen.found += 1;
        }
        picture.ops.push(Op {
            process,
            channel,
            wait,
            acceptor: wait.acceptor.and_then(|task| tables.process_named(task)),
        });
    })
}

/// Looks for a deadlock, and tells the serials of the processes in it, by which it can be told from another.
pub(super) fn deadlock(registry: &Registry) -> Option<(Deadlock, Vec<u64>)> {
    let first = registry.read(|tables| {
        let picture = collect(registry, tables);
        snapshot::note(registry, tables, &picture);
        picture
    });
    if !first.processes.iter().flatten().any(Seen::is_certain) {
        return None;
    }
    rehearsed::pause(At::Between);
    registry.read(|tables| {
        let candidates = knot(tables, &first);
        if candidates.iter().all(|is_in| !is_in) {
            return None;
        }
        let second = collect(registry, tables);
        let proved = knot(tables, &second);
        let same = |id: usize| {
            candidates[id] && proved[id] && first.processes.get(id) == second.processes.get(id)
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
        if serials.is_empty() {
            return None;
        }
        Some((describe(registry, tables, &second, &members), serials))
    })
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
    mut members: Vec<bool>,
    is_sound: impl Fn(&Op) -> bool,
) -> Vec<bool> {
    let mut shrinking = Shrinking::new(picture, &mut members);
    // Which operations are released by whom, so that each is looked at once for each of its releasers.
    let mut waiting_for = Waiters::of(picture.processes.len());
    for (at, op) in picture.ops.iter().enumerate() {
        if !shrinking.members[op.process as usize] {
            continue;
        }
        let releasers = if is_sound(op) {
            all_releasers(tables, picture, op)
        } else {
            None
        };
        let Some(releasers) = releasers else {
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
fn releasers(tables: &Tables, picture: &Picture, op: &Op) -> Option<Several> {
    let entry = tables.channels.get(op.channel)?;
    let tally = picture.tallies.get(op.channel as usize)?.as_ref()?;
    if entry.open > 0 || tally.poisoned {
        return None;
    }
    let holders = |side| entry.holders(side).iter().copied();
    let releasers: Several = match op.wait.operation {
        Operation::Accepted => smallvec![op.acceptor?],
        Operation::Send => holders(Side::Receiving).collect(),
        // What was taken into custody within credit may be handed back, by whoever has it.
        Operation::Receive if tally.credit_untaken > 0 => return None,
        Operation::Receive => holders(Side::Sending).collect(),
        // Somebody of its own side may give a receiver up, or go.
        // One that has ends of both sides waits for itself.
        Operation::Demand | Operation::Closing => {
            let has = |side| entry.holders(side).contains(&op.process);
            let is_on_both_sides = has(Side::Sending) && has(Side::Receiving);
            let all = holders(Side::Sending).chain(holders(Side::Receiving));
            all.filter(|&holder| is_on_both_sides || holder != op.process)
                .collect()
        }
    };
    // With nobody on the other side the channel is closed, and whoever waits is about to hear of it.
    (!releasers.is_empty() || matches!(op.wait.operation, Operation::Demand | Operation::Closing))
        .then_some(releasers)
}

/// As [`releasers`], with those of its own side: they may poison the channel, and do if they fail.
fn all_releasers(tables: &Tables, picture: &Picture, op: &Op) -> Option<Several> {
    let mut releasers = releasers(tables, picture, op)?;
    let own_side = match op.wait.operation {
        Operation::Send => Side::Sending,
        Operation::Receive => Side::Receiving,
        // What was accepted poison does not touch; of the others both sides are there.
        Operation::Accepted | Operation::Demand | Operation::Closing => return Some(releasers),
    };
    let entry = tables.channels.get(op.channel)?;
    let others = |holder: &u32| *holder != op.process;
    releasers.extend(entry.holders(own_side).iter().copied().filter(others));
    Some(releasers)
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
    let releasers = releasers(tables, picture, op);
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
    let all: Vec<u32> = (0..)
        .zip(members)
        .filter_map(|(id, is_in)| is_in.then_some(id))
        .collect();
    let edges: HashMap<u32, Vec<u32>> = waits
        .iter()
        .map(|(&process, ops)| {
            let mut to: Vec<u32> = ops
                .iter()
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
