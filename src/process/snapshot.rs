//! Everything about a network at one moment: who waits for whom, since when, and where it is held up.

use std::{collections::HashMap, fmt, time::Duration};

use super::{
    ending::Unsent,
    graph::{self, Picture, Seen},
    registry::{ProcessEntry, Registry, Side, Tables},
    report::{Crossing, Deadlock, Kind, Wait},
    undecided::{self, Undecided},
    waiters::Waiters,
};
use crate::{
    channel::observe::Operation,
    sync::{Arc, task::State as TaskState},
};

/// A look into a network from outside: from any thread, at any time, also after the network has ended.
#[derive(Clone)]
pub struct Observer {
    registry: Arc<Registry>,
}

impl Observer {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        registry.note_observer();
        Self { registry }
    }

    #[cfg(test)]
    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// The name of the network.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.registry.name
    }

    /// What the network looks like now. Each channel is locked for a moment; a network of a million processes takes
    /// some tenths of a second.
    ///
    /// Once a deadlock has ended the run it is the moment of that deadlock, with the processes as they were then.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        if let Some(moment) = self.registry.last_moment() {
            return Snapshot {
                is_running: self.registry.is_running(),
                ..moment
            };
        }
        let deadlock = self.look();
        of(&self.registry, deadlock)
    }

    /// Looks for a deadlock at this moment, as the watch does now and then, and does nothing about it. For tests that
    /// choose the moment themselves.
    #[doc(hidden)]
    #[must_use]
    pub fn look(&self) -> Option<Deadlock> {
        let found = graph::look(&self.registry).deadlock;
        found.map(|(deadlock, _)| deadlock)
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer")
            .field("network", &self.registry.name)
            .finish_non_exhaustive()
    }
}

/// A network at one moment.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Snapshot {
    /// The network, by its name.
    pub network: String,
    /// How long ago it was made, in milliseconds.
    pub age_ms: u64,
    /// Whether it runs; otherwise it has ended, or not begun.
    pub is_running: bool,
    /// The processes that have not ended.
    pub processes: Vec<ProcessSeen>,
    /// The channels of which somebody has an end.
    pub channels: Vec<ChannelSeen>,
    /// Processes that can never go on. After the run it is what has ended it, and all the rest is as it was then.
    pub deadlock: Option<Deadlock>,
    /// The process that most others have waited for lately, directly or through others.
    pub bottleneck: Option<Bottleneck>,
    /// Processes that nothing can move which the network knows, and why that is not called a deadlock. It is worked out
    /// for networks of up to 20,000 processes, where there is no deadlock.
    #[cfg_attr(feature = "serde", serde(default))]
    pub undecided: Option<Undecided>,
    /// The first few processes that have ended with a message in hand, for nobody was left to take it; see
    /// [`OrEnd`](super::OrEnd).
    #[cfg_attr(feature = "serde", serde(default))]
    pub unsent: Vec<Unsent>,
    /// How many have ended so.
    #[cfg_attr(feature = "serde", serde(default))]
    pub unsent_count: u64,
}

/// A process at one moment.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProcessSeen {
    /// A number that no other process or channel of the network has or will have, and that it keeps. Two processes may
    /// have one name; by this they are told apart.
    pub id: u64,
    /// Its full name.
    pub name: String,
    /// Who polls it.
    pub kind: Kind,
    /// What it is doing.
    pub state: Doing,
    /// For how long it has not moved, in milliseconds, to the resolution at which the network is looked at (40 ms).
    pub for_ms: u64,
    /// How often it was polled, or has blocked.
    pub turns: u64,
    /// What it waits for; each of several is enough.
    pub waits: Vec<Wait>,
    /// The part of the last seconds in which it was blocked at channels, from 0 to 1.
    pub blocked_part: f64,
    /// How many others have waited for it lately, directly or through others, on an average.
    pub waited_for_by: f64,
}

/// What a process is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Doing {
    /// It has not begun.
    NotBegun,
    /// It is being polled; a thread runs.
    Running,
    /// It was woken, and waits for its turn.
    Ready,
    /// It waits at channels, and nothing else can wake it.
    Blocked,
    /// It waits for something that is not a channel of the network (a timer, a socket), maybe at channels too.
    Outside,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotBegun => "not begun",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Blocked => "blocked",
            Self::Outside => "outside",
        })
    }
}

