//! A network run on one thread in virtual time, with all that is left open a choice: who runs next, and which guard an
//! alternation takes.
//!
//! It is the same code of processes, channels and executor as ever, under another scheduler.

mod choices;
mod stage;

use std::{
    fmt,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

pub use self::choices::{Choice, Choose, Fork, Replay, Seeded};
use self::stage::{Ending, Stage};
use super::{
    error::RunError,
    executor::Executor,
    graph,
    network::Network,
    registry::{Kind, Registry},
    snapshot::{self, Snapshot},
    watch::Watch,
};
use crate::sync::Arc;

/// How many turns a rehearsal takes at most, if nothing else is said: seconds.
const TURNS_MAX: usize = 1_000_000;

/// Runs networks on the thread that calls, in virtual time, and has all that is left open chosen.
///
/// The same choices make the same run, to the letter: the same hand-overs at the same instants, and the same end. So a
/// run that fails can be had again ([`Replay`]), and all the runs that a small network can have can be gone through, one
/// after the other ([`Rehearsed::next_choices`]).
///
/// ```
/// use std::time::Duration;
/// use handover::{
///     channel::sleep,
///     process::{
///         In, Network, Out,
///         rehearsal::{Rehearsal, Seeded},
///     },
/// };
///
/// let mut net = Network::new("long");
/// let (out, into) = net.channel::<u32>("numbers");
/// net.process("slow", out, async |out: &Out<u32>| {
///     sleep(Duration::from_hours(5)).await;
///     Ok(out.send(1).await?)
/// });
/// net.process("patient", into, async |into: &In<u32>| {
///     into.recv().await?;
///     Ok(())
/// });
/// let run = Rehearsal::new().run(net, Seeded::new(7));
/// assert!(run.result.is_ok());
/// assert_eq!(run.time, Duration::from_hours(5)); // and it took no time
/// assert_eq!(run.hand_overs[0].to_string(), "18000s: slow -> patient on \"numbers\"");
/// ```
///
/// # Time
///
/// It stands still while anybody can run, and is then that of the earliest alarm ([`time_may_pass`](Self::time_may_pass)
/// says otherwise). A process is told it by [`channel::now`](crate::channel::now), and it is that of all that waits for
/// an instant: [`sleep`](crate::channel::sleep), timeouts, deadlines, `after`, `at` and `tick`. Its beginning is the
/// instant at which the network was made.
///
/// # Deadlocks
///
/// They are looked for each time that all wait, before time passes, by the thread that runs (the closure of
/// [`OnDeadlock::Call`](super::OnDeadlock::Call) is called there); no thread is started for anything.
///
/// # What it does not control
///
/// - *Threads* of the network and *attached* processes, which others run: a network that has any is refused.
/// - *What comes from outside*: a socket, another thread that wakes a process, an end that was taken out. It is not
///   waited for: where all wait, and one of them for something like that, the run ends as
///   [`Stuck`](RehearsalError::Stuck). What has come by then is taken in.
/// - *What a process asks the system*: [`Instant::now`](std::time::Instant::now), random numbers, the order of a
///   `HashMap`. A ticker or a deadline that was made outside of the run has the system's time in it.
/// - *What is between two awaits*: that is one step, which takes no time, and nobody comes between.
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it runs a network"]
pub struct Rehearsal {
    operations_apart: bool,
    time_may_pass: bool,
    looks_between_turns: bool,
    turns_max: usize,
}

impl Default for Rehearsal {
    fn default() -> Self {
        Self::new()
    }
}

impl Rehearsal {
    /// As it is described above.
    pub fn new() -> Self {
        Self {
            operations_apart: true,
            time_may_pass: false,
            looks_between_turns: false,
            turns_max: TURNS_MAX,
        }
    }

    /// Whether each operation of a process begins in a turn of its own, so that others may come between any two. It is so
    /// unless something else is said; otherwise a process runs until it waits, as on one thread it does.
    ///
    /// A future that is polled for the first time in a turn in which another operation has begun has not begun then, and
    /// its task is woken for it. To code that polls a future once, and leaves it, that is a difference.
    pub fn operations_apart(mut self, are_apart: bool) -> Self {
        self.operations_apart = are_apart;
        self
    }

    /// Whether time may pass to the earliest alarm while others can run, which is a choice then: as if they took that
    /// long. Otherwise it passes only where all wait.
    pub fn time_may_pass(mut self, may_pass: bool) -> Self {
        self.time_may_pass = may_pass;
        self
    }

    /// Whether it is looked for deadlocks before each turn too, and not only where all wait: then a few that are
    /// deadlocked are found while others go on for ever.
    pub fn looks_between_turns(mut self, looks: bool) -> Self {
        self.looks_between_turns = looks;
        self
    }

    /// How many turns it takes at most. Then the run ends, for it may never do so by itself. The default is a million.
    pub fn turns_max(mut self, turns: usize) -> Self {
        self.turns_max = turns;
        self
    }

    /// Runs the network until all its processes have ended, or none will go on. Takes no time but that of the processor.
    ///
    /// # Panics
    ///
    /// If `choose` does. A panic of a process is that process's failure.
    pub fn run(&self, net: Network, choose: impl Choose + 'static) -> Rehearsed {
        let registry = net.registry();
        let thread = net.first_thread().map(|name| (name, Kind::Thread));
        let attached = || Some((attached(&registry)?, Kind::Attached));
        if let Some((process, kind)) = thread.or_else(attached) {
            return Rehearsed::refused(process, kind);
        }
        let stage = Arc::new(Stage::new(&registry, self, Box::new(choose)));
        registry.home.rehearse(Arc::clone(&stage) as _);
        registry.begin();
        let watch = Watch::new(Arc::clone(&registry), net.begin_processes());
        let mut executor = pin!(Executor::new(
            Arc::clone(&registry),
            watch,
            Arc::clone(&stage),
            None
        ));
        let polled = executor
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()));
        debug_assert_eq!(polled, Poll::Ready(()), "it never sleeps");
        stage.outcome(registry.result())
    }
}

