//! Everything about a network at one moment: who waits for whom, since when, and where it is held up.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    time::{Duration, Instant},
};

use super::{
    graph::{self, Picture, Seen},
    registry::{ProcessEntry, Registry, Side, Tables},
    report::{Deadlock, Kind, Wait},
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
        Self { registry }
    }

    /// The name of the network.
    #[must_use]
    pub fn network(&self) -> &str {
        &self.registry.name
    }

    /// What the network looks like now. Each channel is locked for a moment; a network of a million processes takes
    /// some tenths of a second.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let deadlock = graph::deadlock(&self.registry).map(|(deadlock, _)| deadlock);
        let deadlock = deadlock.or_else(|| self.registry.last_deadlock());
        self.registry
            .look(|tables| take(&self.registry, tables, deadlock))
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
    /// Processes that can never go on. After the run it is what has ended it.
    pub deadlock: Option<Deadlock>,
    /// The process that most others have waited for lately, directly or through others.
    pub bottleneck: Option<Bottleneck>,
}

/// A process at one moment.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProcessSeen {
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
    /// Its full name.
    pub name: String,
    /// The processes that hold a sending end, by full names.
    pub senders: Vec<String>,
    /// The processes that hold a receiving end, by full names.
    pub receivers: Vec<String>,
    /// Ends that somebody has whom the network does not know, or that are under way in a parcel.
    pub open_ends: u32,
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

/// What was seen of a process over time.
#[derive(Debug, Clone, Copy)]
pub(super) struct History {
    turn: usize,
    since: Instant,
    looked_at: Instant,
    blocked_part: f64,
    waited_for_by: f64,
}

impl History {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            turn: 0,
            since: now,
            looked_at: now,
            blocked_part: 0.0,
            waited_for_by: 0.0,
        }
    }

    /// Since when it has not moved.
    fn since(self) -> Instant {
        self.since
    }

    fn look(&mut self, now: Instant, turn: usize, is_blocked: bool, waited_for_by: usize) {
        if turn != self.turn {
            self.turn = turn;
            self.since = now;
        }
        let weight = weight_of(now - self.looked_at);
        self.looked_at = now;
        let blocked = if is_blocked { 1.0 } else { 0.0 };
        self.blocked_part += (blocked - self.blocked_part) * weight;
        #[expect(clippy::cast_precision_loss, reason = "a number of processes")]
        let waited_for_by = waited_for_by as f64;
        self.waited_for_by += (waited_for_by - self.waited_for_by) * weight;
    }
}

/// What was seen of a channel over time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate {
    looked_at: Instant,
    handed_over: u64,
    per_second: f64,
}

impl Rate {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            looked_at: now,
            handed_over: 0,
            per_second: 0.0,
        }
    }

    fn look(&mut self, now: Instant, handed_over: u64) {
        let passed = now - self.looked_at;
        if passed < RATE_TIME_MIN {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "it is a rate")]
        let rate = handed_over.saturating_sub(self.handed_over) as f64 / passed.as_secs_f64();
        self.per_second += (rate - self.per_second) * weight_of(passed);
        self.looked_at = now;
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
pub(super) fn note(tables: &Tables, picture: &Picture) {
    let now = Instant::now();
    let waited_for_by = if picture.processes.len() <= MEASURED_MAX {
        waited_for_by(tables, picture)
    } else {
        HashMap::new()
    };
    for (id, entry) in tables.processes.iter() {
        if let Some(seen) = &picture.processes[id as usize] {
            let mut history = entry.history.get();
            let by = waited_for_by.get(&id).copied().unwrap_or(0);
            history.look(now, seen.status.turn(), is_blocked(seen), by);
            entry.history.set(history);
        }
    }
    for (id, entry) in tables.channels.iter() {
        if let Some(tally) = &picture.tallies[id as usize] {
            let mut rate = entry.rate.get();
            rate.look(now, tally.handed_over);
            entry.rate.set(rate);
        }
    }
}

fn is_blocked(seen: &Seen) -> bool {
    matches!(seen.status.state(), TaskState::Blocked | TaskState::Timed) && seen.found() > 0
}