/// A channel at one moment.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChannelSeen {
    /// A number that no other channel or process of the network has or will have, and that it keeps.
    pub id: u64,
    /// Its full name.
    pub name: String,
    /// The processes that hold a sending end, by full names, in alphabetical order, each name once.
    pub senders: Vec<String>,
    /// The [numbers](ProcessSeen::id) of all of them, in the order of their names.
    pub sender_ids: Vec<u64>,
    /// The processes that hold a receiving end, by full names, in alphabetical order, each name once.
    pub receivers: Vec<String>,
    /// The [numbers](ProcessSeen::id) of all of them, in the order of their names.
    pub receiver_ids: Vec<u64>,
    /// Ends that somebody has whom the network does not know, or that are under way in a parcel.
    pub open_ends: u32,
    /// Who has those of them of which it is known, such as "peer `counter` over a link", in alphabetical order.
    #[cfg_attr(feature = "serde", serde(default))]
    pub known_outside: Vec<String>,
    /// The links over which it goes on.
    #[cfg_attr(feature = "serde", serde(default))]
    pub crossings: Vec<Crossing>,
    /// The processes that have the right to poison it, by full names.
    #[cfg_attr(feature = "serde", serde(default))]
    pub poisoners: Vec<String>,
    /// How many have that right whom the network does not know.
    #[cfg_attr(feature = "serde", serde(default))]
    pub outside_poisoners: u32,
    /// Messages that have changed hands.
    pub handed_over: u64,
    /// Messages that have changed hands a second, lately.
    pub per_second: f64,
    /// Operations that wait to send.
    pub sends_waiting: usize,
    /// Operations that wait to receive.
    pub receives_waiting: usize,
    /// Credit that no send has used.
    pub credit_unused: usize,
    /// Messages within credit that nobody has taken.
    pub credit_untaken: usize,
    /// Whether it was poisoned.
    pub is_poisoned: bool,
}

/// Where a network is held up.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Bottleneck {
    /// The process, by its full name.
    pub process: String,
    /// Its [number](ProcessSeen::id).
    pub process_id: u64,
    /// How many others have waited for it lately, on an average.
    pub waited_for_by: f64,
}

impl fmt::Display for Bottleneck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (waited for by {:.1} others on an average)",
            self.process, self.waited_for_by
        )
    }
}

// ---- What is measured over time, by looking now and then ----

/// How much of the past counts: after this long, what was has about a third of its weight.
const MEMORY: Duration = Duration::from_secs(2);
/// Less time than this says too little about a rate.
const RATE_TIME_MIN: Duration = Duration::from_millis(30);

/// What was seen of a process over time; there may be millions of them. Instants are milliseconds of the network's age.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct History {
    /// The low bits of the turn in which it was seen last.
    turn: u32,
    since_ms: u32,
    blocked_part: f32,
    waited_for_by: f32,
}

impl History {
    pub(super) fn begun(now_ms: u32) -> Self {
        Self {
            since_ms: now_ms,
            ..Self::default()
        }
    }

    #[expect(
        clippy::cast_possible_truncation,
        reason = "of a turn it is enough to see that it is another; an average needs few digits"
    )]
    fn look(&mut self, now_ms: u32, weight: f64, turn: usize, is_blocked: bool, by: usize) {
        let turn = turn as u32;
        if turn != self.turn {
            self.turn = turn;
            self.since_ms = now_ms;
        }
        let weight = weight as f32;
        let blocked = if is_blocked { 1.0 } else { 0.0 };
        self.blocked_part += (blocked - self.blocked_part) * weight;
        #[expect(clippy::cast_precision_loss, reason = "a number of processes")]
        let by = by as f32;
        self.waited_for_by += (by - self.waited_for_by) * weight;
    }
}

/// What was seen of a channel over time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rate {
    handed_over: u64,
    looked_at_ms: u32,
    per_second: f32,
}

impl Rate {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        reason = "it is a rate"
    )]
    fn look(&mut self, now_ms: u32, handed_over: u64) {
        let passed = Duration::from_millis(u64::from(now_ms.saturating_sub(self.looked_at_ms)));
        if passed < RATE_TIME_MIN {
            return;
        }
        let more = handed_over.saturating_sub(self.handed_over);
        let rate = (more as f64 / passed.as_secs_f64()) as f32;
        self.per_second += (rate - self.per_second) * weight_of(passed) as f32;
        self.looked_at_ms = now_ms;
        self.handed_over = handed_over;
    }
}

