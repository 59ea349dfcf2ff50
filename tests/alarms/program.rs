//! A network as data: processes that are short lists of steps. The runtime plays it (`stage.rs`), and the model, which
//! knows nothing of the runtime, goes through all that can come of it (`model.rs`).

use std::fmt;

/// How many processes a network has at most; a set of them is the bits of a word.
pub(crate) const PROCESSES_MAX: usize = 12;
/// How many futures a process has left at a time, and how many messages it holds.
pub(crate) const ASIDE_MAX: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    Out,
    In,
}

/// What one operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Act {
    Send,
    Recv,
    /// Receives into custody; [`Step::Answer`] answers.
    Hold,
    /// Waits for demand.
    Ready,
    /// Waits for the other side to go, from this one.
    Closed(Side),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Op {
    pub(crate) act: Act,
    pub(crate) channel: usize,
}

impl Op {
    /// Which end it needs.
    pub(crate) fn side(self) -> Side {
        match self.act {
            Act::Send | Act::Ready => Side::Out,
            Act::Recv | Act::Hold => Side::In,
            Act::Closed(side) => side,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// One operation; only a send or a receive is timed.
    Do { op: Op, timed: bool },
    /// An alternation of sends and receives.
    Select {
        guards: Vec<Op>,
        timed: bool,
        biased: bool,
    },
    /// Both at once, until both are done.
    Join(Op, Op),
    /// Takes a message, and does something else while its sender waits.
    Accept { channel: usize, inner: Op },
    /// Releases what the step with this number has taken into custody, or hands it back.
    Answer { step: usize, back: bool },
    /// Polls a send or receive once, and leaves it.
    Leave(Op),
    /// Drops what was left.
    DropLeft,
    /// Takes an end out, for somebody outside who drops it, or uses it once and drops it.
    TakeOut {
        side: Side,
        channel: usize,
        used: bool,
    },
    /// Poisons a channel.
    Poison(usize),
    /// Takes the right to poison a channel out, for somebody outside who drops it, or uses it and drops it.
    TakeRight { channel: usize, used: bool },
    /// Gives a clone of the waker to somebody outside, who wakes with it or not, and drops it.
    KeepWaker { wakes: bool },
    /// Waits for somebody outside.
    Outside,
    /// Gives way once.
    Yield,
}

impl Step {
    /// The operations that it is blocked on.
    pub(crate) fn ops(&self) -> Vec<Op> {
        match self {
            Self::Do { op, .. } | Self::Leave(op) => vec![*op],
            Self::Select { guards, .. } => guards.clone(),
            Self::Join(a, b) => vec![*a, *b],
            Self::Accept { channel, inner } => {
                let act = Act::Hold;
                vec![
                    Op {
                        act,
                        channel: *channel,
                    },
                    *inner,
                ]
            }
            _ => Vec::new(),
        }
    }

    /// How many messages it takes into custody that it does not answer for itself.
    fn holds(&self) -> usize {
        match self {
            Self::Accept { .. } => 0,
            other => other.ops().iter().filter(|op| op.act == Act::Hold).count(),
        }
    }

    /// Whether it changes nothing for anybody, or only for one who can do nothing else meanwhile.
    pub(crate) fn is_done_at_once(&self) -> bool {
        matches!(
            self,
            Self::Answer { .. } | Self::KeepWaker { .. } | Self::Yield
        )
    }

    /// Whether a thread can do it.
    pub(crate) fn blocks(&self) -> bool {
        match self {
            Self::Do { op, .. } => matches!(op.act, Act::Send | Act::Recv),
            Self::Accept { inner, .. } => matches!(inner.act, Act::Send | Act::Recv),
            Self::Select { .. }
            | Self::TakeOut { .. }
            | Self::Poison(_)
            | Self::TakeRight { .. } => true,
            _ => false,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
    Process,
    Thread,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    pub(crate) body: Body,
    /// Ends that it has, whether it uses them or not; each once.
    pub(crate) ends: Vec<(Side, usize)>,
    /// Channels that it may poison, whether it does or not; each once.
    pub(crate) rights: Vec<usize>,
    pub(crate) steps: Vec<Step>,
}

impl Script {
    pub(crate) fn has(&self, side: Side, channel: usize) -> bool {
        self.ends.contains(&(side, channel))
    }

    /// The channels of which it has the end of this side, in the order of its ports.
    pub(crate) fn channels(&self, side: Side) -> Vec<usize> {
        let ends = self.ends.iter().filter(|(own, _)| *own == side);
        ends.map(|(_, channel)| *channel).collect()
    }

    pub(crate) fn may_poison(&self, channel: usize) -> bool {
        self.rights.contains(&channel)
    }

    /// Adds the ends that its steps need, and the rights.
    pub(crate) fn equip(&mut self) {
        let mut needed: Vec<(Side, usize)> = Vec::new();
        for step in &self.steps {
            needed.extend(step.ops().iter().map(|op| (op.side(), op.channel)));
            if let Step::TakeOut { side, channel, .. } = step {
                needed.push((*side, *channel));
            }
            if let Step::Poison(channel) | Step::TakeRight { channel, .. } = step
                && !self.rights.contains(channel)
            {
                self.rights.push(*channel);
            }
        }
        for end in needed {
            if !self.ends.contains(&end) {
                self.ends.push(end);
            }
        }
    }

    /// Whether it is within what the model has room for.
    fn fits(&self) -> bool {
        let left = self.steps.iter().try_fold(0, |left, step| match step {
            Step::DropLeft => Some(0),
            Step::Leave(_) if left == ASIDE_MAX => None,
            Step::Leave(_) => Some(left + 1),
            _ => Some(left),
        });
        // One place is for the step that accepts.
        let held: usize = self.steps.iter().map(Step::holds).sum();
        let join = |step: &Step| matches!(step, Step::Join(..)) && step.holds() > 1;
        left.is_some() && held < ASIDE_MAX && self.steps.len() < 16 && !self.steps.iter().any(join)
    }

    /// Takes a step out; answers for it go with it.
    pub(crate) fn remove(&mut self, at: usize) {
        let goes = |(number, step): (usize, &Step)| {
            number == at || matches!(step, Step::Answer { step, .. } if *step == at)
        };
        let gone: Vec<bool> = self.steps.iter().enumerate().map(goes).collect();
        let mut number = 0..;
        self.steps
            .retain(|_| number.next().is_some_and(|number: usize| !gone[number]));
        for step in &mut self.steps {
            if let Step::Answer { step, .. } = step {
                *step -= gone[..*step].iter().filter(|is_gone| **is_gone).count();
            }
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) channels: usize,
    pub(crate) scripts: Vec<Script>,
}

impl Program {
    pub(crate) fn fits(&self) -> bool {
        self.scripts.len() <= PROCESSES_MAX && self.scripts.iter().all(Script::fits)
    }

    /// Those that are outside of it in the end: the steps that take an end or a right out, by process and step.
    pub(crate) fn taken_out(&self) -> Vec<(usize, usize)> {
        let steps = |(process, script): (usize, &Script)| {
            let is_such =
                |step: &Step| matches!(step, Step::TakeOut { .. } | Step::TakeRight { .. });
            let steps: Vec<_> = script.steps.iter().enumerate().collect();
            let steps = steps.into_iter().filter(move |(_, step)| is_such(step));
            steps.map(move |(at, _)| (process, at)).collect::<Vec<_>>()
        };
        self.scripts.iter().enumerate().flat_map(steps).collect()
    }
}

// ---- As text ----

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.act {
            Act::Send => "send",
            Act::Recv => "recv",
            Act::Hold => "hold",
            Act::Ready => "ready",
            Act::Closed(Side::Out) => "receivers-gone",
            Act::Closed(Side::In) => "senders-gone",
        };
        write!(f, "{name} c{}", self.channel)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do { op, timed } => write!(f, "{op}{}", if *timed { " timed" } else { "" }),
            Self::Select {
                guards,
                timed,
                biased,
            } => {
                let guards: Vec<_> = guards.iter().map(ToString::to_string).collect();
                let biased = if *biased { " biased" } else { "" };
                let timed = if *timed { ", timer" } else { "" };
                write!(f, "select{biased} [{}{timed}]", guards.join(", "))
            }
            Self::Join(a, b) => write!(f, "join [{a}, {b}]"),
            Self::Accept { channel, inner } => write!(f, "accept c{channel} [{inner}]"),
            Self::Answer { step, back: true } => write!(f, "hand back #{step}"),
            Self::Answer { step, .. } => write!(f, "release #{step}"),
            Self::Leave(op) => write!(f, "leave {op}"),
            Self::DropLeft => f.write_str("drop left"),
            Self::TakeOut {
                side,
                channel,
                used,
            } => {
                let used = if *used { " to use" } else { " to drop" };
                write!(f, "take out {side:?} c{channel}{used}")
            }
            Self::Poison(channel) => write!(f, "poison c{channel}"),
            Self::TakeRight { channel, used } => {
                let used = if *used { " to use" } else { " to drop" };
                write!(f, "take out the right to poison c{channel}{used}")
            }
            Self::KeepWaker { wakes } => {
                let wakes = if *wakes { "to wake" } else { "to drop" };
                write!(f, "give waker away {wakes}")
            }
            Self::Outside => f.write_str("wait for outside"),
            Self::Yield => f.write_str("yield"),
        }
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, script) in self.scripts.iter().enumerate() {
            let steps = script.steps.iter().enumerate();
            let steps: Vec<_> = steps.map(|(at, step)| format!("#{at} {step}")).collect();
            let unused: Vec<_> = script
                .ends
                .iter()
                .filter(|(side, channel)| {
                    let uses = |op: &Op| op.side() == *side && op.channel == *channel;
                    !script.steps.iter().any(|step| step.ops().iter().any(uses))
                })
                .map(|(side, channel)| format!("{side:?} c{channel}"))
                .collect();
            let unused_rights = script.rights.iter().filter(|channel| {
                let uses = |step: &Step| matches!(step, Step::Poison(own) | Step::TakeRight { channel: own, .. } if own == *channel);
                !script.steps.iter().any(uses)
            });
            let unused: Vec<_> = unused
                .into_iter()
                .chain(unused_rights.map(|channel| format!("the right to poison c{channel}")))
                .collect();
            write!(f, "  p{number} {:?}: {}", script.body, steps.join("; "))?;
            if !unused.is_empty() {
                write!(f, " (also has {})", unused.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
