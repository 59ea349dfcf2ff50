//! What is said about a network: a deadlock, and a snapshot of everything at one moment. Plain data, with which one can
//! do what one likes; as a sentence, as JSON (feature `serde`), and as a Graphviz drawing.

use std::fmt;

pub use super::registry::Kind;

/// A place in the source.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Site {
    /// The file, as the compiler was told of it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1.
    pub column: u32,
}

impl From<&std::panic::Location<'_>> for Site {
    fn from(location: &std::panic::Location<'_>) -> Self {
        Self {
            file: location.file().to_owned(),
            line: location.line(),
            column: location.column(),
        }
    }
}

impl fmt::Display for Site {
    /// The file without the folders that lead to it, and the line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.rsplit(['/', '\\']).next().unwrap_or(&self.file);
        write!(f, "{name}:{}", self.line)
    }
}

/// Where a channel goes on over a link: one of its ends is held by the link, and what crosses comes out at the peer.
///
/// The peer knows the same crossing by the same session, direction and name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Crossing {
    /// The session of the link, in 32 hexadecimal digits: a random number, the same at both ends.
    pub session: String,
    /// Whether messages go from the side that made the connection to the one that accepted it.
    pub is_from_dialer: bool,
    /// The name of the channel on the link.
    pub channel: String,
    /// Whether this side sends: the link holds the receiving end here.
    pub is_outbound: bool,
}

/// What a process waits for at a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
pub enum Waiting {
    /// That somebody takes its message.
    Send,
    /// That the process which holds its message (an extended rendezvous) answers.
    Accepted,
    /// That somebody has a message for it.
    Receive,
    /// That somebody waits for a message.
    Demand,
    /// That the other side goes.
    Closing,
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Send => "sending",
            Self::Accepted => "sending, accepted,",
            Self::Receive => "receiving",
            Self::Demand => "looking for demand",
            Self::Closing => "waiting for the other side to go",
        })
    }
}

/// One operation that a process is blocked on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Wait {
    /// What it waits for.
    pub operation: Waiting,
    /// The channel, by its full name.
    pub channel: String,
    /// The [number](super::ChannelSeen::id) of that channel.
    pub channel_id: u64,
    /// Where in the source the operation was begun.
    pub site: Site,
    /// Who could release it, by full names, in alphabetical order, each name once.
    pub waits_for: Vec<String>,
    /// The [numbers](super::ProcessSeen::id) of all of them, in the order of their names.
    pub waits_for_ids: Vec<u64>,
    /// Whether somebody whom the network does not know could release it too: an end of the channel is open.
    pub is_open: bool,
    /// Whether the process needs this one whatever becomes of the others ([`send_to_all`](super::send_to_all));
    /// otherwise each of several is enough.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_one_of_all: bool,
    /// It was woken, and its process has not looked at it since: a future that was polled and left. Nobody can release
    /// it; it gets on only once something else has the process polled, and the process polls it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub is_stranded: bool,
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} on \"{}\" at {}{}",
            self.operation,
            self.channel,
            self.site,
            if self.is_stranded {
                ", woken and not polled since"
            } else {
                ""
            },
        )
    }
}

/// A process of a deadlock, and all that it waits for: each of several is enough, but for those of which all are needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Blocked {
    /// The process, by its full name.
    pub process: String,
    /// The [number](super::ProcessSeen::id) of that process.
    pub process_id: u64,
    /// What it waits for; nothing, if there is nothing left that could wake it.
    pub waits: Vec<Wait>,
}

impl Blocked {
    /// All who could release it, each once, in alphabetical order.
    #[must_use]
    pub fn waits_for(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .waits
            .iter()
            .flat_map(|wait| wait.waits_for.iter().map(String::as_str))
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.waits.is_empty() {
            return write!(f, "{} waits for nothing that could wake it", self.process);
        }
        write!(f, "{} (", self.process)?;
        for (at, wait) in self.waits.iter().enumerate() {
            let joint = match (at, wait.is_one_of_all || wait.is_stranded) {
                (0, _) => "",
                (_, true) => ", and ",
                (_, false) => ", or ",
            };
            write!(f, "{joint}{wait}")?;
        }
        if self.waits.iter().all(|wait| wait.is_stranded) {
            return f.write_str(") waits for nothing that could wake it");
        }
        let names = self.waits_for();
        if names.is_empty() {
            return f.write_str(") waits for nobody who is left");
        }
        if names == [self.process.as_str()] {
            return f.write_str(") waits for itself");
        }
        write!(f, ") waits for {}", names.join(" or "))
    }
}

/// Processes that wait for each other, and that nobody else can release.
///
/// It prints like a sentence that a person can act on:
/// `deadlock: a (sending on "up" at chain.rs:31) waits for b; b (sending on "down" at chain.rs:44) waits for a`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Deadlock {
    /// The network, by its name.
    pub network: String,
    /// Whether no process of the network can go on; otherwise others still run.
    pub is_total: bool,
    /// A shortest cycle: each waits for the one after it, the last for the first. Empty only if processes wait for
    /// nothing that could wake them, or for such a one.
    pub cycle: Vec<Blocked>,
    /// The other processes that can never go on, because of it.
    pub others: Vec<Blocked>,
}

impl Deadlock {
    /// All processes that can never go on: those of the cycle, then the others.
    pub fn processes(&self) -> impl Iterator<Item = &Blocked> {
        self.cycle.iter().chain(&self.others)
    }

    /// The names of those of the cycle, in its order.
    #[must_use]
    pub fn cycle_names(&self) -> Vec<&str> {
        let names = self.cycle.iter().map(|blocked| blocked.process.as_str());
        names.collect()
    }
}

/// How many others a sentence names.
const OTHERS_NAMED: usize = 8;

impl fmt::Display for Deadlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.distinct().write(f)
    }
}

impl Deadlock {
    /// As a sentence, in which processes are told apart by their names.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadlock: ")?;
        let told = if self.cycle.is_empty() {
            &self.others
        } else {
            &self.cycle
        };
        for (at, blocked) in told.iter().enumerate().take(if self.cycle.is_empty() {
            OTHERS_NAMED
        } else {
            usize::MAX
        }) {
            let then = if at == 0 { "" } else { "; " };
            write!(f, "{then}{blocked}")?;
        }
        let others = if self.cycle.is_empty() {
            self.others.get(OTHERS_NAMED..).unwrap_or_default()
        } else {
            &self.others
        };
        if others.is_empty() {
            return Ok(());
        }
        let names: Vec<_> = others
            .iter()
            .take(OTHERS_NAMED)
            .map(|blocked| blocked.process.as_str())
            .collect();
        write!(f, "; because of it {} ", names.join(", "))?;
        if others.len() > names.len() {
            write!(f, "and {} more ", others.len() - names.len())?;
        }
        f.write_str(if others.len() == 1 {
            "waits for ever too"
        } else {
            "wait for ever too"
        })
    }
}
