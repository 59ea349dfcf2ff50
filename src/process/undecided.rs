//! Why a network that stands still is not called deadlocked: what the network cannot see, and who waits because of it.
//!
//! The same knot is looked for as for a deadlock, as if nobody outside would ever do anything. Whoever is in it moves
//! again only because of somebody whom the network does not know, if at all; and each thing by which that can be is said.

use std::{collections::HashSet, fmt};

use super::{
    graph::{self, Op, Picture, Seen},
    registry::{Kind, Tables},
};
use crate::channel::observe::Operation;

/// How many processes, and how many reasons, are named.
const NAMED_MAX: usize = 32;

/// Processes that wait for each other or for what the network cannot see, and for nobody else: it may be a deadlock, and
/// may not. In a network that waits for a socket or a timer it is as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Undecided {
    /// The first of them, by full names.
    pub processes: Vec<String>,
    /// How many there are.
    pub process_count: usize,
    /// What keeps it from being called a deadlock; the first of these.
    pub because: Vec<Because>,
    /// How many of these there are.
    pub because_count: usize,
}

/// Something that the network cannot see, by which a process that waits may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case", tag = "reason")
)]
#[non_exhaustive]
pub enum Because {
    /// Ends of a channel that is waited on were taken out of the network, or are under way in a parcel.
    OpenEnds {
        /// The channel, by its full name.
        channel: String,
        /// How many.
        ends: u32,
    },
    /// An end of a channel that is waited on is held outside of the network, by somebody who is known.
    HeldBy {
        /// The channel, by its full name.
        channel: String,
        /// Who has it, such as "peer `counter` over a link".
        holder: String,
    },
    /// Somebody outside of the network may poison a channel that is waited on.
    OutsidePoisoner {
        /// The channel, by its full name.
        channel: String,
    },
    /// A channel that is received from has messages within credit that nobody has taken for good: one that is held may
    /// be handed back.
    Credit {
        /// The channel, by its full name.
        channel: String,
        /// How many messages.
        untaken: usize,
    },
    /// A message is held, by nobody of whom it is certain that he will keep it.
    HeldOutside {
        /// The channel, by its full name.
        channel: String,
    },
    /// Others have wakers of a process: a timer, a socket, a task or a thread that is not the network's.
    ForeignWakers {
        /// The process, by its full name.
        process: String,
        /// How many wakers.
        wakers: usize,
    },
    /// A process waits at a channel that is not the network's, too, or has left an operation that was done meanwhile.
    Elsewhere {
        /// The process, by its full name.
        process: String,
        /// At how many places.
        waits: usize,
    },
    /// A thread waits until an instant at most.
    Timed {
        /// The thread, by its full name.
        process: String,
    },
    /// An attached process may be dropped by its owner, who has not promised to poll it.
    Attached {
        /// The process, by its full name.
        process: String,
    },
}

#[cfg(feature = "cli")]
impl Because {
    /// The name in it, of a channel or a process.
    pub(crate) fn name_mut(&mut self) -> &mut String {
        match self {
            Self::OpenEnds { channel, .. }
            | Self::HeldBy { channel, .. }
            | Self::OutsidePoisoner { channel }
            | Self::Credit { channel, .. }
            | Self::HeldOutside { channel } => channel,
            Self::ForeignWakers { process, .. }
            | Self::Elsewhere { process, .. }
            | Self::Timed { process }
            | Self::Attached { process } => process,
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = |n: usize| if n == 1 { "" } else { "s" };
        match self {
            Self::OpenEnds { channel, ends } => {
                let plural = plural(*ends as usize);
                write!(
                    f,
                    "channel \"{channel}\" is open ({ends} end{plural} taken out, or under way in a parcel)"
                )
            }
            Self::HeldBy { channel, holder } => {
                write!(f, "an end of channel \"{channel}\" is held by {holder}")
            }
            Self::OutsidePoisoner { channel } => {
                write!(f, "somebody outside may poison channel \"{channel}\"")
            }
            Self::Credit { channel, untaken } => write!(
                f,
                "channel \"{channel}\" has {untaken} message{} within credit that may come back",
                plural(*untaken)
            ),
            Self::HeldOutside { channel } => write!(
                f,
                "a message of channel \"{channel}\" is held by somebody whom the network does not know"
            ),
            Self::ForeignWakers { process, wakers } => write!(
                f,
                "others have {wakers} waker{} of process \"{process}\" (a timer, a socket, another task)",
                plural(*wakers)
            ),
            Self::Elsewhere { process, waits } => write!(
                f,
                "process \"{process}\" waits at {waits} place{} outside of the network, or has left what was done",
                plural(*waits)
            ),
            Self::Timed { process } => {
                write!(f, "thread \"{process}\" waits until an instant at most")
            }
            Self::Attached { process } => write!(
                f,
                "attached process \"{process}\" may be dropped by its owner"
            ),
        }
    }
}

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not called a deadlock, though ")?;
        f.write_str(&self.processes.join(", "))?;
        if self.process_count > self.processes.len() {
            write!(f, " and {} more", self.process_count - self.processes.len())?;
        }
        f.write_str(if self.process_count == 1 {
            " waits for what the network cannot see"
        } else {
            " wait for each other or for what the network cannot see"
        })?;
        for (at, because) in self.because.iter().enumerate() {
            write!(f, "{}{because}", if at == 0 { ": " } else { "; " })?;
        }
        if self.because_count > self.because.len() {
            write!(f, "; and {} more", self.because_count - self.because.len())?;
        }
        Ok(())
    }
}

