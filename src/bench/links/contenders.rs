//! Who takes part in what.

use std::path::Path;

#[cfg(target_os = "linux")]
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use super::{
    idle, ours, raw,
    record::Record,
    row::{Order, Row, Side},
};

/// What a run may fail with.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// One who takes part.
#[derive(Debug, Clone, Copy)]
pub struct Contender {
    /// As it is called in options and tables.
    pub name: &'static str,
    /// What it is, for people.
    pub what: &'static str,
    /// How it is run.
    pub means: Means,
    /// What it takes part in.
    pub rows: &'static [Row],
}

/// Plays one side; who measures returns a record. With TLS, the folder has the certificates.
type Play = fn(&Contender, &Order, &Side, Option<&Path>) -> Result<Option<Record>, Failure>;

/// How a contender is run.
#[derive(Debug, Clone, Copy)]
pub enum Means {
    /// In copies of this program.
    Here(Play),
    /// The same, through TLS.
    Tls(Play),
    /// In a program made from a file of `benches/peers`.
    Library,
}

impl Contender {
    /// Whether it is this crate's.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.name.starts_with("handover")
    }

    /// Whether the others of this row are told as multiples of it.
    #[must_use]
    pub fn is_the_measure(&self, row: Row) -> bool {
        match row {
            Row::RoundTrip | Row::Apart | Row::Copy => self.name == "std",
            Row::Unit | Row::UnitInCredit | Row::Idle => self.name == "tokio",
        }
    }

    /// The library that it needs.
    #[must_use]
    pub fn library(&self) -> Option<&'static str> {
        matches!(self.means, Means::Library).then_some(self.name)
    }
}

/// Everybody.
#[must_use]
pub fn contenders() -> Vec<Contender> {
    let one = |name, what, means, rows| Contender {
        name,
        what,
        means,
        rows,
    };
    vec![
        one("handover", "a channel", Means::Here(ours::play), &Row::ALL),
        one(
            "handover-4",
            "a channel with a grant of 4",
            Means::Here(ours::play),
            &[Row::Copy],
        ),
        one(
            "handover-tls",
            "a channel through TLS",
            Means::Tls(ours::play),
            &[Row::RoundTrip, Row::Apart, Row::Idle],
        ),
        one(
            "std",
            "sockets, blocking",
            Means::Here(raw::play_blocking),
            &[Row::RoundTrip, Row::Apart, Row::Copy],
        ),
        one(
            "tokio",
            "sockets on tokio",
            Means::Here(raw::play_on_tokio),
            &Row::ALL,
        ),
        one(
            "zeromq",
            "REQ/REP; ROUTER to REQ, to DEALER",
            Means::Library,
            &[Row::RoundTrip, Row::Apart, Row::Unit, Row::UnitInCredit],
        ),
        one(
            "nng",
            "req/rep",
            Means::Library,
            &[Row::RoundTrip, Row::Apart],
        ),
    ]
}

/// The contender with this name.
#[must_use]
pub fn find(name: &str) -> Option<Contender> {
    contenders().into_iter().find(|other| other.name == name)
}

/// Keeps this program to one processor, if the row is such: who measures to the first that it may use, and who works, which
/// inherits that, to the first other.
///
/// # Errors
///
/// If there is one processor, or the system does not allow it.
pub fn keep_apart(order: &Order, side: &Side) -> Result<(), Failure> {
    if order.row != Row::Apart {
        return Ok(());
    }
    if is_kept_to_one_of(*side == Side::Measures) {
        Ok(())
    } else {
        Err("there is no processor for each of both, or it cannot be chosen here".into())
    }
}

/// Keeps this program to one processor of those that it may use already, or to another.
#[cfg(target_os = "linux")]
fn is_kept_to_one_of(inherited: bool) -> bool {
    let Ok(all) = sched_getaffinity(None) else {
        return false;
    };
    (0..CpuSet::MAX_CPU)
        .filter(|cpu| all.is_set(*cpu) == inherited)
        .any(|cpu| {
            let mut mine = CpuSet::new();
            mine.set(cpu);
            sched_setaffinity(None, &mine).is_ok()
        })
}

#[cfg(not(target_os = "linux"))]
fn is_kept_to_one_of(_: bool) -> bool {
    false
}

/// What the row of memory needs, whoever's connections they are.
pub(super) fn idle_count(order: &Order) -> usize {
    idle::possible(usize::try_from(order.count).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_contender_has_another_name_by_which_it_is_found() {
        let all = contenders();
        let names: BTreeSet<&str> = all.iter().map(|one| one.name).collect();
        assert_eq!(names.len(), all.len());
        for one in all {
            assert_eq!(find(one.name).unwrap().what, one.what);
        }
    }

    #[test]
    fn every_row_has_one_measure_and_one_of_ours() {
        for row in Row::ALL {
            let takes_part = |one: &Contender| one.rows.contains(&row);
            let measures = contenders()
                .into_iter()
                .filter(|one| takes_part(one) && one.is_the_measure(row));
            assert_eq!(measures.count(), 1, "{}", row.name());
            assert!(takes_part(&contenders()[0]), "{}", row.name());
        }
    }
}