/// The weight that what was seen has against what was before, after so much time.
fn weight_of(passed: Duration) -> f64 {
    1.0 - (-passed.as_secs_f64() / MEMORY.as_secs_f64()).exp()
}

/// The largest network of which it is worked out at each look who waits for whom.
const MEASURED_MAX: usize = 20_000;

/// How many waits are followed at most in one look: in larger networks it is worked out for some.
const STEPS_MAX: i64 = 100_000;

/// Notes what a picture tells about the time since the last one.
pub(super) fn note(registry: &Registry, tables: &Tables, picture: &Picture) {
    let now_ms = registry.age_ms();
    let weight = weight_of(Duration::from_millis(u64::from(
        now_ms.saturating_sub(tables.looked_at_ms.replace(now_ms)),
    )));
    let waited_for_by = if picture.processes.len() <= MEASURED_MAX {
        waited_for_by(tables, picture)
    } else {
        Vec::new()
    };
    for (id, entry) in tables.processes.iter() {
        if let Some(seen) = &picture.processes[id as usize] {
            let mut history = entry.history.get();
            let by = waited_for_by.get(id as usize).copied().unwrap_or(0);
            history.look(now_ms, weight, seen.status.turn(), is_blocked(seen), by);
            entry.history.set(history);
        }
    }
    for (id, entry) in tables.channels.iter() {
        if let Some(tally) = &picture.tallies[id as usize] {
            let mut rate = entry.rate.get();
            rate.look(now_ms, tally.handed_over);
            entry.rate.set(rate);
        }
    }
}

fn is_blocked(seen: &Seen) -> bool {
    matches!(seen.status.state(), TaskState::Blocked | TaskState::Timed) && seen.found() > 0
}

/// How many wait for each process, by number, directly or through others; 0 for those that are blocked themselves.
fn waited_for_by(tables: &Tables, picture: &Picture) -> Vec<usize> {
    let count = picture.processes.len();
    let mut waits = vec![false; count];
    // From those who do not wait, against the direction of waiting.
    let mut waited_for = Waiters::of(count);
    for op in &picture.ops {
        let blocked = picture.processes[op.process as usize].as_ref();
        if op.wait.is_woken || !blocked.is_some_and(is_blocked) {
            continue;
        }
        if let Some(entry) = tables.channels.get(op.channel) {
            let side = match op.wait.operation {
                Operation::Receive => Side::Sending,
                _ => Side::Receiving,
            };
            waits[op.process as usize] = true;
            for &other in entry.holders(side).iter().filter(|&&id| id != op.process) {
                waited_for.add(other, op.process as usize);
            }
        }
    }
    let mut steps_left = STEPS_MAX;
    let mut counts = vec![0; count];
    // By whom each was found last.
    let mut found_by = vec![0; count];
    let mut stack = Vec::new();
    let ends = (0..).zip(&waits).filter(|&(_, &waits)| !waits);
    for (end, _) in ends.filter(|&(end, _)| waited_for.has_any(end)) {
        stack.push(end);
        let mut found = 0;
        while let Some(here) = stack.pop() {
            for waiter in waited_for.at(here) {
                steps_left -= 1;
                if std::mem::replace(&mut found_by[waiter], end + 1) != end + 1 {
                    found += 1;
                    #[expect(
                        clippy::cast_possible_truncation,
                        reason = "it is the number of a process"
                    )]
                    stack.push(waiter as u32);
                }
            }
            if steps_left <= 0 {
                return counts;
            }
        }
        counts[end as usize] = found;
    }
    counts
}

// ---- The snapshot ----

/// What `registry` looks like now, with the deadlock that was found in it.
pub(super) fn of(registry: &Registry, deadlock: Option<Deadlock>) -> Snapshot {
    registry.read(|tables| take(registry, tables, deadlock))
}

