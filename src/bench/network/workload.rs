//! The workloads, and how much of each is done.

use std::fmt;

use crate::bench::run::STAGES;

/// What a network of processes does. Messages are numbers of 8 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Workload {
    /// The natural numbers from four processes: *prefix* sends a 0 and then passes on, *delta* sends what it gets to
    /// *successor* and then to *consumer*, *successor* adds one and sends to *prefix*. Four communications a number.
    CommsTime,
    /// One process sends, sixteen pass on, another receives.
    Pipeline,
    /// A token goes around a ring of processes, so one of them runs at a time.
    Ring,
    /// The same ring, a large one: what a process costs that is blocked in a receive, and how long it takes to make,
    /// to reach and to end all of them.
    Blocked,
    /// Independent pairs, each of which sends a number forth and back, on so many threads: 1 or 2.
    Pairs(Threads),
}

/// How many threads the processes run on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Threads {
    /// One.
    One,
    /// Two.
    Two,
}

impl Threads {
    /// As a number.
    #[must_use]
    pub fn count(self) -> usize {
        match self {
            Self::One => 1,
            Self::Two => 2,
        }
    }
}

impl Workload {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 6] = [
        Self::CommsTime,
        Self::Pipeline,
        Self::Ring,
        Self::Blocked,
        Self::Pairs(Threads::One),
        Self::Pairs(Threads::Two),
    ];

    /// As it is called in options, tables and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CommsTime => "commstime",
            Self::Pipeline => "pipeline",
            Self::Ring => "ring",
            Self::Blocked => "blocked",
            Self::Pairs(Threads::One) => "pairs-1",
            Self::Pairs(Threads::Two) => "pairs-2",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|work| work.name() == name)
    }

    /// What one unit of time is counted for.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::CommsTime => "communication",
            Self::Pipeline => "message through all stages",
            Self::Ring | Self::Blocked => "hop",
            Self::Pairs(_) => "round trip",
        }
    }

    /// Whether it has a ring, so that there are figures of making and ending it, and of its memory.
    #[must_use]
    pub fn is_of_a_ring(self) -> bool {
        matches!(self, Self::Ring | Self::Blocked)
    }

    /// How many threads its processes share, where they are not threads themselves.
    #[must_use]
    pub fn threads(self) -> Threads {
        match self {
            Self::Pairs(threads) => threads,
            _ => Threads::One,
        }
    }

    /// How large the network is unless told otherwise: processes of a ring, pairs; fixed for the others.
    #[must_use]
    pub fn usual_size(self) -> usize {
        match self {
            Self::CommsTime => 4,
            Self::Pipeline => STAGES,
            Self::Ring => 10_000,
            Self::Blocked => 1_000_000,
            Self::Pairs(_) => 64,
        }
    }

    /// What the count of an order counts, as units of time.
    #[must_use]
    pub fn units(self, count: u64, size: usize) -> u64 {
        match self {
            Self::CommsTime => 4 * count + 1,
            Self::Pipeline => count,
            Self::Ring | Self::Blocked | Self::Pairs(_) => count * size as u64,
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_workload_is_found_by_its_name() {
        for work in Workload::ALL {
            assert_eq!(Workload::named(work.name()), Some(work));
        }
        assert_eq!(Workload::named("pairs"), None);
    }
}