/// The first process that somebody else's executor polls.
fn attached(registry: &Registry) -> Option<String> {
    registry.read(|tables| {
        let mut all = tables.processes.iter();
        let found = all.find(|(_, entry)| entry.kind == Kind::Attached);
        found.map(|(_, entry)| entry.name.to_string())
    })
}

/// What has come of a rehearsal.
#[derive(Debug)]
#[must_use = "whether it has ended well is in it"]
pub struct Rehearsed {
    /// How it has ended.
    pub result: Result<(), RehearsalError>,
    /// How much virtual time had passed then.
    pub time: Duration,
    /// The hand-overs, in their order.
    pub hand_overs: Vec<HandOver>,
    /// What was chosen, in its order; where there was one option only, nothing was.
    pub choices: Vec<Choice>,
}

impl Rehearsed {
    fn refused(process: String, kind: Kind) -> Self {
        Self {
            result: Err(RehearsalError::NotOurs { process, kind }),
            time: Duration::ZERO,
            hand_overs: Vec::new(),
            choices: Vec::new(),
        }
    }

    /// What to [replay](Replay) for this run.
    #[must_use]
    pub fn script(&self) -> Vec<usize> {
        self.choices.iter().map(|choice| choice.taken).collect()
    }

    /// What to [replay](Replay) for the run that comes after this one where all are gone through depth first, beginning
    /// with the empty script; `None` after the last.
    #[must_use]
    pub fn next_choices(&self) -> Option<Vec<usize>> {
        let is_last = |choice: &Choice| choice.taken + 1 == choice.options;
        let turn = self.choices.iter().rposition(|choice| !is_last(choice))?;
        let mut script = self.script();
        script.truncate(turn + 1);
        script[turn] += 1;
        Some(script)
    }
}