fn take(registry: &Registry, tables: &Tables, deadlock: Option<Deadlock>) -> Snapshot {
    let picture = graph::collect(registry, tables);
    note(registry, tables, &picture);
    let mut waits: HashMap<u32, Vec<Wait>> = HashMap::new();
    let mut waiting: HashMap<u32, (usize, usize)> = HashMap::new();
    for op in &picture.ops {
        let wait = graph::describe_op(tables, &picture, op);
        waits.entry(op.process).or_default().push(wait);
        if op.wait.is_woken {
            continue;
        }
        let (sends, receives) = waiting.entry(op.channel).or_default();
        match op.wait.operation {
            Operation::Send | Operation::Accepted => *sends += 1,
            Operation::Receive => *receives += 1,
            Operation::Demand | Operation::Closing => {}
        }
    }
    let now_ms = registry.age_ms();
    let processes: Vec<ProcessSeen> = tables
        .processes
        .iter()
        .filter_map(|(id, entry)| {
            let seen = picture.processes[id as usize].as_ref()?;
            let mut waits = waits.remove(&id).unwrap_or_default();
            waits.sort_by_key(|wait| wait.is_stranded);
            Some(process(entry, seen, waits, now_ms))
        })
        .collect();
    let channels = tables
        .channels
        .iter()
        .map(|(id, entry)| {
            let tally = picture.tallies[id as usize].unwrap_or_default();
            let (sends_waiting, receives_waiting) = waiting.remove(&id).unwrap_or_default();
            let holders = |side| graph::names(tables, entry.holders(side).iter().copied());
            let (senders, sender_ids) = holders(Side::Sending);
            let (receivers, receiver_ids) = holders(Side::Receiving);
            let mut known_outside: Vec<_> = entry
                .known_outside()
                .iter()
                .map(|outsider| outsider.name.to_string())
                .collect();
            known_outside.sort_unstable();
            let crossings = entry.known_outside().iter();
            let crossings = crossings.filter_map(|outsider| outsider.crossing.clone());
            ChannelSeen {
                id: entry.serial,
                name: entry.name.to_string(),
                senders,
                sender_ids,
                receivers,
                receiver_ids,
                open_ends: entry.open,
                known_outside,
                crossings: crossings.collect(),
                poisoners: graph::names(tables, entry.poisoners().iter().copied()).0,
                outside_poisoners: entry.outside_poisoners(),
                handed_over: tally.handed_over,
                per_second: f64::from(entry.rate.get().per_second),
                sends_waiting,
                receives_waiting,
                credit_unused: tally.credit_unused,
                credit_untaken: tally.credit_untaken,
                is_poisoned: tally.poisoned,
            }
        })
        .collect();
    let has_rested = |id| {
        let entry = tables.processes.get(id);
        entry.is_some_and(|entry| entry.history.get().since_ms < now_ms)
    };
    let is_to_be_decided = deadlock.is_none() && picture.processes.len() <= MEASURED_MAX;
    let (unsent, unsent_count) = registry.unsent.seen();
    Snapshot {
        network: registry.name.to_string(),
        undecided: is_to_be_decided
            .then(|| undecided::of(tables, &picture, has_rested))
            .flatten(),
        age_ms: u64::from(now_ms),
        is_running: registry.is_running(),
        bottleneck: bottleneck(&processes),
        processes,
        channels,
        deadlock,
        unsent,
        unsent_count,
    }
}

fn process(entry: &ProcessEntry, seen: &Seen, waits: Vec<Wait>, now_ms: u32) -> ProcessSeen {
    let history = entry.history.get();
    let turn = seen.status.turn();
    let state = match seen.status.state() {
        TaskState::Blocked if turn == 0 => Doing::NotBegun,
        _ if seen.is_injected => Doing::Ready,
        TaskState::Blocked if seen.is_shut() => Doing::Blocked,
        TaskState::Blocked | TaskState::Timed => Doing::Outside,
        TaskState::Scheduled => Doing::Ready,
        TaskState::Running | TaskState::RunningWoken | TaskState::Done => Doing::Running,
    };
    ProcessSeen {
        id: entry.serial,
        name: entry.name.to_string(),
        kind: entry.kind,
        state,
        for_ms: u64::from(now_ms.saturating_sub(history.since_ms)),
        turns: turn as u64,
        waits,
        blocked_part: f64::from(history.blocked_part),
        waited_for_by: f64::from(history.waited_for_by),
    }
}

/// Fewer than this, on an average, and nobody is held up to speak of.
const HELD_UP_MIN: f64 = 0.05;

fn bottleneck(processes: &[ProcessSeen]) -> Option<Bottleneck> {
    let most = processes
        .iter()
        .max_by(|a, b| a.waited_for_by.total_cmp(&b.waited_for_by))?;
    (most.waited_for_by >= HELD_UP_MIN).then(|| Bottleneck {
        process: most.name.clone(),
        process_id: most.id,
        waited_for_by: most.waited_for_by,
    })
}
