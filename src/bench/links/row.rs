//! What is measured, and how much of it.

/// So many workers take units, each on a connection of its own.
pub(super) const WORKERS: usize = 4;

/// So many units a worker has granted in advance, where it grants some.
pub(super) const GRANT: usize = 64;

/// The length of a long message.
pub(super) const MIB: usize = 1 << 20;

/// What a contender does. Messages are numbers of 8 bytes, but for [`Copy`](Self::Copy).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Row {
    /// A message that is confirmed before the next is sent: for ours, a hand-over.
    RoundTrip,
    /// The same, where each of the two programs has a processor of its own: to wake one that sleeps takes longer than to
    /// go on on the same, and elsewhere the system decides which of both it is.
    Apart,
    /// One producer, four workers that have no unit in advance: as many units are under way.
    Unit,
    /// The same, where each worker has granted 64.
    UnitInCredit,
    /// Messages of 1 MiB, one way; confirmed at the end by those that confirm nothing else.
    Copy,
    /// Connections that do nothing: memory.
    Idle,
}

impl Row {
    /// All of them, in the order in which they are measured.
    pub const ALL: [Self; 6] = [
        Self::RoundTrip,
        Self::Apart,
        Self::Unit,
        Self::UnitInCredit,
        Self::Copy,
        Self::Idle,
    ];

    /// As it is called in options, tables and records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::RoundTrip => "round-trip",
            Self::Apart => "round-trip-apart",
            Self::Unit => "unit",
            Self::UnitInCredit => "unit-64",
            Self::Copy => "copy",
            Self::Idle => "idle",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|row| row.name() == name)
    }

    /// What one unit of time is counted for.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::RoundTrip | Self::Apart => "round trip",
            Self::Unit | Self::UnitInCredit => "unit",
            Self::Copy => "MiB",
            Self::Idle => "connection",
        }
    }

    /// Whether each unit's own time is told, and not only the time of all.
    #[must_use]
    pub fn has_latencies(self) -> bool {
        !matches!(self, Self::Copy | Self::Idle)
    }

    /// How many workers take part.
    pub(super) fn workers(self) -> usize {
        match self {
            Self::Unit | Self::UnitInCredit => WORKERS,
            _ => 1,
        }
    }

    /// How many messages are under way on each connection, at the most.
    pub(super) fn window(self) -> usize {
        if self == Self::UnitInCredit { GRANT } else { 1 }
    }
}

/// How much of a row one contender is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Order {
    /// What.
    pub row: Row,
    /// How many units, beside those that warm it up.
    pub count: u64,
}

impl Order {
    /// How many units go before those that are measured.
    pub(super) fn warm_up(&self) -> u64 {
        match self.row {
            Row::RoundTrip | Row::Apart | Row::Unit => 200,
            Row::UnitInCredit => 2000,
            Row::Copy => 8,
            Row::Idle => 50,
        }
    }
}

/// Which side of a contender a program is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Side {
    /// It listens, starts its workers, and measures.
    Measures,
    /// It dials this address.
    Works(std::net::SocketAddr),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name() {
        for row in Row::ALL {
            assert_eq!(Row::named(row.name()), Some(row));
        }
        assert_eq!(Row::named("round"), None);
    }
}