/// A message that has changed hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandOver {
    /// When, since the beginning.
    pub at: Duration,
    /// The channel, by its full name.
    pub channel: String,
    /// Who had it, by the full name of the process; `None` if it is not one of the network, or one whose waits are hidden
    /// by a combinator that wraps wakers.
    pub from: Option<String>,
    /// Who has it; `None` if it was sent within credit, and nobody has it yet.
    pub to: Option<String>,
}

impl fmt::Display for HandOver {
    /// As in `5s: slow -> patient on "numbers"`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |name: &Option<String>| name.as_deref().unwrap_or("?").to_owned();
        let (from, to) = (name(&self.from), name(&self.to));
        write!(f, "{:?}: {from} -> {to} on \"{}\"", self.at, self.channel)
    }
}

/// Why a rehearsal did not end well.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RehearsalError {
    /// The run has failed, or is deadlocked.
    #[error("after {time:?}: {error}")]
    Run {
        /// How much virtual time had passed.
        time: Duration,
        /// What the run has come to.
        error: RunError,
    },
    /// All processes wait, and that is not called a deadlock: some wait for what a rehearsal does not have, or
    /// [deadlocks are ignored](super::OnDeadlock::Ignore).
    #[error(
        "after {time:?} all processes wait, and a rehearsal waits for nobody outside of the network: {}",
        waiting(.moment)
    )]
    Stuck {
        /// How much virtual time had passed.
        time: Duration,
        /// How the network looked then.
        moment: Box<Snapshot>,
    },
    /// It has taken as many turns as it may.
    #[error(
        "it has not ended after {turns} turns: allow more, or see whether some process goes round and round"
    )]
    TooLong {
        /// How many.
        turns: usize,
    },
    /// It was chosen what is no option: the script is one of another network, or a process asks the system for something.
    #[error("option {taken} was chosen of {options}, which are counted from 0")]
    NoSuchOption {
        /// What was chosen.
        taken: usize,
        /// How many there were.
        options: usize,
    },
    /// It has a process that others run.
    #[error(
        "process `{process}` cannot be rehearsed, for {} runs it: add it with `process`",
        if *.kind == Kind::Thread { "a thread of its own" } else { "another executor" }
    )]
    NotOurs {
        /// The process, by its full name.
        process: String,
        /// Of which kind it is.
        kind: Kind,
    },
}

impl RehearsalError {
    /// What the run has come to, where it is that.
    #[must_use]
    pub fn run_error(&self) -> Option<&RunError> {
        match self {
            Self::Run { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl Stage {
    /// What the rehearsal has come to, where the run has ended so.
    fn outcome(&self, result: Result<(), RunError>) -> Rehearsed {
        let (ending, hand_overs, choices) = self.take();
        let time = self.time();
        Rehearsed {
            result: match (result, ending) {
                (_, Some(Ending::NoSuchOption { taken, options })) => {
                    Err(RehearsalError::NoSuchOption { taken, options })
                }
                (Err(error), _) => Err(RehearsalError::Run { time, error }),
                (Ok(()), Some(Ending::Stuck(moment))) => {
                    Err(RehearsalError::Stuck { time, moment })
                }
                (Ok(()), Some(Ending::TooLong { turns })) => Err(RehearsalError::TooLong { turns }),
                (Ok(()), None) => Ok(()),
            },
            time,
            hand_overs,
            choices,
        }
    }
}

/// How many processes a sentence names.
const NAMED_MAX: usize = 8;

/// Who waits there, or why that is no deadlock.
fn waiting(moment: &Snapshot) -> String {
    if let Some(deadlock) = &moment.deadlock {
        return deadlock.to_string();
    }
    if let Some(undecided) = &moment.undecided {
        return undecided.to_string();
    }
    let names = moment.processes.iter().map(|process| process.name.as_str());
    let names: Vec<_> = names.take(NAMED_MAX).collect();
    let more = moment.processes.len() - names.len();
    match more {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

/// How a network looks that is stuck.
fn moment_of(registry: &Registry) -> Box<Snapshot> {
    let deadlock = graph::look(registry).deadlock;
    Box::new(snapshot::of(registry, deadlock.map(|(found, _)| found)))
}