/// What is not called a deadlock in this picture, though nothing that the network knows can move it. `has_rested` tells
/// of a process whether it has not moved for a moment.
pub(super) fn of(
    tables: &Tables,
    picture: &Picture,
    has_rested: impl Fn(u32) -> bool,
) -> Option<Undecided> {
    let ids = 0..u32::try_from(picture.processes.len()).unwrap_or(u32::MAX);
    let rests = |(id, seen): (u32, &Option<Seen>)| {
        seen.as_ref().is_some_and(Seen::waits_for_something) && has_rested(id)
    };
    let members = ids.zip(&picture.processes).map(rests).collect();
    let members = graph::shrink_by(picture, members, |op| {
        let known = graph::known_releasers(tables, picture, op)?;
        Some(graph::with_those_that_may_fail(tables, op, known))
    });
    let is_in = |id: u32| members.get(id as usize) == Some(&true);
    let all = members.iter().filter(|is_in| **is_in).count();
    if all == 0 {
        return None;
    }
    let because = reasons(tables, picture, is_in);
    // Else it is about to be called one, or to move.
    if because.is_empty() {
        return None;
    }
    let named = tables.processes.iter().filter(|(id, _)| is_in(*id));
    Some(Undecided {
        processes: named
            .take(NAMED_MAX)
            .map(|(_, entry)| entry.name.to_string())
            .collect(),
        process_count: all,
        because_count: because.len(),
        because: because.into_iter().take(NAMED_MAX).collect(),
    })
}

fn reasons(tables: &Tables, picture: &Picture, is_in: impl Fn(u32) -> bool) -> Vec<Because> {
    let mut because = Vec::new();
    let mut known: HashSet<u32> = HashSet::new();
    for op in picture.ops.iter().filter(|op| is_in(op.process)) {
        because.extend(of_operation(tables, picture, op));
        if known.insert(op.channel) {
            because.extend(of_channel(tables, op.channel));
        }
    }
    for (id, entry) in tables.processes.iter().filter(|(id, _)| is_in(*id)) {
        let Some(seen) = &picture.processes[id as usize] else {
            continue;
        };
        let process = || entry.name.to_string();
        if let wakers @ 1.. = seen.foreign_wakers() {
            let process = process();
            because.push(Because::ForeignWakers { process, wakers });
        }
        if let waits @ 1.. = seen.waits_elsewhere() {
            let process = process();
            because.push(Because::Elsewhere { process, waits });
        }
        if seen.is_timed() {
            because.push(Because::Timed { process: process() });
        }
        if entry.kind == Kind::Attached && entry.is_open {
            because.push(Because::Attached { process: process() });
        }
    }
    because
}

fn of_channel(tables: &Tables, id: u32) -> Vec<Because> {
    let mut because = Vec::new();
    let Some(entry) = tables.channels.get(id) else {
        return because;
    };
    let channel = || entry.name.to_string();
    let known = entry.known_outside();
    let ends = entry.open - u32::try_from(known.len()).unwrap_or(entry.open);
    if ends > 0 {
        let channel = channel();
        because.push(Because::OpenEnds { channel, ends });
    }
    because.extend(known.iter().map(|holder| Because::HeldBy {
        channel: channel(),
        holder: holder.name.to_string(),
    }));
    if entry.outside_poisoners() > 0 {
        because.push(Because::OutsidePoisoner { channel: channel() });
    }
    because
}

fn of_operation(tables: &Tables, picture: &Picture, op: &Op) -> Option<Because> {
    let channel = tables.channels.get(op.channel)?.name.to_string();
    let tally = picture.tallies.get(op.channel as usize)?.as_ref()?;
    match op.wait.operation {
        Operation::Receive if tally.credit_untaken > 0 => Some(Because::Credit {
            channel,
            untaken: tally.credit_untaken,
        }),
        Operation::Accepted if !op.has_acceptor() => Some(Because::HeldOutside { channel }),
        _ => None,
    }
}