/// For each process that is not blocked itself: how many wait for it, directly or through others.
fn waited_for_by(tables: &Tables, picture: &Picture) -> HashMap<u32, usize> {
    let mut waits_for: HashMap<u32, Vec<u32>> = HashMap::new();
    for op in &picture.ops {
        let blocked = picture.processes[op.process as usize].as_ref();
        if !blocked.is_some_and(is_blocked) {
            continue;
        }
        if let Some(entry) = tables.channels.get(op.channel) {
            let side = match op.wait.operation {
                Operation::Receive => Side::Sending,
                _ => Side::Receiving,
            };
            waits_for
                .entry(op.process)
                .or_default()
                .extend(entry.holders(side).iter().filter(|&&id| id != op.process));
        }
    }
    // From those who do not wait, against the direction of waiting.
    let mut waited_for: HashMap<u32, Vec<u32>> = HashMap::new();
    for (&waiter, others) in &waits_for {
        for &other in others {
            waited_for.entry(other).or_default().push(waiter);
        }
    }
    let mut steps_left = STEPS_MAX;
    let mut counts = HashMap::new();
    let ends = waited_for.keys().filter(|id| !waits_for.contains_key(id));
    for &end in ends {
        let mut found: HashSet<u32> = HashSet::new();
        let mut stack = vec![end];
        while let Some(here) = stack.pop() {
            for &waiter in waited_for.get(&here).into_iter().flatten() {
                steps_left -= 1;
                if found.insert(waiter) {
                    stack.push(waiter);
                }
            }
            if steps_left <= 0 {
                return counts;
            }
        }
        counts.insert(end, found.len());
    }
    counts
}

// ---- The snapshot ----

fn take(registry: &Registry, tables: &Tables, deadlock: Option<Deadlock>) -> Snapshot {
    let picture = graph::collect(tables);
    note(tables, &picture);
    let mut waits: HashMap<u32, Vec<Wait>> = HashMap::new();
    let mut waiting: HashMap<u32, (usize, usize)> = HashMap::new();
    for op in &picture.ops {
        let wait = graph::describe_op(tables, &picture, op);
        waits.entry(op.process).or_default().push(wait);
        let (sends, receives) = waiting.entry(op.channel).or_default();
        match op.wait.operation {
            Operation::Send | Operation::Accepted => *sends += 1,
            Operation::Receive => *receives += 1,
            Operation::Demand | Operation::Closing => {}
        }
    }
    let now = Instant::now();
    let processes: Vec<ProcessSeen> = tables
        .processes
        .iter()
        .filter_map(|(id, entry)| {
            let seen = picture.processes[id as usize].as_ref()?;
            let waits = waits.remove(&id).unwrap_or_default();
            Some(process(entry, seen, waits, now))
        })
        .collect();
    let channels = tables
        .channels
        .iter()
        .map(|(id, entry)| {
            let tally = picture.tallies[id as usize].unwrap_or_default();
            let (sends_waiting, receives_waiting) = waiting.remove(&id).unwrap_or_default();
            ChannelSeen {
                name: entry.name.to_string(),
                senders: graph::names(tables, entry.holders(Side::Sending).iter().copied()),
                receivers: graph::names(tables, entry.holders(Side::Receiving).iter().copied()),
                open_ends: entry.open,
                handed_over: tally.handed_over,
                per_second: entry.rate.get().per_second,
                sends_waiting,
                receives_waiting,
                credit_unused: tally.credit_unused,
                credit_untaken: tally.credit_untaken,
                is_poisoned: tally.poisoned,
            }
        })
        .collect();
    Snapshot {
        network: registry.name.to_string(),
        age_ms: milliseconds(registry.began.elapsed()),
        is_running: registry.is_running(),
        bottleneck: bottleneck(&processes),
        processes,
        channels,
        deadlock,
    }
}

fn process(entry: &ProcessEntry, seen: &Seen, waits: Vec<Wait>, now: Instant) -> ProcessSeen {
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
        name: entry.name.to_string(),
        kind: entry.kind,
        state,
        for_ms: milliseconds(now.saturating_duration_since(history.since())),
        turns: turn as u64,
        waits,
        blocked_part: history.blocked_part,
        waited_for_by: history.waited_for_by,
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
        waited_for_by: most.waited_for_by,
    })
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
